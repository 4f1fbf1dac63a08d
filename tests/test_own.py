"""Networks of the user's own: how they are found, called, convolved and told apart."""

import json
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
from jax import lax

import jaxorder as jo
from jaxorder.checkpoint import BlockCheckpoints
from jaxorder.config import StudyOptions
from jaxorder.data import load
from jaxorder.errors import RequestError
from jaxorder.models import Inputs, Model, build, object_name
from jaxorder.models.ambient import Method, traced_with
from jaxorder.models.conv import METHODS
from jaxorder.models.own import fields_text
from jaxorder.run.folder import Run
from jaxorder.run.training import plan_study, run_study

IMAGE = Inputs((12, 12, 3))
NETS = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    classes: int
    width: int = 4
    rate: float = 0.1

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.relu(nn.Conv(self.width, (3, 3))(x))
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.Dropout(self.rate, deterministic=not train)(x.reshape(len(x), -1))
        return nn.Dense(self.classes)(x)


def make(classes, width=4, **keys):
    assert all(isinstance(value, float | bool) for value in keys.values()), keys
    return Net(classes, width)


def typed(classes, dtype):
    def flat(x):
        return x.reshape(len(x), -1)

    return nn.Sequential([flat, nn.Dense(classes, dtype=dtype)])


def shaped(classes, inputs, vocabulary):
    assert (inputs, vocabulary) == ((8, 8, 1), 0)
    return Net(classes)


def fails(classes):
    raise ValueError("no\\nway")


def three():
    return Net(3)


def number(classes):
    return 5


def unbuilt():
    return Net


class State(nn.Module):
    @nn.compact
    def __call__(self, x):
        self.variable("cache", "count", lambda: 0)
        return nn.Dense(10)(x.reshape(len(x), -1))


class Pair(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(x.reshape(len(x), -1)), x


class Empty(nn.Module):
    def __call__(self, x):
        return x.reshape(len(x), -1)[:, :10]


class Needy(nn.Module):
    def __call__(self, x, y):
        return x


class Noisy(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(10)(x.reshape(len(x), -1))
        return x + jax.random.normal(self.make_rng("noise"), x.shape)


class Half(nn.Module):
    @nn.compact
    def __call__(self, x):
        dense = nn.Dense(10, param_dtype=jnp.bfloat16)
        return dense(x.reshape(len(x), -1))


def upwards(classes):
    def tall(x):
        return x.reshape(len(x), -1)

    return nn.Sequential([nn.ConvTranspose(2, (3, 3)), tall, nn.Dense(classes)])
"""
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


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of networks in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    package = tmp_path / "mine"
    package.mkdir()
    (package / "nets.py").write_text(NETS)
    return path


class Every(nn.Module):
    """Every kind of convolution that Linen has, normalised by the batch."""

    @nn.compact
    def __call__(self, x: Any, training: bool) -> Any:
        x = nn.Conv(8, (3, 3))(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not training)(x))
        x = nn.Conv(8, (3, 3), strides=2, feature_group_count=4)(x)
        x = nn.Conv(8, (3, 3), kernel_dilation=2, padding=2)(x)
        x = nn.relu(nn.Conv(8, (5, 5), padding="CIRCULAR")(x))
        x = nn.Conv(16, (3, 3), feature_group_count=8, use_bias=False)(x)
        x = nn.Conv(8, (3, 3), input_dilation=2, padding=1)(x)
        mask = jnp.asarray(np.arange(8 * 8).reshape(1, 1, 8, 8) % 3 > 0)
        x = nn.Conv(8, (1, 1), mask=mask)(x)
        x = nn.Conv(8, (2, 2, 2), padding="VALID")(x.reshape(len(x), 11, 11, 2, 4))
        x = nn.Conv(8, (4,), strides=3, padding="CAUSAL")(x.reshape(len(x), -1, 8))
        return nn.Dense(10)(x.mean(1))


def function(module: nn.Module, inputs: Inputs = IMAGE, classes: int = 10) -> Model:
    return build(object_name(module), inputs, classes, module=module)


def drawn(examples: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(examples, *IMAGE.shape)).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_a_module_computes_what_it_does_by_itself(method: Method) -> None:
    model, own, x = function(Every()), Every(), drawn()
    variables = own.init({"params": jax.random.key(1)}, x[:1], training=False)
    made = model.init(jax.random.key(1))
    jax.tree.map(
        np.testing.assert_array_equal,
        made,
        (variables["params"], variables["batch_stats"]),
    )
    with traced_with(convolution=method):
        np.testing.assert_allclose(
            model.logits(*made, x), own.apply(variables, x, training=False), atol=1e-5
        )
        with_gradient = jax.value_and_grad(partial(_loss, model), has_aux=True)
        found = jax.jit(with_gradient)(*made, x)

    def plain(params: Any) -> Any:
        both = {"params": params, "batch_stats": made[1]}
        logits, changed = own.apply(both, x, training=True, mutable=["batch_stats"])
        return (logits**2).sum(), changed["batch_stats"]

    wanted = jax.jit(jax.value_and_grad(plain, has_aux=True))(made[0])
    largest = max(float(abs(leaf).max()) for leaf in jax.tree.leaves(wanted[1]))
    assert_close(found, wanted, 1e-4 * max(largest, 1.0))


def _loss(model: Model, params: Any, statistics: Any, x: Any) -> Any:
    logits, changed = model.train(params, statistics, x, jax.random.key(0))
    return (logits**2).sum(), changed


def assert_close(a: Any, b: Any, within: float) -> None:
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=within), a, b)


def test_no_convolution_of_linens_is_left_to_xlas_gradients() -> None:
    model = function(Every())
    variables = model.init(jax.random.key(0))
    with traced_with(convolution="patches"):
        program = jax.make_jaxpr(jax.grad(lambda v, x: model.logits(*v, x).sum()))(
            variables, drawn()
        )
    assert "conv_general_dilated" not in str(program)


class Own(nn.Conv):
    """A layer with a convolution of the user's, which stays."""


def test_a_users_own_way_to_convolve_stays() -> None:
    called = []

    def doubled(*arguments: Any, **named: Any) -> Any:
        called.append(1)
        return 2 * lax.conv_general_dilated(*arguments, **named)

    class Doubled(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            layer = Own(10, (3, 3), conv_general_dilated=doubled, name="conv")
            return layer(x).sum((1, 2))

    model = function(Doubled())
    called.clear()
    model.logits(*model.init(jax.random.key(0)), drawn())
    assert called


@pytest.mark.parametrize("mode", ["training", "train", "deterministic", "none"])
def test_a_module_is_told_whether_it_trains(mode: str) -> None:
    class Drops(nn.Module):
        @nn.compact
        def __call__(self, x: Any, **keys: Any) -> Any:
            x = nn.Dense(10)(x.reshape(len(x), -1))
            return x if calm(keys) else nn.Dropout(0.5, deterministic=False)(x)

    def calm(keys: dict[str, bool]) -> bool:
        return keys.get("deterministic", not keys.get(mode, False))

    model = function(_with_mode(Drops, mode)())
    made, x = model.init(jax.random.key(0)), drawn()
    np.testing.assert_array_equal(model.logits(*made, x), model.logits(*made, x))
    one, other = (model.train(*made, x, jax.random.key(i))[0] for i in (1, 2))
    assert np.array_equal(one, other) == (mode == "none")


def _with_mode(kind: Any, mode: str) -> Any:
    """Return a module's class whose call names a mode."""
    plain = kind.__call__
    source = {
        "training": lambda self, x, training: plain(self, x, training=training),
        "train": lambda self, x, train=False: plain(self, x, train=train),
        "deterministic": lambda self, x, deterministic: plain(
            self, x, deterministic=deterministic
        ),
        "none": lambda self, x: plain(self, x),
    }
    return type("Told", (kind,), {"__call__": source[mode], "__module__": __name__})


def test_batch_norm_does_not_see_what_fills_up_a_batch() -> None:
    model, x = function(Every()), drawn(8)
    made, key = model.init(jax.random.key(0)), jax.random.key(0)
    x[5:] = 1e4
    logits, statistics = model.train(*made, x, key, np.arange(8) < 5)
    few, alone = model.train(*made, x[:5], key)
    np.testing.assert_allclose(logits[:5], few, rtol=1e-3, atol=1e-4)
    assert_close(statistics, alone, 1e-5)


def test_a_network_of_texts_can_be_ones_own() -> None:
    class Words(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(3)(nn.Embed(20, 4)(x).mean(1))

    model = function(Words(), Inputs((7,), vocabulary=20), 3)
    x = np.arange(14, dtype=np.int32).reshape(2, 7)
    assert model.logits(*model.init(jax.random.key(0)), x).shape == (2, 3)


# ---- names


def test_names_say_what_a_module_is() -> None:
    assert object_name(nn.Dense(3)) == object_name(nn.Dense(3))
    assert object_name(nn.Dense(3)).startswith("Dense@")
    others = [
        nn.Dense(4),
        nn.Dense(3, dtype=jnp.bfloat16),
        nn.Dense(3, kernel_init=nn.initializers.he_normal()),
        nn.Dense(3, kernel_init=nn.initializers.lecun_uniform()),
        nn.Sequential([nn.Dense(3)]),
        nn.Sequential([nn.Dense(3), jnp.tanh]),
        nn.Sequential([nn.Dense(3), nn.relu]),
        nn.Sequential([nn.Dense(3), partial(nn.leaky_relu, negative_slope=0.1)]),
        nn.Sequential([nn.Dense(3), partial(nn.leaky_relu, negative_slope=0.2)]),
        nn.Conv(3, (1, 1), mask=jnp.ones(3)),
        nn.Conv(3, (1, 1), mask=jnp.zeros(3)),
    ]
    assert len({object_name(module) for module in [nn.Dense(3), *others]}) == 12
    # an address would be another in the next process
    assert not any("0x" in fields_text(module) for module in others)


@pytest.mark.parametrize("place", ["nets.py", "mine.nets"])
@pytest.mark.parametrize("name", ["make:width=3", "Net:width=3,rate=0.5", "shaped"])
def test_factories_are_found_in_files_and_packages(
    nets: Path, place: str, name: str
) -> None:
    model = build(f"{place}:{name}", Inputs((8, 8, 1)), 4)
    params, statistics = model.init(jax.random.key(0))
    assert params["Dense_0"]["bias"].shape == (4,)
    assert params["Conv_0"]["bias"].shape == (3 if "3" in name else 4,)
    assert statistics.keys() == {"BatchNorm_0"}
    assert model.identity is not None
    assert model.identity["class"] == "Net"


def test_a_factory_is_given_numbers_and_truth_values(nets: Path) -> None:
    # the factory fails where a key is neither
    made = build("nets.py:make:a=0.5,b=true,c=-1e-3", Inputs((8, 8, 1)), 4)
    assert made.init(jax.random.key(0))[0]["Dense_0"]["bias"].shape == (4,)
    with pytest.raises(RequestError, match="calling make failed: AssertionError"):
        build("nets.py:make:a=half", Inputs((8, 8, 1)), 4)


def test_a_factory_may_take_the_precision(nets: Path) -> None:
    asked = partial(build, inputs=IMAGE, classes=4)
    exact, rough = (
        asked("nets.py:typed", precision=p) for p in ("float32", "bfloat16")
    )
    made = exact.init(jax.random.key(0))
    one, other = (model.logits(*made, drawn()) for model in (exact, rough))
    assert 0 < abs(one - other).max() < 0.1
    with pytest.raises(RequestError, match=r"--precision bfloat16: .* takes no dtype"):
        asked("nets.py:make", precision="bfloat16")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nets.py", "must name a factory, as package.module:factory"),
        ("nets.py:absent", "nets.py has no function or class absent"),
        ("none.py:make", "no file none.py in"),
        ("no.such:make", "importing no.such failed: ModuleNotFoundError"),
        ("leaves.py:make", "importing leaves.py failed: SystemExit: bye"),
        ("nets.py:fails", "calling fails failed: ValueError: no way"),
        ("nets.py:number", "must be an instance of a flax.linen.Module, not int"),
        ("nets.py:unbuilt", "a flax.linen.Module, not the class Net"),
        ("nets.py:Net:depth=3", "no key depth; nets.py:Net takes width, rate"),
        ("nets.py:fails:a=1", "no key a; nets.py:fails takes none"),
        ("nets.py:make:classes=3", "no key classes; nets.py:make takes width"),
        ("nets.py:make:width=x", "first call on inputs .2 8 8 1. failed: TypeError"),
        ("nets.py:three", r"of shape \(2, 10\) for 2 examples; it returns \(2, 3\)"),
        ("nets.py:Pair", "must return logits .example class. alone; .* a tuple"),
        ("nets.py:State", "holds state in cache; must be only in batch_stats and"),
        ("nets.py:Empty", "must be float32, and at least one; they are none"),
        ("nets.py:Half", "must be float32, and at least one; they are bfloat16"),
        ("nets.py:Needy", "at most one of training, train, deterministic; it takes"),
        ("nets.py:Noisy", "module's call on inputs .2 8 8 1. failed: InvalidRngError"),
        ("Net@0f3a5c77", r"given from Python; give it again, as jo.train\(model="),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_line(
    nets: Path, text: str, message: str
) -> None:
    (nets.parent / "leaves.py").write_text("raise SystemExit('bye')")
    with pytest.raises(RequestError, match=message) as refused:
        build(text, Inputs((8, 8, 1)), 10)
    assert "\n" not in str(refused.value)


def test_batch_statistics_must_keep_their_shape() -> None:
    class Grows(nn.Module):
        @nn.compact
        def __call__(self, x: Any, train: bool) -> Any:
            x = nn.Dense(10)(x.reshape(len(x), -1))
            kept = self.variable("batch_stats", "kept", jnp.zeros, 3)
            if train:
                kept.value = jnp.zeros(4)
            return x

    with pytest.raises(RequestError, match="batch_stats must keep their shapes"):
        function(Grows())


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
    with pytest.raises(RequestError, match="--precision bfloat16: Every@"):
        jo.train(model=Every(), precision="bfloat16", out=tmp_path / "run", **SMALL)


def test_a_config_and_a_module_together_are_refused(tmp_path: Path) -> None:
    config = jo.RunConfig(data="digits", model="mlp")
    with pytest.raises(RequestError, match="a config or options"):
        jo.train(config, model=Every(), out=tmp_path / "run")


# ---- runs


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
    assert run.document["module"]["class"] == "Small"
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
    nets.write_text(NETS.replace("Net(classes, width)", "Net(classes, width + 1)"))
    with pytest.raises(RequestError, match=r"nets.py:make:width=3: not the module th"):
        jo.resume(out)
    with pytest.raises(RequestError, match="not the module given"):
        jo.resume(out, model=Small())
    nets.write_text(NETS)
    (resumed,) = jo.resume(out)
    assert resumed.progress.finished


def test_a_module_is_no_study(nets: Path) -> None:
    options = StudyOptions(**SMALL)
    (run,) = run_study(options, ["nets.py:make"], nets.parent / "study")
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
    options = StudyOptions(**SMALL)
    covered, not_covered = plan_study(options, ["nets.py:make", "nets.py:upwards"])
    assert "outside of nn.Conv" not in covered.plan.why
    assert "has convolutions outside of nn.Conv" in not_covered.plan.why


def test_orthogonal_first_weights_under_vmap_do_not_wait_forever(
    tmp_path: Path,
) -> None:
    # QR decompositions of several matrices took all threads of several devices
    (tmp_path / "square.py").write_text(SQUARE)
    command = [sys.executable, "-m", "jaxorder", "run", "--data", "digits"]
    command += ["--models", f"{tmp_path}/square.py:make", "--members", "8"]
    command += ["--epochs", "1", "--plan", "vmap", "--out", str(tmp_path / "run")]
    subprocess.run([*command, "--quiet"], check=True, timeout=100)
