"""Reads annotated sets: one reader a format, by the name that `--set NAME=FILE` gives; SYN-760 names what is at fault.

`spans` is our own form, for a site that annotated its own texts: JSON lines with `text`, `spans` (start, end, class)
and, where the resource is to be had, `known` (kind, value). A class is a name of safe_harbor.py, any other is apart.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from schemas.errors import Code, SynopticError
from schemas.messages import KnownIdentifier
from training.deidentification.annotated import AnnotatedText, Mark
from training.deidentification.safe_harbor import BY_TITLE, SafeHarbor
from training.deidentification.set_labels import GRASCCO, PRESIDIO, PYDEID, RATSCHLAB, harbor_class

_RATSCHLAB_TAG = re.compile(r"</?([A-Za-z]+)(?:\s[^<>]*)?>")
_RATSCHLAB_COMMENT = re.compile(r"(?<!\\)#.*")
_RATSCHLAB_FILES = "*testcases_*.txt"

Span = tuple[int, int, str]
Classify = Callable[[str, str], SafeHarbor | None]
"""The class of a label and the words that it marks."""


def read_set(name: str, path: Path) -> tuple[AnnotatedText, ...]:
    """The texts of one set; SYN-760 where the file cannot be read, is malformed, or holds no identifier."""
    try:
        texts = tuple(READERS[name](path))
    except OSError as error:
        raise SynopticError(Code.BAD_ANNOTATED_SET, f"{path.name}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # The message of such an error may quote the text.
        reason = f"is not in the format {name} ({type(error).__name__})"
        raise SynopticError(Code.BAD_ANNOTATED_SET, f"{path.name}: {reason}") from None
    if not any(text.marks for text in texts):
        raise SynopticError(Code.BAD_ANNOTATED_SET, f"{path.name}: no identifier is marked in it")
    return texts


def _presidio(path: Path) -> Iterator[AnnotatedText]:
    """One JSON list: `full_text`, `template_id`, `spans` with entity_type, start_position, end_position.

    The sentences of the templates with an odd number are held out: nothing was made on them.
    """
    for row in orjson.loads(path.read_bytes()):
        spans = [(one["start_position"], one["end_position"], one["entity_type"]) for one in row["spans"]]
        yield replace(
            _annotated(row["full_text"], spans, _by(PRESIDIO)), held_out=bool((row.get("template_id") or 0) % 2)
        )


def _presidio_half(held_out: bool) -> Callable[[Path], Iterator[AnnotatedText]]:
    """The held-out sentences, or the others."""
    return lambda path: (text for text in _presidio(path) if text.held_out == held_out)


def _grascco(path: Path) -> Iterator[AnnotatedText]:
    """JSON lines: `text`, `phi` with start, end, label."""
    for row in _lines(path):
        spans = [(one["start"], one["end"], one["label"] or "unlabelled") for one in row["phi"]]
        yield _annotated(row["text"], spans, _by(GRASCCO))


def _own(path: Path) -> Iterator[AnnotatedText]:
    """Our own JSON lines."""
    for row in _lines(path):
        spans = [(one["start"], one["end"], one["class"]) for one in row["spans"]]
        try:
            known = tuple(KnownIdentifier.model_validate(one) for one in row.get("known", []))
        except ValidationError:
            raise ValueError("known") from None
        yield _annotated(row["text"], spans, lambda label, _: BY_TITLE.get(label), known)


def _ratschlab(path: Path) -> Iterator[AnnotatedText]:
    """A file of test cases, or the folder of them: one line a text, marked with tags; other tags name a field."""
    for file in sorted(path.glob(_RATSCHLAB_FILES)) if path.is_dir() else [path]:
        _, _, cases = file.read_text(encoding="utf-8").partition("\n")  # the first line names types and fields
        for line in cases.splitlines():
            if case := _RATSCHLAB_COMMENT.sub("", line).strip():
                yield _ratschlab_case(case.replace("\\#", "#").replace("\\r", "").replace("\\n", "\n"))


def _ratschlab_case(case: str) -> AnnotatedText:
    text, spans, opened, at = "", [], 0, 0
    for tag in _RATSCHLAB_TAG.finditer(case):
        text += case[at : tag.start()]
        at = tag.end()
        if tag.group(1) not in RATSCHLAB:
            continue
        if tag.group().startswith("</"):
            spans.append((opened, len(text), tag.group(1)))
        else:
            opened = len(text)
    return _annotated(text + case[at:], spans, _by(RATSCHLAB))


def _pydeid(path: Path) -> Iterator[AnnotatedText]:
    """A table of tokens with their places; the text is put together from them."""
    texts: dict[tuple[str, str], tuple[str, list[Span]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            note = row["genc_id"], row["note_id"]
            text, spans = texts.get(note, ("", []))
            start = int(row["start"]) if row["start"] else len(text) + bool(text)
            text = text.ljust(start) + row["token"]
            if row["annotation"]:
                spans.append((start, len(text), row["annotation"]))
            texts[note] = text, spans
    for text, spans in texts.values():
        yield _annotated(text, spans, _by(PYDEID))


def read_tokens(path: Path) -> Iterator[str]:
    """The sentences of a table of tokens: one a line before a tab, a blank line after each sentence."""
    sentence: list[str] = []
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        token = line.partition("\t")[0].strip()
        if token:
            sentence.append(token)
        elif sentence:
            yield " ".join(sentence)
            sentence = []


READERS: Mapping[str, Callable[[Path], Iterator[AnnotatedText]]] = {
    "presidio": _presidio,
    "presidio-open": _presidio_half(held_out=False),
    "presidio-held-out": _presidio_half(held_out=True),
    "grascco": _grascco,
    "ratschlab": _ratschlab,
    "pydeid": _pydeid,
    "spans": _own,
}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        if line.strip():
            yield orjson.loads(line)


def _by(labels: Mapping[str, SafeHarbor | None]) -> Classify:
    """The class by a set's labels; a label that is none of them is a KeyError."""
    return lambda label, words: harbor_class(labels[label], words)


def _annotated(
    text: str, spans: list[Span], classify: Classify, known: tuple[KnownIdentifier, ...] = ()
) -> AnnotatedText:
    """A text with its marks in order; ValueError for a place outside it."""
    if any(not 0 <= start < end <= len(text) for start, end, _ in spans):
        raise ValueError("a span outside its text")
    marks = (Mark(start, end, label, classify(label, text[start:end])) for start, end, label in sorted(spans))
    return AnnotatedText(text, tuple(marks), known)
