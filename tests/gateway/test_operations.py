"""The operators' commands over a real embedded bus: publish, rejected, config, run."""

import io
import os
import signal
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from gateway import cli
from gateway.commands import run as run_command
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_REJECTED, TOPIC_REPORTS
from schemas.settings import BusSettings, Settings
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.hop import Result
from workers.runner import Runner, run_until_idle

CANARY = b'{"name": "Erika Mustermann"}'


class RejectingHop:
    """Rejects everything."""

    name = "intake"
    topics = (TOPIC_REPORTS,)

    def process(self, records):
        """One reject a record."""
        return [Result(error=SynopticError(Code.NOT_JSON, "line 1")) for _ in records]


class AcceptingHop(RejectingHop):
    """Passes everything on."""

    def process(self, records):
        """One output a record."""
        return [Result((Outgoing("out", record.value),)) for record in records]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder without settings, with quiet logs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)
    monkeypatch.setattr(run_command, "configure", lambda _settings: None)
    for name in [name for name in os.environ if name.startswith("SYNOPTIC_")]:
        monkeypatch.delenv(name)
    return tmp_path


def end(*arguments: str) -> int:
    """Run the program in this process; returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


@contextmanager
def opened():
    """The bus of the working folder."""
    bus = EmbeddedBus(Path("synoptic-data/bus.sqlite"))
    yield bus
    bus.close()


def reject(*values: bytes) -> None:
    """Let a hop reject these."""
    with opened() as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, value) for value in values])
        runner = Runner(RejectingHop(), bus, BusSettings(rejected_minimum=2))
        with suppress(SynopticError):
            run_until_idle([runner])
        runner.close()


def values(topic: str) -> list[bytes]:
    """All values of a topic."""
    with opened() as bus:
        return [record.value for record in bus.read(topic)]


def test_publish_takes_files_and_lines(folder, capsys):
    """A JSON file is one message with its bytes unchanged; an NDJSON file is one a line."""
    (folder / "one.json").write_bytes(b'{ "a":\n1 }\n')
    (folder / "many.ndjson").write_bytes(b'{"b": 2}\n\n{"c": 3}\n')
    assert end("publish", "one.json", "many.ndjson") == 0
    assert values(TOPIC_REPORTS) == [b'{ "a":\n1 }\n', b'{"b": 2}', b'{"c": 3}']
    assert "published 3 messages" in capsys.readouterr().err


def test_publish_goes_on_after_a_bad_file(folder, capsys, monkeypatch):
    """A missing or too large file is one numbered line and exit code 1; the others are published."""
    monkeypatch.setenv("SYNOPTIC_BUS__MAXIMUM_MESSAGE_BYTES", "10")
    (folder / "large.json").write_bytes(b"x" * 11)
    (folder / "good.json").write_bytes(b"{}")
    assert end("publish", "absent.json", "large.json", "good.json") == 1
    assert values(TOPIC_REPORTS) == [b"{}"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ")[:2] for line in lines] == [
        ["absent.json:", "SYN-125"],
        ["large.json:", "SYN-504"],
        ["published", "1"],
    ]


@pytest.mark.parametrize("name", ["empty.json", "empty.ndjson", "-"])
def test_nothing_is_no_message(folder, capsys, monkeypatch, name):
    """An empty file, or an empty standard input, is refused: it would only come back as a rejected record."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    if name != "-":
        Path(name).write_bytes(b" \n")
    assert end("publish", name) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"{name}: SYN-101 the message is not JSON (it is empty)")
    assert lines[1:] == ["published 0 messages"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("list", "--hop", "nope"), "delayed"),
        (("list", "--code", "SYN-1"), "SYN-101"),
        (("replay", "--all", "--hop", "nope"), "delayed"),
        (("replay", "--all", "--code", "101"), "SYN-101"),
        (("acknowledge", "intake", "nope"), "delayed"),
    ],
)
def test_rejected_of_what_there_is_not_is_wrong_use(folder, capsys, arguments, named):
    """A misspelt hop or error is told with what there is, and does not look as if nothing had been rejected."""
    assert end("rejected", *arguments) == 2
    assert named in capsys.readouterr().err


def test_rejected_list_says_why_without_content(folder, capsys):
    """The list gives number, code, hop, topic and reason, tab-separated for scripts, and never the message."""
    reject(CANARY)
    capsys.readouterr()
    assert end("rejected", "list") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split("\t") == ["number", "code", "hop", "topic", "reason"]
    assert row.split("\t")[:4] == ["0", "SYN-101", "intake", TOPIC_REPORTS]
    assert "Erika" not in row


def test_rejected_list_filters(folder, capsys):
    """`--hop` and `--code` narrow the list."""
    reject(CANARY)
    capsys.readouterr()
    for option, value, rows in (("--hop", "intake", 1), ("--hop", "emission", 0), ("--code", "SYN-102", 0)):
        assert end("rejected", "list", option, value) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1 + rows


def test_rejected_show_needs_a_word_for_phi(folder, capfdbinary):
    """`show` gives the reason and the origin; only `--with-phi` prints the message, byte for byte."""
    reject(CANARY)
    assert end("rejected", "show", "0") == 0
    shown = capfdbinary.readouterr().out
    assert b"code: SYN-101\n" in shown
    assert b"offset: 0\n" in shown
    assert b"Erika" not in shown
    assert end("rejected", "show", "0", "--with-phi") == 0
    assert capfdbinary.readouterr().out == CANARY


def test_rejected_show_of_an_unknown_number(folder, capsys):
    """A number that is none is a numbered error."""
    assert end("rejected", "show", "99") == 1
    assert capsys.readouterr().err.startswith("SYN-510 ")


def test_replay_sends_each_record_once(folder, capsys):
    """Replayed records return to their hop's input and leave the list, though `list --all` still has them."""
    reject(CANARY, b"second")
    assert end("rejected", "replay", "1") == 0
    assert values(TOPIC_REPORTS) == [CANARY, b"second", b"second"]
    assert end("rejected", "replay", "--all") == 0
    assert values(TOPIC_REPORTS) == [CANARY, b"second", b"second", CANARY]
    assert end("rejected", "replay", "--all") == 0
    assert len(values(TOPIC_REPORTS)) == 4
    capsys.readouterr()
    end("rejected", "list")
    assert len(capsys.readouterr().out.splitlines()) == 1
    end("rejected", "list", "--all")
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize("arguments", [(), ("0", "--all")])
def test_replay_wants_to_know_what(folder, arguments):
    """Neither nothing nor a number together with `--all` is a choice."""
    reject(CANARY)
    assert end("rejected", "replay", *arguments) == 2
    assert values(TOPIC_REPORTS) == [CANARY]


def test_acknowledge_starts_a_stopped_hop(folder, capsys):
    """A hop stopped by its rejects is named in the list, refused by `run`, and free after acknowledging."""
    reject(CANARY, CANARY)
    assert end("rejected", "list") == 0
    assert "stopped, intake: 2 of the last 2" in capsys.readouterr().err
    with opened() as bus, pytest.raises(SynopticError, match="SYN-507"):
        Runner(AcceptingHop(), bus, BusSettings()).join()
    assert end("rejected", "acknowledge") == 0
    assert "intake: 2 of the last 2" in capsys.readouterr().err
    with opened() as bus:
        Runner(AcceptingHop(), bus, BusSettings()).join().close()
    assert end("rejected", "acknowledge") == 0
    assert "no hop has stopped" in capsys.readouterr().err


def test_config_show_is_a_settings_file(folder, capsys, monkeypatch):
    """Every key is printed; the output is a synoptic.yaml that gives the same settings; secrets stay secret."""
    monkeypatch.setenv("SYNOPTIC_BUS__BATCH_SIZE", "7")
    monkeypatch.setenv("SYNOPTIC_PRIVACY__KEY", "a secret of thirty-two characters")
    assert end("config", "show") == 0
    shown = capsys.readouterr().out
    assert "a secret" not in shown
    assert "batch_size: 7  # records that a hop works on together; default: 32" in shown
    read = yaml.safe_load(shown)
    assert set(read) == set(Settings.model_fields)
    monkeypatch.delenv("SYNOPTIC_BUS__BATCH_SIZE")
    monkeypatch.delenv("SYNOPTIC_PRIVACY__KEY")
    (folder / "synoptic.yaml").write_text(shown)
    assert Settings() == Settings(bus=BusSettings(batch_size=7))


def test_faulty_settings_are_all_named(folder, capsys):
    """A command with faulty settings exits with 2 and one line that names every faulty key."""
    (folder / "synoptic.yaml").write_text("bus: {batch_size: 0, nonsense: 1}\n")
    assert end("config", "show") == 2
    line = capsys.readouterr().err
    assert line.startswith("SYN-601 ")
    assert "bus.batch_size" in line
    assert "bus.nonsense" in line


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SYNOPTIC_LOG__LEVEL", "SYNOPTIC_LOGGING__LEVEL"),
        ("SYNOPTIC_BUS__BATCHSIZE", "SYNOPTIC_BUS__BATCH_SIZE"),
        ("SYNOPTIC_SETTING", "SYNOPTIC_SETTINGS"),
    ],
)
def test_a_variable_that_names_no_key_is_a_fault(folder, capsys, monkeypatch, name, nearest):
    """A misspelt variable is never passed over: it is named with the nearest one, and its value is not shown."""
    monkeypatch.setenv(name, "secret-value")
    assert end("config", "show") == 2
    line = capsys.readouterr().err
    assert line.startswith("SYN-601 ")
    assert f"{name}: no setting has this variable; did you mean {nearest}?" in line
    assert "secret-value" not in line


@contextmanager
def _hops(hop):
    yield [hop]


def test_run_works_until_sigterm(folder, monkeypatch):
    """`synoptic run` processes what is published meanwhile, and exits with 0 on SIGTERM."""
    monkeypatch.setattr(run_command, "open_hops", lambda _names, _settings, _stopping: _hops(AcceptingHop()))

    def publish_then_end() -> None:
        with opened() as bus:
            bus.publish([Outgoing(TOPIC_REPORTS, b"%d" % number) for number in range(70)])
            while bus.lag("synoptic-intake", [TOPIC_REPORTS])[TOPIC_REPORTS]:
                pause.wait(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    pause = threading.Event()
    thread = threading.Thread(target=publish_then_end)
    before = signal.getsignal(signal.SIGTERM)
    # The thread ends by a signal, so the handler must be there first: it starts when the service does.
    monkeypatch.setattr(run_command, "_keep_house", lambda *_: thread.start() if not thread.ident else None)
    assert end("run", "intake") == 0
    thread.join()
    assert values("out") == [b"%d" % number for number in range(70)]
    assert signal.getsignal(signal.SIGTERM) is before


def test_run_until_idle_ends_by_itself(folder, monkeypatch, capsys):
    """With `--until-idle` the program ends when nothing is left, and says how much there was."""
    monkeypatch.setattr(run_command, "open_hops", lambda _names, _settings, _stopping: _hops(AcceptingHop()))
    with opened() as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, b"{}")] * 40)
    assert end("run", "intake", "--until-idle") == 0
    assert "processed 40 records" in capsys.readouterr().err
    assert values("out") == [b"{}"] * 40


def test_run_ends_when_a_hop_stops(folder, monkeypatch, capsys):
    """A hop that rejects too much ends the program with 2 and says what to do."""
    monkeypatch.setattr(run_command, "open_hops", lambda _names, _settings, _stopping: _hops(RejectingHop()))
    with opened() as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, b"%d" % number) for number in range(100)])
    assert end("run", "intake") == 2
    error = capsys.readouterr().err
    assert "SYN-507" in error
    assert "synoptic rejected acknowledge" in error
    assert 50 <= len(values(TOPIC_REJECTED)) < 100


def test_run_keeps_house(folder):
    """The lag of each hop becomes a metric, and old records leave the embedded bus."""
    from schemas import metrics

    with opened() as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, b"{}")] * 3)
        runner = Runner(AcceptingHop(), bus, BusSettings())
        run_command._keep_house(bus, [runner])
        runner.close()
    assert metrics.value_of(metrics.LAG, hop="intake", topic=TOPIC_REPORTS) == 3
