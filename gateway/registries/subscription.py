"""A registry as data: one YAML file in `registry.folder` says what it wants and where it is delivered.

Every fault of every file is found at once, with file, line and key. The file's name is the registry's.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from gateway.doctor.network_checks import is_loopback
from schemas.errors import Code, SynopticError
from schemas.fhirpath import fault_in, names_in
from schemas.frozen import Frozen
from schemas.settings import FhirSettings, Settings, SmartSettings, smart_faults
from schemas.topics import TOPICS
from schemas.yaml_source import Fault, line_of, load_model, load_yaml

SUFFIX = ".yaml"
HOP_PREFIX = "registry_"
_NAME = re.compile(r"[a-z][a-z_]{0,23}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")
_URL = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?")
_CODE = re.compile(r"(?:[^|\s]+\|)?[^|\s]+")
_FACILITY = re.compile(r"Organization/[A-Za-z0-9.-]{1,64}|[^|\s]*\|[^|]+")
_NAMED_BY = "system|value, or a reference such as Organization/1"
Place = tuple[int | str, ...]
Status = Literal["registered", "preliminary", "final", "amended", "corrected"]
Form = Literal["transaction", "collection", "message"]


def _coded(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError("give system|code, or the code alone")
    return text


def _facility(text: str) -> str:
    if not _FACILITY.fullmatch(text):
        raise ValueError(f"give {_NAMED_BY}")
    return text


def _condition(path: str) -> str:
    # Outside a function the elements are held to be a report's, and this is asked of a Bundle.
    is_wrong = fault_in(f"select({path})") is not None
    if fault := (fault_in(path) if is_wrong else None) or _named(names_in(path)):
        raise ValueError(fault)
    return path


def _topic(name: str) -> str:
    if not _TOPIC.fullmatch(name):
        raise ValueError("give 1 to 200 letters A to Z, digits, dots, underscores or hyphens")
    if name in {topic.name for topic in TOPICS}:
        raise ValueError("is a topic of Synoptic's own; give the registry one of its own")
    return name


def _folder(path: Path) -> Path:
    if not path.name:
        raise ValueError("give a folder of the registry's own")
    return path


class Criteria(Frozen):
    """What a registry wants: of a report (each that is given must hold), and which of its resources."""

    packs: tuple[str, ...] = Field(default=(), description="sites by pack; none: every one")
    codes: tuple[Annotated[str, AfterValidator(_coded)], ...] = Field(
        default=(), description="system|code or a code; one of them must stand in what is sent"
    )
    facilities: tuple[Annotated[str, AfterValidator(_facility)], ...] = Field(
        default=(), description=f"sending organisations, {_NAMED_BY}; one of them must have made the report"
    )
    fhirpath: Annotated[str, AfterValidator(_condition)] | None = Field(
        default=None, description="a condition over the whole delivery, as a collection Bundle"
    )
    statuses: tuple[Status, ...] = Field(
        default=("final", "amended", "corrected"), min_length=1, description="of the resources that are sent"
    )
    confidence: float = Field(default=0.0, ge=0, le=1, description="the least probability of a value that is sent")
    computed_stage: bool = Field(default=False, description="send the computed anatomic stage group as well")


class FhirTarget(Frozen):
    """A registry's own FHIR server."""

    base_url: str
    bearer_token_file: Path | None = None
    smart: SmartSettings = SmartSettings()
    ca_file: Path | None = None
    timeout_seconds: float = Field(default=20, gt=0)
    attempts: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        """Refuse what no server could be reached by, or proven to."""
        if not _URL.fullmatch(self.base_url):
            raise ValueError("base_url: give http:// or https://, a host and a path, and no user or query")
        if faults := list(smart_faults(self.smart, self.bearer_token_file is not None, "deliver.fhir")):
            raise ValueError("; ".join(faults))
        return self

    def settings(self) -> FhirSettings:
        """The same as the FHIR client takes it; its hop waits between attempts, so that no breaker has to."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return FhirSettings(**given, connections=1, breaker_failures=sys.maxsize)


class KafkaTarget(Frozen):
    """A topic of the registry's own on the brokers of `bus`."""

    topic: Annotated[str, AfterValidator(_topic)]


class FolderTarget(Frozen):
    """A folder that gets one file a delivery, each a line of JSON."""

    path: Annotated[Path, AfterValidator(_folder)]


class Target(Frozen):
    """Where it goes: one of the three."""

    fhir: FhirTarget | None = None
    kafka: KafkaTarget | None = None
    folder: FolderTarget | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        """Refuse none and several."""
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise ValueError("give one of fhir, kafka, folder")
        return self


class Definition(Frozen):
    """A registry's file."""

    title: str = ""
    criteria: Criteria = Criteria()
    form: Form = Field(
        default="transaction",
        description="transaction: resources under their own ids; collection: one Bundle for each patient, encounter and "
        "organisation; message: the collection in a message for $process-message",
    )
    composition: bool = Field(default=False, description="begin a collection with a Composition, where one can be made")
    deliver: Target

    def faults(self) -> Iterable[tuple[Place, str]]:
        """What its shape alone does not show."""
        if self.composition and self.form == "transaction":
            yield ("composition",), "a transaction has no Composition; give form: collection or message"


class Subscription(Frozen):
    """A registry by name, as its file defines it."""

    name: str
    definition: Definition

    @property
    def hop(self) -> str:
        """The name of its hop, and after `synoptic-` of its consumer group."""
        return HOP_PREFIX + self.name


def of_file(name: str, error: SynopticError) -> SynopticError:
    """The same fault of what a registry's file names (a key, a token, a certificate) as one of that file."""
    if error.code not in (Code.BAD_SETTINGS, Code.SMART_KEY):
        return error
    place = "fhir.smart.key_file: " if error.code is Code.SMART_KEY else ""
    return SynopticError(Code.BAD_SUBSCRIPTION, f"{name}{SUFFIX}: deliver.{place}{error.detail}")


def find_subscription(name: str, settings: Settings) -> Subscription:
    """A registry by name, whatever the other files hold; raises SYN-475 for faults of its own, SYN-477 where it has no file."""
    found, faults = read_subscriptions(settings)
    for one in found:
        if one.name == name:
            return one
    if own := [fault for fault in faults if fault.file == name + SUFFIX]:
        raise SynopticError(Code.BAD_SUBSCRIPTION, "; ".join(map(str, own)))
    raise SynopticError(Code.NO_REGISTRY, "of that name")


def load_subscriptions(settings: Settings) -> list[Subscription]:
    """Every registry by name; raises SYN-475 with every fault of every file. None where the folder is not there."""
    found, faults = read_subscriptions(settings)
    if faults:
        raise SynopticError(Code.BAD_SUBSCRIPTION, "; ".join(map(str, faults)))
    return found


def read_subscriptions(settings: Settings) -> tuple[list[Subscription], list[Fault]]:
    """The registries whose files have no fault, and the faults of the others."""
    folder = settings.registry.folder
    found: list[Subscription] = []
    faults: list[Fault] = []
    for path in sorted(folder.glob("*.yml")):
        faults.append(Fault(path.name, 1, "(file)", f"is not read: let its name end in {SUFFIX}"))
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        definition, wrong = load_model(path, Definition)
        if not _NAME.fullmatch(path.stem):
            wrong = [Fault(path.name, 1, "(file)", "name it by up to 24 letters a to z and underscores"), *wrong]
        if definition is not None:
            data, _ = load_yaml(path)
            misfits = _misfits(definition, settings)
            wrong += [Fault(path.name, line_of(data, at), ".".join(map(str, at)), text) for at, text in misfits]
        if definition is not None and not wrong:
            same = [one.name for one in found if _share_folder(definition, one.definition)]
            wrong = [_same_folder(path.name, name) for name in same]
            found += [] if same else [Subscription(name=path.stem, definition=definition)]
        faults += wrong
    return found, faults


def _misfits(definition: Definition, settings: Settings) -> Iterator[tuple[Place, str]]:
    """What is right by itself and does not fit the settings."""
    target = definition.deliver
    if target.kafka is not None and settings.bus.kind != "kafka":
        yield ("deliver", "kafka"), "the embedded bus has no topics for others; give fhir or folder, or bus.kind kafka"
    if settings.bus.kind == "kafka" and settings.fhir.base_url is None:
        yield ("deliver",), "what a delivery refers to is read from the EHR's FHIR server; set fhir.base_url"
    if target.fhir is not None and _is_plain(target.fhir.base_url) and not settings.privacy.allow_plaintext:
        yield (
            ("deliver", "fhir", "base_url"),
            "http would send patient data unencrypted to another machine; use https, or set privacy.allow_plaintext "
            "where the network is closed",
        )
    unknown = sorted(set(definition.criteria.packs) - set(settings.packs))
    if unknown:
        yield ("criteria", "packs"), f"no pack {', '.join(unknown)} is loaded; expected of {', '.join(settings.packs)}"


def _same_folder(file: str, other: str) -> Fault:
    return Fault(file, 1, "deliver.folder.path", f"is that of {other}; one's files would replace the other's")


def _share_folder(one: Definition, other: Definition) -> bool:
    first, second = one.deliver.folder, other.deliver.folder
    return first is not None and second is not None and first.path.resolve() == second.path.resolve()


def _is_plain(url: str) -> bool:
    """Whether what is sent there crosses a network unencrypted."""
    address = urlsplit(url)
    return address.scheme == "http" and not is_loopback(address.hostname or "")


def _named(names: Iterable[str]) -> str | None:
    unknown = [f"%{name}" for name in names]
    return f"no variable {', '.join(unknown)}" if unknown else None
