"""VGG-like networks of the study."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxorder.models.conv import max_pool, mean_pool
from jaxorder.models.layers import Activation, Conv, Dropout


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
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    filters: tuple[int, ...]
    windows: tuple[int, ...]
    dense: int
    activation: Activation | None
    dropout: float
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
            x = activate(conv(x))
            if i % 2:
                x = Dropout(self.dropout, name=f"dropout_{i}")(pool(x), training)
        x = x.reshape(x.shape[0], -1)
        x = activate(nn.Dense(self.dense, dtype=self.dtype, name="dense")(x))
        x = Dropout(2 * self.dropout, name="dropout_dense")(x, training)
        return nn.Dense(self.classes, dtype=self.dtype, name="output")(x)
