"""Asks checkpoints, rules and baselines about the same reports, and measures their answers."""
