"""Registries: who subscribes to coded reports, what of them each is sent, and how it gets there."""
