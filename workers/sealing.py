"""What keeps PHI out of findings: a keyed report key, and the context as one encrypted field.

Both keys derive from `privacy.key`. Sealing is AES-SIV, which needs no nonce: the same context seals to the same bytes,
so that a report processed twice gives the same message, and nothing beyond that equality shows.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.errors import Code, SynopticError
from schemas.messages import ReportContext
from schemas.settings import Settings

MINIMUM_KEY_LENGTH = 32
KEY_FILE = "privacy.key"


class Seal:
    """Makes report keys, seals contexts and opens them again; never printed."""

    def __init__(self, secret: bytes) -> None:
        """Derive the keys; raises SYN-604 where the secret is too short to be one."""
        if len(secret) < MINIMUM_KEY_LENGTH:
            raise SynopticError(Code.BAD_PRIVACY_KEY, f"shorter than {MINIMUM_KEY_LENGTH} characters")
        self._report_key = _derive(secret, b"synoptic report key 1", 32)
        self._cipher = AESSIV(_derive(secret, b"synoptic sealed context 1", 64))

    def report_hmac(self, report_key: UUID) -> str:
        """The report's key outside the PHI zone: the same for the same report, meaningless without the secret."""
        return hmac.new(self._report_key, report_key.bytes, hashlib.sha256).hexdigest()

    def seal(self, context: ReportContext) -> str:
        """The context encrypted and bound to its report's keyed hash."""
        bound = self.report_hmac(context.report_key).encode()
        sealed = self._cipher.encrypt(context.model_dump_json().encode(), [bound])
        return base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, report_hmac: str) -> ReportContext:
        """The context again; raises SYN-605 where key, report or bytes are not those it was sealed with."""
        try:
            data = self._cipher.decrypt(base64.urlsafe_b64decode(sealed.encode()), [report_hmac.encode()])
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise SynopticError(Code.NOT_SEALED_HERE, type(error).__name__) from None
        return ReportContext.model_validate_json(data)


def load_seal(settings: Settings) -> Seal:
    """The seal under `privacy.key`; without one, the embedded bus gets a key file beside it, Kafka SYN-603."""
    if settings.privacy.key is not None:
        return Seal(settings.privacy.key.get_secret_value().encode())
    if settings.bus.kind != "embedded":
        raise SynopticError(Code.NO_PRIVACY_KEY, settings.bus.kind)
    return Seal(_key_file(settings.bus.path.parent / KEY_FILE))


def passing_seal() -> Seal:
    """A seal that nobody can open after this process: for a chain that keeps nothing."""
    return Seal(secrets.token_bytes(MINIMUM_KEY_LENGTH))


def _key_file(path: Path) -> bytes:
    """The secret in the file, made with a random one where there is none; only its owner may read it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(path)
        if path.stat().st_mode & 0o077:
            raise SynopticError(Code.BAD_PRIVACY_KEY, "the file's rights let others read it")
        return path.read_bytes().strip()
    except OSError as error:
        raise SynopticError(Code.BAD_PRIVACY_KEY, os.strerror(error.errno or 0)) from None


def _create(path: Path) -> None:
    """Make the file whole or not at all: two processes that start together end with one key."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(secrets.token_urlsafe(MINIMUM_KEY_LENGTH) + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _derive(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(secret)
