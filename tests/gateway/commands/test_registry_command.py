"""`synoptic registry` over a real embedded bus."""

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, KeySet

from gateway import cli
from gateway.commands import run as run_command
from gateway.registries.ledger import Ledger
from schemas.messages import TOPIC_BUNDLES, TOPIC_REJECTED, ReportVersion
from workers.buses.bus import Outgoing
from workers.buses.embedded import EmbeddedBus
from workers.hop import group_of

GROUP = group_of("registry_board")
STATE = Path("synoptic-data/registries.sqlite")


@pytest.fixture
def bus(tmp_path, monkeypatch):
    """The bus of a working folder with one registry, to a folder, and three messages that are no Bundles."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_configure_logs", lambda: None)
    monkeypatch.setattr(run_command, "configure", lambda _settings: None)
    for name in [name for name in os.environ if name.startswith("SYNOPTIC_")]:
        monkeypatch.delenv(name)
    Path("registries").mkdir()
    Path("registries/board.yaml").write_text("title: Tumour board\ndeliver: {folder: {path: board}}\n")
    with closing(EmbeddedBus(Path("synoptic-data/bus.sqlite"))) as opened:
        opened.publish([Outgoing(TOPIC_BUNDLES, b"{}") for _ in range(3)])
        yield opened


def registry(*words: str) -> int:
    """Run the command in this process; its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["registry", *words])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def rows(capsys) -> list[list[str]]:
    """What `list` prints."""
    assert registry("list") == 0
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def run(*words: str) -> int:
    """Run hops until nothing is left; its exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", *words, "--until-idle"])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_registry_is_listed_with_what_waits(bus, capsys):
    """Its title and target, the Bundles that it has not taken, the reports of which it has something."""
    header, row = rows(capsys)
    assert header == ["name", "title", "target", "waiting", "reports sent", "set aside", "state"]
    assert row == ["board", "Tumour board", "folder", "3", "0", "0", ""]


def test_a_paused_registry_waits_until_it_is_resumed(bus, capsys):
    """A run with nothing else to do ends, and what came meanwhile is there afterwards."""
    assert registry("pause", "board") == 0
    assert run("registries") == 0
    assert rows(capsys)[1][3:] == ["3", "0", "0", "paused"]
    assert registry("resume", "board") == 0
    assert run("registries") == 0
    assert rows(capsys)[1][3:] == ["0", "0", "0", ""]
    assert [one.header("code") for one in bus.read(TOPIC_REJECTED)] == ["SYN-473"] * 3


def test_status_and_rejects_know_a_registry(bus, capsys):
    """What waits for it is a row of its own, and its rejects are asked for by its hop."""
    assert run("registries") == 0
    with pytest.raises(SystemExit) as caught:
        cli.main(["status"])
    assert caught.value.code == 0
    with pytest.raises(SystemExit) as caught:
        cli.main(["rejected", "list", "--hop", "registry_board"])
    assert caught.value.code == 0
    shown = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["registry_board", TOPIC_BUNDLES, "0", "3", ""] in shown
    assert sum(row[1:3] == ["SYN-473", "registry_board"] for row in shown) == 3


def test_catching_up_moves_the_place_and_sends_again(bus, capsys):
    """From an offset or a date; what the registry has of a report no longer keeps the same Bundle from it."""
    bus.move(GROUP, TOPIC_BUNDLES, offset=3)
    with closing(Ledger(STATE)) as ledger:
        ledger.note("board", "Provenance/1", "case", ReportVersion(), "urn:uuid:1", frozenset(["Condition/1"]))
        bus.close()
        assert registry("catch-up", "board", "--from-offset", "1") == 0
        assert "2 Bundles wait for board" in capsys.readouterr().err
        sent = ledger.sent("board", "Provenance/1")
        assert (sent.bundle, sent.names) == (None, frozenset(["Condition/1"]))
    assert registry("catch-up", "board", "--since", "2020-01-01") == 0
    assert rows(capsys)[1][3] == "3"


def test_what_catching_up_would_leave_out_is_told(bus, capsys):
    """A date in the future is wrong use, and what waited and no longer does is counted; an earlier place brings it back."""
    bus.close()
    assert registry("catch-up", "board", "--since", "2999-01-01") == 2
    assert rows(capsys)[1][3] == "3"
    assert registry("catch-up", "board", "--from-offset", "99") == 0
    assert "3 that waited before are left out" in capsys.readouterr().err
    assert registry("catch-up", "board", "--from-offset", "0") == 0
    assert "left out" not in capsys.readouterr().err
    assert rows(capsys)[1][3] == "3"


def test_a_faulty_file_keeps_nobody_from_the_other_registries(bus, capsys):
    """They are listed, and paused by name; the faults are told, and end the command that asks for that file."""
    Path("registries/wrong.yaml").write_text("form: fax\n")
    assert registry("list") == 2
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].startswith("board\t")
    assert "wrong.yaml:1: form" in shown.err
    assert registry("pause", "board") == 0
    assert registry("pause", "wrong") == 2
    assert "SYN-475" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--from-offset", "1", "--since", "2020-01-01"]])
def test_catching_up_needs_one_place(bus, options):
    """Neither nor both is wrong use."""
    assert registry("catch-up", "board", *options) == 2


def test_nobody_is_moved_while_a_process_consumes(bus, capsys):
    """The registry's process would go on where it was."""
    subscription = bus.subscribe(GROUP, [TOPIC_BUNDLES])
    assert registry("catch-up", "board", "--from-offset", "0") == 2
    assert "SYN-502" in capsys.readouterr().err
    subscription.close()


def test_a_registry_that_is_not_there_is_told(bus, capsys):
    """By number; so is a run of registries where there are none."""
    assert registry("pause", "nobody") == 2
    assert "SYN-477" in capsys.readouterr().err
    Path("registries/board.yaml").unlink()
    bus.move(GROUP, TOPIC_BUNDLES, offset=0)
    assert run("registries") == 2
    assert "SYN-477" in capsys.readouterr().err


def test_a_check_tells_what_is_wrong(bus, capsys):
    """Every line is a word and what to do; a fault ends with 2."""
    assert registry("check") == 0
    assert capsys.readouterr().out == "ok     registry board: its folder can be written\n"
    Path("registries/wrong.yaml").write_text("form: fax\n")
    assert registry("check") == 2
    shown = capsys.readouterr().out
    assert "fault  registry file: wrong.yaml:1: form" in shown
    assert "fault  registry file: wrong.yaml:1: deliver" in shown


def test_the_public_key_is_printed_for_registration(bus, capsys):
    """As a JWK set without the private half."""
    key = ECKey.generate_key("P-384")
    Path("key.pem").write_bytes(key.as_pem(private=True))
    Path("key.pem").chmod(0o600)
    smart = "smart: {client_id: c, key_file: key.pem}"
    Path("registries/state.yaml").write_text(f"deliver: {{fhir: {{base_url: 'https://r.example/fhir', {smart}}}}}\n")
    assert registry("jwks", "state") == 0
    printed = json.loads(capsys.readouterr().out)
    (found,) = KeySet.import_key_set(printed).keys
    assert not found.is_private
    assert (found.kid, printed["keys"][0]["alg"]) == (key.thumbprint(), "ES384")
    assert registry("jwks", "board") == 2
    assert registry("jwks") == 2
