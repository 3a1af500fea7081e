"""What becomes of two forms of one report: refused though they state the same, or taken though they do not.

    .venv/bin/python benchmarks/forms.py pathology_train.jsonl [--reports 60] [--except HOSPITAL,…]

Beside each breast report stands a second form: the same laid out as a PDF in the four ways of layout.py, or worded anew
(spelling, units, numerals, abbreviations, other line breaks, heads of pages), chosen by a fixed seed. Then one fact of the
worded form is changed, and the pair must be refused.
"""

import argparse
import base64
import json
import random
import re
from collections import Counter
from contextlib import closing
from pathlib import Path

from character_error import plain
from layout import LAYOUTS, rows_of

from gateway.intake import Intake
from schemas.errors import Code, SynopticError
from schemas.settings import Settings

_REWORDINGS = {
    r"\btumor": "tumour",
    r"\bTumor": "Tumour",
    r"(\d)\s?%": r"\1 percent",
    r"\bER\b": "estrogen receptor",
    r"\bPR\b": "progesterone receptor",
    r"\b[Ee]strogen receptors?\b": "ER",
    r"\b[Pp]rogesterone receptors?\b": "PR",
    r"\bpositive\b": "pos.",
    r"\bnegative\b": "neg.",
    r"\b([Gg])rade 3\b": r"\1rade III",
    r"\b([Gg])rade 2\b": r"\1rade II",
    r"\b([Gg])rade III\b": r"\1rade 3",
    r"\b([Gg])rade II\b": r"\1rade 2",
    r"\binvasive\b": "infiltrating",
    r"\bidentified\b": "seen",
    r"\bmeasuring\b": "which measures",
    r"\blymph nodes?\b": "nodes",
}
_CENTIMETRES = re.compile(r"(?<![xX\d.] )(?<![\d.])\b(\d\.\d) ?cm\b(?! ?[xX])")
_CHANGES = {
    "status": (r"\bpositive\b(?= ?\(|[.,;]| for)", "negative"),
    "side": (r"\b[Ll]eft\b", "right"),
    "T": (r"\bpT2", "pT1c"),
    "grade": (r"\b[Gg]rade (?:III|3)\b", "grade 1"),
    "percentage": (r"\b[5-9]\d ?%", "5%"),
    "size": (r"(?<!x )\b\d\.\d ?cm\b(?! ?x)", "9.9 cm"),
}
_WORDS_A_LINE, _LINES_A_PAGE = 11, 20
_KEPT, _MARK = "\x01", "\x00"


def worded_anew(text: str, seed: int) -> str:
    """The same in other words, on other lines; the same seed words it the same."""
    chance = random.Random(seed)  # noqa: S311 (a sample, no secret)
    for pattern, by in _REWORDINGS.items():
        if chance.random() < 0.7:  # what was put in is marked, so that no other rewording finds it
            text = re.sub(pattern, lambda match, by=by: f"{_MARK}{match.expand(by).replace(' ', _KEPT)}{_MARK}", text)
    text = text.replace(_MARK, "").replace(_KEPT, " ")
    if chance.random() < 0.5:
        text = _CENTIMETRES.sub(lambda match: f"{float(match[1]) * 10:g} mm", text)
    words = text.split()
    lines = [" ".join(words[at : at + _WORDS_A_LINE]) for at in range(0, len(words), _WORDS_A_LINE)]
    for at in range(_LINES_A_PAGE, len(lines), _LINES_A_PAGE):
        lines[at] = f"Mercy Hospital   Page {at // _LINES_A_PAGE + 1}\nPatient: DOE, J   MRN 00123456\n{lines[at]}"
    return "\n".join(lines)


def is_refused(intake: Intake, *forms: tuple[bytes, str]) -> bool:
    """Whether a report of these forms (bytes and content type) is SYN-133."""
    resource = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "identifier": [{"system": "urn:benchmark", "value": "1"}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "60568-3"}]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2024-05-02",
        "issued": "2024-05-02T08:00:00Z",
        "presentedForm": [
            {"contentType": content_type, "data": base64.b64encode(content).decode()} for content, content_type in forms
        ],
    }
    try:
        intake.read(json.dumps(resource).encode())
    except SynopticError as error:
        if error.code is not Code.FORMS_CONTRADICT:
            raise
        return True
    return False


def main() -> None:
    """Print a row a kind of second form: how many were refused of how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports_file", type=Path)
    parser.add_argument("--reports", type=int, default=60)
    parser.add_argument("--except", dest="left_out", default="", help="hospitals, separated by commas")
    arguments = parser.parse_args()
    left_out = set(arguments.left_out.split(","))
    rows = [row for row in rows_of(arguments.reports_file) if row.get("cancer_type") == "BRCA"]
    chosen = [row["text"] for row in rows if row["site"] not in left_out][: arguments.reports]
    refused, pairs = Counter[str](), Counter[str]()
    with closing(Intake(Settings())) as intake:
        for seed, raw in enumerate(chosen):
            text = plain(raw.encode("latin-1", "replace").decode("latin-1"))
            others = {f"same, {name}": (draw(text), "application/pdf") for name, draw in LAYOUTS.items()}
            others["same, worded anew"] = (worded_anew(text, seed).encode(), "text/plain")
            for name, (pattern, by) in _CHANGES.items():
                if re.search(pattern, text):
                    changed = worded_anew(re.sub(pattern, by, text, count=1), seed)
                    others[f"other {name}"] = (changed.encode(), "text/plain")
            for name, other in others.items():
                pairs[name] += 1
                refused[name] += is_refused(intake, (text.encode(), "text/plain"), other)
    for name, count in pairs.items():
        print(name, f"{refused[name]} of {count} refused", sep="\t")


if __name__ == "__main__":
    main()
