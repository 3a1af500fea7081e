"""Attachments: data, Binaries that came along, and Binaries of the FHIR server, which alone gets a request and the token."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fhir_made import settings_on
from reports_made import TEXT, Resource, attachment, bundle, message, report
from servers.faulty_proxy import JSON_BODY, Action, Answer, ConnectionLostError, Exchange, FaultyProxy

from gateway.documents.attachments import Attachments
from gateway.fhir.attachment_client import AttachmentClient
from gateway.fhir.parsing import pick_report
from gateway.intake import Intake
from schemas.errors import Code, Kind, SynopticError
from schemas.settings import FhirSettings, IntakeSettings, Settings
from workers.buses.bus import Record

LIMIT = 100_000
OUTCOME = json.dumps(
    {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found"}]}
).encode()


def encoded(text: str = TEXT) -> str:
    """The text as base64."""
    return base64.b64encode(text.encode()).decode()


def binary(text: str = TEXT, content_type: str = "text/plain; charset=utf-8", **more: Any) -> Resource:
    """A Binary that holds the text."""
    return {"resourceType": "Binary", "id": "b1", "contentType": content_type, "data": encoded(text), **more}


def as_json(resource: Resource) -> Action:
    """Answer with the resource."""
    return lambda exchange: Answer(200, (JSON_BODY,), json.dumps(resource).encode())


def as_bytes(content: bytes, content_type: str = "text/plain") -> Action:
    """Answer with the bytes themselves."""
    return lambda exchange: Answer(200, (("Content-Type", content_type),), content)


def refuse(status: int, *headers: tuple[str, str], body: bytes = OUTCOME) -> Action:
    """Answer with a status."""
    return lambda exchange: Answer(status, (JSON_BODY, *headers), body)


def lost(exchange: Exchange) -> Answer:
    """Reset the connection."""
    raise ConnectionLostError


class Holder:
    """A FHIR server that answers as its script says, the last answer for ever; and what came to it."""

    def __init__(self) -> None:
        self.script: list[Action] = [as_json(binary())]
        self.came: list[Exchange] = []
        self.proxy = FaultyProxy("http://127.0.0.1:9/fhir")
        self.proxy.inject(lambda exchange: True, self._answer, None)
        self.proxy.start()

    def _answer(self, exchange: Exchange) -> Answer:
        self.came.append(exchange)
        return self.script[min(len(self.came), len(self.script)) - 1](exchange)

    def headers(self) -> dict[str, str]:
        """The headers of the first request, names in lower case."""
        return {name.lower(): value for name, value in self.came[0].headers}

    def settings(self, **changes: Any) -> FhirSettings:
        """Settings that name this server."""
        return settings_on(self.proxy.base_url, **{"attempts": 2, "bearer_token": "SECRET", **changes})

    def client(self, **changes: Any) -> AttachmentClient:
        """A client that does not really pause."""
        return AttachmentClient(self.settings(**changes), LIMIT, pause=lambda seconds: None)


@pytest.fixture
def holder() -> Iterator[Holder]:
    """A server for one test."""
    made = Holder()
    yield made
    made.proxy.stop()


@pytest.fixture
def elsewhere() -> Iterator[Holder]:
    """Another server."""
    made = Holder()
    yield made
    made.proxy.stop()


def fails(client: AttachmentClient, link: str = "Binary/b1", content_type: str | None = "text/plain") -> SynopticError:
    """The error of one attachment."""
    with pytest.raises(SynopticError) as caught:
        client.fetch(link, content_type)
    return caught.value


def test_a_binary_is_asked_for_in_both_forms_and_with_the_token(holder: Holder) -> None:
    """Its own type first, the resource else; a type that is none is not repeated to the server."""
    assert holder.client().fetch("Binary/b1", "application/pdf; charset=x")["data"] == encoded()
    asked = holder.came[0]
    assert (asked.method, asked.path) == ("GET", "Binary/b1")
    assert holder.headers()["accept"] == "application/pdf, application/fhir+json;q=0.9"
    assert holder.headers()["authorization"] == "Bearer SECRET"
    for content_type in ("x\r\nX-Evil: 1", None):
        holder.came.clear()
        holder.client().fetch("Binary/b1", content_type)
        assert holder.headers()["accept"] == "application/fhir+json"


@pytest.mark.parametrize("answer", [as_json(binary()), as_bytes(TEXT.encode(), "text/plain; charset=utf-8")])
def test_bytes_and_resource_are_the_same_attachment(holder: Holder, answer: Action) -> None:
    """Whichever form a server prefers."""
    holder.script = [answer]
    found = holder.client().fetch(f"{holder.proxy.base_url}/Binary/b1/_history/2", "text/plain")
    assert (base64.b64decode(found["data"]).decode(), found["contentType"]) == (TEXT, "text/plain; charset=utf-8")
    assert holder.came[0].path == "Binary/b1/_history/2"


def test_no_url_leads_to_another_server_or_to_anything_but_a_binary(holder: Holder, elsewhere: Holder) -> None:
    """Other hosts, schemes, users, paths outside of the base, other resources: no request is sent anywhere."""
    base = holder.proxy.base_url
    for link in (
        f"{elsewhere.proxy.base_url}/Binary/b1",
        base.replace("http://", "https://") + "/Binary/b1",
        base.replace("127.0.0.1", "localhost") + "/Binary/b1",
        base.replace("http://", "http://user@") + "/Binary/b1",
        base.replace("http://", "http://evil.example#") + "/Binary/b1",
        base + "/../other/Binary/b1",
        base + "x/Binary/b1",
        base + "/Patient/p1",
        base + "/Binary?_count=100",
        base + "/Binary/b1?x=y",
        base + "/Binary/b1#x",
        base + "/Binary/b1/$everything",
        "Patient/p1",
        "Binary/..",
        "Binary/b1/_history/..",
        "Binary/%2e%2e",
        "../Binary/b1",
        "/Binary/b1",
        "//evil.example/Binary/b1",
        "file:///etc/passwd",
        "http://[",
        "urn:uuid:5c5fcd6e-0000-4000-8000-000000000000",
        "#b1",
        "data:text/plain,x",
    ):
        assert fails(holder.client(), link).code is Code.ATTACHMENT_BY_URL, link
    assert holder.came == elsewhere.came == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(holder: Holder, elsewhere: Holder, status: int) -> None:
    """The token goes nowhere but to the server that the settings name; the report is rejected, intake goes on."""
    holder.script = [refuse(status, ("Location", f"{elsewhere.proxy.base_url}/Binary/b1"))]
    error = fails(holder.client())
    assert (error.code, error.detail, error.code.kind) == (Code.ATTACHMENT_REFUSED, f"status {status}", Kind.REJECT)
    assert elsewhere.came == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, Code.ATTACHMENT_NOT_FOUND),
        (410, Code.ATTACHMENT_NOT_FOUND),
        (400, Code.ATTACHMENT_REFUSED),
        (403, Code.ATTACHMENT_REFUSED),
        (406, Code.ATTACHMENT_REFUSED),
        (501, Code.ATTACHMENT_REFUSED),
        (401, Code.STORE_REFUSES),
        (429, Code.STORE_UNAVAILABLE),
        (500, Code.STORE_UNAVAILABLE),
        (503, Code.STORE_UNAVAILABLE),
    ],
)
def test_what_is_wrong_with_one_attachment_rejects_and_what_passes_waits(
    holder: Holder, status: int, code: Code
) -> None:
    """An absent or withheld Binary is its report's fault; a server that is away is tried again; a bad token is ours."""
    holder.script = [refuse(status)]
    assert fails(holder.client()).code is code
    assert len(holder.came) == (2 if code is Code.STORE_UNAVAILABLE else 1)


def test_a_lost_way_is_absent_in_any_words(holder: Holder) -> None:
    """404 without an OperationOutcome means the same here: the url of a Binary may be served by something else."""
    holder.script = [as_json(binary()), refuse(404, body=b"not here")]
    client = holder.client()
    client.fetch("Binary/b1", None)
    assert fails(client).code is Code.ATTACHMENT_NOT_FOUND


def test_a_server_that_comes_back_is_asked_again(holder: Holder) -> None:
    """A reset and a refusal that passes, then the attachment."""
    holder.script = [lost, refuse(503, ("Retry-After", "1")), as_json(binary())]
    assert holder.client(attempts=3).fetch("Binary/b1", None)["data"] == encoded()


def test_a_failing_server_is_left_alone(holder: Holder) -> None:
    """The circuit breaker holds for attachments as for the rest."""
    holder.script = [refuse(503)]
    client = holder.client(attempts=1, breaker_failures=2)
    for _ in range(5):
        assert fails(client).code is Code.STORE_UNAVAILABLE
    assert len(holder.came) == 2


def test_a_token_is_renewed_for_attachments_too(holder: Holder, tmp_path) -> None:
    """Refused, it is read again from its file."""
    file = tmp_path / "token"
    file.write_text("old")
    holder.script = [refuse(401), as_json(binary())]
    client = holder.client(bearer_token=None, bearer_token_file=file)
    file.write_text("new")
    assert client.fetch("Binary/b1", None)["data"] == encoded()
    assert dict(holder.came[1].headers)["Authorization"] == "Bearer new"


@pytest.mark.parametrize(
    "answer",
    [
        as_bytes(b"x" * (LIMIT + 1)),
        as_json(binary("x" * (LIMIT * 2))),
        lambda exchange: Answer(200, (("Content-Type", "text/plain"),), b"x" * 20_000_000),
    ],
)
def test_more_than_is_allowed_is_not_read(holder: Holder, answer: Action) -> None:
    """The limit holds while the attachment is read, whatever length was announced."""
    holder.script = [answer]
    assert fails(holder.client()).code is Code.ATTACHMENT_TOO_LARGE


@pytest.mark.parametrize("resource", [{"resourceType": "Patient", "id": "b1"}, {"resourceType": "OperationOutcome"}])
def test_another_resource_is_no_attachment(holder: Holder, resource: Resource) -> None:
    """A server that answers with something else is not believed."""
    holder.script = [as_json(resource)]
    assert fails(holder.client()).code is Code.ATTACHMENT_REFUSED


def read(holder: Holder | None, *resources: Resource) -> SynopticError | str:
    """What intake makes of the first resource, or of a Bundle: its text, or the error."""
    fhir = holder.settings(attempts=1) if holder else FhirSettings()
    intake = Intake(Settings(fhir=fhir, intake=IntakeSettings(maximum_attachment_bytes=LIMIT)))
    sent = resources[0] if len(resources) == 1 else bundle(*resources)
    try:
        found = intake.read(message(sent)).report
    except SynopticError as error:
        return error
    finally:
        intake.close()
    assert found is not None
    return found.text


def by_url(url: str, **more: Any) -> Resource:
    """A report whose only form is a url."""
    return report(presentedForm=[{"url": url, **more}])


def test_an_attachment_of_the_server_is_read_with_hash_and_size(holder: Holder) -> None:
    """The contentType may come from the Binary; hash and size hold for what was fetched."""
    digest = base64.b64encode(hashlib.sha1(TEXT.encode()).digest()).decode()
    assert read(holder, by_url("Binary/b1")) == TEXT
    assert read(holder, by_url("Binary/b1", contentType="text/plain", hash=digest, size=len(TEXT.encode()))) == TEXT
    for wrong in ({"hash": base64.b64encode(b"x" * 20).decode()}, {"size": 3}):
        error = read(holder, by_url("Binary/b1", contentType="text/plain", **wrong))
        assert isinstance(error, SynopticError)
        assert error.code is Code.ATTACHMENT_MISMATCH


def test_the_charset_of_the_binary_holds_where_the_attachment_names_none(holder: Holder) -> None:
    """The declared type stands, and the Binary may say more of it."""
    latin = base64.b64encode("Breast, mastectomy, 5 € Œ".encode("iso-8859-15")).decode()
    holder.script = [as_json(binary(content_type="text/plain; charset=iso-8859-15", data=latin))]
    assert read(holder, by_url("Binary/b1", contentType="text/plain")) == "Breast, mastectomy, 5 € Œ"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (as_json(binary(data="QQ=*")), Code.BAD_BASE64),
        (as_json(binary(data=5)), Code.BAD_BASE64),
        (as_json(binary(data="")), Code.NO_TEXT),
        (as_json({"resourceType": "Binary"}), Code.NO_TEXT),
        (as_bytes(b"%PDF-1.7 x"), Code.CONTENT_TYPE_MISMATCH),
        (refuse(404), Code.ATTACHMENT_NOT_FOUND),
    ],
)
def test_what_the_server_gives_is_checked_like_data(holder: Holder, answer: Action, code: Code) -> None:
    """Not base64, empty, another kind of document, absent: each ends as a numbered reject."""
    holder.script = [answer]
    error = read(holder, by_url("Binary/b1", contentType="text/plain"))
    assert isinstance(error, SynopticError)
    assert error.code is code
    assert error.code.kind is Kind.REJECT


def test_intake_waits_for_a_server_that_is_away(holder: Holder) -> None:
    """The error asks the runner to try again; the report is not rejected."""
    holder.script = [lost]
    intake = Intake(Settings(fhir=holder.settings(attempts=1)))
    with pytest.raises(SynopticError) as caught:
        intake.process([Record("synoptic.diagnostic-reports", 0, 0, message(by_url("Binary/b1")))])
    assert caught.value.code.kind is Kind.RETRY
    intake.close()


def test_without_a_server_a_url_leads_nowhere() -> None:
    """The number that it always had, and what to do."""
    error = read(None, by_url("Binary/b1"))
    assert isinstance(error, SynopticError)
    assert error.code is Code.ATTACHMENT_BY_URL
    assert "fhir.base_url" in error.one_line()


def test_what_came_along_is_not_fetched(holder: Holder) -> None:
    """A contained Binary, one of the Bundle by relative or full url, and one by uuid."""
    assert read(holder, report(contained=[binary()], presentedForm=[{"url": "#b1"}])) == TEXT
    assert read(holder, by_url("Binary/b1"), binary()) == TEXT
    assert read(holder, by_url("https://ehr.example/Binary/b1", contentType="text/plain"), binary()) == TEXT
    uuid = "urn:uuid:5c5fcd6e-0000-4000-8000-000000000000"
    entries = [{"resource": by_url(uuid)}, {"fullUrl": uuid, "resource": {**binary(), "id": None}}]
    entries[1]["resource"].pop("id")
    assert read(holder, {"resourceType": "Bundle", "type": "collection", "entry": entries}) == TEXT
    assert holder.came == []


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (attachment(size=3), Code.ATTACHMENT_MISMATCH),
        (attachment(size=LIMIT + 1), Code.ATTACHMENT_TOO_LARGE),
        ({"contentType": "text/plain", "data": "*" * (LIMIT * 2)}, Code.ATTACHMENT_TOO_LARGE),
        ({"contentType": "text/plain", "data": "QUJD="}, Code.BAD_BASE64),
        ({"contentType": "text/plain", "data": "not base64 at all"}, Code.BAD_BASE64),
        ({"contentType": "text/plain", "title": "nothing"}, Code.NO_TEXT),
        ({"data": "QQ=="}, Code.UNKNOWN_CONTENT_TYPE),
    ],
)
def test_damaged_data_has_a_number(form: Resource, code: Code) -> None:
    """Each fault is told apart before anything is opened."""
    attachments = Attachments(Settings(intake=IntakeSettings(maximum_attachment_bytes=LIMIT)))
    with pytest.raises(SynopticError) as caught:
        attachments.read(form, pick_report(report()))
    assert caught.value.code is code


LOGIN = b"<!DOCTYPE html><html><body><form>Please log in</form></body></html>"


@pytest.mark.parametrize(
    ("declared", "given", "taken"),
    [
        ("application/pdf", "text/html", False),
        ("text/plain", "text/html; charset=utf-8", False),
        ("application/xml", "text/html", False),
        (None, "text/html", False),
        (None, "text/plain", False),
        ("text/plain", "application/octet-stream", True),
        ("text/plain", "", True),
        ("application/hl7-cda+xml", "text/xml", True),
        ("TEXT/HTML", "application/xhtml+xml", True),
        ("application/zip", "application/pdf", False),
    ],
)
def test_bytes_of_another_type_than_asked_for_are_refused(
    holder: Holder, declared: str | None, given: str, taken: bool
) -> None:
    """A page to log in, sent as a success, is no report; bytes of no type may be what was asked for."""
    holder.script = [as_bytes(LOGIN, given)]
    if taken:
        assert base64.b64decode(holder.client().fetch("Binary/b1", declared)["data"]) == LOGIN
    else:
        assert fails(holder.client(), content_type=declared).code is Code.ATTACHMENT_REFUSED


def one_fails(holder: Holder, *, serves: bool = True) -> None:
    """The server fails for Binary/bad, gives every other Binary, and answers a batch if it `serves`."""
    organization = {"response": {"status": "200 OK"}, "resource": {"resourceType": "Organization", "id": "synoptic"}}
    batch = {"resourceType": "Bundle", "type": "batch-response", "entry": [organization]}

    def answer(exchange: Exchange) -> Answer:
        if exchange.method == "POST":
            return as_json(batch)(exchange) if serves else refuse(500)(exchange)
        return refuse(500)(exchange) if "bad" in exchange.path else as_json(binary())(exchange)

    holder.script = [answer]


def records(*urls: str) -> list[Record]:
    """Reports, each with one url."""
    return [Record("synoptic.diagnostic-reports", 0, at, message(by_url(url))) for at, url in enumerate(urls)]


def test_a_binary_that_always_fails_ends_its_own_report(holder: Holder) -> None:
    """The server gives the others: the one is a numbered reject, those before and behind it go on."""
    one_fails(holder)
    intake = Intake(Settings(fhir=holder.settings(attempts=1, breaker_failures=1)))
    first, bad, last = intake.process(records("Binary/b1", "Binary/bad", "Binary/b2"))
    intake.close()
    assert first.outgoing
    assert last.outgoing
    assert bad.error is not None
    assert (bad.error.code, bad.error.detail) == (Code.ATTACHMENT_REFUSED, "SYN-451, status 500")


def test_a_server_that_serves_nobody_is_waited_for(holder: Holder) -> None:
    """It fails for the Binary and for a batch: it is away, and no report is rejected."""
    one_fails(holder, serves=False)
    intake = Intake(Settings(fhir=holder.settings(attempts=1)))
    with pytest.raises(SynopticError) as caught:
        intake.process(records("Binary/b1", "Binary/bad"))
    intake.close()
    assert caught.value.code is Code.STORE_UNAVAILABLE


def test_many_binaries_that_fail_are_the_servers_trouble(holder: Holder) -> None:
    """Eight may be of themselves alone; with the ninth in a row, what holds them is away, until one comes again."""
    one_fails(holder)
    attachments = Attachments(Settings(fhir=holder.settings(attempts=1)))

    def code_at(url: str) -> Code:
        with pytest.raises(SynopticError) as caught:
            attachments.read({"url": url}, pick_report(report()))
        return caught.value.code

    assert {code_at(f"Binary/bad{number}") for number in range(8)} == {Code.ATTACHMENT_REFUSED}
    assert code_at("Binary/bad8") is Code.STORE_UNAVAILABLE
    attachments.read({"url": "Binary/b1"}, pick_report(report()))
    assert code_at("Binary/bad9") is Code.ATTACHMENT_REFUSED
    attachments.close()
