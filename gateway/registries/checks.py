"""What `synoptic doctor` and `synoptic registry check` say of each registry: its file, and whether it can take deliveries.

A FHIR server is only asked for its CapabilityStatement; nothing is delivered.
"""

import os
from collections.abc import Iterator

import httpx

from gateway.doctor.fhir_checks import SECONDS, read_metadata
from gateway.doctor.network_checks import network_fault
from gateway.doctor.outcome import Outcome, advice, fault
from gateway.fhir.capability_statement import JSON_FORMATS
from gateway.registries.subscription import FolderTarget, Form, Subscription, of_file, read_subscriptions
from gateway.stores.resource_store import Resource
from schemas.errors import Code, SynopticError
from schemas.settings import Settings

_FILE_REMEDY = "correct the file at that line"


def check_registries(settings: Settings) -> Iterator[Outcome]:
    """Every fault of every file, then each registry's target in turn."""
    subscriptions, faults = read_subscriptions(settings)
    for found in faults:
        yield Outcome("registry file", str(found), _FILE_REMEDY)
    for subscription in subscriptions:
        yield from check_target(subscription)


def check_target(subscription: Subscription) -> Iterator[Outcome]:
    """Whether the registry could take a delivery now, as far as that can be told without one."""
    name = f"registry {subscription.name}"
    target = subscription.definition.deliver
    if target.fhir is not None:
        yield from _check_server(name, subscription)
    elif target.folder is not None:
        yield _check_folder(name, target.folder)
    elif target.kafka is not None:
        yield Outcome(name, f"its file is valid; `synoptic doctor` looks for topic {target.kafka.topic}")


def _check_folder(name: str, target: FolderTarget) -> Outcome:
    nearest = next(path for path in (target.path.absolute(), *target.path.absolute().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Outcome(name, "its folder can be written")
    return Outcome(name, "deliver.folder.path cannot be written", "correct the path, or the folder's rights")


def _check_server(name: str, subscription: Subscription) -> Iterator[Outcome]:
    target = subscription.definition.deliver.fhir
    assert target is not None
    fhir = target.settings().model_copy(update={"timeout_seconds": min(SECONDS, target.timeout_seconds)})
    try:
        answer = read_metadata(fhir)
    except SynopticError as error:
        yield fault(name, of_file(subscription.name, error))
        return
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        found = network_fault(error, "deliver.fhir.base_url", "deliver.fhir.ca_file")
        yield Outcome(
            name, *((found.found, found.remedy) if found else ("no HTTP there", "correct deliver.fhir.base_url"))
        )
        return
    statement = answer.body or {}
    if answer.status != 200 or statement.get("resourceType") != "CapabilityStatement":
        refused = answer.status in (401, 403)
        code = Code.REGISTRY_REFUSES if refused else Code.REGISTRY_UNAVAILABLE
        yield fault(name, SynopticError(code, f"metadata: status {answer.status}"))
        return
    yield from _capabilities(name, statement, subscription.definition.form)


def _capabilities(name: str, statement: Resource, form: Form) -> Iterator[Outcome]:
    """What the statement promises of what the form of delivery needs."""
    version = str(statement.get("fhirVersion", ""))
    formats = {str(item).partition(";")[0] for item in statement.get("format") or []}
    if not version.startswith("4.0.") or not formats & JSON_FORMATS:
        yield Outcome(name, "it is no FHIR R4 server with JSON", "set deliver.fhir.base_url to its R4 address")
        return
    server: Resource = next((rest for rest in statement.get("rest") or [] if rest.get("mode") == "server"), {})
    needs, has = {
        "transaction": ("transactions", "transaction" in _codes(server)),
        "collection": ("updates of Bundle", "update" in _codes(_of_bundle(server))),
        "message": ("$process-message", "process-message" in _operations(server)),
    }[form]
    if has:
        yield Outcome(name, f"answers, FHIR {version}, takes {needs}")
    else:
        remedy = "see its documentation, or choose another form of delivery"
        yield advice(name, f"answers, and does not say that it takes {needs}", remedy)


def _of_bundle(server: Resource) -> Resource:
    return next((item for item in server.get("resource") or [] if item.get("type") == "Bundle"), {})


def _codes(node: Resource) -> set[str]:
    return {str(item.get("code")) for item in node.get("interaction") or []}


def _operations(server: Resource) -> set[str]:
    return {str(item.get("name")) for item in server.get("operation") or []}
