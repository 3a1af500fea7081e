"""The one settings file (synoptic.yaml), each key overridden by SYNOPTIC_<KEY>__<KEY>; every fault at once.

`synoptic config show` prints all keys with their values; secrets are never printed.
"""

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from schemas.errors import Code, SynopticError
from schemas.settings_file import SETTINGS_VARIABLE, read_settings_file

PREFIX = "SYNOPTIC_"
DELIMITER = "__"
_OWN_WORDS = "Value error, "  # what pydantic puts before a validator's own words
_NAME_CHARACTERS = "letters A to Z, digits, dots, underscores or hyphens"
_URL_EXPECTED = "give http:// or https://, a host and a path, such as https://ehr.example/fhir, and no user or query"
STARTER_MODEL = Path(__file__).resolve().parent.parent / "model" / "starter"


def _like(pattern: str, expected: str) -> AfterValidator:
    """Take text of this pattern; the fault says in words what was expected."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(expected)
        return text

    return AfterValidator(check)


class Section(BaseModel):
    """A group of keys; unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any, info: ValidationInfo) -> Any:
        """Take an empty text for none where a key may have none: a variable has no other way to say so."""
        may_be_none = info.field_name is not None and cls.model_fields[info.field_name].default is None
        return None if value == "" and may_be_none else value


class IntakeSettings(Section):
    """What intake accepts, and how a report is identified."""

    identifier_systems: tuple[str, ...] = Field(
        default=("*",), description="ordered; the first system that a report carries is its identity; * takes any"
    )
    maximum_attachment_bytes: int = Field(default=24 * 1024 * 1024, gt=0, description="decoded, one attachment")
    maximum_text_characters: int = Field(
        default=1_000_000, gt=0, description="of one report, in whatever format it came"
    )
    pdf_seconds: float = Field(default=10, gt=0, description="for one PDF or other document, in its subprocess")
    pdf_memory_mib: int = Field(default=512, gt=0, description="of that subprocess")
    ocr_seconds: float = Field(default=60, gt=0, description="for one page, in its subprocess")
    ocr_memory_mib: int = Field(default=2048, gt=0, description="of that subprocess")
    ocr_engine: Literal["auto", "tesserocr", "rapidocr", "easyocr"] = Field(
        default="auto", description="auto: the first of these that is installed with its data (docs/ocr.md)"
    )
    ocr_least_confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="what a page says that was read with less is for a person; without one, the engine's own (docs/ocr.md)",
    )


class BusSettings(Section):
    """Which bus carries the messages between hops."""

    kind: Literal["embedded", "kafka"] = Field(
        default="embedded", description="embedded: one machine, one consuming process; kafka: all else"
    )
    path: Path = Field(default=Path("synoptic-data/bus.sqlite"), description="the embedded bus's file")
    bootstrap_servers: str = Field(default="127.0.0.1:9092", description="Kafka only; several separated by commas")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Kafka only; without TLS only on this machine, or with privacy.allow_plaintext"
    )
    ca_file: Path | None = Field(default=None, description="PEM of who signed the brokers; none: the system's")
    certificate_file: Path | None = Field(default=None, description="PEM of the client's certificate (mutual TLS)")
    key_file: Path | None = Field(default=None, description="PEM of the client's key")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        default="SCRAM-SHA-512", description="with a SASL_ protocol"
    )
    username: str | None = Field(default=None, description="for PLAIN and SCRAM")
    password: SecretStr | None = Field(default=None, description="for PLAIN and SCRAM")
    token_file: Path | None = Field(default=None, description="for OAUTHBEARER: a file that holds the present token")
    instance_id: Annotated[str, _like(r"[A-Za-z0-9._-]{1,64}", f"give 1 to 64 {_NAME_CHARACTERS}")] = Field(
        default="0",
        description="tells processes of one hop apart, the same after a restart; two with one id fence each other",
    )
    topic_prefix: Annotated[str, _like(r"[A-Za-z0-9._-]{0,64}", f"give at most 64 {_NAME_CHARACTERS}")] = Field(
        default="",
        description="Kafka only: before every topic, group and transactional id, where installations share a cluster",
    )
    create_topics: bool = Field(default=True, description="Kafka only: create topics that are missing")
    partitions: int = Field(default=4, ge=1, description="Kafka only: of a topic that is created")
    replication_factor: int = Field(
        default=-1, ge=-1, description="Kafka only: of a topic that is created; -1: the cluster's default"
    )
    session_timeout_seconds: float = Field(
        default=45, gt=0, description="Kafka only: a silent member loses its place after it"
    )
    poll_interval_seconds: float = Field(
        default=300, gt=0, description="a hop counts as hung, and loses its place, if one batch takes longer"
    )
    transaction_timeout_seconds: float = Field(
        default=60, gt=0, description="Kafka only: the broker aborts a transaction that stays open longer"
    )
    request_timeout_seconds: float = Field(
        default=30, gt=0, description="Kafka only: for one answer of a broker, and for finding the first one"
    )
    batch_seconds: float = Field(
        default=1800, gt=0, description="a hop that works on one batch for longer counts as hung and loses its place"
    )
    batch_size: int = Field(default=32, ge=1, description="records that a hop works on together")
    maximum_message_bytes: int = Field(default=32 * 1024 * 1024, gt=0, description="the same on every topic and client")
    rejected_share: float = Field(default=0.2, gt=0, le=1, description="a hop stops past this share of rejects")
    rejected_window: int = Field(default=200, ge=1, description="the last records that the share is counted over")
    rejected_minimum: int = Field(default=50, ge=1, description="no hop stops before it has seen as many")

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses in `bootstrap_servers`."""
        return tuple(server.strip() for server in self.bootstrap_servers.split(",") if server.strip())


class SmartSettings(Section):
    """SMART Backend Services: this client proves itself with a key of its own, and is given short tokens."""

    client_id: str | None = Field(default=None, description="as the server registered this client; none: not used")
    key_file: Path | None = Field(
        default=None,
        description="the private key, PEM or JWK, RSA (RS384) or EC P-384 (ES384), that only its owner may read",
    )
    key_id: str | None = Field(default=None, description="its kid; none: the JWK's own, else its RFC 7638 thumbprint")
    scope: str = Field(default="system/*.read system/*.write", description="what is asked for")
    token_url: str | None = Field(
        default=None, description="the token endpoint; none: the one that .well-known/smart-configuration names"
    )


class FhirSettings(Section):
    """Where coded resources go."""

    base_url: Annotated[str, _like(r"https?://[^/?#@\s]+(/[^?#\s]*)?", _URL_EXPECTED)] | None = Field(
        default=None,
        description="a FHIR R4 server, such as https://ehr.example/fhir; none: the folder below",
    )
    bearer_token: SecretStr | None = Field(default=None, description="sent as Authorization: Bearer")
    bearer_token_file: Path | None = Field(
        default=None, description="a file that holds the present token; read again when the server refuses it"
    )
    smart: SmartSettings = SmartSettings()
    ca_file: Path | None = Field(default=None, description="PEM of who signed the server; none: the system's")
    timeout_seconds: float = Field(default=20, gt=0, description="for one answer of the server")
    attempts: int = Field(default=4, ge=1, description="of one request under 429, 5xx or a lost connection")
    breaker_failures: int = Field(default=8, ge=1, description="failures in a row after which the server is left alone")
    breaker_seconds: float = Field(default=15, gt=0, description="how long; then one request tries again")
    connections: int = Field(default=4, ge=1, description="reports that emission writes at once")
    folder: Path = Field(default=Path("synoptic-data/fhir"), description="the folder store")
    target_wait_seconds: float = Field(
        default=900, ge=0, description="how long findings wait for the Patient or report that they refer to"
    )
    target_retry_seconds: float = Field(default=15, gt=0, description="how often that is looked up again")
    condition: Literal["write", "reference_existing", "none"] = Field(
        default="write",
        description="what the Observations focus on: a Condition that Synoptic writes; the EHR's own, where it holds "
        "exactly one active one of that patient and side, else as write; or none",
    )
    audit: bool = Field(default=False, description="write an AuditEvent with each report and each decision")
    companion_report: bool = Field(
        default=False, description="write a preliminary, unsigned DiagnosticReport over what was extracted"
    )
    organization: Annotated[
        str, _like(r"Organization/[A-Za-z0-9.-]{1,64}", "give Organization/ and its id, such as Organization/synoptic")
    ] = Field(default="Organization/synoptic", description="Provenance.agent.onBehalfOf; must be on the server")


class ModelSettings(Section):
    """Which checkpoint classifies, and on what."""

    path: str = Field(
        default=str(STARTER_MODEL), description="a folder or hub id with config, weights, adapter and heads"
    )
    device: str = Field(default="cpu", description="as torch names it: cpu, cuda, cuda:1")
    dtype: Literal["float32", "bfloat16", "nf4"] = Field(
        default="float32", description="of the backbone; nf4 needs a GPU; the heads are always float32"
    )
    token_budget: int = Field(default=8192, gt=0, description="padded tokens in one forward pass")
    threads: int = Field(default=0, ge=0, description="torch threads; 0: torch's own choice")


class PrivacySettings(Section):
    """The secret behind report keys and the patients' keys, where these lie, and what de-identified text shows."""

    key: SecretStr | None = Field(
        default=None, description="32 random characters or more; none: a key file is made beside the embedded bus"
    )
    key_store: Path | None = Field(
        default=None,
        description="the file of the patients' keys, which all processes share; none: it lies beside the embedded bus",
    )
    dates: Literal["tag", "shift"] = Field(
        default="tag",
        description="what `synoptic deid` writes for a date: tag, or shift: moved by the same unknown days for a patient",
    )
    names: Literal["tag", "number"] = Field(
        default="tag", description="what `synoptic deid` writes for a name: [NAME], or number: [NAME 1] for each person"
    )
    allow_plaintext: bool = Field(
        default=False, description="let patient data travel unencrypted to other machines (a closed network)"
    )


class MappingSettings(Section):
    """Choices that mapping.yaml leaves to a site."""

    anatomic_stage: bool = Field(
        default=True, description="send the computed anatomic group; AJCC licenses the use of its content"
    )
    assume_m0: bool = Field(
        default=False, description="take M0 for an M that is not stated; the stage group then says so on its resource"
    )
    prognostic_table: Path | None = Field(
        default=None, description="a licensed table of stage groups (docs/staging.md); none ships with Synoptic"
    )
    review_values: bool = Field(default=False, description="send values in review as preliminary, labelled UNCERTREL")
    codes: Literal["snomed", "ajcc"] = Field(
        default="snomed", description="of T, N, M; ajcc: AJCC's own codes, which it licenses to a site"
    )
    overlays: tuple[Path, ...] = Field(
        default=(), description="folders with an overlay.yaml; the first one for a report's sender is used"
    )


class RegistrySettings(Section):
    """Where registries subscribe, and where it is kept what each was sent (docs/registries.md)."""

    folder: Path = Field(default=Path("registries"), description="one YAML file a registry; not there: no registries")
    state: Path = Field(
        default=Path("synoptic-data/registries.sqlite"),
        description="the file of what each registry was sent, by derived ids; made at the first use",
    )


class ReviewSettings(Section):
    """Who decides what a report leaves to a person."""

    by: str | None = Field(
        default=None, description="the Practitioner, as Practitioner/ and an id or system|value; `--by` comes before it"
    )


class LoggingSettings(Section):
    """How structlog writes."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is logged")
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, else JSON"
    )


class MetricsSettings(Section):
    """Where `synoptic run` serves /metrics, /health/live and /health/ready."""

    port: int = Field(default=0, ge=0, le=65535, description="0: not served")
    address: str = Field(default="127.0.0.1", description="the address to listen on; no answer holds PHI")


class Settings(BaseSettings):
    """All settings of every hop."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    tenant: str = Field(default="default", description="part of every derived id: keeps two EHRs' reports apart")
    packs: tuple[str, ...] = Field(default=("breast",), description="reports go to the first one that claims them")
    intake: IntakeSettings = IntakeSettings()
    bus: BusSettings = BusSettings()
    fhir: FhirSettings = FhirSettings()
    model: ModelSettings = ModelSettings()
    privacy: PrivacySettings = PrivacySettings()
    mapping: MappingSettings = MappingSettings()
    review: ReviewSettings = ReviewSettings()
    registry: RegistrySettings = RegistrySettings()
    logging: LoggingSettings = LoggingSettings()
    metrics: MetricsSettings = MetricsSettings()

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Refuse keys that are each right and together wrong, all of them at once."""
        plaintext = self.privacy.allow_plaintext
        kafka_faults = _kafka_faults(self.bus, plaintext) if self.bus.kind == "kafka" else ()
        if faults := [*_bus_faults(self.bus), *kafka_faults, *_fhir_faults(self.fhir, plaintext)]:
            raise ValueError("; ".join(faults))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over the settings file over defaults."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, read_settings_file())


def _bus_faults(bus: BusSettings) -> Iterator[str]:
    if bus.rejected_minimum > bus.rejected_window:
        yield (
            f"bus.rejected_minimum, bus.rejected_window: no hop would ever stop, as {bus.rejected_minimum} records are "
            f"never among the last {bus.rejected_window}; let the minimum be no more than the window"
        )


def _kafka_faults(bus: BusSettings, plaintext: bool) -> Iterator[str]:
    if not bus.servers:
        yield "bus.bootstrap_servers: give at least one host:port"
    encrypted = bus.security_protocol in ("SSL", "SASL_SSL")
    if not (encrypted or plaintext or all(_is_this_machine(f"//{server}") for server in bus.servers)):
        yield (
            f"bus.security_protocol: {bus.security_protocol} would send patient data unencrypted to another machine; "
            "use SSL or SASL_SSL, or set privacy.allow_plaintext where the network is closed"
        )
    if (bus.certificate_file is None) != (bus.key_file is None):
        yield "bus.certificate_file, bus.key_file: give both or neither"
    if bus.security_protocol.startswith("SASL_"):
        if bus.sasl_mechanism == "OAUTHBEARER":
            if bus.token_file is None:
                yield "bus.token_file: give it, OAUTHBEARER needs it"
        elif not (bus.username and bus.password):
            yield f"bus.username, bus.password: give both, {bus.sasl_mechanism} needs them"
    for shorter, longer in (("session_timeout", "poll_interval"), ("request_timeout", "transaction_timeout")):
        seconds = [getattr(bus, f"{name}_seconds") for name in (shorter, longer)]
        if seconds[0] >= seconds[1]:
            yield (
                f"bus.{shorter}_seconds, bus.{longer}_seconds: the first is {seconds[0]:g} and must be less than "
                f"the second, {seconds[1]:g}; lower the one or raise the other"
            )


def _fhir_faults(fhir: FhirSettings, plaintext: bool) -> Iterator[str]:
    if fhir.base_url and fhir.base_url.startswith("http://") and not (plaintext or _is_this_machine(fhir.base_url)):
        yield (
            "fhir.base_url: http would send patient data unencrypted to another machine; "
            "use https, or set privacy.allow_plaintext where the network is closed"
        )
    if fhir.bearer_token and fhir.bearer_token_file:
        yield "fhir.bearer_token, fhir.bearer_token_file: give one or the other"
    yield from smart_faults(fhir.smart, bool(fhir.bearer_token or fhir.bearer_token_file))


def smart_faults(smart: SmartSettings, has_bearer_token: bool, place: str = "fhir") -> Iterator[str]:
    """What of the keys under `place` does not fit together."""
    if (smart.client_id is None) != (smart.key_file is None):
        yield f"{place}.smart.client_id, {place}.smart.key_file: give both or neither"
    if smart.client_id and has_bearer_token:
        yield f"{place}.smart.client_id: gets its own tokens; give no {place}.bearer_token or {place}.bearer_token_file"


def _is_this_machine(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings() -> Settings:
    """Read the settings; raises SYN-601 that lists every fault with its key and what was expected."""
    faults = _unknown_variables()
    try:
        settings = Settings()
        if not faults:
            return settings
    except ValidationError as error:
        # Faults between keys belong to no single one: they have no place, and name their keys themselves.
        faults += [
            ": ".join(filter(None, (".".join(str(step) for step in item["loc"]), item["msg"].removeprefix(_OWN_WORDS))))
            for item in error.errors(include_url=False, include_input=False)
        ]
    except SettingsError as error:
        # Its text names the section and not the value.
        faults.append(f'{error}: in a variable a list or a section is JSON, such as ["breast"]')
    raise SynopticError(Code.BAD_SETTINGS, "; ".join(faults))


def _unknown_variables() -> list[str]:
    """What is wrong with variables of ours that name no key: pydantic-settings itself passes over them."""
    known = {*_variables(Settings), SETTINGS_VARIABLE}
    faults = []
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            (nearest, *_) = [*get_close_matches(name.upper(), sorted(known), 1, 0), SETTINGS_VARIABLE]
            faults.append(f"{name}: no setting has this variable; did you mean {nearest}?")
    return faults


def _variables(section: type[BaseModel], prefix: str = PREFIX) -> Iterator[str]:
    """The variable of every key; a whole section may be given as JSON."""
    for name, field in section.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        yield variable
        if isinstance(field.default, Section):
            yield from _variables(type(field.default), f"{variable}{DELIMITER}")
