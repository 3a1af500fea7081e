"""HTTP to one FHIR server: retries, Retry-After, a circuit breaker, a token, and pages that stay on that server.

Everything is a POST of a Bundle to the base or of a form to Type/_search, so that no URL, and no log of one, holds an
id of the EHR's. A request is repeated after a lost connection as well: reads change nothing, and each write carries a guard by
which a server that had applied the first one refuses the second. Proxies and passwords of the environment are not used.
"""

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from itertools import count
from random import SystemRandom

import httpx
import orjson

from gateway.fhir.answers import PASSING, Answer, fault_of
from gateway.fhir.bearer_token import open_token
from gateway.fhir.circuit_breaker import CircuitBreaker
from gateway.stores.resource_store import Resource
from schemas.errors import Code, SynopticError
from schemas.metrics import FHIR_REQUESTS, FHIR_SECONDS
from schemas.settings import FhirSettings

LONGEST_PAUSE = 10.0
LONGEST_ASKED = 300.0
LATE_SECONDS = 60.0
_FIRST_PAUSE = 0.25
_PAGES = 1000
_FHIR = "application/fhir+json"
_FORM = "application/x-www-form-urlencoded"
_JITTER = SystemRandom()


class FhirClient:
    """One server; threads share it."""

    def __init__(
        self,
        settings: FhirSettings,
        pause: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.time,
        stopping: threading.Event | None = None,
    ) -> None:
        """Open a pool of connections; nothing is sent yet. Once `stopping` is set, nobody waits for a failing server."""
        assert settings.base_url is not None
        self._base = httpx.URL(settings.base_url.rstrip("/"))
        self._attempts = settings.attempts
        self._token = open_token(settings)
        self._breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_seconds)
        self._stopping = stopping or threading.Event()
        self._pause = pause or self._stopping.wait
        self._clock = clock
        self._has_served = False
        self._refused_since: float | None = None
        self._http = httpx.Client(
            verify=trust(settings),
            timeout=settings.timeout_seconds,
            limits=httpx.Limits(max_connections=settings.connections, max_keepalive_connections=settings.connections),
            headers={"Accept": _FHIR},
            follow_redirects=False,
            trust_env=False,
        )

    @property
    def base_url(self) -> str:
        """The server's base, without a slash at the end."""
        return str(self._base)

    def post(self, bundle: Resource, minimal: bool = False) -> Answer:
        """Send a batch or transaction; `minimal` where the written resources need not come back."""
        headers = {"Content-Type": _FHIR, "Prefer": "return=minimal" if minimal else "return=representation"}
        return self._send("POST", self._base, orjson.dumps(bundle), headers)

    def send(self, method: str, path: str, resource: Resource) -> Answer:
        """Write a resource to a path below the base that holds no more than an id of our own making."""
        headers = {"Content-Type": _FHIR, "Prefer": "return=minimal"}
        url = httpx.URL(f"{self._base}/{path}")
        return self._send(method, url, orjson.dumps(resource), headers, may_be_empty=True)

    def probe(self, bundle: Resource) -> Answer:
        """Send a small batch once, even while the server is left alone: where it answers, that is over."""
        return self._exchange("POST", self._base, orjson.dumps(bundle), {"Content-Type": _FHIR})

    def search(self, kind: str, parameters: Mapping[str, str]) -> Iterator[Resource]:
        """Every resource that matches, page by page, never from the server's cache of earlier searches."""
        body = str(httpx.QueryParams(dict(parameters))).encode()
        headers = {"Content-Type": _FORM, "Cache-Control": "no-cache"}
        answer = self._send("POST", httpx.URL(f"{self._base}/{kind}/_search"), body, headers)
        for _ in range(_PAGES):
            if not answer.is_success or answer.body is None:
                raise fault_of(answer)
            for entry in answer.body.get("entry", []):
                if entry.get("search", {}).get("mode", "match") == "match" and "resource" in entry:
                    yield entry["resource"]
            links = answer.body.get("link", [])
            following = next((link.get("url", "") for link in links if link.get("relation") == "next"), None)
            if following is None:
                return
            answer = self._send("GET", self._on_this_server(following), b"", {"Cache-Control": "no-cache"})
        raise SynopticError(Code.STORE_UNUSABLE, "a search that never ends")

    def rest(self, attempt: int, asked: float = 0.0) -> None:
        """Pause before what follows the failed `attempt` (from 1), for at least the seconds that the server asked for."""
        own = min(LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1)) * _JITTER.uniform(0.5, 1.0)
        self._pause(max(asked, own))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(
        self, method: str, url: httpx.URL, body: bytes, headers: Mapping[str, str], may_be_empty: bool = False
    ) -> Answer:
        """The answer, after as many attempts as the settings allow while the server cannot answer."""
        for attempt in count(1):
            away = self._breaker.admit()
            if away:
                raise SynopticError(Code.STORE_UNAVAILABLE, "left alone after failures in a row", away)
            if self._stopping.is_set() and self._breaker.is_failing:
                raise SynopticError(Code.STORE_UNAVAILABLE, "not waited for, since this process is to end")
            try:
                return self._exchange(method, url, body, headers, may_be_empty)
            except SynopticError as error:
                asked = error.retry_after or 0.0
                if error.code is not Code.STORE_UNAVAILABLE or attempt >= self._attempts or asked > LONGEST_PAUSE:
                    raise
            self.rest(attempt, asked)
        raise AssertionError("count never ends")

    def _exchange(
        self, method: str, url: httpx.URL, body: bytes, headers: Mapping[str, str], may_be_empty: bool = False
    ) -> Answer:
        """One request, or two where a token was renewed."""
        token = self._token.current()
        response = self._once(method, url, body, {**headers, **_authorization(token)})
        if response.status_code == 401 and (renewed := self._token.renewed(token)) is not None:
            response = self._once(method, url, body, {**headers, **_authorization(renewed)})
        answer = _read(response, may_be_empty)
        if self._passes(answer):
            self._breaker.failed()
            asked = read_retry_after(response.headers.get("Retry-After"), self._clock())
            raise SynopticError(Code.STORE_UNAVAILABLE, f"status {answer.status}", asked)
        self._breaker.succeeded()
        if answer.status in (401, 403) or 300 <= answer.status < 400:
            raise fault_of(answer)
        return answer

    def _passes(self, answer: Answer) -> bool:
        """True for what speaks of this moment: of a server that served before, also a late token and a lost way to it."""
        if answer.is_success:
            self._has_served, self._refused_since = True, None
        if answer.status in PASSING or not self._has_served:
            return answer.status in PASSING
        if answer.status == 401 and self._token.is_renewed:
            since = self._refused_since = self._refused_since or self._clock()
            return self._clock() - since < LATE_SECONDS
        return answer.status == 404 and not answer.explains

    def _once(self, method: str, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        began = time.monotonic()
        outcome = "unreachable"
        try:
            response = self._http.request(method, url, content=body, headers=headers)
            outcome = f"{response.status_code // 100}xx"
            return response
        except httpx.RequestError as error:
            self._breaker.failed()
            raise SynopticError(Code.STORE_UNAVAILABLE, trouble_of(error)) from None
        finally:
            FHIR_REQUESTS.add(outcome=outcome)
            FHIR_SECONDS.observe(time.monotonic() - began)

    def _on_this_server(self, link: str) -> httpx.URL:
        """The link as a URL; one that leads elsewhere would take the token and what it finds with it."""
        try:
            url = self._base.join(link)
        except httpx.InvalidURL:
            raise SynopticError(Code.STORE_UNUSABLE, "a page's link that is no URL") from None
        here = (url.scheme, url.host, url.port) == (self._base.scheme, self._base.host, self._base.port)
        if not here or url.userinfo:
            raise SynopticError(Code.STORE_UNUSABLE, "a page's link to another server")
        return url


def read_retry_after(value: str | None, now: float) -> float | None:
    """The seconds that a Retry-After header asks for, given as seconds or as a date, within bounds."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        seconds = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), LONGEST_ASKED)


def _read(response: httpx.Response, may_be_empty: bool) -> Answer:
    """The status, and the body where it is a JSON object; a success must be one, or empty where it may be."""
    try:
        body = orjson.loads(response.content) if response.content else None
    except orjson.JSONDecodeError:
        body = ""
    answer = Answer(response.status_code, body if isinstance(body, dict) else None)
    if answer.is_success and answer.body is None and (response.content or not may_be_empty):
        raise SynopticError(Code.STORE_UNAVAILABLE, f"status {answer.status} without FHIR JSON")
    return answer


def _authorization(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def trouble_of(error: httpx.RequestError) -> str:
    """What went wrong on the way, by kind alone: the text of an error may hold a URL."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def trust(settings: FhirSettings) -> ssl.SSLContext:
    """Whom to believe that it is the server; raises SYN-601 where fhir.ca_file cannot be read."""
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError):
        raise SynopticError(Code.BAD_SETTINGS, "fhir.ca_file: no readable file of PEM certificates") from None
