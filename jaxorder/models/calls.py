"""What the call of a network of the user's own asks for, by the names it takes."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxorder.errors import RequestError

REST = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
# What a call may name to be told whether it trains, and what it is then told.
MODES = {"training": True, "train": True, "deterministic": False}


@dataclass(frozen=True)
class Wanted:
    """What a call is given beside its first arguments.

    Attributes:
        mode: Which of `MODES`; None: it is not told whether it trains.
        others: What else it names.
    """

    mode: str | None
    others: tuple[str, ...]

    def keys(self, training: bool, **available: Any) -> dict[str, Any]:
        """Return what to call it with by name."""
        told = {self.mode: training == MODES[self.mode]} if self.mode else {}
        return told | {name: available[name] for name in self.others}


def wanted(
    asked: str,
    called: str,
    function: Callable[..., Any],
    first: tuple[str, ...],
    may: tuple[str, ...] = (),
) -> Wanted:
    """Return what a function asks for.

    Args:
        asked: What the network was asked for with, as `given` returns.
        called: What errors call the function.
        function: The function.
        first: What it is given first, by position.
        may: What it may name beside a mode.

    Raises:
        RequestError: Where it takes fewer, or needs something else.
    """
    takes = inspect.signature(function).parameters
    positional = [n for n, p in takes.items() if p.kind in _BY_POSITION]
    by_name = [n for n in takes if n not in positional[: len(first)]]
    mode = next((mode for mode in MODES if mode in by_name), None)
    needed = {
        name
        for name in by_name
        if takes[name].default is inspect.Parameter.empty
        and takes[name].kind not in REST
    }
    several = any(p.kind is p.VAR_POSITIONAL for p in takes.values())
    few = len(positional) < len(first) and not several
    if few or needed - {mode, *may}:
        words = [name for name in first if name != "self"]
        allowed = "".join(f", {name}" for name in may)
        raise RequestError(
            f"{asked}: {called} must be called with {' and '.join(words)}{allowed} and "
            f"at most one of {', '.join(MODES)}; it takes {', '.join(takes)}"
        )
    return Wanted(mode, tuple(name for name in may if name in by_name))


_BY_POSITION = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
