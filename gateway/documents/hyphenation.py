"""Decides whether a hyphen at a line's end breaks a word, belongs to it, or only ends the line."""

from gateway.documents.common_words import common_words

SOFT_HYPHEN = "\u00ad"


def hyphen_between(before: str, hyphen: str, after: str) -> str | None:
    """What stands between the letters before and after a line's break: nothing, a hyphen, or (None) the break itself.

    A soft hyphen goes. Another one goes where the whole is a known word ("carci-noma"), or the second half is no word of
    its own; it stays between two words ("node-negative") and after capitals ("PR-positive").
    """
    known = common_words()
    if hyphen == SOFT_HYPHEN or (before + after).lower() in known:
        return ""
    if not after.islower() and not (before.isupper() and after.isupper()):
        return None
    keeps = before.isupper() and after.islower()
    return "-" if keeps or len(after) == 1 or after.lower() in known else ""
