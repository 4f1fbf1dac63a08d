"""Trees of any kind as nested dictionaries, which checkpoints hold, and back.

A state of NNX, a module of Equinox or a list of layers is a tree of arrays, but what
is read from a checkpoint without the network's code is dictionaries. So members hold
dictionaries throughout, and a network sees its own kind of tree.
"""

from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import PyTree

Path = tuple[str, ...]
ALONE = "value"  # what an array is called that is no part of anything


@dataclass(frozen=True)
class Folding:
    """The structure of a tree, and where its arrays lie in nested dictionaries.

    Attributes:
        tree: Structure.
        paths: Where each array lies, in the tree's order.
        hidden: A last attribute that paths leave out, since all arrays have it.
    """

    tree: Any
    paths: tuple[Path, ...]
    hidden: str = ""

    @classmethod
    def of(cls, tree: PyTree, hidden: str = "") -> "Folding":
        """Return the folding of a tree, of arrays or of their shapes."""
        return cls(jax.tree.structure(tree), tuple(_leaves(tree, hidden)), hidden)

    def fold(self, tree: PyTree) -> dict[str, Any]:
        """Return the arrays of such a tree as nested dictionaries; others are left."""
        leaves, found = _leaves(tree, self.hidden), {}
        for path in self.paths:
            *above, last = path
            place = found
            for name in above:
                place = place.setdefault(name, {})
            place[last] = leaves[path]
        return found

    def unfold(self, found: PyTree) -> Any:
        """Return the tree that nested dictionaries were folded from."""
        leaves = _leaves(found, "")
        return jax.tree.unflatten(self.tree, [leaves[path] for path in self.paths])


def _leaves(tree: PyTree, hidden: str) -> dict[Path, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {_path(keys, hidden): leaf for keys, leaf in leaves}


def _path(keys: tuple[Any, ...], hidden: str) -> Path:
    if hidden and keys and getattr(keys[-1], "name", None) == hidden:
        keys = keys[:-1]
    return tuple(jax.tree_util.keystr((key,), simple=True) for key in keys) or (ALONE,)
