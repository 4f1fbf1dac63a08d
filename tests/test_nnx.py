"""Modules of NNX: made once a member, equal to their Linen twins, random as told."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxorder.errors import RequestError
from jaxorder.models import Inputs, Model, build, object_name
from jaxorder.models.ambient import Method, traced_with
from jaxorder.models.conv import METHODS

IMAGE = Inputs((8, 8, 2))


class Linen(nn.Module):
    """The twin, named as Linen names its layers."""

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        x = nn.Conv(6, (3, 3))(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        x = nn.Conv(6, (3, 3), strides=2, feature_group_count=2)(nn.relu(x))
        return nn.Dense(4)(x.reshape(len(x), -1))


class Twin(nnx.Module):
    """The same network, with a constant that it does not train."""

    def __init__(self, inputs: Any, classes: int, *, rngs: nnx.Rngs) -> None:
        self.Conv_0 = nnx.Conv(inputs[-1], 6, (3, 3), rngs=rngs)
        self.BatchNorm_0 = nnx.BatchNorm(6, momentum=0.9, rngs=rngs)
        self.Conv_1 = nnx.Conv(
            6, 6, (3, 3), strides=2, feature_group_count=2, rngs=rngs
        )
        self.Dense_0 = nnx.Linear(96, classes, rngs=rngs)
        self.one = jnp.arange(3)

    def __call__(self, x: Any) -> Any:
        x = nnx.relu(self.BatchNorm_0(self.Conv_0(x)))
        return self.Dense_0(self.Conv_1(x).reshape(len(x), -1)) * self.one[1]


class Drops(nnx.Module):
    """Dropout in several layers, that hold their streams or are handed them."""

    def __init__(self, held: bool, *, rngs: nnx.Rngs) -> None:
        streams = {"rngs": rngs} if held else {}
        self.layers = nnx.List([nnx.Dropout(0.5, **streams) for _ in range(11)])
        self.held = held
        self.scale = nnx.Param(jnp.ones(4))

    def __call__(self, x: Any, rngs: Any) -> Any:
        handed = {} if self.held else {"rngs": rngs}
        x = jnp.ones((len(x), 4)) * self.scale
        return sum(2.0**i * layer(x, **handed) for i, layer in enumerate(self.layers))


def function(module: Any, inputs: Inputs = IMAGE, classes: int = 4) -> Model:
    return build(object_name(module), inputs, classes, module=module)


def drawn(examples: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(examples, *IMAGE.shape)).astype(np.float32)


def trained(model: Model, params: Any, statistics: Any, steps: int = 3) -> Any:
    """Return a network after some steps of Adam."""
    x, labels, rule = drawn(), np.arange(5) % 4, optax.adam(0.01)

    def loss(params: Any, statistics: Any) -> Any:
        logits, changed = model.train(params, statistics, x, jax.random.key(0))
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.mean(), changed

    @jax.jit
    def step(params: Any, statistics: Any, state: Any) -> Any:
        gradient, changed = jax.grad(loss, has_aux=True)(params, statistics)
        updates, state = rule.update(gradient, state)
        return optax.apply_updates(params, updates), changed, state

    state = rule.init(params)
    for _ in range(steps):
        params, statistics, state = step(params, statistics, state)
    return params, statistics


@pytest.mark.slow
def test_a_module_trains_as_its_linen_twin_does() -> None:
    linen, twin = function(Linen()), function(Twin)
    params, statistics = linen.init(jax.random.key(0))
    own_params, own_statistics = twin.init(jax.random.key(1))
    assert jax.tree.map(jnp.shape, own_params) == jax.tree.map(jnp.shape, params)
    own_statistics = own_statistics | statistics
    one = linen.logits(params, statistics, drawn())
    other = twin.logits(params, own_statistics, drawn())
    np.testing.assert_allclose(one, other, atol=1e-6)
    after, moved = trained(linen, params, statistics)
    own_after, own_moved = trained(twin, params, own_statistics)
    close = partial(np.testing.assert_allclose, atol=1e-5)
    jax.tree.map(close, own_after, after)
    close(own_moved.pop("one"), np.arange(3))
    jax.tree.map(close, own_moved, moved)


@pytest.mark.parametrize("method", METHODS)
def test_a_module_convolves_by_the_plans_method(method: Method) -> None:
    model, x = function(Twin), drawn()
    made = model.init(jax.random.key(0))
    alone = Twin((8, 8, 2), 4, rngs=nnx.Rngs(jax.random.key(0)))
    alone.eval()
    with traced_with(convolution=method):
        np.testing.assert_allclose(model.logits(*made, x), alone(x), atol=1e-5)
        program = jax.make_jaxpr(jax.grad(lambda v: model.logits(v, made[1], x).sum()))(
            made[0]
        )
    assert ("conv_general_dilated" in str(program)) == (method != "patches")


def test_members_are_made_of_their_keys() -> None:
    model = function(Twin)
    one, other, again = (model.init(jax.random.key(i))[0] for i in (0, 1, 0))
    kernels = [made["Conv_0"]["kernel"] for made in (one, other, again)]
    assert not np.allclose(kernels[0], kernels[1])
    np.testing.assert_array_equal(kernels[0], kernels[2])


def test_batch_norm_does_not_see_what_fills_up_a_batch() -> None:
    model, x = function(Twin), drawn(8)
    made, key = model.init(jax.random.key(0)), jax.random.key(0)
    x[5:] = 1e4
    logits, statistics = model.train(*made, x, key, np.arange(8) < 5)
    few, alone = model.train(*made, x[:5], key)
    np.testing.assert_allclose(logits[:5], few, rtol=1e-4, atol=1e-4)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-5), statistics, alone)


@pytest.mark.parametrize("held", [True, False])
def test_dropout_is_drawn_from_the_step_alone(held: bool) -> None:
    model = function(partial(Drops, held))
    # the keys that a module is made with do not count
    made, others = (model.init(jax.random.key(i)) for i in (1, 2))
    x = drawn(100)
    one, same, next_step = (
        model.train(*made, x, jax.random.key(i))[0] for i in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(one, model.train(*others, x, jax.random.key(5))[0])
    assert (one == next_step).mean() < 0.1
    # each layer drops half, and not those of another
    dropped = np.asarray(one).astype(int)[..., None] >> np.arange(1, 12) & 1 == 0
    assert abs(dropped.mean() - 0.5) < 0.05
    pairs = np.corrcoef(dropped.reshape(-1, 11).T) - np.eye(11)
    assert abs(pairs).max() < 0.25
    np.testing.assert_array_equal(model.logits(*made, x), 2047 * np.ones((100, 4)))


def test_a_module_is_told_whether_it_trains() -> None:
    class Told(nnx.Module):
        def __init__(self, *, rngs: nnx.Rngs) -> None:
            self.scale = nnx.Param(jnp.ones(4))

        def __call__(self, x: Any, *, deterministic: bool) -> Any:
            return jnp.ones((len(x), 4)) * self.scale * (1 if deterministic else 2)

    model, x = function(Told), drawn(1)
    made = model.init(jax.random.key(0))
    assert model.logits(*made, x)[0, 0] == 1
    assert model.train(*made, x, jax.random.key(0))[0][0, 0] == 2


class Recurrent(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.rnn = nnx.RNN(nnx.GRUCell(16, 4, rngs=rngs))

    def __call__(self, x: Any) -> Any:
        return self.rnn(x.reshape(len(x), 8, 16))[:, -1]


def test_recurrent_modules_run() -> None:
    model = function(Recurrent)
    made = model.init(jax.random.key(0))
    assert model.train(*made, drawn(), jax.random.key(0))[0].shape == (5, 4)


def test_names_say_what_makes_a_module() -> None:
    assert object_name(Twin).startswith("Twin@")
    names = {object_name(partial(Drops, held)) for held in (True, False)}
    assert len(names) == 2
    assert object_name(lambda rngs: Drops(True, rngs=rngs)).startswith("lambda@")


def test_a_precision_is_for_those_who_take_a_type() -> None:
    def typed(dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
        def flat(x: Any) -> Any:
            return x.reshape(len(x), -1)

        return nnx.Sequential(flat, nnx.Linear(128, 4, dtype=dtype, rngs=rngs))

    name = object_name(typed)
    exact, rough = (
        build(name, IMAGE, 4, precision, module=typed)
        for precision in ("float32", "bfloat16")
    )
    made = exact.init(jax.random.key(0))
    difference = abs(exact.logits(*made, drawn()) - rough.logits(*made, drawn()))
    assert 0 < difference.max() < 0.1
    with pytest.raises(RequestError, match="takes no dtype"):
        build(object_name(Twin), IMAGE, 4, "bfloat16", module=Twin)


# ---- what is refused


class Alone(nnx.Module):
    """Without random weights."""

    def __init__(self) -> None:
        self.scale = nnx.Param(jnp.ones(4))


class Needy(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.scale = nnx.Param(jnp.ones(4))

    def __call__(self, x: Any, y: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Alone(), "holds weights already, .* a function of rngs, as lambda rngs: Al"),
        (Alone, "must be .* not the class Alone"),
        (lambda rngs: 5, "must make a flax.nnx.Module of rngs, not int"),
        (lambda rngs: Twin((8, 8, 2), 3, rngs=rngs), "returns .2, 3."),
        (lambda rngs: Twin(rngs=rngs), "making the network failed: TypeError"),
        (Needy, "Needy must be called with inputs, rngs and at most one of"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_line(
    network: Any, message: str
) -> None:
    with pytest.raises(RequestError, match=message) as refused:
        function(network)
    assert "\n" not in str(refused.value)
