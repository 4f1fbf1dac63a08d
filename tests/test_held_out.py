"""What members are right on that they never saw."""

import numpy as np
import pytest

from jaxorder.analysis import held_out_accuracy
from jaxorder.errors import RequestError
from tests.test_compare import FakeRun, fake_record


def test_groups_count_alike() -> None:
    """Two members of the one group, one of the other: 1/2 and 1, not 2/3."""
    correct = np.array([[True], [False], [True]])
    unseen = np.zeros((3, 1), bool)
    assert held_out_accuracy(correct, unseen, np.array([0.1, 0.1, 0.9])) == 0.75
    assert held_out_accuracy(correct, unseen) == pytest.approx(2 / 3)


def test_a_group_that_saw_all_does_not_count() -> None:
    correct = np.array([[True, True], [False, False]])
    seen = np.array([[False, True], [True, True]])
    found = held_out_accuracy(correct, seen, np.array([0, 1]))
    np.testing.assert_array_equal(found, [1, np.nan])


def test_members_that_know_no_better_than_chance() -> None:
    rng = np.random.default_rng(0)
    correct, seen = rng.random((2, 400, 50)) < np.array([0.1, 0.5])[:, None, None]
    found = held_out_accuracy(correct, seen, np.arange(400) % 4)
    assert np.abs(found - 0.1).max() < 5 * np.sqrt(0.1 * 0.9 / 200)


def test_other_shapes_are_refused() -> None:
    correct = np.zeros((2, 3), bool)
    with pytest.raises(ValueError, match=r"trained_on: wanted the shape of correct"):
        held_out_accuracy(correct, np.zeros((3, 3), bool))
    with pytest.raises(ValueError, match="groups: wanted one a member"):
        held_out_accuracy(correct, correct, np.zeros(3))


def test_a_run_is_scored_by_the_members_that_left_an_example_out() -> None:
    correct = np.array(
        [[[True, True]] * 3, [[True, False], [False, True], [True, True]]]
    )
    record = fake_record(correct)
    run = FakeRun("parts", {"train": record})
    with pytest.raises(RequestError, match="trained on examples of their own"):
        held_out_accuracy(run, split="train")
    seen = np.array([[True, False], [False, True], [False, False]])
    record["trained_on"] = (("member", "example"), seen)
    found = held_out_accuracy(run, split="train")
    np.testing.assert_array_equal(found, held_out_accuracy(correct[-1], seen))
