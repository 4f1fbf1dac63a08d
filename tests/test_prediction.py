"""Kept members predict inputs of one's own as they did while they were trained."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

import jaxorder as jo
from jaxorder.errors import RequestError

SMALL: dict[str, Any] = {
    "data": "digits",
    "train_examples": 200,
    "test_examples": 100,
    "epochs": 2,
    "members": 3,
}


def assert_repeated(run: Any, **given: Any) -> None:
    """Fail unless the last checkpoint predicts what was recorded of both splits."""
    dataset = run.config.load()
    for split in ("train", "test"):
        predicted = run.predict(dataset.split(split).inputs, **given)
        recorded = run.record(split).prediction[-1]
        np.testing.assert_array_equal(predicted, recorded)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("mlp:widths=16,dropout=0.2", {}),
        ("mlp:widths=16", {"pca": 10}),
        ("mlp:widths=16", {"precision": "bfloat16"}),
        ("mlp:widths=16", {"vary": ["learning-rate=0.1,0.01,0.5"]}),
        ("mlp:widths=16", {"block_members": 2}),
        pytest.param("small_st_vgg", {"epochs": 1}, marks=pytest.mark.slow),
        ("mlp:widths=16,norm=batch", {}),  # with running statistics
    ],
)
def test_what_was_recorded_is_predicted_again(
    tmp_path: Path, model: str, options: dict[str, Any]
) -> None:
    run = jo.train(model=model, out=tmp_path / "run", **SMALL | options)
    assert_repeated(run)


def test_any_kept_step_predicts(tmp_path: Path) -> None:
    run = jo.train(model="mlp", out=tmp_path / "run", keep_checkpoints="all", **SMALL)
    inputs = run.config.load().test.inputs
    for snapshot, step in enumerate(run.steps):
        np.testing.assert_array_equal(
            run.predict(inputs, step), run.record("test").prediction[snapshot]
        )


def test_images_are_projected_as_the_training_images_were(tmp_path: Path) -> None:
    run = jo.train(model="mlp", pca=5, out=tmp_path / "run", **SMALL)
    raw = jo.load("digits", train_examples=200, test_examples=100).test.inputs
    np.testing.assert_array_equal(run.predict(raw), run.record("test").prediction[-1])


def test_a_module_of_ones_own_is_given_again(tmp_path: Path) -> None:
    class Flat(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            return nn.Dense(10)(x.reshape(len(x), -1))

    run = jo.train(model=Flat(), out=tmp_path / "run", **SMALL)
    assert_repeated(run, model=Flat())


def test_logits_are_of_each_member(tmp_path: Path) -> None:
    run = jo.train(model="mlp:widths=8", out=tmp_path / "run", **SMALL)
    inputs = run.config.load().test.inputs
    whole = run.logits(inputs)
    assert whole.shape == (3, 100, 10)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(run.logits(inputs[:7]), whole[:, :7], atol=1e-5)
    for wrong in (inputs[:, :4], inputs[0], inputs[:0]):
        with pytest.raises(RequestError, match=r"inputs: wanted \[example, 8, 8, 1\]"):
            run.logits(wrong)
    with pytest.raises(RequestError, match=r"step=3: .* kept checkpoints of 8"):
        run.logits(inputs, 3)


def test_what_keeps_nothing_is_refused(tmp_path: Path) -> None:
    run = jo.train(
        model="mlp:widths=8", out=tmp_path / "run", keep_checkpoints="none", **SMALL
    )
    with pytest.raises(RequestError, match="no checkpoint was kept"):
        run.predict(run.config.load().test.inputs)
    forest = jo.train(model="sklearn:random_forest", out=tmp_path / "f", **SMALL)
    with pytest.raises(RequestError, match="only networks are kept"):
        forest.predict(run.config.load().test.inputs)
