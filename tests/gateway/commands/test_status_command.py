"""`synoptic status` over a real embedded bus, also while another process works on it."""

import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from gateway import cli
from gateway.delayed import DelayedHop
from gateway.emission import EmissionHop
from gateway.hop_inputs import HOP_INPUTS
from gateway.intake import Intake
from gateway.review.hop import ReviewHop
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_REPORTS
from schemas.settings import BusSettings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.extraction import ExtractionHop
from workers.hop import Result, group_of
from workers.runner import Runner

CANARY = b'{"name": "Erika Mustermann"}'


class HalfRejecting:
    """Rejects every second record."""

    name = "intake"
    topics = (TOPIC_REPORTS,)

    def process(self, records):
        """Reject those at even offsets."""
        return [
            Result(error=None if record.offset % 2 else SynopticError(Code.NOT_JSON, "line 1")) for record in records
        ]


@pytest.fixture
def bus(tmp_path, monkeypatch):
    """The bus of a working folder without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)
    for name in [name for name in os.environ if name.startswith("SYNOPTIC_")]:
        monkeypatch.delenv(name)
    with closing(EmbeddedBus(Path("synoptic-data/bus.sqlite"))) as opened:
        yield opened


def status(*options: str) -> int:
    """Run the command in this process; returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["status", *options])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def as_rows(shown: str) -> dict[str, dict]:
    """The JSON lines by hop."""
    return {row["hop"]: row for row in map(json.loads, shown.splitlines())}


def test_the_rows_are_the_hops_with_their_inputs():
    """The table of hops holds each hop's own name and topic."""
    hops = (Intake, ExtractionHop, EmissionHop, DelayedHop, ReviewHop)
    assert {hop.name: hop.topics for hop in hops} == {name: (topic,) for name, topic in HOP_INPUTS.items()}


def test_a_table_has_a_row_for_each_hop(bus, capsys):
    """An idle installation shows every hop with nothing waiting, and ends with 0."""
    assert status() == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["hop", "topic", "waiting", "rejected", "stopped"]
    assert [line[0] for line in lines[1:]] == list(HOP_INPUTS)
    assert {tuple(line[2:]) for line in lines[1:]} == {("0", "0", "")}


def test_waiting_and_rejected_are_counted_while_a_hop_runs(bus, capsys):
    """What waits and what was rejected shows while the hop holds the bus; of the messages nothing does."""
    bus.publish([Outgoing(TOPIC_REPORTS, CANARY)] * 5)
    runner = Runner(HalfRejecting(), bus, BusSettings(batch_size=2))
    try:
        assert runner.group == group_of("intake")
        assert runner.step() == 2
        capsys.readouterr()
        assert status("--format", "jsonl") == 0
    finally:
        runner.close()
    shown = capsys.readouterr()
    rows = as_rows(shown.out)
    expected = {"hop": "intake", "topic": TOPIC_REPORTS, "waiting": 3, "rejected": 1, "stopped": []}
    assert rows["intake"] == expected
    assert [row["waiting"] for row in rows.values()] == [3, 0, 0, 0, 0]
    assert "Erika" not in shown.out + shown.err


def test_a_stopped_hop_ends_the_command_with_one(bus, capsys):
    """A hop that stopped is shown with its share and instance, until it is acknowledged."""
    bus.publish([Outgoing(TOPIC_REPORTS, CANARY)] * 4)
    runner = Runner(HalfRejecting(), bus, BusSettings(rejected_minimum=4, instance_id="7"))
    with pytest.raises(SynopticError, match="SYN-507"):
        runner.step()
    runner.close()
    capsys.readouterr()
    assert status("--format", "jsonl") == 1
    shown = capsys.readouterr()
    assert as_rows(shown.out)["intake"]["stopped"] == ["intake: 2 of the last 4 (instance 7)"]
    assert "synoptic rejected acknowledge" in shown.err
    with pytest.raises(SystemExit):
        cli.main(["rejected", "acknowledge"])
    assert status() == 0
