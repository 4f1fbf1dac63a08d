"""States of members as trees of arrays: parts of them, and whether two agree."""

from typing import Any

import jax
import numpy as np


def pick(tree: Any, at: Any) -> Any:
    """Return some members of a tree with a leading member axis."""
    return jax.tree.map(lambda leaf: leaf[at], tree)


def assert_equal(a: Any, b: Any) -> None:
    """Fail unless two trees hold the same bits."""
    jax.tree.map(np.testing.assert_array_equal, a, b)


def assert_close(a: Any, b: Any, **tolerance: float) -> None:
    """Fail unless two trees hold about the same values."""
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)
