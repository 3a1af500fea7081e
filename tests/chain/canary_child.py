"""Runs the chain over canaries on every path, with debug logs on standard error; see test_canary.py.

Arguments: a folder. Besides the shipped chain: a model that fails with the report's text in its exception, a store
that fails so, and an exception that nobody catches. Metrics and numbered errors go to standard output.
"""

import sys
import threading
from pathlib import Path
from typing import Any

from canary import BAD, GOOD, canary_message
from prometheus_client import generate_latest
from whole_chain import WholeChain, opened, settings_in

from gateway.folder_store import FolderStore
from model.engine import Engine, load_engine
from model.prompt import PromptInput
from schemas.logs import configure
from schemas.settings import LoggingSettings, PrivacySettings

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


def main() -> None:
    """Run every path."""
    configure(LoggingSettings(level="debug", format="json"))
    folder = Path(sys.argv[1])
    engine = load_engine(settings_in(folder).model)
    with opened(settings_in(folder / "good", privacy=KEY), engine) as chain:
        chain.run(*GOOD, *BAD)
        show_errors(chain)
    with opened(settings_in(folder / "failing-model", privacy=KEY), FailingEngine(engine)) as chain:  # type: ignore[arg-type]
        chain.run(*GOOD[:2])
        show_errors(chain)
    with opened(settings_in(folder / "failing-store", privacy=KEY), engine) as chain:
        chain.emission._store = FailingStore(folder / "failing-store" / "fhir")
        chain.run(*GOOD[:2])
        show_errors(chain)
    sys.stdout.write(generate_latest().decode())
    sys.stdout.flush()
    failing = threading.Thread(target=FailingEngine(engine).classify, args=([],))
    failing.start()
    failing.join()
    raise ValueError(canary_message(1).decode())


if __name__ == "__main__":
    main()
