"""The named sources of data: one small function each, and the table that lists them."""

import dataclasses
import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.folder import folder
from jaxorder.data.made import gabor, gaussian, graded
from jaxorder.data.newsgroups import find_newsgroups, newsgroups20
from jaxorder.data.npz import read_npz
from jaxorder.data.options import DataOptions
from jaxorder.data.prepared import (
    cifar10,
    cifar100,
    fashion_mnist,
    find_prepared,
    mnist,
    tfds,
    tfds_folder,
)
from jaxorder.data.request import Request, Words
from jaxorder.data.subset import stratified
from jaxorder.data.text import text
from jaxorder.data.transform import resize, transformed
from jaxorder.errors import RequestError, given
from jaxorder.spec import parse_spec


def digits(request: Request) -> Dataset:
    """Handwritten digits, 8x8 grey values in [0, 1], shipped with scikit-learn."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()  # a Bunch, or a tuple for other arguments
    images = (bunch.images[..., None] / 16).astype(np.float32)  # values are 0..16
    test = stratified(bunch.target, 500)
    train = np.setdiff1d(np.arange(len(images)), test)
    whole = Split(images, bunch.target)
    names = tuple(map(str, bunch.target_names))
    return Dataset("digits", whole.take(train), whole.take(test), names)


def npz(request: Request) -> Dataset:
    """Arrays of your own in a file: train_inputs, train_labels, test_inputs, ..."""
    return read_npz(Path(request.argument).expanduser(), request.source)


Need = Literal["none", "allowed", "needed"]
Find = Callable[[Path | None], Path | None]


def _find_set(name: str) -> Find:
    return lambda data_dir: find_prepared(name, tfds_folder(data_dir))


@dataclass(frozen=True)
class Source:
    """How a source is asked for and read.

    Attributes:
        read: Makes the data set; its docstring describes the source.
        examples: Sizes of the train and the test split, where the source fixes them.
        classes: Number of classes, likewise.
        argument: What the text behind the colon is called in the usage.
        need: Whether there must or may be such a text.
        keys: Further keys, `key=value,...` behind that text, with their defaults.
        prepared: Whether TFDS has to have prepared it.
        find: Where it lies, given the folder of data sets; None: it is always there.
        resizes: Whether the reader itself brings images to one size.
    """

    read: Callable[[Request], Dataset]
    examples: tuple[int | None, int | None] = (None, None)
    classes: int | None = None
    argument: str = ""
    need: Need = "none"
    keys: Mapping[str, str] = field(default_factory=dict)
    prepared: bool = False
    find: Find | None = None
    resizes: bool = False


def _prepared(
    read: Callable[[Request], Dataset], examples: tuple[int, int], classes: int
) -> Source:
    name = read.__name__
    return Source(
        *(read, examples, classes),
        prepared=True,
        find=_find_set(name),
        resizes=True,
    )


WORDS = {"length": "200", "vocabulary": "10000"}
MADE = {"classes": "10", "train": "2000", "test": "1000"}
SOURCES = {
    "digits": Source(digits, (1297, 500), 10),
    "mnist": _prepared(mnist, (60000, 10000), 10),
    "fashion_mnist": _prepared(fashion_mnist, (60000, 10000), 10),
    "cifar10": _prepared(cifar10, (50000, 10000), 10),
    "cifar100": _prepared(cifar100, (50000, 10000), 100),
    "tfds": Source(tfds, argument="NAME", need="needed", resizes=True),
    "folder": Source(folder, argument="PATH", need="needed", resizes=True),
    "npz": Source(npz, argument="PATH", need="needed"),
    "text": Source(
        text,
        argument="PATH",
        need="needed",
        keys={"text": "text", "label": "label", **WORDS},
    ),
    "newsgroups20": Source(
        newsgroups20,
        (11314, 7532),
        20,
        argument="PATH",
        need="allowed",
        keys={"strip": "true", **WORDS},
        find=lambda data_dir: find_newsgroups("", data_dir),
    ),
    "gabor": Source(
        gabor,
        (2000, 1000),
        10,
        keys={**MADE, "size": "16", "separability": "0.2", "noise": "0.5", "seed": "0"},
    ),
    "gaussian": Source(
        gaussian,
        (2000, 1000),
        10,
        keys={
            **MADE,
            "features": "100",
            "separability": "3",
            "spectrum": "0",
            "seed": "0",
        },
    ),
    "graded": Source(
        graded,
        (2000, 1000),
        10,
        keys={
            **MADE,
            "size": "8",
            "easiest": "0.1",
            "hardest": "10",
            "separability": "1",
            "seed": "0",
        },
    ),
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
    source: str, *, data_dir: str | os.PathLike[str] | None = None, **wanted: Any
) -> Dataset:
    """Load a data set by the name of its source.

    Args:
        source: `NAME[:TEXT][,key=value,...]`, as `catalog` lists them.
        data_dir: Folder of prepared TFDS data sets; None is $TFDS_DATA_DIR, else
            ~/tensorflow_datasets.
        **wanted: What to do to the data: other fields of `DataOptions`, such as
            `train_examples`, the size of a fixed stratified choice.

    Returns:
        The data set; the ids of its examples are positions in the source.

    Raises:
        RequestError: There is no such source, it is not there or not readable, its
            arrays are not as they must be, or what is wanted cannot be done to it.
    """
    folder = None if data_dir is None else Path(data_dir)
    return read(DataOptions(data=source, data_dir=folder, **wanted))


def read(wanted: DataOptions, words: Words | None = None) -> Dataset:
    """Read the data that options ask for, and transform them.

    Args:
        wanted: The source, and what is done to it.
        words: How texts become numbers; None: as the training texts and the keys say.
    """
    request, known = parse_source(wanted.data, wanted.data_dir, wanted.resize)
    dataset = known.read(dataclasses.replace(request, words=words))
    sizes = {which: len(dataset.split(which).labels) for which in ("train", "test")}
    facts = {**dataset.facts, "source_examples": sizes}
    resized = known.resizes or wanted.resize is None
    dataset = dataclasses.replace(dataset, facts=facts)
    dataset = dataset if resized else resize(dataset, wanted.resize or 0)
    return transformed(dataset, wanted)


def catalog(data_dir: str | os.PathLike[str] | None = None) -> list[Entry]:
    """List the sources and whether they can be loaded, without reading any.

    Args:
        data_dir: Folder of prepared TFDS data sets; None is TFDS's own default.

    Returns:
        One entry a source.
    """
    folder = None if data_dir is None else Path(data_dir).expanduser()
    return [_entry(name, folder) for name in SOURCES]


def _entry(name: str, data_dir: Path | None) -> Entry:
    source = SOURCES[name]
    found = source.find(data_dir) if source.find else None
    looked = str(found or tfds_folder(data_dir))
    return Entry(
        _usage(name),
        (source.read.__doc__ or "").splitlines()[0],
        *source.examples,
        source.classes,
        available=source.find is None or found is not None,
        where=looked if source.find else source.argument or "built in",
    )


def _usage(name: str) -> str:
    source = SOURCES[name]
    return f"{name}:{source.argument}" if source.need == "needed" else name


def parse_source(
    source: str,
    data_dir: str | os.PathLike[str] | None = None,
    resize: int | None = None,
) -> tuple[Request, Source]:
    """Return what is asked for, and how it is read.

    Args:
        source: `NAME[:TEXT][,key=value,...]`.
        data_dir: Folder of data sets.
        resize: Pixels to bring the images' sides to.

    Raises:
        RequestError: Where there is no such source, or it takes no such text or key.
    """
    name, known = _known(source)
    # what is no key may be part of a path
    keys = None if known.need == "none" else known.keys
    spec = parse_spec(source, "data", between=",", known=keys).filled(known.keys)
    if known.need == ("none" if spec.argument else "needed"):
        raise RequestError(f"{given('data', source)}: wanted {_usage(name)}")
    folder = None if data_dir is None else Path(data_dir).expanduser()
    return Request(source, spec.argument, spec, folder, resize), known


def _known(source: str) -> tuple[str, Source]:
    name = source.partition(":")[0]
    if name not in SOURCES:
        raise RequestError(
            f"{given('data', source)}: no such source; allowed are "
            f"{', '.join(map(_usage, SOURCES))}{_suggestion(source)}"
        )
    return name, SOURCES[name]


def beside(source: str, folder: Path) -> str:
    """Return a source whose path, where it has one, is taken as relative to a folder.

    Args:
        source: `NAME[:TEXT][,key=value,...]`.
        folder: Folder of the file that names the source.

    Raises:
        RequestError: Where there is no such source, or it takes no such text or key.
    """
    request, known = parse_source(source)
    path, name = request.argument, source.partition(":")[0]
    if known.argument != "PATH" or not path or path.startswith("~"):
        return source
    keys = source.removeprefix(f"{name}:{path}")
    return f"{name}:{folder / path}{keys}"


def _suggestion(source: str) -> str:
    if source.endswith(".npz"):
        return f"; did you mean npz:{source.rpartition(':')[2]}?"
    close = difflib.get_close_matches(source.partition(":")[0].lower(), SOURCES, n=1)
    return f"; did you mean {_usage(close[0])}?" if close else ""
