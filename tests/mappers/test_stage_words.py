"""Categories as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappers.staging import Staged, Stager
from schemas.stage_tables import load_staging

SITES = {site: Stager(load_staging(site)) for site in ("breast", "colorectal", "lung", "prostate")}


def group(line: str, site: str = "breast") -> str | None:
    """The group of a line, with its condition."""
    stage = SITES[site].line(line).stage
    return stage and stage.group + (f" if {stage.conditional_on}" if stage.conditional_on else "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("T2 N1 M0", "IIB"),
        ("t2 n1 m0", "IIB"),
        ("PT2 PN1 M0", "IIB"),
        ("T2N1M0", "IIB"),
        ("pT2pN1cM0", "IIB"),
        ("T1cN0M0", "IA"),
        ("T2cN0M0", "IIA"),
        ("pT1c,N0,M0", "IA"),
        ("pT1c; pN0 / cM0", "IA"),
        ("(pT1c pN0 M0)", "IA"),
        ("T 2 N 1 M 0", "IIB"),
        ("p T2 p N1 c M0", "IIB"),
        ("T2 N1 cM0", "IIB"),
        ("pT2(m) N0 M0", "IIA"),
        ("pT2 (m, 3) N0 M0", "IIA"),
        ("pT2(2) pN0(0/3) M0", "IIA"),
        ("pT1c(m) pN0(i+)(sn) cM0(i+)", "IA"),
        ("pT1c pN0(sn)(i+) M0", "IA"),
        ("pT1c pN0 (i+, sn) M0", "IA"),
        ("pT1c pN0i+ M0", "IA"),
        ("pT1c pN0(i-) M0", "IA"),
        ("T1(mi) N1(mi)(sn) M0", "IB"),
        ("T1mic N1mic M0", "IB"),
        ("pT1 mi pN1 mi & M0", "IB"),
        ("pTis (DCIS)", "0 if M0"),
        ("pTis(Paget's) N0 M0", "0"),
        ("T2-N0-M0", "IIA"),
        ("T:2 N=1 M: 0", "IIB"),
        ("T: pT2, N: pN1a, M: cM0", "IIB"),
        ("pT: pT1c pN: N0(i+)", "IA if M0"),
        ("pT1c pN1a(sn) cM0 (AJCC 8th edition)", "IIA"),
        ("pT2 pN0, AJCC 8", "IIA if M0"),
        ("pT2 - pN0 - M0", "IIA"),
        ("stage T2 N0", "IIA if M0"),
        ("pTNM: pT2 pN1a", "IIB if M0"),
        ("mpT2 pN0 M0", "IIA"),
        ("pT2(m2) pN0 M0", "IIA"),
        ("pT2 (m=3) pN0 M0", "IIA"),
        ("pT2 (multifocal, 2 foci) pN0 M0", "IIA"),
        ("pT2 pN1a(2/14) G2 L0 V0 Pn1 R0", "IIB if M0"),
        ("T2 N0", "IIA if M0"),
        ("T2 N0 MX", "IIA if M0"),
        ("M1", "IV"),
        ("TX NX M1", "IV"),
        ("Tis M1", "IV"),
        ("\ufeff\u00a0Ｔ２ N1 M0", "IIB"),
    ],
)
def test_forms_of_breast(line: str, expected: str) -> None:
    """Prefixes, suffixes, case, spaces and separators do not change the group."""
    assert group(line.strip("\ufeff")) == expected


@pytest.mark.parametrize(
    ("site", "line", "expected"),
    [
        ("prostate", "T2a N0 M0 PSA 8.3 GG2", "IIB"),
        ("prostate", "cT2a cN0 cM0 PSA: 8,3 ng/ml, Gleason 3+4=7", "IIB"),
        ("prostate", "T2a N0 M0 PSA 8.3 Grade Group 2", "IIB"),
        ("prostate", "pT2c N0 M0 PSA 5 Gleason score 3 + 3 = 6 (Grade Group 1)", "I"),
        ("prostate", "GG1 psa=5 m0 n0 t1c", "I"),
        ("prostate", "T1c N0 M0 PSA <4 ISUP grade group 1", "I"),
        ("prostate", "T1c N0 M0 PSA >= 20 GG1", "IIIA"),
        ("prostate", "T3a N0 M0 GG2", "IIIB"),
        ("prostate", "T2 N0 M0 PSA 5 Gleason 7 GG3", "IIC"),
        ("prostate", "N1 M0", "IVA"),
        ("prostate", "T1c N0 M0 GG5", "IIIC"),
        ("prostate", "pT3a(R1) pN0 cM0 GG2", "IIIB"),
        ("prostate", "cT1c cN0 cM0 initial PSA of 8.3 ng/mL Gleason 7b", "IIC"),
        ("prostate", "T1c N0 M0 PSA is 8 Gleason ≤6, WHO/ISUP grade group 1/5", "I"),
        ("lung", "pT1a(mi) N0 M0", "IA1"),
        ("lung", "T2aN0M0", "IB"),
        ("lung", "TX N0 M0", "Occult carcinoma"),
        ("colorectal", "pT3 pN1c", "IIIB if M0"),
        ("colorectal", "pT4 N2a M0", "IIIC"),
        ("colorectal", "T3 N1 M1", "IV"),
        ("colorectal", "T4 N0", "II if M0"),
        ("lung", "T1 N0 M0", "IA"),
        ("lung", "T2 N0 M1", "IV"),
        ("prostate", "T3a N0 M0", "III"),
        ("prostate", "T1c N0 M0 PSA 8 Gleason 7", "II"),
    ],
)
def test_forms_of_other_sites(site: str, line: str, expected: str) -> None:
    """PSA with its unit, Gleason scores, both statements of one grade; hierarchies that agree."""
    assert group(line, site) == expected


@pytest.mark.parametrize(
    ("site", "line", "reason"),
    [
        ("breast", "T5 N0 M0", "'T5' is not a category of AJCC 8 anatomic; T is one of TX, T0, Tis, T1, T2, T3, T4"),
        ("breast", "T2 N4 M0", "'N4' is not a category"),
        ("breast", "T2aN0M0", "is not a category"),
        ("breast", "T2 T3 N0", "T is given twice"),
        ("breast", "T2 N0 grade", "cannot read 'grade'; expected T, N, M"),
        ("breast", "T2 N2 (10 nodes)", "cannot read 'nodes' after 'N2'"),
        ("breast", "T1-2 N0", "'-2' makes it a range; write one value"),
        ("breast", "Т2 N0", "cannot read 'Т2' (CYRILLIC CAPITAL LETTER TE)"),
        ("breast", "T2 N0 M0, AJCC 7th edition", "cannot read 'AJCC'"),
        ("breast", "T: N0 M0", "cannot read 'T:'"),
        ("breast", "T1-T2 N0", "T is given twice"),
        ("breast", "T2 N0 stage IIA", "'IIA' is a result, not what AJCC 8 anatomic asks for; expected T, N, M"),
        ("breast", "stage II", "'II' is a result"),
        ("breast", "2a", "'2a' is a result"),
        ("lung", "ia3", "'ia3' is a result"),
        ("prostate", "T1c N0 M0 PSA 10 - 20 GG1", "cannot read '20'"),
        ("prostate", "T1c N0 M0 PSA 8 Gleason grade 5", "cannot read Grade Group"),
        ("breast", "T2 N0(foo) M0", "cannot read 'foo' after 'N0'"),
        ("breast", "T2 NO M0", "'NO' has the letter O in place of a digit; did you mean N0?"),
        ("breast", "T2NOM0", "did you mean N0?"),
        ("breast", "Tl N0 M0", "did you mean T1?"),
        ("breast", "TII N0 M0", "Roman number II in place of a digit; did you mean T2?"),
        ("breast", "T IVb N0 M0", "did you mean T4b?"),
        ("breast", "pTis(LCIS)", "AJCC 8 does not stage lobular carcinoma in situ"),
        ("breast", "x" * 501, "longer than 500 characters"),
        ("prostate", "pT1c N0 M0 PSA 4 GG1", "there is no pT1 in the prostate"),
        ("prostate", "T1c N0 M0 PSA 4 Gleason 3+4=8", "cannot read Grade Group in 'Gleason 3+4=8'"),
        ("prostate", "T1c N0 M0 PSA 4 GG6", "expected 1, 2, 3, 4, 5"),
        ("prostate", "T1c N0 M0 PSA 1,200 GG1", "cannot read PSA"),
        ("prostate", "T1c N0 M0 PSA 4 GG1 GG2", "contradict each other"),
    ],
)
def test_what_cannot_be_read_says_why(site: str, line: str, reason: str) -> None:
    """A word that is none of the table's forms refuses the line, with what to write where that is plain."""
    staged = SITES[site].line(line)
    assert (staged.stage, staged.readable) == (None, False)
    assert reason in (staged.reason or "")


@pytest.mark.parametrize(
    ("site", "line", "reason"),
    [
        ("breast", "T1 N1 M0", "N1 without subcategory (N1mi would be IB; N1a, N1b, N1c would be IIA)"),
        ("breast", "T0 N1", "N1 without subcategory"),
        ("breast", "ypT1 ypN0 M0", "no group after therapy (yp)"),
        ("breast", "T1 ypN1mi(sn) M1", "no group after therapy (yp)"),
        ("breast", "ycT1 N0 M0", "no group after therapy (yc)"),
        ("breast", "rT2 N0 M0", "no group for a recurrence (r)"),
        ("breast", "T0 N0 M0", "no tumour"),
        ("breast", "TX N1a M0", "(TX)"),
        ("breast", "T2 NX M0", "(NX)"),
        ("breast", "Tis N1 M0", "in-situ"),
        ("breast", "T2 M0", "N not stated (NX would be without result; N0, N0(i+), N0(mol+) would be IIA; N1 would be IIB;"),
        ("breast", "N1a M0", "T not stated"),
        ("breast", "MX", "T, N not stated"),
        ("breast", "", "T, N not stated"),
        ("lung", "T2 N0 M0", "T2 without subcategory (T2a would be IB; T2b would be IIA)"),
        ("lung", "T1mi N1 M0", "not in the table"),
        ("prostate", "T1c N0 M0 PSA >15 GG1", "PSA 10-<20 or >=20 (10-<20 would be IIA; >=20 would be IIIA)"),
        ("prostate", "T2 N0 M0 PSA 5 GG1", "T2 without subcategory (T2a, pT2 would be I; T2b, T2c would be IIA)"),
        ("prostate", "T1c N0 M0", "PSA, Grade Group not stated"),
    ],
)  # fmt: skip
def test_no_group_has_a_reason(site: str, line: str, reason: str) -> None:
    """Where what is written gives no group, the reason says what is missing, and what it would give."""
    staged = SITES[site].line(line)
    assert (staged.stage, staged.readable) == (None, True)
    assert reason in (staged.reason or "")


@pytest.mark.parametrize(
    ("site", "line", "reason"),
    [
        ("colorectal", "T3 N1 M1", "M1 without subcategory (M1a would be IVA; M1b would be IVB; M1c would be IVC)"),
        ("prostate", "T1c N0 M0 PSA 8 Gleason 7", "Grade Group GG2 or GG3 (GG2 would be IIB; GG3 would be IIC)"),
        ("lung", "T1 N0", "T1 without subcategory (T1mi, T1a would be IA1; T1b would be IA2; T1c would be IA3)"),
    ],
)
def test_a_broader_group_says_what_it_hangs_on(site: str, line: str, reason: str) -> None:
    """Beside the group, as it is less than what the table could tell."""
    staged = SITES[site].line(line)
    assert staged.stage is not None
    assert staged.reason == reason


def test_steps_tell_what_was_read_assumed_and_decided() -> None:
    """Words, remarks, what was not stated, and the row."""
    staged = SITES["breast"].line("pT2(m) N1")
    assert staged.steps == (
        "pT2(m): T is T2; (m) changes nothing",
        "N1: N is N1 (one of N1mi, N1a, N1b, N1c)",
        "M not stated: M0 would have to hold",
        "row 6 (T2 · N1 · M0, M0(i+)): IIB",
    )
    assert SITES["breast"].line("T2 N0 pM0").remarks == ("there is no pM0, read as cM0",)


def test_an_assumed_m0_is_told() -> None:
    """A facility's choice makes the group unconditional and leaves its trace."""
    staged = Stager(load_staging("breast"), assume=True).line("T2 N0")
    assert staged.stage is not None
    assert (staged.stage.group, staged.stage.conditional_on, staged.assumed) == ("IIA", None, ("M0",))
    assert "M not stated: M0 assumed" in staged.steps
    assert Stager(load_staging("breast"), assume=True).line("T2 N0 M0").assumed == ()


def cases(*sites: str) -> st.SearchStrategy[tuple[str, tuple[str, ...]]]:
    """A site and one category of each of T, N and M, coarse or fine."""
    inputs = {site: load_staging(site).table.inputs for site in sites}
    drawn = {site: st.tuples(*(st.sampled_from(tuple(inputs[site][name].covers)) for name in "TNM")) for site in sites}
    return st.sampled_from(sites).flatmap(lambda site: st.tuples(st.just(site), drawn[site]))


PREFIXES = st.sampled_from(["", "p", "c", "P", "C"])
SUFFIXES = st.sampled_from(["", "(m)", " (sn)", "(f)", "(2)", "( SN )"])
SEPARATORS = st.sampled_from([" ", ", ", ";", "\t", "  ", " / "])


def outcome(staged: Staged) -> tuple[str | None, bool]:
    """The group, and whether the line could be read."""
    return staged.stage.group if staged.stage else None, staged.readable


@given(cases(*SITES))
def test_every_combination_has_a_group_or_a_reason(drawn: tuple[str, tuple[str, ...]]) -> None:
    """No combination falls through; both only where the group is broader than those of the table's rows."""
    site, case = drawn
    staged = SITES[site].line(" ".join(case))
    assert staged.readable
    assert staged.stage or staged.reason
    if staged.stage and staged.reason:
        assert staged.stage.group in load_staging(site).table.broader


@given(
    cases("breast", "colorectal", "lung"),
    st.tuples(PREFIXES, PREFIXES),
    st.tuples(SUFFIXES, SUFFIXES),
    SEPARATORS,
    st.booleans(),
)
def test_how_it_is_written_does_not_matter(
    drawn: tuple[str, tuple[str, ...]],
    prefixes: tuple[str, str],
    suffixes: tuple[str, str],
    separator: str,
    upper: bool,
) -> None:
    """Prefix, suffix, separator and case change no group."""
    site, (t, n, m) = drawn
    written = separator.join((f"{prefixes[0]}{t}{suffixes[0]}", f"{prefixes[1]}{n}{suffixes[1]}", m))
    written = written.upper() if upper else written.lower()
    assert outcome(SITES[site].line(written)) == outcome(SITES[site].line(f"{t} {n} {m}"))


@given(cases(*SITES), st.permutations([0, 1, 2]), st.sampled_from([" ", ",", ""]))
def test_order_does_not_matter(drawn: tuple[str, tuple[str, ...]], order: list[int], glue: str) -> None:
    """M first is the same case, and so are categories without anything between them."""
    site, case = drawn
    assert outcome(SITES[site].line(glue.join(case[index] for index in order))) == outcome(
        SITES[site].line(" ".join(case))
    )


@given(cases(*SITES))
def test_m1_is_always_a_group_of_iv(drawn: tuple[str, tuple[str, ...]]) -> None:
    """Whatever T and N are, with or without its subcategory."""
    site, (t, n, _) = drawn
    assert (group(f"{t} {n} M1", site) or "").startswith("IV")


@given(cases(*SITES))
def test_an_unstated_m_is_as_m0_with_its_condition(drawn: tuple[str, tuple[str, ...]]) -> None:
    """The group if M0 is that of M0, and where M0 gives none, there is none."""
    site, (t, n, _) = drawn
    stated = group(f"{t} {n} M0", site)
    assert group(f"{t} {n}", site) == (stated and f"{stated} if M0")


@given(
    st.one_of(st.text(), st.text("pcyraTNMXxoOIl0123456789is(mi+sn),.:-/ PSAGleason=<>")),
    st.sampled_from(sorted(SITES)),
)
def test_no_text_is_an_exception(text: str, site: str) -> None:
    """Any text has a group or a reason of one line; what cannot be read has no group."""
    staged = SITES[site].line(text)
    assert staged.stage or staged.reason
    assert staged.readable or staged.stage is None
    assert len((staged.reason or "").splitlines()) <= 1
