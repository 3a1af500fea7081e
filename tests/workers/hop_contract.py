"""What every hop promises to the runner: one check, called by each hop's own tests."""

from collections.abc import Callable, Sequence

from schemas.errors import Kind
from workers.buses.bus import Record
from workers.hop import Hop

BAD_VALUES = (
    b"",
    b"not json",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b'{"schema_version": 99}',
    b'{"resourceType": "Patient"}',
    b"[" * 10_000,
    b'{"a": NaN}',
    b'{"a": "\\ud800"}',
)


def record(value: bytes, offset: int = 0, topic: str = "synoptic.diagnostic-reports") -> Record:
    """A record as the bus would give it."""
    return Record(topic, 0, offset, value)


def hop_contract(make: Callable[[], Hop], good: Sequence[bytes]) -> None:
    """Assert what the runner relies on: one result a record, rejects as results, and nothing but the input matters.

    `make` builds the hop afresh; `good` are inputs that it accepts.
    """
    hop = make()
    assert hop.name.isidentifier()
    assert hop.topics
    assert hop.process([]) == []
    records = [record(value, offset, hop.topics[0]) for offset, value in enumerate([*good, *BAD_VALUES, *good])]
    results = hop.process(records)
    assert len(results) == len(records)
    bad = results[len(good) : len(good) + len(BAD_VALUES)]
    for value, result in zip(BAD_VALUES, bad, strict=True):
        assert result.error is not None, f"{value[:20]!r} was not rejected"
        assert result.error.code.kind is Kind.REJECT
        assert result.outgoing == ()
        assert "\n" not in result.error.one_line()
    for result in results[: len(good)]:
        assert result.error is None
        assert result.outgoing or result.ignored is not None
    fresh = make()
    for original, first in zip(records, results, strict=True):
        (alone,) = fresh.process([original])
        assert alone.outgoing == first.outgoing, "a record's output depends on its neighbours, the run or the time"
        assert (alone.error and alone.error.one_line()) == (first.error and first.error.one_line())
