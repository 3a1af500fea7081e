"""What `synoptic mapping` works with: recorded findings, cases, explanations, differences, replays, unmapped values."""
