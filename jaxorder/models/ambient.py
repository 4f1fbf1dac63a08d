"""What is ambient while a network is traced, and why it is not passed.

Linen modules are called with inputs and a mode, in the middle of Linen's own code and
of the user's; what the plan and the member decide about a layer deep inside cannot be
handed through these calls. So four things are ambient, here and nowhere else. They are
read while a function is traced, never while it runs, and each is set by a block around
the trace alone. A fifth is a field: `linen.py` sets how a layer of Linen's convolves,
since Linen offers a field for that and freezes it once the layer is made; `nnx.py` sets
that of NNX's, of modules that are merged for one call.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Array, Bool

# native: XLA's convolution and gradients. patches: a matrix product of patches, all at
# once. direct: XLA's convolution, gradients of our own. winograd: fewer multiplications
# where a kernel is 2x2 or 3x3 and its stride 1, else direct.
Method = Literal["native", "patches", "direct", "winograd"]
Initializer = Callable[..., Array]


@dataclass(frozen=True)
class Ambient:
    """What layers find around them.

    Attributes:
        convolution: Method of convolutions, which the plan chooses.
        initializer: Draws the kernels; None: as each layer would.
        real: Which examples of a batch are real, of a batch that others fill up; None:
            all. Batch normalisation leaves the others out.
        dropout: Share to drop, relative to each layer's own, where members differ in
            it; None: each layer's own.
    """

    convolution: Method = "native"
    initializer: Initializer | None = None
    real: Bool[Array | np.ndarray, "example"] | None = None
    dropout: Array | None = None


_AMBIENT: ContextVar[Ambient] = ContextVar("ambient", default=Ambient())  # noqa: B039 (it is frozen)


def ambient() -> Ambient:
    """Return what is ambient now."""
    return _AMBIENT.get()


@contextmanager
def traced_with(**changed: Any) -> Iterator[None]:
    """Trace with some of `Ambient` changed; outside of the block it is as before."""
    token = _AMBIENT.set(replace(ambient(), **changed))
    try:
        yield
    finally:
        _AMBIENT.reset(token)
