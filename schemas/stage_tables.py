"""Loads the rule tables of a site: its stage groups, its derivations, or a licensed file; every fault at once.

A folder of schemas/packs is a site. One with staging.yaml alone can be staged but not read.
"""

from functools import cache
from pathlib import Path

from schemas.errors import Code, SynopticError
from schemas.rule_table import LicensedTable, RuleTable
from schemas.yaml_source import Fault, load_model

SITES_FOLDER = Path(__file__).resolve().parent / "packs"
STAGING_FILE = "staging.yaml"
DERIVATIONS_FOLDER = "derivations"


def site_names() -> tuple[str, ...]:
    """Every site that can be staged."""
    return tuple(sorted(path.parent.name for path in SITES_FOLDER.glob(f"*/{STAGING_FILE}")))


@cache
def load_staging(site: str) -> RuleTable:
    """The stage groups of a site, by its name or a synonym; raises SYN-621 for an unknown one, SYN-620 for faults."""
    name = site.strip().casefold()
    if name in site_names():
        return load_rule_table(SITES_FOLDER / name / STAGING_FILE)
    for known in site_names():
        rules = load_rule_table(SITES_FOLDER / known / STAGING_FILE)
        if name in rules.synonyms:
            return rules
    raise SynopticError(Code.UNKNOWN_SITE, f"{site[:40]!r}; expected {', '.join(site_names())}")


def derivation_paths(folder: Path) -> dict[str, Path]:
    """The derivations of a pack's folder, by name."""
    return {path.stem: path for path in sorted((folder / DERIVATIONS_FOLDER).glob("*.yaml"))}


def load_rule_table(path: Path, shape: type[RuleTable] = RuleTable) -> RuleTable:
    """Load one file; raises SYN-620 that lists every fault with file, line and key."""
    rules, faults = check_rule_table(path, shape)
    if rules is None:
        raise SynopticError(Code.BAD_RULE_TABLE, "; ".join(str(fault) for fault in faults))
    return rules


def load_licensed_table(path: Path | None) -> RuleTable | None:
    """The table of the setting `mapping.prognostic_table` as its file is now, where there is one; raises SYN-620."""
    return load_rule_table(path, LicensedTable) if path else None


def check_rule_table(path: Path, shape: type[RuleTable] = RuleTable) -> tuple[RuleTable | None, list[Fault]]:
    """The table of a file, or None with every fault in it."""
    try:
        return load_model(path, shape)
    except (OSError, UnicodeDecodeError) as error:
        return None, [Fault(path.name, 1, "(file)", f"cannot be read ({type(error).__name__})")]
