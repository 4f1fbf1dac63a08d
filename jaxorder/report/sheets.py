"""Many thumbnails in one image, as many as fit into a number of bytes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Integer
from PIL import Image, features

from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.data import Dataset
from jaxorder.report.inputs import as_bytes, data_uri, images, picture_of

SIDE = 32  # pixels that a thumbnail has at most
_COLUMNS = 64
_QUALITY = 60


@dataclass(frozen=True)
class Sheet:
    """Thumbnails of one size, side by side.

    Attributes:
        source: A data URI.
        width: Of a thumbnail, in pixels.
        height: Likewise.
        columns: Thumbnails in a row.
        count: Thumbnails in all.
    """

    source: str
    width: int
    height: int
    columns: int
    count: int


def sheet(
    data: Dataset, numbers: SplitNumbers, order: Int[np.ndarray, "wanted"], budget: int
) -> Sheet:
    """Put the first of some images on a sheet, as many as fit.

    Args:
        data: Whose inputs are images.
        numbers: Of one of its splits.
        order: Positions among the examples measured, the most wanted first.
        budget: Characters that the sheet may take.
    """
    tried = _sheet(_small(as_bytes(images(data, numbers, order[:256]))), lossless=True)
    many = len(order)
    if len(tried.source) / tried.count * many <= budget:
        return _sheet(_small(as_bytes(images(data, numbers, order))), lossless=True)
    while True:
        made = _sheet(_small(as_bytes(images(data, numbers, order[:many]))))
        if len(made.source) <= budget or many < 2:
            return made
        many = max(1, min(many - 1, int(0.97 * many * budget / len(made.source))))


def _small(
    pixels: Integer[np.ndarray, "example height width channel"],
) -> list[Image.Image]:
    found = [picture_of(each) for each in pixels]
    for image in found:
        image.thumbnail((SIDE, SIDE))  # in place; smaller ones stay as they are
    return found


def _sheet(pictures: list[Image.Image], lossless: bool = False) -> Sheet:
    width, height = pictures[0].size
    rows = -(-len(pictures) // _COLUMNS)
    whole = Image.new(pictures[0].mode, (width * _COLUMNS, height * rows))
    for place, picture in enumerate(pictures):
        row, column = divmod(place, _COLUMNS)
        whole.paste(picture, (column * width, row * height))
    return Sheet(_written(whole, lossless), width, height, _COLUMNS, len(pictures))


def _written(whole: Image.Image, lossless: bool) -> str:
    if lossless:
        return data_uri(whole, "png", optimize=True)
    if features.check("webp") and max(whole.size) < 2**14:
        return data_uri(whole, "webp", quality=_QUALITY)
    return data_uri(whole, "jpeg", quality=_QUALITY)
