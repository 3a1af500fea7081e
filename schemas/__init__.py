"""The vocabulary of Synoptic: messages, findings, errors, metrics, settings and packs."""
