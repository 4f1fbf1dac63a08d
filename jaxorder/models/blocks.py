"""Batches cut into blocks of images that a core's cache can hold."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Images = Float[Array, "example height width channel"]
Blocks = Float[Array, "block image height width channel"]


def block_size(examples: int, image_bytes: int, cache_bytes: int) -> int:
    """Return how many images make a block: a divisor of the batch, if one is near.

    Example:
        >>> block_size(100, image_bytes=10, cache_bytes=300), block_size(101, 10, 300)
        (25, 30)
    """
    most = max(1, min(examples, cache_bytes // max(1, image_bytes)))
    near = range(most, most // 2, -1)
    return next((block for block in near if examples % block == 0), most)


def cut(x: Images, block: int) -> Blocks:
    """Cut a batch into blocks; images of zeros fill the last."""
    if filling := -len(x) % block:
        x = jnp.pad(x, ((0, filling), (0, 0), (0, 0), (0, 0)))
    return x.reshape(-1, block, *x.shape[1:])


def joined(blocks: Blocks, examples: int) -> Images:
    """Join blocks to a batch, without the images that filled the last."""
    return blocks.reshape(-1, *blocks.shape[2:])[:examples]


def zeros(shape: tuple[int, ...], *like: Array) -> Array:
    """Return float32 zeros to sum what is made of some arrays to, in a loop.

    Under `shard_map` they differ between devices where one of the arrays does.
    """
    return alike(jnp.zeros(shape, jnp.float32), *like)[0]


def alike(*arrays: Array) -> list[Array]:
    """Return arrays as differing between the same devices, for a gradient of our own.

    A gradient must differ between devices as its input does. Where only another input
    does, JAX sums over devices when it comes back through this cast.
    """
    axes = frozenset().union(*map(_varying, arrays))
    return [
        lax.pcast(array, missing, to="varying")
        if (missing := tuple(axes - _varying(array)))
        else array
        for array in arrays
    ]


def _varying(array: Array) -> frozenset[str]:
    """Return the mesh axes along which an array differs, while in `shard_map`."""
    kind = jax.typeof(array)
    # JAX 0.10 and 0.12 name it so; where it is named otherwise, nothing is cast
    return getattr(getattr(kind, "manual_axis_type", None), "varying", frozenset())
