"""Names that an option lists: each must be known, so that a slip of the pen is not measured as nothing."""

from collections.abc import Iterable, Sequence

import typer


def require_known(option: str, names: Iterable[str], known: Sequence[str]) -> None:
    """Refuse the command, as a usage error, where a name is none of those known."""
    unknown = [name for name in names if name not in known]
    if unknown:
        message = f"{', '.join(unknown)}: none of {', '.join(known)}"
        raise typer.BadParameter(message, param_hint=option)
