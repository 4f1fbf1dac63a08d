"""Networks of the user's own that are a pair of functions, `init` and `apply`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree, Shaped

from jaxorder.errors import RequestError
from jaxorder.models.calls import wanted
from jaxorder.models.folded import Folding
from jaxorder.models.model import (
    AnyArray,
    Inputs,
    Model,
    Parameters,
    Statistics,
    as_logits,
)

STATEFUL = {"params", "state"}  # keys of variables that hold a state, too
MAY = ("rngs", "mask")


class Pair(NamedTuple):
    """A network as two functions.

    Attributes:
        init: Key and inputs [1 *input] to variables: any tree of float32 arrays, all of
            them trained; or a dictionary of `params`, such a tree, and `state`, which
            is not.
        apply: Variables and inputs [example *input] to logits [example class], and with
            a state to a pair of these and the new state. It is also given, where it
            names them, whether it trains (`train`, `training` or `deterministic`),
            `rngs` with a key named `dropout`, none in evaluation, and `mask` [example],
            false of the examples that fill up a batch.
    """

    init: Callable[..., Any]
    apply: Callable[..., Any]


def as_pair(network: Any) -> Pair | None:
    """Return a network that is two functions, or an object that has them; else None."""
    if isinstance(network, type):  # whose methods would lack an object
        return None
    init, apply = getattr(network, "init", None), getattr(network, "apply", None)
    if callable(init) and callable(apply):
        return Pair(init, apply)
    two = isinstance(network, tuple | list) and len(network) == 2
    return Pair(*network) if two and all(map(callable, network)) else None


def functions(asked: str, pair: Pair, inputs: Inputs) -> Model:
    """Return a pair of functions called as the architectures are.

    Args:
        asked: What it was asked for with, as `given` returns.
        pair: The functions.
        inputs: What they take.

    Raises:
        RequestError: Where they need more than they are given.
    """
    begun = wanted(asked, "init", pair.init, ("key", "inputs"))
    told = wanted(asked, "apply", pair.apply, ("variables", "inputs"), MAY)
    one = inputs.of(1)

    def first(key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        zeros = jnp.zeros(one.shape, one.dtype)
        made = pair.init(key, zeros, **begun.keys(training=False))
        return (made["params"], made["state"]) if _is_stateful(made) else (made, None)

    shapes = jax.eval_shape(first, jax.random.key(0))
    params_folding, state_folding = map(Folding.of, shapes)
    stateful = shapes[1] is not None

    def begin(key: Key[Array, ""]) -> tuple[Parameters, Statistics]:
        params, state = first(key)
        return params_folding.fold(params), state_folding.fold(state)

    def call(
        params: Parameters,
        statistics: Statistics,
        inputs: Shaped[AnyArray, "example *input"],
        training: bool,
        **available: Any,
    ) -> tuple[Float[Array, "example class"], Statistics]:
        variables = params_folding.unfold(params)
        if stateful:
            state = state_folding.unfold(statistics)
            variables = {"params": variables, "state": state}
        keys = told.keys(training, **available)
        made = pair.apply(variables, jnp.asarray(inputs), **keys)
        if not stateful:
            return as_logits(asked, made), {}
        outputs, state = _parted(asked, made)
        _check_kept(asked, shapes[1], state)
        return as_logits(asked, outputs), state_folding.fold(state)

    def logits(
        params: Parameters,
        statistics: Statistics,
        inputs: Shaped[AnyArray, "example *input"],
    ) -> Float[Array, "example class"]:
        every = jnp.ones(len(inputs), bool)
        return call(params, statistics, inputs, False, rngs={}, mask=every)[0]

    def train(
        params: Parameters,
        statistics: Statistics,
        inputs: Shaped[AnyArray, "example *input"],
        key: Key[Array, ""],
        real: Bool[AnyArray, "example"] | None = None,
        dropout: None = None,
    ) -> tuple[Float[Array, "example class"], Statistics]:
        del dropout  # no share of a user's network varies
        mask = jnp.ones(len(inputs), bool) if real is None else jnp.asarray(real)
        rngs = {"dropout": key}
        return call(params, statistics, inputs, True, rngs=rngs, mask=mask)

    return Model(begin, logits, train, inputs)


def _is_stateful(variables: Any) -> bool:
    return isinstance(variables, Mapping) and set(variables) == STATEFUL


def _parted(asked: str, made: Any) -> tuple[Any, Any]:
    if not isinstance(made, tuple) or len(made) != 2:
        raise RequestError(
            f"{asked}: apply must return logits and the new state, since init returns "
            f"a state; it returns a {type(made).__name__}"
        )
    return made


def _check_kept(asked: str, before: PyTree, after: PyTree) -> None:
    if jax.tree.structure(before) != jax.tree.structure(after):
        raise RequestError(
            f"{asked}: apply must return a state of the same parts as that of init"
        )
