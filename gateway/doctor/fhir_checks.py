"""What `synoptic doctor` asks a FHIR server: whether it is there, lets us in, and can do what emission needs.

It only reads: the CapabilityStatement, the Organization of the settings, and of each type an id that nobody has, since a
404 shows the right to read as well as a resource would and brings no patient's data.
"""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import orjson

from gateway.doctor.network_checks import is_loopback, network_fault
from gateway.doctor.outcome import Outcome, advice, fault
from gateway.fhir.answers import Answer
from gateway.fhir.bearer_token import open_token
from gateway.fhir.bundles import bundle, get, read_entries
from gateway.fhir.capability_statement import capability_outcomes
from gateway.fhir.client import FhirClient, trust
from schemas.errors import Code, SynopticError
from schemas.pack_loader import load_packs
from schemas.settings import FhirSettings, Settings

SERVER, ACCESS, ORGANIZATION, SEARCH = "FHIR server", "FHIR access", "FHIR organization", "FHIR search"
SECONDS = 5.0  # for one answer; a doctor that waits as patiently as emission helps nobody
MAXIMUM_BYTES = 32 * 1024 * 1024
ABSENT_ID = "synoptic-doctor"
OF_THE_PROGRAM = ("Device", "Provenance", "Task")  # what made it, the manifest, and conflicts for a person
LOOKED_UP = ("DiagnosticReport", "Patient", "Specimen")  # the EHR's own: by literal reference, else by identifier


def check_fhir(settings: Settings) -> Iterator[Outcome]:
    """Everything about the FHIR server of `fhir.base_url`; one that does not answer is asked no further."""
    seconds = min(SECONDS, settings.fhir.timeout_seconds)
    fhir = settings.fhir.model_copy(update={"timeout_seconds": seconds, "attempts": 1})
    yield from _plaintext(fhir)
    try:
        answer = read_metadata(fhir)
        refusal = _refusal(answer)
        yield refusal or Outcome(SERVER, "answers with a CapabilityStatement")
        if refusal is None:
            yield from capability_outcomes(answer.body or {}, written_types(settings), LOOKED_UP)
            with closing(FhirClient(fhir)) as client:
                yield from _search(client)
                yield from _access(client, settings)
    except SynopticError as error:
        yield fault(SERVER, error)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        found = network_fault(error, "fhir.base_url", "fhir.ca_file")
        yield (
            Outcome(SERVER, found.found, found.remedy)
            if found
            else Outcome(SERVER, "it speaks no HTTP there", "correct fhir.base_url")
        )


def written_types(settings: Settings) -> tuple[str, ...]:
    """Every type of resource that the packs and overlays of the settings and the program itself write."""
    types = {*OF_THE_PROGRAM, *(["AuditEvent"] if settings.fhir.audit else [])}
    packs = load_packs(settings.packs, settings.mapping).values()
    for mapping in (one for pack in packs for one in (pack.mapping, *(site.mapping for site in pack.overlays))):
        templates = [*mapping.templates.values(), *(rule.resource for rule in mapping.rules)]
        types |= {template["resourceType"] for template in templates if "resourceType" in template}
    return tuple(sorted(types))


def read_metadata(fhir: FhirSettings) -> Answer:
    """The answer to `metadata`; its body is left out where it is no JSON object, or larger than any statement."""
    token = open_token(fhir).current()
    headers = {"Accept": "application/fhir+json", **({"Authorization": f"Bearer {token}"} if token else {})}
    content = bytearray()
    with (
        httpx.Client(verify=trust(fhir), timeout=fhir.timeout_seconds, trust_env=False) as client,
        client.stream("GET", f"{(fhir.base_url or '').rstrip('/')}/metadata", headers=headers) as response,
    ):
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MAXIMUM_BYTES:
                return Answer(response.status_code)
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    return Answer(response.status_code, body if isinstance(body, dict) else None)


def _refusal(answer: Answer) -> Outcome | None:
    """Why an answer to `metadata` is none to go on from."""
    status = answer.status
    if status in (401, 403):
        return _refused("metadata", status)
    if 300 <= status < 400:
        return Outcome(SERVER, f"it sends us elsewhere ({status})", "set fhir.base_url to the address it moved to")
    if status >= 500 or status == 429:
        return Outcome(SERVER, f"it cannot answer now ({status})", "look at the server, or the proxy before it")
    if status != 200 or _type(answer) != "CapabilityStatement":
        remedy = "set fhir.base_url to the server's FHIR base, such as https://ehr.example/fhir"
        return Outcome(SERVER, f"it is no FHIR server ({status})", remedy)
    return None


def _search(client: FhirClient) -> Iterator[Outcome]:
    """Whether Provenances can be searched the way emission does it: a form that is posted, with no id in a URL."""
    try:
        list(client.search("Provenance", {"target": f"Observation/{ABSENT_ID}"}))
    except SynopticError as error:
        yield fault(SEARCH, error)


def _access(client: FhirClient, settings: Settings) -> Iterator[Outcome]:
    """Whether a batch opens what emission reads, and holds the Organization."""
    kinds = sorted({*written_types(settings), *LOOKED_UP})
    urls = [*(f"{kind}/{ABSENT_ID}" for kind in kinds), settings.fhir.organization]
    try:
        entries = read_entries(client.post(bundle("batch", [get(url) for url in urls])))
    except SynopticError as error:
        yield fault(ACCESS, error)
        return
    if len(entries) != len(urls):
        yield fault("FHIR batches", SynopticError(Code.UNGUARDED_STORE, "it takes no batch of reads"))
        return
    statuses = [entry.answer.status for entry in entries]
    refused = {kind: status for kind, status in zip(kinds, statuses, strict=False) if status in (401, 403)}
    if refused:
        yield _refused(", ".join(refused), max(refused.values()))
    else:
        yield Outcome(ACCESS, "reads what emission reads; the right to write shows at the first report")
    organization = entries[-1].resource or {}
    if statuses[-1] in (401, 403):
        yield _refused("fhir.organization", statuses[-1])
    elif statuses[-1] != 200 or organization.get("resourceType") != "Organization":
        yield fault(ORGANIZATION, SynopticError(Code.NO_ORGANIZATION))
    else:
        yield Outcome(ORGANIZATION, "is there")


def _refused(what: str, status: int) -> Outcome:
    """The server keeps something from these credentials: it does not know them, or they have no right to it."""
    words = "not authenticated" if status == 401 else "no right"
    return fault(ACCESS, SynopticError(Code.STORE_REFUSES, f"{status}, {words}: {what}"))


def _plaintext(fhir: FhirSettings) -> Iterator[Outcome]:
    """Say that patient data travel in the clear, where they do: the settings allow it only on purpose."""
    address = urlsplit(fhir.base_url or "")
    if address.scheme == "http" and not is_loopback(address.hostname or ""):
        yield advice(SERVER, "patient data travel to it unencrypted", "give it TLS, and an https:// fhir.base_url")


def _type(answer: Answer) -> str | None:
    kind = (answer.body or {}).get("resourceType")
    return kind if isinstance(kind, str) else None
