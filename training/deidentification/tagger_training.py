"""Trains the tagger of names and places (workers/privacy/learned_names.py) and writes it with its digest.

Three of four examples are described by lists that lack a part of their names, and a few words of reports: so the tagger
learns to know names that no list has, and new words of reports, by their surroundings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from pycrfsuite import Trainer

from schemas.privacy_vocabulary import GivenNames
from training.deidentification.tagger_examples import Example
from workers.privacy.learned_names import DIGEST_SUFFIX, OUTSIDE
from workers.privacy.privacy_rules import PrivacyRules, load_privacy_rules
from workers.privacy.spans import Span
from workers.privacy.tagger_features import Features, Token, stretches, tokens_of

FORGOTTEN_NAMES = (0.0, 0.5, 0.7, 0.9)
"""What share of the listed names the describers of examples lack, in turns."""
_FORGOTTEN_WORDS = 0.03
_SETTINGS = {"c1": 0.1, "c2": 0.02, "max_iterations": 70, "feature.minfreq": 3}


def train_tagger(examples: Iterable[Example], path: Path) -> int:
    """Write the model to the path and its digest beside it; gives how many words and signs it has learned from."""
    describers = [_forgetful(load_privacy_rules(), share) for share in FORGOTTEN_NAMES]
    features = [Features(rules) for rules in describers]
    trainer = Trainer("lbfgs", _SETTINGS, verbose=False)
    learned = 0
    for number, example in enumerate(examples):
        turn = number % len(describers)
        for stretch in stretches(tokens_of(example.text), describers[turn]):
            trainer.append(features[turn].of(stretch), labels_of(stretch, example.spans))
            learned += len(stretch)
    trainer.train(str(path))
    digest = sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + DIGEST_SUFFIX).write_text(f"{digest}  {path.name}\n", encoding="ascii")
    return learned


def labels_of(stretch: Sequence[Token], spans: Sequence[Span]) -> list[str]:
    """A label for each token: the span's tag, told whether it begins or goes on there."""
    labels: list[str] = []
    near = [span for span in spans if span[0] < stretch[-1].end and stretch[0].start < span[1]]
    for token in stretch:
        inside = next((span for span in near if span[0] < token.end and token.start < span[1]), None)
        labels.append(OUTSIDE if inside is None else f"{'B' if token.start <= inside[0] else 'I'}-{inside[2]}")
    return labels


def _forgetful(rules: PrivacyRules, share: float) -> PrivacyRules:
    """The rules without a part of their names and words, the same part for the same share."""
    if not share:
        return rules

    def left(words: frozenset[str], part: float) -> frozenset[str]:
        return frozenset(word for word in words if crc32(f"{share} {word}".encode()) % 1000 >= part * 1000)

    given = GivenNames(*(left(names, share) for names in rules.given_names))
    reports, prose = (left(words, _FORGOTTEN_WORDS) for words in (rules.report_words, rules.prose_words))
    listed = left(rules.listed_names, share)
    return replace(rules, given_names=given, listed_names=listed, report_words=reports, prose_words=prose)
