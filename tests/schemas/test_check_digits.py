"""Check digits of every code that the breast pack ships, and of codes known to be wrong."""

import pytest

from schemas.check_digits import is_loinc_number, is_snomed_identifier
from schemas.mapping_faults import LOINC, SNOMED
from schemas.pack_loader import load_pack

SHIPPED = [(location, coding) for location, coding in load_pack("breast").mapping.shipped_codings()]


def test_every_shipped_snomed_code_passes_verhoeff() -> None:
    """More than a hundred of them."""
    codes = [coding.code for _, coding in SHIPPED if coding.system == SNOMED]
    assert len(codes) > 100
    assert [code for code in codes if not is_snomed_identifier(code)] == []


def test_every_shipped_loinc_number_passes_modulus_ten() -> None:
    """LA answer codes are exempt."""
    codes = [coding.code for _, coding in SHIPPED if coding.system == LOINC]
    assert len(codes) >= 19
    assert [code for code in codes if not is_loinc_number(code)] == []


@pytest.mark.parametrize("code", ["1222593007", "1228938007", "443451005", "25483700", "", "254837OO9", "025483009"])
def test_wrong_snomed_codes_are_refused(code: str) -> None:
    """Codes that circulate in public repositories fail, as does a typing error."""
    assert not is_snomed_identifier(code)


@pytest.mark.parametrize("code", ["85337-5", "85337", "8533-74", "85337-44", "x-1", ""])
def test_wrong_loinc_numbers_are_refused(code: str) -> None:
    """A wrong or missing check digit is no LOINC number."""
    assert not is_loinc_number(code)


@pytest.mark.parametrize("place", range(9))
def test_one_wrong_digit_is_always_found(place: int) -> None:
    """Verhoeff finds every single error."""
    code = "254837009"
    changed = code[:place] + str((int(code[place]) + 1) % 10) + code[place + 1 :]
    assert not is_snomed_identifier(changed)
