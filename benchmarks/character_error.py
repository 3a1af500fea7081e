"""Character error rate: the edit distance between two texts, by Myers' bit-parallel algorithm (1999)."""


def edit_distance(read: str, truth: str) -> int:
    """How many characters must be put in, taken out or changed to make one text the other."""
    if not truth:
        return len(read)
    places: dict[str, int] = {}
    for at, character in enumerate(truth):
        places[character] = places.get(character, 0) | 1 << at
    every, last = (1 << len(truth)) - 1, 1 << len(truth) - 1
    plus, minus, distance = every, 0, len(truth)
    for character in read:
        here = places.get(character, 0)
        diagonal = (((here & plus) + plus) ^ plus) | here | minus
        up, down = minus | ~(diagonal | plus), plus & diagonal
        distance += bool(up & last) - bool(down & last)
        up = up << 1 | 1
        plus, minus = (down << 1 | ~(diagonal | up)) & every, up & diagonal & every
    return distance


def plain(text: str) -> str:
    """The text with each stretch of white space as one space: line breaks are the layout's, not the report's."""
    return " ".join(text.split())
