"""The four-block prompt (Field, Classes, Report, Hints), byte-stable, and its encoding in at most 512 tokens.

What does not fit is cut from the end of Report, never from Hints nor the closing token, on whose hidden state the
heads read. Text of a report can never become a special token: the tokenizer spells such strings out.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from schemas.errors import Code, SynopticError

TOKEN_LIMIT = 512
HINT_LIMIT = 160
ALL_TASKS = "all"

HintStyle = Literal["text", "tokens"]
LabelSet = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Hint:
    """One fact as the model is told it: raw wording (`key: text`) or a special token such as `T=T2`."""

    key: str
    text: str = dataclasses.field(repr=False)
    token: str


@dataclass(frozen=True)
class PromptInput:
    """What one sequence asks: a task or `all`, its classes, the sliced report, hints by falling priority."""

    field: str
    classes: Mapping[str, tuple[str, ...]]
    report: str = dataclasses.field(repr=False)
    hints: tuple[Hint, ...] = dataclasses.field(repr=False)


@dataclass(frozen=True)
class PromptFormat:
    """How one prompt version renders hints, and whether the Classes block spells the label set out."""

    version: str
    hint_style: HintStyle
    classes_listed: bool
    token_limit: int = TOKEN_LIMIT


FORMATS: dict[str, PromptFormat] = {
    known.version: known
    for known in (
        PromptFormat("text-1", "text", classes_listed=True),
        # The label set is fixed by the checkpoint; a small model from scratch learns nothing from repeating it.
        PromptFormat("tokens-1", "tokens", classes_listed=False),
    )
}


class PromptTokenizer(Protocol):
    """What encoding needs of a tokenizer."""

    @property
    def begin(self) -> int | None:
        """The id that opens a sequence, where the backbone has one."""

    @property
    def end(self) -> int | None:
        """The id that closes a sequence, where the backbone has one."""

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text, special tokens spelled out."""

    def token_id(self, token: str) -> int | None:
        """The id of a special token, or None where the tokenizer has none of that name."""


def prompt_format(version: str) -> PromptFormat:
    """The format of a prompt version; raises SYN-306 where this program knows none."""
    if version not in FORMATS:
        raise SynopticError(Code.UNKNOWN_PROMPT_VERSION, f"{version}; known: {', '.join(FORMATS)}")
    return FORMATS[version]


def encode_prompt(prompt: PromptInput, tokenizer: PromptTokenizer, layout: PromptFormat) -> list[int]:
    """Token ids, at most 512; raises SYN-308 where even an empty report does not fit."""
    opening = [] if tokenizer.begin is None else [tokenizer.begin]
    closing = [] if tokenizer.end is None else [tokenizer.end]
    head = opening + tokenizer.encode(_head(prompt, layout))
    tail = tokenizer.encode(_HINTS_HEADER) + _encode_hints(prompt.hints, tokenizer, layout) + closing
    room = layout.token_limit - len(head) - len(tail)
    if room < 0:
        raise SynopticError(Code.PROMPT_TOO_LONG, f"{-room} tokens too many without any report")
    return head + tokenizer.encode(tidy_text(prompt.report))[:room] + tail


def tidy_text(text: str) -> str:
    """Runs of blanks as one blank and blank lines gone: layout would else fill a quarter of the tokens."""
    return _LINE_BREAKS.sub("\n", _BLANKS.sub(" ", text)).strip()


_BLANKS = re.compile(r"[^\S\n]+")
_LINE_BREAKS = re.compile(r" ?\n[ \n]*")
_HINTS_HEADER = "\nHints:\n"


def _head(prompt: PromptInput, layout: PromptFormat) -> str:
    return f"Field: {prompt.field}\n{_classes_block(prompt, layout)}\nReport: "


def _classes_block(prompt: PromptInput, layout: PromptFormat) -> str:
    if not layout.classes_listed:
        return "Classes: fixed"
    if prompt.field != ALL_TASKS:
        return f"Classes: {', '.join(prompt.classes[prompt.field])}"
    return "\n".join(f"Classes: {task}: {', '.join(classes)}" for task, classes in prompt.classes.items())


def _hint_line(hint: Hint) -> str:
    return " ".join(f"{hint.key}: {hint.text}".split())


def _encode_hints(hints: Sequence[Hint], tokenizer: PromptTokenizer, layout: PromptFormat) -> list[int]:
    """The hints that fit, first ones first; a token that the model was not trained on is left out."""
    encoded: list[int] = []
    for hint in hints:
        if layout.hint_style == "tokens":
            known = tokenizer.token_id(hint.token)
            tokens = [] if known is None else [known]
        else:
            tokens = tokenizer.encode(("\n" if encoded else "") + _hint_line(hint))
        if len(encoded) + len(tokens) <= HINT_LIMIT:
            encoded += tokens
    return encoded
