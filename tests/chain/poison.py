"""Messages that can never succeed, each with the number under which it is rejected."""

import base64
import json
from typing import Any

from fpdf import FPDF
from generated import case, message

ATTACHMENT_LIMIT = 20_000
"""What the tests allow an attachment, in bytes."""


def changed(**changes: Any) -> bytes:
    """A good report with elements replaced; None takes one away."""
    resource = json.loads(message(case(900))) | changes
    return json.dumps({key: value for key, value in resource.items() if value is not None}).encode()


def with_attachment(content: bytes, content_type: str) -> bytes:
    """A good report whose only document is this one."""
    return changed(presentedForm=[{"contentType": content_type, "data": base64.b64encode(content).decode()}])


def encrypted_pdf() -> bytes:
    """A PDF that opens with a password."""
    document = FPDF()
    document.set_encryption(owner_password="owner", user_password="user")
    document.set_font("Helvetica", size=11)
    document.add_page()
    document.cell(0, 6, "Left breast, mastectomy: invasive ductal carcinoma")
    return bytes(document.output())


def nested(depth: int) -> bytes:
    """A report with extensions within extensions, written out as nothing but brackets would not be a report."""
    opening, closing = '{"url": "urn:deep", "extension": [', "]}"
    inner = f'{opening * depth}{{"url": "urn:deep", "valueString": "end"}}{closing * depth}'
    return changed(extension="DEEP").replace(b'"DEEP"', f"[{inner}]".encode())


POISON: dict[str, tuple[bytes, str]] = {
    "not JSON": (b'{"resourceType": "DiagnosticReport", ', "SYN-101"),
    "no bytes": (b"", "SYN-101"),
    "not UTF-8": (b"\xff\xfe\x00", "SYN-101"),
    "wrong resource": (json.dumps({"resourceType": "Patient", "id": "p"}).encode(), "SYN-102"),
    "no resource": (b"[1, 2, 3]", "SYN-102"),
    "Bundle without a report": (json.dumps({"resourceType": "Bundle", "type": "collection"}).encode(), "SYN-102"),
    "not FHIR": (changed(issued="yesterday"), "SYN-104"),
    "missing subject": (changed(subject=None), "SYN-105"),
    "missing identifier": (changed(identifier=None), "SYN-106"),
    "unknown status": (changed(status="unknown"), "SYN-108"),
    "no instant": (changed(issued=None), "SYN-109"),
    "empty text": (with_attachment(b" \n\t ", "text/plain"), "SYN-110"),
    "no document": (changed(presentedForm=None), "SYN-110"),
    "oversized base64": (with_attachment(b"Left breast. " * ATTACHMENT_LIMIT, "text/plain"), "SYN-112"),
    "not base64": (changed(presentedForm=[{"contentType": "text/plain", "data": "AAA"}]), "SYN-113"),
    "unknown content type": (with_attachment(b"PK\x03\x04", "application/x-unknown"), "SYN-115"),
    "not a PDF": (with_attachment(b"plain words", "application/pdf"), "SYN-116"),
    "encrypted PDF": (with_attachment(encrypted_pdf(), "application/pdf"), "SYN-118"),
    "malformed PDF": (with_attachment(b"%PDF-1.7\n1 0 obj << truncated", "application/pdf"), "SYN-119"),
    "deep nesting": (nested(90), "SYN-124"),
    "deeper nesting": (b"[" * 100_000 + b"]" * 100_000, "SYN-124"),
    "another organ": (
        with_attachment(b"Prostate, core biopsy: adenocarcinoma, Gleason score 7.", "text/plain"),
        "SYN-130",
    ),
}
