"""Networks that are two functions: equal to their Linen twins, told what they name."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxorder.errors import RequestError
from jaxorder.models import Model, build, object_name
from tests.test_nnx import IMAGE, drawn, trained


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.tanh(nn.Dense(7)(x.reshape(len(x), -1)))
        return nn.Dense(4)(x)


def init(key: Any, x: Any) -> list[tuple[Any, Any]]:
    """Return a list of layers, as plain JAX has them."""
    sizes = (x[0].size, 7, 4)
    keys = jax.random.split(key, 2)
    return [
        (jax.random.normal(keys[i], sizes[i : i + 2]) / 9, jnp.zeros(sizes[i + 1]))
        for i in range(2)
    ]


def apply(layers: list[tuple[Any, Any]], x: Any) -> Any:
    (first, bias), (second, other) = layers
    return jnp.tanh(x.reshape(len(x), -1) @ first + bias) @ second + other


def function(pair: Any) -> Model:
    return build(object_name(pair), IMAGE, 4, module=pair)


def test_two_functions_train_as_their_linen_twin_does() -> None:
    linen, own = function(Linen()), function((init, apply))
    params, none = own.init(jax.random.key(0))
    twin = {
        f"Dense_{i}": {"kernel": params[i]["0"], "bias": params[i]["1"]} for i in "01"
    }
    close = partial(np.testing.assert_allclose, atol=1e-5)
    close(own.logits(params, none, drawn()), linen.logits(twin, {}, drawn()))
    after, _ = trained(own, params, none)
    wanted, _ = trained(linen, twin, {})
    for i in "01":
        close(after[i]["0"], wanted[f"Dense_{i}"]["kernel"])


class Transformed(NamedTuple):
    """As Haiku has it, whose names hold slashes."""

    init: Callable[..., Any] = lambda key, x: {
        f"mlp/~/linear_{i}": dict(zip("wb", layer, strict=True))
        for i, layer in enumerate(init(key, x))
    }
    apply: Callable[..., Any] = lambda params, x: apply(
        [(layer["w"], layer["b"]) for _, layer in sorted(params.items())], x
    )


def test_an_object_with_both_is_taken() -> None:
    made = function(Transformed()).init(jax.random.key(0))[0]
    assert made["mlp/~/linear_0"]["w"].shape == (128, 7)
    assert object_name(Transformed()).startswith("Transformed@")
    assert object_name((init, apply)).startswith("functions@")
    assert object_name((init, apply)) != object_name((init, lambda variables, x: x))


def counting(variables: Any, x: Any, train: bool, rngs: Any, mask: Any) -> Any:
    """Drop by the stream, and keep a state: how many were real, how often."""
    params, state = variables["params"], variables["state"]
    kept = jax.random.bernoulli(rngs["dropout"], 0.5, (len(x), 4)) if train else 1.0
    assert train or not rngs
    after = (state[0] + mask.sum(), state[1] + 1)
    return jnp.ones((len(x), 4)) * params * kept, after


def begin(key: Any, x: Any) -> dict[str, Any]:
    state = (jnp.zeros(()), jnp.zeros((), jnp.int32))
    return {"params": jnp.ones(4), "state": state}


def test_functions_are_given_what_they_name() -> None:
    model, x = function((begin, counting)), drawn(8)
    params, state = model.init(jax.random.key(0))
    np.testing.assert_array_equal(params["value"], np.ones(4))
    real = np.arange(8) < 5
    logits, after = model.train(params, state, x, jax.random.key(3), real)
    assert after == {"0": 5.0, "1": 1}
    assert set(np.unique(logits)) == {0.0, 1.0}
    again, twice = model.train(params, after, x, jax.random.key(3))
    np.testing.assert_array_equal(logits, again)
    assert twice == {"0": 13.0, "1": 2}
    assert (model.logits(params, state, x) == 1).all()


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((init, apply, init), "must be .* a pair of functions, .* not tuple"),
        ((init, 5), "not tuple"),
        ((init, lambda variables: 0), "apply must be called with variables and inp"),
        ((lambda key: 0, apply), "init must be called with key and inputs"),
        ((init, lambda v, x, y: 0), "apply must be called with .* it takes v, x, y"),
        ((init, lambda v, x: (x, 0)), "must return logits .* alone; it returns a tu"),
        ((init, lambda v, x: x[:, 0, 0]), r"it returns \(2, 2\)"),
        ((begin, lambda v, x: x), "must return logits and the new state"),
        (
            (begin, lambda v, x: (x[:, 0, 0], ())),
            "a state of the same parts as that of init",
        ),
        (
            (begin, lambda v, x: (jnp.ones((len(x), 4)), (jnp.zeros(3), jnp.ones(())))),
            "state must keep its shapes and types",
        ),
        ((lambda key, x: {}, lambda v, x: x[:, 0, :4, 0]), "at least one; they are n"),
        (
            (init, lambda v, x, rngs: apply(v, x) * (0 in rngs["dropout"])),
            "call on inputs .2 8 8 2. failed: KeyError",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_line(pair: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message) as refused:
        function(pair)
    assert "\n" not in str(refused.value)
