"""Chains over folders of a test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from whole_chain import WholeChain, opened, settings_in

from model.engine import Engine

pytest.register_assert_rewrite("lifecycle_contract", "two_hundred_contract")


@pytest.fixture
def new_chain(tmp_path: Path, engine: Engine) -> Iterator[Callable[..., WholeChain]]:
    """Makes chains in folders of the test's own."""
    with ExitStack() as stack:

        def make(name: str = "chain", **sections: Any) -> WholeChain:
            return stack.enter_context(opened(settings_in(tmp_path / name, **sections), engine))

        yield make


@pytest.fixture
def chain(new_chain: Callable[..., WholeChain]) -> WholeChain:
    """An empty chain."""
    return new_chain()
