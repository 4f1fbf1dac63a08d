"""Which update rule a run is asked for: by jaxorder's name, optax's, or as an object.

Nothing here knows optax, which loads JAX: what it holds is checked where it is used.
"""

from typing import Any

from jaxorder.errors import RequestError
from jaxorder.spec import Spec, parse_spec

OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")
OPTAX = "optax"
OBJECT = OPTAX + "@"  # before the digest of one that was given as an object


def parse_optimizer(text: str) -> Spec:
    """Return the parts of an optimiser's name.

    Args:
        text: One of `OPTIMIZERS`; `optax:NAME[:key=value,...]`; or `optax@` and a
            digest, of an object.

    Raises:
        RequestError: Where the text is none of these, or repeats a key.

    Example:
        >>> found = parse_optimizer("optax:lion:b1=0.95")
        >>> found.name, found.argument, found.values
        ('optax', 'lion', {'b1': '0.95'})
    """
    spec = parse_spec(text, "optimizer", between=":" * text.startswith(f"{OPTAX}:"))
    if is_named(spec) or is_object(text) or (text in OPTIMIZERS and not spec.values):
        return spec
    raise RequestError(
        f"{spec.asked}: must be one of {', '.join(OPTIMIZERS)}, or {OPTAX}:NAME with "
        f":key=value,... as {OPTAX}:lion:b1=0.95"
    )


def is_named(spec: Spec) -> bool:
    """Whether an optimiser's name is one of optax's."""
    return spec.name == OPTAX and bool(spec.argument)


def is_object(text: str | None) -> bool:
    """Whether an optimiser was given as an object."""
    return (text or "").startswith(OBJECT)


def check_optimizer(name: str, value: Any) -> None:
    """Refuse what names no optimiser."""
    del name
    parse_optimizer(value)
