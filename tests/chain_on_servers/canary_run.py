"""The program over real servers with canaries on every path, and all that its processes said and left on the topics.

In order: intake alone reads a patient who is then purged; all hops run over the canaries of tests/chain/canary.py, with
a report that the FHIR server refuses in the patient's words and one that it does not hold; a person edits a value, and
the amended report comes to a conflict with it.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import yaml
from canary import BAD, GOOD, PATIENT, PHYSICIAN, SPELLINGS, canary_message
from generated import Case, case, message
from processes import DRAIN_SECONDS, plain_settings
from servers.faulty_proxy import FaultyProxy, answer, on
from servers.server_chain import Ehr, new_site, settings_on, wait_until
from two_hundred_contract import T_CODES, TASK_CODES

from gateway.stores.authorship import unversioned
from schemas.messages import TOPIC_BUNDLES, TOPIC_REJECTED, TOPIC_REPORTS
from schemas.settings import IntakeSettings, Settings
from schemas.topics import TOPICS
from workers.buses.bus import Outgoing, Record
from workers.buses.kafka import KafkaBus

Resource = dict[str, Any]
PROGRAM = Path(sys.executable).with_name("synoptic")
EDITED, REFUSED, UNHELD = 61, 62, 63
"""Reports of the canary's patient: a value of which a person edits, that the server refuses, that it does not hold."""
LOOK_SECONDS = 0.1
SNOMED = "http://snomed.info/sct"


@dataclass
class CanaryRun:
    """What the processes said and left; `titles` are the command lines of all of them and of their children."""

    settings: Settings
    purged: Case
    other: Case
    said: str = ""
    titles: set[str] = field(default_factory=set)
    topics: dict[str, list[Record]] = field(default_factory=dict)
    task: Resource = field(default_factory=dict)


def canary_run(kafka_servers: str, fhir_url: str, folder: Path) -> CanaryRun:
    """Run it all; ends when each message has its end."""
    site = new_site()
    with FaultyProxy(fhir_url) as proxy:
        settings = settings_on(
            kafka_servers,
            fhir_url,
            site,
            bus={"partitions": 1},
            fhir={"base_url": proxy.base_url, "target_retry_seconds": 1, "target_wait_seconds": 600},
            intake=IntakeSettings(maximum_attachment_bytes=1_000_000),
        )
        run = CanaryRun(settings, *(case(number, site) for number in (1, 2)))
        refusal = answer(422, diagnostics=f"cannot take {' '.join(SPELLINGS)}")
        proxy.inject(on("POST", "^$", case(REFUSED).report), refusal, times=None)
        _Stage(run, fhir_url, folder).play()
    return run


class _Stage:
    """The processes of one run, and the clients that publish, hold and read."""

    def __init__(self, run: CanaryRun, fhir_url: str, folder: Path) -> None:
        self._run = run
        self._fhir_url = fhir_url
        self._folder = folder
        self._settings = folder / "synoptic.yaml"
        self._settings.write_text(
            yaml.safe_dump(plain_settings(run.settings) | {"logging": {"level": "debug", "format": "json"}})
        )
        self._bus = KafkaBus(run.settings.bus)
        self._ehr = Ehr(fhir_url, run.settings.tenant)

    def play(self) -> None:
        """All acts, in order."""
        try:
            self._purge_what_waits()
            self._work()
            self._run.topics = {topic.name: list(self._bus.read(topic.name)) for topic in TOPICS}
        finally:
            self._ehr.close()
            self._bus.close()

    def _purge_what_waits(self) -> None:
        """Intake has read the report, extraction has not; then its patient is purged, named on standard input."""
        self._publish(message(self._run.purged))
        self._call("run", "intake", "--until-idle")
        site, number = self._run.purged.site, self._run.purged.number
        self._call("purge", "-", "--yes", said_to=f"https://{site}.example/mrn|M{number:06d}\n")

    def _work(self) -> None:
        canaries = [*GOOD, *(canary_message(number) for number in (EDITED, REFUSED, UNHELD))]
        self._ehr.hold([PATIENT, PHYSICIAN, *map(_held, canaries[:-1])])
        self._ehr.seed([message(self._run.other)])
        self._publish(*canaries, *BAD, message(self._run.other))
        rejected = len(BAD) + 2  # and what was purged, and what the server refuses
        with self._process("run", "all") as process:
            self._wait(process, bundles=len(GOOD) + 2, rejected=rejected)
            edited = self._edit()
            self._publish(canary_message(EDITED, status="amended", t="pT3", size="6.1 cm"))
            self._wait(process, bundles=len(GOOD) + 3, rejected=rejected)
            process.terminate()
            assert process.wait(DRAIN_SECONDS) == 0
        answered = httpx.get(f"{self._fhir_url}/Task", params={"focus": edited}).json()
        (self._run.task,) = (entry["resource"] for entry in answered["entry"])

    def _edit(self) -> str:
        """What a person does: another value, in a resource of the report to be amended; its reference."""
        accession = case(EDITED).accession.encode()
        (bundle,) = (orjson.loads(one.value) for one in self._bus.read(TOPIC_BUNDLES) if accession in one.value)
        (identifier,) = (
            one["id"]
            for one in (entry["resource"] for entry in bundle["entry"])
            if one["resourceType"] == "Observation" and one["code"]["coding"][0]["code"] == TASK_CODES["T"]
        )
        observation = unversioned(self._ehr.get(f"Observation/{identifier}") or {})
        observation["valueCodeableConcept"]["coding"] = [{"system": SNOMED, "code": T_CODES["pT1b"]}]
        self._ehr.edit(observation)
        return f"Observation/{identifier}"

    def _publish(self, *messages: bytes) -> None:
        self._bus.publish([Outgoing(TOPIC_REPORTS, one) for one in messages])

    def _wait(self, process: subprocess.Popen[bytes], bundles: int, rejected: int) -> None:
        """Return when the topics hold so many."""

        def is_done() -> bool:
            assert process.poll() is None, "the program ended"
            found = [sum(1 for _ in self._bus.read(name)) for name in (TOPIC_BUNDLES, TOPIC_REJECTED)]
            return found[0] >= bundles and found[1] >= rejected

        wait_until(is_done, f"{bundles} Bundles and {rejected} rejects", 300)

    def _call(self, *words: str, said_to: str = "") -> None:
        with self._process(*words, said_to=said_to) as process:
            assert process.wait(300) == 0

    @contextmanager
    def _process(self, *words: str, said_to: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """The program under the settings; what it says and how it is called is kept, and it has ended at the end."""
        output, source = self._folder / "said", self._folder / "said-to"
        source.write_text(said_to)
        with output.open("wb") as stream, source.open("rb") as given:
            process = subprocess.Popen(
                [PROGRAM, *words],
                stdin=given,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | {"SYNOPTIC_SETTINGS": str(self._settings)},
            )
        ended = threading.Event()
        looking = threading.Thread(target=self._look, args=(process.pid, ended))
        looking.start()
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            ended.set()
            looking.join()
            self._run.said += output.read_text(errors="replace")

    def _look(self, pid: int, ended: threading.Event) -> None:
        while not ended.wait(LOOK_SECONDS):
            with suppress(psutil.Error):
                for one in (parent := psutil.Process(pid), *parent.children(recursive=True)):
                    self._run.titles.add(f"{one.name()} {one.cmdline()}")


def _held(bundle: bytes) -> Resource:
    """The report of a message as the EHR holds it, without its document."""
    report = json.loads(bundle)["entry"][2]["resource"]
    return {key: value for key, value in report.items() if key not in ("presentedForm", "performer")}
