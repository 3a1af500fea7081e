"""From registry-labelled reports to a calibrated adapter: dataset, trainer, evaluation, baselines."""
