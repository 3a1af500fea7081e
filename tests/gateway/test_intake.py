"""The intake hop: which messages become texts, which are ignored, and the number of every refusal."""

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports_made import PATIENT, TEXT, Resource, attachment, bundle, message, report, specimen

from gateway import lifecycle
from gateway.intake import OWN_REASON, Intake
from gateway.lifecycle import STATUS_ACTIONS
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_TEXTS, Action, ReportText
from schemas.settings import IntakeSettings, Settings
from workers.buses.bus import Record


@pytest.fixture(scope="module")
def intake() -> Iterator[Intake]:
    """One hop for all tests."""
    made = Intake(Settings())
    yield made
    made.close()


def text_of(intake: Intake, resource: Resource) -> ReportText:
    """The text that the resource becomes."""
    read = intake.read(message(resource)).report
    assert read is not None
    return read


def refusal(intake: Intake, data: bytes) -> SynopticError:
    """The error under which the message is refused."""
    (result,) = intake.process([Record("synoptic.diagnostic-reports", 0, 0, data)])
    assert result.outgoing == ()
    assert result.error is not None
    return result.error


def test_report_alone_becomes_a_text_keyed_by_its_report(intake: Intake) -> None:
    """One message leaves, on the texts' topic, under the report's key, with the text as sent."""
    (result,) = intake.process([Record("synoptic.diagnostic-reports", 0, 0, message(report()))])
    (outgoing,) = result.outgoing
    sent = ReportText.model_validate_json(intake._seal.opened(outgoing.value))
    assert (outgoing.topic, outgoing.key) == (TOPIC_TEXTS, intake._seal.report_hmac(sent.context.report_key).encode())
    assert (sent.text, sent.action, sent.pack) == (TEXT, Action.REPLACE, "breast")
    assert sent.context.recorded == "2024-03-05T10:00:00Z"
    assert sent.context.codes == ("11526-1",)
    assert sent.context.effective is None


def test_a_refusal_leaves_its_neighbours_alone(intake: Intake) -> None:
    """Results come in the order of the records, whichever of them fail."""
    values = [b"not json", message(report()), message(report(status="registered"))]
    results = intake.process([Record("t", 0, offset, value) for offset, value in enumerate(values)])
    assert [(bool(item.outgoing), bool(item.error), bool(item.ignored)) for item in results] == [
        (False, True, False),
        (True, False, False),
        (False, False, True),
    ]


@pytest.mark.parametrize("status", sorted(STATUS_ACTIONS))
def test_every_status_does_what_its_table_says(intake: Intake, status: str) -> None:
    """Replacing, merging, withdrawing or ignoring follows from the status alone."""
    reading = intake.read(message(report(status=status)))
    action = STATUS_ACTIONS[status]
    if action is None:
        assert reading.report is None
        assert reading.ignored
    else:
        assert reading.report is not None
        assert reading.report.action is action
        assert reading.report.context.status == status


def test_table_of_statuses_is_complete_and_documented() -> None:
    """R4's ten statuses: nine have an outcome, unknown is refused, and the docstring's table names all ten."""
    named = [
        "registered",
        "partial",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "appended",
        "cancelled",
        "entered-in-error",
    ]
    assert set(STATUS_ACTIONS) == set(named)
    assert all(f"| {status} " in (lifecycle.__doc__ or "") for status in [*named, "unknown"])


def test_withdrawal_travels_without_a_text(intake: Intake) -> None:
    """entered-in-error needs no presentedForm, and never fails on a damaged one."""
    damaged = [{"contentType": "application/pdf", "data": "!!!!"}]
    for forms in (None, damaged):
        sent = text_of(intake, report(status="entered-in-error", presentedForm=forms))
        assert (sent.action, sent.text) == (Action.WITHDRAW, "")


def test_report_that_no_pack_takes_is_refused_but_may_be_withdrawn(intake: Intake) -> None:
    """A colon is not breast; taking a report back needs no route."""
    colon = [attachment("Sigmoid colon, biopsy: tubular adenoma")]
    assert refusal(intake, message(report(presentedForm=colon))).code is Code.UNROUTABLE
    assert text_of(intake, report(presentedForm=colon, status="cancelled")).action is Action.WITHDRAW


@pytest.mark.parametrize(
    "mark",
    [
        {"meta": {"tag": [{"code": "AIAST"}]}},
        {"meta": {"security": [{"system": "x", "code": "AIAST"}]}},
        {"identifier": [{"system": "https://synoptic.example/fhir/companion", "value": "1"}]},
    ],
)
def test_reports_of_our_own_are_ignored(intake: Intake, mark: Resource) -> None:
    """What a machine wrote is not read again."""
    assert intake.read(message(report(**mark))).ignored == OWN_REASON


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ({"resourceType": "Patient"}, Code.WRONG_RESOURCE),
        (bundle(), Code.WRONG_RESOURCE),
        (bundle(PATIENT), Code.WRONG_RESOURCE),
        (bundle(report(), report(id="r2")), Code.WRONG_RESOURCE),
        (bundle(report(), PATIENT, {**PATIENT, "gender": "male"}), Code.INVALID_RESOURCE),
        (report(code=None), Code.INVALID_RESOURCE),
        (report(issued="2024-03-05"), Code.INVALID_RESOURCE),
        (report(status=["final"]), Code.INVALID_RESOURCE),
        (report(colour="red"), Code.INVALID_RESOURCE),
        (report(presentedForm=[None]), Code.INVALID_RESOURCE),
        (report(id="../../etc/passwd"), Code.INVALID_RESOURCE),
        (report(id=".."), Code.UNSAFE_IDENTIFIER),
        (report(subject=None), Code.NO_SUBJECT),
        (report(subject={"display": "Anna Muster"}), Code.NO_SUBJECT),
        (report(subject={"reference": "Group/g1"}), Code.NO_SUBJECT),
        (report(subject={"reference": "#p", "type": "Patient"}), Code.NO_SUBJECT),
        (report(subject={"reference": "Patient/../../x"}), Code.UNSAFE_IDENTIFIER),
        (report(subject={"reference": "javascript:alert(1)"}), Code.UNSAFE_IDENTIFIER),
        (report(identifier=None), Code.NO_IDENTIFIER),
        (report(identifier=[{"system": "https://lab.example", "value": "S24\n1"}]), Code.UNSAFE_IDENTIFIER),
        (report(identifier=[{"value": "\u001b[31mS24"}]), Code.UNSAFE_IDENTIFIER),
        (report(identifier=[{"value": "../S24"}]), Code.UNSAFE_IDENTIFIER),
        (report(status="unknown"), Code.BAD_STATUS),
        (report(status="Anna Muster"), Code.BAD_STATUS),
        (report(issued=None), Code.NO_INSTANT),
        (report(presentedForm=None), Code.NO_TEXT),
        (report(presentedForm=[attachment(" ")]), Code.NO_TEXT),
        (report(presentedForm=[{"contentType": "text/plain", "url": "file:///etc/passwd"}]), Code.ATTACHMENT_BY_URL),
        (report(presentedForm=[attachment(content_type="application/zip")]), Code.UNKNOWN_CONTENT_TYPE),
        (report(presentedForm=[{"data": "QQ=="}]), Code.UNKNOWN_CONTENT_TYPE),
        (report(presentedForm=[{"contentType": "text/plain", "data": "QQ=*"}]), Code.BAD_BASE64),
        (report(presentedForm=[{"contentType": "text/plain", "data": "QUJD="}]), Code.BAD_BASE64),
        (report(presentedForm=[{"contentType": "text/plain", "data": "ÄÖÜß"}]), Code.BAD_BASE64),
        (report(presentedForm=[attachment(size=3)]), Code.ATTACHMENT_MISMATCH),
        (report(presentedForm=[attachment(hash="2jmj7l5rSw0yVb/vlWAYkK/YBwk=")]), Code.ATTACHMENT_MISMATCH),
    ],
)
def test_what_cannot_be_taken_has_a_number(intake: Intake, resource: Resource, code: Code) -> None:
    """Each fault of a message is told apart, on one line, without what the sender wrote."""
    error = refusal(intake, message(resource))
    assert error.code is code
    assert "\n" not in error.one_line()
    for leaked in ("Muster", "Anna", "passwd", "S24", "4711", "\x1b"):
        assert leaked not in str(error)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", Code.NOT_JSON),
        (b"not json", Code.NOT_JSON),
        (b'{"a": NaN}', Code.NOT_JSON),
        (b'{"a": "\\ud800"}', Code.NOT_JSON),
        (b"[" * 10_000 + b"]" * 10_000, Code.TOO_DEEP),
        (b'{"a":' * 500 + b"1" + b"}" * 500, Code.TOO_DEEP),
        (b"5", Code.WRONG_RESOURCE),
        (b"[]", Code.WRONG_RESOURCE),
        (b'{"resourceType": "DiagnosticReporter"}', Code.WRONG_RESOURCE),  # found by fuzzing
    ],
)
def test_what_is_not_a_resource_has_a_number(intake: Intake, data: bytes, code: Code) -> None:
    """Bytes, depth, NaN and lone surrogates end before FHIR begins."""
    assert refusal(intake, data).code is code


def test_message_over_the_limit_is_refused_unparsed() -> None:
    """200 MB are refused by their size: they are not JSON, and nobody looked."""
    intake = Intake(Settings())
    assert refusal(intake, b"A" * 200_000_000).code is Code.REPORT_TOO_LARGE


def test_attachment_over_the_limit_is_refused_undecoded() -> None:
    """The data is not even base64, yet the refusal is about its size."""
    intake = Intake(Settings(intake=IntakeSettings(maximum_attachment_bytes=1000)))
    form = {"contentType": "text/plain", "data": "*" * 2000}
    assert refusal(intake, message(report(presentedForm=[form]))).code is Code.ATTACHMENT_TOO_LARGE


def test_hash_and_size_that_agree_are_taken(intake: Intake) -> None:
    """The SHA-1 and size of the bytes themselves let the attachment through, line breaks in base64 too."""
    data = base64.encodebytes(TEXT.encode()).decode()
    digest = base64.b64encode(hashlib.sha1(TEXT.encode()).digest()).decode()
    form = {"contentType": "text/plain", "data": data, "hash": digest, "size": len(TEXT.encode())}
    assert text_of(intake, report(presentedForm=[form])).text == TEXT


def test_best_form_is_read_whatever_the_order(intake: Intake) -> None:
    """Plain text before HTML, HTML before a type without a reader."""
    forms = [
        {"contentType": "application/zip", "data": "UEs="},
        attachment("<p>breast, mastectomy: from html</p>", "text/html"),
        attachment("breast, mastectomy: from plain"),
        {"contentType": "text/plain", "url": "https://ehr.example/Binary/1"},
    ]
    for seed in range(4):
        random.Random(seed).shuffle(forms)
        assert text_of(intake, report(presentedForm=forms)).text == "breast, mastectomy: from plain"
    rest = [form for form in forms if not form["contentType"].startswith("text/plain;")]
    assert text_of(intake, report(presentedForm=rest)).text == "breast, mastectomy: from html"


def test_conclusion_stands_in_for_a_missing_form(intake: Intake) -> None:
    """Without presentedForm the conclusion is the text."""
    sent = text_of(intake, report(presentedForm=None, conclusion="Breast, lumpectomy: invasive carcinoma, pT1c"))
    assert sent.text == "Breast, lumpectomy: invasive carcinoma, pT1c"
    assert [span.reader for span in sent.pages] == ["plain"]


def test_results_stand_in_for_a_missing_conclusion(intake: Intake) -> None:
    """Observations, contained or bundled, become lines in the report's order."""
    contained = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"text": "Breast diagnosis"},
        "valueString": "invasive ductal carcinoma",
    }
    bundled = {
        "resourceType": "Observation",
        "id": "o2",
        "status": "final",
        "code": {"coding": [{"display": "Tumor size"}]},
        "valueQuantity": {"value": 2.3, "unit": "cm"},
        "note": [{"text": "macroscopic"}],
    }
    made = report(
        presentedForm=None,
        contained=[contained],
        result=[{"reference": "Observation/o2"}, {"reference": "#o1"}],
    )
    assert text_of(intake, bundle(bundled, made)).text == (
        "Tumor size: 2.3 cm macroscopic\nBreast diagnosis: invasive ductal carcinoma"
    )


def test_resent_report_has_the_same_digest_whatever_the_order(intake: Intake) -> None:
    """Entry order, the time of sending and the server's version do not count; the text and the status do."""
    parts = [report(specimen=[{"reference": "Specimen/a"}]), PATIENT, specimen("a", "80248007")]
    first = text_of(intake, bundle(*parts))
    resent = {**parts[0], "meta": {"versionId": "9", "lastUpdated": "2025-01-01T00:00:00Z"}}
    assert text_of(intake, bundle(parts[2], parts[1], resent)).content_digest == first.content_digest
    assert text_of(intake, bundle(*reversed(parts))) == first
    amended = {**parts[0], "status": "amended"}
    changed = {**parts[0], "presentedForm": [attachment(TEXT + "Addendum")]}
    digests = {text_of(intake, bundle(other, *parts[1:])).content_digest for other in (amended, changed)}
    assert first.content_digest not in digests
    assert len(digests) == 2


def _mutations(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a resource, as its container and key."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for key, inner in items:
        yield value, key
        yield from _mutations(inner)


_JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1, True, "", "x", "\x00", [], {}, [[]], [{}], {"a": 1}, "9" * 300, 1e300]
)


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0), _JUNK)
def test_junk_anywhere_ends_in_a_text_or_a_number(place: int, junk: Any) -> None:
    """Whatever stands in whichever element, the hop answers, and never with anything but a numbered reject."""
    resource = bundle(
        report(specimen=[{"reference": "Specimen/a"}], performer=[{"display": "Dr. B"}]),
        {**PATIENT, "identifier": [dict(item) for item in PATIENT["identifier"]]},
        specimen("a", "80248007", collectedDateTime="2024-03-01"),
    )
    fresh = json.loads(message(resource))
    places = list(_mutations(fresh))
    container, key = places[place % len(places)]
    container[key] = junk
    (result,) = _HOP.process([Record("t", 0, 0, message(fresh))])
    assert bool(result.outgoing) + bool(result.error) + bool(result.ignored) == 1


_HOP = Intake(Settings())
