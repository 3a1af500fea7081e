"""A made-up patient and physician, in every spelling that the resource and the text use, and how to find them anywhere."""

import base64
import io
import json
import re
import unicodedata
from typing import Any

from fpdf import FPDF
from generated import amended, case, message, text
from PIL import Image, ImageDraw, ImageFont

EXPANDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
PATIENT = {
    "resourceType": "Patient",
    "id": "zitterbach",
    "identifier": [{"system": "https://north.example/mrn", "value": "0048151623"}],
    "name": [{"family": "Grünzweig-Öttinger", "given": ["Käthchen", "Walburga"]}],
    "gender": "female",
    "birthDate": "1957-11-23",
    "telecom": [{"system": "phone", "value": "+49 171 5550143"}],
    "address": [{"line": ["Quittenstieg 47"], "city": "Pfefferhausen", "postalCode": "84076"}],
}
PHYSICIAN = {
    "resourceType": "Practitioner",
    "id": "doctor",
    "name": [{"family": "Wolkenbrecher", "given": ["Thaddäus"]}],
}
SPELLINGS = (
    "Grünzweig-Öttinger, Käthchen W.",
    "KAETHCHEN GRUENZWEIG-OETTINGER",
    "Mrs. Gruenzweig Oettinger",
    "Walburga Grünzweig",
    "MRN: 0048151623",
    "MRN 48151623",
    "DOB 11/23/1957",
    "born 23.11.1957",
    "born November 23, 1957",
    "Quittenstieg 47, 84076 Pfefferhausen",
    "phone +49 171 5550143",
    "Tel. (0171) 555-0143",
    "Dr. Thaddäus Wolkenbrecher",
    "WOLKENBRECHER",
)
"""As planted in texts, on lines of their own and within the lines that evidence is quoted from."""
NEEDLES = (
    "gruenzweig", "grunzweig", "oettinger", "ottinger", "kaethchen", "kathchen", "walburga", "48151623",
    "19571123", "11231957", "23111957", "november231957", "quittenstieg", "pfefferhausen", "1715550143",
    "wolkenbrecher", "thaddaeus", "thaddaus",
)  # fmt: skip
"""What a canary looks like once case, umlauts, spaces and punctuation are taken out of everything."""
_RUNS = re.compile(r"[^a-z0-9]+")


def squeezed(content: str) -> tuple[str, str]:
    """Lower case, letters and digits only; umlauts once expanded and once bare."""
    lowered = content.lower()
    expanded = unicodedata.normalize("NFC", lowered).translate(EXPANDED)
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(mark))
    return _RUNS.sub("", expanded), _RUNS.sub("", bare)


def canaries_in(content: str | bytes) -> set[str]:
    """The canaries that can be seen in some output, however it is escaped or spelt."""
    plain = content.decode(errors="replace") if isinstance(content, bytes) else content
    seen = {plain, re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), plain)}
    return {needle for form in seen for view in squeezed(form) for needle in NEEDLES if needle in view}


def planted(body: str) -> str:
    """The body with a header, every spelling on a line of its own, and one spelling after each line."""
    lines = [line for line in body.splitlines() if line.strip()]
    woven = [f"{line}  {SPELLINGS[index % len(SPELLINGS)]}" for index, line in enumerate(lines)]
    return "\n".join([*SPELLINGS, *woven, "Electronically signed: Thaddäus Wolkenbrecher, M.D."])


def canary_message(number: int, body: str | None = None, **changes: Any) -> bytes:
    """A Bundle of patient, physician and a report whose text is full of canaries; `number` keeps reports apart."""
    one = case(number)
    versioned = amended(one, **changes) if changes else one
    report = json.loads(message(versioned, planted(text(versioned) if body is None else body)))
    report["subject"] = {"reference": "Patient/zitterbach", "display": "Käthchen Grünzweig-Öttinger"}
    report["performer"] = [{"reference": "Practitioner/doctor", "display": "Dr. Thaddäus Wolkenbrecher"}]
    entries = [
        {"fullUrl": f"https://ehr.example/{item['resourceType']}/{item['id']}", "resource": item}
        for item in (PATIENT, PHYSICIAN, report)
    ]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def with_document(content: bytes, content_type: str) -> bytes:
    """A canary report with another document."""
    bundle = json.loads(canary_message(40))
    form = {"contentType": content_type, "data": base64.b64encode(content).decode(), "title": "Grünzweig-Öttinger.pdf"}
    bundle["entry"][2]["resource"]["presentedForm"] = [form]
    return json.dumps(bundle).encode()


def without(element: str) -> bytes:
    """A canary report that lacks an element."""
    bundle = json.loads(canary_message(48))
    del bundle["entry"][2]["resource"][element]
    return json.dumps(bundle).encode()


def encrypted_pdf() -> bytes:
    """A PDF of canaries that opens with a password."""
    document = FPDF()
    document.set_encryption(owner_password="owner", user_password="user")
    document.set_title("Walburga Gruenzweig")
    document.set_font("Helvetica", size=11)
    document.add_page()
    document.multi_cell(0, 6, "MRN 48151623 Quittenstieg 47")
    return bytes(document.output())


def scan() -> bytes:
    """A page of canaries as a picture, for OCR to read."""
    page = Image.new("L", (1700, 700), 255)
    font = ImageFont.load_default(size=36)
    for row, line in enumerate((*SPELLINGS[5:9], "Left breast: invasive ductal carcinoma, pT2 pN0, ER positive.")):
        ImageDraw.Draw(page).text((60, 60 + 60 * row), line.encode("ascii", "replace").decode(), font=font, fill=0)
    stream = io.BytesIO()
    page.save(stream, "PNG")
    return stream.getvalue()


PENDING = "Left breast, mastectomy: invasive ductal carcinoma, pT2 pN0. Estrogen receptor, progesterone receptor and HER2 are pending."
UNCLEAR = (
    "Left breast, excision: invasive carcinoma. Stage pT2. Stage pT3. ER positive. ER negative. HER2 2+ equivocal."
)
GOOD = (
    canary_message(1),
    canary_message(2),
    canary_message(3, PENDING),
    canary_message(4, UNCLEAR),
    canary_message(5, "Left breast, core biopsy: fibroadenoma. No malignancy."),
    canary_message(1, t="pT3", size="6.1 cm"),
    canary_message(2, status="entered-in-error"),
    with_document(scan(), "image/png"),
    canary_message(3, "ADDENDUM: Left breast: invasive ductal carcinoma. ER: Positive (95%).", status="appended"),
)
BAD = (
    b'{"resourceType": "DiagnosticReport", "subject": "K\xc3\xa4thchen Gr\xc3\xbcnzweig-\xc3\x96ttinger',
    json.dumps(PATIENT).encode(),
    json.dumps({"resourceType": "Grünzweig"}).encode(),
    canary_message(41).replace(b'"final"', '"Grünzweig-Öttinger"'.encode()),
    canary_message(42).replace(b'"issued": "', b'"issued": "Wolkenbrecher '),
    canary_message(43).replace(b"text/plain; charset=utf-8", b"Wolkenbrecher/Thaddaeus"),
    canary_message(44).replace(b'"11526-1"', b'["Wolkenbrecher"]'),
    with_document(b"%PDF-1.7 Walburga Quittenstieg", "application/pdf"),
    with_document("Käthchen Grünzweig".encode("utf-16"), "image/png"),
    with_document(encrypted_pdf(), "application/pdf"),
    without("identifier"),
    without("subject"),
    without("issued"),
    canary_message(46).replace(b'"data": "', b'"data": "*K\xc3\xa4thchen*'),
    with_document(SPELLINGS[0].encode() * 40_000, "text/plain"),
    with_document(b"\x1b\x00" + SPELLINGS[0].encode("utf-16") + b"\x00\xff", "application/octet-stream"),
    json.dumps({"resourceType": "Bundle", "entry": [{"resource": PATIENT}]}).encode(),
    b"[" * 500 + b'"Walburga Quittenstieg"' + b"]" * 500,
    canary_message(45, "Prostate, core biopsies: adenocarcinoma, Gleason 7."),
)
ENCRYPTED = 9
"""Where the encrypted PDF stands among them."""
