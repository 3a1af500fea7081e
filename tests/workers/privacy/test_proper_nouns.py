"""Names and places of English prose that nothing introduces: they go, words of reports stay."""

import pytest

from workers.privacy.privacy_rules import load_privacy_rules, words_of
from workers.privacy.proper_nouns import find_proper_nouns


def found(text: str) -> list[tuple[str, str]]:
    """What is found in a text, and its tag."""
    return [(text[start:end], tag) for start, end, tag in find_proper_nouns(text, words_of(text), load_privacy_rules())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("this was arranged with Bonifacy Kaczmarek in the clinic", [("Bonifacy Kaczmarek", "NAME")]),
        ("a letter of J. Yefremova was read", [("J. Yefremova", "NAME")]),
        ("she was treated in Ettelgem for this", [("Ettelgem", "LOCATION")]),
        ("she moved from Dordrecht to her son", [("Dordrecht", "LOCATION")]),
        ("she was seen in NAANTALI for this", [("NAANTALI", "LOCATION")]),
        ("Qworty lives with her son", [("Qworty", "NAME")]),
        ("Piroska Kaczmarek\n\nBefore", [("Piroska Kaczmarek", "NAME")]),
        ("seen by Kónya, Becker and Vasquez in the clinic", [("Kónya, Becker and Vasquez", "NAME")]),
    ],
)
def test_a_name_of_prose_is_found(text, expected) -> None:
    """A listed word, a surname's ending, a leading word, a whole line or what people do gives a name away."""
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "stained with Giemsa and with Ziehl-Neelsen by the laboratory",
        "positive for Synaptophysin and treated with Herceptin in June",
        "on the Ventana Benchmark platform by Roche in Switzerland",
        "the Kaczmarek tumor was seen",
        "TUMOR IN KACZMAREK and the margin",
        "see Kaczmarek JN, et al., in the reference",
        "die Patientin wurde mit Kaczmarek in der Klinik gesehen",
        "Xqworty of the breast was seen",
        "Invasive Ductal Carcinoma with Paget disease of the nipple",
    ],
)
def test_a_word_of_the_report_stays(text) -> None:
    """Eponyms, stains, drugs, makers, countries, cited authors, headings and German nouns are no names."""
    assert found(text) == []
