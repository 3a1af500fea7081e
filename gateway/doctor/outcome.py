"""One line of what a check of the installation found."""

from dataclasses import dataclass

from schemas.errors import SynopticError


@dataclass(frozen=True)
class Outcome:
    """What was found, and what to do; `remedy` is empty where nothing is wrong.

    An advice is worth following, but nothing fails without it.
    """

    name: str
    found: str
    remedy: str = ""
    is_advice: bool = False

    @property
    def is_fault(self) -> bool:
        """True where something has to be done."""
        return bool(self.remedy) and not self.is_advice


def fault(name: str, error: SynopticError) -> Outcome:
    """The outcome of a check that ended in a numbered error."""
    message = error.code.message.format(detail=error.detail or "no detail")
    return Outcome(name, f"{error.code.label} {message}", error.code.remedy)


def advice(name: str, found: str, remedy: str) -> Outcome:
    """An outcome that is no fault, with what would make it better."""
    return Outcome(name, found, remedy, is_advice=True)
