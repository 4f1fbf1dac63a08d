"""3x3 convolutions of stride 1 with a quarter of the multiplications.

Winograd's minimal filtering F(4x4, 3x3), after Lavin and Gray 2016 (arXiv:1509.09308):
images are cut into tiles of 6x6 that overlap by two, tiles and kernels are transformed
by small constant matrices, and the convolution becomes 36 matrix products over
channels: 36 multiplications for 4x4 outputs instead of 144. The gradients are the
transposed products, and cost as little. With the points 0, 1, -1, 2, -2 and infinity
the result differs from the direct sum by some 1e-5 of its largest value in float32.

All is done in blocks of images whose transformed tiles fit the cache. A stage is kept
from being merged with the next by `optimization_barrier`: merged, XLA computes each
transformed row again for every column that is made of it.
"""

from functools import partial, reduce
from operator import add

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxorder.models.blocks import Images, block_size, cut, joined, zeros

TILE = 4  # outputs of a tile in height and in width
REACH = TILE + 2  # inputs of a tile
# Transformed tiles of a block, of inputs and outputs: flat from 2 to 5 MB on a core
# with 1 MB of L2 and a share of 32 MB of L3, and twice as slow at 25 MB.
CACHE_BYTES = 3_000_000

INPUTS = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
OUTPUTS = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)
KERNELS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)

Pads = tuple[tuple[int, int], tuple[int, int]]
Matrix = tuple[tuple[float, ...], ...]
Filtered = Float[Array, "example rows columns filter"]
Kernel = Float[Array, "3 3 channel filter"]
# one matrix for each of the 36 places in a tile
Tiles = Float[Array, "36 tile channel"]
TileKernel = Float[Array, "36 channel filter"]


def saving(size: tuple[int, int]) -> float:
    """Return how many times fewer multiplications an output of some size takes.

    At most 4, less where the last tiles hang over.

    Example:
        >>> saving((28, 28)), saving((5, 5))
        (4.0, 1.5625)
    """
    rows, columns = _tiles(size)
    return 9 * size[0] * size[1] / (REACH**2 * rows * columns)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def convolve(pads: Pads, x: Images, kernel: Kernel) -> Filtered:
    """Convolve images with a 3x3 kernel at stride 1, in float32.

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


def _backward(pads, saved, gradient):
    """Return both gradients, in one pass over blocks of images."""
    x, kernel = saved
    flipped = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    weights = _kernel_to_tiles(flipped)
    # where the window hung over by p zeros, the flipped one does by 2 - p
    mirrored = [(2 - before, 2 - after) for before, after in pads]
    size = (x.shape[1], x.shape[2])

    def one(total, pair):
        images, gradients = pair
        tiles = _to_tiles(_padded(images, pads, gradients.shape[1:3]))
        outputs = _outputs_to_tiles(gradients)
        to_input = _product(_padded(gradients, mirrored, size), weights, size)
        # this order of the factors is faster on the CPU than its transpose
        return total + jnp.einsum("pnf,pnc->pfc", outputs, tiles), to_input

    block = _block(kernel, gradient.shape[1:3], len(x))
    filters, channels = kernel.shape[3], kernel.shape[2]
    zero = zeros((REACH**2, filters, channels), x, gradient)
    blocks = cut(x, block), cut(gradient, block)
    total, to_input = lax.scan(one, zero, blocks)
    return joined(to_input, len(x)), _tiles_to_kernel(total.swapaxes(1, 2))


convolve.defvjp(_forward, _backward)


def _in_blocks(pads: Pads, x: Images, kernel: Kernel) -> Filtered:
    window = 3
    size = (
        x.shape[1] + sum(pads[0]) - window + 1,
        x.shape[2] + sum(pads[1]) - window + 1,
    )
    weights = _kernel_to_tiles(kernel)
    block = _block(kernel, size, len(x))

    def one(images):
        return _product(_padded(images, pads, size), weights, size)

    return joined(lax.map(one, cut(x, block)), len(x))


def _block(kernel: Kernel, size: tuple[int, ...], examples: int) -> int:
    rows, columns = _tiles(size)
    channels = kernel.shape[2] + kernel.shape[3]
    image_bytes = 4 * REACH**2 * rows * columns * channels
    return block_size(examples, image_bytes, CACHE_BYTES)


def _tiles(size: tuple[int, ...]) -> tuple[int, int]:
    return -(-size[0] // TILE), -(-size[1] // TILE)


def _padded(
    x: Images, pads, size: tuple[int, ...]
) -> Float[Array, "example _ _ channel"]:
    """Return images with their zeros around them and those that fill the last tiles."""
    spread = [
        (before, TILE * tiles + 2 - extent - before, 0)
        for (before, _), tiles, extent in zip(
            pads, _tiles(size), x.shape[1:3], strict=True
        )
    ]
    zero = jnp.zeros((), x.dtype)
    padded = lax.pad(x, zero, [(0, 0, 0), *spread, (0, 0, 0)])
    return lax.optimization_barrier(padded)


def _product(x: Images, weights: TileKernel, size: tuple[int, ...]) -> Filtered:
    """Return the convolution of padded images, cut to its size."""
    rows, columns = _tiles(size)
    tiles = jnp.einsum("pnc,pcf->pnf", _to_tiles(x), weights)
    tiles = tiles.reshape(REACH, REACH, len(x), rows, columns, -1)
    # first of each row of places, then of these
    wide = jnp.stack(_combined(OUTPUTS, list(tiles)), axis=-2)
    wide = lax.optimization_barrier(wide)
    outputs = jnp.stack(_combined(OUTPUTS, list(wide)), axis=2)
    outputs = outputs.reshape(len(x), TILE * rows, TILE * columns, -1)
    return outputs[:, : size[0], : size[1]]


def _to_tiles(x: Images) -> Tiles:
    """Return padded images as transformed tiles; the width's place comes first."""
    tiles = (x.shape[1] - 2) // TILE, (x.shape[2] - 2) // TILE
    return _transformed(INPUTS, x, tiles)


def _outputs_to_tiles(gradient: Filtered) -> Float[Array, "36 tile filter"]:
    """Return the gradient of outputs as that of the products: outputs transposed."""
    tiles = _tiles(gradient.shape[1:3])
    over = [
        (0, TILE * count - extent)
        for count, extent in zip(tiles, gradient.shape[1:3], strict=True)
    ]
    gradient = jnp.pad(gradient, ((0, 0), *over, (0, 0)))
    return _transformed(_transposed(OUTPUTS), gradient, tiles)


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
    tall = jnp.stack(_combined(KERNELS, list(kernel)))  # [row place, column, ...]
    wide = _combined(KERNELS, list(tall.swapaxes(0, 1)))
    tiles = lax.optimization_barrier(jnp.stack(wide))
    return tiles.reshape(REACH**2, *kernel.shape[2:])


def _tiles_to_kernel(tiles: TileKernel) -> Kernel:
    back = _transposed(KERNELS)
    places = tiles.reshape(REACH, REACH, *tiles.shape[1:])
    wide = jnp.stack(_combined(back, list(places)))  # [column, row place, ...]
    return jnp.stack(_combined(back, list(wide.swapaxes(0, 1))))
