"""Values without a code: told as they go by without a patient, listed by kind."""

from findings_made import make_hop, message, record

from gateway.mapping_tools.unmapped import unmapped_messages, unmapped_queue
from gateway.stores.folder_store import FolderStore
from mappers.mapping import Missing
from schemas.messages import TOPIC_UNMAPPED, ReportFindings, ReportVersion
from workers.buses.bus import Record
from workers.received import RECEIVED

UNDATED = {"version": ReportVersion(issued="1970-01-01T00:00:00Z"), "recorded": "1970-01-01T00:00:00Z"}


def records(*values: bytes) -> list[Record]:
    """Records of the topic."""
    return [Record(TOPIC_UNMAPPED, 0, offset, value) for offset, value in enumerate(values)]


def test_emission_tells_of_what_it_could_not_code(tmp_path) -> None:
    """Beside the Bundle goes a message for each value, with words of the pack and the keyed hash alone."""
    (result,) = make_hop(FolderStore(tmp_path)).process([record(message(about=UNDATED, T="T1", ER="positive"))])
    told = [one for one in result.outgoing if one.topic == TOPIC_UNMAPPED]
    (row,) = unmapped_queue(records(*(one.value for one in told)))
    assert (row.slot, row.table, row.key, row.reports) == ("T", "staging_method", "none", 1)
    assert b"Patient" not in told[0].value
    assert b"hospital.example" not in told[0].value


def test_a_report_counts_once_however_often_it_is_read() -> None:
    """The most frequent kind comes first, with the instants of the first and the last report."""
    findings = ReportFindings.model_validate_json(message(T="T1"))
    other = findings.model_copy(update={"report_hmac": "other"})
    missing = [Missing("breast-left", "T", "staging_method", "none"), Missing("breast-left", "N", "N.pathologic", "N9")]
    values = [
        *unmapped_messages(findings, missing, 1_700_000_000.0),
        *unmapped_messages(findings, missing, 1_700_000_000.0),
        *unmapped_messages(other, missing[:1], 1_700_100_000.0),
    ]
    first, second = unmapped_queue(records(*(one.value for one in values), b"no such message"))
    assert (first.slot, first.reports, first.first, first.last) == ("T", 2, "2023-11-14 22:13", "2023-11-16 02:00")
    assert (second.slot, second.key, second.reports) == ("N", "N9", 1)


def test_a_key_that_is_no_word_of_a_pack_is_withheld() -> None:
    """Nothing that could be a report's own words is kept."""
    findings = ReportFindings.model_validate_json(message(T="T1"))
    (told,) = unmapped_messages(findings, [Missing("breast-left", "T", "texts", "Mary Example, born 1950")], None)
    (row,) = unmapped_queue(records(told.value))
    assert row.key == "(withheld)"
    assert RECEIVED not in told.value.decode()
