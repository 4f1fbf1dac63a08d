"""The vectors of a deep network as one, while it is on the devices.

Each array of a state is a kernel or more in a compiled step, and an argument that the
compiler's passes walk over. Three quarters of those of a network with batch
normalisation are short vectors: scales, biases, running statistics and their momentum.
Joined, they compile as one, and a step computes the same.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jaxorder.models import Model

MANY = 32  # vectors of a tree; fewer compile in little time anyway


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("vector", "others"),
    meta_fields=("tree", "lengths"),
)
@dataclass(frozen=True)
class Packed:
    """A tree of arrays whose float32 vectors lie in one.

    Attributes:
        vector: The vectors, one after the other; leading axes stay.
        others: The other leaves, in order.
        tree: Structure of the tree.
        lengths: Length of each leaf that is a vector, None of the others.
    """

    vector: Any  # [*member value], or what stands for it in a tree of something else
    others: tuple[Any, ...]
    tree: Any
    lengths: tuple[int | None, ...]


def pack(tree: PyTree) -> PyTree:
    """Return one member's arrays packed, if they have many vectors; else as they are.

    Example:
        >>> biases = {f"bias_{i}": jnp.zeros(10) for i in range(40)}
        >>> packed = pack({"kernel": jnp.zeros((3, 10)), **biases})
        >>> packed.vector.shape, len(packed.others)
        ((400,), 1)
    """
    leaves, structure = jax.tree.flatten(tree)
    lengths = tuple(
        len(leaf) if leaf.ndim == 1 and leaf.dtype == jnp.float32 else None
        for leaf in leaves
    )
    if sum(length is not None for length in lengths) < MANY:
        return tree
    return _joined(leaves, structure, lengths)


def unpack(tree: PyTree) -> PyTree:
    """Return arrays, packed or not, as the tree that they were."""
    return jax.tree.map(_split, tree, is_leaf=_is_packed)


def pack_like(like: PyTree, tree: PyTree) -> PyTree:
    """Return an unpacked tree, of numpy, packed where another is.

    Args:
        like: The other, of arrays or of their shapes.
        tree: What `unpack` returns of such a one.
    """

    def packed(part: Any, values: Any) -> Any:
        if not _is_packed(part):
            return values
        leaves = part.tree.flatten_up_to(values)
        return _joined(leaves, part.tree, part.lengths)

    return jax.tree.map(packed, like, tree, is_leaf=_is_packed)


def packed_model(model: Model) -> Model:
    """Return a network whose parameters and statistics are packed, if they are many."""

    def init(key: Any) -> tuple[PyTree, PyTree]:
        params, statistics = model.init(key)
        return pack(params), pack(statistics)

    def logits(params: PyTree, statistics: PyTree, inputs: Any) -> Any:
        return model.logits(unpack(params), unpack(statistics), inputs)

    def train(params: PyTree, statistics: PyTree, *inputs: Any, **options: Any) -> Any:
        found = model.train(unpack(params), unpack(statistics), *inputs, **options)
        return found[0], pack(found[1])

    return model._replace(init=init, logits=logits, train=train)


def _joined(
    leaves: list[Any], structure: Any, lengths: tuple[int | None, ...]
) -> Packed:
    known = list(zip(leaves, lengths, strict=True))
    vectors = [leaf for leaf, length in known if length is not None]
    others = tuple(leaf for leaf, length in known if length is None)
    on_host = isinstance(vectors[0], np.ndarray)
    join = np.concatenate if on_host else jnp.concatenate
    return Packed(join(vectors, -1), others, structure, lengths)


def _split(part: Any) -> Any:
    if not _is_packed(part):
        return part
    ends = np.cumsum([length for length in part.lengths if length is not None])
    # one operation, whose gradient joins: a slice's would fill up with zeros, and add
    split = np.split if isinstance(part.vector, np.ndarray) else jnp.split
    vectors, others = iter(split(part.vector, ends[:-1], -1)), iter(part.others)
    leaves = [next(others if length is None else vectors) for length in part.lengths]
    return jax.tree.unflatten(part.tree, leaves)


def _is_packed(part: Any) -> bool:
    return isinstance(part, Packed)
