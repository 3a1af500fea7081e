"""Every metric: its name, unit, meaning and labels. docs/metrics.md is made from this list; a test holds them equal.

A label takes only values of its pattern; anything else is counted as "other", so that no text of a report and no
identifier can become a label.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

OTHER = "other"
LABELS = {
    "hop": re.compile(r"intake|extraction|emission|delayed|review|registry_[a-z_]{1,24}"),
    "outcome": re.compile(r"processed|ignored|rejected|[1-5]xx|unreachable"),
    "code": re.compile(r"SYN-\d{3}"),
    "topic": re.compile(r"synoptic\.[a-z-]{1,40}"),
    "task": re.compile(r"[A-Za-z0-9_]{1,24}"),
    "status": re.compile(r"coded|review|not_stated|not_assessable|pending|not_performed"),
    "action": re.compile(r"[a-z_]{1,24}"),
    "reader": re.compile(r"[a-z]{1,16}"),
    "target": re.compile(r"Patient|DiagnosticReport|Specimen|Encounter|Organization"),
}
BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
Instrument = Counter | Gauge | Histogram


@dataclass(frozen=True)
class Metric:
    """One metric of the vocabulary; prometheus registers it when it is first used."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()

    def add(self, amount: float = 1, **labels: str) -> None:
        """Count `amount` more."""
        instrument = self._labelled(labels)
        assert isinstance(instrument, Counter)
        instrument.inc(amount)

    def observe(self, value: float, **labels: str) -> None:
        """Record one value of the distribution."""
        instrument = self._labelled(labels)
        assert isinstance(instrument, Histogram)
        instrument.observe(value)

    def set(self, value: float, **labels: str) -> None:
        """Set the present value."""
        instrument = self._labelled(labels)
        assert isinstance(instrument, Gauge)
        instrument.set(value)

    def _labelled(self, labels: dict[str, str]) -> Instrument:
        if set(labels) != set(self.labels):
            raise ValueError(f"{self.name} takes the labels {self.labels}")
        instrument = _instrument(self)
        safe = [value if LABELS[name].fullmatch(value := str(labels[name])) else OTHER for name in self.labels]
        return instrument.labels(*safe) if safe else instrument


@cache
def _instrument(metric: Metric) -> Instrument:
    if metric.kind == "counter":
        return Counter(metric.name, metric.meaning, metric.labels)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.meaning, metric.labels)
    return Histogram(metric.name, metric.meaning, metric.labels, buckets=BUCKETS)


def value_of(metric: Metric, **labels: str) -> float:
    """The metric's present value in this process (a histogram's: how many were observed)."""
    suffix = {"counter": "_total", "gauge": "", "histogram": "_count"}[metric.kind]
    name = metric.name.removesuffix("_total") + suffix
    return REGISTRY.get_sample_value(name, labels) or 0.0


RECORDS = Metric("synoptic_records_total", "counter", "records", "Records that a hop committed.", ("hop", "outcome"))
REJECTED = Metric("synoptic_rejected_total", "counter", "records", "Rejected records by error.", ("hop", "code"))
RETRIES = Metric("synoptic_retries_total", "counter", "attempts", "Attempts that a hop repeats.", ("hop", "code"))
BATCH_SECONDS = Metric("synoptic_batch_seconds", "histogram", "seconds", "From a batch's poll to its commit.", ("hop",))
LAG = Metric("synoptic_lag_records", "gauge", "records", "Records of a topic not yet committed.", ("hop", "topic"))
EMITTED = Metric(
    "synoptic_emitted_total", "counter", "reports", "Reports by what emission did: write, unchanged, late.", ("action",)
)
CONFLICTS = Metric(
    "synoptic_conflicts_total", "counter", "resources", "Resources kept because a person wrote or verified them."
)
UNMAPPED = Metric(
    "synoptic_unmapped_total",
    "counter",
    "values",
    "Values not sent because no table of the mapping codes them.",
    ("task",),
)
MAPPING_CHANGES = Metric(
    "synoptic_mapping_changes_total",
    "counter",
    "changes",
    "Changed mapping files: taken up by the running emission, or refused for their faults.",
    ("action",),
)
WAITING = Metric(
    "synoptic_waiting_total",
    "counter",
    "findings",
    "Findings put aside until the store holds what they refer to; how many wait is the lag of the hop delayed.",
    ("target",),
)
FHIR_REQUESTS = Metric(
    "synoptic_fhir_requests_total",
    "counter",
    "requests",
    "Requests to the FHIR server, each attempt counted: by the class of the answer's status, or unreachable.",
    ("outcome",),
)
FHIR_SECONDS = Metric("synoptic_fhir_seconds", "histogram", "seconds", "From a FHIR request to its answer or failure.")
DELIVERIES = Metric(
    "synoptic_deliveries_total",
    "counter",
    "reports",
    "Coded reports by what a registry got of them: delivered, repeated, late (older than what it has), not_wanted.",
    ("hop", "action"),
)
READY = Metric("synoptic_ready", "gauge", "", "1 while a hop has joined and waits on no error, else 0.", ("hop",))

METRICS = (
    RECORDS,
    REJECTED,
    RETRIES,
    BATCH_SECONDS,
    LAG,
    EMITTED,
    CONFLICTS,
    UNMAPPED,
    MAPPING_CHANGES,
    WAITING,
    FHIR_REQUESTS,
    FHIR_SECONDS,
    DELIVERIES,
    READY,
)


def as_markdown() -> str:
    """The vocabulary as a table, which is docs/metrics.md."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {metric.unit} | {', '.join(metric.labels)} | {metric.meaning} |"
        for metric in METRICS
    ]
    return "\n".join(
        [
            "# Metrics",
            "",
            "Made from `schemas/metrics.py`; `synoptic run` serves them on `metrics.port` where one is set.",
            "Labels hold no report text and no identifiers: a value outside its label's pattern is counted as `other`.",
            "",
            "| name | kind | unit | labels | meaning |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
