"""`synoptic demo`: the example reports through intake, extraction and emission on the embedded bus, then what came out."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.commands.extract import write_bundle
from gateway.composition import HOPS, build_bus, open_hops
from gateway.presentation import Extracted, Refusal, evidence_lines, table
from schemas.errors import Code, SynopticError
from schemas.messages import TOPIC_FINDINGS, TOPIC_REJECTED, TOPIC_REPORTS, TOPIC_TEXTS, ReportFindings, ReportText
from schemas.pack_loader import load_pack
from schemas.settings import BusSettings, FhirSettings, Settings, load_settings
from workers.bus import Bus, Outgoing
from workers.runner import Runner, run_until_idle

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "reports"


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
    console = Console()
    with Console(stderr=True).status("coding the examples"):
        _run([file.read_bytes() for file in files], settings)
    with closing(build_bus(settings.bus)) as bus:
        outcomes = list(_outcomes(bus, [file.name for file in files]))
    _show(console, outcomes, settings, out)


def _run(reports: list[bytes], settings: Settings) -> None:
    """Publish the reports and let the three hops work until nothing is left to read."""
    with open_hops(HOPS, settings) as hops, closing(build_bus(settings.bus)) as bus:
        bus.publish([Outgoing(TOPIC_REPORTS, report) for report in reports])
        runners = [Runner(hop, bus, settings.bus) for hop in hops]
        try:
            run_until_idle(runners)
        finally:
            for runner in runners:
                runner.close()


def _settings(out: Path) -> Settings:
    """The user's settings, with the demo's own bus and store."""
    if (out / "bus.sqlite").exists():
        shutil.rmtree(out)
    bus = BusSettings(kind="embedded", path=out / "bus.sqlite")
    return load_settings().model_copy(update={"bus": bus, "fhir": FhirSettings(folder=out / "fhir")})


def _outcomes(bus: Bus, names: list[str]) -> Iterator[Extracted]:
    """What became of each published report, read back from the topics.

    A hop keeps the order of its input: the n-th text belongs to the n-th report that intake let pass, and the n-th
    findings to the n-th text that extraction let pass.
    """
    refused = {
        (record.header("topic"), int(record.header("offset") or 0)): Refusal(
            record.header("code") or "", record.header("reason") or ""
        )
        for record in bus.read(TOPIC_REJECTED)
    }
    texts = iter([ReportText.model_validate_json(record.value) for record in bus.read(TOPIC_TEXTS)])
    findings = iter([ReportFindings.model_validate_json(record.value) for record in bus.read(TOPIC_FINDINGS)])
    passed = 0
    for offset, name in enumerate(names):
        if refusal := refused.get((TOPIC_REPORTS, offset)):
            yield Extracted(name, error=refusal)
            continue
        text = next(texts)
        refusal = refused.get((TOPIC_TEXTS, passed))
        passed += 1
        yield Extracted(name, text, None if refusal else next(findings), refusal)


def _show(console: Console, outcomes: list[Extracted], settings: Settings, out: Path) -> None:
    """The table, the evidence, the rejects with their reasons, and where everything was written."""
    packs = {identifier: load_pack(identifier) for identifier in settings.packs}
    console.print(table(outcomes, packs))
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
    written = [path for one in outcomes if (path := write_bundle(one, packs, out / "bundles", settings))]
    console.print(
        f"\n{len(written)} Bundles in {out / 'bundles'}, resources in {settings.fhir.folder}, bus in {settings.bus.path}"
    )
