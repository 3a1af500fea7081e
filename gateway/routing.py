"""Chooses the pack that reads a report, by the packs' own rules: codes, categories, then keywords in the text."""

import re
from collections.abc import Sequence
from functools import cache

from schemas.errors import Code, SynopticError
from schemas.pack import Routing
from schemas.pack_loader import Pack


def route(text: str, codes: Sequence[str], categories: Sequence[str], packs: Sequence[Pack]) -> Pack:
    """The first pack, in the order of the settings, that takes the report; raises SYN-130 where none does.

    `codes` are LOINC codes of DiagnosticReport.code, `categories` codes of DiagnosticReport.category.
    """
    for pack in packs:
        if takes(text, codes, categories, pack.definition.routing):
            return pack
    raise SynopticError(Code.UNROUTABLE, ", ".join(pack.id for pack in packs) or "no pack is installed")


def takes(text: str, codes: Sequence[str], categories: Sequence[str], routing: Routing) -> bool:
    """True where the text holds enough of the pack's keywords, or a sufficient one, and neither code nor category says otherwise."""
    if not _agrees(codes, routing.loinc, categories, routing.categories):
        return False
    keywords, sufficient, excluded = (_compiled(patterns) for patterns in _patterns(routing))
    if any(pattern.search(text) for pattern in excluded):
        return False
    if any(pattern.search(text) for pattern in sufficient):
        return True
    found = 0
    for pattern in keywords:
        found += pattern.search(text) is not None
        if found >= routing.minimum_keywords:
            return True
    return not keywords


def _agrees(
    codes: Sequence[str], known_codes: tuple[str, ...], categories: Sequence[str], known_categories: tuple[str, ...]
) -> bool:
    """A report without code and category may be anything; one known code or category is enough."""
    if not (codes or categories) or not (known_codes or known_categories):
        return True
    return bool(set(codes) & set(known_codes) or set(categories) & set(known_categories))


def _patterns(routing: Routing) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    return routing.keywords, routing.sufficient, routing.excluded


@cache
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)
