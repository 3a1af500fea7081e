"""`synoptic rejected`: what could not be processed, why, and how to try again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from gateway.composition import build_bus
from gateway.display.listing import print_message, print_rows
from gateway.hop_inputs import hop_inputs
from schemas.errors import Code, Kind, SynopticError
from schemas.messages import TOPIC_REJECTED
from schemas.settings import Settings, load_settings
from workers import rejects
from workers.buses.bus import Bus, Record
from workers.privacy.sealing import MARK, key_identity, load_keys, load_seal

app = typer.Typer(no_args_is_help=True, add_completion=False)
Numbers = Annotated[list[str] | None, typer.Argument(help="numbers from `synoptic rejected list`")]


def _one_of(given: str, names: Sequence[str]) -> str:
    """One of the names; any other is wrong use, since an empty list would look like good news."""
    if given not in names:
        raise typer.BadParameter(f"{given} is none of {', '.join(names)}")
    return given


def _hop(given: str) -> str:
    return _one_of(given, list(hop_inputs(load_settings())))


def _code(given: str) -> str:
    return _one_of(given, sorted(code.label for code in Code if code.kind is Kind.REJECT))


HopFilter = Annotated[str | None, typer.Option("--hop", parser=_hop, metavar="HOP", help="only those of this hop")]
CodeFilter = Annotated[
    str | None, typer.Option("--code", parser=_code, metavar="CODE", help="only those with this error, such as SYN-101")
]


@app.command("list")
def list_rejected(
    hop: HopFilter = None,
    code: CodeFilter = None,
    everything: Annotated[bool, typer.Option("--all", help="those already replayed too")] = False,
) -> None:
    """List rejected records without their content."""
    with closing(build_bus(load_settings().bus)) as bus:
        records = bus.read(TOPIC_REJECTED) if everything else rejects.waiting(bus)
        rows = (
            (rejects.number(record), *(record.header(name) or "" for name in ("code", "hop", "topic", "reason")))
            for record in _matching(records, hop, code)
        )
        print_rows(("number", "code", "hop", "topic", "reason"), rows)
        for stored in rejects.states(bus):
            if stored.state.stopped:
                typer.echo(f"stopped, {stored.summary}; `synoptic rejected acknowledge` starts it", err=True)


@app.command()
def show(
    number: Annotated[str, typer.Argument(help="a number from `synoptic rejected list`")],
    with_phi: Annotated[
        bool, typer.Option("--with-phi", help="print the message itself, patient data included")
    ] = False,
) -> None:
    """Show why one record was rejected and where it came from."""
    settings = load_settings()
    with closing(build_bus(settings.bus)) as bus:
        record = _find(bus, [number])[0]
    if with_phi:
        print_message(_opened(record.value, settings))
        return
    own = [(name, value) for name, value in record.headers if not name.startswith(rejects.INPUT_HEADER)]
    for name, value in [*own, ("bytes", str(len(record.value)))]:
        typer.echo(f"{name}: {value}")
    with _erasures(settings) as is_erased:
        if is_erased(record):
            typer.echo(f"erased: {SynopticError(Code.ERASED)}")


@app.command()
def replay(
    numbers: Numbers = None,
    everything: Annotated[bool, typer.Option("--all", help="all that were not replayed yet")] = False,
    hop: HopFilter = None,
    code: CodeFilter = None,
) -> None:
    """Send rejected records to the hop that rejected them again, as they first came; erased ones stay where they are."""
    if bool(numbers) == everything:
        raise typer.BadParameter("give numbers, or --all")
    settings = load_settings()
    erased = 0

    def readable(records: Iterable[Record]) -> Iterator[Record]:
        nonlocal erased
        for record in records:
            if is_erased(record):
                erased += 1
            else:
                yield record

    with closing(build_bus(settings.bus)) as bus, _erasures(settings) as is_erased:
        records = _find(bus, numbers) if numbers else _matching(rejects.waiting(bus), hop, code)
        count = rejects.replay(bus, readable(records))
    typer.echo(f"replayed {count}", err=True)
    if erased:
        typer.echo(f"not replayed {erased}: {SynopticError(Code.ERASED)}", err=True)


@app.command()
def acknowledge(
    hops: Annotated[
        list[str] | None, typer.Argument(parser=_hop, metavar="HOP", help="hops that stopped; none: all of them")
    ] = None,
) -> None:
    """Let hops that stopped for too many rejects start again, with an empty count."""
    with closing(build_bus(load_settings().bus)) as bus:
        found = rejects.acknowledge(bus, hops or ())
    for summary in found or ["no hop has stopped"]:
        typer.echo(summary, err=True)


@contextmanager
def _erasures(settings: Settings) -> Iterator[Callable[[Record], bool]]:
    """Tells whose key was deleted, as far as this machine has the key store: on Kafka an operator's need not."""
    if settings.bus.kind == "kafka" and settings.privacy.key_store is None:
        yield lambda _record: False
        return
    with closing(load_keys(settings)) as keys:
        yield lambda record: (identity := key_identity(record.value)) is not None and keys.is_erased(identity)


def _opened(value: bytes, settings: Settings) -> bytes:
    """The message as it came; raises SYN-609 where it was erased."""
    if not value.startswith(MARK):
        return value
    with closing(load_seal(settings)) as seal:
        return seal.opened(value)


def _matching(records: Iterator[Record], hop: str | None, code: str | None) -> Iterator[Record]:
    return (
        record
        for record in records
        if (hop is None or record.header("hop") == hop) and (code is None or record.header("code") == code)
    )


def _find(bus: Bus, numbers: list[str]) -> list[Record]:
    """The records of these numbers; reading ends with the last of them."""
    found: dict[str, Record] = {}
    for record in bus.read(TOPIC_REJECTED):
        if (number := rejects.number(record)) in numbers:
            found[number] = record
            if len(found) == len(set(numbers)):
                break
    missing = [number for number in numbers if number not in found]
    if missing:
        raise SynopticError(Code.NO_REJECTED_RECORD, ", ".join(missing))
    return list(found.values())
