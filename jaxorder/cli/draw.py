"""Examples of a data set drawn in a terminal, or to a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int, Shaped

from jaxorder.errors import RequestError, given
from jaxorder.files import write_bytes

if TYPE_CHECKING:
    from jaxorder.data import Dataset

SHADES = " .:-=+*#%@"
COLUMNS = 14  # characters an image
ACROSS = 5  # images a line
WORDS = 12
EACH = 8  # examples a class, in a file


def sketch(dataset: "Dataset") -> Iterator[str]:
    """Yield the lines that show the first example of each class, of up to ten."""
    split = dataset.train
    firsts = [int(np.argmax(split.labels == k)) for k in range(dataset.num_classes)]
    firsts = firsts[: 2 * ACROSS]
    if split.tokens:
        yield from (_words(dataset, at) for at in firsts)
    elif split.inputs.ndim == 4:
        for start in range(0, len(firsts), ACROSS):
            yield from _line(dataset, firsts[start : start + ACROSS])


def _words(dataset: "Dataset", at: int) -> str:
    name = dataset.class_names[dataset.train.labels[at]]
    return f"{name}: {dataset.text('train', at, WORDS)}"


def _line(dataset: "Dataset", positions: list[int]) -> Iterator[str]:
    split = dataset.train
    images = [_shaded(split.inputs[at]) for at in positions]
    for row in zip(*images, strict=True):
        yield "  ".join(row).rstrip()
    names = [dataset.class_names[split.labels[at]] for at in positions]
    yield "  ".join(f"{name[:COLUMNS]:{COLUMNS}}" for name in names).rstrip()
    yield ""


def _shaded(image: Shaped[np.ndarray, "height width channel"]) -> list[str]:
    """Return an image as characters, which are twice as high as they are wide."""
    grey = image.astype(np.float64).mean(-1)
    height, width = grey.shape
    rows = _centres(height, max(1, round(COLUMNS * height / width / 2)))
    grey = grey[np.ix_(rows, _centres(width, COLUMNS))]
    spread = float(np.ptp(grey)) or 1.0
    levels = ((grey - grey.min()) / spread * (len(SHADES) - 1)).round().astype(int)
    return ["".join(SHADES[level] for level in row) for row in levels]


def _centres(size: int, count: int) -> Int[np.ndarray, "count"]:
    return ((np.arange(count) + 0.5) * size / count).astype(int)


def draw_grid(dataset: "Dataset", path: Path) -> None:
    """Write a picture of some training images of each class.

    Raises:
        RequestError: The inputs are not images, or the file cannot be such a picture.
    """
    import io

    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    if dataset.train.inputs.ndim != 4:
        raise RequestError(
            f"{given('out', path)}: the inputs of {dataset.name} are not images"
        )
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise RequestError(f"{given('out', path)}: must end in .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise RequestError(
            f"{given('out', path)}: there is no folder {path.parent}; make it"
        )
    shown = min(dataset.num_classes, 20)
    figure, axes = plt.subplots(
        shown, EACH, figsize=(EACH, 1.05 * shown), layout="constrained", squeeze=False
    )
    for label, row in enumerate(axes):
        positions = np.flatnonzero(dataset.train.labels == label)[:EACH]
        for axis, at in zip(row, positions, strict=False):
            axis.imshow(_displayed(dataset.train.inputs[at]), cmap="gray")
        row[0].set_title(dataset.class_names[label], fontsize=8, loc="left")
        for axis in row:
            axis.axis("off")
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:], dpi=120)
    plt.close(figure)
    write_bytes(path, picture.getvalue())


def _displayed(image: Shaped[np.ndarray, "height width channel"]) -> np.ndarray:
    if image.dtype != np.uint8:
        low, spread = image.min(), float(np.ptp(image)) or 1.0
        image = (image - low) / spread
    return image if image.shape[-1] == 3 else image[..., 0]
