"""`synoptic review` from the queue to the store, over a real embedded bus and a folder store."""

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from emission_made import context
from findings_made import SEAL, message
from review_made import REPORT, T2, Site, T, doubted, plain

from gateway import cli
from gateway.emission import EmissionHop
from gateway.review import desk
from gateway.review.hop import ReviewHop
from gateway.stores.folder_store import FolderStore
from schemas.messages import (
    TOPIC_FINDINGS,
    TOPIC_REJECTED,
    TOPIC_TEXTS,
    Action,
    ReportContext,
    ReportFindings,
    ReportText,
)
from schemas.settings import load_settings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.privacy.sealing import load_seal
from workers.runner import Runner, run_until_idle

KEY = "0123456789abcdef0123456789abcdef"
VALUES = {**REPORT, "T": "T2?"}


class Installation(Site):
    """A working folder, its bus, and emission when it is told to run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "synoptic-data" / "fhir")
        self.settings = load_settings()

    def publish(self, values: dict[str, str]) -> None:
        """A report with values in review, its text too, and let emission work."""
        value = doubted(message(1, **plain(values)), values)
        with closing(EmbeddedBus(self.settings.bus.path)) as bus, closing(load_seal(self.settings)) as seal:
            findings = ReportFindings.model_validate_json(value)
            about = seal_context(findings)
            text = "T2 was the largest focus, size 2.1 cm"
            report = ReportText(
                action=Action.REPLACE, pack="breast", text=text, context=about, content_digest=findings.content_digest
            )
            sealed = findings.model_copy(
                update={"sealed": seal.seal(about), "report_hmac": seal.report_hmac(about.report_key)}
            )
            key = sealed.report_hmac.encode()
            bus.publish(
                [
                    Outgoing(TOPIC_TEXTS, seal.enclose(report.model_dump_json().encode(), about.patient_key), key=key),
                    Outgoing(TOPIC_FINDINGS, sealed.model_dump_json().encode(), key=key),
                ]
            )
        self.work()

    def work(self) -> None:
        """Let emission and review work until idle."""
        with closing(EmbeddedBus(self.settings.bus.path)) as bus:
            hop = EmissionHop(self.settings, FolderStore(self.settings.fhir.folder))
            runners = [Runner(one, bus, self.settings.bus) for one in (hop, ReviewHop(hop))]
            run_until_idle(runners)
            for runner in runners:
                runner.close()
            hop.close()

    @property
    def rejected(self) -> int:
        """How many records were rejected."""
        with closing(EmbeddedBus(self.settings.bus.path)) as bus:
            return len(list(bus.read(TOPIC_REJECTED)))


def seal_context(findings: ReportFindings) -> ReportContext:
    """The context that the findings were made with."""
    return SEAL.open(findings.sealed, findings.report_hmac)


@pytest.fixture
def site(tmp_path, monkeypatch) -> Installation:
    """A working folder with one report in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)
    for name in [name for name in os.environ if name.startswith("SYNOPTIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SYNOPTIC_PRIVACY__KEY", KEY)
    installation = Installation(tmp_path)
    installation.publish(VALUES)
    return installation


def review(*options: str) -> int:
    """Run the command in this process; returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["review", *options])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def number(capsys) -> str:
    """The number of the one item that waits."""
    assert review("list", "--format", "jsonl") == 0
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)["number"]


def test_the_list_says_what_waits(site, capsys):
    """A row an item, filtered by kind, finding and report; JSON lines have the same keys."""
    assert review("list") == 0
    header, row = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    shown = dict(zip(header, row, strict=True))
    assert (shown["kind"], shown["primary"], shown["finding"], shown["value"]) == ("finding", "breast-left", "T", "T2")
    assert shown["reason"] == "not sure enough"
    for options in (("--kind", "conflict"), ("--finding", "N"), ("--report", "other")):
        assert review("list", *options) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1
    assert review("list", "--report", "DiagnosticReport/report") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_an_item_is_shown_with_the_words_around_its_evidence(site, capsys):
    """The quote stands in the report's own text, beside what the report offers and the store holds."""
    assert review("show", number(capsys)) == 0
    shown = capsys.readouterr().out
    assert "the report says:  >T2< was the largest focus" in shown
    assert shown.splitlines()[-1].endswith("\tpT category: 1229852009 (final)\t-")


@pytest.mark.parametrize(
    ("finding", "value", "said"), [("nodes_positive", "0", ": 0 (final)"), ("ER_percent", "0", ": 0 % (final)")]
)
def test_nought_is_a_value(site, capsys, finding, value, said):
    """What the report offers is told in full, also where it is none of something."""
    site.publish({**REPORT, finding: f"{value}?"})
    assert review("show", number(capsys)) == 0
    assert said in capsys.readouterr().out


def test_an_accepted_value_is_written_by_emission(site, capsys):
    """The command sends a decision; the hop writes it, and the list is empty."""
    assert review("accept", number(capsys), "--by", "https://hospital.example/staff|ruth") == 0
    assert site.value(T) is None
    site.work()
    assert site.value(T) == T2
    who = site.verifications[0]["agent"][0]["who"]
    assert who["identifier"] == {"system": "https://hospital.example/staff", "value": "ruth"}
    assert review("list") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("accept", "{}"), "SYN-466"),
        (("accept", "{}", "--by", "ruth"), "SYN-466"),
        (("correct", "{}", "T9", "--by", "Practitioner/r"), "SYN-465"),
        (("accept", "ffff0000", "--by", "Practitioner/r"), "SYN-468 there is no review item 'ffff0000';"),
        (("accept", "", "--by", "Practitioner/r"), "SYN-468 there is no review item '';"),
    ],
)
def test_what_cannot_be_is_told_at_once(site, capsys, words, code):
    """No reviewer, no such value and no such item end with status 1, and nothing is sent."""
    one = number(capsys)
    assert review(*(word.format(one) for word in words)) == 1
    assert capsys.readouterr().err.startswith(code)
    before = site.snapshot()
    site.work()
    assert site.snapshot() == before


def test_an_answer_given_twice_is_one(site, capsys):
    """Before emission works an item still waits; afterwards its number is none, and nothing was rejected."""
    one = number(capsys)
    for _ in range(2):
        assert review("accept", one, "--by", "Practitioner/r") == 0
    site.work()
    assert (site.value(T), len(site.verifications), site.rejected) == (T2, 1, 0)
    assert review("accept", one, "--by", "Practitioner/r") == 1
    assert "SYN-468" in capsys.readouterr().err


def test_of_an_erased_patient_nothing_waits_and_nothing_is_decided(site, capsys):
    """A decision that was on its way is rejected; the list is empty, and the number is none."""
    one = number(capsys)
    assert review("accept", one, "--by", "Practitioner/r") == 0
    with closing(load_seal(site.settings)) as seal:
        assert seal.erase(context().patient_key)
    site.work()
    assert (site.value(T), site.rejected) == (None, 1)
    assert review("list", "--format", "jsonl") == 0
    assert review("show", one) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "SYN-468" in shown.err


def test_a_pack_that_is_not_loaded_is_named(site, capsys, monkeypatch):
    """Whoever decides with other settings than the gateway's is told so in one line."""
    one = number(capsys)
    monkeypatch.setattr(desk, "load_packs", lambda *_: {})
    assert review("accept", one, "--by", "Practitioner/r") == 1
    assert capsys.readouterr().err.startswith("SYN-251")
