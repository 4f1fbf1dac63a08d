"""What a run was given from Python as objects, which JSON cannot hold."""

from typing import Any, NamedTuple


class Objects(NamedTuple):
    """Parts of a run that are given again to go on with it.

    Attributes:
        model: The network, as `jo.train` takes it; None: it has a name.
        optimizer: The optax transformation; None: it has a name.
    """

    model: Any = None
    optimizer: Any = None


NAMED = Objects()  # all parts have names
