"""Names that an option lists, such as hospitals held back: the option repeated, or commas within one."""

from collections.abc import Iterable


def listed(given: Iterable[str] | None) -> list[str]:
    """The names in the order in which they were given; none where the option was not."""
    return [name.strip() for value in given or () for name in value.split(",") if name.strip()]
