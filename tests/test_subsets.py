"""Which examples a member is trained on: a function of its seed, number and labels."""

from typing import Any

import numpy as np
import pytest

from jaxorder.config import RunConfig
from jaxorder.members.subsets import differ, most_examples, training_positions
from tests.refused import refusal
from tests.trees import assert_equal

LABELS = np.arange(103) * 7 % 5 % 4  # four classes, one twice as common
PARTS: list[dict[str, Any]] = [
    {"subset": 0.5},
    {"vary": ("subset=0.1,0.9,0.5",)},
    {"disjoint": 4},
    {"folds": 4},
    {"resample": "bootstrap"},
]


def config(**options: Any) -> RunConfig:
    return RunConfig(
        **{"data": "digits", "model": "mlp:widths=16", "members": 4, **options}
    )


@pytest.mark.parametrize("part", PARTS)
def test_examples_are_a_function_of_the_member_alone(part: dict[str, Any]) -> None:
    asked = config(members=9, **part)
    assert differ(asked)
    whole = training_positions(asked, LABELS, 0, 9)
    later = training_positions(config(members=30, **part), LABELS, 7, 2)
    assert_equal(whole[7:], later)
    assert max(map(len, whole)) == most_examples(asked, 103)
    assert not all(np.array_equal(whole[0], other) for other in whole[1:])
    other_seed = training_positions(config(members=9, seed=1, **part), LABELS, 0, 9)
    assert not all(map(np.array_equal, whole, other_seed))


def test_a_share_is_drawn_for_each_member() -> None:
    asked = config(members=300, subset=0.5)
    found = training_positions(asked, LABELS, 0, 300)
    assert {len(own) for own in found} == {52}  # half of 103, to the even
    assert all((np.diff(own) > 0).all() for own in found)
    counts = np.bincount(np.concatenate(found), minlength=103)
    # each example is drawn by half of the members: 5 deviations of a binomial
    assert np.abs(counts - 300 * 52 / 103).max() < 5 * np.sqrt(300 / 4)


def test_shares_vary_in_turn() -> None:
    asked = config(members=4, vary=("subset=0.1,0.9,0.5",))
    sizes = [len(own) for own in training_positions(asked, LABELS, 0, 4)]
    assert sizes == [10, 93, 52, 10]


def test_parts_are_disjoint_whole_and_of_the_same_classes() -> None:
    asked = config(members=5, disjoint=4)
    parts = training_positions(asked, LABELS, 0, 5)
    assert_equal(parts[0], parts[4])
    assert_equal(np.sort(np.concatenate(parts[:4])), np.arange(103))
    for kind in range(4):
        shares = [np.count_nonzero(LABELS[part] == kind) for part in parts]
        assert max(shares) - min(shares) <= 1
    other = config(members=5, disjoint=4, model="mlp:widths=8")
    assert_equal(parts, training_positions(other, LABELS, 0, 5))


def test_folds_leave_out_what_parts_hold() -> None:
    parts = training_positions(config(disjoint=3), LABELS, 0, 3)
    rests = training_positions(config(folds=3), LABELS, 0, 3)
    for part, rest in zip(parts, rests, strict=True):
        assert_equal(np.sort(np.concatenate([part, rest])), np.arange(103))


def test_a_bootstrap_draws_as_many_with_replacement() -> None:
    found = training_positions(
        config(members=200, resample="bootstrap"), LABELS, 0, 200
    )
    assert {len(own) for own in found} == {103}
    distinct = np.mean([len(np.unique(own)) for own in found]) / 103
    assert distinct == pytest.approx(1 - (1 - 1 / 103) ** 103, abs=0.01)


def test_a_frozen_subset_is_the_same_for_all() -> None:
    found = training_positions(config(subset=0.5, freeze=("subset",)), LABELS, 0, 4)
    assert_equal(found[0], found[3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subset": 0.001}, "subset=0.001: less than half an example of 103; give a"),
        (
            {"vary": ["subset=0.5,0.004"]},
            "subset=0.004: less than half an example of 103; give a share from 0.0097",
        ),
        ({"disjoint": 200}, "disjoint=200: more parts than the 103 training examples"),
        ({"folds": 104}, "folds=104: more parts than the 103 training examples"),
    ],
)
def test_a_member_without_examples_is_refused(
    options: dict[str, Any], message: str
) -> None:
    assert refusal(most_examples, config(**options), 103).startswith(message)
