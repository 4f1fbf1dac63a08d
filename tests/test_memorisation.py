"""In minus out, with its error."""

import numpy as np
import pytest

import jaxorder as jo
from jaxorder.errors import RequestError
from tests.test_compare import FakeRun, fake_record


def test_a_difference_of_shares() -> None:
    """Of 5 in, 4 are right; of 4 out, 1."""
    correct = np.array([[1, 1, 1, 1, 0, 1, 0, 0, 0]], bool).T
    seen = np.array([[1, 1, 1, 1, 1, 0, 0, 0, 0]], bool).T
    found = jo.memorisation(correct, seen)
    assert found.estimate[0] == pytest.approx(4 / 5 - 1 / 4)
    # one right and one wrong more: 5/7 and 2/6
    error = np.sqrt(5 / 7 * 2 / 7 / 5 + 2 / 6 * 4 / 6 / 4)
    assert found.standard_error[0] == pytest.approx(error)


@pytest.mark.parametrize("inside", [3, 5])
def test_fewer_than_four_members_in_or_out_tell_nothing(inside: int) -> None:
    seen = np.arange(8)[:, None] < inside
    found = jo.memorisation(seen, seen)
    assert np.isnan([found.estimate[0], found.standard_error[0]]).all()


def test_shares_of_the_data_do_not_pass_for_memory() -> None:
    """Members of larger subsets are right more often, whether they saw it or not."""
    group = np.repeat([0.1, 0.9], 40)
    seen = np.concatenate([np.arange(40) < 4, np.arange(40) < 36])[:, None]
    correct = (group > 0.5)[:, None]
    assert jo.memorisation(correct, seen).estimate[0] == pytest.approx(0.8)
    assert jo.memorisation(correct, seen, group).estimate[0] == 0
    # two members in and two out of a group count as much as 1 in and infinitely many
    weighed = jo.memorisation(seen | correct, seen, group).estimate[0]
    assert weighed == pytest.approx(0.5)


def test_a_group_without_in_or_out_does_not_count() -> None:
    group = np.repeat([0, 1], [8, 3])
    seen = np.append(np.arange(8) < 4, [True] * 3)[:, None]
    alone = jo.memorisation(seen[:8], seen[:8])
    both = jo.memorisation(seen, seen, group)
    assert both.estimate[0] == alone.estimate[0] == 1


def test_errors_cover_what_they_promise() -> None:
    """Of 4,000 examples of which 0.9 in and 0.3 out are right, 16 members each."""
    rng = np.random.default_rng(0)
    seen = np.repeat([[True], [False]], 16, axis=0) & np.ones((1, 4000), bool)
    correct = rng.random(seen.shape) < np.where(seen, 0.9, 0.3)
    found = jo.memorisation(correct, seen)
    off = np.abs(found.estimate - 0.6) / found.standard_error
    assert np.mean(off < 1.96) == pytest.approx(0.95, abs=0.03)
    assert found.estimate.std() == pytest.approx(found.standard_error.mean(), rel=0.1)


def test_a_run_is_measured_at_its_last_snapshot() -> None:
    correct = np.stack([np.ones((8, 2), bool), np.eye(8, 2, dtype=bool)])
    record = fake_record(correct)
    run = FakeRun("parts", {"train": record})
    with pytest.raises(RequestError, match=r"memorisation of 'parts': wanted members"):
        jo.memorisation(run, split="train")
    seen = np.repeat(np.arange(8)[:, None] % 2 == 0, 2, axis=1)
    record["trained_on"] = (("member", "example"), seen)
    wanted = jo.memorisation(correct[-1], seen)
    np.testing.assert_array_equal(jo.memorisation(run, split="train"), wanted)
    assert jo.scores(run, "train")["memorisation"].tolist() == wanted.estimate.tolist()
