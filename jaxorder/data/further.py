"""Data beside those that members were trained on, as these members take them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Int, Shaped

from jaxorder.data.dataset import Dataset, Split, digest
from jaxorder.data.options import ClassesBy, DataOptions
from jaxorder.data.request import Words
from jaxorder.data.sources import read
from jaxorder.data.subset import stratified
from jaxorder.data.transform import Projection
from jaxorder.errors import RequestError, given

MOST_NAMES = 20  # of classes, that a line of text shows


@dataclass(frozen=True)
class Known:
    """What members know of data: those that they were trained on.

    Attributes:
        name: What the data are called.
        class_names: In the order of the members' answers.
        input_shape: Of one input.
        input_type: Its numpy type; "" where that is not known.
        vocabulary: The words, by number, where the inputs are texts.
        projection: What inputs were projected by.
    """

    name: str
    class_names: Sequence[str]
    input_shape: tuple[int, ...]
    input_type: str = ""
    vocabulary: tuple[str, ...] = ()
    projection: Projection | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> "Known":
        """Return what members know that are trained on a data set."""
        return cls(
            dataset.name,
            dataset.class_names,
            dataset.input_shape,
            str(dataset.train.inputs.dtype),
            dataset.vocabulary,
            dataset.projection,
        )

    @property
    def words(self) -> Words | None:
        """How texts become numbers."""
        return Words(self.vocabulary, self.input_shape[0]) if self.vocabulary else None


@dataclass(frozen=True)
class Further:
    """Examples beside those of the training, as members take them.

    Attributes:
        source: Where they come from.
        split: The examples; where they are not labelled, all labels are 0.
        labelled: Whether the labels are classes that the members know.
        left_out: Examples of classes that the members do not know.
    """

    source: str
    split: Split
    labelled: bool = True
    left_out: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Say where examples are left out."""
        if not self.left_out:
            return ()
        return (
            f"{self.left_out:,} examples of {self.source} are of classes that the "
            "members do not know; they are left out",
        )

    @cached_property
    def digest(self) -> str:
        """The sha256 of inputs, labels and ids."""
        return digest(self.split)


@dataclass(frozen=True)
class Named:
    """A split of some source, with its classes.

    Attributes:
        source: Where it comes from.
        split: The examples.
        class_names: Names of its classes; empty where only their numbers are known.
        asked: How the source was given, as errors begin.
    """

    source: str
    split: Split
    class_names: Sequence[str] = field(default=())
    asked: str = ""


def named_split(
    wanted: DataOptions, split: str, words: Words | None, asked: str
) -> Named:
    """Read a split of a source.

    Args:
        wanted: The source, and what is done to it.
        split: `train` or `test`.
        words: Where the inputs are texts: their vocabulary and length.
        asked: How the source was given, as errors begin.

    Raises:
        RequestError: As of `load`; or the members read texts and the source has none,
            or the other way round.
    """
    dataset = read(wanted, words)
    found = dataset.split(split)
    if found.tokens != (words is not None):
        texts, numbers = "texts", "no texts"
        has, wants = (texts, numbers) if found.tokens else (numbers, texts)
        raise RequestError(f"{asked}: holds {has}, but the members know {wants}")
    return Named(dataset.name, found, dataset.class_names, asked)


def further(
    data: Named, known: Known, classes_by: ClassesBy, examples: int | None = None
) -> Further:
    """Bring examples to the inputs and classes that members know.

    Args:
        data: The examples and their classes.
        known: What the members know.
        classes_by: Whether a class is the members' class of the same name, or of the
            same number; or `none`, which leaves the labels out.
        examples: Keep at most this many, a fixed stratified choice; None: all.

    Returns:
        The examples; those of classes that the members do not know are left out.

    Raises:
        RequestError: Where inputs are of another shape or type, no class has a name
            in common or a number is too large, or `examples` is below the number of
            classes.
    """
    inputs = _inputs(data, known)
    labels, kept = _labels(data, known, classes_by)
    split = data.split
    rest = {k: v[kept] for k, v in split.columns.items() if k != "original_label"}
    chosen = Split(
        inputs[kept], labels[kept], split.ids[kept], rest, tokens=split.tokens
    )
    left_out = len(split.labels) - len(kept)
    found = Further(data.source, chosen, classes_by != "none", left_out)
    if examples is None or examples >= len(kept):
        return found
    # the choice keeps the shares of the source's own classes
    at = stratified(split.labels[kept], examples, option="record_examples")
    return replace(found, split=chosen.take(at))


def _inputs(data: Named, known: Known) -> Shaped[np.ndarray, "example *input"]:
    inputs = data.split.inputs
    if known.projection is not None and inputs.shape[1:] != known.input_shape:
        if inputs[:1].size == known.projection.mean.size:
            return known.projection.apply(inputs)
        raise RequestError(
            f"{data.asked}: one input holds {inputs[:1].size} numbers, but what the "
            f"members know was projected from {known.projection.mean.size}"
        )
    wanted = (known.input_shape, known.input_type or str(inputs.dtype))
    if (inputs.shape[1:], str(inputs.dtype)) == wanted:
        return inputs
    image = len(known.input_shape) == 3 and inputs.ndim == 4
    hint = f", or {given('resize')}" if image else ""
    raise RequestError(
        f"{data.asked}: one input is {inputs.dtype} {inputs.shape[1:]}, but the "
        f"members know {wanted[1]} {known.input_shape}, of {known.name}; give data of "
        f"that shape and type{hint}"
    )


def _labels(
    data: Named, known: Known, classes_by: ClassesBy
) -> tuple[Int[np.ndarray, "example"], Int[np.ndarray, "kept"]]:
    """Return the members' numbers of the classes, and which examples have one."""
    labels = data.split.labels
    everyone = np.arange(len(labels))
    if classes_by == "none":
        return np.zeros_like(labels), everyone
    if classes_by == "index" or not data.class_names:
        if labels.max() >= len(known.class_names):
            raise RequestError(
                f"{given('classes_by', 'index')}: {data.source} has a class "
                f"{labels.max()}, but the members know 0 to "
                f"{len(known.class_names) - 1}, of {known.name}"
            )
        return labels, everyone
    numbers = {name: number for number, name in enumerate(known.class_names)}
    own = np.array([numbers.get(name, -1) for name in data.class_names])[labels]
    kept = np.flatnonzero(own >= 0)
    if not len(kept):
        raise RequestError(
            f"{given('classes_by', 'name')}: no class in common: {data.source} has "
            f"{_listed(data.class_names)}; the members know "
            f"{_listed(known.class_names)}; give {given('classes_by', 'index')}, or "
            f"{given('classes_by', 'none')} for predictions without labels"
        )
    return own, kept


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown
