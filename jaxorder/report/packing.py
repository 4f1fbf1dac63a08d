"""Columns of numbers in a page, as few bytes as tell them apart.

Numbers are whole ones, of one, two or four bytes; all lowest bytes stand before the
higher ones, since these are alike; equal columns are kept once. What comes of it is
deflated, as every browser can undo, and written in base64.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Integer, Shaped

Column = dict[str, Any]


class Packed:
    """Columns packed together, each described by where it lies and how it is read."""

    def __init__(self) -> None:
        """Begin without any."""
        self._content = bytearray()
        self._places: dict[bytes, int] = {}

    def whole(self, values: Integer[np.ndarray, " row"], scale: float = 1) -> Column:
        """Add whole numbers from 0 on.

        Args:
            values: The numbers.
            scale: What they are divided by when they are read.

        Returns:
            The description: where the bytes begin, how many there are a number, how
            many numbers, and the scale.
        """
        top = int(values.max(initial=0))
        size = 1 if top < 2**8 else 2 if top < 2**16 else 4
        planes = np.ascontiguousarray(values.astype(f"<u{size}")).view(np.uint8)
        content = planes.reshape(-1, size).T.tobytes()
        place = {"at": self._at(content), "bytes": size, "length": len(values)}
        return place | ({"scale": scale} if scale != 1 else {})

    def rounded(self, values: Float[np.ndarray, " row"], scale: float) -> Column:
        """Add numbers not below 0, rounded to this many parts of one."""
        return self.whole(np.rint(values * scale).astype(np.int64), scale)

    def among(self, values: Float[np.ndarray, " row"]) -> Column:
        """Add numbers of few different values; NaN is the last of them, and null."""
        levels, place = np.unique(values, return_inverse=True)
        known = [None if np.isnan(each) else float(f"{each:.4g}") for each in levels]
        return self.whole(place) | {"levels": known}

    def texts(self, texts: Sequence[str]) -> Column:
        """Add texts, in lines."""
        content = "\n".join(" ".join(text.split()) for text in texts).encode()
        return {"at": self._at(content), "bytes": 0, "length": len(content)}

    def _at(self, content: bytes) -> int:
        if content not in self._places:
            self._places[content] = len(self._content)
            self._content += content
        return self._places[content]

    def text(self) -> str:
        """Return all columns, deflated and in base64."""
        return base64.b64encode(zlib.compress(bytes(self._content), 9)).decode()


def unpacked(content: str, column: Column) -> Shaped[np.ndarray, " row"] | list[str]:
    """Read a column, as the page's script does.

    Args:
        content: Of all columns.
        column: Its description.

    Example:
        >>> packed = Packed()
        >>> column = packed.rounded(np.array([0.25, 300.5]), scale=100)
        >>> unpacked(packed.text(), column).tolist()
        [0.25, 300.5]
        >>> column = packed.among(np.array([2.0, np.nan, 2.0]))
        >>> unpacked(packed.text(), column).tolist()
        [2.0, nan, 2.0]
    """
    at, size, length = (column[each] for each in ("at", "bytes", "length"))
    held = zlib.decompress(base64.b64decode(content))[at : at + length * (size or 1)]
    if not size:
        return held.decode().split("\n")
    planes = np.frombuffer(held, np.uint8).reshape(size, length)
    values = planes.T.astype(np.int64) @ 256 ** np.arange(size)
    if "levels" in column:
        return np.array(column["levels"], float)[values]
    return values / column.get("scale", 1)
