"""Certificates of an authority made on the spot, for servers of this host and their clients."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY_BITS = 2048
VALID_FOR = timedelta(days=365)
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class IssuedFiles:
    """The PEM files of one holder: the certificate, the key, and both in one."""

    certificate: Path
    key: Path
    key_and_certificate: Path


class CertificateAuthority:
    """An authority whose certificate is `ca_file`; its own key is never written."""

    def __init__(self, folder: Path, name: str = "local test authority") -> None:
        """Make the authority's key and certificate."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = new_key()
        self._name = _named(name)
        usage = {"digital_signature": False, "content_commitment": False, "key_encipherment": False}
        usage |= {"data_encipherment": False, "key_agreement": False, "encipher_only": False, "decipher_only": False}
        certificate = (
            _begun(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> IssuedFiles:
        """A certificate for one holder, as server of this host and as client."""
        key = new_key()
        addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _begun(_named(name), self._name, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        public = certificate.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        files = IssuedFiles(*(self._folder / f"{name}{ending}.pem" for ending in ("", "-key", "-key-and-certificate")))
        files.certificate.write_bytes(public)
        for path, content in ((files.key, private), (files.key_and_certificate, private + public)):
            path.touch(mode=0o600)
            path.write_bytes(content)
        return files


def new_key() -> rsa.RSAPrivateKey:
    """A new private key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def _named(name: str) -> x509.Name:
    """A distinguished name that is only a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    """What every certificate here has."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALID_FOR)
    )
