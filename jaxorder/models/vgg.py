"""VGG-19, and the VGG-like networks of the study."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxorder.models.conv import max_pool, mean_pool
from jaxorder.models.layers import Activation, Conv, Dropout, dense
from jaxorder.models.norm import Norm, Normalise

LAYERS_19 = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))  # filters in widths, how many


class StVGG(nn.Module):
    """Pairs of convolutions, a dense layer, and an output, after Hacohen et al. 2020.

    Convolutions keep the image's size; after every second one the image is pooled 2x2
    and a share of its values dropped; then comes a dense layer with twice the dropout.
    An odd last row or column is cut by the pooling: 28x28 images become 14x14, 7x7,
    3x3 and 1x1.

    Attributes:
        classes: Outputs.
        filters: Of the convolutions.
        windows: Height and width of each convolution's kernel.
        dense: Units of the dense layer.
        activation: Non-linearity; None makes the network linear, and pools by means.
        dropout: Share dropped after a pooling; the dense layer drops twice as much.
        norm: Before each activation of a convolution: by the batch, by groups, or none.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    filters: tuple[int, ...]
    windows: tuple[int, ...]
    dense: int
    activation: Activation | None
    dropout: float
    norm: Norm
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "example height width channel"], training: bool
    ) -> Float[Array, "example class"]:
        """Return the logits."""
        activate = self.activation or (lambda x: x)
        pool = max_pool if self.activation else mean_pool
        layers = zip(self.filters, self.windows, strict=True)
        for i, (filters, size) in enumerate(layers):
            conv = Conv(filters, (size, size), dtype=self.dtype, name=f"conv_{i}")
            norm = Normalise(self.norm, self.dtype, name=f"norm_{i}")
            x = activate(norm(conv(x), training))
            if i % 2:
                x = Dropout(self.dropout, name=f"dropout_{i}")(pool(x), training)
        x = x.reshape(x.shape[0], -1)
        x = activate(dense(self.dense, self.dtype, "dense")(x))
        x = Dropout(2 * self.dropout, name="dropout_dense")(x, training)
        return dense(self.classes, self.dtype, "output")(x)


class VGG19(nn.Module):
    """Sixteen 3x3 convolutions in five stages, two dense layers, and an output.

    Configuration E of Simonyan and Zisserman 2015 (arXiv:1409.1556). Each stage ends
    with a 2x2 pooling of stride 2, wherever two pixels are left.

    Attributes:
        classes: Outputs.
        width: Filters of the first stage; the dense layers have 64 times as many.
        activation: Non-linearity; None makes the network linear, and pools by means.
        dropout: Share dropped after each dense layer.
        norm: Before each activation of a convolution: by the batch, by groups, or none.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    width: int
    activation: Activation | None
    dropout: float
    norm: Norm
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "example height width channel"], training: bool
    ) -> Float[Array, "example class"]:
        """Return the logits."""
        activate = self.activation or (lambda x: x)
        pool = max_pool if self.activation else mean_pool
        for stage, (share, layers) in enumerate(LAYERS_19):
            for i in range(layers):
                name = f"{stage}_{i}"
                filters = self.width * share
                conv = Conv(filters, (3, 3), dtype=self.dtype, name=f"conv_{name}")
                norm = Normalise(self.norm, self.dtype, name=f"norm_{name}")
                x = activate(norm(conv(x), training))
            x = pool(x) if min(x.shape[1:3]) > 1 else x
        x = x.reshape(x.shape[0], -1)
        for i in range(2):
            x = activate(dense(64 * self.width, self.dtype, f"dense_{i}")(x))
            x = Dropout(self.dropout, name=f"dropout_{i}")(x, training)
        return dense(self.classes, self.dtype, "output")(x)
