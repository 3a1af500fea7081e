"""Builds the pages of docs/ that are made from the code: errors, settings, metrics and the must-haves of profiles.

Run `.venv/bin/python docs/build.py` after a change to schemas/errors.txt, settings.py, metrics.py or mappers/profiles.yaml; a
test holds them equal.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from mappers.profiles import ProfileRule, load_profiles
from schemas import metrics
from schemas.errors import Code
from schemas.settings import Section, Settings

FOLDER = Path(__file__).resolve().parent
RANGES = {
    1: "Intake and documents",
    2: "Text steps",
    3: "Model",
    4: "Mapping and emission",
    5: "Bus and runner",
    6: "Configuration and packs",
    7: "Training and commands",
}


def errors_page() -> str:
    """Every numbered error in ranges: number, kind, what happened, what to do."""
    lines = [
        "# Errors",
        "",
        "Made from `schemas/errors.txt`. A number never changes its meaning and is never used again. Kinds: *retry* waits and",
        "tries again, *reject* sets this report aside (`synoptic rejected list`), *fatal* ends the program. `…` stands for the",
        "detail, which never holds report text or identifiers.",
    ]
    for first, title in RANGES.items():
        lines += ["", f"## {title}", "", "| number | kind | what happened | what to do |", "|---|---|---|---|"]
        for code in sorted(Code, key=lambda code: code.number):
            if code.number // 100 == first:
                cells = (code.label, code.kind.value, code.message.format(detail="…"), code.remedy)
                lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join([*lines, ""])


def settings_page() -> str:
    """Every key with its default and meaning."""
    lines = [
        "# Settings",
        "",
        "Made from `schemas/settings.py`. Read from `synoptic.yaml` in the working folder, or the file that `SYNOPTIC_SETTINGS`",
        "names; each key is overridden by an environment variable: `SYNOPTIC_BUS__BATCH_SIZE` for `bus.batch_size`.",
        "`synoptic config show` prints all of them with their present values, as a file that can be used as it is. A fault",
        "in any key is SYN-601, which names them all, as it does a variable that begins with `SYNOPTIC_` and belongs to no key.",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
        *(
            f"| `{key}` | {_default(field)} | {_cell(field.description or '')} |"
            for key, field in settings_keys(Settings)
        ),
        "",
    ]
    return "\n".join(lines)


def must_haves_page() -> str:
    """What a resource of each profile must have, as `mappers/profiles.py` checks it."""
    lines = [
        "# Must-haves of the profiles",
        "",
        "Made from `mappers/profiles.yaml` (mCODE STU4 4.0.0, US Core 6.1.0). Every bundle is checked against it before it leaves, beside the",
        "allow-list of values for each Observation code, the deny-list of codes and the references ([fhir-validation.md](fhir-validation.md)).",
        "",
        "| profile | resource | must have | codes, one of |",
        "|---|---|---|---|",
        *(
            f"| {url.rpartition('/')[2]} | {rule.resource} | {_elements(rule)} | {_codes(rule)} |"
            for url, rule in load_profiles().items()
        ),
    ]
    return "\n".join([*lines, ""])


def _elements(rule: ProfileRule) -> str:
    parts = [", ".join(rule.required)]
    parts += [f"exactly one of {', '.join(rule.one_of)}"] if rule.one_of else []
    return "; ".join(parts)


def _codes(rule: ProfileRule) -> str:
    """The last part of each system with its code, by element."""
    elements = (
        f"{path}: {', '.join(coding.rpartition('/')[2].replace('|', ' ') for coding in codings)}"
        for path, codings in rule.codings.items()
    )
    return "; ".join(elements)


def settings_keys(model: Any, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Each key in dotted form with its field."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, Section):
            yield from settings_keys(type(field.default), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _default(field: FieldInfo) -> str:
    """The default as written in YAML; a path inside the clone relative to it."""
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(repr(item) if item == '*' else str(item) for item in value)}]`"
    return f"`{str(value).removeprefix(f'{FOLDER.parent}/')}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {
    "errors.md": errors_page,
    "settings.md": settings_page,
    "metrics.md": metrics.as_markdown,
    "must-haves.md": must_haves_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
