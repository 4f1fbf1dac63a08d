"""What layers of Flax are lent, Linen's and NNX's, to run as ours do."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from jaxorder.models import conv
from jaxorder.models.ambient import ambient


def masked(x: Array) -> dict[str, Array]:
    """Return what keeps the examples that fill up a batch out of its statistics.

    Args:
        x: What batch normalisation is called with.

    Returns:
        A mask, as Flax names it; nothing where the first axis is not the examples'.
    """
    real = ambient().real
    if real is None or len(real) != len(x):
        return {}
    return {"mask": jnp.asarray(real).reshape(-1, *[1] * (x.ndim - 1))}


def convolved(
    x: Array,
    kernel: Array,
    strides: Any,
    padding: Any,
    *,
    lhs_dilation: Any,
    rhs_dilation: Any,
    feature_group_count: int,
    **rest: Any,
) -> Array:
    """Convolve by the plan's method as `lax.conv_general_dilated` would.

    Args:
        x: Inputs, channels last.
        kernel: Weights.
        strides: Steps of the window along each axis.
        padding: Zeros before and after along each axis, or a name.
        lhs_dilation: Steps between the values of the input.
        rhs_dilation: Steps between the values of the kernel.
        feature_group_count: Parts of the channels.
        **rest: What Flax passes beside: the layout, which is always that, and the
            precision, which is the plan's.
    """
    del rest
    spread = conv.Spread(tuple(lhs_dilation), tuple(rhs_dilation), feature_group_count)
    return conv.convolve_any(x, kernel, tuple(strides), padding, spread)
