"""How well de-identification works: annotated sets, a set made by planting identifiers, verdicts and figures."""
