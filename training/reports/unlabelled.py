"""Unlabelled text for the language phase: any text files, without identifiers, cut into windows of tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from model.tokenizer import SequenceTokenizer
from schemas.errors import Code, SynopticError
from workers.deidentify import deidentify

JSON_LINES = frozenset({".jsonl", ".ndjson"})
SHORTEST_WINDOW = 8
"""Tokens; what is left of a text at its end is not worth a row if it is shorter."""


@dataclass(frozen=True)
class UnlabelledText:
    """One text and the hospital it comes from, empty where that is not known."""

    hospital: str
    text: str = field(repr=False)


def read_unlabelled(paths: Sequence[Path]) -> tuple[UnlabelledText, ...]:
    """The texts of JSON-lines files (`text`, perhaps `site`) and of plain files, identifiers removed; SYN-732."""
    return tuple(text for path in paths for text in _texts(path))


def _texts(path: Path) -> Iterator[UnlabelledText]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SynopticError(Code.BAD_UNLABELLED_FILE, f"{path.name}: {error.strerror}") from None
    if path.suffix.lower() not in JSON_LINES:
        yield UnlabelledText("", _clean(content.decode("utf-8", errors="replace")))
        return
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            row = orjson.loads(line)
            yield UnlabelledText(str(row.get("site", "")), _clean(row["text"]))
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            raise SynopticError(Code.BAD_UNLABELLED_FILE, f"{path.name}, line {number}") from None


def _clean(text: str) -> str:
    return deidentify(text, ()).text


def windows(text: str, tokenizer: SequenceTokenizer, limit: int) -> Iterator[tuple[int, ...]]:
    """A text's tokens in order, at most `limit` at a time with the opening token."""
    tokens = tokenizer.encode(text)
    opening = () if tokenizer.begin is None else (tokenizer.begin,)
    size = limit - len(opening)
    for start in range(0, len(tokens), size):
        window = (*opening, *tokens[start : start + size])
        if start == 0 or len(window) >= SHORTEST_WINDOW:
            yield window
