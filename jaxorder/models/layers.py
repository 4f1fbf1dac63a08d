"""Layers that the architectures share, as Flax Linen modules."""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import ScopeParamShapeError
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int, Key

from jaxorder.models.ambient import Initializer, ambient
from jaxorder.models.conv import Padding, Size, convolve

Activation = Callable[[Array], Array]


@jax.custom_vjp
def elu(x: Array) -> Array:
    """Return x where positive, else exp(x) - 1, after Clevert et al. 2016.

    Its derivative is taken from its value, which the next layer keeps anyway; JAX's own
    keeps the exponential besides, and takes twice as long on a CPU.
    """
    return jnp.where(x > 0, x, jnp.exp(jnp.minimum(x, 0)) - 1)


def _elu_forward(x):
    y = elu(x)
    return y, y


def _elu_backward(y, gradient):
    return (jnp.where(y > 0, gradient, gradient * (y + 1)),)


elu.defvjp(_elu_forward, _elu_backward)
ACTIVATIONS: dict[str, Activation] = {
    "elu": elu,
    "gelu": nn.gelu,
    "relu": nn.relu,
    "tanh": jnp.tanh,
}


INITIALIZERS: dict[str, Initializer | None] = {
    "default": None,
    "he": nn.initializers.he_normal(),
    "lecun": nn.initializers.lecun_normal(),
    "glorot": nn.initializers.glorot_uniform(),
    "orthogonal": nn.initializers.orthogonal(),
}


def dense(units: int, dtype: DTypeLike, name: str) -> nn.Dense:
    """Return a dense layer, of LeCun's initial weights unless others were chosen."""
    kernel = ambient().initializer or nn.initializers.lecun_normal()
    return nn.Dense(units, dtype=dtype, kernel_init=kernel, name=name)


def parameter(
    module: nn.Module, name: str, initial: Initializer, shape: tuple[int, ...]
) -> Array:
    """Return a module's parameter, and draw it where there is none yet.

    Linen's `param` finds the shape that it expects by tracing the initialiser at every
    call, a fifth of the time in which a deep network is traced.

    Raises:
        ScopeParamShapeError: The parameter has another shape.
    """
    if not module.has_variable("params", name):
        return module.param(name, initial, shape)
    found = module.get_variable("params", name)
    if found.shape != shape:
        path = "/".join(module.path)
        raise ScopeParamShapeError(name, path, found.shape, shape)
    return found


class Conv(nn.Module):
    """A convolution, by default of stride 1, of the image's size, and with a bias.

    With `silent` its initial weights are zero, whatever initialiser was chosen.
    """

    filters: int
    window: Size
    strides: Size = (1, 1)
    padding: Padding = "same"
    bias: bool = True
    silent: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "example height width channel"]) -> Array:
        """Convolve images."""
        shape = (*self.window, x.shape[-1], self.filters)
        initial = ambient().initializer or nn.initializers.he_normal()
        initial = nn.initializers.zeros if self.silent else initial
        kernel = parameter(self, "kernel", initial, shape)
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        x = convolve(x, kernel, self.strides, self.padding)
        if not self.bias:
            return x
        bias = parameter(self, "bias", nn.initializers.zeros, (self.filters,))
        return x + bias.astype(self.dtype)


class Dropout(nn.Module):
    """Set a share of the values to zero while training, and scale up the rest."""

    rate: float

    @nn.compact
    def __call__(self, x: Array, training: bool) -> Array:
        """Drop values, drawn from the stream `dropout`, if training."""
        if not training or self.rate == 0:
            return x
        key, relative = self.make_rng("dropout"), ambient().dropout
        if relative is None:
            return x * keep_mask(key, self.rate, x.shape, x.dtype)
        return x * varied_mask(key, self.rate * relative, x.shape, x.dtype)


def keep_mask(
    key: Key[Array, ""], rate: float, shape: tuple[int, ...], dtype: DTypeLike
) -> Array:
    """Return 0 with probability rate and 1 / (1 - rate) else.

    The rate is met to 1/256 where it is a multiple of it, as 0.25 and 0.5 are, at a
    quarter of the random bits of a comparison of floats, else to 1/65536: drawing
    bits is a large part of a small network's step on a CPU.
    """
    number = jnp.uint8 if (rate * 256).is_integer() else jnp.uint16
    levels = jnp.iinfo(number).max + 1
    dropped = round(rate * levels)
    scale = levels / (levels - dropped)
    kept = _random_numbers(key, shape, number) >= dropped
    return jnp.where(kept, scale, 0).astype(dtype)


def varied_mask(
    key: Key[Array, ""], rate: Array, shape: tuple[int, ...], dtype: DTypeLike
) -> Array:
    """Return the same of a rate that is known while running only, met to 1/65536."""
    levels = 65536
    dropped = jnp.round(rate * levels)
    kept = _random_numbers(key, shape, jnp.uint16) >= dropped
    return jnp.where(kept, levels / (levels - dropped), 0).astype(dtype)


def _random_numbers(key: Key[Array, ""], shape: tuple[int, ...], kind: Any) -> Array:
    """Return random whole numbers of a type of 8 or 16 bits, four or two a word."""
    per_word = 4 // kind.dtype.itemsize
    size = math.prod(shape)
    words = jax.random.bits(key, (-(-size // per_word),), jnp.uint32)
    return lax.bitcast_convert_type(words, kind).reshape(-1)[:size].reshape(shape)


def bag_of_words(
    tokens: Int[Array, "example token"], vocabulary: int
) -> Float[Array, "example word"]:
    """Return 1 + ln(count) of each word, 0 where it does not occur, by its length.

    Rows have length 1 times the square root of the vocabulary, so that values have
    mean square 1 as standardised inputs have. Word 0, which fills up short texts, does
    not count. Sublinear term frequencies as in Manning et al. 2008, section 6.4.1.
    """
    rows = jnp.arange(tokens.shape[0])[:, None]
    ones = (tokens > 0).astype(jnp.float32)
    counts = jnp.zeros((tokens.shape[0], vocabulary)).at[rows, tokens].add(ones)
    weights = jnp.where(counts > 0, 1 + jnp.log(jnp.maximum(counts, 1)), 0)
    length = jnp.sqrt(jnp.sum(jnp.square(weights), 1, keepdims=True))
    return weights * jnp.sqrt(vocabulary) / jnp.maximum(length, 1)
