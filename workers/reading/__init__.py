"""Text steps from a report to labels by the rules of a pack; no torch, no Kafka."""
