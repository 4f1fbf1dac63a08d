"""Fully connected networks."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Shaped

from jaxorder.models.layers import Activation, Dropout, bag_of_words, dense
from jaxorder.models.norm import Norm, Normalise


class MLP(nn.Module):
    """Dense layers of given widths, each with an activation; none: softmax regression.

    Attributes:
        classes: Outputs.
        widths: Units of the hidden layers.
        activation: Non-linearity; None makes the network linear.
        norm: Before each activation: by the batch, by groups, or none.
        dropout: Share of each hidden layer's units dropped while training.
        vocabulary: Number of words where the inputs are texts, which then come in as
            bags of words; 0: the inputs are numbers.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    widths: tuple[int, ...]
    activation: Activation | None
    norm: Norm
    dropout: float
    vocabulary: int = 0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Shaped[Array, "example *input"], training: bool
    ) -> Float[Array, "example class"]:
        """Return the logits."""
        if self.vocabulary:
            x = bag_of_words(x, self.vocabulary)
        x = x.reshape(x.shape[0], -1)
        for i, width in enumerate(self.widths):
            x = dense(width, self.dtype, f"dense_{i}")(x)
            x = Normalise(self.norm, self.dtype, name=f"norm_{i}")(x, training)
            x = x if self.activation is None else self.activation(x)
            x = Dropout(self.dropout, name=f"dropout_{i}")(x, training)
        return dense(self.classes, self.dtype, "output")(x)
