"""Why something was removed, as a reviewer is told."""

import pytest

from workers.privacy.deidentify import deidentify


@pytest.mark.parametrize(("gap", "reason"), [(" ", "context:"), (" " * 210, "context"), ("\n" * 210, "context")])
def test_a_name_far_behind_its_label_has_a_reason_too(gap: str, reason: str) -> None:
    """However much blank stands between them, the name goes and the report is not rejected."""
    (removed,) = deidentify(f"Signed by:{gap}John Smith. pT2.", ()).removed
    assert removed.tag == "NAME"
    assert removed.reason.startswith(reason)
