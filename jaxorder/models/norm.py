"""Normalisation: by the batch, with statistics that are each member's own, or groups.

An epoch's last batch is padded. Batch statistics must not see the padding, but a module
is called with inputs alone: the weights of the examples are set around the call.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Bool

Norm = Literal["batch", "group", "none"]
GROUPS = 32  # after Wu and He 2018 (arXiv:1803.08494)
# At 0.99 the statistics lag some 100 steps behind: early snapshots would measure that.
MOMENTUM = 0.9

AnyArray = Array | np.ndarray
_real: ContextVar[AnyArray | None] = ContextVar("real", default=None)


@contextmanager
def padded(real: Bool[AnyArray, "example"] | None) -> Iterator[None]:
    """Trace calls of modules in which only some examples are real."""
    token = _real.set(real)
    try:
        yield
    finally:
        _real.reset(token)


def padded_examples() -> Bool[AnyArray, "example"] | None:
    """Return which examples are real, where some may not be."""
    return _real.get()


class Normalise(nn.Module):
    """Normalise by the batch (Ioffe and Szegedy 2015), by groups, or not at all.

    Attributes:
        norm: Which.
        dtype: Type of the computation; parameters and statistics are float32.
    """

    norm: Norm
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, training: bool) -> Array:
        """Normalise, by the batch while training and by the running statistics else."""
        if self.norm == "none":
            return x
        if self.norm == "group":
            groups = min(GROUPS, x.shape[-1])
            return nn.GroupNorm(groups, dtype=self.dtype, name="group")(x)
        norm = nn.BatchNorm(
            use_running_average=not training,
            momentum=MOMENTUM,
            dtype=self.dtype,
            name="batch",
        )
        real = padded_examples() if training else None
        if real is None:
            return norm(x)
        return norm(x, mask=jnp.asarray(real).reshape(-1, *[1] * (x.ndim - 1)))
