"""Members that differ in more than their seeds, and runs that grow."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr

import jaxorder as jo
from jaxorder import record
from jaxorder.config import RunConfig
from jaxorder.data import Dataset, load
from jaxorder.ensemble import member
from jaxorder.ensemble.optimizer import optimizer
from jaxorder.ensemble.plan import Lowering
from jaxorder.errors import RequestError, WorkError
from jaxorder.members.subsets import training_positions
from jaxorder.members.traits import member_traits
from jaxorder.run.folder import Run
from jaxorder.run.growth import describe_growth
from jaxorder.run.networks import NetworkWork
from tests.trees import assert_close, assert_equal, pick
from tests.works import begun, network_work, trained_epochs

SMALL: dict[str, Any] = {
    "data": "digits",
    "model": "mlp:widths=16",
    "members": 4,
    "epochs": 2,
    "batch_size": 20,
    "train_examples": 101,
    "test_examples": 53,
}


def config(**options: Any) -> RunConfig:
    return RunConfig(**{**SMALL, **options})


def workload(dataset: Dataset, how: str = "sequential", **options: Any) -> NetworkWork:
    way = Lowering(how, "winograd", 2)  # pyright: ignore
    return network_work(config(**options), dataset, way)


# ---- training on them


def test_a_member_visits_its_own_examples_once_an_epoch(digits: Dataset) -> None:
    work = workload(digits, vary=("subset=0.1,0.9,0.5",))
    made = begun(work)
    own = training_positions(work.config, digits.train.labels, 0, 4)
    first, second = (made.to_host(made.order(epoch)) for epoch in (0, 1))
    for member_order, again, positions in zip(first, second, own, strict=True):
        count = len(positions)
        assert_equal(np.sort(member_order[:count]), positions)
        assert_equal(np.sort(again[:count]), positions)
    assert not np.array_equal(first[1, :91], second[1, :91])


def test_a_member_on_few_examples_by_hand(digits: Dataset) -> None:
    """Softmax regression on 30 of 101 examples: steps with optax, padding masked."""
    work = workload(
        digits,
        model="mlp:widths=none",
        members=2,
        vary=("subset=0.3,1",),
        optimizer="sgd",
        learning_rate=0.5,
    )
    made = begun(work)
    examples = work.examples()
    inputs = (examples.inputs - examples.mean) / examples.deviation
    inputs = inputs.reshape(len(inputs), -1)
    params = pick(made.to_host(made.init()).params, 0)
    for epoch in range(2):
        order = made.to_host(made.order(epoch))[0]
        for batch in (order[:20], order[20:30]):

            def loss(params: Any, at: Any = batch) -> Any:
                dense = params["output"]
                logits = inputs[at] @ dense["kernel"] + dense["bias"]
                return optax.softmax_cross_entropy_with_integer_labels(
                    logits, examples.labels[at]
                ).mean()

            gradient = jax.grad(loss)(params)
            params = jax.tree.map(lambda p, g: p - 0.5 * g, params, gradient)
    assert_close(pick(trained_epochs(made).params, 0), params, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", ["sequential", "vmap", "chunks"])
def test_fewer_examples_take_fewer_steps(digits: Dataset, how: str) -> None:
    work = workload(digits, how, members=5, vary=("subset=0.1,0.9,0.5",))
    state = trained_epochs(begun(work))
    (count,) = [x for x in jax.tree.leaves(state.optimizer) if x.dtype == jnp.int32]
    # 10, 91, 50 examples in batches of 20, two epochs
    assert count.tolist() == [2, 10, 6, 2, 10]


def test_members_of_any_length_have_come_as_far_at_each_epoch(digits: Dataset) -> None:
    work = workload(digits, vary=("subset=0.1,0.9,0.5",), epochs=3)
    labels = np.asarray(digits.train.labels)
    traits = member_traits(work.config, labels, 0, 0, 4)
    per_epoch = work.recipe.steps_per_epoch
    steps = np.array(
        [member.own_steps(work.recipe, traits, jnp.int32(s)) for s in range(16)]
    )
    assert_equal(steps[::per_epoch], np.outer(range(4), [1, 5, 3, 1]))
    assert set(np.diff(steps, axis=0).flat) == {0, 1}


@pytest.mark.parametrize("how", ["sequential", "vmap"])
def test_a_member_is_the_same_beside_longer_ones(digits: Dataset, how: str) -> None:
    among = trained_epochs(begun(workload(digits, how, vary=("subset=0.2,0.9",))))
    alone = trained_epochs(begun(workload(digits, how, subset=0.2)))
    assert_close(pick(among, 2).params, pick(alone, 2).params, rtol=1e-5, atol=1e-6)


def test_members_are_spread_by_their_work(digits: Dataset) -> None:
    """Two devices get about the same, and nothing else changes."""
    work = workload(digits, members=6, vary=("subset=0.1,0.9,0.5",))
    whole = trained_epochs(begun(work))
    for first, count in ((0, 1), (1, 2), (3, 3)):
        part = trained_epochs(begun(work, first, count))
        assert_equal(pick(whole, slice(first, first + count)), part)


def test_short_and_long_members_go_through_the_whole_schedule() -> None:
    rule = optimizer(
        config(learning_rate=0.5, schedule="cosine", optimizer="sgd"), steps=10
    )
    params, gradient = jnp.zeros(()), jnp.ones(())
    for own in (10, 5, 1):
        made = rule({}, 10 / own)
        state, rates = made.init(params), []
        for _ in range(own + 1):
            update, state = made.update(gradient, state, params)
            rates.append(-float(update))
        assert rates[0] == pytest.approx(0.5)
        assert rates[-1] == pytest.approx(0, abs=1e-6)


# ---- values that vary

VARIED = {
    "learning_rate": (0.02, 0.1),
    "momentum": (0.5, 0.9),
    "weight_decay": (0.01, 0.1),
    "label_smoothing": (0.05, 0.3),
}


@pytest.mark.parametrize("how", ["sequential", "vmap"])
@pytest.mark.parametrize("field", VARIED)
def test_a_varied_member_is_the_one_of_that_value(
    digits: Dataset, field: str, how: str
) -> None:
    text = f"{field.replace('_', '-')}={','.join(map(str, VARIED[field]))}"
    among = trained_epochs(begun(workload(digits, how, vary=(text,))))
    for which, value in enumerate(VARIED[field]):
        alone = trained_epochs(begun(workload(digits, how, **{field: value})))
        for at in (which, which + 2):
            assert_close(
                pick(among, at).params, pick(alone, at).params, rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_values_vary_with_every_optimizer(digits: Dataset, optimizer: str) -> None:
    options = {"optimizer": optimizer, "schedule": "warmup_cosine"}
    grid = ("learning-rate=0.001,0.01", "weight-decay=0,0.1")
    among = trained_epochs(begun(workload(digits, vary=grid, **options)))
    alone = workload(digits, learning_rate=0.01, weight_decay=0.1, **options)
    single = trained_epochs(begun(alone))
    assert_close(pick(among, 3).params, pick(single, 3).params, rtol=1e-4, atol=1e-5)


def test_dropout_varies(digits: Dataset) -> None:
    among = trained_epochs(
        begun(workload(digits, model="small_st_vgg", vary=("dropout=0.1,0.3",)))
    )
    # of a key that gives other members, so they are compared by hand: the masks of
    # one rate are drawn from the same numbers
    work = workload(digits, model="small_st_vgg", vary=("dropout=0.3,0.1",))
    swapped = trained_epochs(begun(work))
    model = work.recipe.model
    assert not np.allclose(
        among.params["output"]["kernel"], swapped.params["output"]["kernel"]
    )
    params, statistics = model.init(jax.random.key(0))
    inputs, key = np.ones((5, 8, 8, 1), np.float32), jax.random.key(1)
    calm = model.logits(params, statistics, inputs)
    none, some = (
        model.train(params, statistics, inputs, key, dropout=jnp.float32(rate))[0]
        for rate in (0.0, 0.3)
    )
    np.testing.assert_allclose(none, calm, rtol=1e-5, atol=1e-5)
    assert not np.allclose(some, calm)


def test_label_smoothing_by_hand() -> None:
    logits = jnp.log(jnp.array([[0.5, 0.3, 0.2]]))
    found = member.smoothed_loss(logits, jnp.array([0]), 0.3)
    wanted = -np.log([0.5, 0.3, 0.2]) @ [0.8, 0.1, 0.1]
    np.testing.assert_allclose(found, [wanted], rtol=1e-5)


# ---- runs


def run_of(out: Path, **options: Any) -> Run:
    return jo.train(out=out, **{**SMALL, **options})


def test_what_members_differ_in_is_recorded(tmp_path: Path) -> None:
    run = run_of(
        tmp_path / "run", vary=("subset=0.2,0.8", "learning-rate=0.1,0.2"), members=4
    )
    found = run.record("train")
    assert found.learning_rate.values.tolist() == [0.1, 0.1, 0.2, 0.2]
    assert found.subset.values.tolist() == [0.2, 0.8, 0.2, 0.8]
    assert found.train_examples.values.tolist() == [20, 81, 20, 81]
    assert found.trained_on.dims == ("member", "example")
    assert found.trained_on.sum("example").values.tolist() == [20, 81, 20, 81]
    assert found.member_step.dims == ("snapshot", "member")
    assert found.member_step[-1].values.tolist() == [2, 10, 2, 10]
    assert "trained_on" not in run.record("test")
    positions = training_positions(
        run.config, load("digits", train_examples=101).train.labels, 0, 4
    )
    for row, own in zip(found.trained_on.values, positions, strict=True):
        assert_equal(np.flatnonzero(row), own)


def test_members_are_better_on_what_they_were_trained_on(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", subset=0.5, epochs=20, learning_rate=0.1)
    last = run.correct("train")[-1]
    seen = run.record("train").trained_on
    assert float(last.where(seen).mean()) > float(last.where(~seen).mean()) + 0.05


def test_a_single_snapshot_is_the_last(tmp_path: Path) -> None:
    single = run_of(tmp_path / "one", snapshots="last")
    whole = run_of(tmp_path / "all")
    assert single.document.steps == [whole.document.steps[-1]]
    assert_equal(
        single.record("test").prediction[0], whole.record("test").prediction[-1]
    )
    assert np.isfinite(jo.accessibility(single.correct("test").values)).all()


def test_each_member_may_have_labels_of_its_own(
    digits: Dataset, tmp_path: Path
) -> None:
    labels = np.asarray(digits.train.labels)
    vectors = np.stack([labels, (labels + 1) % 10])
    options = {k: v for k, v in SMALL.items() if k not in ("data", "epochs")}
    run = jo.train(
        data=digits, labels=vectors, out=tmp_path / "run", epochs=30, **options
    )
    found = run.record("train").load()
    assert_equal(found.member_label.values, vectors[[0, 1, 0, 1]])
    last = found.prediction[-1]
    assert (last == found.member_label).mean("example").min() > 0.9
    assert (last == found.label).mean("example").values[1] < 0.1
    plain = jo.train(data=digits, out=tmp_path / "plain", epochs=30, **options)
    assert_equal(last[0].values, plain.record("train").prediction[-1, 0].values)
    grown = jo.grow(run.path, 6, data=digits)[0].record("train").load()
    assert_equal(grown.member_label.values, vectors[[0, 1, 0, 1, 0, 1]])
    assert_equal(grown.prediction[:, :4].values, found.prediction.values)


# ---- growth

SLOW = pytest.mark.slow
GROWN = [
    pytest.param({}, marks=SLOW),
    {"block_members": 3},
    {"vary": ("subset=0.2,0.8", "learning-rate=0.1,0.2")},
    pytest.param({"model": "mlp:widths=16,norm=batch", "folds": 3}, marks=SLOW),
]


def same_record(a: Run, b: Run) -> None:
    for split in ("train", "test"):
        one, other = (run.record(split).load() for run in (a, b))
        xr.testing.assert_equal(one, other)
    last = a.document.steps[-1]
    assert_equal(a.restore(last), b.restore(last))


@pytest.mark.parametrize("options", GROWN)
@pytest.mark.slow
def test_a_grown_run_is_one_trained_at_that_size(
    options: dict[str, Any], tmp_path: Path
) -> None:
    few = run_of(tmp_path / "few", **options)
    before = few.record("test").prediction.values
    (grown,) = jo.grow(few.path, 7)
    assert_equal(grown.record("test").prediction.values[:, :4], before)
    same_record(grown, run_of(tmp_path / "many", **{**options, "members": 7}))
    (again,) = jo.grow(few.path, 9)
    same_record(again, run_of(tmp_path / "more", **{**options, "members": 9}))
    # consolidated anew: plain tools see all members, without a warning
    assert xr.open_zarr(few.path / record.RECORD, group="test").sizes["member"] == 9


def test_a_growth_that_was_cut_short_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path / "run")
    describe_growth(run.path, 7)  # and then nothing
    assert not Run(run.path).progress.finished
    assert Run(run.path).record("test").sizes["member"] == 4

    room, extended = record._extend_array, []

    def cut(array: Any, *arguments: Any) -> None:
        room(array, *arguments)
        extended.append(array.name)
        if "/train/seed" in extended and "/train/prediction" not in extended:
            raise KeyboardInterrupt
        if "/train/prediction" in extended and "/train/seed" not in extended:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(record, "_extend_array", cut)
        with pytest.raises(KeyboardInterrupt):
            jo.resume(run.path)
    with pytest.raises(WorkError, match="growth was cut short; go on with: jaxorder"):
        Run(run.path).record("train")

    (resumed,) = jo.resume(run.path)
    assert resumed.progress.finished
    same_record(resumed, run_of(tmp_path / "many", members=7))


@pytest.mark.slow
def test_a_study_grows_run_by_run(tmp_path: Path) -> None:
    options = {k: v for k, v in SMALL.items() if k != "model"}
    study = jo.study(models=["mlp:widths=8", "mlp"], out=tmp_path / "study", **options)
    assert [run.config.members for run in study] == [4, 4]
    grown = jo.grow(tmp_path / "study", 5)
    assert [run.record("test").sizes["member"] for run in grown] == [5, 5]
    assert all(run.progress.finished for run in jo.resume(tmp_path / "study"))


def test_a_run_grows_only(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", members=2)
    before = json.loads((run.path / "config.json").read_text())
    with pytest.raises(RequestError, match=r"members=2: .* has 2 already; give more"):
        jo.grow(run.path, 2)
    assert json.loads((run.path / "config.json").read_text()) == before


# ---- wrong requests


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subset": 0.001}, "subset=0.001: less than half an example of 101; give a"),
        (
            {"disjoint": 200},
            "disjoint=200: more parts than the 101 training examples",
        ),
        (
            {"freeze": ("init", "order")},
            "nothing would set the members of mlp:widths=16 apart",
        ),
        ({"resample": "features"}, 'networks take resample="bootstrap"'),
        (
            {"vary": ("momentum=0.1,0.2",), "optimizer": "adam"},
            'vary="momentum": mlp:widths=16 is trained by adam, which has none',
        ),
        (
            {"vary": ("dropout=0.1,0.2",), "model": "resnet18"},
            'vary="dropout": resnet18 has no key dropout',
        ),
        (
            {"vary": ("dropout=0.1,0.2",), "model": "mlp:dropout=0.5"},
            'vary="dropout": mlp:dropout=0.5 names dropout',
        ),
        (
            {"vary": ("dropout=0.1,0.7",), "model": "small_st_vgg"},
            "dropout=0.7 must be a number from 0 to below 0.5",
        ),
        (
            {"subset": 0.5, "order": "shared", "device_memory": "1KB"},
            "examples or labels of their own need all on the device",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError) as refused:
        run_of(tmp_path / "run", **options)
    assert message in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 5), int), r"wanted whole numbers \[vector, 101\].* \[2, 5\]"),
        (np.zeros((2, 101)), "got float64"),
        (np.full((1, 101), 10), "wanted classes from 0 to 9, got 10 to 10"),
    ],
)
def test_wrong_labels_are_refused(
    digits: Dataset, labels: np.ndarray, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=message):
        jo.train(data=digits, model="mlp", labels=labels, out=tmp_path / "run")
    assert not list(tmp_path.iterdir())


# ---- learners that are not networks


@pytest.mark.slow
def test_a_learner_grows_and_records_its_parts(tmp_path: Path) -> None:
    options = {"model": "sklearn:knn", "resample": "bootstrap", "members": 2}
    few = run_of(tmp_path / "few", **options)
    (grown,) = jo.grow(few.path, 4)
    many = run_of(tmp_path / "many", **{**options, "members": 4})
    for split in ("train", "test"):
        xr.testing.assert_equal(grown.record(split).load(), many.record(split).load())
    # the very samples that networks of these members would have
    labels = load("digits", train_examples=101).train.labels
    positions = training_positions(many.config, labels, 0, 4)
    seen = many.record("train").trained_on.values
    for row, own in zip(seen, positions, strict=True):
        assert_equal(np.flatnonzero(row), np.unique(own))


@pytest.mark.parametrize(
    ("options", "differ"),
    [
        ({"subset": 0.5}, False),
        ({"resample": "bootstrap"}, False),
        ({"vary": ("subset=0.1,0.9",)}, True),
        ({"folds": 5}, False),
        ({"folds": 7}, True),  # 100 examples leave 2 over
    ],
)
def test_only_members_of_different_sizes_count_their_own_examples(
    options: dict[str, Any], differ: bool
) -> None:
    found = member_traits(config(**options), np.arange(100) % 10, 0, 0, 7)
    assert found.positions is not None
    assert (found.examples is not None) == differ
