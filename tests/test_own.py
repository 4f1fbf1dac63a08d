"""Networks of the user's own: how they are found, called, convolved and told apart."""

from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxorder.errors import RequestError
from jaxorder.models import Inputs, Model, build, object_name
from jaxorder.models.ambient import Method, traced_with
from jaxorder.models.conv import METHODS
from jaxorder.models.identity import described

IMAGE = Inputs((12, 12, 3))


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


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(each, marks=[pytest.mark.slow] if each == "native" else [])
        for each in METHODS
    ],
)
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
    assert not any("0x" in described(module) for module in others)


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


@pytest.mark.parametrize("name", ["Module:width=3", "made:width=3", "pair:width=3"])
def test_factories_may_make_other_kinds_of_networks(nets: Path, name: str) -> None:
    model = build(f"nets.py:{name}", Inputs((8, 8, 1)), 4)
    made = model.init(jax.random.key(0))
    assert model.logits(*made, np.ones((2, 8, 8, 1), np.float32)).shape == (2, 4)
    assert 3 in [size for leaf in jax.tree.leaves(made) for size in leaf.shape]
    assert model.identity is not None
    called = name.partition(":")[0]
    assert model.identity["class"] == called.replace("pair", "functions")


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
    with pytest.raises(RequestError, match=r'precision="bfloat16": .* takes no dtype'):
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
        ("nets.py:number", "must be an instance of a flax.linen.Module, .* not int"),
        ("nets.py:unbuilt", "init and apply; not the class Net"),
        ("nets.py:unmade", "holds weights already, and each member needs its own"),
        ("nets.py:Module:rngs=3", "no key rngs; nets.py:Module takes width"),
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
        ("nets.py:Noisy", "network's call on inputs .2 8 8 1. failed: InvalidRngError"),
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

    with pytest.raises(RequestError, match="state must keep its shapes"):
        function(Grows())
