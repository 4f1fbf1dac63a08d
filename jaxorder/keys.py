"""The keys of a source or a model, `key=value,...`, read by type."""

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from jaxorder.errors import RequestError


class Keys:
    """Values given as text, and how a wrong one is refused.

    Args:
        asked: What they were given with, as in "--models mlp:widths=0".
        values: Text by key, defaults filled in.
    """

    def __init__(self, asked: str, values: Mapping[str, str]) -> None:
        self.asked = asked
        self.values = values

    def __getitem__(self, key: str) -> str:
        """Return a key's text."""
        return self.values[key]

    def flag(self, key: str) -> bool:
        """Return a key that is true or false."""
        return self.choice(key, {"true": True, "false": False})

    def choice(self, key: str, choices: Mapping[str, Any]) -> Any:
        """Return what a key's text stands for."""
        if self.values[key] not in choices:
            raise self.refused(key, "one of " + ", ".join(choices))
        return choices[self.values[key]]

    def whole(self, key: str, least: int = 1, most: int = 10**9) -> int:
        """Return a key that is a whole number within bounds."""
        value = self.values[key]
        number = int(value) if value.isdecimal() and len(value) < 10 else -1
        if not least <= number <= most:
            upper = f" to {most}" if most < 10**9 else " on"
            raise self.refused(key, f"a whole number from {least}{upper}")
        return number

    def number(
        self, key: str, least: float, most: float = math.inf, open_end: bool = False
    ) -> float:
        """Return a key that is a finite number within bounds.

        Args:
            key: Which.
            least: Smallest that is allowed.
            most: Largest.
            open_end: Whether `most` itself is not allowed.
        """
        try:
            value = float(self.values[key])
        except ValueError:
            value = math.nan
        below = value < most if open_end else value <= most
        if not (math.isfinite(value) and least <= value and below):
            upper = f" to {'below ' * open_end}{most:g}" if most < math.inf else " on"
            raise self.refused(key, f"a number from {least:g}{upper}")
        return value

    def widths(self, key: str) -> tuple[int, ...]:
        """Return a key that is `none` or whole numbers joined by hyphens."""
        value = self.values[key]
        parts = [] if value == "none" else value.split("-")
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise self.refused(key, "none or widths from 1 on, as 128-64")
        return tuple(int(part) for part in parts)

    def refused(self, key: str, allowed: str) -> RequestError:
        """Return the error for a key's value."""
        return RequestError(f"{self.asked}: {key}={self.values[key]} must be {allowed}")


def unknown(kind: str, asked: str, got: str, known: Iterable[str]) -> str:
    """Return the line that refuses a name, with those there are.

    Args:
        kind: What it should name.
        asked: Option and value.
        got: The name.
        known: Names there are.

    Example:
        >>> unknown("key", "--models mlp:width=8", "width", ["widths"])
        '--models mlp:width=8: no key width (did you mean widths?); there are widths'
    """
    known = list(known)
    close = difflib.get_close_matches(got, known, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    there = f"there are {', '.join(known)}" if known else "it has none"
    return f"{asked}: no {kind} {got}{hint}; {there}"
