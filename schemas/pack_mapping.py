"""The shape of mapping.yaml."""

from schemas.frozen import Frozen


class Mapping(Frozen):
    """mapping.yaml."""
