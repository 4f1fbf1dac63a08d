"""VGG-like networks of the study."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxorder.models.conv import max_pool, mean_pool
from jaxorder.models.layers import Activation, Conv, Dropout


class SmallStVGG(nn.Module):
    """Four 3x3 convolutions, a dense layer, and an output, after Hacohen et al. 2020.

    Convolutions of 32, 32, 64 and 64 filters keep the image's size; after every
    second one the image is pooled 2x2 and a share of its values dropped; then comes a
    dense layer of 256 with dropout 0.5. An odd last row or column is cut by the
    pooling: 28x28 images become 14x14 and 7x7.

    Attributes:
        classes: Outputs.
        activation: Non-linearity; None makes the network linear, and pools by means.
        dropout: Share dropped after a pooling; the dense layer drops twice as much.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
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
        for i, filters in enumerate((32, 32, 64, 64)):
            x = activate(Conv(filters, (3, 3), dtype=self.dtype, name=f"conv_{i}")(x))
            if i % 2:
                x = Dropout(self.dropout, name=f"dropout_{i}")(pool(x), training)
        x = x.reshape(x.shape[0], -1)
        x = activate(nn.Dense(256, dtype=self.dtype, name="dense")(x))
        x = Dropout(2 * self.dropout, name="dropout_dense")(x, training)
        return nn.Dense(self.classes, dtype=self.dtype, name="output")(x)
