"""Normalisation: by the batch, with statistics that are each member's own, or groups.

An epoch's last batch is padded. Batch statistics must not see the padding, but a module
is called with inputs alone: the weights of the examples are set around the call.
"""

import math
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array

from jaxorder.models.ambient import ambient
from jaxorder.models.blocks import alike
from jaxorder.models.layers import parameter

Norm = Literal["batch", "group", "none"]
GROUPS = 32  # after Wu and He 2018 (arXiv:1803.08494)
# At 0.99 the statistics lag some 100 steps behind: early snapshots would measure that.
MOMENTUM = 0.9
EPSILON = 1e-5  # added to the variance, as by Linen

AnyArray = Array | np.ndarray


class Normalise(nn.Module):
    """Normalise by the batch (Ioffe and Szegedy 2015), by groups, or not at all.

    Attributes:
        norm: Which.
        dtype: Type of the computation; parameters and statistics are float32.
    """

    norm: Norm
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, training: bool) -> Array:
        """Normalise, by the batch while training and by the running statistics else."""
        if self.norm == "none":
            return x
        if self.norm == "group":
            groups = min(GROUPS, x.shape[-1])
            return nn.GroupNorm(groups, dtype=self.dtype, name="group")(x)
        return BatchNorm(self.dtype, name="batch")(x, training)


class BatchNorm(nn.Module):
    """Normalise by the batch; parameters and statistics are named as Linen's are.

    Linen's own, told which examples are real, counts them anew for every channel in
    each layer, and compiles to several times as many kernels.
    """

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, training: bool) -> Array:
        """Normalise, by the batch while training and by the running statistics else."""
        shape = x.shape[-1:]
        scale = parameter(self, "scale", nn.initializers.ones, shape)
        bias = parameter(self, "bias", nn.initializers.zeros, shape)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        variance = self.variable("batch_stats", "var", jnp.ones, shape)
        if not training:
            y = _by_statistics(x, scale, bias, mean.value, variance.value)
            return y.astype(self.dtype)
        real = ambient().real
        weights = jnp.ones(len(x)) if real is None else jnp.asarray(real, jnp.float32)
        weights = weights.reshape(-1, *[1] * (x.ndim - 1))
        y, *found = _by_batch(*alike(x, scale, bias, weights))
        for kept, new in zip((mean, variance), found, strict=True):
            kept.value = _moved(kept.value, new)
        return y.astype(self.dtype)


# Jitted functions are traced and lowered once for all layers of a shape.
@jax.jit
def _by_statistics(x: Array, scale: Array, bias: Array, mean: Array, variance: Array):
    return (x - mean) * (scale * lax.rsqrt(variance + EPSILON)) + bias


@jax.jit
def _moved(kept: Array, new: Array) -> Array:
    return MOMENTUM * kept + (1 - MOMENTUM) * new


@jax.custom_vjp
def _by_batch(
    x: Array, scale: Array, bias: Array, weights: Array
) -> tuple[Array, Array, Array]:
    """Return normalised values in float32, and mean and variance of each channel.

    Examples of weight 0 are normalised as the others are, and not counted. Gradients
    of the statistics are not passed on.
    """
    return _by_batch_forward(x, scale, bias, weights)[0]


@jax.jit
def _by_batch_forward(x, scale, bias, weights):
    values = x.astype(jnp.float32)
    share = weights / (weights.sum() * math.prod(x.shape[1:-1]))
    axes = tuple(range(x.ndim - 1))
    mean = jnp.sum(values * share, axes)
    variance = jnp.maximum(jnp.sum(values**2 * share, axes) - mean**2, 0)
    inverse = lax.rsqrt(variance + EPSILON)
    y = (values - mean) * (scale * inverse) + bias
    return (y, mean, variance), (x, scale, mean, inverse, share)


@jax.jit
def _by_batch_backward(saved, gradients):
    x, scale, mean, inverse, share = saved
    gradient = gradients[0]
    axes = tuple(range(x.ndim - 1))
    standard = (x.astype(jnp.float32) - mean) * inverse
    to_bias = jnp.sum(gradient, axes)
    to_scale = jnp.sum(gradient * standard, axes)
    through = share * (to_bias + standard * to_scale)
    to_x = (scale * inverse) * (gradient - through)
    return to_x.astype(x.dtype), to_scale, to_bias, jnp.zeros_like(share)


_by_batch.defvjp(_by_batch_forward, _by_batch_backward)
