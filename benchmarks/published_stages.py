"""Compare the shipped stage tables, cell by cell, with SEER's published staging algorithms.

    python benchmarks/published_stages.py EOD TNM

EOD is the unpacked package com.imsweb:staging-algorithm-eod-public 2.1.2 (AJCC 8), TNM com.imsweb:staging-algorithm-tnm
1.9.9 (AJCC 7, whose anatomic groups of the breast are those of AJCC 8); both are under a modified BSD licence and no part
of this repository. Prints a line for each kind of difference, and ends with status 1 where both give a group and the
groups differ. docs/staging.md says what is made of it.
"""

import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.pack_loader import load_pack
from schemas.rule_table import RuleTable
from schemas.stage_tables import load_staging

ROMAN = {"0": "0", "1": "I", "2": "II", "3": "III", "4": "IV"}
NO_GROUP = ("99", "88")
# What each stage table of the algorithms is called, and the values of the inputs beside T, N and M that stand for ours.
TABLES: dict[str, tuple[int, str, dict[str, dict[str, str | None]]]] = {
    "breast": (1, "tnm7_path_stage_uac", {}),
    "colorectal": (0, "tnm8_path_stage_upw", {}),
    "lung": (0, "tnm8_path_stage_ubq", {}),
    "prostate": (
        0,
        "tnm_8_combined_stage_group_for_eod_44498",
        {
            "PSA": {"5.0": "<10", "15.0": "10-<20", "50.0": ">=20", "XXX.9": None},
            "Grade Group": {**{str(grade): f"GG{grade}" for grade in range(1, 6)}, "9": None},
        },
    ),
}
PROGNOSTIC = "tnm_8_path_stage_group_breast_21522"
SIZES, NODES = "tumor_size_with_primary_tumor_for_ajcc_t_16997", "num_pos_aln_with_regional_nodes_for_ajcc_n_30002"
Rows = list[list[str]]


def read_rows(folder: Path, name: str) -> Rows:
    """The rows of one table, wherever in the unpacked package it lies."""
    (path,) = folder.rglob(f"tables/{name}.json")
    rows: Rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return rows


def meets(cell: str, value: str) -> bool:
    """Whether a cell ("*", "1,1A,1B", "2-3") takes a value."""
    return cell == "*" or any(part.strip() == value or _within(part, value) for part in cell.split(","))


def _within(part: str, value: str) -> bool:
    low, dash, high = part.strip().partition("-")
    try:
        return bool(dash) and float(low) <= float(value) <= float(high)
    except ValueError:
        return False


def looked_up(rows: Rows, values: tuple[str, ...]) -> str:
    """What the first row says that takes all values."""
    return next(row[-1] for row in rows if all(meets(cell, value) for cell, value in zip(row, values, strict=False)))


def group_of(said: str) -> str | None:
    """The group in our writing; a jump is the question whether a TX N0 M0 of the lung is occult."""
    if said.startswith("JUMP"):
        return "Occult carcinoma"
    value = said.removeprefix("VALUE:")
    return None if value in NO_GROUP or said.startswith("ERROR") else ROMAN[value[0]] + value[1:]


def code_of(category: str, plain_tis: bool) -> str:
    """A category in the algorithms' writing: T1mi is 1MI, N0(mol+) is 0M+, Tis(DCIS) is ISD or IS."""
    code = category.removeprefix("p")[1:].upper().replace("MOL", "M")
    if code.startswith("IS"):
        kind = code[2:].strip("()")
        return "IS" if plain_tis or kind not in ("DCIS", "PAGET") else f"IS{kind[0]}"
    return code.replace("(", "").replace(")", "")


def cells(
    rules: RuleTable, rows: Rows, beside: Mapping[str, Mapping[str, str | None]]
) -> Iterator[tuple[str, str | None, str | None]]:
    """Each combination of categories, coarse ones too, with our group and theirs."""
    inputs = rules.table.inputs
    for case in itertools.product(*(inputs[name].covers for name in "TNM"), *beside.values()):
        known = {name: [value] for name, value in zip("TNM", case, strict=False)}
        for (name, meant), value in zip(beside.items(), case[3:], strict=True):
            if ours := meant[value]:
                known[name] = [ours]
        codes = tuple(code_of(category, plain_tis=True) for category in case[:3])
        yield " ".join(case), rules.table.decide(known).result, group_of(looked_up(rows, (*codes, *case[3:])))


def compare_groups(site: str, rows: Rows, beside: Mapping[str, Mapping[str, str | None]]) -> bool:
    """Print the differences of a site; true where both give a group that the other contradicts."""
    rules = load_staging(site)
    counted = list(cells(rules, rows, beside))
    kinds: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    for case, ours, theirs in counted:
        if ours != theirs:
            kinds[ours, theirs].append(case)
    different = sum(len(cases) for cases in kinds.values())
    print(f"{site}: {len(counted)} cells, {len(counted) - different} alike, {different} differ")
    for (ours, theirs), cases in kinds.items():
        print(f"  ours {ours}, theirs {theirs}: {len(cases)}, such as {', '.join(cases[:3])}")
    broader = rules.table.broader
    return any(ours and theirs and theirs not in broader.get(ours, ()) for ours, theirs in kinds)


def compare_blocks(rows: Rows) -> bool:
    """Whether one of our anatomic groups of the breast stands in two blocks of AJCC 8's prognostic table."""
    rules = load_staging("breast")
    blocks: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    tails = list(itertools.product("123", "01", "01", "01", ("NO", "YES")))
    for case in itertools.product(*(rules.table.inputs[name].finest for name in "TNM")):
        group = rules.table.decide({name: [value] for name, value in zip("TNM", case, strict=True)}).result
        if group and not (case[0].startswith("Tis") and case[2] == "M1"):
            codes = tuple(code_of(category, plain_tis=False) for category in case)
            blocks[group].add(tuple(looked_up(rows, (*codes, *tail)) for tail in tails))
    print(
        f"breast: {len(blocks)} anatomic groups, {sum(len(one) for one in blocks.values())} blocks of the prognostic table"
    )
    return any(len(one) > 1 for one in blocks.values())


def compare_derivations(sizes: Rows, nodes: Rows) -> bool:
    """Print how many sizes and node counts give another category than the breast pack's."""
    pack = load_pack("breast")
    rule = next(rule for rule in pack.labels.labels["T"].rules if rule.name == "T_from_labelled_size")
    bands = [*rule.detail_bands, *(band for band in rule.bands if band.value != "T1")]
    wrong = 0
    for size in range(1, 990):
        ours = next(band.value for band in bands if band.at_most is None or size <= band.at_most)
        wrong += f"VALUE:{ours}" != looked_up(sizes, ("100", f"{size:03}"))
    for count in range(1, 100):
        ours = pack.derivations["nodes"].decide({"positive": [str(count)], "deposit": ["macro"]}).decision.result or ""
        wrong += f"VALUE:{ours}" != looked_up(nodes, ("200", f"{count:02}"))
    print(f"breast: {wrong} of 989 sizes (mm) and 99 counts of nodes differ")
    return wrong > 0


def main() -> None:
    """Compare every table."""
    folders = [Path(argument) for argument in sys.argv[1:3]]
    wrong = [
        compare_groups(site, read_rows(folders[which], name), more) for site, (which, name, more) in TABLES.items()
    ]
    wrong.append(compare_blocks(read_rows(folders[0], PROGNOSTIC)))
    wrong.append(compare_derivations(read_rows(folders[0], SIZES), read_rows(folders[0], NODES)))
    sys.exit(any(wrong))


if __name__ == "__main__":
    main()
