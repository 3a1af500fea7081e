"""The decision-table engine, and the shape of staging.yaml."""

from schemas.frozen import Frozen


class Staging(Frozen):
    """staging.yaml."""
