"""SMART Backend Services: short tokens for a client that proves itself with a key of its own (no person logs in).

The client signs a statement of at most five minutes (RS384 or ES384) for the token endpoint, which the server's
`.well-known/smart-configuration` names, and is given a token. It is asked for again before it ends, and once where the
server refuses it. The token goes to the FHIR server alone, the statement to the token endpoint alone; redirects are not
followed. Source: HL7 SMART App Launch 2.2, Backend Services and client-confidential-asymmetric.
"""

import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from gateway.doctor.network_checks import is_loopback
from gateway.fhir.answers import PASSING
from gateway.fhir.client import read_retry_after, trouble_of, trust
from schemas.errors import Code, SynopticError
from schemas.settings import FhirSettings, SmartSettings

STATEMENT_SECONDS = 240
LIVES_LEAST, LIVES_MOST = 10.0, 3600.0
RENEWED_AFTER = 0.8
"""The part of a token's life after which another is asked for."""
_DISCOVERY = ".well-known/smart-configuration"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")
_OAUTH_ERROR = re.compile(r"[a-z_]{1,40}")
_MAXIMUM_BYTES = 1 << 20
_LEAST_RSA_BITS = 2048


@dataclass(frozen=True)
class SigningKey:
    """A private key with the algorithm and the name that go with it."""

    key: RSAKey | ECKey = field(repr=False)
    algorithm: str
    identifier: str

    def public(self) -> dict[str, Any]:
        """The public half as a JWK, for the server's registration."""
        return {**self.key.as_dict(private=False), "kid": self.identifier, "alg": self.algorithm, "use": "sig"}


class SmartToken:
    """The present token of one server; threads share it."""

    is_renewed = True

    def __init__(self, settings: FhirSettings, clock: Callable[[], float] = time.time) -> None:
        """Read the key; nothing is sent yet. Raises SYN-481 where the key cannot be used."""
        assert settings.base_url is not None
        self._base = settings.base_url.rstrip("/")
        self._smart = settings.smart
        self._key = read_key(settings.smart)
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renewal = 0.0
        self._timeout, self._trust = settings.timeout_seconds, trust(settings)

    def __repr__(self) -> str:
        return "SmartToken(...)"

    def current(self) -> str:
        """The token to send, asked for where there is none or it is near its end.

        Raises SYN-451 while the token endpoint does not answer, SYN-480 where it refuses, SYN-482 where there is none.
        """
        with self._lock:
            return self._fetch() if self._token is None or self._clock() >= self._renewal else self._token

    def renewed(self, refused: str | None) -> str | None:
        """Another token than the one that the server refused; raises as `current` does."""
        with self._lock:
            return self._fetch() if self._token is None or self._token == refused else self._token

    def _fetch(self) -> str:
        self._token = None
        with httpx.Client(verify=self._trust, timeout=self._timeout, trust_env=False, follow_redirects=False) as http:
            endpoint = self._smart.token_url or self._discover(http)
            self._require_safe(endpoint)
            form = {
                "grant_type": "client_credentials",
                "scope": self._smart.scope,
                "client_assertion_type": _ASSERTION,
                "client_assertion": self._statement(endpoint),
            }
            answer = _ask(http, "POST", endpoint, form)
        granted = _object(answer)
        if answer.status_code != 200:
            error = granted.get("error")
            named = f", {error}" if isinstance(error, str) and _OAUTH_ERROR.fullmatch(error) else ""
            raise SynopticError(Code.TOKEN_REFUSED, f"status {answer.status_code}{named}")
        token = granted.get("access_token")
        if (
            not isinstance(token, str)
            or not _TOKEN.fullmatch(token)
            or str(granted.get("token_type")).lower() != "bearer"
        ):
            raise SynopticError(Code.TOKEN_REFUSED, "it gives no bearer token")
        self._token, self._renewal = token, self._clock() + RENEWED_AFTER * _life(granted.get("expires_in"))
        return token

    def _discover(self, http: httpx.Client) -> str:
        """The token endpoint that the server names."""
        answer = _ask(http, "GET", f"{self._base}/{_DISCOVERY}")
        found = _object(answer)
        endpoint = found.get("token_endpoint")
        if answer.status_code != 200 or not isinstance(endpoint, str):
            raise SynopticError(Code.NO_TOKEN_ENDPOINT, f"{_DISCOVERY}: status {answer.status_code}")
        algorithms = found.get("token_endpoint_auth_signing_alg_values_supported")
        if isinstance(algorithms, list) and self._key.algorithm not in algorithms:
            raise SynopticError(Code.SMART_KEY, f"the server does not take {self._key.algorithm}")
        return endpoint

    def _require_safe(self, endpoint: str) -> None:
        """Raise SYN-482 for an endpoint without TLS, unless the server itself was allowed without or it is this machine."""
        try:
            url = urlsplit(endpoint)
        except ValueError:
            raise SynopticError(Code.NO_TOKEN_ENDPOINT, "it is no url") from None
        plain = url.scheme == "http" and (self._base.startswith("http://") or is_loopback(url.hostname or ""))
        if not url.hostname or url.username or not (url.scheme == "https" or plain):
            raise SynopticError(Code.NO_TOKEN_ENDPOINT, "it is no https address")

    def _statement(self, endpoint: str) -> str:
        """Who we are, for that endpoint alone, signed, and never the same twice."""
        now = int(self._clock())
        header = {"alg": self._key.algorithm, "kid": self._key.identifier, "typ": "JWT"}
        claims = {
            "iss": self._smart.client_id,
            "sub": self._smart.client_id,
            "aud": endpoint,
            "iat": now,
            "exp": now + STATEMENT_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        return jwt.encode(header, claims, self._key.key, algorithms=[self._key.algorithm])


def read_key(smart: SmartSettings) -> SigningKey:
    """The key in smart.key_file; raises SYN-481 where others may read it, or it is no key for RS384 or ES384."""
    assert smart.key_file is not None
    content = _private_text(smart.key_file)
    for kind, algorithm in ((RSAKey, "RS384"), (ECKey, "ES384")):
        try:
            key = kind.import_key(orjson.loads(content) if content.lstrip().startswith(b"{") else content)
            curve = key.curve_name if isinstance(key, ECKey) else None
        except (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
            continue
        if not key.is_private:
            raise SynopticError(Code.SMART_KEY, "it is a public key")
        if isinstance(key, RSAKey) and key.private_key is not None and key.private_key.key_size < _LEAST_RSA_BITS:
            raise SynopticError(Code.SMART_KEY, f"an RSA key of fewer than {_LEAST_RSA_BITS} bits")
        if curve not in (None, "P-384"):
            raise SynopticError(Code.SMART_KEY, "an EC key that is not of P-384")
        return SigningKey(key, algorithm, smart.key_id or key.kid or key.thumbprint())
    raise SynopticError(Code.SMART_KEY, "neither PEM nor JWK of an RSA or EC key")


def _private_text(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise SynopticError(Code.SMART_KEY, "the file's rights let others read it")
            return file.read(_MAXIMUM_BYTES)
    except OSError as error:
        raise SynopticError(Code.SMART_KEY, error.strerror or type(error).__name__) from None


def _ask(http: httpx.Client, method: str, url: str, form: dict[str, Any] | None = None) -> httpx.Response:
    """The answer; raises SYN-451 where there is none at present."""
    try:
        answer = http.request(method, url, data=form, headers={"Accept": "application/json"})
    except httpx.InvalidURL:
        raise SynopticError(Code.NO_TOKEN_ENDPOINT, "it is no url") from None
    except httpx.RequestError as error:
        raise SynopticError(Code.STORE_UNAVAILABLE, f"no token: {trouble_of(error)}") from None
    if answer.status_code in PASSING:
        asked = read_retry_after(answer.headers.get("Retry-After"), time.time())
        raise SynopticError(Code.STORE_UNAVAILABLE, f"no token: status {answer.status_code}", asked)
    return answer


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.content[:_MAXIMUM_BYTES])
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _life(expires_in: object) -> float:
    """For how many seconds a token may be used, within bounds; a server that does not say means a short time."""
    seconds = float(expires_in) if isinstance(expires_in, int | float) else 0.0
    return min(max(seconds, LIVES_LEAST), LIVES_MOST)
