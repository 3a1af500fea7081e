"""Moved dates and numbered names: intervals and persons survive, no secret and no identifier does."""

import secrets
from datetime import date, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Code, SynopticError
from schemas.messages import Action, Identifier, KnownIdentifier, Reference, ReportContext, ReportText, ReportVersion
from schemas.settings import PrivacySettings, Settings
from workers.privacy.deidentify import deidentify
from workers.privacy.replacements import MOST_DAYS, Replacements, date_offset
from workers.privacy.shifted_dates import DateStyle, WrittenDate

SECRET = b"a secret of thirty-two characters"
PATIENT = UUID(int=7)
OFFSET = date_offset(SECRET, PATIENT)
SHIFT = Replacements(SECRET)
NUMBER = Replacements(numbered_names=True)
DATES = st.dates(date(1985, 1, 1), date(2069, 12, 31))
AMERICAN = ("%m/%d/%Y", "%Y-%m-%d", "%B %d, %Y", "%d-%b-%Y", "%Y%m%d")
GERMAN = ("%d.%m.%Y", "%Y-%m-%d", "%Y%m%d")
FOUND = st.sampled_from((AMERICAN, GERMAN)).flatmap(
    lambda forms: st.lists(st.tuples(DATES, st.sampled_from(forms)), min_size=1, max_size=5)
)


def report(text: str, *known: KnownIdentifier, patient: UUID = PATIENT) -> ReportText:
    """A report of a patient."""
    identifier = Identifier(system="urn:lab", value="1")
    context = ReportContext(
        tenant="default",
        report_key=UUID(int=1),
        patient_key=patient,
        report_identifier=identifier,
        report=Reference(type="DiagnosticReport", identifier=identifier),
        subject=Reference(type="Patient", literal="Patient/1"),
        status="final",
        version=ReportVersion(issued="2024-03-05T10:00:00Z"),
        recorded="2024-03-05T10:00:00Z",
    )
    return ReportText(
        action=Action.REPLACE, pack="breast", text=text, content_digest="0", context=context, known_identifiers=known
    )


def shifted(text: str, *known: KnownIdentifier) -> str:
    """The text with moved dates."""
    return SHIFT.deidentified(report(text, *known)).text


def numbered(text: str, *known: KnownIdentifier) -> str:
    """The text with numbered names."""
    return NUMBER.deidentified(report(text, *known)).text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12/03/2019", "01/12/2020"),
        ("1/3/19", "2/12/19"),
        ("13/03/2019", "22/04/2019"),
        ("2019-03-12", "2019-04-21"),
        ("2014-03-07T10:15:00+01:00", "2014-04-16"),
        ("12.3.19", "21.4.19"),
        ("01.02.2019", "13.03.2019"),
        ("21.10 2033", "30.11 2033"),
        ("12. März 2019", "21. April 2019"),
        ("12. Mai 2019", "21. Juni 2019"),
        ("March 12, 2019", "April 21, 2019"),
        ("MARCH 12, 2019", "APRIL 21, 2019"),
        ("Mar 2nd, 2019", "Apr 11th, 2019"),
        ("07-MAY-2014", "16-JUN-2014"),
        ("07MAR2014", "16APR2014"),
        ("2014-Mar-07", "2014-Apr-16"),
        ("20140307", "20140416"),
        ("March 2009", "April 2009"),
        ("03/2009", "04/2009"),
        ("03/07/2014 10:15 AM", "04/16/2014"),
    ],
)
def test_a_moved_date_keeps_its_form(written: str, expected: str) -> None:
    """Order, separators, zeros, length and language of the month, ordinals; a time of day is left out."""
    read = WrittenDate.read(written, DateStyle.of([written]))
    assert read is not None
    assert read.moved(40) == expected


@pytest.mark.parametrize(
    "text",
    [
        "since 2017, well",
        "stationär vom 12.–15.03.2019",
        "seen June 15 to 16, 2023",
        "biopsied in March",
        "on 3/14, pT2",
    ],
)
def test_what_is_no_whole_date_stays_a_tag(text: str) -> None:
    """Years of events, ranges, months alone, and day/month without a year, which may be month/year."""
    assert shifted(text) == deidentify(text).text
    assert "[DATE]" in shifted(text)


@pytest.mark.parametrize(
    "text",
    ["DOB: 03/07/1956", "geb. 7.3.1956, links", "Anna Testperson, born on March 7, 1956", "Testperson *07.03.1956"],
)
def test_a_birth_date_stays_a_tag(text: str) -> None:
    """Where the text labels it, whatever the setting."""
    assert "[DATE]" in shifted(text)
    assert "19" not in shifted(text)


def test_a_birth_date_of_the_resource_and_what_gives_away_a_great_age_stay_tags() -> None:
    """The resource's date without any label, and one that lies over 89 years before the report's latest."""
    known = KnownIdentifier(kind="DATE", value="1956-03-07")
    assert shifted("03/07/1956 and pT2", known) == "[DATE] and pT2"
    assert shifted("3/7/1920. Received 03/07/2014").startswith("[DATE]. Received 0")


def test_where_a_report_shows_both_orders_a_date_that_fits_both_stays_a_tag() -> None:
    """A wrong guess would change intervals silently."""
    clean = shifted("on 13/03/2019 and 03/14/2019 and 03/04/2019")
    assert clean.count("[DATE]") == 1
    assert clean.endswith("[DATE]")


@settings(max_examples=150, deadline=None)
@given(FOUND)
def test_intervals_survive_in_every_form(found: list[tuple[date, str]]) -> None:
    """Each date is written as it was, exactly the patient's number of days later."""
    before = "; ".join(f"noted {when.strftime(form)}" for when, form in found)
    after = "; ".join(f"noted {(when + timedelta(days=OFFSET)).strftime(form)}" for when, form in found)
    assert shifted(before) == after


@settings(max_examples=80, deadline=None)
@given(
    st.lists(DATES, max_size=3), st.sampled_from(["Dr. Anna Testperson", "pT2 pN1a", "MRN 0012345678", "ß [NAME 1]"])
)
def test_every_kept_character_leads_back_and_no_replaced_one_does(found: list[date], words: str) -> None:
    """The map knows kept characters only: a moved date or a number can never be evidence."""
    text = f"{words} " + " ".join(f"on {when:%m/%d/%Y}, seen by Dr. Muster" for when in found)
    clean = Replacements(SECRET, numbered_names=True).deidentified(report(text))
    kept = [clean.to_source(index, index + 1) for index in range(len(clean.text))]
    assert all(text[span[0] : span[1]] == clean.text[index] for index, span in enumerate(kept) if span)
    gone = sum(one.end - one.start for one in clean.removed)
    assert sum(span is not None for span in kept) == len(text) - gone
    places = [index for index, span in enumerate(kept) if span is None]
    assert len(places) == sum(len(one.replacement) for one in clean.removed)


def test_a_patients_reports_move_alike_and_others_otherwise() -> None:
    """One number for a patient, spread over others, never 0 nor a whole year; another secret gives another."""
    offsets = [date_offset(SECRET, uuid5(PATIENT, str(number))) for number in range(4000)]
    assert date_offset(SECRET, UUID(int=7)) == OFFSET
    assert 0 not in offsets
    assert len(set(offsets)) > MOST_DAYS * 3 // 2
    assert min(offsets) >= -MOST_DAYS
    assert max(offsets) <= MOST_DAYS
    assert len({date_offset(secrets.token_bytes(32), PATIENT) for _ in range(50)}) > 25


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Anna Müller; Dr. Kern; Dr. Mueller", "Dr. [NAME 1]; Dr. [NAME 2]; Dr. [NAME 1]"),
        ("Dr. MÜLLER; Dr. A. Müller, Frau Müllers Befund", "Dr. [NAME 1]; Dr. [NAME 1], Frau [NAME 1] Befund"),
        ("Dr. Anna Müller; Dr. Peter Müller; Dr. P. Müller", "Dr. [NAME 1]; Dr. [NAME 2]; Dr. [NAME 2]"),
    ],
)
def test_one_person_has_one_number(text: str, expected: str) -> None:
    """In other spellings, with initials and in the genitive; a namesake with another given name has another."""
    assert numbered(text) == expected


def test_numbered_tags_are_tags_to_whoever_reads_them_again() -> None:
    """De-identifying what was given out changes nothing of them."""
    once = numbered("Dr. Anna Müller and Dr. Kern, MRN 0012345678: pT2")
    assert deidentify(once).text == once


def test_the_default_is_tags_and_asks_for_no_key(tmp_path, monkeypatch) -> None:
    """Without a choice the text is the one that rules and classifier read, and no key file is made."""
    monkeypatch.chdir(tmp_path)
    text = "Dr. Anna Müller on 03/07/2014: pT2"
    assert Replacements.of(Settings()).deidentified(report(text)) == deidentify(text)
    assert list(tmp_path.iterdir()) == []


def test_dates_do_not_move_by_a_short_key() -> None:
    """SYN-604, as for every other use of the key."""
    with pytest.raises(SynopticError) as caught:
        Replacements.of(Settings(privacy=PrivacySettings(dates="shift", key="short")))
    assert caught.value.code is Code.BAD_PRIVACY_KEY


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("seen on 03/07/2014", "pattern:date-numbers"),
        ("Dr. Testperson", "context:title"),
        ("seen with Wolfgang Testperson today", "listed"),
        ("for Featherby today", "known"),
        ("on 1956-03-07 today", "known"),
    ],
)
def test_each_removal_says_what_found_it(text: str, reason: str) -> None:
    """The resource before any rule, else layer and rule."""
    known = (KnownIdentifier(kind="NAME", value="Q. Featherby"), KnownIdentifier(kind="DATE", value="1956-03-07"))
    assert [one.reason for one in deidentify(text, known).removed] == [reason]


def test_a_name_that_comes_again_says_so() -> None:
    """The first finder keeps its reason."""
    clean = deidentify("Dr. Testperson. Later Testperson called.")
    assert [one.reason for one in clean.removed] == ["context:title", "again"]
