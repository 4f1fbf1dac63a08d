"""Random changes to training images, drawn anew in each step."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Key

Images = Float[Array, "example height width channel"]


def augmented(images: Images, kinds: Sequence[str], key: Key[Array, ""]) -> Images:
    """Return standardised training images, changed at random.

    Args:
        images: Of mean 0, which is what moves in at their borders.
        kinds: `flip`, `crop`, or both.
        key: Of the member and the step.
    """
    if "flip" in kinds:
        images = flipped(images, jax.random.fold_in(key, 0))
    if "crop" in kinds:
        images = cropped(images, jax.random.fold_in(key, 1))
    return images


def flipped(images: Images, key: Key[Array, ""]) -> Images:
    """Return each image, or with probability 1/2 its left-right mirror image."""
    mirrored = jax.random.bernoulli(key, 0.5, (len(images), 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


def cropped(images: Images, key: Key[Array, ""]) -> Images:
    """Return each image moved by up to an eighth of its height and width.

    A random crop out of the padded image: 4 pixels for 32 x 32, after He et al. 2016.
    """
    count, height, width, channels = images.shape
    down, right = max(1, height // 8), max(1, width // 8)
    padded = jnp.pad(images, ((0, 0), (down, down), (right, right), (0, 0)))
    places = jnp.array([2 * down + 1, 2 * right + 1])
    corners = jax.random.randint(key, (count, 2), 0, places)

    def crop(image: Array, corner: Array) -> Array:
        at = corner[0], corner[1], 0
        return lax.dynamic_slice(image, at, (height, width, channels))

    return jax.vmap(crop)(padded, corners)
