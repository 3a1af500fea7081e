"""Check digits of codes: Verhoeff for SNOMED CT identifiers, modulus 10 for LOINC numbers."""

_VERHOEFF_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_VERHOEFF_PRODUCT = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_LOINC_EXEMPT = ("LA", "LP")


def is_snomed_identifier(code: str) -> bool:
    """True where `code` is 6 to 18 digits whose last one is the Verhoeff check digit of the others."""
    if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 18) or code.startswith("0"):
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        permuted = int(digit)
        for _ in range(place % 8):
            permuted = _VERHOEFF_PERMUTATION[permuted]
        check = _VERHOEFF_PRODUCT[check][permuted]
    return check == 0


def is_loinc_number(code: str) -> bool:
    """True where `code` is a LOINC number with a right check digit; answers (LA) and parts (LP) carry another scheme."""
    if code.startswith(_LOINC_EXEMPT):
        return True
    number, separator, check = code.partition("-")
    if not (separator and code.isascii() and number.isdigit() and check.isdigit() and len(check) == 1):
        return False
    total = sum(_doubled(int(digit)) if place % 2 == 0 else int(digit) for place, digit in enumerate(reversed(number)))
    return (10 - total % 10) % 10 == int(check)


def _doubled(digit: int) -> int:
    return 2 * digit if digit < 5 else 2 * digit - 9
