"""Renders the figures of de-identification as tables; a figure without a case is left empty."""

from collections.abc import Iterable, Sequence

from training.deidentification.figures import Row, SetFigures, Share
from training.measures.score_tables import Rows, figure

_MARKED = ("identifiers", "recall (95 %)", "of characters", "right tag")
_REMOVED = ("removed", "precision (95 %)", "of characters", "the report's own, not judged")


def figure_tables(figures: Sequence[SetFigures]) -> dict[str, Rows]:
    """All tables by their titles; those without a row are left out."""
    tables = {
        "In all": _table(("set", "identifiers of"), (row for one in figures for row in one.summary), True),
        "By Safe Harbor's classes": _table(("set", "class"), (row for one in figures for row in one.classes), False),
        "By tag": _table(("set", "tag"), (row for one in figures for row in one.tags), True),
        "Marked in a set, not named by Safe Harbor": _table(
            ("set", "label"), (row for one in figures for row in one.apart), False
        ),
        "Known to the resource, by spelling": _table(
            ("set", "spelling"), (row for one in figures for row in one.spellings), False
        ),
    }
    return {title: rows for title, rows in tables.items() if len(rows) > 1}


def _table(names: tuple[str, str], rows: Iterable[Row], with_removals: bool) -> Rows:
    return [[*names, *_MARKED, *(_REMOVED if with_removals else ())], *(_cells(row, with_removals) for row in rows)]


def _cells(row: Row, with_removals: bool) -> list[str]:
    cells = [row.set, row.part, str(row.found.of), _bounded(row.found), _plain(row.characters), _plain(row.tagged)]
    if not with_removals:
        return cells
    if row.right is None:
        return [*cells, "", "", "", ""]
    return [*cells, str(row.right.of), _bounded(row.right), _plain(row.right_characters), str(row.own or "")]


def _plain(share: Share | None) -> str:
    return "" if share is None or share.value is None else figure(share.value)


def _bounded(share: Share) -> str:
    """A share with its interval."""
    if share.value is None or share.bounds is None:
        return ""
    return f"{figure(share.value)} ({figure(share.bounds.low)}–{figure(share.bounds.high)})"
