"""What the examples of a run look like, where that can be shown."""

import base64
import io
from dataclasses import replace

import numpy as np
from jaxtyping import Integer, Shaped
from PIL import Image

from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.data import Dataset
from jaxorder.errors import RequestError, on_command_line
from jaxorder.run.folder import Run

# Thumbnails are at least and at most this many pixels high: crisp, and small files.
_LEAST, _MOST = 48, 64


def source(run: Run) -> tuple[str, object, str]:
    """Tell what a run's data are loaded by; runs of which it is equal share them."""
    # a file may have been replaced between two runs: their digests tell
    return run.config.data, run.config.data_dir, run.document.data.digest


def load(run: Run) -> Dataset | str:
    """Load the data of a run, or say in a clause why no example can be shown."""
    if run.kind == "imported":
        return "imported predictions come without them"
    try:
        dataset = run.config.load()
        if dataset.digest != run.document.data.digest:
            return "the data found under this name are not those the run was trained on"
        if run.config.pca:  # what was projected can be seen as it was before only
            dataset = replace(run.config, pca=None).load()
    except (RequestError, OSError) as error:
        return f"the data cannot be loaded here ({on_command_line(error)})"
    if not (dataset.train.tokens or _drawable(dataset.input_shape)):
        return "its inputs are neither images nor texts"
    return dataset


def _drawable(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[2] in (1, 3)


def places(
    data: Dataset, numbers: SplitNumbers, chosen: Integer[np.ndarray, "chosen"]
) -> Integer[np.ndarray, "chosen"]:
    """Find where in the data examples stand, by their ids.

    Args:
        data: That hold them.
        numbers: Of one of its splits.
        chosen: Positions among the examples measured.
    """
    ids = data.split(numbers.split).ids
    order = np.argsort(ids)
    return order[np.searchsorted(ids[order], numbers.example_id[chosen])]


def images(
    data: Dataset, numbers: SplitNumbers, chosen: Integer[np.ndarray, "chosen"]
) -> Shaped[np.ndarray, "chosen height width channel"]:
    """Return images as the data hold them.

    Args:
        data: Whose inputs are images.
        numbers: Of one of its splits.
        chosen: Positions among the examples measured.
    """
    return data.split(numbers.split).inputs[places(data, numbers, chosen)]


def thumbnails(
    pixels: Shaped[np.ndarray, "example height width channel"],
) -> list[str]:
    """Turn images into small PNGs.

    Args:
        pixels: uint8, or float32 of any range, which is stretched over all of them.

    Returns:
        Data URIs.
    """
    return [_png(each) for each in as_bytes(pixels)]


def as_bytes(
    pixels: np.ndarray,
) -> Integer[np.ndarray, "example height width channel"]:
    """Return images as bytes: floats are stretched over all of them."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    scale = 255 / (high - low) if high > low else 0.0
    return np.rint((pixels - low) * scale).astype(np.uint8)


def picture_of(pixels: Integer[np.ndarray, "height width channel"]) -> Image.Image:
    """Return an image as Pillow has it."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def data_uri(image: Image.Image, form: str, **given: object) -> str:
    """Return an image as a data URI.

    Args:
        image: The image.
        form: Of the file: "png", "jpeg" or "webp".
        **given: What Pillow takes besides.
    """
    buffer = io.BytesIO()
    image.save(buffer, format=form, **given)
    content = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{form};base64,{content}"


def _png(pixels: np.ndarray) -> str:
    image = picture_of(pixels)
    width, height = image.size
    if height < _LEAST:
        factor = -(-_LEAST // height)
        image = image.resize(
            (width * factor, height * factor), Image.Resampling.NEAREST
        )
    else:
        image.thumbnail((2 * _MOST, _MOST))
    return data_uri(image, "png", optimize=True)
