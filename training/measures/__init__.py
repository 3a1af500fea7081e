"""Figures of answers against the truth, with intervals, comparisons and tables."""
