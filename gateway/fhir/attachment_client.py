"""Reads attachments from the configured FHIR server: Binary resources by GET, as bytes or as FHIR JSON, up to a limit.

Only Binary is read: with our credentials, a url of any other kind in a report could fetch another patient's record. What
is wrong with one attachment rejects its report; a server that is away is waited for, as with every other request. Bytes
of another type than asked for are no attachment: who is not let in may be sent a page to log in, as a success.
"""

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping

import httpx
import orjson

from gateway.documents.content_type import parse_content_type
from gateway.fhir.answers import PASSING
from gateway.fhir.client import FhirClient, trouble_of
from gateway.stores.resource_store import Resource
from schemas.errors import Code, SynopticError
from schemas.metrics import FHIR_REQUESTS, FHIR_SECONDS
from schemas.settings import FhirSettings

_BINARY = re.compile(r"Binary/(?!\.{1,2}(?:/|$))[A-Za-z0-9.-]{1,64}(?:/_history/(?!\.{1,2}$)[A-Za-z0-9.-]{1,64})?")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,80}/[A-Za-z0-9.+-]{1,80}")
_FHIR = "application/fhir+json"
_WRAPPING = 1 << 16  # of a resource around its data
_ABSENT = (404, 410)
_ANY_BYTES = frozenset({"", "application/octet-stream", "binary/octet-stream"})


class AttachmentClient(FhirClient):
    """The FHIR server as a holder of attachments."""

    def __init__(
        self,
        settings: FhirSettings,
        maximum_bytes: int,
        pause: Callable[[float], object] | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        """Open a pool of connections; nothing is sent yet."""
        super().__init__(settings, pause, stopping=stopping)
        self._maximum = maximum_bytes

    def fetch(self, link: str, content_type: str | None) -> Resource:
        """The Binary at an absolute or relative url, its data in base64.

        Raises SYN-111 for a url that is not a Binary of this server, SYN-129 where the server does not hold it, SYN-131
        where it does not give it out, SYN-112 once it is larger than allowed, and SYN-451 where it is to be tried again.
        """
        essence = (content_type or "").partition(";")[0].strip()
        accepted = f"{essence}, {_FHIR};q=0.9" if _MEDIA_TYPE.fullmatch(essence) else _FHIR
        answer = self._send("GET", self._binary(link), b"", {"Accept": accepted, "Accept-Encoding": "identity"})
        binary = answer.body or {}
        if binary.get("resourceType") != "Binary":
            raise SynopticError(Code.ATTACHMENT_REFUSED, "what it answered is no Binary")
        return binary

    def _binary(self, link: str) -> httpx.URL:
        try:
            url = httpx.URL(link) if "://" in link else httpx.URL(f"{self._base}/{link}")
        except httpx.InvalidURL:
            raise SynopticError(Code.ATTACHMENT_BY_URL, "it is no url") from None
        if (url.scheme, url.host, url.port, url.userinfo) != (self._base.scheme, self._base.host, self._base.port, b""):
            raise SynopticError(Code.ATTACHMENT_BY_URL, "another server's")
        path = link[max(link.rfind("Binary/"), 0) :]
        expected = f"{self._base.raw_path.decode('ascii').rstrip('/')}/{path}"
        if not _BINARY.fullmatch(path) or url.raw_path.decode("ascii") != expected:
            raise SynopticError(Code.ATTACHMENT_BY_URL, "not a Binary below fhir.base_url")
        return url

    def _once(self, method: str, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """One request; whatever form a Binary comes in, it is returned as the resource."""
        began = time.monotonic()
        outcome = "unreachable"
        try:
            with self._http.stream(method, url, content=body, headers=headers) as response:
                outcome = f"{response.status_code // 100}xx"
                return self._answer(response, asked=headers.get("Accept", _FHIR).partition(",")[0])
        except httpx.RequestError as error:
            self._breaker.failed()
            raise SynopticError(Code.STORE_UNAVAILABLE, trouble_of(error)) from None
        finally:
            FHIR_REQUESTS.add(outcome=outcome)
            FHIR_SECONDS.observe(time.monotonic() - began)

    def _answer(self, response: httpx.Response, asked: str) -> httpx.Response:
        status = response.status_code
        if not response.is_success:
            if status not in PASSING and status != 401:
                self._breaker.succeeded()  # it answered
                raise SynopticError(
                    Code.ATTACHMENT_NOT_FOUND if status in _ABSENT else Code.ATTACHMENT_REFUSED, f"status {status}"
                )
            asked = response.headers.get("Retry-After")
            return httpx.Response(status, headers={} if asked is None else {"Retry-After": asked})
        media_type = response.headers.get("Content-Type", "")
        essence = media_type.partition(";")[0].strip().lower()
        if essence in (_FHIR, "application/json"):
            return httpx.Response(status, content=self._limited(response, self._maximum * 4 // 3 + _WRAPPING))
        if not _is_of_type(asked, essence):
            self._breaker.succeeded()
            raise SynopticError(Code.ATTACHMENT_REFUSED, "bytes of another type than asked for")
        data = base64.b64encode(self._limited(response, self._maximum)).decode()
        resource = {"resourceType": "Binary", "contentType": media_type, "data": data}
        return httpx.Response(status, content=orjson.dumps(resource))

    def _limited(self, response: httpx.Response, maximum: int) -> bytes:
        """The content, read no further than allowed."""
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > maximum:
                self._breaker.succeeded()
                raise SynopticError(Code.ATTACHMENT_TOO_LARGE, f"at most {self._maximum} bytes")
        return bytes(content)


def _is_of_type(asked: str, given: str) -> bool:
    """Whether what was given may be what was asked for: the same kind of document, or bytes of no type."""
    if asked == _FHIR:
        return False
    if given in _ANY_BYTES or given == asked.lower():
        return True
    try:
        return parse_content_type(given).kind is parse_content_type(asked).kind
    except SynopticError:
        return False
