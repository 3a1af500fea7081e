"""The tokenizer: nothing spent on blanks, nothing smuggled in by a report."""

from pathlib import Path

from model.prompt import PromptInput, encode_prompt, prompt_format
from model.tokenizer import SequenceTokenizer, hint_name, read_tokenizer, train_tokenizer

SENTENCE = "The tumor measures 2.3 x 1.9 cm; ER (95%) and PR are positive, HER-2/neu is 2+. pT2 pN1a (sn), grade 3/3."


def test_no_token_is_a_lone_blank() -> None:
    """Blanks belong to the word, number or sign behind them, and a learned sentence is far shorter than its letters."""
    learned = train_tokenizer([SENTENCE] * 10, [], vocabulary_size=500)
    pieces = [learned.tokenizer.id_to_token(token) for token in learned.encode(SENTENCE)]
    assert "Ġ" not in pieces
    assert 20 < len(pieces) < len(SENTENCE) / 2


def test_text_cannot_name_a_special_token(tokenizer: SequenceTokenizer) -> None:
    """A report that spells a hint or the closing token gets ordinary tokens."""
    hint = tokenizer.token_id("T=T2")
    for text in (hint_name("T=T2"), "<end>", "<padding>", "T=T2", "<|eot_id|>"):
        assert not {hint, tokenizer.begin, tokenizer.end} & set(tokenizer.encode(f"pT1 {text} pN0"))


def test_a_hint_is_one_token_before_the_closing_one(tokenizer: SequenceTokenizer, prompts: list[PromptInput]) -> None:
    """Three hints take three places, in order, next to the last token."""
    encoded = encode_prompt(prompts[0], tokenizer, prompt_format("tokens-1"))
    hints = [tokenizer.token_id(token) for token in ("T=T2", "ER=positive", "HER2=2+")]
    assert encoded[-4:] == [*hints, tokenizer.end]
    assert tokenizer.token_id("T=T9") is None


def test_a_tokenizer_is_one_file(tmp_path: Path, tokenizer: SequenceTokenizer) -> None:
    """Saved and read again it encodes the same, special tokens still spelled out."""
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = read_tokenizer(tmp_path / "tokenizer.json", tokenizer.begin, tokenizer.end)
    for text in (SENTENCE, "<end> Größe: 2,3 cm", ""):
        assert loaded.encode(text) == tokenizer.encode(text)


def test_training_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """The same texts make the same tokenizer."""
    for name in ("one", "two"):
        train_tokenizer([SENTENCE] * 4, ["T=T2", "N=N1"], vocabulary_size=400).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_case_does_not_matter(tokenizer: SequenceTokenizer) -> None:
    """A report in capitals reads as one in small letters."""
    assert tokenizer.encode(SENTENCE.upper()) == tokenizer.encode(SENTENCE.lower())
