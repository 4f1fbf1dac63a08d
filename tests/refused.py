"""What a refused request says."""

from collections.abc import Callable
from typing import Any

import pytest

from jaxorder.errors import RequestError


def refusal(call: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """Return the line, in Python's words, with which a call is refused."""
    with pytest.raises(RequestError) as refused:
        call(*args, **kwargs)
    message = str(refused.value)
    assert "\n" not in message
    return message
