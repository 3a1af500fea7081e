"""The hop for what persons decided of reports: emission writes it as it writes findings."""

from collections.abc import Sequence

from gateway.emission import EmissionHop
from schemas.messages import TOPIC_DECISIONS
from workers.buses.bus import Record
from workers.hop import Result


class ReviewHop:
    """Hands decisions to emission; of one report, they come in the order in which they were given."""

    name = "review"
    topics: tuple[str, ...] = (TOPIC_DECISIONS,)

    def __init__(self, emission: EmissionHop) -> None:
        """Share emission's store and threads."""
        self._emission = emission

    def process(self, records: Sequence[Record]) -> list[Result]:
        """One result a record, as of emission."""
        return self._emission.process(records)
