"""`synoptic demo`: the example reports through intake, extraction and emission on the embedded bus, then what came out."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from gateway.commands.extract import write_bundle
from gateway.composition import PROCESSES, build_bus, open_hops
from gateway.display.presentation import Extracted, Refusal, evidence_lines, table, wide_console
from gateway.display.showing import KeepingReader, show_evidence
from gateway.intake import Intake
from gateway.sources import read_source
from schemas.errors import Code, SynopticError
from schemas.logs import configure
from schemas.messages import (
    TOPIC_BUNDLES,
    TOPIC_FINDINGS,
    TOPIC_REJECTED,
    TOPIC_REPORTS,
    TOPIC_TEXTS,
    ReportFindings,
    ReportText,
)
from schemas.pack_loader import load_packs
from schemas.settings import BusSettings, FhirSettings, LoggingSettings, RegistrySettings, Settings, load_settings
from workers.buses.bus import Bus, Outgoing, Record
from workers.privacy.sealing import Seal, load_seal
from workers.runner import Runner, run_until_idle

DELIVERED = "registry"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "reports"


@dataclass(frozen=True)
class Coded:
    """One example after the whole chain: what was extracted, and the Bundle that emission published."""

    extracted: Extracted
    bundle: bytes | None = None


def demo(
    reports: Annotated[Path, typer.Option(help="a folder of FHIR JSON reports")] = EXAMPLES,
    out: Annotated[Path, typer.Option(help="where the bus, the folder store and the Bundles go; emptied first")] = Path(
        "demo-output"
    ),
) -> None:
    """Run example reports through the whole chain and show values, confidence, evidence and rejects."""
    files = sorted(reports.glob("*.json"))
    if not files:
        raise SynopticError(Code.NO_EXAMPLES)
    settings = _settings(out)
    configure(LoggingSettings(level="error"))  # rejects are shown and explained at the end
    coded = list(_code(files, settings))
    _show(wide_console(), coded, settings, out)
    _draw(files, [one.extracted for one in coded], settings, out / "evidence")


def _settings(out: Path) -> Settings:
    """The user's settings, with the demo's own bus and store."""
    if (out / "bus.sqlite").exists():
        shutil.rmtree(out)
    bus = BusSettings(kind="embedded", path=out / "bus.sqlite")
    registry = RegistrySettings(folder=out / "registries", state=out / "registries.sqlite")
    registry.folder.mkdir(parents=True)
    subscription = {"title": "The demo's registry", "deliver": {"folder": {"path": str(out / DELIVERED)}}}
    (registry.folder / "demo.yaml").write_bytes(orjson.dumps(subscription))  # JSON is YAML
    fhir = FhirSettings(folder=out / "fhir")
    return load_settings().model_copy(update={"bus": bus, "fhir": fhir, "registry": registry})


def _code(files: Sequence[Path], settings: Settings) -> Iterator[Coded]:
    """Publish the reports one after another, so that what each becomes can be told apart on the topics."""
    progress = Console(stderr=True).status("loading the model")
    with progress, open_hops(PROCESSES, settings) as hops, closing(build_bus(settings.bus)) as bus:
        runners = [Runner(hop, bus, settings.bus) for hop in hops]
        seal = load_seal(settings)
        try:
            for number, file in enumerate(files, start=1):
                progress.update(f"{number} of {len(files)}: {file.name}")
                yield _code_one(file, bus, runners, seal)
        finally:
            for runner in runners:
                runner.close()


def _code_one(file: Path, bus: Bus, runners: Sequence[Runner], seal: Seal) -> Coded:
    followed = (TOPIC_TEXTS, TOPIC_FINDINGS, TOPIC_BUNDLES, TOPIC_REJECTED)
    before = {topic: _count(bus, topic) for topic in followed}
    bus.publish([Outgoing(TOPIC_REPORTS, file.read_bytes())])
    run_until_idle(runners)
    text, findings, bundle, refused = (_first_after(bus, topic, before[topic]) for topic in followed)
    extracted = Extracted(
        file.name,
        ReportText.model_validate_json(seal.opened(text.value)) if text else None,
        ReportFindings.model_validate_json(findings.value) if findings else None,
        Refusal(refused.header("code") or "", refused.header("reason") or "") if refused else None,
        None if text or refused else "not for us",
    )
    return Coded(extracted, bundle.value if bundle else None)


def _count(bus: Bus, topic: str) -> int:
    return sum(1 for _ in bus.read(topic))


def _first_after(bus: Bus, topic: str, count: int) -> Record | None:
    return next((record for number, record in enumerate(bus.read(topic)) if number >= count), None)


def _show(console: Console, coded: Sequence[Coded], settings: Settings, out: Path) -> None:
    """The table, the evidence, the rejects with their reasons, and where everything was written."""
    packs = load_packs(settings.packs, settings.mapping)
    outcomes = [one.extracted for one in coded]
    console.print(table(outcomes, packs, settings.mapping))
    console.print("0.99: how sure the classifier is; ?: waits for a person; –: not stated", highlight=False)
    console.print("\n[bold]Evidence[/bold] (quote and its place in the text as read from the document)")
    for one in outcomes:
        for line in evidence_lines(one):
            console.print(
                f"  {one.source.removesuffix('.json'):<24} {line}", highlight=False, markup=False, soft_wrap=True
            )
    console.print("\n[bold]Rejected[/bold]")
    for one in outcomes:
        if one.error:
            console.print(f"  {one.source:<24} {one.error.code} {one.error.message}", highlight=False, soft_wrap=True)
    published = [(one.extracted.source, one.bundle) for one in coded if one.bundle is not None]
    for source, bundle in published:
        write_bundle(out / "bundles", source, orjson.loads(bundle))
    console.print(
        f"\n{len(published)} Bundles in {out / 'bundles'}, resources in {settings.fhir.folder}, bus in {settings.bus.path}"
    )
    delivered = len(list((out / DELIVERED).glob("*.ndjson")))
    console.print(f"{delivered} delivered to a registry, with their patients and narratives, in {out / DELIVERED}")


def _draw(files: Sequence[Path], outcomes: Sequence[Extracted], settings: Settings, folder: Path) -> None:
    """Draw the evidence of the first report that came as pages, on its pages."""
    for file, one in zip(files, outcomes, strict=True):
        if one.findings and one.report and any(page.layout for page in one.report.pages):
            with closing(KeepingReader(settings.intake)) as reader:
                list(read_source(file, settings, intake=Intake(settings, reader=reader)))
                written = show_evidence(folder, one, reader)
            typer.echo(f"the evidence on its page: {', '.join(map(str, written))}")
            return
