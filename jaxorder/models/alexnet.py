"""AlexNet in one column, after Krizhevsky 2014 (arXiv:1404.5997)."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxorder.models.conv import Padding, max_pool, mean_pool
from jaxorder.models.layers import Activation, Conv, Dropout, dense

SMALL = 64  # pixels; smaller images enter by 3x3 convolutions and keep their size
GRID = 6  # sides of what the dense layers see of a large image


class AlexNet(nn.Module):
    """Five convolutions and two dense layers of 4096.

    Large images enter by 11x11 of stride 4 and 5x5, and are pooled 3x3 of stride 2;
    the dense layers see their means on a 6x6 grid. Of images under 64 pixels the first
    two convolutions are 3x3, and poolings 2x2 of stride 2 where two pixels are left.

    Attributes:
        classes: Outputs.
        width: Filters of the first convolution; the others are in proportion.
        activation: Non-linearity; None makes the network linear, and pools by means.
        dropout: Share dropped before each of the two dense layers.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    width: int
    activation: Activation | None
    dropout: float
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "example height width channel"], training: bool
    ) -> Float[Array, "example class"]:
        """Return the logits."""
        activate = self.activation or (lambda x: x)
        small = min(x.shape[1:3]) < SMALL
        for i, (share, window, stride, pad, pooled) in enumerate(_layers(small)):
            conv = Conv(
                self.width * share // 64,
                (window, window),
                strides=(stride, stride),
                padding=_all_sides(pad),
                dtype=self.dtype,
                name=f"conv_{i}",
            )
            x = activate(conv(x))
            x = self._pooled(x, small) if pooled else x
        x = x if small else _grid_means(x, GRID)
        x = x.reshape(x.shape[0], -1)
        for i in range(2):
            x = Dropout(self.dropout, name=f"dropout_{i}")(x, training)
            x = activate(dense(64 * self.width, self.dtype, f"dense_{i}")(x))
        return dense(self.classes, self.dtype, "output")(x)

    def _pooled(self, x: Array, small: bool) -> Array:
        pool = max_pool if self.activation else mean_pool
        if not small:
            return pool(x, (3, 3), (2, 2), "valid")
        return pool(x) if min(x.shape[1:3]) > 1 else x


def _layers(small: bool) -> tuple[tuple[int, int, int, int, bool], ...]:
    """Return filters (at width 64), window, stride, padding, whether pooled."""
    first = (64, 3, 1, 1, True) if small else (64, 11, 4, 2, True)
    second = (192, 3, 1, 1, True) if small else (192, 5, 1, 2, True)
    rest = ((384, 3, 1, 1, False), (256, 3, 1, 1, False), (256, 3, 1, 1, True))
    return first, second, *rest


def _all_sides(pad: int) -> Padding:
    return ((pad, pad), (pad, pad))


def _grid_means(x: Array, size: int) -> Array:
    """Return means over a grid of cells, which overlap where they do not divide."""
    for axis in (1, 2):
        extent = x.shape[axis]
        bounds = [
            (i * extent // size, -(-(i + 1) * extent // size)) for i in range(size)
        ]
        cells = [
            x.take(jnp.arange(low, high), axis).mean(axis, keepdims=True)
            for low, high in bounds
        ]
        x = jnp.concatenate(cells, axis)
    return x
