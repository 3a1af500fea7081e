"""Behaviour of the variants of real reports: verified by reading again, in the hospital's own words, reproducible."""

import re

from training.dataset.augmentation import Augmentation, Augmenter, Evidence, ExtraWordings, ReadText, load_augmentation

CLASSES = {"T": ("T0", "T1", "T2", "T4")}
PATTERN = re.compile(r"\bp(T[0-4])[a-d]?\b")


def _read(text: str) -> ReadText | None:
    """A reader of one task: all mentions must agree, or there is no value."""
    mentions = list(PATTERN.finditer(text))
    values = {mention[1] for mention in mentions}
    if len(values) != 1:
        return ReadText(text, {"T": None}, {})
    value = values.pop()
    return ReadText(text, {"T": value}, {"T": Evidence(value, "category", tuple(item.span() for item in mentions[:1]))})


def _reports(*texts: str) -> list[ReadText]:
    return [report for report in map(_read, texts) if report]


def _augmenter(*texts: str, augmentation: Augmentation | None = None) -> Augmenter:
    return Augmenter(_reports(*texts), CLASSES, augmentation or Augmentation(), _read, seed=7)


def test_every_variant_reads_as_intended() -> None:
    """Each variant's values are what its own text gives when it is read again."""
    variants = list(_augmenter("Stage pT2. Again pT2.", "Tumour pT1c here.", "Skin, pT4b.").variants(quota=3))
    assert {variant.kind for variant in variants} == {"swap", "removal", "noise"}
    assert all(_read(variant.read.text) == variant.read for variant in variants)


def test_a_swap_uses_the_wording_of_another_report_and_changes_every_mention() -> None:
    """The other class is written as a real report writes it, and no old mention is left to contradict it."""
    variants = _augmenter("Stage pT2. Again pT2.", "Skin, pT4b.").variants(quota=4)
    swapped = [item.read.text for item in variants if item.kind == "swap" and item.read.values["T"] == "T4"]
    assert swapped
    assert set(swapped) == {"Stage pT4b. Again pT4b."}


def test_a_class_that_no_report_holds_comes_from_the_extra_wordings() -> None:
    """Rare classes are written by the pack's augmentation file, within the report's own layout."""
    extra = ExtraWordings(task="T", like=r"pT[0-4][a-d]?", wordings={"T0": ("pT0",)})
    variants = _augmenter("Stage pT2.", augmentation=Augmentation(extra_wordings=(extra,))).variants(quota=2)
    assert "Stage pT0." in {item.read.text for item in variants}


def test_a_removal_leaves_no_mention_to_read() -> None:
    """A value written twice differently is removed wholly, so that the row teaches `not stated`."""
    variants = _augmenter("Stage pT2a. Again pT2b.").variants(quota=2)
    removed = [item for item in variants if item.kind == "removal"]
    assert removed
    assert all(item.read.values == {"T": None} and not PATTERN.search(item.read.text) for item in removed)


def test_a_change_that_reads_otherwise_is_dropped() -> None:
    """Where the reader disagrees with the intention, there is no row."""
    augmenter = Augmenter(_reports("pT2", "pT1"), CLASSES, Augmentation(), lambda _: None, seed=7)
    assert list(augmenter.variants(quota=2)) == []
    assert augmenter.attempts["swap"] > 0


def test_the_same_seed_gives_the_same_variants() -> None:
    """Training is reproducible from the raw reports on."""
    texts = ("Stage pT2. Again pT2.", "Tumour pT1c here.", "Skin, pT4b.")
    assert list(_augmenter(*texts).variants(quota=3)) == list(_augmenter(*texts).variants(quota=3))


def test_the_breast_pack_brings_wordings_for_each_of_its_rare_classes() -> None:
    """The shipped file loads, its patterns compile, and every wording set belongs to a pattern that matches it."""
    augmentation = load_augmentation("breast")
    assert {item.task for item in augmentation.extra_wordings} >= {"T", "N", "M", "HER2"}
    for item in augmentation.extra_wordings:
        assert re.compile(item.like)
        assert all(item.wordings.values())


def test_noise_only_confuses_characters_the_pack_names() -> None:
    """Noise draws from the pack's table of confusions and touches nothing else."""
    augmentation = Augmentation(confusions={"S": ("5",)})
    variants = _augmenter("Stage pT2. " + "S" * 400, augmentation=augmentation).variants(quota=1)
    noisy = [item.read.text for item in variants if item.kind == "noise"]
    assert noisy
    assert all(set(text) <= set("Stage pT2. S5") for text in noisy)
