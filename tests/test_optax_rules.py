"""Optimisers of optax's, by name and as objects: what they do, and what is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.config import RunConfig
from jaxorder.config.optimizers import parse_optimizer
from jaxorder.ensemble import optax_rules
from jaxorder.ensemble.optimizer import optimizer, schedule
from jaxorder.ensemble.plan import Lowering
from jaxorder.errors import RequestError
from jaxorder.models import Inputs, build
from tests.test_own_runs import put_back
from tests.works import network_work

SMALL: dict[str, Any] = {
    "data": "digits",
    "model": "mlp:widths=8",
    "members": 2,
    "epochs": 1,
    "batch_size": 30,
    "train_examples": 101,
    "test_examples": 50,
}


def config(**options: Any) -> RunConfig:
    return RunConfig(**{**SMALL, **options})


def weights(rule: optax.GradientTransformation, steps: int = 6) -> np.ndarray:
    """Return the minimum of a slope and a bowl, as far as some steps come."""
    params = jnp.array([1.0, -2.0, 3.0])

    def loss(params: Any) -> Any:
        return (params**2).sum() + params[0]

    state = rule.init(params)
    for _ in range(steps):
        value, gradient = jax.value_and_grad(loss)(params)
        told = (gradient, state, params, loss, value)
        updates, state = optax_rules.updated(rule, *told)
        params = optax.apply_updates(params, updates)
    return np.asarray(params)


def by_name(values: dict[str, Any] | None = None, pace: Any = 1, **options: Any) -> Any:
    return weights(optimizer(config(**options), steps=6)(values or {}, pace))


# ---- by name


def test_a_name_stands_for_what_optax_has() -> None:
    cosine = schedule("cosine", 0.1, 6)
    np.testing.assert_allclose(
        by_name(
            optimizer="optax:lion:b1=0.5",
            learning_rate=0.1,
            schedule="cosine",
            weight_decay=0.2,
        ),
        weights(optax.lion(cosine, b1=0.5, weight_decay=0.2)),
        rtol=1e-6,
    )
    penalised = optax.chain(optax.add_decayed_weights(0.2), optax.rmsprop(0.1))
    np.testing.assert_allclose(
        by_name(optimizer="optax:rmsprop", learning_rate=0.1, weight_decay=0.2),
        weights(penalised),
        rtol=1e-6,
    )
    # where a schedule cannot be given to optax, and where none is needed
    varying = optax.inject_hyperparams(optax.fromage)(cosine)
    np.testing.assert_allclose(
        by_name(optimizer="optax:fromage", learning_rate=0.1, schedule="cosine"),
        weights(varying),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        by_name(optimizer="optax:adadelta"), weights(optax.adadelta())
    )


def test_values_of_members_win() -> None:
    values = {"learning_rate": jnp.float32(0.05), "weight_decay": jnp.float32(0.1)}
    vary = ("learning-rate=0.05,0.1", "weight-decay=0.1,0.2")
    found = by_name(values, optimizer="optax:lion", vary=vary, members=4)
    np.testing.assert_allclose(
        found, weights(optax.lion(0.05, weight_decay=0.1)), rtol=1e-6
    )
    found = by_name(
        {"momentum": jnp.float32(0.5)},
        optimizer="optax:sgd",
        learning_rate=0.1,
        vary=("momentum=0.5,0.9",),
    )
    np.testing.assert_allclose(found, weights(optax.sgd(0.1, 0.5)), rtol=1e-6)


def test_schedules_last_as_long_as_a_members_own_training() -> None:
    options = {"optimizer": "optax:sgd", "learning_rate": 0.1, "schedule": "cosine"}
    own = optimizer(config(**options), steps=12)({}, jnp.float32(2))
    np.testing.assert_allclose(weights(own), by_name(**options), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:`optimistic_adam` is deprecated")
@pytest.mark.parametrize("name", optax_rules._known())
def test_every_optimizer_of_optax_takes_a_step(name: str) -> None:
    asked = config(optimizer=f"optax:{name}", learning_rate=0.1, weight_decay=0.1)
    optax_rules.check_asked(asked)
    model = build("mlp:widths=4", Inputs((3,)), 2)
    rule = optimizer(asked, steps=6)
    optax_rules.check_runs("", lambda: rule({}, 1), model)


def test_only_the_rules_of_each_value_see_vectors_joined(digits: Any) -> None:
    for name, apart in (("adam", True), ("optax:lamb", False)):
        asked = config(optimizer=name, learning_rate=0.1)
        assert (
            network_work(
                asked, digits, Lowering("sequential", "native")
            ).recipe.elementwise
            is apart
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"optimizer": "optax"},
            "must be one of sgd, momentum, adam, adamw, or optax:",
        ),
        ({"optimizer": "adam:b1=0.5"}, "must be one of sgd, momentum, adam, adamw, or"),
        ({"optimizer": "lion"}, "or optax:NAME with :key=value,... as optax:lion"),
        ({"optimizer": "optax:lin"}, "no optimizer of optax lin .did you mean lion?"),
        ({"optimizer": "optax:noisy_sgd"}, "no optimizer of optax noisy_sgd"),
        ({"optimizer": "optax:scale_by_rprop"}, "no optimizer of optax scale_by_rprop"),
        ({"optimizer": "optax:lion:bb1=1"}, "no key bb1 .did you mean b1?"),
        ({"optimizer": "optax:lion:b1=0.1,b1=0.2"}, "each key once"),
        (
            {"optimizer": "optax:lion"},
            "give learning_rate too; that of mlp:widths=8 is",
        ),
        (
            {"optimizer": "optax:lion:learning_rate=0.1"},
            "learning_rate is an option; give learning_rate",
        ),
        (
            {"optimizer": "optax:lion:b1=half", "learning_rate": 0.1},
            'optimizer="optax:lion:b1=half": a step of the optimizer failed: TypeError',
        ),
        (
            {"optimizer": "optax:adadelta", "schedule": "cosine"},
            "or leave the schedule",
        ),
        (
            {"optimizer": "optax:sgd", "learning_rate": 0.1, "momentum": 0.5},
            "momentum=0.5: is for the optimizer momentum; of optax's it is a key",
        ),
        (
            {
                "optimizer": "optax:lion",
                "learning_rate": 0.1,
                "vary": ("momentum=0.5,0.9",),
            },
            "lion of optax takes no momentum",
        ),
    ],
)
def test_what_optax_has_not_is_refused(
    options: dict[str, Any], message: str, digits: Any
) -> None:
    with pytest.raises(RequestError, match=message) as refused:
        network_work(config(**options), digits, Lowering("sequential", "native"))
    assert "\n" not in str(refused.value)


def test_the_command_line_names_optax(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--data=digits", "--models=mlp", f"--out={tmp_path / 'x'}"]
    assert main([*command, "--optimizer", "optax:loin"]) == 2
    said = capsys.readouterr().err
    assert "--optimizer optax:loin: no optimizer of optax loin" in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


# ---- objects


def test_names_tell_objects_apart() -> None:
    made = [
        optax.lion(1e-3),
        optax.lion(1e-2),
        optax.lion(1e-3, b1=0.5),
        optax.lion(optax.cosine_decay_schedule(1e-3, 10)),
        optax.lion(optax.cosine_decay_schedule(1e-3, 20)),
        optax.chain(optax.clip_by_global_norm(1.0), optax.lion(1e-3)),
        optax.chain(optax.clip_by_global_norm(2.0), optax.lion(1e-3)),
        optax.multi_transform({"a": optax.adam(1.0)}, lambda p: "a"),
    ]
    names = [optax_rules.object_name(rule) for rule in made]
    assert len(set(names)) == len(made)
    assert optax_rules.object_name(optax.lion(1e-3)) == names[0]
    assert parse_optimizer(names[0]).name == names[0]


@pytest.mark.slow
def test_names_are_the_same_in_every_process() -> None:
    code = (
        "import optax; from jaxorder.ensemble.optax_rules import object_name; "
        "print(object_name(optax.chain(optax.clip(1.0), optax.lion(1e-3))))"
    )
    names = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert names[0] == names[1]


def test_a_schedule_of_the_users_tells_objects_apart() -> None:
    model = build("mlp:widths=4", Inputs((3,)), 2)
    one, other = (
        optax_rules.identity(optax.sgd(rate), model)
        for rate in (lambda step: 1 / (step + 1), lambda step: 2 / (step + 1))
    )
    assert one["digest"] == other["digest"]
    assert one["program"] != other["program"]


@pytest.mark.slow
def test_a_run_of_an_object_is_resumed_and_grown_with_it_alone(tmp_path: Path) -> None:
    def rule(rate: float = 0.003) -> optax.GradientTransformation:
        return optax.chain(optax.clip_by_global_norm(1.0), optax.lion(rate))

    out = tmp_path / "run"
    run = jo.train(
        optimizer=rule(),
        out=out,
        keep_checkpoints="all",
        checkpoint_seconds=0.0,
        **SMALL,
    )
    assert str(run.config.optimizer).startswith("optax@")
    assert run.config.learning_rate is None
    before = run.record("test").load()
    assert (before.prediction[0] != before.prediction[-1]).any()
    put_back(out)
    for given, message in (
        (None, "an optimizer that was given from Python; give it again"),
        (rule(0.01), r"not the optimizer that .* was begun with \(program"),
        (optax.adam(0.003), r"not the optimizer that .* was begun with \(digest"),
    ):
        with pytest.raises(RequestError, match=message):
            jo.resume(out, optimizer=given)
    (resumed,) = jo.resume(out, optimizer=rule())
    assert resumed.record("test").load().identical(before)
    (grown,) = jo.grow(out, 3, optimizer=rule())
    after = grown.record("test").load()
    np.testing.assert_array_equal(after.prediction[:, :2], before.prediction)
    assert jo.write_report(out).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": optax.lion}, "must be a name or an optax .* not lion"),
        ({"optimizer": 5}, "as optax.lion.1e-3., not int"),
        (
            {"optimizer": optax.lion(1e-3), "learning_rate": 0.1},
            "learning_rate=0.1: the optimizer was given as an object, which has its",
        ),
        (
            {"optimizer": optax.lion(1e-3), "schedule": "step"},
            "schedule=.* has its own",
        ),
        ({"optimizer": optax.lion(1e-3), "momentum": 0.5}, "momentum=.* has its own"),
        (
            {"optimizer": optax.lion(1e-3), "weight_decay": 1.0},
            "weight_decay=.* its own",
        ),
        (
            {"optimizer": optax.lion(1e-3), "vary": ("learning-rate=0.1,0.2",)},
            "an object, which is the same for all members; name it, as optax:lion",
        ),
        ({"optimizer": "optax@12345678"}, "give it again, as jo.train.optimizer="),
        (
            {"optimizer": optax.masked(optax.sgd(1.0), {"other": True})},
            "a step of the optimizer failed: ",
        ),
        (
            {"optimizer": optax.stateless(lambda g, p: jax.tree.map(jnp.sum, g))},
            "the optimizer's updates and state must keep their shapes and types",
        ),
    ],
)
def test_what_an_object_does_not_go_with_is_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message) as refused:
        jo.train(out=tmp_path / "run", **SMALL, **options)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_run_with_a_named_optimizer_takes_no_other(tmp_path: Path) -> None:
    run = jo.train(out=tmp_path / "run", snapshots="last", **SMALL)
    with pytest.raises(RequestError, match='optimizer="momentum": has a name; give no'):
        jo.grow(run.path, 3, optimizer=optax.lion(1e-3))
