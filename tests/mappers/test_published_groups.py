"""Every combination of each site's categories against its stage groups as the manuals print them.

The tables below were written from publications (National Cancer Institute, NCCN), line by line, without the YAML.
"""

import itertools
import re

import pytest

from mappers.staging import Stager
from schemas.stage_tables import load_staging, site_names

# group | T | N, for M0; a category stands for its subcategories as well.
PRINTED = {
    "breast": """
        0     | Tis   | N0
        IA    | T1    | N0
        IB    | T0    | N1mi
        IB    | T1    | N1mi
        IIA   | T0    | N1a N1b N1c
        IIA   | T1    | N1a N1b N1c
        IIA   | T2    | N0
        IIB   | T2    | N1
        IIB   | T3    | N0
        IIIA  | T0    | N2
        IIIA  | T1    | N2
        IIIA  | T2    | N2
        IIIA  | T3    | N1
        IIIA  | T3    | N2
        IIIB  | T4    | N0
        IIIB  | T4    | N1
        IIIB  | T4    | N2
        IIIC  | TX T0 T1 T2 T3 T4 | N3
    """,
    "colorectal": """
        0     | Tis     | N0
        I     | T1 T2   | N0
        IIA   | T3      | N0
        IIB   | T4a     | N0
        IIC   | T4b     | N0
        IIIA  | T1 T2   | N1
        IIIA  | T1      | N2a
        IIIB  | T3 T4a  | N1
        IIIB  | T2 T3   | N2a
        IIIB  | T1 T2   | N2b
        IIIC  | T4a     | N2a
        IIIC  | T3 T4a  | N2b
        IIIC  | T4b     | N1 N2
    """,
    "lung": """
        Occult carcinoma | TX | N0
        0     | Tis   | N0
        IA1   | T1mi  | N0
        IA1   | T1a   | N0
        IA2   | T1b   | N0
        IA3   | T1c   | N0
        IB    | T2a   | N0
        IIA   | T2b   | N0
        IIB   | T1a   | N1
        IIB   | T1b   | N1
        IIB   | T1c   | N1
        IIB   | T2a   | N1
        IIB   | T2b   | N1
        IIB   | T3    | N0
        IIIA  | T1a   | N2
        IIIA  | T1b   | N2
        IIIA  | T1c   | N2
        IIIA  | T2a   | N2
        IIIA  | T2b   | N2
        IIIA  | T3    | N1
        IIIA  | T4    | N0
        IIIA  | T4    | N1
        IIIB  | T1a   | N3
        IIIB  | T1b   | N3
        IIIB  | T1c   | N3
        IIIB  | T2a   | N3
        IIIB  | T2b   | N3
        IIIB  | T3    | N2
        IIIB  | T4    | N2
        IIIC  | T3    | N3
        IIIC  | T4    | N3
    """,
}
METASTATIC = {
    "breast": {"M1": "IV"},
    "colorectal": {"M1a": "IVA", "M1b": "IVB", "M1c": "IVC"},
    "lung": {"M1a": "IVA", "M1b": "IVA", "M1c": "IVB"},
}
CATEGORIES = {
    "breast": (
        "TX T0 Tis Tis(DCIS) Tis(Paget) T1 T1mi T1a T1b T1c T2 T3 T4 T4a T4b T4c T4d",
        "NX N0 N0(i+) N0(mol+) N1 N1mi N1a N1b N1c N2 N2a N2b N3 N3a N3b N3c",
        "M0 M0(i+) M1",
    ),
    "colorectal": ("TX T0 Tis T1 T2 T3 T4 T4a T4b", "NX N0 N1 N1a N1b N1c N2 N2a N2b", "M0 M1 M1a M1b M1c"),
    "lung": (
        "TX T0 Tis Tis(AIS) Tis(SCIS) T1 T1mi T1a T1b T1c T2 T2a T2b T3 T4",
        "NX N0 N1 N2 N3",
        "M0 M1 M1a M1b M1c",
    ),
}


def is_under(category: str, printed: str) -> bool:
    """Whether a category is the printed one or a subcategory of it."""
    return category == printed or (category.startswith(printed) and category[len(printed) :][0] in "abcdm(")


def finest(category: str, known: str) -> list[str]:
    """The subcategories of a category; itself where it has none, as N0 has (N0(i+) is another finding)."""
    parts = [other for other in known.split() if other != category and is_under(other, category)]
    return [category] if not parts or category in ("N0", "M0") else parts


def printed_group(site: str, t: str, n: str, m: str) -> str | None:
    """The group of finest categories by the printed table; none where it does not print one."""
    if m in METASTATIC[site]:
        return METASTATIC[site][m]
    for line in PRINTED[site].strip().splitlines():
        group, ts, ns = (part.strip() for part in line.split("|"))
        if any(is_under(t, one) for one in ts.split()) and any(is_under(n, one) for one in ns.split()):
            return group
    return None


def shared(groups: set[str | None]) -> str | None:
    """The one group, or the broader one that all of them belong to ("IV" of IVA and IVB); none where there is no such."""
    if len(groups) == 1:
        return next(iter(groups))
    written = [re.fullmatch(r"(IV|I{1,3})([A-C])(\d?)", group or "") for group in groups]
    for parts in ((1, 2), (1,)):
        broader = {"".join(found[part] for part in parts) if found else None for found in written}
        if len(broader) == 1:
            return next(iter(broader))
    return None


def expected_group(site: str, t: str, n: str, m: str) -> str | None:
    """The group that all subcategories share; T1mi of the lung is printed with N0 only and does not count beside others."""
    known = CATEGORIES[site]
    cells = list(itertools.product(finest(t, known[0]), finest(n, known[1]), finest(m, known[2])))
    if site == "lung" and t == "T1" and n != "N0":
        cells = [cell for cell in cells if cell[0] != "T1mi"]
    return shared({printed_group(site, *cell) for cell in cells})


@pytest.mark.parametrize(("site", "count"), [("breast", 816), ("colorectal", 405), ("lung", 375)])
def test_every_combination_has_its_printed_group(site: str, count: int) -> None:
    """T × N × M, subcategories and categories without one: the printed group, or none with a reason."""
    stager = Stager(load_staging(site))
    combinations = list(itertools.product(*(known.split() for known in CATEGORIES[site])))
    assert len(combinations) == count
    wrong = {}
    for t, n, m in combinations:
        staged = stager.line(f"{t} {n} {m}")
        found = staged.stage.group if staged.stage else None
        if found != expected_group(site, t, n, m) or (found is None and not staged.reason) or not staged.readable:
            wrong[t, n, m] = (found, staged.reason)
    assert wrong == {}


# group | T | PSA from, to | Grade Groups, for N0 M0
PROSTATE = """
    I    | T1a T1b T1c T2a pT2         | 0 10   | 1
    IIA  | T1a T1b T1c T2a pT2         | 10 20  | 1
    IIA  | T2b T2c                     | 0 20   | 1
    IIB  | T1a T1b T1c T2a T2b T2c pT2 | 0 20   | 2
    IIC  | T1a T1b T1c T2a T2b T2c pT2 | 0 20   | 3
    IIC  | T1a T1b T1c T2a T2b T2c pT2 | 0 20   | 4
    IIIA | T1a T1b T1c T2a T2b T2c pT2 | 20 inf | 1 2 3 4
    IIIB | T3a T3b T4                  | 0 inf  | 1 2 3 4
    IIIC | TX T0 T1a T1b T1c T2a T2b T2c pT2 T3a T3b T4 | 0 inf | 5
"""
PROSTATE_T = {
    **{one: [one] for one in ("TX", "T0", "T1a", "T1b", "T1c", "T2a", "T2b", "T2c", "pT2", "T3a", "T3b", "T4")},
    "T1": ["T1a", "T1b", "T1c"],
    "T2": ["T2a", "T2b", "T2c", "pT2"],
    "T3": ["T3a", "T3b"],
}


LIMITS = (0.1, 9.99, 10, 19.9, 20, 150)


def prostate_group(t: str, n: str, m: str, psa: float, grade: int) -> str | None:
    """The printed group of the prostate, for a finest T."""
    if m != "M0" or n != "N0":
        return "IVB" if m != "M0" else {"N1": "IVA"}.get(n)
    cells = [[part.strip() for part in line.split("|")] for line in PROSTATE.strip().splitlines()]
    found = [
        group
        for group, ts, limits, grades in cells
        if t in ts.split() and str(grade) in grades.split()
        and float(limits.split()[0]) <= psa < float(limits.split()[1])
    ]  # fmt: skip
    assert len(found) <= 1
    return found[0] if found else None


def test_every_combination_of_the_prostate_has_its_printed_group() -> None:
    """T × N × M × PSA (at and beside each limit, or not stated) × Grade Group (or not stated)."""
    stager = Stager(load_staging("prostate"))
    wrong = {}
    for t, n, m, psa, grade in itertools.product(
        PROSTATE_T, ("NX", "N0", "N1"), ("M0", "M1", "M1a", "M1b", "M1c"), (None, *LIMITS), (None, *range(1, 6))
    ):
        levels, grades = LIMITS if psa is None else (psa,), range(1, 6) if grade is None else (grade,)
        words = (f"{t} {n} {m}", "" if psa is None else f"PSA {psa}", "" if grade is None else f"GG{grade}")
        staged = stager.line(" ".join(words))
        found = staged.stage.group if staged.stage else None
        cells = itertools.product(PROSTATE_T[t], levels, grades)
        expected = shared({prostate_group(one, n, m, level, part) for one, level, part in cells})
        if found != expected or (found is None and not staged.reason):
            wrong[t, n, m, psa, grade] = (found, expected, staged.reason)
    assert wrong == {}


def test_all_shipped_sites_are_compared() -> None:
    """A site that is added needs its printed table here."""
    assert set(site_names()) == {*PRINTED, "prostate"}
