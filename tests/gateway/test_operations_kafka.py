"""The operators' commands over a real Kafka broker: publish, status, rejected."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from gateway import cli
from gateway.mapping_tools.unmapped import UnmappedValue
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_REJECTED, TOPIC_REPORTS, TOPIC_UNMAPPED
from schemas.settings import BusSettings
from workers import rejects
from workers.buses.bus import Outgoing
from workers.buses.kafka import KafkaBus
from workers.hop import Result
from workers.runner import Runner

CANARY = b'{"name": "Erika Mustermann"}'
DEADLINE_SECONDS = 60.0


class RejectingHop:
    """Rejects everything."""

    name = "intake"
    topics = (TOPIC_REPORTS,)

    def process(self, records):
        """One reject a record."""
        return [Result(error=SynopticError(Code.NOT_JSON, "line 1")) for _ in records]


@pytest.fixture
def settings(kafka_servers, topic_prefix, tmp_path, monkeypatch) -> BusSettings:
    """A working folder whose environment names the test's own part of the broker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)
    for name in [name for name in os.environ if name.startswith("SYNOPTIC_")]:
        monkeypatch.delenv(name)
    chosen = {"kind": "kafka", "bootstrap_servers": kafka_servers, "topic_prefix": topic_prefix}
    for key, value in chosen.items():
        monkeypatch.setenv(f"SYNOPTIC_BUS__{key.upper()}", value)
    return BusSettings(**chosen, rejected_minimum=3, session_timeout_seconds=6)


@contextmanager
def opened(settings: BusSettings) -> Iterator[KafkaBus]:
    """The bus of the test."""
    with closing(KafkaBus(settings)) as bus:
        yield bus


def end(*arguments: str) -> int:
    """Run the program in this process; returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def reject(settings: BusSettings, count: int) -> None:
    """Publish so many messages with different keys, and let a hop reject all of them."""
    with opened(settings) as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, CANARY, key=b"%d" % number) for number in range(count)])
        runner = Runner(RejectingHop(), bus, settings)
        deadline = time.monotonic() + DEADLINE_SECONDS
        with suppress(SynopticError), closing(runner):
            while bus.lag(runner.group, [TOPIC_REPORTS])[TOPIC_REPORTS]:
                assert time.monotonic() < deadline
                runner.step(0.5)


def values(settings: BusSettings, topic: str) -> list[bytes]:
    """All values of a topic."""
    with opened(settings) as bus:
        return [record.value for record in bus.read(topic)]


def listed(capsys, *options: str) -> list[list[str]]:
    """The rows of `synoptic rejected list`, which never hold a message."""
    capsys.readouterr()
    assert end("rejected", "list", *options) == 0
    shown = capsys.readouterr().out
    assert "Erika" not in shown
    rows = [line.split("\t") for line in shown.splitlines()]
    assert rows[0] == ["number", "code", "hop", "topic", "reason"]
    return rows[1:]


def intake_status(capsys) -> tuple[int, dict]:
    """The exit code of `synoptic status`, and intake's row."""
    capsys.readouterr()
    code = end("status", "--format", "jsonl")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["hop"] for row in rows] == ["intake", "extraction", "emission", "delayed", "review"]
    return code, rows[0]


def test_published_files_wait_for_intake(settings, tmp_path, capsys):
    """Each file's messages arrive unchanged, the status counts them, and a missing file stops none."""
    (tmp_path / "one.json").write_bytes(b'{ "a":\n1 }\n')
    (tmp_path / "many.ndjson").write_bytes(b'{"b": 2}\n\n{"c": 3}\n')
    assert end("publish", "one.json", "absent.json", "many.ndjson") == 1
    assert "published 3 messages" in capsys.readouterr().err
    assert sorted(values(settings, TOPIC_REPORTS)) == [b'{ "a":\n1 }\n', b'{"b": 2}', b'{"c": 3}']
    expected = {"hop": "intake", "topic": TOPIC_REPORTS, "waiting": 3, "rejected": 0, "stopped": []}
    assert intake_status(capsys) == (0, expected)


def test_a_file_with_a_too_large_message_is_published_whole_or_not_at_all(settings, tmp_path, monkeypatch):
    """What does not fit takes the rest of its file with it, and no other file."""
    monkeypatch.setenv("SYNOPTIC_BUS__MAXIMUM_MESSAGE_BYTES", "10")
    (tmp_path / "mixed.ndjson").write_bytes(b'{"b": 2}\n' + b"x" * 11)
    (tmp_path / "good.json").write_bytes(b"{}")
    assert end("publish", "mixed.ndjson", "good.json") == 1
    assert values(settings, TOPIC_REPORTS) == [b"{}"]


def test_rejected_records_of_several_partitions(settings, capfd):
    """Each is listed under its partition and offset, shown, and replayed once, as it first came."""
    reject(settings, 12)
    rows = listed(capfd)
    numbers = [row[0] for row in rows]
    assert {tuple(row[1:4]) for row in rows} == {("SYN-101", "intake", TOPIC_REPORTS)}
    assert len(set(numbers)) == 12
    elsewhere = [number for number in numbers if "-" in number]
    assert elsewhere, "all of them landed in partition 0"
    with opened(settings) as bus:
        found = {rejects.number(record): record for record in bus.read(TOPIC_REJECTED)}
    chosen = found[elsewhere[0]]
    assert elsewhere[0] == f"{chosen.partition}-{chosen.offset}"

    assert end("rejected", "show", elsewhere[0]) == 0
    assert "Erika" not in capfd.readouterr().out
    assert end("rejected", "show", elsewhere[0], "--with-phi") == 0
    assert capfd.readouterr().out == CANARY.decode()

    assert end("rejected", "replay", elsewhere[0]) == 0
    assert [row[0] for row in listed(capfd)] == [number for number in numbers if number != elsewhere[0]]
    with opened(settings) as bus:
        replayed = [record for record in bus.read(TOPIC_REPORTS) if record.key == chosen.key]
    assert [record.value for record in replayed] == [CANARY, CANARY]

    assert intake_status(capfd)[1]["rejected"] == 11
    assert end("rejected", "replay", "--all") == 0
    assert end("rejected", "replay", "--all") == 0
    assert len(values(settings, TOPIC_REPORTS)) == 24
    assert listed(capfd) == []
    assert len(listed(capfd, "--all")) == 12
    assert end("rejected", "show", "3-999") == 1


def test_a_stopped_hop_is_shown_and_acknowledged(settings, capsys):
    """What stopped one process is seen by every other, until somebody acknowledges it."""
    reject(settings, 4)
    code, row = intake_status(capsys)
    assert code == 1
    assert row["stopped"] == ["intake: 4 of the last 4 (instance 0)"]
    with opened(settings) as bus, pytest.raises(SynopticError, match="SYN-507"):
        Runner(RejectingHop(), bus, settings).join()
    assert end("rejected", "acknowledge") == 0
    assert "intake: 4 of the last 4" in capsys.readouterr().err
    assert intake_status(capsys)[0] == 0
    with opened(settings) as bus:
        Runner(RejectingHop(), bus, settings).join().close()


def test_a_replay_of_much_is_split_into_transactions(settings, monkeypatch, capsys):
    """However many are replayed, each is sent with the note of it, so that none is sent twice or forgotten."""
    reject(settings, 7)
    monkeypatch.setattr(rejects, "REPLAY_BYTES", 2 * len(CANARY))
    transactions = []
    publish = KafkaBus.publish
    monkeypatch.setattr(
        KafkaBus, "publish", lambda bus, outgoing: (transactions.append(len(outgoing)), publish(bus, outgoing))[1]
    )
    assert end("rejected", "replay", "--all") == 0
    assert "replayed 7" in capsys.readouterr().err
    assert transactions == [4, 4, 4, 2]
    assert len(values(settings, TOPIC_REPORTS)) == 14
    assert listed(capsys) == []


def test_values_without_a_code_are_listed_from_all_partitions(settings, capsys):
    """`synoptic mapping unmapped` counts a report once, on whichever partition and however often it was read."""
    told = [
        UnmappedValue(report=f"{number % 6}", pack="breast", slot="T", table="T.pathologic", key="T9")
        for number in range(12)
    ]
    with opened(settings) as bus:
        bus.publish([Outgoing(TOPIC_UNMAPPED, one.model_dump_json().encode(), key=one.report.encode()) for one in told])
    assert end("mapping", "unmapped") == 0
    assert [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["6", "breast", "T", "T.pathologic", "T9", "", ""]
    ]
