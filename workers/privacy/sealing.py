"""What keeps PHI sealed on the bus: a key for each patient, and a keyed report key instead of the report's own.

Whatever carries text or a patient is encrypted under its patient's key, which lies in the key store wrapped under
`privacy.key`: deleting the key erases all of it (workers/privacy/patient_keys.py). Encryption is AES-SIV, which needs no nonce:
the same message seals to the same bytes, so that a report processed twice gives the same message, and nothing beyond
that equality shows. A sealed value begins with a mark and its key's identity; a sealed context with the identity.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.errors import Code, SynopticError
from schemas.messages import ReportContext
from schemas.settings import Settings
from workers.privacy.patient_keys import KEY_STORE_FILE, PatientKeys

MINIMUM_KEY_LENGTH = 32
KEY_FILE = "privacy.key"
MARK = b"\x00synoptic-sealed-1\x00"
IDENTITY_BYTES = 18  # whole groups of base64, so that a sealed context shows its key's identity
_SEALED_FIELD = re.compile(rb'"sealed": ?"([A-Za-z0-9_-]{24})')


class Seal:
    """Makes report keys, seals what is a patient's and opens it again; never printed."""

    def __init__(self, secret: bytes, keys: PatientKeys | None = None) -> None:
        """Derive the keys; `keys` none: patients' keys that end with the process. Raises SYN-604 on a short secret."""
        _require_length(secret)
        self._report_key = _derive(secret, b"synoptic report key 1", 32)
        self._patient_key = _derive(secret, b"synoptic patient key 1", 32)
        self._wrapping = AESSIV(_derive(secret, b"synoptic wrapped patient key 1", 64))
        self._keys = keys if keys is not None else PatientKeys()

    def report_hmac(self, report_key: UUID) -> str:
        """The report's key outside the PHI zone: the same for the same report, meaningless without the secret."""
        return hmac.new(self._report_key, report_key.bytes, hashlib.sha256).hexdigest()

    def enclose(self, value: bytes, patient_key: UUID) -> bytes:
        """A message under its patient's key."""
        return self.enclose_all([(value, patient_key)])[0]

    def enclose_all(self, messages: Sequence[tuple[bytes, UUID]]) -> list[bytes]:
        """Each message under its patient's key; keys that have to be made are on the disk then, after one commit."""
        ciphers = self._ciphers_of([patient_key for _, patient_key in messages])
        return [
            MARK + identity + cipher.encrypt(value, [MARK])
            for (value, _), (identity, cipher) in zip(messages, ciphers, strict=True)
        ]

    def opened(self, value: bytes) -> bytes:
        """The message again, or `value` itself where it is not sealed.

        Raises SYN-609 where the patient's key was deleted, SYN-605 where the key or the bytes are not those it was
        sealed with, SYN-610 while the key store is away.
        """
        if not value.startswith(MARK):
            return value
        content = value[len(MARK) :]
        return self._decrypt(content[:IDENTITY_BYTES], content[IDENTITY_BYTES:], MARK)

    def seal(self, context: ReportContext) -> str:
        """The context under its patient's key, bound to its report's keyed hash."""
        ((identity, cipher),) = self._ciphers_of([context.patient_key])
        bound = self.report_hmac(context.report_key).encode()
        return base64.urlsafe_b64encode(identity + cipher.encrypt(context.model_dump_json().encode(), [bound])).decode()

    def open(self, sealed: str, report_hmac: str) -> ReportContext:
        """The context again; raises as `opened` does, and SYN-605 for another report's."""
        try:
            content = base64.urlsafe_b64decode(sealed.encode())
        except (ValueError, binascii.Error) as error:
            raise SynopticError(Code.NOT_SEALED_HERE, type(error).__name__) from None
        data = self._decrypt(content[:IDENTITY_BYTES], content[IDENTITY_BYTES:], report_hmac.encode())
        return ReportContext.model_validate_json(data)

    def erase(self, patient_key: UUID) -> str | None:
        """Delete the patient's key; the key's identity in hexadecimal digits, or None where there is none."""
        identity = self._keys.erase(self._patient(patient_key))
        return identity.hex() if identity else None

    def is_erased(self, identity: bytes) -> bool:
        """True where the key of this identity was deleted."""
        return self._keys.is_erased(identity)

    def close(self) -> None:
        """Close the key store."""
        self._keys.close()

    def _patient(self, patient_key: UUID) -> bytes:
        return hmac.digest(self._patient_key, patient_key.bytes, "sha256")

    def _ciphers_of(self, patient_keys: Sequence[UUID]) -> list[tuple[bytes, AESSIV]]:
        keys = self._keys.of_patients([self._patient(key) for key in patient_keys], self._make)
        return [(identity, self._unwrapped(identity, wrapped)) for identity, wrapped in keys]

    def _make(self) -> tuple[bytes, bytes]:
        identity = secrets.token_bytes(IDENTITY_BYTES)
        return identity, self._wrapping.encrypt(AESSIV.generate_key(512), [identity])

    def _unwrapped(self, identity: bytes, wrapped: bytes) -> AESSIV:
        try:
            return AESSIV(self._wrapping.decrypt(wrapped, [identity]))
        except InvalidTag:
            raise SynopticError(Code.NOT_SEALED_HERE, "its key is wrapped under another privacy.key") from None

    def _decrypt(self, identity: bytes, content: bytes, bound: bytes) -> bytes:
        cipher = self._unwrapped(identity, self._keys.find(identity))
        try:
            return cipher.decrypt(content, [bound])
        except (InvalidTag, ValueError) as error:
            raise SynopticError(Code.NOT_SEALED_HERE, type(error).__name__) from None


def key_identity(value: bytes) -> bytes | None:
    """The identity of the key that a message, or its sealed context, is under; None where nothing in it is sealed."""
    if value.startswith(MARK):
        return value[len(MARK) :][:IDENTITY_BYTES]
    found = _SEALED_FIELD.search(value)
    return base64.urlsafe_b64decode(found[1]) if found else None


def load_keys(settings: Settings) -> PatientKeys:
    """The key store of the settings; without one it lies beside the embedded bus, and Kafka gets SYN-608."""
    if settings.privacy.key_store is not None:
        return PatientKeys(settings.privacy.key_store)
    if settings.bus.kind != "embedded":
        raise SynopticError(Code.NO_KEY_STORE, settings.bus.kind)
    settings.bus.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return PatientKeys(settings.bus.path.parent / KEY_STORE_FILE)


def load_seal(settings: Settings) -> Seal:
    """The seal under `privacy.key`; without one, the embedded bus gets a key file beside it, Kafka SYN-603."""
    return Seal(load_secret(settings), load_keys(settings))


def passing_seal() -> Seal:
    """A seal that nobody can open after this process: for a chain that keeps nothing."""
    return Seal(secrets.token_bytes(MINIMUM_KEY_LENGTH))


def load_secret(settings: Settings) -> bytes:
    """The secret `privacy.key`, else the key file's; raises SYN-603 where there is none and SYN-604 on a bad one."""
    if settings.privacy.key is not None:
        secret = settings.privacy.key.get_secret_value().encode()
    elif settings.bus.kind == "embedded":
        secret = _key_file(settings.bus.path.parent / KEY_FILE)
    else:
        raise SynopticError(Code.NO_PRIVACY_KEY, settings.bus.kind)
    _require_length(secret)
    return secret


def _require_length(secret: bytes) -> None:
    if len(secret) < MINIMUM_KEY_LENGTH:
        raise SynopticError(Code.BAD_PRIVACY_KEY, f"shorter than {MINIMUM_KEY_LENGTH} characters")


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
