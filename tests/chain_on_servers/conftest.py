"""Sites of a test's own on the shared servers, and processes that write there."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite(
    "bench", "lifecycle_contract", "processes", "servers.server_chain", "two_hundred_contract"
)

from bench import Bench  # noqa: E402 (asserts of what is imported before are not rewritten)
from processes import Start, emission_processes  # noqa: E402

from model.engine import Engine  # noqa: E402


@pytest.fixture
def new_bench(kafka_servers: str, fhir_url: str, engine: Engine, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches, each for a site of its own."""
    with ExitStack() as stack:

        def make(kafka_servers: str = kafka_servers, **sections: Any) -> Bench:
            bench = Bench(kafka_servers, fhir_url, engine, tmp_path, **sections)
            stack.callback(bench.close)
            return bench

        yield make


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts emission processes, all of which have ended when the test has."""
    with emission_processes() as starter:
        yield starter
