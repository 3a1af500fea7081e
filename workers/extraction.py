"""The extraction hop: ReportText in, ReportFindings out.

For a batch of reports: de-identify, read (sections, facts, primaries, labels), ask the classifier about every primary
of every report in one call, decide. A report in which nothing malignant is read ends with no primaries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from model.engine import Engine, Prediction
from schemas.errors import Code, Kind, SynopticError
from schemas.findings import Primary
from schemas.messages import TOPIC_FINDINGS, TOPIC_TEXTS, Action, Configuration, ReportFindings, ReportText
from schemas.pack_loader import Pack
from workers.buses.bus import Outgoing, Record
from workers.decision import Locate, decide, doubt_numerals, doubt_pages, doubt_side, evidence_locator
from workers.hop import Result
from workers.privacy.deidentify import deidentify
from workers.privacy.look_alikes import readable
from workers.privacy.sealing import Seal
from workers.reading.prompting import build_prompts
from workers.reading.report_reading import PrimaryReading, read_report

logger = structlog.get_logger()


@dataclass(frozen=True)
class Read:
    """One report after the text steps: its pack, the readings of its primaries, and the way back to the source."""

    report: ReportText
    pack: Pack
    text: str
    readings: tuple[PrimaryReading, ...]
    locate: Locate


class Extractor:
    """Turns report texts into findings, many at a time; holds no state between calls."""

    def __init__(self, packs: Mapping[str, Pack], engine: Engine, seal: Seal) -> None:
        """Raise SYN-305 where the checkpoint was trained for another pack, version or label set."""
        for pack in packs.values():
            engine.manifest.require_pack(pack.definition)
        self._packs = packs
        self._engine = engine
        self.seal = seal

    def extract(self, reports: Sequence[ReportText]) -> list[ReportFindings]:
        """One answer a report, in order."""
        read = [self.read(report) for report in reports]
        primaries = self._classify(read)
        return [self._findings(one.report, one.pack, found) for one, found in zip(read, primaries, strict=True)]

    def read(self, report: ReportText) -> Read:
        """The text steps, without the model; raises SYN-251 where no such pack is loaded."""
        pack = self._packs.get(report.pack)
        if pack is None:
            raise SynopticError(Code.UNKNOWN_PACK, report.pack)
        clean = deidentify(report.text, report.known_identifiers)
        text = readable(clean.text)
        readings = () if report.action is Action.WITHDRAW else read_report(text, pack, report.side)
        return Read(report, pack, text, readings, evidence_locator(report.text, clean, report.pages))

    def _classify(self, read: Sequence[Read]) -> list[tuple[Primary, ...]]:
        """The primaries of every report; each of their tumour masses is asked about by itself."""
        masses = [(one, mass) for one in read for reading in one.readings for mass in (reading, *reading.foci)]
        prompts = [build_prompts(one.text, mass, one.pack) for one, mass in masses]
        answers = iter(self._engine.classify([prompt for asked in prompts for prompt in asked]))
        predictions = iter(
            [{task: answer for _ in asked for task, answer in next(answers).items()} for asked in prompts]
        )
        return [
            tuple(
                self._decide(one, reading, next(predictions), [next(predictions) for _ in reading.foci])
                for reading in one.readings
            )
            for one in read
        ]

    def _decide(
        self,
        read: Read,
        reading: PrimaryReading,
        predictions: Mapping[str, Prediction],
        foci: Sequence[Mapping[str, Prediction]],
    ) -> Primary:
        decided = decide(reading, predictions, self._engine.calibration, read.pack, read.locate, foci)
        pages = read.report.pages
        return doubt_numerals(doubt_pages(doubt_side(decided, read.report.side), pages), pages)

    def _findings(self, report: ReportText, pack: Pack, primaries: tuple[Primary, ...]) -> ReportFindings:
        manifest = self._engine.manifest
        return ReportFindings(
            report_hmac=self.seal.report_hmac(report.context.report_key),
            action=report.action,
            pack=report.pack,
            primaries=primaries,
            content_digest=report.content_digest,
            configuration=Configuration(
                pack=pack.id,
                pack_version=pack.definition.version,
                pack_digest=pack.digest,
                model=manifest.name,
                model_digest=manifest.model_digest,
                adapter_digest=manifest.adapter_digest,
                policy=pack.definition.policy,
            ),
            sealed=self.seal.seal(report.context),
        )


class ExtractionHop:
    """Extraction as a hop over the bus."""

    name = "extraction"
    topics: tuple[str, ...] = (TOPIC_TEXTS,)

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor

    def process(self, records: Sequence[Record]) -> list[Result]:
        """Findings for each report text; what is no report text, or cannot be opened, is rejected by number."""
        parsed = [_parse(record, self._extractor.seal) for record in records]
        findings = iter(self._extractor.extract([item for item in parsed if isinstance(item, ReportText)]))
        return [_result(next(findings) if isinstance(item, ReportText) else item) for item in parsed]


def _parse(record: Record, seal: Seal) -> ReportText | SynopticError:
    try:
        return ReportText.model_validate_json(seal.opened(record.value))
    except SynopticError as error:
        if error.code.kind is not Kind.REJECT:
            raise
        return error
    except ValidationError as error:
        return SynopticError(Code.NOT_A_REPORT_TEXT, f"{error.error_count()} faults")


def _result(item: ReportFindings | SynopticError) -> Result:
    if isinstance(item, SynopticError):
        return Result(error=item)
    key = item.report_hmac.encode()
    return Result(outgoing=(Outgoing(TOPIC_FINDINGS, item.model_dump_json().encode(), key),))
