"""A token server and a FHIR server behind it, as SMART Backend Services has them: it believes nothing it has not checked."""

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from schemas.settings import FhirSettings, SmartSettings

CLIENT = "synoptic-test"
LONGEST_STATEMENT = 300


def write_key(folder: Path, key: RSAKey | ECKey, name: str = "key.pem") -> Path:
    """The private key in a file that only its owner reads."""
    path = folder / name
    path.write_bytes(key.as_pem(private=True))
    path.chmod(0o600)
    return path


class SmartServer:
    """Grants tokens to statements that hold, and answers FHIR batches to the tokens that it granted and did not end."""

    def __init__(self, *keys: RSAKey | ECKey, lives: int = 300) -> None:
        """Know these public keys; a token lives that many seconds."""
        public = [{**key.as_dict(private=False), "kid": key.thumbprint()} for key in keys]
        self.keys = KeySet.import_key_set({"keys": public})
        self.lives = lives
        self.granted: list[str] = []
        self.ended: set[str] = set()
        self.statements: set[str] = set()
        self.forms: list[dict[str, list[str]]] = []
        self.came: list[tuple[str, str | None]] = []
        self.discovery: dict[str, Any] = {}
        self.token_answers: list[tuple[int, dict[str, str], Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.base_url = f"{self.origin}/fhir"
        self.token_url = f"{self.origin}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def settings(self, key_file: Path, **smart: Any) -> FhirSettings:
        """Settings of a client that is registered here."""
        return FhirSettings(
            base_url=self.base_url,
            attempts=1,
            smart=SmartSettings(client_id=CLIENT, key_file=key_file, **smart),
        )

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()

    def refusal(self, form: dict[str, list[str]]) -> str | None:
        """Why a request for a token is refused, by the specification's own words."""
        if form.get("grant_type") != ["client_credentials"] or "scope" not in form:
            return "invalid_request"
        if form.get("client_assertion_type") != ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]:
            return "invalid_request"
        try:
            statement = jwt.decode(form["client_assertion"][0], self.keys, algorithms=["RS384", "ES384"])
        except Exception:
            return "invalid_client"
        claims, now = statement.claims, time.time()
        holds = (
            claims["iss"] == claims["sub"] == CLIENT
            and claims["aud"] == self.token_url
            and now < claims["exp"] <= now + LONGEST_STATEMENT
            and claims["jti"] not in self.statements
            and statement.header["typ"] == "JWT"
        )
        self.statements.add(claims["jti"])
        return None if holds else "invalid_client"

    def answer(self, method: str, path: str, token: str | None, body: bytes) -> tuple[int, dict[str, str], Any]:
        """What a request gets."""
        self.came.append((f"{method} {path}", token))
        if path == "/fhir/.well-known/smart-configuration":
            return 200, {}, {"token_endpoint": self.token_url, **self.discovery}
        if path == "/token":
            form = parse_qs(body.decode())
            self.forms.append(form)
            if self.token_answers:
                return self.token_answers.pop(0)
            if (refusal := self.refusal(form)) is not None:
                return 400, {}, {"error": refusal, "error_description": "of Erika Mustermann"}
            self.granted.append(secrets.token_urlsafe(16))
            return 200, {}, {"access_token": self.granted[-1], "token_type": "bearer", "expires_in": self.lives}
        known = token is not None and token.removeprefix("Bearer ") in set(self.granted) - self.ended
        if not known:
            return 401, {}, {"resourceType": "OperationOutcome", "issue": []}
        return 200, {}, {"resourceType": "Bundle", "type": "batch-response", "entry": []}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, found = outer.answer(self.command, self.path, self.headers.get("Authorization"), body)
                content = json.dumps(found).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = _serve  # noqa: N815

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        return Handler
