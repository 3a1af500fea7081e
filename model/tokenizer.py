"""Tokenizers as one file (tokenizer.json): the wrapper that prompts use, and the training of a small one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

BEGIN, END, PADDING = "<begin>", "<end>", "<padding>"
HINT_OPEN, HINT_CLOSE = "<hint:", ">"
# A word keeps the blank before it and digits go by threes, so that no token is ever spent on a lone blank.
_WORDS = r" ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"


@dataclass(frozen=True)
class SequenceTokenizer:
    """A tokenizer with the ids that open and close a sequence."""

    tokenizer: Tokenizer
    begin: int | None
    end: int | None

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; a special token's name within it is spelled out."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def token_id(self, token: str) -> int | None:
        """The id of a hint's special token, or None where the tokenizer has none of that name."""
        found: int | None = self.tokenizer.token_to_id(hint_name(token))
        return found

    def save(self, path: Path) -> None:
        """Write tokenizer.json."""
        self.tokenizer.save(str(path))


def hint_name(token: str) -> str:
    """A hint's token as the vocabulary holds it: no text of a report looks like it by chance."""
    return f"{HINT_OPEN}{token}{HINT_CLOSE}"


def read_tokenizer(path: Path, begin: int | None, end: int | None) -> SequenceTokenizer:
    """Read tokenizer.json; `begin` and `end` come from the backbone's configuration."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return SequenceTokenizer(tokenizer, begin, end)


def train_tokenizer(texts: Iterable[str], hint_tokens: Sequence[str], vocabulary_size: int) -> SequenceTokenizer:
    """A byte-level BPE tokenizer in lower case, with each hint as one special token."""
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    names = [PADDING, BEGIN, END, *(hint_name(token) for token in hint_tokens)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in names],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.encode_special_tokens = True
    return SequenceTokenizer(tokenizer, tokenizer.token_to_id(BEGIN), tokenizer.token_to_id(END))
