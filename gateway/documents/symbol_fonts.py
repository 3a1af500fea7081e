"""What the letters of fonts of symbols look like: Word writes "≥" as a "³" in Symbol, and a ticked box as a "þ" in Wingdings."""

from collections.abc import Mapping
from functools import lru_cache

_SYMBOL = dict(zip(b"\xa3\xb3\xb1\xb4\xb0\xb7\xb9\xbb\xac\xae\xde\xa5\xceDabgdmn", "≤≥±×°•≠≈←→⇒∞∈Δαβγδμν", strict=True))
_WINGDINGS = dict(zip(b"\xa8oqrx\xfe\xfd\xfc\xfbnlv\xa7\xd8\xdf\xe0\xe8", "☐☐☐☐☒☑☒✓✗■●❖▪➢←→➔", strict=True))
_WINGDINGS_2 = dict(zip(b"\xa3RSTQPO", "☐☑☒☒☒✓✗", strict=True))
_TABLES = {"symbol": _SYMBOL, "wingdings": _WINGDINGS, "wingdings2": _WINGDINGS_2}
_PRIVATE_USE = 0xF000  # where Unicode keeps the bytes of such a font


@lru_cache(maxsize=256)
def symbols_of(font: str) -> Mapping[int, str] | None:
    """The signs of a font by their codes, its name as documents write it; None for a font of letters."""
    name = font.rpartition("+")[2].lower().replace(" ", "").removesuffix("mt").removesuffix("-regular")
    table = _TABLES.get(name)
    return table and table | {_PRIVATE_USE + code: sign for code, sign in table.items()}
