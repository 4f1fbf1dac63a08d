"""NNX modules of the user's own as functions.

A module of NNX holds its weights from the moment it is made, so what members need is
not a module but what makes one: its class, or a function, that takes `rngs`. It is
made once a member, in the member's `init`; from there on its parameters, its other
variables and its random streams are parted, and put together for each call.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Key, PyTree, Shaped

from jaxorder.errors import RequestError
from jaxorder.models.ambient import traced_with
from jaxorder.models.calls import wanted
from jaxorder.models.flax_layers import convolved, masked
from jaxorder.models.folded import Folding
from jaxorder.models.model import (
    AnyArray,
    Inputs,
    Model,
    Parameters,
    Statistics,
    as_logits,
)

Factory = Callable[..., nnx.Module]


def is_module(network: Any) -> bool:
    """Whether something is a module that was made already."""
    return isinstance(network, nnx.Module)


def functions(asked: str, module: Factory, inputs: Inputs) -> Model:
    """Return the modules that a factory makes as functions.

    Args:
        asked: What it was asked for with, as `given` returns.
        module: Makes a module of `rngs`.
        inputs: What it takes.

    Returns:
        Functions whose parameters are the variables of type `nnx.Param`, and whose
        statistics are all others but random streams, as nested dictionaries.

    Raises:
        RequestError: Where its call needs more than inputs, `rngs` and a mode.
    """
    parts = _Parts(asked, module)

    def begin(key: Key[Array, ""]) -> tuple[Parameters, Statistics]:
        _, params, _, others = _split(_made(asked, module, key))
        return parts.params.fold(params), parts.others.fold(others)

    def logits(
        params: Parameters,
        statistics: Statistics,
        inputs: Shaped[AnyArray, "example *input"],
    ) -> Float[Array, "example class"]:
        # what is drawn in evaluation, as first states of recurrent cells that are all
        # zero, is the same each time
        key = jax.random.key(0)
        return parts.call(params, statistics, inputs, key, training=False)[0]

    def train(
        params: Parameters,
        statistics: Statistics,
        inputs: Shaped[AnyArray, "example *input"],
        key: Key[Array, ""],
        real: Bool[AnyArray, "example"] | None = None,
        dropout: None = None,
    ) -> tuple[Float[Array, "example class"], Statistics]:
        del dropout  # no share of a user's network varies
        with traced_with(real=real):
            return parts.call(params, statistics, inputs, key, training=True)

    return Model(begin, logits, train, inputs)


class _Parts:
    """What a module consists of, to be put together again.

    Args:
        asked: What it was asked for with.
        module: Makes it.
    """

    def __init__(self, asked: str, module: Factory) -> None:
        made: list[tuple[Any, Any]] = []

        def shapes(key: Key[Array, ""]) -> Any:
            found = _made(asked, module, key)
            structure, *parts = _split(found)
            made.append((structure, type(found)))
            return parts

        params, streams, others = jax.eval_shape(shapes, jax.random.key(0))
        self._structure, kind = made[-1]
        self._streams, self._asked = streams, asked
        self.params, self.others = (
            Folding.of(part, hidden="value") for part in (params, others)
        )
        first, may = ("self", "inputs"), ("rngs",)
        self._wanted = wanted(asked, kind.__name__, kind.__call__, first, may)

    def call(
        self, params: Any, others: Any, inputs: Any, key: Key[Array, ""], training: bool
    ) -> tuple[Float[Array, "example class"], Statistics]:
        """Return a module's logits, and its other variables after the call."""
        module = nnx.merge(
            self._structure,
            self.params.unfold(params),
            _seeded(self._streams, key),
            self.others.unfold(others),
        )
        (module.train if training else module.eval)()
        _run_as_ours(module)
        number = len(jax.tree.leaves(self._streams))  # the next after the streams'
        rngs = nnx.Rngs(jax.random.fold_in(key, number))
        keys = self._wanted.keys(training, rngs=rngs)
        outputs = as_logits(self._asked, module(jnp.asarray(inputs), **keys))
        return outputs, self.others.fold(_split(module)[3])


def _made(asked: str, factory: Factory, key: Key[Array, ""]) -> nnx.Module:
    """Return a module whose weights come from a key."""
    made = factory(rngs=nnx.Rngs(key))
    if not is_module(made):
        raise RequestError(
            f"{asked}: must make a flax.nnx.Module of rngs, not {type(made).__name__}"
        )
    for _, part in nnx.iter_modules(made):
        for name, value in list(vars(part).items()):
            if isinstance(value, Tracer):  # which NNX takes for no array
                setattr(part, name, nnx.data(value))
    return made


def _split(module: nnx.Module) -> Any:
    """Return a module's structure, parameters, random streams and other variables."""
    return nnx.split(module, nnx.Param, nnx.RngState, ...)


def _seeded(streams: PyTree, key: Key[Array, ""]) -> Any:
    """Return random streams at their beginning, each of a key of its own.

    Modules keep keys from when they were made, which would say nothing of the step.
    """
    leaves, structure = jax.tree.flatten(streams)
    begun = [_begun(leaf, key, number) for number, leaf in enumerate(leaves)]
    return jax.tree.unflatten(structure, begun)


def _begun(leaf: Any, key: Key[Array, ""], number: int) -> Array:
    if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jnp.zeros(leaf.shape, leaf.dtype)  # how many were drawn
    own = jax.random.fold_in(key, number)
    return jax.random.split(own, leaf.shape) if leaf.shape else own


def _run_as_ours(module: nnx.Module) -> None:
    """Let the layers of a module that is ours alone run as those of our networks."""
    for _, layer in nnx.iter_modules(module):
        if isinstance(layer, nnx.Conv) and (
            layer.conv_general_dilated is lax.conv_general_dilated
        ):
            layer.conv_general_dilated = convolved
        elif isinstance(layer, nnx.BatchNorm):
            layer.__class__ = _masking(type(layer))


@cache
def _masking(kind: type[nnx.BatchNorm]) -> type[nnx.BatchNorm]:
    """Return a kind of batch normalisation that leaves out what fills up a batch.

    NNX passes calls to nobody, as Linen does, so that the layer must be another.
    """
    if kind.__call__ is not nnx.BatchNorm.__call__:  # the user's own way
        return kind

    def call(self: Any, x: Array, *args: Any, **kwargs: Any) -> Array:
        return kind.__call__(self, x, *args, **masked(x) | kwargs)

    return type(kind.__name__, (kind,), {"__call__": call})
