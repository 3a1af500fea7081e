"""Behaviour of dividing reports into training, validation and test."""

import random
from collections import Counter

from training.dataset.splits import stratified_split


def _made(count: int, rare: int) -> list[list[str]]:
    draw = random.Random(3)
    values = [[draw.choice(["T=T1", "T=T2", "T=T2", "T=T3"]), draw.choice(["ER=+", "ER=-"])] for _ in range(count)]
    for held in values[:rare]:
        held[0] = "T=T4"
    return values


def test_each_part_holds_its_share_of_every_value() -> None:
    """Of ten reports with the rarest class, eight are for training and one each for validation and test."""
    values = _made(400, rare=10)
    parts = stratified_split(range(400), values, seed=1)
    held = Counter((parts[row], value) for row, found in enumerate(values) for value in found)
    assert (held["train", "T=T4"], held["validation", "T=T4"], held["test", "T=T4"]) == (8, 1, 1)
    for value, total in Counter(value for found in values for value in found).items():
        assert abs(held["test", value] - total / 10) <= 1.5
    assert Counter(parts.values())["train"] in range(318, 323)


def test_a_group_is_never_divided_and_the_sizes_still_fit() -> None:
    """Hospitals of very different size go whole; none fills validation or test beyond measure."""
    hospitals = [f"H{number}" for number, size in enumerate([90, 70, 50, 30, 20, 15, 10, 5, 5, 5]) for _ in range(size)]
    parts = stratified_split(hospitals, _made(len(hospitals), rare=3), seed=1)
    sizes = Counter(parts[hospital] for hospital in hospitals)
    assert set(parts) == set(hospitals)
    assert set(sizes) == {"train", "validation", "test"}
    assert 0.75 <= sizes["train"] / len(hospitals) <= 0.85
    assert {parts["H0"], parts["H1"]} == {"train"}


def test_the_same_seed_divides_alike_and_another_does_not() -> None:
    """A dataset can be built again; a seed chooses among equal divisions."""
    values = _made(200, rare=4)
    again = [stratified_split(range(200), values, seed=seed) for seed in (1, 1, 2)]
    assert again[0] == again[1]
    assert again[0] != again[2]


def test_reports_without_values_are_divided_too() -> None:
    """Nothing is lost for want of a label."""
    parts = Counter(stratified_split(range(50), [[] for _ in range(50)], seed=1).values())
    assert parts == {"train": 40, "validation": 5, "test": 5}
