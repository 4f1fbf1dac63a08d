"""What tells networks apart that are the user's own, of which no name says all."""

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from jaxorder.models.model import Model


def identity(called: str, network: Any, model: Model) -> dict[str, str]:
    """Return what tells a network from others, to go on with the right one.

    Args:
        called: What its class or factory is called.
        network: As it was given.
        model: Its functions.

    Returns:
        `class`, `fields`, `digest` of these and of the parameters' shapes, and
        `program`, a digest of the operations, which other versions may change.
    """
    fields = described(network)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return {
        "class": called,
        "fields": fields,
        "digest": digest(called + fields + shapes_text(shapes)),
        "program": operations_digest(_traced(model, shapes)),
    }


def described(value: Any) -> str:
    """Return a value as text, the same in every process: without addresses."""
    if isinstance(value, nn.Module):
        fields = [f.name for f in dataclasses.fields(value) if f.name != "parent"]
        return _call_text(value, [(f, getattr(value, f)) for f in fields])
    if isinstance(value, functools.partial):
        return _call_text(value, [*enumerate(value.args), *value.keywords.items()])
    if isinstance(value, Mapping):
        return _call_text(value, list(value.items()))
    if isinstance(value, list | tuple):
        return _call_text(value, list(enumerate(value)))
    if isinstance(value, np.ndarray | jax.Array):
        return f"{value.dtype}{value.shape}{digest(np.asarray(value).tobytes())}"
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__ + _held_text(value)
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _held_text(function: Any) -> str:
    """Return the numbers and words that a function holds, as initialisers do."""
    cells = [
        cell.cell_contents for cell in getattr(function, "__closure__", None) or ()
    ]
    plain = [value for value in cells if isinstance(value, int | float | str)]
    return str(plain) if plain else ""


def _call_text(value: Any, parts: list[tuple[Any, Any]]) -> str:
    inner = value.func if isinstance(value, functools.partial) else type(value)
    listed = ", ".join(f"{name}={described(part)}" for name, part in parts)
    return f"{described(inner)}({listed})"


def shapes_text(tree: Any) -> str:
    """Return the names, types and shapes of a tree's arrays as text."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return " ".join(f"{jax.tree_util.keystr(k)}{v.dtype}{v.shape}" for k, v in leaves)


def digest(text: str | bytes) -> str:
    """Return the beginning of a text's sha256."""
    data = text.encode() if isinstance(text, str) else text
    return hashlib.sha256(data).hexdigest()[:16]


def _traced(model: Model, shapes: Any) -> Jaxpr:
    inputs, key = model.inputs.of(2), jax.random.key(0)
    return jax.make_jaxpr(lambda v, x, k: model.train(*v, x, k))(
        shapes, inputs, key
    ).jaxpr


def operations_digest(program: Jaxpr) -> str:
    """Return a digest of a program's operations."""
    return digest("\n".join(_operations(program)))


def _operations(jaxpr: Jaxpr) -> Iterator[str]:
    """Yield a program's operations with their shapes and constants.

    The printed program is not the same in every process: it holds addresses.
    """
    for equation in jaxpr.eqns:
        sources = [
            str(v.val if isinstance(v, Literal) else v.aval) for v in equation.invars
        ]
        results = [str(v.aval) for v in equation.outvars]
        yield f"{equation.primitive.name} {sources} {results}"
        for inner in programs_in(equation.params):
            yield from _operations(inner)


def programs_in(params: Mapping[str, Any]) -> list[Jaxpr]:
    """Return the programs that an operation calls, such as a loop's."""
    kinds = ClosedJaxpr | Jaxpr
    leaves = jax.tree.leaves(
        list(params.values()), is_leaf=lambda x: isinstance(x, kinds)
    )
    found = [leaf for leaf in leaves if isinstance(leaf, kinds)]
    return [f.jaxpr if isinstance(f, ClosedJaxpr) else f for f in found]
