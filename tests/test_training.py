"""Runs and studies as their users make them, on real digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxorder as jo
from jaxorder.config import RunConfig, StudyConfig, StudyOptions
from jaxorder.data import Dataset, from_arrays, load
from jaxorder.errors import RequestError
from jaxorder.progress.watch import Tick
from jaxorder.run.block import kept_steps
from jaxorder.run.folder import Run
from jaxorder.run.training import plan_study, train_study

SMALL: dict[str, Any] = {
    "model": "mlp:widths=16",
    "members": 3,
    "epochs": 2,
    "batch_size": 50,
    "learning_rate": 0.1,
    "train_examples": 130,
    "test_examples": 57,
}


def small(out: Path, **options: Any) -> Run:
    return jo.train(data="digits", out=out, **{**SMALL, **options})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small(tmp_path_factory.mktemp("run") / "run")


def test_every_member_predicts_every_example_at_every_snapshot(run: Run) -> None:
    assert run.progress.finished
    for split, examples in (("train", 130), ("test", 57)):
        record = run.record(split)
        assert dict(record.sizes) == {"snapshot": 5, "member": 3, "example": examples}
        assert record.prediction.dtype == np.uint8
        assert record.prediction.max() < 10
        assert record.finite.all()
        assert record.step.values.tolist() == [0, 1, 2, 3, 6]


def test_the_labels_and_ids_are_those_of_the_source(run: Run) -> None:
    digits = load("digits", train_examples=130, test_examples=57)
    for split in ("train", "test"):
        record = run.record(split)
        np.testing.assert_array_equal(record.label, digits.split(split).labels)
        np.testing.assert_array_equal(record.example_id, digits.split(split).ids)


def test_members_learn_and_differ(run: Run) -> None:
    accuracy = run.correct("test").mean("example").values
    assert (accuracy[-1] > accuracy[0] + 0.2).all()
    assert len(np.unique(run.record("test").prediction[-1].values, axis=0)) == 3


def test_the_record_does_not_depend_on_how_members_are_blocked(
    run: Run, tmp_path: Path
) -> None:
    blocked = small(tmp_path / "run", block_members=2)
    assert len(list((blocked.path / "checkpoints").iterdir())) == 2
    for split in ("train", "test"):
        assert blocked.record(split).load().equals(run.record(split).load())
    last = blocked.document.steps[-1]
    one, other = (r.restore(last)["output"]["kernel"] for r in (run, blocked))
    np.testing.assert_array_equal(one, other)


def test_a_smaller_ensemble_has_the_same_first_members(
    run: Run, tmp_path: Path
) -> None:
    two = small(tmp_path / "run", members=2)
    first = run.record("test").isel(member=slice(0, 2)).load()
    assert two.record("test").load().equals(first)


def test_seed_and_architecture_change_every_member(run: Run, tmp_path: Path) -> None:
    for name, options in (
        ("seed", {"seed": 1}),
        ("model", {"model": "mlp:widths=16,activation=relu"}),  # the same network
    ):
        other = small(tmp_path / name, **options)
        assert not set(other.record("test").seed.values) & set(
            run.record("test").seed.values
        )
        assert not np.array_equal(
            other.record("test").prediction, run.record("test").prediction
        )


def test_shared_streams_make_the_same_network_the_same(tmp_path: Path) -> None:
    names = ("mlp:widths=16", "mlp:widths=16,activation=relu")
    one, other = (
        small(tmp_path / str(i), model=name, share_streams=True).record("test").load()
        for i, name in enumerate(names)
    )
    np.testing.assert_array_equal(one.prediction, other.prediction)


def test_fewer_examples_can_be_recorded(run: Run, tmp_path: Path) -> None:
    part = small(tmp_path / "run", record_examples=60)
    for split, examples in (("train", 60), ("test", 57)):
        some, whole = part.record(split).load(), run.record(split).load()
        assert some.sizes["example"] == examples
        at = np.searchsorted(whole.example_id, some.example_id)
        np.testing.assert_array_equal(some.prediction, whole.prediction[:, :, at])


def test_more_can_be_recorded_of_each_example(tmp_path: Path) -> None:
    quantities = ("loss", "margin", "true_logprob", "error_norm", "probability")
    record = small(tmp_path / "run", record=quantities).record("test").load()
    np.testing.assert_allclose(record.loss, -record.true_logprob, atol=1e-4)
    right = record.prediction == record.label
    assert ((record.margin > 0) == right).all()
    assert ((record.error_norm >= 0) & (record.error_norm <= 2**0.5 + 1e-6)).all()
    assert record.probability[:-1].isnull().all()
    last = record.probability[-1]
    np.testing.assert_allclose(last.sum("class"), 1, atol=0.01)
    np.testing.assert_array_equal(last.argmax("class"), record.prediction[-1])


def test_no_checkpoint_need_be_kept(tmp_path: Path) -> None:
    run = small(tmp_path / "run", keep_checkpoints="none", checkpoint_seconds=0.0)
    assert run.progress.finished
    assert not [path for path in run.path.glob("checkpoints/*/*") if path.is_dir()]
    assert [again.progress.finished for again in jo.resume(run.path)] == [True]
    with pytest.raises(RequestError, match="kept checkpoints of steps: none"):
        run.restore(6)


@pytest.mark.parametrize("keep", ["last", "log", "all"])
def test_checkpoints_are_kept_as_asked(tmp_path: Path, keep: str) -> None:
    run = small(tmp_path / "run", keep_checkpoints=keep)
    steps = kept_steps(keep, run.document.steps)
    for step in steps:
        assert run.restore(step)["dense_0"]["kernel"].shape == (3, 64, 16)
    (folder,) = (run.path / "checkpoints").iterdir()
    assert {int(step.name) for step in folder.iterdir()} == steps


def test_restored_weights_predict_what_was_recorded(run: Run) -> None:
    params = run.restore(run.document.steps[-1])
    digits = load("digits", train_examples=130, test_examples=57)
    record = run.record("test")
    mean, deviation = digits.train.inputs.mean(), digits.train.inputs.std()
    inputs = ((digits.test.inputs - mean) / deviation).reshape(57, -1)
    for member in range(3):
        layers = {k: {n: v[member] for n, v in p.items()} for k, p in params.items()}
        hidden = inputs @ layers["dense_0"]["kernel"] + layers["dense_0"]["bias"]
        output = np.maximum(hidden, 0) @ layers["output"]["kernel"]
        predicted = (output + layers["output"]["bias"]).argmax(-1)
        np.testing.assert_array_equal(record.prediction[-1, member], predicted)


@pytest.fixture(scope="module")
def diverging(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of networks that explode at different steps, or not at all."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(60, 4)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(int)
    data = from_arrays("toy", inputs, labels, inputs, labels)
    return jo.train(
        data=data,
        model="mlp:widths=16-16-16",
        members=12,
        epochs=6,
        batch_size=20,
        optimizer="sgd",
        learning_rate=4.0,
        snapshots="every:1",
        out=tmp_path_factory.mktemp("diverging") / "run",
    )


def test_a_diverged_member_is_not_recorded_from_there_on(diverging: Run) -> None:
    record = diverging.record("train").load()
    finite = record.finite.values
    lost = ~finite[-1]
    assert 0 < lost.sum() < 12, "the learning rate should lose some members, not all"
    # once lost, lost
    assert (np.diff(finite.astype(int), axis=0) <= 0).all()
    recorded = (record.prediction != 255).all("example").values
    np.testing.assert_array_equal(recorded, finite)
    assert ((record.prediction == 255).all("example").values == ~finite).all()


def test_diverged_members_are_left_out_of_the_measures(diverging: Run) -> None:
    kept = int(diverging.record("train").finite[-1].sum())
    assert diverging.correct("train").sizes["member"] == kept
    assert diverging.progress.finite == kept
    assert diverging.progress.finished


def test_a_run_of_arrays_is_resumed_with_them(diverging: Run) -> None:
    (run,) = jo.resume(diverging.path)
    assert run.progress.finished


def test_a_study_shares_its_data_and_nothing_else(tmp_path: Path) -> None:
    ticks: list[Tick] = []
    options = {k: v for k, v in SMALL.items() if k != "model"}
    runs = train_study(
        StudyOptions(data="digits", **options),
        ["mlp:widths=8", "mlp:widths=none"],
        out=tmp_path / "study",
        watch=ticks.append,
    ).runs
    assert [run.name for run in runs] == ["mlp:widths=8", "mlp:widths=none"]
    assert [run.path.name for run in runs] == ["mlp_widths=8", "mlp_widths=none"]
    one, other = (run.record("test") for run in runs)
    np.testing.assert_array_equal(one.example_id, other.example_id)
    assert not set(one.seed.values) & set(other.seed.values)
    assert jo.compare(*runs).shared_streams is False
    with pytest.raises(RequestError, match="a study of 2 runs"):
        jo.open_run(tmp_path / "study")
    for run in runs:
        own = [tick for tick in ticks if tick.model == run.name]
        assert own[-1].done == own[-1].total == 6
        assert own[-1].seconds_left == 0
        done = [tick.done for tick in own]
        assert done == sorted(done)


def test_a_plan_writes_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (work,) = plan_study(StudyConfig.of({"data": "digits"}, ["mlp"]))
    assert work.config.batch_size == 64
    assert not list(tmp_path.iterdir())


def test_a_request_that_fails_leaves_nothing(tmp_path: Path) -> None:
    for options, message in (
        ({"model": "small_st_vgg:dropout=0.7"}, "dropout=0.7 must be"),
        ({"train_examples": 9999}, "train_examples=9999: "),
    ):
        with pytest.raises(RequestError, match=message):
            small(tmp_path / "deep" / "run", **options)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_never_written_over(run: Run) -> None:
    before = sorted(run.path.rglob("*"))
    with pytest.raises(RequestError, match="exists already"):
        small(run.path)
    assert sorted(run.path.rglob("*")) == before


def test_a_config_and_options_together_are_refused(tmp_path: Path) -> None:
    config = RunConfig(data="digits", model="mlp")
    with pytest.raises(RequestError, match="a config or options"):
        jo.train(config, members=3, out=tmp_path / "run")


def test_features_train_as_images_do(tmp_path: Path) -> None:
    digits = load("digits", train_examples=130, test_examples=57)
    flat = flattened(digits)
    run = small_of(flat, tmp_path / "run")
    assert run.record("test").sizes["example"] == 57
    assert run.correct("test")[-1].mean() > 0.3


def flattened(data: Dataset) -> Dataset:
    splits = [
        (split.inputs.reshape(len(split.labels), -1), split.labels)
        for split in (data.train, data.test)
    ]
    return from_arrays("flat", *splits[0], *splits[1])


def small_of(data: Dataset, out: Path) -> Run:
    options = {k: v for k, v in SMALL.items() if not k.endswith("_examples")}
    return jo.train(data=data, out=out, **options)


@pytest.mark.slow
def test_real_fashion_images_are_learned_in_the_same_order(
    real_data: Path, tmp_path: Path
) -> None:
    """The first claim on a small scale: far above what independent errors give."""
    run = jo.train(
        data="fashion_mnist",
        data_dir=real_data / "tfds",
        train_examples=1000,
        test_examples=500,
        model="mlp",
        members=6,
        epochs=3,
        out=tmp_path / "run",
    )
    correct = run.correct("test").values
    assert correct[-1].mean() > 0.7
    kappa = jo.fleiss_kappa(correct)[1:]
    assert (kappa[-5:] > 0.4).all()
