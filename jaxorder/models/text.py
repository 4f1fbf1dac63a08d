"""Networks for texts: numbers of words, 0 where a text has ended."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from jaxorder.models.layers import Activation, Dropout, dense, parameter

Tokens = Int[Array, "example token"]


class BagOfEmbeddings(nn.Module):
    """The mean of a text's word embeddings, hidden layers, and an output.

    After the deep averaging networks of Iyyer et al. 2015.

    Attributes:
        classes: Outputs.
        vocabulary: Words.
        embedding: Values of a word.
        widths: Units of the hidden layers.
        activation: Non-linearity; None makes the network linear in the embeddings.
        dropout: Share of the mean and of each hidden layer dropped while training.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    vocabulary: int
    embedding: int
    widths: tuple[int, ...]
    activation: Activation | None
    dropout: float
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Tokens, training: bool) -> Float[Array, "example class"]:
        """Return the logits."""
        real = x > 0
        x = Embedding(self.vocabulary, self.embedding, self.dtype, name="words")(x)
        count = jnp.maximum(real.sum(1, keepdims=True), 1).astype(x.dtype)
        x = jnp.where(real[..., None], x, 0).sum(1) / count
        x = Dropout(self.dropout, name="dropout")(x, training)
        for i, width in enumerate(self.widths):
            x = dense(width, self.dtype, f"dense_{i}")(x)
            x = x if self.activation is None else self.activation(x)
            x = Dropout(self.dropout, name=f"dropout_{i}")(x, training)
        return dense(self.classes, self.dtype, "output")(x)


class BiLSTMAttention(nn.Module):
    """A bidirectional LSTM whose outputs are weighed by attention, after Zhou et al.

    Zhou et al. 2016 (P16-2034): both directions' outputs are added, weighed by the
    softmax of their tanh's product with a learned vector, and summed; the tanh of that
    is classified. The recurrence passes over the end of a text without a change.

    Attributes:
        classes: Outputs.
        vocabulary: Words.
        embedding: Values of a word.
        units: Of each direction.
        dropout: Share of the embeddings and of what is classified dropped in training.
        dtype: Type of the computation; parameters are float32.
    """

    classes: int
    vocabulary: int
    embedding: int
    units: int
    dropout: float
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Tokens, training: bool) -> Float[Array, "example class"]:
        """Return the logits."""
        real = x > 0
        x = Embedding(self.vocabulary, self.embedding, self.dtype, name="words")(x)
        x = Dropout(self.dropout, name="dropout")(x, training)
        states = BiLSTM(self.units, self.dtype, name="lstm")(x, real)
        scores = nn.Dense(1, use_bias=False, dtype=self.dtype, name="attention")
        weights = scores(jnp.tanh(states))[..., 0].astype(jnp.float32)
        # a text of no words at all weighs every place alike
        weights = jax.nn.softmax(jnp.where(real, weights, -1e9), 1)
        x = jnp.tanh((weights[..., None].astype(states.dtype) * states).sum(1))
        x = Dropout(self.dropout, name="dropout_output")(x, training)
        return dense(self.classes, self.dtype, "output")(x)


class Embedding(nn.Module):
    """Learned values of each word."""

    vocabulary: int
    size: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Tokens) -> Float[Array, "example token value"]:
        """Look words up."""
        shape = (self.vocabulary, self.size)
        table = parameter(self, "table", nn.initializers.normal(0.1), shape)
        return table[x].astype(self.dtype)


class BiLSTM(nn.Module):
    """An LSTM in both directions at once (Hochreiter and Schmidhuber 1997).

    The products with the inputs are made beforehand for all places; a step takes both
    directions.
    """

    units: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "example token value"], real: Array
    ) -> Float[Array, "example token unit"]:
        """Return the sum of both directions' outputs at each place."""
        units = self.units
        shape = (x.shape[-1], 2 * 4 * units)
        kernel = parameter(self, "kernel", nn.initializers.glorot_uniform(), shape)
        shape = (2, units, 4 * units)
        recurrent = parameter(self, "recurrent", _orthogonal_each, shape)
        bias = parameter(self, "bias", _forget_bias, (2 * 4 * units,))
        # the second direction reads backwards; products are made in the order in which
        # they are read, so that nothing as large as they are is moved
        x, real = x.transpose(1, 0, 2), real.T
        columns = jnp.split(kernel.astype(self.dtype), 2, -1)
        biases = jnp.split(bias.astype(self.dtype), 2)
        made = [
            read @ own + bias
            for read, own, bias in zip((x, x[::-1]), columns, biases, strict=True)
        ]
        reads = [real, real[::-1]]
        forwards, backwards = _recur(made, recurrent.astype(self.dtype), reads)
        return (forwards + backwards[::-1]).transpose(1, 0, 2)


def _orthogonal_each(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32):
    """Return an orthogonal kernel for each direction."""
    one = nn.initializers.orthogonal()
    return jnp.stack(
        [one(k, shape[1:], dtype) for k in jax.random.split(key, shape[0])]
    )


def _forget_bias(key: Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32):
    """Return zeros, and ones for the forget gates (Jozefowicz et al. 2015)."""
    del key
    units = shape[0] // 8
    one = jnp.concatenate([jnp.zeros(units), jnp.ones(units), jnp.zeros(2 * units)])
    return jnp.tile(one, 2).astype(dtype)


def _recur(
    made: list[Float[Array, "token example gate"]],
    recurrent: Float[Array, "direction unit gate"],
    real: list[Bool[Array, "token example"]],
) -> list[Float[Array, "token example unit"]]:
    """Return each direction's outputs; where there is no word, nothing changes."""

    def step(carry: Any, now: Any) -> tuple[Any, list[Array]]:
        made, real = now
        after = [
            _step(cell, output, gates, word, weights)
            for (cell, output), gates, word, weights in zip(
                carry, made, real, recurrent, strict=True
            )
        ]
        return after, [output for _, output in after]

    zeros = jnp.zeros((made[0].shape[1], recurrent.shape[1]), made[0].dtype)
    return lax.scan(step, [(zeros, zeros)] * 2, (made, real))[1]


def _step(
    cell: Array, output: Array, made: Array, real: Array, recurrent: Array
) -> tuple[Array, Array]:
    """Return a direction's cells and outputs after a word."""
    enter, forget, leave, new = jnp.split(made + output @ recurrent, 4, -1)
    next_cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(enter) * jnp.tanh(new)
    next_output = jax.nn.sigmoid(leave) * jnp.tanh(next_cell)
    keep = real[:, None]
    return jnp.where(keep, next_cell, cell), jnp.where(keep, next_output, output)
