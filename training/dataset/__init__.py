"""From labelled reports to training rows, in memory and on disk."""
