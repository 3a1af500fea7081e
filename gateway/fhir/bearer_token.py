"""The FHIR server's bearer token: from the settings, from a file that something else keeps fresh, or by SMART."""

import re
import threading
from contextlib import suppress
from typing import Protocol

from schemas.errors import Code, SynopticError
from schemas.settings import FhirSettings

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


class Token(Protocol):
    """What a client sends to prove who it is; threads share it."""

    @property
    def is_renewed(self) -> bool:
        """True where the token changes from time to time."""
        ...

    def current(self) -> str | None:
        """The token to send, if any."""
        ...

    def renewed(self, refused: str | None) -> str | None:
        """Another token than the one that was refused, if there is one by now."""
        ...


def open_token(settings: FhirSettings) -> Token:
    """The token that the settings name; nothing is sent yet. Raises where a file of it cannot be used."""
    if settings.smart.client_id is None:
        return BearerToken(settings)
    from gateway.fhir.smart_backend import SmartToken

    return SmartToken(settings)


class BearerToken:
    """A token that is given; threads share it."""

    def __init__(self, settings: FhirSettings) -> None:
        """Read it; raises SYN-601 where the file cannot be read or holds no token."""
        self._lock = threading.Lock()
        self._file = settings.bearer_token_file if settings.bearer_token is None else None
        self._token = settings.bearer_token.get_secret_value() if settings.bearer_token else None
        if self._file is not None:
            self._token = self._read()
        elif self._token is not None and not _TOKEN.fullmatch(self._token):
            raise SynopticError(Code.BAD_SETTINGS, "fhir.bearer_token: it holds characters that no token has")

    def __repr__(self) -> str:
        return "BearerToken(...)"

    @property
    def is_renewed(self) -> bool:
        """True where something else keeps the token fresh."""
        return self._file is not None

    def current(self) -> str | None:
        """The token to send, if any."""
        with self._lock:
            return self._token

    def renewed(self, refused: str | None) -> str | None:
        """Another token than the one that was refused, if the file holds one by now; it may be half written."""
        with self._lock:
            if self._file is None or refused is None:
                return None
            if self._token == refused:
                with suppress(SynopticError):
                    self._token = self._read()
            return self._token if self._token != refused else None

    def _read(self) -> str:
        assert self._file is not None
        try:
            token = self._file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            raise SynopticError(Code.BAD_SETTINGS, "fhir.bearer_token_file: it cannot be read") from None
        if not _TOKEN.fullmatch(token):
            raise SynopticError(Code.BAD_SETTINGS, "fhir.bearer_token_file: it holds no token")
        return token
