"""Text steps, the extraction hop, the buses and the runner."""
