"""What is named with keys, `NAME:key=value,...`: models, sources of data, plans.

One parser for all of them, and readers of the values by type.
"""

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jaxorder.errors import RequestError, given

_KEY = re.compile(r"([^=,]+)=([^,]+)", re.DOTALL)


@dataclass(frozen=True)
class Spec:
    """A name and what was given with it.

    Attributes:
        text: As it was asked for.
        name: What stands before the first colon.
        argument: What stands behind it and is no key, such as a path.
        values: Text by key; defaults too, once they are `filled` in.
        asked: What errors begin with.
    """

    text: str
    name: str
    argument: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    asked: str = ""

    def filled(self, defaults: Mapping[str, str]) -> "Spec":
        """Return the same with the defaults of the keys that were left out.

        Args:
            defaults: Text by key, of all keys that there are.

        Raises:
            RequestError: Where another key was given.
        """
        for key in self.values:
            if key not in defaults:
                raise RequestError(unknown("key", self.asked, key, defaults))
        return replace(self, values={**defaults, **self.values})

    def with_value(self, key: str, value: str) -> "Spec":
        """Return the same with another value of a key."""
        return replace(self, values={**self.values, key: value})

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
        if not all(map(_is_width, parts)):
            raise self.refused(key, "none or widths from 1 on, as 128-64")
        return tuple(int(part) for part in parts)

    def refused(self, key: str, allowed: str) -> RequestError:
        """Return the error for a key's value."""
        return RequestError(f"{self.asked}: {key}={self.values[key]} must be {allowed}")


def _is_width(text: str) -> bool:
    return text.isdecimal() and len(text) < 10 and int(text) > 0


def parse_spec(
    text: str, option: str, *, between: str = "", known: Collection[str] | None = None
) -> Spec:
    """Split a name from its argument and its keys.

    Args:
        text: `NAME`, `NAME:key=value,...`, and with an argument
            `NAME:ARGUMENT<between>key=value,...`.
        option: Argument that it was given for, which errors name.
        between: What parts an argument from the keys; nothing: there is none.
        known: Keys that there are; what looks like another one belongs to the argument,
            as in a path. None: every key.

    Returns:
        The parts, without defaults.

    Raises:
        RequestError: Where the text does not have that form or repeats a key.

    Example:
        >>> parse_spec("mlp:widths=64-64,linear=true", "model").values
        {'widths': '64-64', 'linear': 'true'}
        >>> found = parse_spec("text:a,b=1.csv,length=9", "data", between=",")
        >>> found.argument, found.values
        ('a', {'b': '1.csv', 'length': '9'})
        >>> parse_spec("text:a,b=1.csv,length=9", "data", between=",",
        ...            known=["length"]).argument
        'a,b=1.csv'
    """
    name, argument, rest = _parted(text, between)
    left, parts = _cut_keys(rest, known)
    values, asked = dict(parts), given(option, text)
    if between == "," and not (left == [""] and parts):
        argument, left = ",".join(left), []
    if not name or left or len(values) < len(parts):
        raise RequestError(
            f"{asked}: must be NAME or NAME:key=value,key=value, each key once"
        )
    return Spec(text, name, argument, values, asked)


def _parted(text: str, between: str) -> tuple[str, str, str | None]:
    """Return the name, an argument that a colon ends, and the rest, if there is any."""
    name, colon, rest = text.partition(":")
    if between == ":" and colon and "=" not in rest.partition(":")[0]:
        argument, colon, rest = rest.partition(":")
        return name if argument else "", argument, rest if colon else None
    return name, "", rest if colon else None


def _cut_keys(
    text: str | None, known: Collection[str] | None
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the pieces that precede the keys at the end of a text, and these."""
    pieces, parts = [] if text is None else text.split(","), []
    while pieces and (found := _KEY.fullmatch(pieces[-1])):
        if known is not None and found[1] not in known:
            break
        parts.insert(0, (found[1], found[2]))
        pieces.pop()
    return pieces, parts


def typed(text: str) -> Any:
    """Return a key's value as a number or truth value where it looks like one.

    Example:
        >>> [typed(text) for text in ("8", "1e-3", "true", "8-8")]
        [8, 0.001, True, '8-8']
    """
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text)
    return float(text) if number else text


def unknown(kind: str, asked: str, got: str, known: Iterable[str]) -> str:
    """Return the line that refuses a name, with those there are.

    Args:
        kind: What it should name.
        asked: What it was asked for with.
        got: The name.
        known: Names there are.

    Example:
        >>> unknown("key", "mlp:width=8", "width", ["widths"])
        'mlp:width=8: no key width (did you mean widths?); there are widths'
    """
    known = list(known)
    close = difflib.get_close_matches(got, known, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    there = f"there are {', '.join(known)}" if known else "it has none"
    return f"{asked}: no {kind} {got}{hint}; {there}"


def parse_model(text: str) -> Spec:
    """Split a model string into its parts.

    Args:
        text: `NAME[:key=value,...]`; `sklearn` and a package or file, whose name holds
            a dot, take an argument, as `sklearn:adaboost` or `nets.py:make:width=16`.

    Raises:
        RequestError: Where the text does not have that form or repeats a key.

    Example:
        >>> found = parse_model("sklearn:adaboost:weak=tree")
        >>> found.name, found.argument, found.values
        ('sklearn', 'adaboost', {'weak': 'tree'})
    """
    name = text.partition(":")[0]
    argued = name == SKLEARN or "." in name
    return parse_spec(text, "model", between=":" * argued)


SKLEARN = "sklearn"  # before the name of a learner that is not a network
