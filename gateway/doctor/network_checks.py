"""Why a server cannot be reached: the name, the port, TLS or time, told apart and without the server's own words."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

HOST_MISMATCHES = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


@dataclass(frozen=True)
class NetworkFault:
    """What stands between this machine and a server, and what to do about it."""

    found: str
    remedy: str


def network_fault(error: BaseException, address_key: str, ca_key: str) -> NetworkFault | None:
    """What an exception, or one that caused it, says of the network; None where it says nothing of it.

    `address_key` and `ca_key` are the settings to name in the remedy.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate_fault(cause, address_key, ca_key)
        if isinstance(cause, ssl.SSLError):
            return _handshake_fault(cause, address_key)
        if isinstance(cause, socket.gaierror):
            return NetworkFault("no such host", f"correct {address_key}, or this machine's name service")
        if isinstance(cause, ConnectionRefusedError):
            return NetworkFault("nothing listens there", f"start the server, or correct {address_key}")
        if isinstance(cause, TimeoutError):
            return NetworkFault("no answer in time", f"look at the server and the firewall, or correct {address_key}")
        if isinstance(cause, ConnectionError):
            return NetworkFault("the connection was cut", f"see whether {address_key} is that server's own port")
        if isinstance(cause, OSError) and cause.errno is not None:
            return NetworkFault("the network cannot be used", f"correct {address_key}, or this machine's network")
    return None


def is_loopback(host: str) -> bool:
    """True where what is sent to the host stays on this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _certificate_fault(error: ssl.SSLCertVerificationError, address_key: str, ca_key: str) -> NetworkFault:
    if error.verify_code in HOST_MISMATCHES:
        return NetworkFault("its certificate is for another host", f"name it in {address_key} as its certificate does")
    if error.verify_code == EXPIRED:
        return NetworkFault("its certificate has expired", "renew the server's certificate")
    return NetworkFault("its certificate is not trusted", f"set {ca_key} to the PEM of the authority that signed it")


def _handshake_fault(error: ssl.SSLError, address_key: str) -> NetworkFault:
    if error.reason in NOT_TLS or isinstance(error, ssl.SSLEOFError):
        return NetworkFault("it does not speak TLS there", f"correct {address_key}: that port is one without TLS")
    return NetworkFault(
        f"TLS failed ({error.reason or 'no reason'})",
        "see which TLS version and client certificate the server asks for",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it, the deepest first: libraries wrap the one that tells."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return reversed(chain)
