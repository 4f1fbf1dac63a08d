"""2x2 and 3x3 convolutions of stride 1 with a fraction of the multiplications.

Winograd's minimal filtering F(4x4, 3x3), after Lavin and Gray 2016 (arXiv:1509.09308):
images are cut into tiles of 6x6 that overlap by two, tiles and kernels are transformed
by small constant matrices, and the convolution becomes 36 matrix products over
channels: 36 multiplications for 4x4 outputs instead of 144. The gradients are the
transposed products, and cost as little. F(4x4, 2x2) takes 25 instead of 64. With the
points 0, 1, -1, 2, -2 and infinity the result differs from the direct sum by some 1e-5
of its largest value in float32.

All is done in blocks of images whose transformed tiles fit the cache. A stage is kept
from being merged with the next by `optimization_barrier`: merged, XLA computes each
transformed row again for every column that is made of it.
"""

import math
from functools import cache, partial, reduce
from operator import add
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from jaxorder.models.blocks import Images, block_size, cut, joined, zeros

TILE = 4  # outputs of a tile in height and in width
WINDOWS = (2, 3)
POINTS = (0, 1, -1, 2, -2)
# Transformed tiles of a block, of inputs and outputs: best from 1.5 to 3 MB on a core
# with 1 MB of L2 and a share of 32 MB of L3, and a third slower at 12 MB.
CACHE_BYTES = 3_000_000

Pads = tuple[tuple[int, int], tuple[int, int]]
Matrix = tuple[tuple[float, ...], ...]
Filtered = Float[Array, "example rows columns filter"]
Kernel = Float[Array, "window window channel filter"]
# one matrix for each place in a tile
Tiles = Float[Array, "place tile channel"]
TileKernel = Float[Array, "place channel filter"]


class Matrices(NamedTuple):
    """The transforms of inputs, kernels and outputs along one axis, by rows."""

    inputs: Matrix
    kernels: Matrix
    outputs: Matrix


@cache
def matrices(window: int) -> Matrices:
    """Return the transforms for a window, by Cook's and Toom's construction.

    Inputs and kernel are taken for polynomials, and multiplied at some points; each
    output is then a sum of the products.

    Example:
        >>> matrices(3).inputs[0], matrices(3).outputs[3]
        ((4, 0, -5, 0, 1, 0), (0, 1, -1, 8, -8, 1))
    """
    points = POINTS[: TILE + window - 2]

    def others(at: int | None) -> tuple[int, ...]:
        return tuple(point for i, point in enumerate(points) if i != at)

    inputs, kernels = [], []
    for i, point in enumerate(points):
        scale = math.prod(point - other for other in others(i))
        inputs.append((*_polynomial(others(i)), 0))
        kernels.append(tuple(point**power / scale for power in range(window)))
    inputs.append(_polynomial(points))
    kernels.append((*[0.0] * (window - 1), 1.0))
    outputs = [
        (*[point**power for point in points], int(power == TILE - 1))
        for power in range(TILE)
    ]
    return Matrices(tuple(inputs), tuple(kernels), tuple(outputs))


def _polynomial(roots: tuple[int, ...]) -> tuple[int, ...]:
    """Return the coefficients of a polynomial with some roots, of low powers first."""
    coefficients = [1]
    for root in roots:
        shifted, scaled = [0, *coefficients], [*coefficients, 0]
        coefficients = [a - root * b for a, b in zip(shifted, scaled, strict=True)]
    return tuple(coefficients)


def saving(size: tuple[int, int], window: int) -> float:
    """Return how many times fewer multiplications an output of some size takes.

    Less where the last tiles hang over.

    Example:
        >>> saving((28, 28), 3), saving((5, 5), 3), saving((4, 4), 2)
        (4.0, 1.5625, 2.56)
    """
    direct = window**2 * math.prod(size)
    return direct / (_reach(window) ** 2 * math.prod(_tiles(size)))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def convolve(pads: Pads, x: Images, kernel: Kernel) -> Filtered:
    """Convolve images with a 2x2 or 3x3 kernel at stride 1, in float32.

    Args:
        pads: Zeros put before and after, in height and in width.
        x: Images.
        kernel: Weights.

    Returns:
        Images of as many channels as the kernel has filters.
    """
    return _in_blocks(pads, x, kernel)


def _forward(pads, x, kernel):
    return _in_blocks(pads, x, kernel), (x, kernel)


@partial(jax.jit, static_argnums=0)
def _backward(pads, saved, gradient):
    """Return both gradients, in one pass over blocks of images."""
    x, kernel = saved
    flipped = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    weights = _kernel_to_tiles(flipped)
    window = len(kernel)
    # where the window hung over by p zeros, the flipped one does by window - 1 - p
    mirrored = [(window - 1 - before, window - 1 - after) for before, after in pads]
    size = (x.shape[1], x.shape[2])

    def one(total, pair):
        images, gradients = pair
        tiles = _to_tiles(_padded(images, pads, gradients.shape[1:3], window), window)
        outputs = _outputs_to_tiles(gradients, window)
        padded = _padded(gradients, mirrored, size, window)
        to_input = _product(padded, weights, size, window)
        # this order of the factors is faster on the CPU than its transpose
        return total + jnp.einsum("pnf,pnc->pfc", outputs, tiles), to_input

    block = _block(kernel, gradient.shape[1:3], len(x))
    filters, channels = kernel.shape[3], kernel.shape[2]
    zero = zeros((_reach(window) ** 2, filters, channels), x, gradient)
    blocks = cut(x, block), cut(gradient, block)
    total, to_input = lax.scan(one, zero, blocks)
    return joined(to_input, len(x)), _tiles_to_kernel(total, window)


convolve.defvjp(_forward, _backward)


# traced and lowered once for all layers of a shape, of which DenseNet-121 has many
@partial(jax.jit, static_argnums=0)
def _in_blocks(pads: Pads, x: Images, kernel: Kernel) -> Filtered:
    window = len(kernel)
    size = (
        x.shape[1] + sum(pads[0]) - window + 1,
        x.shape[2] + sum(pads[1]) - window + 1,
    )
    weights = _kernel_to_tiles(kernel)
    block = _block(kernel, size, len(x))

    def one(images):
        return _product(_padded(images, pads, size, window), weights, size, window)

    return joined(lax.map(one, cut(x, block)), len(x))


def _block(kernel: Kernel, size: tuple[int, ...], examples: int) -> int:
    rows, columns = _tiles(size)
    channels = kernel.shape[2] + kernel.shape[3]
    image_bytes = 4 * _reach(len(kernel)) ** 2 * rows * columns * channels
    return block_size(examples, image_bytes, CACHE_BYTES)


def _reach(window: int) -> int:
    """Return the inputs that a tile of outputs is made of, along an axis."""
    return TILE + window - 1


def _tiles(size: tuple[int, ...]) -> tuple[int, int]:
    return -(-size[0] // TILE), -(-size[1] // TILE)


def _padded(
    x: Images, pads, size: tuple[int, ...], window: int
) -> Float[Array, "example _ _ channel"]:
    """Return images with their zeros around them and those that fill the last tiles."""
    spread = [
        (before, TILE * tiles + window - 1 - extent - before, 0)
        for (before, _), tiles, extent in zip(
            pads, _tiles(size), x.shape[1:3], strict=True
        )
    ]
    zero = jnp.zeros((), x.dtype)
    padded = lax.pad(x, zero, [(0, 0, 0), *spread, (0, 0, 0)])
    return lax.optimization_barrier(padded)


def _product(
    x: Images, weights: TileKernel, size: tuple[int, ...], window: int
) -> Filtered:
    """Return the convolution of padded images, cut to its size."""
    rows, columns = _tiles(size)
    reach, matrix = _reach(window), matrices(window).outputs
    tiles = jnp.einsum("pnc,pcf->pnf", _to_tiles(x, window), weights)
    tiles = tiles.reshape(reach, reach, len(x), rows, columns, -1)
    # first of each row of places, then of these
    wide = jnp.stack(_combined(matrix, list(tiles)), axis=-2)
    wide = lax.optimization_barrier(wide)
    outputs = jnp.stack(_combined(matrix, list(wide)), axis=2)
    outputs = outputs.reshape(len(x), TILE * rows, TILE * columns, -1)
    return outputs[:, : size[0], : size[1]]


def _to_tiles(x: Images, window: int) -> Tiles:
    """Return padded images as transformed tiles; the width's place comes first."""
    tiles = (x.shape[1] - window + 1) // TILE, (x.shape[2] - window + 1) // TILE
    return _transformed(matrices(window).inputs, x, tiles)


def _outputs_to_tiles(
    gradient: Filtered, window: int
) -> Float[Array, "place tile filter"]:
    """Return the gradient of outputs as that of the products: outputs transposed."""
    tiles = _tiles(gradient.shape[1:3])
    over = [
        (0, TILE * count - extent)
        for count, extent in zip(tiles, gradient.shape[1:3], strict=True)
    ]
    gradient = jnp.pad(gradient, ((0, 0), *over, (0, 0)))
    return _transformed(_transposed(matrices(window).outputs), gradient, tiles)


def _transformed(matrix: Matrix, x: Images, tiles: tuple[int, int]) -> Tiles:
    """Return a matrix times the rows of each tile, then times its columns."""
    places = range(len(matrix[0]))
    parts = [_every_tile(x, 1, at, tiles[0]) for at in places]
    tall = lax.optimization_barrier(jnp.stack(_combined(matrix, parts)))
    parts = [_every_tile(tall, 3, at, tiles[1]) for at in places]
    wide = lax.optimization_barrier(jnp.stack(_combined(matrix, parts)))
    return wide.reshape(len(matrix) ** 2, -1, x.shape[-1])


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _every_tile(x: Array, axis: int, at: int, tiles: int) -> Array:
    """Return the values at one place of every tile along an axis."""
    return lax.slice_in_dim(x, at, at + TILE * (tiles - 1) + 1, TILE, axis)


def _combined(matrix: Matrix, parts: list[Array]) -> list[Array]:
    """Return a constant matrix times a vector of arrays, zeros left out."""
    rows = [
        [
            _times(weight, part)
            for weight, part in zip(row, parts, strict=True)
            if weight
        ]
        for row in matrix
    ]
    return [reduce(add, row) for row in rows]


def _times(weight: float, part: Array) -> Array:
    return part if weight == 1 else weight * part


def _kernel_to_tiles(kernel: Kernel) -> TileKernel:
    """Return a kernel's transform, by one product.

    As sums of slices, like those of images, it would be no faster, and much of what is
    compiled of a deep network.
    """
    flat = kernel.reshape(-1, *kernel.shape[2:])
    return _exact_product("pw,wcf->pcf", _along_both(len(kernel)), flat)


def _tiles_to_kernel(
    tiles: Float[Array, "place filter channel"], window: int
) -> Kernel:
    """Return the gradient of a kernel from that of its transform, transposed."""
    flat = _exact_product("pw,pfc->wcf", _along_both(window), tiles)
    return flat.reshape(window, window, *flat.shape[1:])


def _exact_product(subscripts: str, matrix: np.ndarray, values: Array) -> Array:
    constant = jnp.asarray(matrix, jnp.float32)
    return jnp.einsum(subscripts, constant, values, precision=lax.Precision.HIGHEST)


def _along_both(window: int) -> Float[np.ndarray, "place weight"]:
    """Return the transform of kernels in height and width; the width's place is first.

    Example:
        >>> _along_both(3).shape, _along_both(3)[0, 0].item()
        ((36, 9), 0.0625)
    """
    matrix = np.array(matrices(window).kernels)
    both = np.kron(matrix, matrix).reshape(-1, window, window)
    return both.swapaxes(1, 2).reshape(len(both), -1)
