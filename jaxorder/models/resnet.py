"""Residual networks of He, Zhang, Ren and Sun 2016 (arXiv:1512.03385)."""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxorder.models.conv import max_pool, mean_pool
from jaxorder.models.layers import Activation, Conv

Norm = Literal["group", "none"]
GROUPS = 32  # after Wu and He 2018 (arXiv:1803.08494)
SMALL = 64  # pixels; the stem of smaller images keeps their size


class ResNet18(nn.Module):
    """Eight blocks of two 3x3 convolutions, each added to its input, and an output.

    Images under 64 pixels enter by a 3x3 convolution of stride 1, larger ones by 7x7
    of stride 2 and a 3x3 pooling of stride 2. The second, third and fourth pair of
    blocks halve the size and double the filters, with a 1x1 convolution beside.

    Attributes:
        classes: Outputs.
        width: Filters of the first blocks.
        norm: After each convolution: group normalisation, or none.
        activation: Non-linearity; None makes the network linear: no normalisation, and
            pooling by means.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    width: int
    norm: Norm
    activation: Activation | None
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "example height width channel"], training: bool
    ) -> Float[Array, "example class"]:
        """Return the logits."""
        del training
        if min(x.shape[1:3]) < SMALL:
            x = self._convolved(x, self.width, 3, 1, "stem")
        else:
            x = self._convolved(x, self.width, 7, 2, "stem")
            pool = max_pool if self.activation else mean_pool
            x = pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
        for stage in range(4):
            for block in range(2):
                stride = 2 if stage and not block else 1
                x = self._block(x, self.width << stage, stride, f"{stage}_{block}")
        x = x.mean((1, 2))
        return nn.Dense(self.classes, dtype=self.dtype, name="output")(x)

    def _block(self, x: Array, filters: int, stride: int, name: str) -> Array:
        activate = self.activation or (lambda x: x)
        y = self._convolved(x, filters, 3, stride, f"first_{name}")
        y = self._normed_conv(y, filters, 3, 1, f"second_{name}")
        if x.shape != y.shape:
            x = self._normed_conv(x, filters, 1, stride, f"beside_{name}")
        return activate(x + y)

    def _convolved(
        self, x: Array, filters: int, size: int, stride: int, name: str
    ) -> Array:
        x = self._normed_conv(x, filters, size, stride, name)
        return self.activation(x) if self.activation else x

    def _normed_conv(
        self, x: Array, filters: int, size: int, stride: int, name: str
    ) -> Array:
        pad = size // 2
        conv = Conv(
            filters,
            (size, size),
            strides=(stride, stride),
            padding=((pad, pad), (pad, pad)),
            bias=False,
            dtype=self.dtype,
            name=f"conv_{name}",
        )
        x = conv(x)
        if self.norm == "none" or self.activation is None:
            return x
        groups = min(GROUPS, filters)
        return nn.GroupNorm(groups, dtype=self.dtype, name=f"norm_{name}")(x)
