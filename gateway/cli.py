"""The command line: lists the commands, imports only the one that is asked for, and turns errors into one line.

A command is a module of gateway/commands/ with a function of the module's name, or with a Typer `app` where it has
subcommands. Exit codes: 0 done, 1 something was rejected, 2 wrong use, or it could not be done.
"""

import importlib
import resource
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

import typer

from schemas.errors import Code, Kind, SynopticError, fault_location

COMMANDS = {
    "demo": "Run the example reports through the whole chain and show what came out.",
    "extract": "Read reports from files and print their findings.",
    "run": "Run hops over the bus until told to stop.",
    "publish": "Put FHIR reports on the bus.",
    "status": "Show what waits before each hop, and which hops have stopped.",
    "review": "Show and decide what reports leave to a person.",
    "rejected": "List, show, replay and acknowledge rejected records.",
    "registry": "List, check, pause and resume registries, and send them anew what they missed.",
    "purge": "Erase a patient: what is left on the bus can't be read any more.",
    "mapping": "Check and try the mapping from findings to FHIR.",
    "stage": "Print the stage group of categories such as T2 N1a M0.",
    "config": "Show the settings.",
    "doctor": "Check the installation and say what to fix.",
    "label": "Run the labelling rules over texts; show what they miss, and how often they are right.",
    "dataset": "Build labelled, divided training data from texts, and show its classes.",
    "train": "Train a checkpoint from reports and labels.",
    "evaluate": "Measure a checkpoint against gold labels.",
    "ablate": "Measure what each part of the classifier is worth, hospital by hospital.",
    "benchmark": "Make the open benchmark and its texts.",
    "deid": "De-identify text.",
}
LOGGING_COMMAND = "run"
"""What runs as a service: its standard error is a log, read by programs. That of the others is read by a person."""
DONE, REJECTED, FAILED = 0, 1, 2
EXTRAS = (
    "torch",
    "numpy",
    "transformers",
    "peft",
    "safetensors",
    "tokenizers",
    "kafka",
    "accelerate",
    "rapidocr",
    "tesserocr",
    "matplotlib",
    "sklearn",
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit; should it crash, no core file is left, which would hold reports."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    words = list(sys.argv[1:] if arguments is None else arguments)
    invoked = next((word for word in words if word in COMMANDS), None)
    try:
        if invoked:
            _configure_logs()
        build_app(invoked)(words, prog_name="synoptic")
    except SynopticError as error:
        _end(error, invoked)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        code, detail = (Code.MISSING_EXTRA, library) if library in EXTRAS else (Code.DEFECT, fault_location(error))
        _end(SynopticError(code, detail), invoked)
    except Exception as error:
        _end(SynopticError(Code.DEFECT, fault_location(error)), invoked)
    sys.exit(DONE)


def build_app(invoked: str | None) -> typer.Typer:
    """The program with the invoked command's module loaded, and of all others only their one line of help."""
    app = typer.Typer(
        help="Turns narrative clinical reports into coded, evidenced FHIR resources.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if sys.stdout.isatty() else None,
    )
    app.callback()(_program)
    for name, summary in COMMANDS.items():
        if name != invoked:
            app.command(name, help=summary)(_not_loaded)
            continue
        module = importlib.import_module(f"gateway.commands.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, help=summary)
        else:
            app.command(name, help=summary)(getattr(module, name))
    return app


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(version("synoptic-gateway"))
        raise typer.Exit


def _program(
    _version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
    ),
) -> None:
    """Hold the options that come before the command."""


def _not_loaded() -> None:
    """Stands for a command in the list of all; `build_app` loads the one that runs."""


def _log(error: SynopticError) -> bool:
    """Log what ends the program where standard error holds lines of JSON; true where it does."""
    import structlog

    from schemas.logs import writes_json

    if json := writes_json():
        structlog.get_logger().error("program ends", error=error)
    return json


def _configure_logs() -> None:
    from schemas.logs import configure
    from schemas.settings import LoggingSettings

    configure(LoggingSettings(level="warning"), libraries=False)


def _end(error: SynopticError, invoked: str | None) -> NoReturn:
    if not (invoked == LOGGING_COMMAND and _log(error)):
        typer.echo(str(error), err=True)
    sys.exit(REJECTED if error.code.kind is Kind.REJECT else FAILED)
