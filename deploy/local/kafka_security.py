"""The listeners of a secured Kafka node: password over TLS, client certificate, and bearer token over TLS."""

import base64
import json
import secrets
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from deploy.local.certificates import CertificateAuthority, new_key
from deploy.local.java_process import HOST, free_port

TOKEN_AUDIENCE = "kafka"  # noqa: S105 (a name, no secret)
TOKEN_ISSUER = "https://issuer.invalid"  # noqa: S105 (a name, no secret)
TOKEN_KEY = "local"  # noqa: S105 (a name, no secret)
_SECURITY = "org.apache.kafka.common.security"


class SecuredListeners:
    """Three listeners with their credentials: of a user who may do everything, and of one who may do nothing."""

    protocols = {"SCRAM": "SASL_SSL", "MUTUAL": "SSL", "BEARER": "SASL_SSL"}  # noqa: RUF012 (never changed)
    username = "synoptic"
    powerless_username = "stranger"

    def __init__(self, folder: Path) -> None:
        """Make certificates, passwords and the key that signs tokens."""
        authority = CertificateAuthority(folder)
        self.ca_file = authority.ca_file
        self.client = authority.issue("synoptic-client")
        self._server = authority.issue("broker")
        self.password = secrets.token_urlsafe(24)
        self.powerless_password = secrets.token_urlsafe(24)
        self.ports = {name: free_port() for name in self.protocols}
        self._token_key = new_key()
        self._token_keys_file = folder / "token-keys.json"
        self._token_keys_file.write_text(json.dumps({"keys": [self._public_token_key()]}), encoding="ascii")

    @property
    def scram_servers(self) -> str:
        """The address that asks for a user's password (SASL_SSL, SCRAM-SHA-512)."""
        return f"{HOST}:{self.ports['SCRAM']}"

    @property
    def mutual_servers(self) -> str:
        """The address that asks for a client's certificate (SSL)."""
        return f"{HOST}:{self.ports['MUTUAL']}"

    @property
    def bearer_servers(self) -> str:
        """The address that asks for a token (SASL_SSL, OAUTHBEARER)."""
        return f"{HOST}:{self.ports['BEARER']}"

    def token(self, audience: str = TOKEN_AUDIENCE, lifetime_seconds: int = 3_600) -> str:
        """A signed token for the user; with another audience, or expired, the broker must refuse it."""
        now = int(time.time())
        header = {"alg": "RS256", "kid": TOKEN_KEY, "typ": "JWT"}
        claims = {"sub": self.username, "aud": audience, "iss": TOKEN_ISSUER, "iat": now - 60}
        claims["exp"] = now + lifetime_seconds
        signed = ".".join(_encoded(json.dumps(part).encode("ascii")) for part in (header, claims))
        signature = self._token_key.sign(signed.encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"

    @property
    def format_options(self) -> list[str]:
        """What the formatting of the node needs: its users."""
        users = {self.username: self.password, self.powerless_username: self.powerless_password}
        return [
            part
            for name, password in users.items()
            for part in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
        ]

    @property
    def java_flags(self) -> tuple[str, ...]:
        """What the broker's virtual machine needs: leave to read the keys of the tokens."""
        return (f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self._token_keys_file.as_uri()}",)

    @property
    def properties(self) -> list[str]:
        """The lines of the node's configuration."""
        handler = f"{_SECURITY}.oauthbearer.OAuthBearerValidatorCallbackHandler"
        return [
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={self._server.key_and_certificate}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.ca_file}",
            "listener.name.mutual.ssl.client.auth=required",
            "listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512",
            f"listener.name.scram.scram-sha-512.sasl.jaas.config={_SECURITY}.scram.ScramLoginModule required;",
            "listener.name.bearer.sasl.enabled.mechanisms=OAUTHBEARER",
            "listener.name.bearer.oauthbearer.sasl.jaas.config="
            f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule required;",
            f"listener.name.bearer.oauthbearer.sasl.server.callback.handler.class={handler}",
            f"listener.name.bearer.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={self._token_keys_file.as_uri()}",
            f"listener.name.bearer.oauthbearer.sasl.oauthbearer.expected.audience={TOKEN_AUDIENCE}",
            f"listener.name.bearer.oauthbearer.sasl.oauthbearer.expected.issuer={TOKEN_ISSUER}",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            f"super.users=User:ANONYMOUS;User:{self.username};User:CN=synoptic-client",
        ]

    def _public_token_key(self) -> dict[str, str]:
        """The public half of the key that signs tokens, as a JSON Web Key."""
        numbers = self._token_key.public_key().public_numbers()
        parts = {
            name: _encoded(value.to_bytes((value.bit_length() + 7) // 8))
            for name, value in (("n", numbers.n), ("e", numbers.e))
        }
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": TOKEN_KEY, **parts}


def _encoded(content: bytes) -> str:
    """Bytes in the form that tokens use."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
