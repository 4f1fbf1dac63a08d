"""Every architecture, and a network of one's own, as an ensemble and as a run."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

import jaxorder as jo
from jaxorder.checkpoint import BlockCheckpoints
from jaxorder.config import RunConfig
from jaxorder.data import Dataset, Split
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.plan import Lowering
from jaxorder.models import ARCHITECTURES, object_name
from jaxorder.run.folder import Run
from jaxorder.run.networks import NetworkWork
from jaxorder.run.objects import NAMED, Objects
from tests.test_models import TESTED, drawn, taken
from tests.trees import assert_equal, pick
from tests.works import DEVICES, network_work


class Own(nn.Module):
    """A network of the user's own, with all that such a one may have."""

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        x = nn.relu(nn.Conv(8, (3, 3), use_bias=False)(x))
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.max_pool(x, (2, 2), (2, 2)).reshape(len(x), -1)
        return nn.Dense(3)(nn.Dropout(0.25, deterministic=not train)(x))


LARGE = ("st_vgg", "alexnet", "vgg19", "resnet18", "resnet50", "densenet121")
NORMALISED = ("resnet18", "resnet50", "densenet121", "own")
EACH = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else [])
    for name in (*ARCHITECTURES, "own")
]
MEMBERS, EXAMPLES, BATCH = 3, 7, 4


def dataset(name: str) -> Dataset:
    """Return few examples that an architecture takes, of a number no batch divides."""
    inputs = taken(name)
    words = tuple(f"word{i}" for i in range(inputs.vocabulary))
    values, labels = drawn(inputs, EXAMPLES), np.arange(EXAMPLES) % 3
    split = Split(values, labels, tokens=bool(words))
    scaling = "none" if words else "each"
    return Dataset(name, split, split, ("0", "1", "2"), scaling, words)


def options(name: str) -> dict[str, Any]:
    model = object_name(Own()) if name == "own" else TESTED[name]
    return {
        "model": model,
        "members": MEMBERS,
        "epochs": 2,
        "batch_size": BATCH,
        "optimizer": "adam",
        "learning_rate": 1e-3,
    }


def workload(
    name: str,
    devices: int = 2,
    lowering: Lowering | None = None,
    **changed: Any,
) -> NetworkWork:
    config = RunConfig(data=name, **{**options(name), **changed})
    own = Objects(model=Own()) if name == "own" else NAMED
    there = {"devices": DEVICES[:devices], "objects": own}
    lowering = lowering or Lowering("sequential", "winograd")
    return network_work(config, dataset(name), lowering, batch=8, **there)


_made: dict[str, Ensemble] = {}


@pytest.fixture(params=EACH)
def ensemble(request: pytest.FixtureRequest) -> Ensemble:
    """Return an architecture's ensemble, compiled once for all tests."""
    if request.param not in _made:
        made = _made[request.param] = workload(request.param).ensemble()
        made.begin(0, MEMBERS)
    return _made[request.param]


def trained(made: Ensemble, change: Callable[[Any], Any] | None = None) -> Any:
    """Return members after two steps, the second beside padding, from a changed one."""
    state = made.to_host(made.init())
    if change:
        params = jax.tree.map(lambda leaf: changed(leaf, change), state.params)
        state = state._replace(params=params)
    state, losses = made.train_segment(made.from_host(state), made.order(0), 0, 2)
    return made.to_host(state), losses, made.predict(state)


def changed(leaf: np.ndarray, change: Callable[[Any], Any]) -> np.ndarray:
    """Change the values of the second member alone."""
    leaf = leaf.copy()
    leaf[1] = change(leaf[1])
    return leaf


def test_members_differ_and_learn(ensemble: Ensemble) -> None:
    before = ensemble.to_host(ensemble.init())
    after, losses, _ = trained(ensemble)
    assert np.isfinite(losses).all()
    assert after.finite.all()
    kernels = [leaf for leaf in jax.tree.leaves(before.params) if leaf.ndim > 2]
    for leaf in kernels:
        assert len(np.unique(leaf.reshape(MEMBERS, -1), axis=0)) == MEMBERS
    assert len(np.unique(losses)) == MEMBERS
    moved = [
        (one != other).any()
        for one, other in zip(*map(jax.tree.leaves, (before, after)), strict=True)
    ]
    assert np.mean(moved) > 0.9


@pytest.mark.parametrize("change", [lambda w: w + 0.1, lambda w: w * np.nan])
def test_a_member_changes_no_bit_of_its_siblings(
    ensemble: Ensemble, change: Callable[[Any], Any]
) -> None:
    (one, _, (_, said)), (other, losses, (finite, also)) = (
        trained(ensemble, c) for c in (None, change)
    )
    healthy = bool(np.isfinite(losses[1]))
    assert finite.tolist() == other.finite.tolist() == [True, healthy, True]
    for at in (0, 2):
        assert_equal(pick(one, at), pick(other, at))
        assert_equal(pick(said, at), pick(also, at))
    params = (pick(state.params, 1) for state in (one, other))
    pairs = zip(*map(jax.tree.leaves, params), strict=True)
    assert all((a != b).any() for a, b in pairs)


def train(name: str, out: Path) -> Run:
    asked = options(name) | ({"model": Own()} if name == "own" else {})
    return jo.train(
        data=dataset(name),
        out=out,
        keep_checkpoints="all",
        checkpoint_seconds=0.0,
        **asked,
    )


@pytest.mark.parametrize("name", EACH)
def test_a_run_that_was_stopped_ends_in_the_same_bits(
    name: str, tmp_path: Path
) -> None:
    run = train(name, tmp_path / "run")
    steps = run.document.steps
    assert len(steps) > 3
    whole = [run.record(split).load() for split in ("train", "test")]
    ended = run.restore(steps[-1], statistics=True)
    assert bool(ended[1]) == (name in NORMALISED)

    # as if it had stopped after the third snapshot, with a checkpoint of the second
    (counter,) = (run.path / "commits").iterdir()
    document = json.loads(counter.read_text())
    counter.write_text(json.dumps(document | {"snapshots": 3}))
    with BlockCheckpoints(run.path, 0, MEMBERS) as checkpoints:
        checkpoints.keep_only(set(steps[:2]))
    given = {"model": Own()} if name == "own" else {}
    (resumed,) = jo.resume(run.path, data=dataset(name), **given)
    for split, record in zip(("train", "test"), whole, strict=True):
        assert resumed.record(split).load().identical(record)
    assert_equal(resumed.restore(steps[-1], statistics=True), ended)


@pytest.mark.parametrize("name", EACH)
def test_both_programs_lower_for_accelerators(name: str) -> None:
    work = workload(name, devices=1, lowering=Lowering("vmap", "native"))
    made = dataclasses.replace(work, devices=DEVICES[:1]).ensemble()
    made.begin(0, MEMBERS)
    state = jax.eval_shape(made.init)
    order = jax.eval_shape(lambda: made.order(0))
    for platform in ("cuda", "tpu"):
        for what in ("train", "evaluate"):
            assert "dot_general" in made.exported(what, state, order, platform)
