"""Linen modules as functions: the architectures', and the user's own.

Around the calls of the user's `nn.intercept_methods` lets the layers of Linen run as
those of the architectures do: convolutions by the plan's method, batch normalisation
without the examples that fill up a batch.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, Shaped

from jaxorder.errors import RequestError
from jaxorder.models.ambient import Initializer, traced_with
from jaxorder.models.calls import wanted
from jaxorder.models.flax_layers import convolved, masked
from jaxorder.models.model import (
    AnyArray,
    Inputs,
    Model,
    Parameters,
    Statistics,
    as_logits,
)

KNOWN_STATE = {"params", "batch_stats"}


def from_module(
    module: "nn.Module | Called",
    inputs: Inputs,
    init: Initializer | None = None,
    dropout: float = 0.0,
) -> Model:
    """Return a Linen module, called with inputs and `training`, as functions.

    Args:
        module: With parameters, and batch statistics if it has them.
        inputs: What it takes.
        init: Initialises the kernels; None leaves each layer its own.
        dropout: Share that its layers' shares are for, where members differ in it.
    """
    usual = dropout
    one = inputs.of(1)

    def begin(key: Key[Array, ""]) -> tuple[Parameters, Statistics]:
        zeros = jnp.zeros(one.shape, one.dtype)
        with traced_with(initializer=init):
            made = module.init({"params": key}, zeros, training=False)
        return made.get("params", {}), made.get("batch_stats", {})

    def logits(
        params: Parameters,
        statistics: Statistics,
        inputs: Shaped[AnyArray, "example *input"],
    ) -> Float[Array, "example class"]:
        variables = _variables(params, statistics)
        outputs = module.apply(variables, jnp.asarray(inputs), training=False)
        return jnp.asarray(outputs, jnp.float32)

    def train(
        params: Parameters,
        statistics: Statistics,
        inputs: Shaped[AnyArray, "example *input"],
        key: Key[Array, ""],
        real: Bool[AnyArray, "example"] | None = None,
        dropout: Float[Array, ""] | None = None,
    ) -> tuple[Float[Array, "example class"], Statistics]:
        relative = None if dropout is None else dropout / usual
        with traced_with(real=real, dropout=relative):
            outputs, changed = module.apply(
                _variables(params, statistics),
                jnp.asarray(inputs),
                training=True,
                rngs={"dropout": key},
                mutable=["batch_stats"],
            )
        return jnp.asarray(outputs, jnp.float32), changed.get("batch_stats", {})

    return Model(begin, logits, train, inputs)


def _variables(params: Parameters, statistics: Statistics) -> dict[str, Any]:
    return {"params": params} | ({"batch_stats": statistics} if statistics else {})


# ---- the user's own


class Called:
    """A module of the user's own, called as the architectures are.

    Args:
        asked: What it was asked for with, as `given` returns.
        module: The module.

    Raises:
        RequestError: Where its call needs more than inputs and a mode.
    """

    def __init__(self, asked: str, module: nn.Module) -> None:
        self._asked, self._module, kind = asked, module, type(module)
        self._wanted = wanted(asked, kind.__name__, kind.__call__, ("self", "inputs"))

    def init(self, rngs: Any, inputs: Any, training: bool) -> Any:
        """Return the first variables."""
        with nn.intercept_methods(_as_ours):
            told: Any = self._wanted.keys(training)
            made = self._module.init(rngs, inputs, **told)
        _check_state(self._asked, made)
        return nn.meta.unbox(made)

    def apply(self, variables: Any, inputs: Any, training: bool, **more: Any) -> Any:
        """Return what the module's own `apply` does."""
        with nn.intercept_methods(_as_ours):
            told = self._wanted.keys(training)
            made: Any = self._module.apply(variables, inputs, **told, **more)
        if "mutable" in more:
            return as_logits(self._asked, made[0]), made[1]
        return as_logits(self._asked, made)


def _as_ours(
    call: Callable[..., Any],
    args: Any,
    kwargs: Any,
    context: nn.module.InterceptorContext,
) -> Any:
    """Run a layer of Linen's as the layers of our architectures run."""
    layer = context.module
    if context.method_name != "__call__":
        return call(*args, **kwargs)
    if isinstance(layer, nn.BatchNorm) and args:
        kwargs = masked(args[0]) | kwargs
    if isinstance(layer, nn.Conv) and _plain(layer):
        with _convolving(layer):
            return call(*args, **kwargs)
    return call(*args, **kwargs)


def _plain(layer: nn.Conv) -> bool:
    """Whether a layer convolves by XLA's own, and not by the user's."""
    return layer.conv_general_dilated is None and layer.conv_general_dilated_cls is None


@contextmanager
def _convolving(layer: nn.Conv) -> Iterator[None]:
    """Let a layer convolve by the plan's method.

    Linen has a field for that, but freezes a module's fields once it is made.
    """
    object.__setattr__(layer, "conv_general_dilated", convolved)
    try:
        yield
    finally:
        object.__setattr__(layer, "conv_general_dilated", None)


def _check_state(asked: str, variables: Mapping[str, Any]) -> None:
    """Refuse collections of variables other than parameters and batch statistics."""
    others = sorted(set(variables) - KNOWN_STATE)
    if others:
        raise RequestError(
            f"{asked}: the network holds state in {', '.join(others)}; must be only in "
            f"{' and '.join(sorted(KNOWN_STATE))}"
        )
