"""The examples learned earliest and latest, as thumbnails or texts."""

import base64
import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int, Integer, Shaped
from PIL import Image

from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.data import Dataset
from jaxorder.errors import RequestError, on_command_line
from jaxorder.report.blocks import Block, Card, Gallery, Notes, Section, Table
from jaxorder.report.shown import Page, Shown, absent
from jaxorder.report.wording import counted
from jaxorder.run.folder import Run

CARDS = 12
WORDS = 25  # of a text
_ACCESSIBILITY = (
    "accessibility: how early, and how surely, the members get it right, from 0 "
    "(never) to 1 (from the first snapshot on)."
)
_READING = (
    f"The name in bold is the label; the number beneath is {_ACCESSIBILITY} Framed are "
    "examples for which most members name another class at the last snapshot: hard "
    "ones, or ones with a wrong label.",
)
# Thumbnails are at least and at most this many pixels high: crisp, and small files.
_LEAST, _MOST = 48, 64


def gallery(page: Page) -> Section:
    """Show the most and the least accessible examples of every run and split."""
    blocks: list[Block] = []
    loaded: dict[tuple, Dataset | str] = {}
    for run in page.shown:
        key = _source(run.numbers.run)
        if key not in loaded:
            loaded[key] = _load(run.numbers.run)
        blocks += _of_run(run, loaded[key])
    images = any(isinstance(block, Gallery) for block in blocks)
    blocks = [*absent(page.runs), *([Notes(_READING)] if images else []), *blocks]
    return Section("examples", "Which examples are learned first, which last?", blocks)


def _source(run: Run) -> tuple:
    # a file may have been replaced between two runs: their digests tell
    return run.config.data, run.config.data_dir, run.document.data.digest


def _load(run: Run) -> Dataset | str:
    """Load the data of a run, or say in a sentence why no example can be shown."""
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


def _of_run(run: Shown, data: Dataset | str) -> list[Block]:
    names = run.numbers.run.document.data.class_names
    if isinstance(data, str):
        sentence = f"{run.heading}: no examples, since {data}; ids stand instead."
        tables = [_table(run, numbers, names) for numbers in run.splits]
        return [Notes([sentence]), *tables]
    if data.train.tokens:
        return [_table(run, n, names, data) for n in run.splits]
    return [
        _gallery(run, numbers, names, data, first)
        for numbers in run.splits
        for first in (True, False)
    ]


def extremes(
    accessibility: Float[np.ndarray, "example"], first: bool, most: int = CARDS
) -> Int[np.ndarray, "chosen"]:
    """Choose the most or the least accessible examples.

    Args:
        accessibility: Of each example.
        first: The most accessible, else the least.
        most: How many at most; never more than half, so that the two do not overlap.

    Returns:
        Positions, the extreme one first; of equals those that stand first.
    """
    order = np.argsort(-accessibility if first else accessibility, kind="stable")
    return order[: max(1, min(most, len(order) // 2))]


def _tied(accessibility: Float[np.ndarray, "example"], first: bool) -> str:
    """Say how many share the extreme value: choosing among them is arbitrary."""
    extreme = accessibility.max() if first else accessibility.min()
    count = int((np.abs(accessibility - extreme) < 1e-9).sum())
    if count <= 1:
        return ""
    which = "highest" if first else "lowest"
    return f" {counted(count, 'example')} share the {which} accessibility."


def _gallery(
    run: Shown,
    numbers: SplitNumbers,
    names: Sequence[str],
    data: Dataset,
    first: bool,
) -> Gallery:
    chosen = extremes(numbers.accessibility, first)
    places = _places(data, numbers)
    shown = [places[int(numbers.example_id[i])] for i in chosen]
    images = data.split(numbers.split).inputs[shown]
    which = (
        "most accessible, learned first" if first else "least accessible, learned last"
    )
    return Gallery(
        f"{run.heading}, {numbers.split}: {which}",
        f"{_right_words(numbers, chosen)}{_tied(numbers.accessibility, first)}",
        [
            _card(source, int(i), numbers, names)
            for source, i in zip(thumbnails(images), chosen, strict=True)
        ],
    )


def _right_words(numbers: SplitNumbers, chosen: Int[np.ndarray, "chosen"]) -> str:
    right = int((numbers.common[chosen] == numbers.label[chosen]).sum())
    return (
        f"For {right} of these {len(chosen)}, the label is the commonest answer at the "
        "last snapshot."
    )


def _card(
    source: str, position: int, numbers: SplitNumbers, names: Sequence[str]
) -> Card:
    label, answer = int(numbers.label[position]), int(numbers.common[position])
    return Card(
        source=source,
        example=int(numbers.example_id[position]),
        label=str(names[label]),
        # a fill value stands where no member answered, which usable members rule out
        answer=str(names[answer]),
        right=label == answer,
        accessibility=f"{numbers.accessibility[position]:.2f}",
    )


def _table(
    run: Shown,
    numbers: SplitNumbers,
    names: Sequence[str],
    texts: Dataset | None = None,
) -> Table:
    """Return the extreme examples by their ids, and their texts where there are any."""
    rows, places = [], _places(texts, numbers) if texts else {}
    for rank, first in (("first", True), ("last", False)):
        for position in map(int, extremes(numbers.accessibility, first)):
            each = _card("", position, numbers, names)
            row = [rank, str(each.example), each.label, each.answer, each.accessibility]
            if texts:
                place = places[each.example]
                row.append(texts.text(numbers.split, place, WORDS))
            rows.append(row)
    head = ["Learned", "Example id", "Label", "Commonest answer", "Accessibility"]
    return Table(
        f"{run.heading}, {numbers.split}: learned first and last",
        [*head, *(["How the text begins"] if texts else [])],
        rows,
        note=f"An example's {_ACCESSIBILITY}",
    )


def _places(data: Dataset, numbers: SplitNumbers) -> dict[int, int]:
    """Return where in the data each example of a split stands, by its id."""
    ids = data.split(numbers.split).ids
    return {int(example): place for place, example in enumerate(ids)}


def thumbnails(
    images: Shaped[np.ndarray, "example height width channel"],
) -> list[str]:
    """Turn images into small PNGs.

    Args:
        images: uint8, or float32 of any range, which is stretched over all of them.

    Returns:
        Data URIs.
    """
    return [_png(pixels) for pixels in _bytes(images)]


def _bytes(images: np.ndarray) -> Integer[np.ndarray, "example height width channel"]:
    if images.dtype == np.uint8:
        return images
    low, high = float(images.min()), float(images.max())
    scale = 255 / (high - low) if high > low else 0.0
    return np.rint((images - low) * scale).astype(np.uint8)


def _png(pixels: np.ndarray) -> str:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    width, height = image.size
    if height < _LEAST:
        factor = -(-_LEAST // height)
        image = image.resize(
            (width * factor, height * factor), Image.Resampling.NEAREST
        )
    else:
        image.thumbnail((2 * _MOST, _MOST))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
