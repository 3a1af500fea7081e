"""Anatomic stage groups of the breast, AJCC 8."""

import pytest
from mapping_cases import finding, primary

from mappers.staging import stage_line, stage_of, stage_primary
from schemas.pack_loader import load_pack

STAGING = load_pack("breast").staging


@pytest.mark.parametrize(
    ("line", "group"),
    [
        ("Tis N0 M0", "0"),
        ("T1 N0 M0", "IA"),
        ("T1mi N0 M0", "IA"),
        ("T0 N1mi M0", "IB"),
        ("T1c N1mi M0", "IB"),
        ("T0 N1a M0", "IIA"),
        ("T1 N1b M0", "IIA"),
        ("T2 N0 M0", "IIA"),
        ("T2 N1 M0", "IIB"),
        ("T2 N1mi M0", "IIB"),
        ("T3 N0 M0", "IIB"),
        ("T0 N2 M0", "IIIA"),
        ("T1 N2a M0", "IIIA"),
        ("T2 N2 M0", "IIIA"),
        ("T3 N1 M0", "IIIA"),
        ("T3 N2 M0", "IIIA"),
        ("T4 N0 M0", "IIIB"),
        ("T4b N1 M0", "IIIB"),
        ("T4d N2 M0", "IIIB"),
        ("T1 N3 M0", "IIIC"),
        ("T4 N3c M0", "IIIC"),
        ("T1 N0 M1", "IV"),
        ("TX NX M1", "IV"),
        ("M1", "IV"),
        ("pT1c(m) pN0(i+)(sn) cM0(i+)", "IA"),
        ("pT2 pN0(sn) M0", "IIA"),
        ("T2 N0 pM1", "IV"),
    ],
)
def test_groups(line: str, group: str) -> None:
    """Each line has its group, unconditionally."""
    staged = stage_line(line, STAGING)
    assert staged.stage is not None
    assert (staged.stage.group, staged.stage.conditional_on) == (group, None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("T1 N1 M0", "N1mi"),
        ("T0 N1", "N1mi"),
        ("ypT1 ypN0 M0", "after therapy"),
        ("T1 ypN0 M0", "after therapy"),
        ("rT2 N0 M0", "recurrence"),
        ("T0 N0 M0", "no tumour"),
        ("TX N1a M0", "TX"),
        ("T2 NX M0", "NX"),
        ("Tis N1 M0", "in-situ"),
        ("T2 M0", "N not stated"),
        ("N1a M0", "T not stated"),
        ("T7 N0 M0", "not a category"),
        ("T2 N0 M0 grade", "cannot read"),
        ("T2 T3 N0", "twice"),
        ("", "not stated"),
    ],
)
def test_no_group_has_a_reason(line: str, reason: str) -> None:
    """Where there is no group, the reason says what is missing or contradictory."""
    staged = stage_line(line, STAGING)
    assert staged.stage is None
    assert reason in (staged.reason or "")


@pytest.mark.parametrize("line", ["T2 N0", "T2 N0 MX"])
def test_m_not_stated_makes_the_group_conditional(line: str) -> None:
    """Shown to people as "IIA if M0"."""
    staged = stage_line(line, STAGING)
    assert staged.stage is not None
    assert (staged.stage.group, staged.stage.conditional_on) == ("IIA", "M0")


def test_in_situ_without_nodes_is_cn0() -> None:
    """Tis alone is stage 0, if M0."""
    staged = stage_line("pTis(DCIS)", STAGING)
    assert staged.stage is not None
    assert (staged.stage.group, staged.stage.conditional_on) == ("0", "M0")


def test_a_primary_is_staged_from_its_fine_categories() -> None:
    """The detail decides, not the class: pT1c pN1mi is IB."""
    case = primary(
        findings={
            "T": finding("T1", "pT1c", prefix="p"),
            "N": finding("N1", "pN1mi", prefix="p"),
            "M": finding(None, "MX", "not_assessable"),
        }
    )
    stage = stage_of(case, STAGING)
    assert stage is not None
    assert (stage.group, stage.system, stage.conditional_on) == ("IB", "AJCC 8 anatomic", "M0")


def test_values_in_review_are_not_staged() -> None:
    """A doubtful T gives no group."""
    case = primary(findings={"T": finding("T2", "pT2", "review"), "N": finding("N0", "pN0"), "M": finding("M0")})
    assert stage_primary(case, STAGING).reason == "T not stated"


def test_a_recurrence_or_lcis_is_not_staged() -> None:
    """Neither has an anatomic group."""
    found = {"T": finding("T2", "pT2"), "N": finding("N0", "pN0"), "M": finding("M0")}
    assert stage_of(primary(assertion="recurrence", findings=found), STAGING) is None
    assert stage_of(primary(assertion="primary_in_situ", histology="LCIS", findings=found), STAGING) is None


def test_prefix_attribute_counts_where_the_detail_has_none() -> None:
    """After therapy is after therapy however it is recorded."""
    found = {"T": finding("T1", "T1", prefix="yp"), "N": finding("N0", "N0"), "M": finding("M0")}
    assert stage_primary(primary(findings=found), STAGING).reason == "no group after therapy (yp)"
