"""Runs the chain over canaries on every path, with debug logs on standard error; see test_canary.py.

Arguments: a folder. Besides the shipped chain: a model that fails with the report's text in its exception, a store
that fails so, registries, a person's decision, and an exception that nobody catches. Metrics and numbered errors go to standard output.
"""

import asyncio
import faulthandler
import json
import logging
import sys
import threading
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import structlog
from canary import BAD, GOOD, SPELLINGS, canary_message
from whole_chain import WholeChain, opened, settings_in

from gateway.health import HealthServer
from gateway.registries.hop import build_registry_hops
from gateway.review.desk import ReviewDesk, read_reviewer
from gateway.review.hop import ReviewHop
from gateway.stores.folder_store import FolderStore
from gateway.stores.resource_store import open_store
from model.engine import Engine, load_engine
from model.prompt import PromptInput
from schemas.logs import configure
from schemas.messages import TOPIC_DECISIONS, Settlement, Verdict
from schemas.settings import IntakeSettings, LoggingSettings, PrivacySettings, RegistrySettings
from workers.buses.bus import Outgoing
from workers.runner import Runner, run_until_idle

KEY = PrivacySettings(key="0123456789abcdef0123456789abcdef")


class FailingEngine:
    """Loads like the real one and fails on use, quoting what it was given."""

    def __init__(self, engine: Engine) -> None:
        self.manifest, self.calibration = engine.manifest, engine.calibration

    def classify(self, prompts: list[PromptInput]) -> Any:
        """Raise what a library would, with the report in the message."""
        raise RuntimeError(f"cannot classify: {[prompt.report for prompt in prompts]} Walburga Grünzweig-Öttinger")


class FailingStore(FolderStore):
    """Fails on use, quoting what it was given."""

    def transact(self, puts: Any, conflicts: Any = ()) -> bool:
        """Raise with the resources in the message."""
        resources = [put.resource for put in puts]
        raise KeyError(f"no place for {resources} {conflicts} Walburga Grünzweig-Öttinger")


def show_errors(chain: WholeChain) -> None:
    """Print each rejected record's headers, which hold the error as an operator sees it."""
    for record in chain.rejected:
        sys.stdout.write(f"{dict(record.headers)}\n")


class Unraisable:
    """Fails where nobody can catch it, quoting a patient."""

    def __del__(self) -> None:
        """Raise with a canary in the message."""
        raise ValueError(f"cannot forget {SPELLINGS[0]}")


def speak_as_libraries() -> None:
    """Log, warn and fail as libraries do, each time with every spelling in the message."""
    for name in (
        "kafka.client",
        "httpx",
        "httpcore.connection",
        "pypdfium2",
        "PIL.PngImagePlugin",
        "asyncio",
        "rapidocr",
    ):
        for spelling in SPELLINGS:
            logging.getLogger(name).error("GET https://ehr/Patient?name=%s", spelling, extra={"patient": spelling})
        try:
            raise OSError(SPELLINGS[0])
        except OSError:
            logging.getLogger(name).exception(SPELLINGS[1], stack_info=True)
    warnings.warn(SPELLINGS[2], UserWarning, stacklevel=1)
    structlog.get_logger(SPELLINGS[3]).error(
        SPELLINGS[4], patient=SPELLINGS[5], reason=SPELLINGS[6], exception=SPELLINGS[7]
    )
    logging.getLogger("kafka").error("%d of %s", SPELLINGS[0])  # a message that cannot be put together
    Unraisable()  # gone at once

    async def forgotten() -> None:
        task = asyncio.ensure_future(failing())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    async def failing() -> None:
        raise ValueError(SPELLINGS[0])

    asyncio.run(forgotten())


def undated() -> bytes:
    """A canary report of a time without a staging edition, so that its T has no code."""
    bundle = json.loads(canary_message(50))
    bundle["entry"][2]["resource"]["issued"] = "1970-01-02T00:00:00Z"
    return json.dumps(bundle).encode()


def run_registries(folder: Path, engine: Engine) -> None:
    """Reports on to a registry that takes them and one whose condition cannot be met, and a person's decision."""
    registry = RegistrySettings(folder=folder / "subscriptions", state=folder / "state" / "registries.sqlite")
    settings = settings_in(folder, privacy=KEY, registry=registry)
    registry.folder.mkdir(parents=True)
    criteria = {"fhirpath": "Bundle.entry.resource.where(resourceType = 'Patient').name.family"}
    for name, wanted in (("board", {}), ("doubtful", criteria)):
        file = {"criteria": wanted, "deliver": {"folder": {"path": str(folder / name)}}}
        (registry.folder / f"{name}.yaml").write_text(json.dumps(file))
    with opened(settings, engine) as chain, closing(open_store(settings.fhir)) as store:
        chain.run(GOOD[0], GOOD[3], undated())
        desk = ReviewDesk(settings, store, chain.seal)
        review = next(desk.waiting())
        by = read_reviewer("Practitioner/registrar")
        decision = desk.decision(
            review, Settlement(verdict=Verdict.DISMISS, value=None, by=by, decided="2024-06-01T10:00:00Z")
        )
        sealed = chain.seal.enclose(decision.model_dump_json().encode(), desk.context(review).patient_key)
        chain.bus.publish([Outgoing(TOPIC_DECISIONS, sealed)])
        runners = [
            Runner(hop, chain.bus, settings.bus) for hop in (ReviewHop(chain.emission), *build_registry_hops(settings))
        ]
        run_until_idle(runners)
        for runner in runners:
            runner.close()
        show_errors(chain)


def main() -> None:
    """Run every path."""
    configure(LoggingSettings(level="debug", format="json"))
    folder = Path(sys.argv[1])
    engine = load_engine(settings_in(folder).model)
    limits = IntakeSettings(maximum_attachment_bytes=1_000_000)
    with opened(settings_in(folder / "good", privacy=KEY, intake=limits), engine) as chain:
        chain.run(*GOOD, *BAD)
        show_errors(chain)
    with opened(settings_in(folder / "failing-model", privacy=KEY), FailingEngine(engine)) as chain:  # type: ignore[arg-type]
        chain.run(*GOOD[:2])
        show_errors(chain)
    with opened(settings_in(folder / "failing-store", privacy=KEY), engine) as chain:
        chain.emission._store = FailingStore(folder / "failing-store" / "fhir")
        chain.run(*GOOD[:2])
        show_errors(chain)
    run_registries(folder / "registries", engine)
    with HealthServer("127.0.0.1", 0, lambda: (), 60) as server:
        for path in ("metrics", "health/live", "health/ready", quote(SPELLINGS[0])):
            answer = httpx.get(f"http://127.0.0.1:{server.port}/{path}")
            sys.stdout.write(f"{answer.headers} {answer.text}\n")
    sys.stdout.flush()
    speak_as_libraries()
    faulthandler.dump_traceback()
    failing = threading.Thread(target=FailingEngine(engine).classify, args=([],))
    failing.start()
    failing.join()
    raise ValueError(canary_message(1).decode())


if __name__ == "__main__":
    main()
