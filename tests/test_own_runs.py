"""Runs of networks of the user's own: begun, resumed, predicted with, refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

import jaxorder as jo
from jaxorder.checkpoint import BlockCheckpoints
from jaxorder.config import StudyOptions, study_asked
from jaxorder.data import load
from jaxorder.errors import RequestError
from jaxorder.models import object_name
from jaxorder.run.folder import Run
from jaxorder.run.training import plan_study

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


def unfinished(out: Path, model: Any) -> Run:
    """Return a run whose counter was put back, as if it had crashed before."""
    run = jo.train(
        model=model, out=out, keep_checkpoints="all", checkpoint_seconds=0.0, **SMALL
    )
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
        (None, r"Small@.*: a module that was given from Python; give it again"),
        (Small(5), "not the module given, which is Small@"),
        (Small(curve=lambda x: -x), "not the module given, which is Small@"),
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


def test_a_module_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    """Of the same name, fields and shapes: only its operations tell."""
    unfinished(tmp_path / "run", Small(curve=lambda x: nn.relu(x)))
    other = Small(curve=lambda x: nn.tanh(x))
    assert object_name(other) == Run(tmp_path / "run").name
    with pytest.raises(RequestError, match=r"not the module .* begun with \(program"):
        jo.resume(tmp_path / "run", model=other)


def test_a_run_of_a_factory_is_resumed_by_its_name(nets: Path) -> None:
    out = nets.parent / "run"
    run = unfinished(out, "nets.py:make:width=3")
    assert run.path.name == "run"
    text = nets.read_text()
    nets.write_text(text.replace("Net(classes, width)", "Net(classes, width + 1)"))
    with pytest.raises(RequestError, match=r'width=3": not the module that '):
        jo.resume(out)
    with pytest.raises(RequestError, match="not the module given"):
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
