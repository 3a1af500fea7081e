"""The multi-task classifier: prompt, backbone with adapter and heads, checkpoint, calibration, engine."""
