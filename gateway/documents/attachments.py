"""The bytes of an attachment: from its data, a Binary that came with the report, or a Binary of the FHIR server.

A url leads to the configured server alone (gateway/fhir/attachment_client.py). Hash and size hold for the bytes wherever they
come from, and the limit holds before anything is decoded. A server that is away is waited for; one that is at work and
cannot give a single Binary is not, since every other report would wait too.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from gateway.fhir.parsing import ReportResources, Resource
from schemas.errors import Code, SynopticError
from schemas.settings import Settings

if TYPE_CHECKING:
    from gateway.fhir.attachment_client import AttachmentClient

_MOST_ALONE = 8
_WHITESPACE = str.maketrans("", "", " \t\r\n")


@dataclass(frozen=True, repr=False)
class Attachment:
    """A document as it was sent, and the type that was declared for it."""

    content: bytes
    content_type: str


class Attachments:
    """Reads attachments; holds a connection to the FHIR server once one was read from there, so close it."""

    def __init__(self, settings: Settings, stopping: Event | None = None) -> None:
        """Nothing is opened yet. Once `stopping` is set, nobody waits for a server that is away."""
        self._fhir = settings.fhir
        self._maximum = settings.intake.maximum_attachment_bytes
        self._stopping = stopping or Event()
        self._failing: set[str] = set()
        self._client: AttachmentClient | None = None

    def read(self, form: Resource, resources: ReportResources) -> Attachment:
        """An attachment's bytes; raises a numbered reject, or SYN-451 where the FHIR server is to be asked again."""
        binary = came_along(form, resources)
        if binary is None:
            url = form.get("url")
            if not url:
                raise SynopticError(Code.NO_TEXT, "a presentedForm without data")
            binary = self._fetched(url, form.get("contentType"))
        content_type = _content_type(form.get("contentType"), binary.get("contentType"))
        data = binary.get("data")
        if not data:
            raise SynopticError(Code.NO_TEXT, "an attachment without data")
        if not content_type:
            raise SynopticError(Code.UNKNOWN_CONTENT_TYPE, "no contentType")
        if not isinstance(data, str):
            raise SynopticError(Code.BAD_BASE64)
        return Attachment(_decoded(data, form, self._maximum), content_type)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def _fetched(self, url: str, content_type: str | None) -> Resource:
        """The Binary; where the server is at work and fails for it alone, a second time too, that is SYN-131.

        Not so where many failed since the last one that came: they may be of a store that is away behind the server.
        """
        client = self._server()
        try:
            binary = client.fetch(url, content_type)
        except SynopticError as error:
            if not self._is_of_one(error):
                raise
            try:
                binary = client.fetch(url, content_type)
            except SynopticError as again:
                self._failing.add(url)
                if not self._is_of_one(again) or len(self._failing) > _MOST_ALONE:
                    raise
                raise SynopticError(Code.ATTACHMENT_REFUSED, f"{again.code.label}, {again.detail}") from None
        self._failing.clear()
        return binary

    def _is_of_one(self, error: SynopticError) -> bool:
        """Whether the server serves others just now; never once this process is to end, since then nothing waits."""
        if error.code is not Code.STORE_UNAVAILABLE or self._stopping.is_set() or self._client is None:
            return False
        from gateway.stores.fhir_store import FhirStore

        return FhirStore(self._fhir, self._client).serves_others()

    def _server(self) -> "AttachmentClient":
        if self._fhir.base_url is None:
            raise SynopticError(Code.ATTACHMENT_BY_URL, "fhir.base_url is not set")
        if self._client is None:
            from gateway.fhir.attachment_client import AttachmentClient

            self._client = AttachmentClient(self._fhir, self._maximum, stopping=self._stopping)
        return self._client


def came_along(form: Resource, resources: ReportResources) -> Resource | None:
    """What holds the attachment's data: itself, or a Binary that is contained or in the same Bundle."""
    if form.get("data"):
        return form
    binary = resources.resolve({"reference": form.get("url")})
    return binary if binary is not None and binary["resourceType"] == "Binary" else None


def _content_type(declared: object, held: object) -> str:
    """The attachment's own contentType; the Binary's where it says more of the same, such as a charset."""
    own, other = (item if isinstance(item, str) else "" for item in (declared, held))
    return other if not own or other.lower().startswith(f"{own.lower()};") else own


def _decoded(data: str, form: Resource, maximum_bytes: int) -> bytes:
    """The bytes, once their size is allowed and the attachment's hash and size agree; too much is refused undecoded."""
    declared = form.get("size")
    if len(data) // 4 * 3 > maximum_bytes + 2 or (declared or 0) > maximum_bytes:
        raise SynopticError(Code.ATTACHMENT_TOO_LARGE, f"at most {maximum_bytes} bytes")
    try:
        packed = data.translate(_WHITESPACE).encode("ascii")
        content = binascii.a2b_base64(packed, strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise SynopticError(Code.BAD_BASE64) from None
    if len(packed) % 4:  # padding to spare, which the decoder lets pass
        raise SynopticError(Code.BAD_BASE64)
    if declared is not None and declared != len(content):
        raise SynopticError(Code.ATTACHMENT_MISMATCH, f"{len(content)} bytes, its size says {declared}")
    expected = form.get("hash")
    digest = hashlib.sha1(content, usedforsecurity=False).digest()  # FHIR prescribes SHA-1 here
    if expected is not None and expected.translate(_WHITESPACE) != base64.b64encode(digest).decode():
        raise SynopticError(Code.ATTACHMENT_MISMATCH, "its SHA-1 differs from its hash")
    return content
