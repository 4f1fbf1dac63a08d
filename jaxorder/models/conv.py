"""Convolution and pooling whose gradients are fast inside a compiled loop on a CPU.

XLA's own weight gradient of a convolution is some 60 times slower on the CPU inside
a loop than outside, and training runs inside loops. Here the weight gradient is a
matrix product of patches, taken from blocks of images that fit the cache, and a
convolution of few input channels is a product of patches throughout. Other devices
keep XLA's convolution and gradient.
"""

from contextvars import ContextVar
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

LAYOUT = ("NHWC", "HWIO", "NHWC")
# Patches of a block of images stay in a core's cache; found best in shared trials
# between 1 and 2 MB on a core with 1 MB of L2 and a share of L3.
CACHE_BYTES = 1_500_000
# Up to here XLA's direct convolution wastes vector lanes on the input channels.
FEW_CHANNELS = 4

Pads = tuple[tuple[int, int], tuple[int, int]]
Images = Float[Array, "example height width channel"]
Filtered = Float[Array, "example rows columns filter"]
Pooled = Float[Array, "example rows columns channel"]
Kernel = Float[Array, "kernel_height kernel_width channel filter"]


# How to convolve: "auto" by the device, or "native" for XLA's own gradients.
# Read while tracing.
METHOD: ContextVar[str] = ContextVar("METHOD", default="auto")


def convolve(
    x: Images, kernel: Kernel, strides: tuple[int, int], pads: Pads
) -> Filtered:
    """Convolve images with a kernel.

    Args:
        x: Images.
        kernel: Weights.
        strides: Steps of the window in height and width, at least 1.
        pads: Zeros put before and after, in height and in width.

    Returns:
        Images of as many channels as the kernel has filters.
    """
    if METHOD.get() == "native" or jax.default_backend() != "cpu":
        return _direct(x, kernel, strides, pads)
    if x.shape[-1] <= FEW_CHANNELS:
        return _patches_times(x, kernel, strides, pads)
    return _blocked(strides, pads, x, kernel)


def same_pads(window: tuple[int, int]) -> Pads:
    """Return the zeros that keep an image's size at stride 1.

    An even kernel has the odd one out after the image, as in XLA's "SAME".
    """
    top, left = (window[0] - 1) // 2, (window[1] - 1) // 2
    return (top, window[0] - 1 - top), (left, window[1] - 1 - left)


def _direct(
    x: Images, kernel: Kernel, strides: tuple[int, int], pads: Pads
) -> Filtered:
    return lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=LAYOUT)


def _patches(
    x: Images, window: tuple[int, int], strides: tuple[int, int], pads: Pads
) -> Float[Array, "example rows columns patch"]:
    """Return the values under each placing of the window, in the kernel's order."""
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    out = [(x.shape[axis + 1] - window[axis]) // strides[axis] + 1 for axis in range(2)]
    shifted = [
        lax.slice(
            x,
            (0, i, j, 0),
            (
                x.shape[0],
                i + (out[0] - 1) * strides[0] + 1,
                j + (out[1] - 1) * strides[1] + 1,
                x.shape[3],
            ),
            (1, *strides, 1),
        )
        for i in range(window[0])
        for j in range(window[1])
    ]
    return jnp.concatenate(shifted, axis=-1)


def _patches_times(
    x: Images, kernel: Kernel, strides: tuple[int, int], pads: Pads
) -> Filtered:
    patches = _patches(x, (kernel.shape[0], kernel.shape[1]), strides, pads)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _blocked(
    strides: tuple[int, int], pads: Pads, x: Images, kernel: Kernel
) -> Filtered:
    return _direct(x, kernel, strides, pads)


def _blocked_forward(strides, pads, x, kernel):
    return _direct(x, kernel, strides, pads), (x, kernel)


def _blocked_backward(strides, pads, saved, gradient):
    x, kernel = saved
    to_input = _input_gradient(gradient, kernel, x.shape[1:3], strides, pads)
    to_kernel = _kernel_gradient(x, gradient, kernel.shape[:2], strides, pads)
    return to_input, to_kernel.reshape(kernel.shape).astype(kernel.dtype)


_blocked.defvjp(_blocked_forward, _blocked_backward)


def _input_gradient(gradient, kernel, size, strides, pads):
    """Return the gradient as a plain convolution with the flipped kernel.

    XLA's own asks the CPU for a reversed window or a dilated input, for which it has
    only slow loops; here the kernel is flipped, and zeros put between, beforehand.
    """
    flipped = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    spread = [(0, 0, 0)]
    for axis in range(2):
        window, stride, before = kernel.shape[axis], strides[axis], pads[axis][0]
        spaced = (gradient.shape[axis + 1] - 1) * stride + 1
        low = window - 1 - before
        spread.append((low, size[axis] + window - 1 - spaced - low, stride - 1))
    zero = jnp.zeros((), gradient.dtype)
    spread_out = lax.pad(gradient, zero, [*spread, (0, 0, 0)])
    return _direct(spread_out, flipped, (1, 1), ((0, 0), (0, 0)))


def _kernel_gradient(x, gradient, window, strides, pads):
    """Return patches^T times the output's gradient, summed over blocks of images."""
    patch_size = window[0] * window[1] * x.shape[-1]
    filters = gradient.shape[-1]
    image_bytes = gradient.shape[1] * gradient.shape[2] * patch_size * x.dtype.itemsize
    block = max(1, min(x.shape[0], CACHE_BYTES // max(1, image_bytes)))

    def add(total, pair):
        patches = _patches(pair[0], window, strides, pads).reshape(-1, patch_size)
        product = lax.dot_general(
            pair[1].reshape(-1, filters),
            patches,
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.float32,
        )
        return total + product, None

    blocks = _in_blocks(x, block), _in_blocks(gradient, block)
    total, _ = lax.scan(add, jnp.zeros((filters, patch_size), jnp.float32), blocks)
    return total.T


def _in_blocks(
    x: Images, block: int
) -> Float[Array, "block image height width channel"]:
    """Split images into blocks; zeros fill the last, and add nothing to a product."""
    missing = -x.shape[0] % block
    x = jnp.pad(x, ((0, missing), (0, 0), (0, 0), (0, 0)))
    return x.reshape(-1, block, *x.shape[1:])


def max_pool(x: Images) -> Pooled:
    """Return the largest value of each 2x2 window; an odd last row or column is cut."""
    return _windows(x).max((2, 4))


def mean_pool(x: Images) -> Pooled:
    """Return the mean of each 2x2 window; an odd last row or column is cut."""
    return _windows(x).mean((2, 4))


def _windows(x: Images) -> Float[Array, "example rows two columns two channel"]:
    """Cut images into 2x2 windows: a reshape, whose gradient is fast everywhere."""
    examples, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    x = x[:, : 2 * rows, : 2 * columns]
    return x.reshape(examples, rows, 2, columns, 2, channels)
