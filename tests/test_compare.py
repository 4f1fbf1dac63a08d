"""Comparing collections: the pieces by hand, whole runs by what must come out."""

import inspect
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from jaxorder.analysis import compare as compare_runs
from jaxorder.analysis import compare_orders, match_snapshots
from jaxorder.analysis.correlation import disattenuated, order_correlation
from jaxorder.analysis.measures import accessibility, epoch_weights
from jaxorder.errors import RequestError


@dataclass
class FakeRun:
    """A run as the analysis sees it, of one split or more."""

    name: str
    splits: dict
    labels: str = "label"
    kind: str = "network"
    time_axis: str = "epoch"
    time_unit: str = "epoch"

    @property
    def path(self):
        return Path(f"nowhere/{id(self)}")

    def record(self, split):
        return self.splits[split]

    def usable(self, split):
        record = self.splits[split]
        return record.isel(member=record["finite"].all("snapshot").values)

    def correct(self, split):
        record = self.usable(split)
        return record["prediction"] == record["label"]


def fake_record(correct, *, label=None, ids=None, seed=None, epoch=None):
    """Answer the label where correct, else the class after it."""
    snapshots, members, examples = correct.shape
    label = np.arange(examples) % 3 if label is None else label
    prediction = np.where(correct, label, (label + 1) % 3).astype(np.uint8)
    epoch = np.arange(snapshots, dtype=float) if epoch is None else epoch
    return xr.Dataset(
        {
            "prediction": (("snapshot", "member", "example"), prediction),
            "label": ("example", label.astype(np.uint8)),
        },
        coords={
            "example_id": ("example", np.arange(examples) if ids is None else ids),
            "step": ("snapshot", (10 * epoch).astype(int)),
            "epoch": ("snapshot", epoch),
            "seed": ("member", np.arange(members) if seed is None else seed),
            "finite": (("snapshot", "member"), np.ones((snapshots, members), bool)),
        },
    )


def learners(difficulty, members, snapshots, rng, speed=1.0):
    """Learn example by example, easy ones first, each member with its own luck."""
    threshold = difficulty + 0.3 * rng.normal(size=(members, len(difficulty)))
    reach = speed * np.linspace(-3, 2, snapshots)[:, None, None]
    return threshold[None] < reach


def fake_run(name, seed, *, difficulty, speed=1.0, members=6, first_seed=0, **kwargs):
    correct = learners(difficulty, members, 9, np.random.default_rng(seed), speed)
    seeds = first_seed + np.arange(members)
    return FakeRun(name, {"test": fake_record(correct, seed=seeds, **kwargs)})


@pytest.fixture
def difficulty():
    return np.random.default_rng(0).normal(size=200)


@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
def test_correlations_are_those_of_scipy(method):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 9, 60) / 9
    b = (a + rng.integers(0, 5, 60)) / 7
    statistics = {
        "pearson": "pearsonr",
        "spearman": "spearmanr",
        "kendall": "kendalltau",
    }
    wanted = getattr(scipy.stats, statistics[method])(a, b).statistic
    assert order_correlation(a, b, method) == pytest.approx(wanted)
    assert order_correlation(a, -b, method) == pytest.approx(-wanted)
    assert order_correlation(b, a, method) == pytest.approx(wanted)


@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
def test_correlations_are_nan_where_undefined(method):
    a = np.array([0.1, 0.2, 0.7])
    for b in (np.full(3, 1 / 3), np.zeros(3), np.array([0.1, np.nan, 0.2])):
        assert np.isnan(order_correlation(a, b, method))
        assert np.isnan(order_correlation(b, a, method))
    assert np.isnan(order_correlation(a[:1], a[:1], method))


@pytest.mark.parametrize("method", ["spearman", "kendall"])
def test_what_rounding_tore_apart_is_tied(method):
    a = np.array([0.1 + 0.2, 0.3, 0.7])
    b = np.array([1.0, 2.0, 3.0])
    assert a[0] != a[1]
    tied = order_correlation(np.array([1.0, 1.0, 2.0]), b, method)
    assert order_correlation(a, b, method) == pytest.approx(tied)


def test_wrong_arguments_of_correlations_are_refused():
    a = np.array([0.1, 0.2, 0.7])
    with pytest.raises(ValueError, match="b: wanted 3 examples, as in a, got 2"):
        inspect.unwrap(order_correlation)(a, a[:2])
    with pytest.raises(ValueError, match="wanted spearman, pearson or kendall"):
        order_correlation(a, a, "cosine")
    with pytest.raises(ValueError, match="a: wanted real"):
        inspect.unwrap(order_correlation)(np.eye(3), np.eye(3))


def test_disattenuation_is_not_clipped_and_nan_without_reliability():
    assert disattenuated(0.9, 0.81, 0.64) == pytest.approx(0.9 / 0.72)
    assert np.isnan(disattenuated(0.9, 0.0, 0.5))
    assert np.isnan(disattenuated(0.9, 0.5, -0.1))
    assert np.isnan(disattenuated(0.9, float("nan"), 0.5))


def test_disattenuation_finds_the_correlation_below_the_noise():
    rng = np.random.default_rng(0)
    a, b = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 20_000).T
    noise = rng.normal(size=(2, 4, 20_000))
    found = compare_orders(a + 2 * noise[0], b + noise[1])
    # Reliability 1 / (1 + 4/4) and 1 / (1 + 1/4).
    assert found.reliability_a == pytest.approx(0.5, abs=0.02)
    assert found.reliability_b == pytest.approx(0.8, abs=0.02)
    assert found.pearson.estimate == pytest.approx(0.7 * np.sqrt(0.4), abs=0.02)
    assert found.disattenuated_pearson.estimate == pytest.approx(0.7, abs=0.03)


def test_intervals_are_those_of_leaving_members_out():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=50) + rng.normal(size=(2, 5, 50))
    found = compare_orders(a, b)
    for method in ("pearson", "spearman"):
        without = [
            [
                order_correlation(x.mean(axis=0), y.mean(axis=0), method)
                for x, y in pairs
            ]
            for pairs in (
                [(np.delete(a, i, axis=0), b) for i in range(5)],
                [(a, np.delete(b, i, axis=0)) for i in range(5)],
            )
        ]
        error = np.sqrt(sum(4 * np.var(values) for values in without))
        assert getattr(found, method).standard_error == pytest.approx(error)


def test_the_interval_covers_what_endless_members_would_show():
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(2, 60))
    shared[1] += shared[0]
    covered = []
    for _ in range(200):
        a, b = shared[:, None] + rng.normal(size=(2, 8, 60))
        # The plain correlation is about eight members, this one about endless ones.
        found = compare_orders(a, b).disattenuated_pearson
        truth = np.corrcoef(shared)[0, 1]
        covered.append(found.low <= truth <= found.high)
    # 0.95, and three binomial standard errors of 200 draws.
    assert np.mean(covered) == pytest.approx(0.95, abs=0.047)


def test_orders_of_few_members_have_no_interval():
    a, b = np.random.default_rng(0).random((2, 1, 9))
    found = compare_orders(a, b)
    assert np.isfinite(found.pearson.estimate)
    assert np.isnan([found.pearson.low, found.reliability_a]).all()
    with pytest.raises(ValueError, match="wanted 9 examples, as in scores_a, got 8"):
        inspect.unwrap(compare_orders)(a, b[:, :8])
    with pytest.raises(ValueError, match="scores_a: wanted real"):
        inspect.unwrap(compare_orders)(a[0], b)


def test_the_weakers_last_snapshot_is_matched():
    weak, strong = np.array([0.1, 0.4, 0.5]), np.array([0.1, 0.3, 0.52, 0.52, 0.9])
    assert match_snapshots(weak, strong) == (2, 3)
    assert match_snapshots(strong, weak) == (3, 2)
    assert match_snapshots(weak, weak) == (2, 2)
    with pytest.raises(ValueError, match="accuracy_b: wanted real"):
        inspect.unwrap(match_snapshots)(weak, weak[:0])


def test_the_same_order_is_found_and_another_is_not(difficulty):
    a = fake_run("a", 1, difficulty=difficulty)
    b = fake_run("b", 2, difficulty=difficulty, first_seed=100)
    other = fake_run("c", 3, difficulty=difficulty[::-1].copy(), first_seed=200)
    like, unlike = compare_runs(a, b), compare_runs(a, other)
    assert like.spearman.estimate > 0.95
    assert abs(unlike.spearman.estimate) < 0.3
    assert like.spearman.low < like.spearman.estimate < like.spearman.high
    assert like.disattenuated_spearman.estimate == pytest.approx(1, abs=0.02)
    assert like.reliability_a > 0.95
    assert (like.name_a, like.name_b, like.split) == ("a", "b", "test")
    assert (like.examples, like.members_a, like.members_b) == (200, 6, 6)
    assert not like.shared_streams


def test_it_compares_epoch_weighted_accessibilities(difficulty):
    a = fake_run("a", 1, difficulty=difficulty, epoch=np.arange(9.0) ** 2)
    b = fake_run("b", 2, difficulty=difficulty)
    found = compare_runs(a, b)
    orders = []
    for run in (a, b):
        correct = run.correct("test")
        orders.append(
            accessibility(correct.values, epoch_weights(correct.epoch.values))
        )
    for method in ("pearson", "spearman"):
        wanted = order_correlation(*orders, method)
        assert getattr(found, method).estimate == pytest.approx(wanted)
    assert found.kendall == pytest.approx(order_correlation(*orders, "kendall"))
    assert found.accuracy_a == pytest.approx(a.correct("test")[-1].values.mean())


def test_any_common_seed_is_a_shared_stream(difficulty):
    a = fake_run("a", 1, difficulty=difficulty)
    b = fake_run("b", 2, difficulty=difficulty, first_seed=5)
    assert compare_runs(a, b).shared_streams
    twin = replace(a)
    assert compare_runs(a, twin).shared_streams
    assert compare_runs(a, twin).spearman.estimate == pytest.approx(1)


def test_examples_are_joined_by_id(difficulty):
    a = fake_run("a", 1, difficulty=difficulty)
    record = fake_run("b", 2, difficulty=difficulty).splits["test"]
    whole = compare_runs(a, FakeRun("b", {"test": record}))
    kept = np.random.default_rng(0).permutation(200)
    shuffled = FakeRun("b", {"test": record.isel(example=kept)})
    assert compare_runs(a, shuffled).spearman == whole.spearman
    part = FakeRun("b", {"test": record.isel(example=kept[:50])})
    found = compare_runs(part, a)
    assert found.examples == 50
    assert found.spearman.estimate > 0.95


def test_members_that_went_infinite_do_not_count(difficulty):
    a = fake_run("a", 1, difficulty=difficulty)
    record = fake_run("b", 2, difficulty=difficulty).splits["test"].copy(deep=True)
    record["finite"][5:, 0] = False
    assert compare_runs(a, FakeRun("b", {"test": record})).members_b == 5


def test_accessibilities_are_truncated_where_accuracies_match(difficulty):
    slow = fake_run("slow", 1, difficulty=difficulty, speed=0.5)
    fast = fake_run("fast", 2, difficulty=difficulty, speed=1.0)
    found = compare_runs(slow, fast).matched
    # Slow reaches 0.5 * 2 = 1 at its last snapshot; of fast's reaches -3, -2.375, ..
    # 2 in nine steps the nearest, snapshot 6, is 0.75.
    accuracies = [fast.correct("test")[i].values.mean() for i in range(9)]
    assert (found.step_a, found.epoch_a) == (80, 8)
    assert found.step_b == 60
    assert found.accuracy_b == pytest.approx(accuracies[6])
    assert found.gap == pytest.approx(abs(found.accuracy_a - found.accuracy_b))
    assert found.decided is (found.gap <= 0.02)


def test_a_gap_above_two_points_leaves_it_undecided():
    easy = np.linspace(0, 1, 200)
    a, b = np.zeros((2, 3, 4, 200), bool)
    for t in (1, 2):
        a[t] = easy < 0.5
        b[t] = easy < 0.5 + 0.02 * t
    rng = np.random.default_rng(0)
    a ^= rng.random(a.shape) < 0.001
    runs = [
        FakeRun("a", {"test": fake_record(a)}),
        FakeRun("b", {"test": fake_record(b)}),
    ]
    found = compare_runs(*runs).matched
    assert (found.step_a, found.step_b) == (20, 10)
    assert found.decided
    assert found.spearman.estimate > 0.9
    late = FakeRun("b", {"test": fake_record(b[[0, 2]])})
    undecided = compare_runs(runs[0], late).matched
    assert not undecided.decided
    assert np.isnan(undecided.spearman.estimate)


def test_train_orders_are_matched_on_test_accuracy(difficulty):
    rng = np.random.default_rng(5)
    runs = []
    for name, speed in (("a", 0.6), ("b", 1.0)):
        train = fake_record(learners(difficulty, 4, 9, rng, speed))
        test = fake_record(learners(difficulty[:50] + 0.5, 4, 9, rng, speed))
        runs.append(FakeRun(name, {"train": train, "test": test}))
    found = compare_runs(*runs, split="train")
    tested = runs[1].correct("test").mean(("member", "example")).values
    assert found.matched.accuracy_b == pytest.approx(tested[found.matched.step_b // 10])
    assert found.accuracy_b > found.matched.accuracy_b
    sparse = runs[0].splits["test"].copy()
    runs[0].splits["test"] = sparse.assign_coords(step=sparse["step"] + 1)
    with pytest.raises(RequestError, match="at common steps"):
        compare_runs(*runs, split="train")


def test_runs_that_cannot_be_compared_are_refused_in_one_line(difficulty):
    a = fake_run("a", 1, difficulty=difficulty)
    record = fake_run("b", 2, difficulty=difficulty).splits["test"]
    wrong = {
        "at least 3 common examples in split 'test', got 2": record.isel(
            example=slice(2)
        ),
        "got 200 of 200 different": record.assign(label=(record["label"] + 1) % 3),
        "got 1 and 6": record.isel(snapshot=[3]),
        "got 9 and 1": record.isel(member=[3]),
    }
    for message, other in wrong.items():
        with pytest.raises(RequestError, match=message) as error:
            compare_runs(a, FakeRun("b", {"test": other}))
        assert "\n" not in str(error.value)
        assert "'b'" in str(error.value)


def test_to_dict_is_json_without_nan(difficulty):
    a = fake_run("a", 1, difficulty=difficulty, members=2)
    b = fake_run("b", 2, difficulty=difficulty, members=2)
    found = compare_runs(a, b)
    known = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert known["disattenuated_pearson"]["low"] is None
    assert known["pearson"]["estimate"] == found.pearson.estimate
    assert known["matched"]["decided"] is found.matched.decided


def test_a_comparison_shows_itself_in_a_line_and_in_a_notebook(difficulty):
    a = fake_run("a<b>", 1, difficulty=difficulty)
    b = fake_run("c", 2, difficulty=difficulty)
    found = compare_runs(a, b)
    line = f"Comparison of a<b> and c on 200 test examples: Spearman {found.spearman}, "
    assert repr(found).startswith(line)
    assert f"at matched accuracy {found.matched.text()}, " in repr(found)
    assert "members 6 and 6, accuracies 0." in repr(found)
    assert repr(found.matched).startswith(f"MatchedAccuracy at {accuracies_of(found)}")
    orders = compare_orders(*np.random.default_rng(0).random((2, 5, 9)))
    assert repr(orders).startswith(f"OrderComparison: Spearman {orders.spearman}, dis")
    html = found._repr_html_()
    assert "a&lt;b&gt; and c on 200 test examples" in html
    assert "<th>members</th><td>6 and 6</td>" in html
    assert f"<th>Spearman</th><td>{found.spearman}</td>" in html


def accuracies_of(found):
    return f"{found.matched.accuracy_a:.3f} and {found.matched.accuracy_b:.3f}"


def test_examples_in_part_common_are_matched_on_these_alone(difficulty):
    """The others are right for nobody: their accuracies must not count."""
    a = fake_run("a", 1, difficulty=difficulty)
    hard = np.concatenate([difficulty, np.full(100, 9.0)])
    b = fake_run("b", 1, difficulty=hard[:200])
    record = fake_run("b", 1, difficulty=hard).splits["test"]
    wide = FakeRun("b", {"test": record})
    found = compare_runs(a, wide)
    assert found.examples == 200
    shared = record.isel(example=slice(200))
    wanted = compare_runs(a, FakeRun("b", {"test": shared}))
    assert found.to_dict() == wanted.to_dict()
    assert found.matched.accuracy_b > b.correct("test")[-1].values.mean() * 0.9
