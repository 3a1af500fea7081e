"""Later versions of a report over the embedded bus and the folder store."""

import pytest
from lifecycle_contract import LifecycleContract

pytestmark = pytest.mark.model


class TestLifecycle(LifecycleContract):
    """All of it."""
