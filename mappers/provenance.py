"""The manifest: one Provenance a report, with a derived id, that says what was written, from what and by what.

Emission reads it back before each write, so everything it compares is here: the report's version, the digest of its
content, the digest of the configuration, the Conditions of the EHR that were referred to, and the ids it targets.
Beside it stands one Provenance for each decision of a person, the verifier of what it targets.
"""

from collections.abc import Iterable
from collections.abc import Mapping as Map
from dataclasses import dataclass
from typing import Any

from mappers.identity import (
    CANONICAL,
    CONFIGURATION_DIGEST,
    CONTENT_DIGEST,
    KNOWN_CONDITION,
    REPORT_VERSION,
    derived_id,
    device_id,
    digest,
)
from mappers.references import Resource, reference_of, reference_to
from mappers.variables import MACHINE_LABEL
from schemas.messages import Configuration, ReportContext, ReportVersion, Settlement
from schemas.rule_table import RuleTable
from schemas.settings import Settings

MAPPER_REVISION = 1  # raised when the engine itself changes what it makes of the same mapping
_PROFILE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-provenance"
_ASSEMBLER = {
    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
    "code": "assembler",
    "display": "Assembler",
}
_VERIFIER = {
    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
    "code": "verifier",
    "display": "Verifier",
}
_VERSION_PARTS = {"issued": "valueInstant", "last_updated": "valueInstant", "version_id": "valueString"}


@dataclass(frozen=True)
class Manifest:
    """What a manifest says, read back from the server."""

    version: ReportVersion
    content_digest: str | None
    configuration_digest: str | None
    targets: tuple[str, ...]
    known_conditions: dict[str, str]


def manifest_id(context: ReportContext) -> str:
    """The id of the report's manifest."""
    return derived_id(context.report_key, "manifest")


def configuration_digest(
    configuration: Configuration, mapping: str, licensed: RuleTable | None, settings: Settings
) -> str:
    """One digest over all that decides the resources: model, adapter, policy, pack, choices, and the present `mapping`.

    The findings name the pack that read them; by now its mapping may be another, or the facility have its own.
    A licensed table counts by what it says, not by where it lies.
    """
    choices = settings.mapping.model_dump(mode="json", exclude={"overlays", "prognostic_table"})
    return digest(
        {
            "configuration": configuration.model_dump(mode="json"),
            "mapping": {**choices, "digest": mapping},
            "licensed_table": licensed and licensed.model_dump(mode="json"),
            "condition": settings.fhir.condition,
            "companion_report": settings.fhir.companion_report,
            "organization": settings.fhir.organization,
            "revision": MAPPER_REVISION,
        }
    )


def make_manifest(
    context: ReportContext,
    targets: Iterable[Resource],
    devices: Iterable[Resource],
    content: str,
    configuration: str,
    known_conditions: Map[str, str],
    settings: Settings,
) -> Resource:
    """The Provenance of a report's resources; a report without any targets itself, since Provenance needs a target."""
    report = reference_of(context.report)
    return {
        "resourceType": "Provenance",
        "id": manifest_id(context),
        "meta": {"profile": [_PROFILE], "security": [MACHINE_LABEL]},
        "extension": [
            *_version_extension(context.version),
            {"url": CONTENT_DIGEST, "valueString": content},
            {"url": CONFIGURATION_DIGEST, "valueString": configuration},
            *(_known_condition(primary, literal) for primary, literal in sorted(known_conditions.items())),
        ],
        "target": [reference_to(resource) for resource in targets] or [report],
        "recorded": context.recorded,
        "reason": [{"coding": [MACHINE_LABEL]}],
        "agent": [
            {
                "type": {"coding": [_ASSEMBLER]},
                "who": reference_to(device),
                "onBehalfOf": {"reference": settings.fhir.organization},
            }
            for device in devices
        ],
        "entity": [{"role": "source", "what": report}],
    }


def make_verification(
    task: str, targets: Iterable[str], settlement: Settlement, context: ReportContext, settings: Settings
) -> Resource:
    """The Provenance of what a person decided: the verifier, for whom, and from which report; `task` names the question."""
    return {
        "resourceType": "Provenance",
        "id": derived_id(context.report_key, "verification", task),
        "meta": {"profile": [_PROFILE]},
        "target": [{"reference": target} for target in targets],
        "recorded": settlement.decided,
        "agent": [
            {
                "type": {"coding": [_VERIFIER]},
                "who": reference_of(settlement.by),
                "onBehalfOf": {"reference": settings.fhir.organization},
            }
        ],
        "entity": [{"role": "source", "what": reference_of(context.report)}],
    }


def read_manifest(resource: Resource) -> Manifest:
    """What a manifest says; absent parts are None or empty."""
    plain: dict[str, Any] = {}
    parts: dict[str, str] = {}
    known: dict[str, str] = {}
    for extension in resource.get("extension", []):
        inner = {item["url"]: _value(item) for item in extension.get("extension", [])}
        if extension["url"] == REPORT_VERSION:
            parts = inner
        elif extension["url"] == KNOWN_CONDITION:
            known[inner["primary"]] = inner["condition"]
        else:
            plain[extension["url"]] = _value(extension)
    return Manifest(
        version=ReportVersion(**parts),
        content_digest=plain.get(CONTENT_DIGEST),
        configuration_digest=plain.get(CONFIGURATION_DIGEST),
        targets=tuple(item["reference"] for item in resource.get("target", []) if "reference" in item),
        known_conditions=known,
    )


def make_devices(configuration: Configuration) -> tuple[Resource, Resource]:
    """The model and the rule engine as Devices; the same configuration gives the same ids."""
    model = (configuration.model, configuration.model_digest, configuration.adapter_digest)
    rules = (configuration.pack, configuration.pack_version, configuration.pack_digest)
    return (
        _device("classifier", "Synoptic classifier", model),
        _device("rules", f"Synoptic rule engine, pack {configuration.pack}", rules),
    )


def _device(kind: str, name: str, key: tuple[str, str, str]) -> Resource:
    identifier = device_id(kind, *key)
    return {
        "resourceType": "Device",
        "id": identifier,
        "identifier": [{"system": f"{CANONICAL}/device", "value": identifier}],
        "status": "active",
        "deviceName": [{"name": name, "type": "user-friendly-name"}],
        "version": [{"value": part} for part in key if part],
    }


def _version_extension(version: ReportVersion) -> list[Resource]:
    parts = [
        {"url": name, element: value}
        for name, element in _VERSION_PARTS.items()
        if (value := getattr(version, name)) is not None
    ]
    return [{"url": REPORT_VERSION, "extension": parts}] if parts else []


def _known_condition(primary: str, literal: str) -> Resource:
    parts = [{"url": "primary", "valueString": primary}, {"url": "condition", "valueString": literal}]
    return {"url": KNOWN_CONDITION, "extension": parts}


def _value(extension: Resource) -> Any:
    return next((value for key, value in extension.items() if key.startswith("value")), None)
