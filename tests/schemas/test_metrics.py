"""The vocabulary of metrics."""

from pathlib import Path

import pytest

from schemas import metrics

REPOSITORY = Path(__file__).resolve().parents[2]


def test_documentation_is_current():
    """docs/metrics.md is what the vocabulary says."""
    assert (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8") == metrics.as_markdown()


def test_every_metric_is_listed():
    """A metric defined in the module is in the list from which the documentation is made."""
    defined = [value for value in vars(metrics).values() if isinstance(value, metrics.Metric)]
    assert defined == list(metrics.METRICS)
    assert len({metric.name for metric in metrics.METRICS}) == len(metrics.METRICS)


@pytest.mark.parametrize("metric", metrics.METRICS, ids=lambda metric: metric.name)
def test_names_and_labels_follow_the_rules(metric):
    """Names carry the product and, for a counter, its suffix; each label has a pattern of what it may hold."""
    assert metric.name.startswith("synoptic_")
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert set(metric.labels) <= set(metrics.LABELS)


@pytest.mark.parametrize("value", ["Erika Mustermann", "S24-1234", "SYN-101 Erika", "intake\n"])
def test_label_never_holds_other_text(value):
    """A value outside the label's pattern is counted as `other`."""
    before = metrics.value_of(metrics.REJECTED, hop="intake", code=metrics.OTHER)
    metrics.REJECTED.add(hop="intake", code=value)
    assert metrics.value_of(metrics.REJECTED, hop="intake", code=metrics.OTHER) == before + 1


def test_wrong_labels_are_refused():
    """A label that the metric does not have is a fault of the program."""
    with pytest.raises(ValueError, match="takes the labels"):
        metrics.RECORDS.add(hop="intake")


def test_each_kind_counts():
    """Counter, gauge and histogram each keep what they are told."""
    before = metrics.value_of(metrics.BATCH_SECONDS, hop="intake")
    metrics.BATCH_SECONDS.observe(0.5, hop="intake")
    metrics.LAG.set(7, hop="intake", topic="synoptic.report-texts")
    assert metrics.value_of(metrics.BATCH_SECONDS, hop="intake") == before + 1
    assert metrics.value_of(metrics.LAG, hop="intake", topic="synoptic.report-texts") == 7
