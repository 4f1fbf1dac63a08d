"""Convolution and pooling whose gradients are fast inside a compiled loop on a CPU.

Training runs inside loops, and there XLA's own weight gradient of a convolution is some
60 times slower on a CPU than outside. Which convolution is best depends on the device,
the shape, and how members are mapped, so it is part of the plan: `convolutions` sets
the method while a function is traced.
"""

from collections.abc import Callable
from functools import partial, reduce
from itertools import product
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxorder.models import winograd
from jaxorder.models.ambient import Method, ambient
from jaxorder.models.blocks import Images, alike, block_size, cut, zeros
from jaxorder.models.winograd import Filtered, Pads

LAYOUT = ("NHWC", "HWIO", "NHWC")
# Patches of a block of images stay in a core's cache; found best in shared trials
# between 1 and 2 MB on a core with 1 MB of L2 and a share of L3.
CACHE_BYTES = 1_500_000
# Below these the transforms cost more than the multiplications that they save.
LEAST_SAVING = 2.0
LEAST_CHANNELS = 5
NO_PADS = ((0, 0), (0, 0))
WINOGRAD = [(window, window) for window in winograd.WINDOWS]

Size = tuple[int, int]
Padding = Pads | Literal["same", "valid"]
Pooled = Float[Array, "example rows columns channel"]
Kernel = Float[Array, "kernel_height kernel_width channel filter"]

METHODS: tuple[Method, ...] = get_args(Method)


def convolve(
    x: Images, kernel: Kernel, strides: Size = (1, 1), padding: Padding = "same"
) -> Filtered:
    """Convolve images with a kernel.

    Args:
        x: Images.
        kernel: Weights.
        strides: Steps of the window in height and width, at least 1.
        padding: Zeros before and after, in height and in width; or `valid`, none; or
            `same`, so many that the output has the input's size over the stride,
            rounded up, the odd one after the image.

    Returns:
        Images of as many channels as the kernel has filters.
    """
    window = kernel.shape[0], kernel.shape[1]
    pads = explicit_pads(padding, x.shape[1:3], window, strides)
    if any(max(pad) >= width for pad, width in zip(pads, window, strict=True)):
        # the gradient that jaxlib 0.10.2's CPU then gives is wrong, and not repeatable
        x, pads = jnp.pad(x, ((0, 0), *pads, (0, 0))), NO_PADS
    method = ambient().convolution
    if method == "native":
        return _direct(x, kernel, strides, pads)
    if method == "patches" or (window == (1, 1) and x.dtype == jnp.float32):
        # of single pixels it is a matrix product, gradients too, without more ado
        return _patches_times(x, kernel, strides, pads)
    x, kernel = alike(x, kernel)
    if method == "winograd" and _suits_winograd(x, window, strides, pads):
        return winograd.convolve(pads, x, kernel)
    return _blocked(strides, pads, x, kernel)


class Spread(NamedTuple):
    """What a convolution has beside strides and padding.

    Attributes:
        inputs: Steps between the values of the input, zeros between them.
        kernel: Steps between the values of the kernel.
        groups: Parts of the channels, each seen by as many of the filters.
    """

    inputs: tuple[int, ...]
    kernel: tuple[int, ...]
    groups: int = 1

    @property
    def plain(self) -> bool:
        """Whether it has none of it."""
        return {*self.inputs, *self.kernel, self.groups} == {1}


def convolve_any(
    x: Float[Array, "example *size channel"],
    kernel: Float[Array, "*window group_channel filter"],
    strides: tuple[int, ...],
    padding: Any,
    spread: Spread,
) -> Float[Array, "example *out filter"]:
    """Convolve along any number of axes, by the method that is set.

    Args:
        x: Inputs.
        kernel: Weights; of as many channels as a group has.
        strides: Steps of the window along each axis.
        padding: Zeros before and after along each axis, or a name, as of
            `lax.conv_general_dilated`.
        spread: What else it has.

    Returns:
        Outputs of as many channels as the kernel has filters.
    """
    reach = [(n - 1) * d + 1 for n, d in zip(kernel.shape, spread.kernel, strict=False)]
    if isinstance(padding, str):
        if set(spread.inputs) != {1}:
            raise ValueError(f"padding {padding}: must be numbers where inputs spread")
        padding = lax.padtype_to_pads(x.shape[1:-1], reach, strides, padding)
    pads = tuple((int(before), int(after)) for before, after in padding)
    if ambient().convolution == "native":
        return _native(x, kernel, strides, pads, spread)
    if spread.plain and len(pads) == 2:
        return convolve(x, kernel, (strides[0], strides[1]), (pads[0], pads[1]))
    if spread.plain and len(pads) == 1:
        tall = convolve(x[:, None], kernel[None], (1, strides[0]), ((0, 0), pads[0]))
        return tall[:, 0]
    return _by_places(x, kernel, strides, pads, spread)


def _native(x: Array, kernel: Array, strides: Any, pads: Any, spread: Spread) -> Array:
    axes = "DHW"[-len(pads) :]
    return lax.conv_general_dilated(
        *(x, kernel, strides, pads, spread.inputs, spread.kernel),
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        feature_group_count=spread.groups,
    )


def _by_places(
    x: Array, kernel: Array, strides: Any, pads: Any, spread: Spread
) -> Array:
    """Return the sum over the kernel's places of products with one weight each.

    Slower than one convolution, but without any, also in its gradients.
    """
    window, groups = kernel.shape[:-2], spread.groups
    zeros_between = zip(pads, spread.inputs, strict=True)
    edges = [(*pad, step - 1) for pad, step in zeros_between]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    out = [
        (extent - (width - 1) * step - 1) // stride + 1
        for extent, width, step, stride in zip(
            x.shape[1:-1], window, spread.kernel, strides, strict=True
        )
    ]
    total = jnp.zeros((), x.dtype)
    for place in product(*map(range, window)):
        part = x
        for axis, at in enumerate(place):
            start = at * spread.kernel[axis]
            part = _placed(part, axis + 1, start, strides[axis], out[axis])
        total = total + _grouped_product(part, kernel[place], groups)
    return total


def _grouped_product(x: Array, weights: Array, groups: int) -> Array:
    """Return x [... channel] times weights [channel filter], group by group."""
    channels, filters = weights.shape[0], weights.shape[1] // groups
    parts = x.reshape(*x.shape[:-1], groups, channels)
    each = weights.reshape(channels, groups, filters)
    if channels == 1:  # depthwise: no sum, and a matrix product of one column is slow
        found = parts * each[0]
    else:
        found = jnp.einsum("...gc,cgf->...gf", parts, each)
    return found.reshape(*x.shape[:-1], groups * filters)


def _suits_winograd(x: Images, window: Size, strides: Size, pads: Pads) -> bool:
    if window not in WINOGRAD or strides != (1, 1) or x.shape[-1] < LEAST_CHANNELS:
        return False
    size = output_size(x.shape[1:3], window, strides, pads)
    # in bfloat16 the transforms would cost most of the digits
    return x.dtype == jnp.float32 and winograd.saving(size, window[0]) >= LEAST_SAVING


def explicit_pads(
    padding: Padding, size: tuple[int, ...], window: Size, strides: Size
) -> Pads:
    """Return a padding as zeros before and after, in height and in width."""
    if not isinstance(padding, str):
        return padding
    top, left = lax.padtype_to_pads(size, window, strides, padding.upper())
    return (top[0], top[1]), (left[0], left[1])


def output_size(size: tuple[int, ...], window: Size, strides: Size, pads: Pads) -> Size:
    """Return the rows and columns at which a window can be placed."""
    rows, columns = (
        (extent + sum(pad) - width) // stride + 1
        for extent, pad, width, stride in zip(size, pads, window, strides, strict=True)
    )
    return rows, columns


def _direct(x: Images, kernel: Kernel, strides: Size, pads: Pads) -> Filtered:
    return lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=LAYOUT)


def _patches(
    x: Images, window: Size, strides: Size, pads: Pads
) -> Float[Array, "example rows columns patch"]:
    """Return the values under each placing of the window, in the kernel's order."""
    out = output_size(x.shape[1:3], window, strides, pads)
    if pads != NO_PADS:
        x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    tall = [_placed(x, 1, at, strides[0], out[0]) for at in range(window[0])]
    parts = [
        _placed(rows, 2, at, strides[1], out[1])
        for rows in tall
        for at in range(window[1])
    ]
    return jnp.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def _placed(x: Array, axis: int, at: int, stride: int, count: int) -> Array:
    """Return the values at one place of a window, for every placing along an axis."""
    return lax.slice_in_dim(x, at, at + (count - 1) * stride + 1, stride, axis)


def _patches_times(x: Images, kernel: Kernel, strides: Size, pads: Pads) -> Filtered:
    patches = _patches(x, (kernel.shape[0], kernel.shape[1]), strides, pads)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _blocked(strides: Size, pads: Pads, x: Images, kernel: Kernel) -> Filtered:
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
    return _direct(spread_out, flipped, (1, 1), NO_PADS)


def _kernel_gradient(x, gradient, window, strides, pads):
    """Return patches^T times the output's gradient, summed over blocks of images."""
    patch_size = window[0] * window[1] * x.shape[-1]
    filters = gradient.shape[-1]
    image_bytes = gradient.shape[1] * gradient.shape[2] * patch_size * x.dtype.itemsize
    block = block_size(len(x), image_bytes, CACHE_BYTES)

    def add(total, pair):
        patches = _patches(pair[0], window, strides, pads).reshape(-1, patch_size)
        product = lax.dot_general(
            pair[1].reshape(-1, filters),
            patches,
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.float32,
        )
        return total + product, None

    blocks = cut(x, block), cut(gradient, block)
    total, _ = lax.scan(add, zeros((filters, patch_size), x, gradient), blocks)
    return total.T


def max_pool(
    x: Images, window: Size = (2, 2), strides: Size = (2, 2), padding: Padding = "valid"
) -> Pooled:
    """Return the largest value of each window; padding is never the largest.

    Equal values share the gradient.

    Args:
        x: Images.
        window: Height and width.
        strides: Steps of the window.
        padding: As of `convolve`.

    Returns:
        Images of as many channels.
    """
    pads = explicit_pads(padding, x.shape[1:3], window, strides)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)), constant_values=-jnp.inf)
    if strides == window:
        return _largest(window, x)
    return _over_windows(jnp.maximum, x, window, strides)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _largest(window: Size, x: Images) -> Pooled:
    return _windows(x, window).max((2, 4))


def _largest_forward(window, x):
    y = _largest(window, x)
    return y, (x, y)


def _largest_backward(window, saved, gradient):
    """Share the gradient among equals, counted by a sum of slices.

    JAX's own counts them by a reduction of two short axes, of which XLA's CPU makes
    something several times slower than the rest.
    """
    x, y = saved
    windows = _windows(x, window)
    ties = sum(
        (windows[:, :, i, :, j] == y).astype(y.dtype)
        for i in range(window[0])
        for j in range(window[1])
    )
    shared = (gradient / ties)[:, :, None, :, None]
    spread = jnp.where(windows == y[:, :, None, :, None], shared, 0)
    rows, columns = window[0] * y.shape[1], window[1] * y.shape[2]
    spread = spread.reshape(len(x), rows, columns, x.shape[-1])
    cut = [(0, x.shape[axis] - spread.shape[axis]) for axis in (1, 2)]
    return (jnp.pad(spread, ((0, 0), *cut, (0, 0))),)


_largest.defvjp(_largest_forward, _largest_backward)


def mean_pool(
    x: Images, window: Size = (2, 2), strides: Size = (2, 2), padding: Padding = "valid"
) -> Pooled:
    """Return the mean of each window, padding counted as zeros.

    Args:
        x: Images.
        window: Height and width.
        strides: Steps of the window.
        padding: As of `convolve`.

    Returns:
        Images of as many channels.
    """
    pads = explicit_pads(padding, x.shape[1:3], window, strides)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    if strides == window:
        return _windows(x, window).mean((2, 4))
    return _over_windows(jnp.add, x, window, strides) / (window[0] * window[1])


def _windows(
    x: Images, window: Size
) -> Float[Array, "example rows tall columns wide channel"]:
    """Cut images into windows: a reshape, whose gradient is fast everywhere."""
    examples, height, width, channels = x.shape
    rows, columns = height // window[0], width // window[1]
    x = x[:, : rows * window[0], : columns * window[1]]
    return x.reshape(examples, rows, window[0], columns, window[1], channels)


def _over_windows(
    combine: Callable[[Array, Array], Array], x: Images, window: Size, strides: Size
) -> Pooled:
    """Combine the values of windows that overlap, their rows first."""
    rows, columns = output_size(x.shape[1:3], window, strides, NO_PADS)
    x = reduce(
        combine, [_placed(x, 1, at, strides[0], rows) for at in range(window[0])]
    )
    return reduce(
        combine, [_placed(x, 2, at, strides[1], columns) for at in range(window[1])]
    )
