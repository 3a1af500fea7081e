"""Names and places of prose by a small learned tagger, a linear-chain CRF: it only adds to what rules and lists find.

`synoptic deid train` makes the model, which lies beside the vocabulary with its digest. A word of reports or of the clinic
is never removed for the tagger's sake, nor is one that misreads such a word; German writes every noun as a name, so that
only English text is looked at.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock

from pycrfsuite import Tagger

from schemas.errors import Code, SynopticError
from schemas.privacy_vocabulary import VOCABULARY_FILE
from workers.privacy.offsets import fold
from workers.privacy.privacy_rules import PrivacyRules, Word
from workers.privacy.sentence_language import GermanSentences
from workers.privacy.spans import Span, subtract
from workers.privacy.tagger_features import Features, Token, stretches, tokens_of

MODEL_FILE = VOCABULARY_FILE.parent / "name_tagger.crfsuite"
DIGEST_SUFFIX = ".sha256"
OUTSIDE = "O"
ORGANISATION = "ORGANISATION"
"""What the tagger knows apart so as to leave it alone: Safe Harbor names no companies."""
_GOES_ON = "I-"
_TAG_AT = 2
_FOUND = frozenset(["NAME", "LOCATION", "CONTACT"])
_SURELY_NOTHING, _SURELY_NOTHING_IN_PROSE = 0.8, 0.98
_TECHNICAL_SHARE = 0.03
_LEAST_DIGITS = 7
_LEAST_CODE = 3
_SHORT = 2
_BETWEEN = re.compile(r"[\W_]{1,8}")
_LONG_WORD = re.compile(r"[^\W\d_]{3,}")
_WHOLE_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?!\w)")
_TAGGED = re.compile(r"\[[A-Z]{2,9}(?: \d{1,4})?\]")
_WORDY = re.compile(r"[^\W\d_]")


class LearnedTagger:
    """The model, loaded once; several threads may ask it."""

    def __init__(self, model: bytes, rules: PrivacyRules) -> None:
        self._rules = rules
        self._features = Features(rules)
        self._tagger = Tagger()
        self._model = model  # the library reads it where it lies
        self._tagger.open_inmemory(model)
        self._labels: list[str] = [label for label in self._tagger.labels() if label != OUTSIDE]
        self._lock = Lock()

    def spans(self, text: str, surely_nothing: float = _SURELY_NOTHING) -> list[Span]:
        """What the model takes for an identifier, or for an organisation, unless it is as sure as that of its being nothing."""
        found: list[Span] = []
        for stretch in stretches(tokens_of(text), self._rules):
            before = OUTSIDE
            for token, label in zip(stretch, self._decided(stretch, surely_nothing), strict=True):
                if label.startswith(_GOES_ON) and before != OUTSIDE and before[_TAG_AT:] == label[_TAG_AT:]:
                    found[-1] = found[-1][0], token.end, found[-1][2]
                elif label != OUTSIDE:
                    found.append((token.start, token.end, label[_TAG_AT:]))
                before = label
        return found

    def _decided(self, stretch: Sequence[Token], surely_nothing: float) -> list[str]:
        """A label for each token: nothing only where that is sure enough, else the likeliest of the others."""
        with self._lock:
            self._tagger.set(self._features.of(stretch))
            return [self._likeliest(place, surely_nothing) for place in range(len(stretch))]

    def _likeliest(self, place: int, surely_nothing: float) -> str:
        if self._tagger.marginal(OUTSIDE, place) >= surely_nothing:
            return OUTSIDE
        likeliest: str = max(self._labels, key=lambda label: self._tagger.marginal(label, place))
        return likeliest


@cache
def load_tagger(rules: PrivacyRules, path: Path = MODEL_FILE) -> LearnedTagger:
    """The shipped tagger; SYN-602 where its bytes are not those of the digest beside it."""
    model = path.read_bytes()
    digest = path.with_name(path.name + DIGEST_SUFFIX).read_text(encoding="ascii").split()[0]
    if sha256(model).hexdigest() != digest:
        raise SynopticError(Code.BAD_PACK, f"{path.name}: its digest is not {digest}")
    return LearnedTagger(model, rules)


def find_learned(text: str, words: Sequence[Word], rules: PrivacyRules) -> list[Span]:
    """The names, places and telephone numbers that the tagger takes for such in sentences that are not German.

    Where not one small word says that a text is English, as in a form, a single word is no name for the tagger's sake.
    """
    german = GermanSentences.of(text, words, rules)
    if german.all:
        return []
    sure = _SURELY_NOTHING if _of_clinic(text, words, rules) else _SURELY_NOTHING_IN_PROSE
    found = [span for span in load_tagger(rules).spans(text, sure) if span[2] in _FOUND and not german.hold(span[0])]
    if any(word.key in rules.english_words for word in words):
        return found
    return [span for span in found if len(_LONG_WORD.findall(text, *span[:2])) > 1]


def _of_clinic(text: str, words: Sequence[Word], rules: PrivacyRules) -> bool:
    """True where one word of 33 is technical, as in every report; and for a text that has been de-identified already."""
    written = [word for word in words if word.end - word.start > _SHORT]
    technical = sum(word.key in rules.technical_words and not text[word.start : word.end].istitle() for word in written)
    return technical >= _TECHNICAL_SHARE * len(written) or _TAGGED.search(text) is not None


def worth_removing(
    text: str, learned: Sequence[Span], removed: Sequence[tuple[int, int]], rules: PrivacyRules
) -> list[Span]:
    """What rules and lists left of the tagger's spans (both sorted, apart), as far as it is more than words of reports.

    Of an address that they found a part of its numbers go too, and of one that holds a number the words between; of a
    name that they found a part of, the others.
    """
    runs = _runs(text, learned)
    starts = [run[0][0] for run in runs]
    left: list[list[Span]] = [[] for _ in runs]
    for span in subtract(learned, removed):
        left[bisect_right(starts, span[0]) - 1].append(span)
    return [span for run, rest in zip(runs, left, strict=True) for span in _worth(text, run, rest, rules)]


def _worth(text: str, run: Sequence[Span], rest: Sequence[Span], rules: PrivacyRules) -> list[Span]:
    """What is left of one run, as far as it goes."""
    begun = rest != run
    counted = [span for span in rest if _counts(text, span, rules)]
    tag = run[0][2]
    if tag == "NAME" and begun:
        return [span for span in rest if span in counted or _completes(text, span, rules)]
    if tag != "LOCATION":
        return counted
    if not begun and not any(_WORDY.search(text, *span[:2]) for span in counted):
        return []
    numbered = any(map(str.isdigit, text[run[0][0] : run[-1][1]]))
    return [span for span in rest if span in counted or (numbered and _goes_on(text, span, rules))]


def _runs(text: str, learned: Sequence[Span]) -> list[list[Span]]:
    """Places with nothing but a few signs between them are one address, anything else stands alone."""
    runs: list[list[Span]] = []
    for span in learned:
        last = runs[-1][-1] if runs else span
        if last[2] == span[2] == "LOCATION" and _BETWEEN.fullmatch(text, last[1], span[0]):
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


def _goes_on(text: str, span: Span, rules: PrivacyRules) -> bool:
    """True for what holds no word of the clinic, small words and those with a capital (New Zealand) aside."""
    words = _WHOLE_WORD.findall(text, *span[:2])
    return not any(word in rules.never_names and word not in rules.english_words for word in words)


def _completes(text: str, span: Span, rules: PrivacyRules) -> bool:
    """True for words with a capital, none of them one of the clinic: "Key" after a given name."""
    words = _WHOLE_WORD.findall(text, *span[:2])
    names = all(word.istitle() and word.lower() not in rules.never_names for word in words)
    return bool(words) and names and not rules.eponym_heads.match(text, span[1])


def _counts(text: str, span: Span, rules: PrivacyRules) -> bool:
    """False for words of reports and of the clinic alone, for a disease's name, and for a number that is none of a telephone."""
    found = text[span[0] : span[1]]
    if span[2] == "CONTACT":
        return sum(map(str.isdigit, found)) >= _LEAST_DIGITS
    words = _WHOLE_WORD.findall(found)
    if not words:
        return len(found) >= _LEAST_CODE and not _WORDY.search(found)
    return not rules.eponym_heads.match(text, span[1]) and any(_may_name(word, rules) for word in words)


def _may_name(word: str, rules: PrivacyRules) -> bool:
    """True for a listed name with a capital, and for a word that is and misreads none of reports."""
    key = fold(word, rules.vocabulary.confusables).text
    if word.islower() and key in rules.prose_words:
        return key in rules.all_names
    if key in rules.never_names or key in rules.labels or key in rules.german_words:
        return False
    if key in rules.report_words:
        return word.istitle() and key in rules.all_names
    return word.lower() in rules.all_names or not rules.misreads_report_word(key)
