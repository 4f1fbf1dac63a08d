"""The named sources of data: one small function each, and the table that lists them."""

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.npz import read_npz
from jaxorder.data.prepared import find_prepared, load_prepared, tfds_folder
from jaxorder.data.subset import stratified, take_examples
from jaxorder.errors import RequestError


def digits(argument: str, folder: Path) -> Dataset:
    """Handwritten digits, 8x8 grey values in [0, 1], shipped with scikit-learn."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()  # a Bunch, or a tuple for other arguments
    images = (bunch.images[..., None] / 16).astype(np.float32)  # values are 0..16
    test = stratified(bunch.target, 500)
    train = np.setdiff1d(np.arange(len(images)), test)
    whole = Split(images, bunch.target)
    names = tuple(map(str, bunch.target_names))
    return Dataset("digits", whole.take(train), whole.take(test), names)


def mnist(argument: str, folder: Path) -> Dataset:
    """Handwritten digits, 28x28 grey values, prepared by TFDS."""
    return load_prepared("mnist", folder)


def fashion_mnist(argument: str, folder: Path) -> Dataset:
    """Articles of clothing, 28x28 grey values, prepared by TFDS."""
    return load_prepared("fashion_mnist", folder)


def npz(argument: str, folder: Path) -> Dataset:
    """Arrays of your own in a file: train_inputs, train_labels, test_inputs, ..."""
    return read_npz(Path(argument).expanduser(), f"npz:{argument}")


@dataclass(frozen=True)
class Source:
    """How a source is asked for and read.

    Attributes:
        read: Makes the data set of what stands behind the colon and of the folder of
            prepared TFDS data sets; its docstring describes the source.
        examples: Sizes of the train and the test split, where the source fixes them.
        classes: Number of classes, likewise.
        argument: What stands behind the colon, "" for nothing.
        prepared: Whether TFDS has to have prepared it.
    """

    read: Callable[[str, Path], Dataset]
    examples: tuple[int | None, int | None] = (None, None)
    classes: int | None = None
    argument: str = ""
    prepared: bool = False


SOURCES = {
    "digits": Source(digits, (1297, 500), 10),
    "mnist": Source(mnist, (60000, 10000), 10, prepared=True),
    "fashion_mnist": Source(fashion_mnist, (60000, 10000), 10, prepared=True),
    "npz": Source(npz, argument="PATH"),
}


@dataclass(frozen=True)
class Entry:
    """One line of the catalog.

    Attributes:
        name: How to ask for it, for instance "mnist" or "npz:PATH".
        description: What it holds, one line.
        train: Training examples; None where that depends on the file.
        test: Test examples, likewise.
        classes: Classes, likewise.
        available: Whether it can be loaded now.
        where: Where it lies, or where it was looked for.
    """

    name: str
    description: str
    train: int | None
    test: int | None
    classes: int | None
    available: bool
    where: str


def load(
    source: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    train_examples: int | None = None,
    test_examples: int | None = None,
) -> Dataset:
    """Load a data set by the name of its source.

    Args:
        source: digits, mnist, fashion_mnist or npz:PATH.
        data_dir: Folder of prepared TFDS data sets; None is $TFDS_DATA_DIR, else
            ~/tensorflow_datasets.
        train_examples: Size of a fixed stratified choice of the training examples;
            None keeps all.
        test_examples: Size of a fixed stratified choice of the test examples;
            None keeps all.

    Returns:
        The data set; the ids of its examples are positions in the source.

    Raises:
        RequestError: There is no such source, it is not there or not readable, its
            arrays are not as they must be, or a size is out of range.
    """
    name, argument = _parsed(source)
    dataset = SOURCES[name].read(argument, tfds_folder(data_dir))
    return take_examples(
        dataset, train_examples=train_examples, test_examples=test_examples
    )


def catalog(data_dir: str | os.PathLike[str] | None = None) -> list[Entry]:
    """List the sources and whether they can be loaded, without reading any.

    Args:
        data_dir: Folder of prepared TFDS data sets; None is TFDS's own default.

    Returns:
        One entry a source.
    """
    return [_entry(name, tfds_folder(data_dir)) for name in SOURCES]


def _entry(name: str, folder: Path) -> Entry:
    source = SOURCES[name]
    found = find_prepared(name, folder) if source.prepared else None
    where = str(found or folder) if source.prepared else source.argument or "built in"
    return Entry(
        _usage(name),
        (source.read.__doc__ or "").splitlines()[0],
        *source.examples,
        source.classes,
        available=not source.prepared or found is not None,
        where=where,
    )


def _usage(name: str) -> str:
    argument = SOURCES[name].argument
    return f"{name}:{argument}" if argument else name


def _parsed(source: str) -> tuple[str, str]:
    name, _, argument = source.partition(":")
    if name not in SOURCES:
        raise RequestError(
            f"--data {source!r}: no such source; allowed are "
            f"{', '.join(map(_usage, SOURCES))}{_suggestion(source)}"
        )
    if bool(argument) != bool(SOURCES[name].argument):
        raise RequestError(f"--data {source}: wanted {_usage(name)}")
    return name, argument


def _suggestion(source: str) -> str:
    if source.endswith(".npz"):
        return f"; did you mean npz:{source.rpartition(':')[2]}?"
    close = difflib.get_close_matches(source.partition(":")[0].lower(), SOURCES, n=1)
    return f"; did you mean {_usage(close[0])}?" if close else ""
