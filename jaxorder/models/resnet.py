"""Residual networks of He, Zhang, Ren and Sun 2016 (arXiv:1512.03385)."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxorder.models.conv import max_pool, mean_pool
from jaxorder.models.layers import Activation, Conv, dense
from jaxorder.models.norm import Norm, Normalise

SMALL = 64  # pixels; the stem of smaller images keeps their size
EXPANSION = 4  # of a bottleneck's filters at its end


class ResNet(nn.Module):
    """Residual blocks in four stages, each block added to its input, and an output.

    A block is two 3x3 convolutions, or with `bottleneck` 1x1, 3x3 and 1x1, the last
    with four times the filters. Images under 64 pixels enter by a 3x3 convolution of
    stride 1, larger ones by 7x7 of stride 2 and a 3x3 pooling of stride 2. The second,
    third and fourth stage halve the size, in their first 3x3 convolution, and double
    the filters, with a 1x1 convolution beside. Without normalisation a block's last
    convolution begins with zeros, as in Zhang et al. 2019 (arXiv:1901.09321): else
    what is added doubles the variance block after block, and training diverges.

    Attributes:
        classes: Outputs.
        blocks: Blocks of each stage.
        bottleneck: Whether blocks have a bottleneck.
        width: Filters of the first stage.
        norm: After each convolution: by the batch, by groups, or none.
        activation: Non-linearity; None makes the network linear: no normalisation, and
            pooling by means.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    blocks: tuple[int, ...]
    bottleneck: bool
    width: int
    norm: Norm
    activation: Activation | None
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "example height width channel"], training: bool
    ) -> Float[Array, "example class"]:
        """Return the logits."""
        activate = self.activation or (lambda x: x)
        if min(x.shape[1:3]) < SMALL:
            x = activate(self._normed(x, self.width, 3, 1, "stem", training))
        else:
            x = activate(self._normed(x, self.width, 7, 2, "stem", training))
            pool = max_pool if self.activation else mean_pool
            x = pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
        block = self._bottleneck if self.bottleneck else self._basic
        for stage, count in enumerate(self.blocks):
            for i in range(count):
                stride = 2 if stage and not i else 1
                name, filters = f"{stage}_{i}", self.width << stage
                y = block(x, filters, stride, name, training)
                if x.shape != y.shape:
                    beside = f"beside_{name}"
                    x = self._normed(x, y.shape[-1], 1, stride, beside, training)
                x = activate(x + y)
        x = x.mean((1, 2))
        return dense(self.classes, self.dtype, "output")(x)

    def _basic(
        self, x: Array, filters: int, stride: int, name: str, training: bool
    ) -> Array:
        activate = self.activation or (lambda x: x)
        x = activate(self._normed(x, filters, 3, stride, f"first_{name}", training))
        return self._normed(x, filters, 3, 1, f"second_{name}", training, last=True)

    def _bottleneck(
        self, x: Array, filters: int, stride: int, name: str, training: bool
    ) -> Array:
        activate = self.activation or (lambda x: x)
        x = activate(self._normed(x, filters, 1, 1, f"first_{name}", training))
        x = activate(self._normed(x, filters, 3, stride, f"second_{name}", training))
        filters *= EXPANSION
        return self._normed(x, filters, 1, 1, f"third_{name}", training, last=True)

    def _normed(
        self,
        x: Array,
        filters: int,
        size: int,
        stride: int,
        name: str,
        training: bool,
        last: bool = False,
    ) -> Array:
        pad = size // 2
        norm: Norm = "none" if self.activation is None else self.norm
        conv = Conv(
            filters,
            (size, size),
            strides=(stride, stride),
            padding=((pad, pad), (pad, pad)),
            bias=False,
            silent=last and norm == "none",
            dtype=self.dtype,
            name=f"conv_{name}",
        )
        return Normalise(norm, self.dtype, name=f"norm_{name}")(conv(x), training)
