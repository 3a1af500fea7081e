"""Two registries on the embedded bus, each in its own group and thread, while one of them is away."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml
from findings_made import make_hop, message
from registries_made import VALUES, settings_in

from gateway.composition import build_hops
from gateway.health import HealthServer
from gateway.registries.hop import RegistryHop, build_registry_hops
from gateway.service import Service
from gateway.stores.folder_store import FolderStore
from gateway.stores.resource_store import Resource
from gateway.whose_report import sealed_report
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_BUNDLES, TOPIC_REJECTED, TOPIC_REPORTS, Identifier, Reference
from schemas.settings import BusSettings, Settings
from workers.buses.bus import Outgoing, Record
from workers.buses.embedded import EmbeddedBus
from workers.hop import HopStatus, Result, group_of
from workers.privacy.sealing import load_seal
from workers.rejects import replay, waiting
from workers.runner import Backoff, Runner, run_until_idle

NAMES = [f"S24-{number}" for number in range(6)]
DAYS = (1, 2, 3)
FAST = Backoff(first=0.01, most=0.05)


class Registry:
    """A registry's FHIR server: stores what is PUT in transactions, unless it is told to be away."""

    def __init__(self) -> None:
        """Serve on a free port."""
        self.away = threading.Event()
        self.fails_at = b"nothing"
        self.refused = threading.Semaphore(0)
        self.stored: list[Resource] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Take a Bundle, or say that it cannot."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bundle, away = orjson.loads(body), outer.away.is_set()
                broken = outer.fails_at in body
                answer: dict[str, Any] = {"resourceType": "Bundle", "type": "transaction-response"}
                if away:
                    outer.refused.release()
                elif not broken:
                    outer.stored.append(bundle)
                content = json.dumps(answer).encode()
                self._say(503 if away else 500 if broken else 200, content)

            def do_GET(self) -> None:
                """Metadata."""
                self._say(503 if outer.away.is_set() else 200, b"{}")

            def _say(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/fhir"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry's server."""
    server = Registry()
    yield server
    server.stop()


class Site:
    """A small site: the embedded bus, a folder store, reports as their messages, and two registries."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        """Write the registries' files: `board` is a folder, `state` the server."""
        bus = BusSettings(path=folder / "bus.sqlite", batch_size=4)
        self.settings: Settings = settings_in(folder, bus=bus)
        self.board = folder / "board"
        fhir = {"base_url": registry.base_url, "attempts": 1}
        self.write("board", {"folder": {"path": str(self.board)}})
        self.write("state", {"fhir": fhir})
        self.bus = EmbeddedBus(bus.path)
        self._emission = make_hop(FolderStore(self.settings.fhir.folder), self.settings)

    def write(self, name: str, deliver: Resource) -> None:
        """One registry's file."""
        self.settings.registry.folder.mkdir(exist_ok=True)
        path = self.settings.registry.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"title": name, "deliver": deliver}))

    def publish(self, day: int, name: str, **values: str) -> str:
        """The EHR's message, sealed as `synoptic publish` does, and the Bundle that emission makes; its identifier."""
        report = _report(name)
        with closing(load_seal(self.settings)) as seal:
            sealed = sealed_report(json.dumps(report).encode(), seal, self.settings)
        about = {"subject": Reference(type="Patient", identifier=Identifier(system="urn:mrn", value="4711"))}
        record = Record("findings", 0, 0, message(day, report=name, about=about, **(values or VALUES)))
        (result,) = self._emission.process([record])
        assert result.error is None
        self.bus.publish([Outgoing(TOPIC_REPORTS, sealed), *result.outgoing])
        return str(orjson.loads(result.outgoing[0].value)["identifier"]["value"])

    def runners(self) -> list[Runner]:
        """A runner for each registry, as `synoptic run` has them."""
        hops = build_hops("registries", self.settings)
        return [Runner(hop, self.bus, self.settings.bus, FAST) for hop in hops]

    def lag(self, name: str) -> int:
        """How many Bundles wait for a registry."""
        return self.bus.lag(group_of(f"registry_{name}"), [TOPIC_BUNDLES])[TOPIC_BUNDLES]

    def files(self) -> list[Resource]:
        """What the board was sent, in the order of the files' names."""
        return [orjson.loads(path.read_bytes()) for path in sorted(self.board.glob("*.ndjson"))]


def _report(name: str) -> Resource:
    narrative = base64.b64encode(b"Invasive ductal carcinoma.").decode()
    return {
        "resourceType": "DiagnosticReport",
        "id": name,
        "identifier": [{"system": "urn:lab", "value": name}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}]},
        "contained": [
            {
                "resourceType": "Patient",
                "id": "p",
                "identifier": [{"system": "urn:mrn", "value": "4711"}],
                "name": [{"family": "Mustermann"}],
            }
        ],
        "subject": {"reference": "#p"},
        "issued": "2024-05-01T10:00:00Z",
        "presentedForm": [{"contentType": "text/plain", "data": narrative}],
    }


@pytest.fixture
def site(tmp_path: Path, registry: Registry) -> Iterator[Site]:
    """A site."""
    site = Site(tmp_path, registry)
    yield site
    site.bus.close()


def identifiers(bundles: list[Resource]) -> list[str]:
    """Which Bundles they are."""
    return [bundle["identifier"]["value"] for bundle in bundles]


def test_one_registry_away_delays_no_other_and_loses_nothing(site: Site, registry: Registry) -> None:
    """While the server answers 503 the folder gets everything; once it is back it gets the same, once, each report in order."""
    registry.away.set()
    runners = site.runners()
    phases: list[tuple[int, int]] = []
    service: Service

    def watch() -> None:
        lags = site.lag("board"), site.lag("state")
        if lags[0] == 0 and registry.away.is_set() and registry.refused.acquire(blocking=False):
            phases.append(lags)
            registry.away.clear()
        if lags == (0, 0):
            service.stop()

    expected = [site.publish(day, name) for day in DAYS for name in NAMES]
    service = Service(runners, watch, period=0.05)
    service.run()
    for runner in runners:
        runner.hop.close()  # type: ignore[attr-defined]
    assert phases == [(0, len(expected))]
    assert identifiers(site.files()) == expected
    assert sorted(identifiers(registry.stored)) == sorted(expected)
    for report in range(len(NAMES)):
        versions = expected[report :: len(NAMES)]
        assert [one for one in identifiers(registry.stored) if one in versions] == versions
    assert list(site.bus.read(TOPIC_REJECTED)) == []


def test_one_delivery_that_a_registry_fails_at_holds_up_no_other(site: Site, registry: Registry) -> None:
    """It is set aside by number while all others come through in order; replayed, the registry gets it, and nobody twice."""
    registry.fails_at = NAMES[1].encode()
    expected = [site.publish(day, name) for day in DAYS[:2] for name in NAMES]
    failed = [expected[1], expected[1 + len(NAMES)]]
    runners = site.runners()
    run_until_idle(runners)
    stored = list(dict.fromkeys(identifiers(registry.stored)))  # the last one taken shows that others are, once more
    assert stored == [one for one in expected if one not in failed]
    assert len(registry.stored) <= len(stored) + 1
    assert identifiers(site.files()) == expected
    rejected = list(waiting(site.bus))
    assert {(one.header("code"), one.header("hop")) for one in rejected} == {("SYN-484", "registry_state")}
    assert [orjson.loads(one.value)["identifier"]["value"] for one in rejected] == failed
    assert NAMES[1] not in "".join(f"{one.headers}" for one in rejected)
    registry.fails_at = b"nothing"
    replay(site.bus, rejected)
    run_until_idle(runners)
    assert identifiers(registry.stored)[-2:] == failed
    assert len(site.files()) == len(expected)


def test_what_a_message_held_goes_along(site: Site, registry: Registry) -> None:
    """The Patient whom the report contains, the report with its narrative: read from the sealed message, for each report."""
    site.publish(1, NAMES[0])
    runners = site.runners()
    run_until_idle(runners)
    (bundle,) = registry.stored
    resources = {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}
    assert resources["Patient"]["name"] == [{"family": "Mustermann"}]
    assert resources["DiagnosticReport"]["presentedForm"][0]["data"]
    patients = {
        entry["resource"]["subject"]["reference"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] in ("Condition", "Observation")
    }
    assert patients == {f"Patient/{resources['Patient']['id']}"}


def test_a_report_whose_message_is_gone_is_rejected_and_no_other(site: Site, registry: Registry) -> None:
    """Nobody can bring what is kept no more; the next report comes through."""
    site.publish(1, NAMES[0])
    site.bus.erase(lambda record: record.topic == TOPIC_REPORTS)
    last = site.publish(1, NAMES[1])
    run_until_idle(site.runners())
    assert identifiers(registry.stored) == identifiers(site.files()) == [last]
    rejected = list(site.bus.read(TOPIC_REJECTED))
    assert {(one.header("code"), one.header("hop")) for one in rejected} == {
        (Code.UNRESOLVED.label, "registry_board"),
        (Code.UNRESOLVED.label, "registry_state"),
    }
    assert b"4711" not in b"".join(value.encode() for one in rejected for _, value in one.headers)


def test_a_crash_between_delivery_and_commit_doubles_nothing(site: Site, registry: Registry) -> None:
    """A process that died after it delivered reads the Bundle again: the registry has it, the folder holds one file."""
    site.publish(1, NAMES[0])
    (record,) = site.bus.read(TOPIC_BUNDLES)
    for hop in build_registry_hops(site.settings):
        hop.process([record])
        hop.close()
    run_until_idle(site.runners())
    assert len(registry.stored) == len(site.files()) == 1
    assert (site.lag("board"), site.lag("state")) == (0, 0)


class Refusing(RegistryHop):
    """A registry that rejects everything."""

    def process(self, records: Any) -> list[Result]:
        """One reject a record."""
        return [Result(error=SynopticError(Code.REGISTRY_REJECTS, "status 422")) for _ in records]


def test_a_registry_that_stops_stops_alone(site: Site, registry: Registry) -> None:
    """Too many rejects end its hop; the other goes on, and the process tells at its end."""
    expected = [site.publish(day, name) for day in DAYS for name in NAMES]
    settings = site.settings.bus.model_copy(update={"rejected_minimum": 2})
    board, state = build_registry_hops(site.settings)
    state.__class__ = Refusing
    runners = [Runner(hop, site.bus, settings, FAST) for hop in (state, board)]
    service: Service

    def watch() -> None:
        if site.lag("board") == 0 and not runners[0].status.alive:
            service.stop()

    service = Service(runners, watch, period=0.05)
    with pytest.raises(SynopticError, match="SYN-507"):
        service.run()
    assert identifiers(site.files()) == expected
    assert site.lag("state") > 0
    assert runners[1].status.alive


def test_a_registry_that_is_away_leaves_the_process_well() -> None:
    """A supervisor sees it among the hops, and neither restarts nor holds back the others for it."""
    intake = HopStatus("intake", joined=True, alive=True, silent_seconds=0, idle_seconds=0)
    away = replace(intake, hop="registry_state", error=Code.REGISTRY_UNAVAILABLE, stands_alone=True)
    ended = replace(away, hop="registry_board", alive=False)
    with HealthServer("127.0.0.1", 0, lambda: [intake, away, ended], 60) as server:
        for path in ("live", "ready"):
            answer = httpx.get(f"http://127.0.0.1:{server.port}/health/{path}")
            shown = {hop["hop"]: hop["ok"] for hop in answer.json()["hops"]}
            assert (answer.status_code, shown["intake"], shown["registry_board"]) == (200, True, False)
    assert shown["registry_state"] is False
