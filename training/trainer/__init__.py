"""From training rows to a calibrated checkpoint: phases, folds, devices, logs and figures."""
