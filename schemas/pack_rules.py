"""The shape of facts.yaml and labels.yaml."""

from schemas.frozen import Frozen


class FactRules(Frozen):
    """facts.yaml."""


class LabelRules(Frozen):
    """labels.yaml."""
