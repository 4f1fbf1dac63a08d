"""Densely connected networks of Huang et al. 2017 (arXiv:1608.06993)."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxorder.models.conv import Padding, max_pool, mean_pool
from jaxorder.models.layers import Activation, Conv, dense
from jaxorder.models.norm import Norm, Normalise

SMALL = 64  # pixels; the stem of smaller images keeps their size
BOTTLENECK = 4  # filters of a layer's 1x1 convolution, in multiples of the growth
PADDINGS: dict[int, Padding] = {
    1: "valid",
    3: ((1, 1), (1, 1)),
    7: ((3, 3), (3, 3)),
}


class DenseNet(nn.Module):
    """Blocks of layers that each add filters to all that came before, and an output.

    A layer is normalisation, activation, a 1x1 convolution of four times `growth`
    filters, the same again with 3x3 of `growth`. Between blocks a 1x1 convolution
    halves the filters, and a 2x2 mean pooling the size, where two pixels are left.
    Images under 64 pixels enter by a 3x3 convolution of stride 1, larger ones by 7x7 of
    stride 2 and a 3x3 pooling of stride 2.

    Attributes:
        classes: Outputs.
        blocks: Layers of each block.
        growth: Filters that a layer adds; the stem has twice as many.
        norm: Before each activation: by the batch, by groups, or none.
        activation: Non-linearity; None makes the network linear: no normalisation, and
            pooling by means.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    blocks: tuple[int, ...]
    growth: int
    norm: Norm
    activation: Activation | None
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "example height width channel"], training: bool
    ) -> Float[Array, "example class"]:
        """Return the logits."""
        x = self._stem(x, training)
        for block, layers in enumerate(self.blocks):
            for layer in range(layers):
                x = self._extended(x, f"{block}_{layer}", training)
            if block < len(self.blocks) - 1:
                x = self._activated(x, f"halve_{block}", training)
                x = self._conv(x, x.shape[-1] // 2, 1, f"halve_{block}")
                x = mean_pool(x) if min(x.shape[1:3]) > 1 else x
        x = self._activated(x, "last", training).mean((1, 2))
        return dense(self.classes, self.dtype, "output")(x)

    def _stem(self, x: Array, training: bool) -> Array:
        filters = 2 * self.growth
        if min(x.shape[1:3]) < SMALL:
            return self._conv(x, filters, 3, "stem")
        x = self._conv(x, filters, 7, "stem", stride=2)
        x = self._activated(x, "stem", training)
        pool = max_pool if self.activation else mean_pool
        return pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))

    def _extended(self, x: Array, name: str, training: bool) -> Array:
        y = self._activated(x, f"first_{name}", training)
        y = self._conv(y, BOTTLENECK * self.growth, 1, f"first_{name}")
        y = self._activated(y, f"second_{name}", training)
        y = self._conv(y, self.growth, 3, f"second_{name}")
        return jnp.concatenate([x, y.astype(x.dtype)], -1)

    def _activated(self, x: Array, name: str, training: bool) -> Array:
        if self.activation is None:
            return x
        norm = Normalise(self.norm, self.dtype, name=f"norm_{name}")
        return self.activation(norm(x, training))

    def _conv(
        self, x: Array, filters: int, size: int, name: str, stride: int = 1
    ) -> Array:
        conv = Conv(
            filters,
            (size, size),
            strides=(stride, stride),
            padding=PADDINGS[size],
            bias=False,
            dtype=self.dtype,
            name=f"conv_{name}",
        )
        return conv(x)
