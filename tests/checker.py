"""The run-time checker of shapes and types; an int passes for a float (PEP 484)."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

_checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
# Groups of options refuse wrong types themselves, and take lists for tuples.
_CHECK_THEMSELVES = ("Options.__init__", "RunConfig.__init__")


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the types of a function's arguments and of what it returns."""
    if function.__qualname__.endswith(_CHECK_THEMSELVES):
        return function
    return _checked(function)
