"""Prompts: byte-stable blocks, and what is cut when they do not fit."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.prompt import (
    FORMATS,
    HINT_LIMIT,
    TOKEN_LIMIT,
    Hint,
    PromptInput,
    encode_prompt,
    prompt_format,
    tidy_text,
)
from schemas.errors import Code, SynopticError

GOLDEN = Path(__file__).parent / "golden"
OPENING, CLOSING = -1, -2


class LetterTokenizer:
    """A tokenizer of one token a letter, and one a hint, which makes every count plain."""

    begin: int | None = OPENING
    end: int | None = CLOSING

    def encode(self, text: str) -> list[int]:
        """Code points."""
        return [ord(letter) for letter in text]

    def token_id(self, token: str) -> int | None:
        """A negative id for every hint but the unknown one."""
        return None if token == "unknown" else -100 - len(token)


def decode(tokens: list[int], hints: Sequence[Hint] = ()) -> str:
    """The letters of what `LetterTokenizer` encoded, and these hints in square brackets where they are tokens."""
    marks = {LetterTokenizer().token_id(hint.token): f"[{hint.token}]" for hint in hints}
    return "".join(chr(token) if token >= 0 else marks.get(token, "") for token in tokens)


def golden_cases(prompts: list[PromptInput]) -> dict[str, tuple[PromptInput, str]]:
    """Each golden file's prompt and version."""
    whole = prompts[0]
    single = dataclasses.replace(whole, field="HER2", classes={"HER2": whole.classes["HER2"]})
    return {
        "per_report_text.txt": (whole, "text-1"),
        "per_report_tokens.txt": (whole, "tokens-1"),
        "per_task_text.txt": (single, "text-1"),
        "empty_text.txt": (prompts[1], "text-1"),
    }


def test_every_golden_prompt_is_kept_byte_for_byte(prompts: list[PromptInput]) -> None:
    """Between the opening and the closing token stand exactly what tests/model/golden holds; no golden file is left over."""
    cases = golden_cases(prompts)
    assert {path.name for path in GOLDEN.iterdir()} == cases.keys()
    for name, (prompt, version) in cases.items():
        tokens = encode_prompt(prompt, LetterTokenizer(), prompt_format(version))
        assert (tokens[0], tokens[-1]) == (OPENING, CLOSING)
        assert decode(tokens, prompt.hints).encode() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("version", FORMATS)
def test_a_long_report_is_cut_and_nothing_else(prompts: list[PromptInput], version: str) -> None:
    """Past 512 tokens the report's end goes; hints and the closing token stay."""
    layout = prompt_format(version)
    long = dataclasses.replace(prompts[0], report="carcinoma " * 500)
    tokens = encode_prompt(long, LetterTokenizer(), layout)
    short = encode_prompt(dataclasses.replace(long, report=""), LetterTokenizer(), layout)
    head = 1 + decode(short).index("Report: ") + len("Report: ")
    assert len(tokens) == TOKEN_LIMIT
    assert tokens[:head] == short[:head]
    assert tokens[-(len(short) - head) :] == short[head:]
    assert set(decode(tokens[head : head + 50])) <= set("carcinoma ")


def test_hints_go_by_priority_within_their_limit() -> None:
    """Hints past 160 tokens are left out, later ones first; a short one may still fit behind a long one."""
    hints = (Hint("T", "x" * 100, "T=T2"), Hint("N", "y" * 100, "N=N1"), Hint("ER", "positive", "ER=positive"))
    text = decode(encode_prompt(PromptInput("T", {"T": ("T1",)}, "", hints), LetterTokenizer(), FORMATS["text-1"]))
    assert text.endswith(f"\nHints:\nT: {'x' * 100}\nER: positive")
    many = PromptInput("all", {"T": ("T1",)}, "", (Hint("T", "pT2", "T=T2"),) * 400)
    tokens = encode_prompt(many, LetterTokenizer(), FORMATS["tokens-1"])
    assert tokens.count(-104) == HINT_LIMIT


def test_an_unknown_hint_token_is_left_out() -> None:
    """A token that the model was not trained on adds nothing, rather than noise."""
    known, unknown = Hint("T", "pT2", "T=T2"), Hint("T", "pT9", "unknown")
    prompt = PromptInput("all", {"T": ("T1",)}, "", (unknown, known))
    layout = FORMATS["tokens-1"]
    without = dataclasses.replace(prompt, hints=(known,))
    assert encode_prompt(prompt, LetterTokenizer(), layout) == encode_prompt(without, LetterTokenizer(), layout)


def test_a_label_set_that_fills_the_prompt_is_refused() -> None:
    """Classes that leave no room are SYN-308: they are never cut."""
    classes = {"T": tuple(f"class-{number}" for number in range(100))}
    with pytest.raises(SynopticError) as caught:
        encode_prompt(PromptInput("T", classes, "", ()), LetterTokenizer(), FORMATS["text-1"])
    assert caught.value.code is Code.PROMPT_TOO_LONG


def test_an_unknown_prompt_version_is_refused() -> None:
    """A version of another release is SYN-306."""
    with pytest.raises(SynopticError) as caught:
        prompt_format("text-0")
    assert caught.value.code is Code.UNKNOWN_PROMPT_VERSION


def test_prompts_do_not_show_patient_text(prompts: list[PromptInput]) -> None:
    """The repr of a prompt and of a hint holds no report text."""
    assert "carcinoma" not in repr(prompts[0])
    assert "95%" not in repr(prompts[0].hints[1])


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=" \t\n\r\xa0aZ1.", max_size=80))
def test_tidy_text_keeps_words_and_drops_layout(text: str) -> None:
    """No two blanks meet, no line is empty, and the words are the same ones."""
    tidy = tidy_text(text)
    assert tidy.split() == text.split()
    assert not any(pair in tidy for pair in ("  ", "\n\n", " \n", "\n ", "\t"))
    assert tidy_text(tidy) == tidy


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=900), st.lists(st.text(max_size=90), max_size=12), st.sampled_from(sorted(FORMATS)))
def test_no_prompt_exceeds_the_limit(report: str, texts: list[str], version: str) -> None:
    """Whatever the report and its hints hold, the prompt fits and closes."""
    hints = tuple(Hint("ER", text, "ER=positive") for text in texts)
    tokens = encode_prompt(PromptInput("all", {"T": ("T1",)}, report, hints), LetterTokenizer(), FORMATS[version])
    assert len(tokens) <= TOKEN_LIMIT
    assert tokens[-1] == CLOSING
