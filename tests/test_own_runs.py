"""Runs of networks of the user's own: begun, resumed, predicted with, refused."""

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxorder as jo
from jaxorder.checkpoint import BlockCheckpoints
from jaxorder.config import StudyOptions, study_asked
from jaxorder.data import load
from jaxorder.errors import RequestError
from jaxorder.models import object_name
from jaxorder.run.folder import Run
from jaxorder.run.training import plan_study
from tests.conftest import ROOT

SQUARE = """
import flax.linen as nn


def make(classes):
    first = nn.initializers.orthogonal()
    flat = lambda x: x.reshape(len(x), -1)
    wide = [nn.Dense(400, kernel_init=first) for _ in range(4)]
    return nn.Sequential([flat, *wide, nn.Dense(classes)])
"""
SMALL: dict[str, Any] = {
    "data": "digits",
    "members": 2,
    "epochs": 1,
    "train_examples": 101,
    "test_examples": 50,
    "batch_size": 30,
}


class Small(nn.Module):
    """A network that a run is made of."""

    width: int = 4
    curve: Any = nn.relu

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        x = self.curve(nn.Conv(self.width, (3, 3))(x))
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        x = nn.Dropout(0.25, deterministic=not train)(x.reshape(len(x), -1))
        return nn.Dense(10)(x)


class Made(nnx.Module):
    """The same of NNX, made once a member."""

    def __init__(self, classes: int, width: int = 4, *, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List([nnx.Conv(1, width, (3, 3), rngs=rngs)])
        self.norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.drop = nnx.Dropout(0.25, rngs=rngs)
        self.last = nnx.Linear(64 * width, classes, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = self.norm(nnx.relu(self.layers[0](x)))
        return self.last(self.drop(x.reshape(len(x), -1)))


def begin(key: Any, x: Any) -> dict[str, Any]:
    params = {"lin/~/w": 0.1 * jax.random.normal(key, (x[0].size, 10))}
    return {"params": [params], "state": jnp.zeros((), jnp.int32)}


def call(variables: Any, x: Any, rngs: Any) -> Any:
    """Drop inputs, and count the steps."""
    if rngs:
        x = x * jax.random.bernoulli(rngs["dropout"], 0.5, x.shape)
    (params,) = variables["params"]
    return x.reshape(len(x), -1) @ params["lin/~/w"], variables["state"] + 1


def unfinished(out: Path, model: Any, **options: Any) -> Run:
    """Return a run whose counter was put back, as if it had crashed before."""
    keep = {"keep_checkpoints": "all", "checkpoint_seconds": 0.0}
    jo.train(model=model, out=out, **keep, **SMALL, **options)
    return put_back(out)


def put_back(out: Path) -> Run:
    """Put the counter of a run's only block back to two snapshots."""
    run = Run(out)
    (counter,) = (out / "commits").iterdir()
    document = json.loads(counter.read_text())
    counter.write_text(json.dumps(document | {"snapshots": 2}))
    with BlockCheckpoints(out, 0, 2) as checkpoints:
        checkpoints.keep_only(set(run.document.steps[:2]))
    return Run(out)


def test_a_run_of_an_object_is_resumed_with_it_alone(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = unfinished(out, Small())
    assert run.name == object_name(Small())
    assert run.document.module["class"] == "Small"
    last = run.document.steps[-1]
    for given, message in (
        (None, r"Small@.*: a network that was given from Python; give it again"),
        (Small(5), "not the network given, which is Small@"),
        (Small(curve=lambda x: -x), "not the network given, which is Small@"),
    ):
        with pytest.raises(RequestError, match=message):
            jo.resume(out, model=given)
    whole = jo.train(model=Small(), out=tmp_path / "whole", **SMALL)
    (resumed,) = jo.resume(out, model=Small())
    for split in ("train", "test"):
        one, other = (r.record(split).load() for r in (whole, resumed))
        assert one.identical(other)
    jax.tree.map(
        np.testing.assert_array_equal,
        *(r.restore(last, statistics=True) for r in (whole, resumed)),
    )


@pytest.mark.parametrize(
    ("model", "other"),
    [
        (Made, partial(Made, width=5)),
        ((begin, call), (begin, lambda variables, x, rngs: call(variables, x, {}))),
    ],
)
@pytest.mark.slow
def test_a_run_of_what_makes_a_network_is_resumed_to_the_same_bits(
    tmp_path: Path, model: Any, other: Any
) -> None:
    out = tmp_path / "run"
    run = jo.train(
        model=model, out=out, keep_checkpoints="all", checkpoint_seconds=0.0, **SMALL
    )
    first, second = run.record("test").prediction.values.swapaxes(0, 1)
    assert (first != second).any()
    last = run.document.steps[-1]
    kept, records = (
        run.restore(last, statistics=True),
        [run.record(split).load() for split in ("train", "test")],
    )
    inputs = run.config.load().test.inputs
    logits = run.logits(inputs, model=model)
    np.testing.assert_array_equal(logits.argmax(-1), records[1].prediction[-1])
    put_back(out)
    with pytest.raises(RequestError, match="not the network"):
        jo.resume(out, model=other)
    (resumed,) = jo.resume(out, model=model)
    for split, before in zip(("train", "test"), records, strict=True):
        assert resumed.record(split).load().identical(before)
    jax.tree.map(
        np.testing.assert_array_equal, kept, resumed.restore(last, statistics=True)
    )


def test_a_module_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    """Of the same name, fields and shapes: only its operations tell."""
    unfinished(tmp_path / "run", Small(curve=lambda x: nn.relu(x)))
    other = Small(curve=lambda x: nn.tanh(x))
    assert object_name(other) == Run(tmp_path / "run").name
    with pytest.raises(RequestError, match=r"not the network .* begun with \(program"):
        jo.resume(tmp_path / "run", model=other)


def test_a_run_of_a_factory_is_resumed_by_its_name(nets: Path) -> None:
    out = nets.parent / "run"
    run = unfinished(out, "nets.py:make:width=3")
    assert run.path.name == "run"
    text = nets.read_text()
    nets.write_text(text.replace("Net(classes, width)", "Net(classes, width + 1)"))
    with pytest.raises(RequestError, match=r'width=3": not the network that '):
        jo.resume(out)
    with pytest.raises(RequestError, match="not the network given"):
        jo.resume(out, model=Small())
    nets.write_text(text)
    (resumed,) = jo.resume(out)
    assert resumed.progress.finished


def test_a_module_is_no_study(nets: Path) -> None:
    (run,) = jo.study(models=["nets.py:make"], out=nets.parent / "study", **SMALL)
    assert run.path.name == "nets.py_make"
    with pytest.raises(RequestError, match="a study; give model for one of its runs"):
        jo.resume(nets.parent / "study", model=Small())


def test_restored_weights_and_statistics_predict_what_was_recorded(
    tmp_path: Path,
) -> None:
    """A network with batch statistics, by Linen alone."""
    run = jo.train(model=Small(), out=tmp_path / "run", **SMALL)
    params, statistics = run.restore(run.document.steps[-1], statistics=True)
    digits = load("digits", train_examples=101, test_examples=50)
    mean, deviation = digits.train.inputs.mean(), digits.train.inputs.std()
    inputs = (digits.test.inputs - mean) / deviation
    for member in range(2):
        one = {"params": params, "batch_stats": statistics}
        one = jax.tree.map(lambda leaf, at=member: leaf[at], one)
        predicted = Small().apply(one, inputs, train=False).argmax(-1)
        recorded = run.record("test").prediction[-1, member]
        np.testing.assert_array_equal(recorded, predicted)


def test_a_plan_says_which_convolutions_it_cannot_run(nets: Path) -> None:
    asked = study_asked(StudyOptions(**SMALL), ["nets.py:make", "nets.py:upwards"], {})
    covered, not_covered = plan_study(asked, "if long")
    assert "outside of nn.Conv" not in covered.plan.why
    assert "has convolutions outside of nn.Conv" in not_covered.plan.why


@pytest.mark.slow
def test_orthogonal_first_weights_under_vmap_do_not_wait_forever(
    tmp_path: Path,
) -> None:
    # QR decompositions of several matrices took all threads of several devices
    (tmp_path / "square.py").write_text(SQUARE)
    command = [sys.executable, "-m", "jaxorder", "run", "--data", "digits"]
    command += ["--models", f"{tmp_path}/square.py:make", "--members", "8"]
    command += ["--epochs", "1", "--plan", "vmap", "--out", str(tmp_path / "run")]
    subprocess.run([*command, "--quiet"], check=True, timeout=100)


# ---- what is refused


@pytest.mark.parametrize(
    ("model", "message"),
    [(nn.Dense, "not the class Dense"), (5, "not int"), (None, "give a model string")],
)
def test_train_refuses_what_is_no_module(
    tmp_path: Path, model: Any, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        jo.train(model=model, out=tmp_path / "run", **SMALL)
    assert not list(tmp_path.iterdir())


def test_a_module_of_its_own_types_refuses_another_precision(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match='precision="bfloat16": Small@'):
        jo.train(model=Small(), precision="bfloat16", out=tmp_path / "run", **SMALL)


def test_a_config_and_a_module_together_are_refused(tmp_path: Path) -> None:
    config = jo.RunConfig(data="digits", model="mlp")
    with pytest.raises(RequestError, match="a config or options"):
        jo.train(config, model=Small(), out=tmp_path / "run")


# ---- what is documented


def documented(name: str) -> str:
    """Return an example of docs/networks.md."""
    text = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"<!-- {name} -->\n```python\n(.*?)```", text, re.DOTALL)
    return code.replace('data="digits"', "**SMALL").replace("members=4, epochs=2, ", "")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linen", "nnx", "pair"])
def test_documented_networks_are_trained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {"SMALL": SMALL, "jax": jax, "__name__": __name__}
    exec(documented(name), scope)
    run = scope["run"]
    assert run.progress.finished
    if name == "nnx":
        exec(documented("restored"), scope)
        net = scope["net"]
        net.eval()
        inputs = run.config.load()
        shown = (inputs.test.inputs - inputs.train.inputs.mean()) / (
            inputs.train.inputs.std()
        )
        predicted = net(jnp.asarray(shown, jnp.float32)).argmax(-1)
        np.testing.assert_array_equal(
            run.record("test").prediction[-1, 0], np.asarray(predicted)
        )
