"""Data with changed labels, known difficulties and scores from elsewhere, in runs."""

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

import jaxorder as jo
from jaxorder.data import load
from jaxorder.errors import RequestError
from jaxorder.report import write_report
from jaxorder.run.folder import Run

SMALL: dict[str, Any] = {
    "data": "digits",
    "model": "mlp:widths=32",
    "members": 3,
    "epochs": 5,
    "batch_size": 50,
    "learning_rate": 0.05,
    "train_examples": 300,
}


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run in which a fifth of the labels was changed."""
    out = tmp_path_factory.mktemp("noisy") / "run"
    return jo.train(out=out, label_noise=0.2, noise_seed=3, **SMALL)


def test_the_record_keeps_both_labels(noisy: Run) -> None:
    record = noisy.record("train")
    plain = load("digits", train_examples=300).train
    np.testing.assert_array_equal(record.original_label, plain.labels)
    np.testing.assert_array_equal(record.example_id, plain.ids)
    assert int((record.label != record.original_label).sum()) == 60
    assert "original_label" not in noisy.record("test")
    found = noisy.document.data.facts
    assert found["label_noise"] == {
        "share": 0.2,
        "kind": "symmetric",
        "seed": 3,
        "changed": 60,
    }
    # readable with xarray alone
    path = noisy.path / "record.zarr"
    theirs = xr.open_zarr(path, group="train", consolidated=False)
    np.testing.assert_array_equal(theirs.original_label, record.original_label)


def test_measures_count_the_label_that_they_are_told(
    noisy: Run, tmp_path: Path
) -> None:
    record, original = noisy.record("train"), noisy.against("original")
    changed = (record.label != record.original_label).values
    trained = noisy.correct("train").values
    against = original.correct("train").values
    np.testing.assert_array_equal(trained[..., ~changed], against[..., ~changed])
    assert not (trained & against)[..., changed].any()
    # a small network learns the rule before the exceptions
    assert against[-1][:, changed].mean() > trained[-1][:, changed].mean() + 0.2
    shown = original.record("train")
    np.testing.assert_array_equal(shown.label, record.original_label)
    np.testing.assert_array_equal(shown.trained_label, record.label)
    np.testing.assert_array_equal(
        original.correct("test").values, noisy.correct("test").values
    )
    frame = jo.scores(original, "train")
    assert set(frame.columns) >= {"label", "trained_label"}
    other = Run(shutil.copytree(noisy.path, tmp_path / "other"))
    assert jo.compare(noisy, other, "train").against == "label"
    compared = jo.compare(original, other.against("original"), "train")
    assert compared.to_dict()["against"] == "original"


@pytest.mark.parametrize(
    ("labels", "told"),
    [("label", "the changed label"), ("original", "the one they came with")],
)
def test_the_report_says_which_label_counts(
    noisy: Run, tmp_path: Path, labels: Any, told: str
) -> None:
    page = write_report([noisy.path], tmp_path / "report.html", labels).read_text()
    assert "60 training examples have another label than they came with" in page
    assert f"all figures count {told} as right" in page


def test_a_run_with_noise_resumes_on_the_same_labels(noisy: Run) -> None:
    (again,) = jo.resume(noisy.path)
    assert again.document.data.digest == noisy.document.data.digest


def test_graded_examples_are_learned_in_the_order_of_their_difficulty(
    tmp_path: Path,
) -> None:
    """The positive control: an order is there, and is found."""
    run = jo.train(
        out=tmp_path / "run",
        data="graded:train=600,test=600,seed=1",
        model="mlp:widths=64",
        members=4,
        epochs=15,
        learning_rate=0.01,
    )
    record = run.record("test")
    order = jo.accessibility(run.correct("test").values)
    assert spearmanr(order, record.difficulty).statistic < -0.6
    assert "difficulty" in jo.scores(run).columns


def test_principal_components_are_kept_to_be_applied_again(tmp_path: Path) -> None:
    run = jo.train(out=tmp_path / "run", pca=7, **{**SMALL, "epochs": 1})
    root = xr.open_zarr(run.path / "record.zarr", consolidated=False)
    assert root.pca_components.dims == ("component", "raw_feature")
    plain = load("digits", train_examples=300)
    projected = load("digits", pca=7, train_examples=300)
    raw = plain.test.inputs.reshape(500, 64)
    again = (raw - root.pca_mean.values) @ root.pca_components.values.T
    np.testing.assert_allclose(again, projected.test.inputs, atol=1e-4)


# ---- scores from elsewhere


def test_scores_are_joined_by_the_ids_of_the_source(noisy: Run) -> None:
    values = np.arange(1797) * 2.0
    found = jo.join_scores(noisy, values)
    np.testing.assert_array_equal(found, 2.0 * found.example_id)
    np.testing.assert_array_equal(
        found.example_id, noisy.record("train").example_id.values
    )
    with pytest.raises(RequestError, match="a score for each of the at least 17"):
        jo.join_scores(noisy, values[:1000])
    with pytest.raises(RequestError, match="wanted data with an official order"):
        jo.join_scores(noisy, values, order="official")


@pytest.mark.slow
def test_the_published_scores_of_mnist_follow_the_order_of_tfds(
    real_data: Path, tmp_path: Path
) -> None:
    """Easy by the published C-scores is learned early, if joined as they say."""
    run = jo.train(
        out=tmp_path / "run",
        data="mnist",
        data_dir=real_data / "tfds",
        train_examples=3000,
        test_examples=10,
        model="mlp:widths=64",
        members=4,
        epochs=3,
    )
    published = np.load(real_data / "cscores" / "mnist-cscores.npy")
    order = jo.accessibility(run.correct("train").values)
    right = spearmanr(order, jo.join_scores(run, published)).statistic
    wrong = spearmanr(order, jo.join_scores(run, published, "official")).statistic
    assert right > 0.4
    assert abs(wrong) < 0.1
    packed = (real_data / "mnist" / "train-labels-idx1-ubyte.gz").read_bytes()
    official = np.frombuffer(gzip.decompress(packed), np.uint8, offset=8)
    joined = jo.join_scores(run, official, "official")
    np.testing.assert_array_equal(joined, run.record("train").label)
    with pytest.raises(RequestError, match="each of the 60000 train examples of mnist"):
        jo.join_scores(run, published[:-1])
