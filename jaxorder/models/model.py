"""What a network is to all else: pure functions of one member, and its inputs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree, Shaped

from jaxorder.errors import RequestError

AnyArray = Array | np.ndarray
Parameters = PyTree[Float[AnyArray, "..."]]
Statistics = PyTree[Shaped[AnyArray, "..."]]


class Inputs(NamedTuple):
    """What one input of a network is.

    Attributes:
        shape: [height, width, channel], [feature] or [token].
        vocabulary: Number of words that tokens stand for; 0: the inputs are numbers.
    """

    shape: tuple[int, ...]
    vocabulary: int = 0

    def of(self, examples: int) -> jax.ShapeDtypeStruct:
        """Return the shape and type of some inputs."""
        kind = np.int32 if self.vocabulary else np.float32
        return jax.ShapeDtypeStruct((examples, *self.shape), kind)


class Model(NamedTuple):
    """One member's network as pure functions.

    Attributes:
        init: Key to parameters and statistics; these are empty but with batch
            normalisation.
        logits: Parameters, statistics and inputs [example *input] to logits [example
            class] in float32: evaluation, nothing is dropped.
        train: The same with a key for dropout and which examples are real (the others
            fill up a batch) to logits and new statistics; with `dropout`, of a network
            that was built for several shares, the share to drop.
        inputs: What it takes.
        identity: What tells a module of the user's own from others; else None.
    """

    init: Callable[[Key[Array, ""]], tuple[Parameters, Statistics]]
    logits: Callable[..., Float[Array, "example class"]]
    train: Callable[..., tuple[Float[Array, "example class"], Statistics]]
    inputs: Inputs
    identity: Mapping[str, str] | None = None


def as_logits(asked: str, outputs: Any) -> Float[Array, "example class"]:
    """Return what a network of the user's own returns, in float32.

    Raises:
        RequestError: Where it is no array.
    """
    if not isinstance(outputs, jax.Array):
        raise RequestError(
            f"{asked}: the network must return logits [example class] alone; it "
            f"returns a {type(outputs).__name__}"
        )
    return jnp.asarray(outputs, jnp.float32)
