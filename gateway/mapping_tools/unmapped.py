"""Values that were found and have no code: told on a topic of their own as they go by, and listed from there.

Nothing in it is a patient's: the report is named by its keyed hash, and slot, table and key are words of the pack.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from pydantic import ValidationError

from mappers.mapping import Missing
from schemas.frozen import Frozen
from schemas.messages import TOPIC_UNMAPPED, ReportFindings
from workers.buses.bus import Outgoing, Record

_WORD = re.compile(r"[\w()+./*<>=%-]{1,64}")
_WITHHELD = "(withheld)"


class UnmappedValue(Frozen):
    """One value of one report that no table has a code for; `seen` is when the report came in, in seconds."""

    report: str
    pack: str
    slot: str
    table: str
    key: str
    seen: float | None = None


@dataclass(frozen=True)
class Unmapped:
    """One kind of value without a code: in how many reports, and when the first and the last of them came in."""

    pack: str
    slot: str
    table: str
    key: str
    reports: int
    first: str
    last: str


def unmapped_messages(findings: ReportFindings, missing: Sequence[Missing], seen: float | None) -> list[Outgoing]:
    """What tells of a report's values without a code; a key that is no plain word of a pack is withheld."""
    return [
        Outgoing(
            TOPIC_UNMAPPED,
            orjson.dumps(
                UnmappedValue(
                    report=findings.report_hmac,
                    pack=findings.pack,
                    slot=one.slot,
                    table=one.table,
                    key=one.key if _WORD.fullmatch(one.key) else _WITHHELD,
                    seen=seen,
                ).model_dump()
            ),
            key=findings.report_hmac.encode(),
        )
        for one in missing
    ]


def unmapped_queue(records: Iterable[Record]) -> list[Unmapped]:
    """Each kind of value once, the most frequent first; a report that was read again counts once."""
    reports: dict[tuple[str, str, str, str], dict[str, list[float]]] = {}
    for record in records:
        try:
            value = UnmappedValue.model_validate_json(record.value)
        except ValidationError:
            continue
        kind = (value.pack, value.slot, value.table, value.key)
        seen = reports.setdefault(kind, {}).setdefault(value.report, [])
        if value.seen is not None:
            seen.append(value.seen)
    found = []
    for kind, by_report in reports.items():
        instants = [instant for seen in by_report.values() for instant in seen]
        first, last = (_day(edge(instants)) if instants else "" for edge in (min, max))
        found.append(Unmapped(*kind, len(by_report), first, last))
    return sorted(found, key=lambda one: (-one.reports, one.slot, one.table, one.key))


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
