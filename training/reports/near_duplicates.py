"""Finds texts that are copies of one template: MinHash over runs of words, compared within buckets of equal bands.

Numbers count as one word, so that a synoptic form filled in for two patients is one template. The signatures (256
bytes a text) are all that is held of a text. After Broder (1997); the same texts give the same groups.
"""

import re
import zlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Signature = NDArray[numpy.uint32]

HASHES = 64
BAND = 4
"""Hashes a band: texts with one equal band of 16 are compared; at a similarity of 0.7 all but 1 % of pairs have one."""
RUN = 3
"""Words a shingle."""
_WORD = re.compile(r"[^\W\d_]+|\d[\d.,/x-]*")
_PRIME = (1 << 31) - 1


def normalised(text: str) -> str:
    """The text as its template: lower case, numbers as #, nothing but words."""
    return " ".join("#" if word[0].isdigit() else word for word in _WORD.findall(text.lower()))


def shingles(text: str, run: int = RUN) -> set[str]:
    """Every run of words of the template; a text of fewer words is one shingle."""
    words = normalised(text).split()
    return {" ".join(words[start : start + run]) for start in range(max(1, len(words) - run + 1))}


def signature(text: str, run: int = RUN) -> "Signature":
    """The text's MinHash signature: shape (HASHES,)."""
    import numpy

    hashes = numpy.fromiter((zlib.crc32(shingle.encode()) & _PRIME for shingle in shingles(text, run)), numpy.uint64)
    factors, offsets = _coefficients()
    mixed = (hashes[:, None] * factors + offsets) % numpy.uint64(_PRIME)
    least: Signature = mixed.min(axis=0).astype(numpy.uint32)
    return least


def near_duplicates(
    signatures: "Sequence[Signature] | NDArray[numpy.uint32]", similarity: float = 0.7
) -> Iterator[tuple[int, int]]:
    """Pairs of positions whose estimated Jaccard similarity is at least this; enough pairs to join each group.

    Of a bucket, each text is compared with the ones before it that no other of them resembles.
    """
    least = similarity * HASHES
    for first in range(0, HASHES, BAND):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for position, one in enumerate(signatures):
            leaders = buckets[one[first : first + BAND].tobytes()]
            like = next((leader for leader in leaders if (signatures[leader] == one).sum() >= least), None)
            if like is None:
                leaders.append(position)
            else:
                yield like, position


class Groups:
    """Joins what must stay together; each group is known by its first member."""

    def __init__(self) -> None:
        self._above: dict[Hashable, Hashable] = {}

    def join(self, members: Iterable[Hashable]) -> None:
        """Put all members, and whatever each was joined to before, in one group."""
        first: Hashable | None = None
        for member in members:
            top = self.of(member)
            if first is None:
                first = top
            self._above[top] = first

    def of(self, member: Hashable) -> Hashable:
        """The member that stands for the group."""
        path = []
        while (above := self._above.setdefault(member, member)) != member:
            path.append(member)
            member = above
        self._above.update(dict.fromkeys(path, member))
        return member


def _coefficients() -> "tuple[NDArray[numpy.uint64], NDArray[numpy.uint64]]":
    """The hash functions x -> (a x + b) mod p, the same in every run."""
    import numpy

    drawn = numpy.random.Generator(numpy.random.PCG64(1)).integers(1, _PRIME, size=(2, HASHES), dtype=numpy.uint64)
    return drawn[0], drawn[1]
