"""Kafka's clients: their arguments from the settings, how they connect, and what their errors mean to Synoptic.

kafka-python shows a refused client and an absent broker alike, as a time-out; which of the two it was stands only in
its log. So its log records are read while a client connects. Nothing of them is kept or printed.
"""

import logging
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import errors
from kafka.net.sasl.oauth import AbstractTokenProvider

from schemas.errors import Code, SynopticError
from schemas.settings import BusSettings
from schemas.topics import RECORD_ROOM_BYTES
from workers.buses.kafka_library import Consumer

MILLISECONDS = 1000
CONNECTION_LOGGER = "kafka"
_REFUSED = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
    errors.SecurityDisabledError,
)
_REFUSED_WHILE_CONNECTING = (*_REFUSED, errors.InvalidReceiveError, ssl.SSLError)
# A broker may close the connection faster than its reason is read, and one that expects TLS gives plain text none.
_HUNG_UP = "socket disconnected"
_CONNECTION_END = "kafka.net.connection"
# When the time to connect is over, the client ends what it has begun: that says nothing of the broker.
_OUR_PATIENCE_ENDED = (errors.RequestTimedOutError, errors.KafkaTimeoutError)
_FENCED = (
    errors.ProducerFencedError,
    errors.InvalidProducerEpochError,
    errors.TransactionCoordinatorFencedError,
    errors.FencedInstanceIdError,
    errors.InvalidProducerIdMappingError,
)
_STALE = (
    errors.CommitFailedError,
    errors.IllegalGenerationError,
    errors.UnknownMemberIdError,
    errors.RebalanceInProgressError,
)
_UNFIT_TOPIC = (
    errors.UnknownTopicOrPartitionError,
    errors.InvalidTopicError,
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.PolicyViolationError,
)
_BAD_SETTINGS = (
    errors.KafkaConfigurationError,
    errors.InvalidSessionTimeoutError,
    errors.InvalidTransactionTimeoutError,
)
_MEANINGS = (
    (_REFUSED, Code.BUS_REFUSES),
    (_FENCED, Code.FENCED),
    (_STALE, Code.STALE_BATCH),
    (_UNFIT_TOPIC, Code.NO_TOPIC),
    (_BAD_SETTINGS, Code.BAD_SETTINGS),
    ((errors.UnsupportedCodecError,), Code.MISSING_EXTRA),
)
_DETAILS = {
    errors.InvalidSessionTimeoutError: "bus.session_timeout_seconds: outside of what the broker allows",
    errors.InvalidTransactionTimeoutError: "bus.transaction_timeout_seconds: longer than the broker allows",
    errors.UnsupportedCodecError: "that decompresses a message of the bus",
}


def meaning(error: errors.KafkaError) -> SynopticError:
    """The numbered error for one of kafka-python's; its text is left out, since it may name ids."""
    code = next((code for kinds, code in _MEANINGS if isinstance(error, kinds)), Code.BUS_UNAVAILABLE)
    return SynopticError(code, _DETAILS.get(type(error), type(error).__name__))


@contextmanager
def translated(reader: Consumer | None = None) -> Iterator[None]:
    """Raise kafka-python's errors as numbered ones, with the place of what `reader` could not read."""
    try:
        yield
    except errors.CorruptRecordError:
        raise SynopticError(Code.UNREADABLE_RECORD, reader.place_of_fault() if reader else "") from None
    except errors.KafkaError as error:
        raise meaning(error) from None


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]
    """Gives the token that the file holds at that moment, so that another process may renew it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def token(self) -> str:
        """The present token."""
        return self._path.read_text(encoding="ascii").strip()


def client_arguments(settings: BusSettings) -> dict[str, Any]:
    """What every client needs to reach the broker and to prove who it is."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(settings.servers),
        "client_id": f"{settings.topic_prefix}synoptic-{settings.instance_id}",
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": round(settings.request_timeout_seconds * MILLISECONDS),
        "bootstrap_timeout_ms": round(settings.request_timeout_seconds * MILLISECONDS),
        "reconnect_backoff_max_ms": MILLISECONDS,
    }
    if settings.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = _tls(settings)
    if settings.security_protocol.startswith("SASL"):
        arguments |= _sasl(settings)
    return arguments


def consumer_arguments(settings: BusSettings) -> dict[str, Any]:
    """What every consumer needs besides: committed records only, and room for the largest message."""
    return client_arguments(settings) | {
        "isolation_level": "read_committed",
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "allow_auto_create_topics": False,
        "fetch_max_bytes": settings.maximum_message_bytes + RECORD_ROOM_BYTES,
        "metrics_enabled": False,
    }


def connect(client: Callable[..., Any], *positional: Any, **arguments: Any) -> Any:
    """Open a client; raises SYN-512 where the broker refuses it, SYN-501 where none answers in time."""
    refusals = _Refusals()
    library = logging.getLogger(CONNECTION_LOGGER)
    library.addHandler(refusals)
    try:
        return client(*positional, **arguments)
    except errors.KafkaTimeoutError:
        if refusals.seen:
            raise SynopticError(Code.BUS_REFUSES, refusals.seen) from None
        raise SynopticError(Code.BUS_UNAVAILABLE, "no broker answers") from None
    except errors.KafkaError as error:
        raise meaning(error) from None
    finally:
        library.removeHandler(refusals)


@contextmanager
def open_reader(settings: BusSettings, **changes: Any) -> Iterator[Any]:
    """A consumer that joins no group: it reads what it is told to; `group_id` lets it ask for that group's offsets."""
    reader = connect(Consumer, **(consumer_arguments(settings) | {"group_id": None} | changes))
    try:
        with translated(reader):
            yield reader
    finally:
        reader.close(autocommit=False)


class _Refusals(logging.Handler):
    """Reads from the log whether a broker answered and refused, or whether none answered at all."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._named = ""
        self._hung_up: Counter[object] = Counter()
        self._unreachable: set[object] = set()

    @property
    def seen(self) -> str:
        """Why the broker refused; empty where nothing says that it did."""
        hangs_up = any(count > 1 and server not in self._unreachable for server, count in self._hung_up.items())
        return self._named or ("it hangs up" if hangs_up else "")

    def emit(self, record: logging.LogRecord) -> None:
        """Note the kinds of the errors that the record carries."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        carried = [argument for argument in arguments if isinstance(argument, BaseException)]
        causes = [error.__context__ for error in carried] + [record.exc_info[1] if record.exc_info else None]
        for error in (*carried, *causes):
            if isinstance(error, _REFUSED_WHILE_CONNECTING) and not isinstance(error, ssl.SSLEOFError):
                self._named = type(error).__name__
        if record.name == _CONNECTION_END and carried and not isinstance(carried[0], _OUR_PATIENCE_ENDED):
            hung_up = _HUNG_UP in str(carried[0]) or isinstance(carried[0].__context__, ssl.SSLEOFError)
            server = getattr(arguments[0], "node_id", None)
            if hung_up:
                self._hung_up[server] += 1
            else:
                self._unreachable.add(server)


def _tls(settings: BusSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError:
        raise SynopticError(Code.BAD_SETTINGS, "bus.ca_file: no readable file of PEM certificates") from None
    try:
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except OSError:
        raise SynopticError(
            Code.BAD_SETTINGS, "bus.certificate_file, bus.key_file: no readable PEM files of a certificate and its key"
        ) from None
    return context


def _sasl(settings: BusSettings) -> dict[str, Any]:
    if settings.sasl_mechanism == "OAUTHBEARER":
        if settings.token_file is None or not settings.token_file.is_file():
            raise SynopticError(Code.BUS_REFUSES, "token_file is not there")
        return {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": TokenFile(settings.token_file)}
    if settings.username is None or settings.password is None:
        raise SynopticError(Code.BUS_REFUSES, "username or password is not set")
    return {
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.username,
        "sasl_plain_password": settings.password.get_secret_value(),
    }
