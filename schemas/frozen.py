"""The base of every model that crosses a hop: frozen, strict about unknown keys, silent about input values."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable model that refuses unknown keys and never repeats its input in an error (no PHI in errors)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
