"""Lengths of gradients of the last layer, of members as they were kept."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxorder as jo
from jaxorder.ensemble.member import loss
from jaxorder.errors import RequestError
from jaxorder.models import Inputs, build

SMALL: dict[str, Any] = {
    "data": "digits",
    "train_examples": 60,
    "test_examples": 40,
    "epochs": 2,
    "members": 2,
    "label_noise": 0.2,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> jo.Run:
    out = tmp_path_factory.mktemp("gradients") / "run"
    kept = {"keep_checkpoints": "all", "record": ["error_norm"]}
    return jo.train(model="mlp:widths=8,norm=batch", out=out, **SMALL, **kept)


def test_gradients_are_those_that_jax_takes(run: jo.Run) -> None:
    params, statistics = run.restore(run.steps[1], statistics=True)
    network = build(run.config.model, Inputs((8, 8, 1)), 10)
    data = run.config.load().train
    mean, deviation = data.inputs.mean(), data.inputs.std()

    def length(member: int, x: jax.Array, label: int) -> float:
        own, counts = jax.tree.map(lambda leaf: leaf[member], (params, statistics))

        def of_last(layer: Any) -> jax.Array:
            logits = network.logits({**own, "output": layer}, counts, x[None])
            return loss(logits, jnp.array([label]))[0]

        leaves = jax.tree.leaves(jax.grad(of_last)(own["output"]))
        return float(jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in leaves)))

    inputs = (data.inputs.astype(np.float32) - mean) / deviation
    found = run.gradient_norm("train", run.steps[1])
    assert found.shape == (2, 60)
    for member, example in ((0, 0), (1, 0), (1, 59)):
        wanted = length(member, inputs[example], int(data.labels[example]))
        assert found[member, example] == pytest.approx(wanted, rel=1e-4)


def test_scores_name_the_epoch_of_the_nearest_checkpoint(run: jo.Run) -> None:
    for epoch, step in ((None, 1), (2, -1), (1.2, None), (0, 0)):
        frame = jo.scores(run, "train", gradients=True, epoch=epoch)
        epochs = run.record("train").epoch.values
        at = np.abs(epochs - epoch).argmin() if step is None else step
        np.testing.assert_allclose(frame.grand_epoch, epochs[at])
        np.testing.assert_allclose(frame.el2n_epoch, epochs[at])
        wanted = run.gradient_norm("train", run.steps[at]).mean(axis=0)
        np.testing.assert_allclose(frame.grand, wanted)
        recorded = run.record("train").error_norm[at].mean("member")
        np.testing.assert_allclose(frame.el2n, recorded, rtol=1e-6)
    assert "grand" not in jo.scores(run)
    for epoch in (-1, 3):
        with pytest.raises(RequestError, match=f"epoch={epoch}: wanted one of the tr"):
            jo.scores(run, epoch=epoch)


class Ends(nn.Module):
    """A network that ends with a dense layer, or does not."""

    way: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.reshape(len(x), -1)
        if self.way == "none":
            return x[:, :10] * self.param("scale", nn.initializers.ones, (10,))
        x = nn.Dense(10)(x)
        return 2 * x if self.way == "changed" else x


@pytest.mark.parametrize(
    ("way", "message"),
    [("none", "ends with a dense layer"), ("changed", "this one changes it")],
)
def test_networks_that_end_otherwise_are_refused(
    tmp_path: Path, way: str, message: str
) -> None:
    own = jo.train(model=Ends(way), out=tmp_path / "run", **SMALL)
    with pytest.raises(RequestError, match=message):
        own.gradient_norm("test", model=Ends(way))


def test_a_module_of_ones_own_is_given_again(tmp_path: Path) -> None:
    own = jo.train(model=Ends("dense"), out=tmp_path / "run", **SMALL)
    assert (own.gradient_norm("test", model=Ends("dense")) > 0).all()


def test_what_keeps_nothing_is_refused(tmp_path: Path) -> None:
    forest = jo.train(model="sklearn:random_forest", out=tmp_path / "f", **SMALL)
    with pytest.raises(RequestError, match="only networks are kept"):
        forest.gradient_norm("test")
    with pytest.raises(RequestError, match=r"gradients of .*: wanted networks of"):
        jo.scores(forest, gradients=True)
