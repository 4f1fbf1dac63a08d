"""A data set: two splits of labelled examples, checked once when they are made."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int, Int32, Int64, Shaped, UInt8

from jaxorder.errors import RequestError, given

Inputs = (
    UInt8[np.ndarray, "example height width channel"]
    | UInt8[np.ndarray, "example feature"]
    | Float32[np.ndarray, "example height width channel"]
    | Float32[np.ndarray, "example feature"]
    | Int32[np.ndarray, "example token"]
)
Scaling = Literal["each", "whole", "unit", "none"]

_RENUMBER = "number the classes with np.unique(labels, return_inverse=True)[1]"


@dataclass(frozen=True, eq=False, init=False)
class Split:
    """Examples, their labels and where in their source they come from.

    Construction converts (floats, other integers and bool to float32; labels to
    int32), refuses what no model can use, and makes the arrays read-only.

    Attributes:
        inputs: Images or feature vectors, uint8 in 0..255 or finite float32; or the
            words of texts, int32, by their number in the vocabulary.
        labels: Classes, 0..K-1.
        ids: Positions in the named source, unique; a subset keeps them.
        columns: What else is known of each example, by name, as `original_label`
            where labels were changed; recorded beside the labels.
    """

    inputs: Inputs
    labels: Int32[np.ndarray, "example"]
    ids: Int64[np.ndarray, "example"]
    columns: Mapping[str, Shaped[np.ndarray, "example"]]

    def __init__(
        self,
        inputs: np.ndarray,
        labels: np.ndarray,
        ids: np.ndarray | None = None,
        columns: Mapping[str, np.ndarray] | None = None,
        *,
        tokens: bool = False,
    ):
        """Check and keep a split.

        Args:
            inputs: [example height width channel] or [example feature], numbers; or
                with `tokens` [example token], integers from 0.
            labels: [example], integers from 0.
            ids: [example], unique integers; None numbers the examples from 0.
            columns: [example] each, numbers.
            tokens: Whether the inputs are numbers of words.

        Raises:
            RequestError: An array has the wrong shape or type, is empty, differs in
                length from the others, or holds values that are not allowed.
        """
        ids = np.arange(labels.size) if ids is None else ids
        _check_shapes(inputs, labels, ids)
        values = _as_tokens(inputs) if tokens else _as_inputs(inputs)
        columns = {k: _read_only(np.asarray(v)) for k, v in (columns or {}).items()}
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "inputs", _read_only(values))
        object.__setattr__(self, "labels", _read_only(_as_labels(labels)))
        object.__setattr__(self, "ids", _read_only(_as_ids(ids)))

    def take(self, positions: Int[np.ndarray, "chosen"]) -> "Split":
        """Choose examples by their positions in this split, keeping their ids.

        Args:
            positions: Unique positions, 0 to the number of examples - 1.

        Returns:
            The chosen examples, in the order of `positions`.
        """
        return Split(
            self.inputs[positions],
            self.labels[positions],
            self.ids[positions],
            {name: column[positions] for name, column in self.columns.items()},
            tokens=self.tokens,
        )

    @property
    def tokens(self) -> bool:
        """Whether the inputs are numbers of words."""
        return self.inputs.dtype == np.int32

    def with_labels(self, labels: Int[np.ndarray, "example"]) -> "Split":
        """Return the examples with other labels; those they had at first are kept."""
        columns = {"original_label": self.labels, **self.columns}
        return Split(self.inputs, labels, self.ids, columns, tokens=self.tokens)

    def with_inputs(self, inputs: np.ndarray) -> "Split":
        """Return the examples with other inputs, which are no words."""
        return Split(inputs, self.labels, self.ids, self.columns)


def digest(*splits: Split) -> str:
    """Return the sha256 (hex) of splits: inputs, labels, ids, columns."""
    sha = hashlib.sha256()
    for split in splits:
        columns = [split.columns[name] for name in sorted(split.columns)]
        for array in (split.inputs, split.labels, split.ids, *columns):
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            sha.update(f"{array.dtype.name}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """A train and a test split of the same kind of input and the same classes.

    Attributes:
        name: The source as asked for, for instance "digits" or "npz:mine.npz".
        train: Examples to learn; each class occurs.
        test: Examples that are only predicted.
        class_names: One name a class, in the order of the labels.
        scaling: How inputs are brought to mean 0 and deviation 1: `each` channel or
            feature by its own, the `whole` by one deviation where their proportions
            matter; or `unit`, bytes from 0 to 1; or `none` for words.
        vocabulary: The words, by number; empty where the inputs are none.
        facts: What else is known of the data, as JSON values: what was done to them
            with which seed, how well any classifier can do.
        projection: What inputs were projected by, to do the same to other data.

    Raises:
        RequestError: The labels of the train split are not 0..K-1 with K > 1, or
            the other split or the class names do not fit it.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    scaling: Scaling = "each"
    vocabulary: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    projection: Any = None

    def __post_init__(self):
        problem = _classes_problem(self) or _inputs_problem(self.train, self.test)
        if problem:
            raise RequestError(f"{given('data', self.name)}: {problem}")

    @property
    def num_classes(self) -> int:
        """Return K, the number of classes."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Return the shape of one input: (height, width, channel) or (feature,)."""
        return self.train.inputs.shape[1:]

    @property
    def example_bytes(self) -> int:
        """Return the bytes of one input."""
        return self.train.inputs[:1].nbytes

    @cached_property
    def digest(self) -> str:
        """Return the sha256 (hex) of both splits: inputs, labels, ids, columns.

        The same on every platform; names do not count.
        """
        return digest(self.train, self.test)

    def split(self, name: str) -> Split:
        """Return the split of that name.

        Args:
            name: "train" or "test".

        Raises:
            RequestError: There is no split of that name.
        """
        if name not in ("train", "test"):
            raise RequestError(
                f"{given('split', name)}: a data set has the splits train and test"
            )
        return self.train if name == "train" else self.test

    def text(self, split: str, position: int, words: int) -> str:
        """Return the beginning of a text as networks see it, padding left out.

        Args:
            split: "train" or "test".
            position: Of the example within the split.
            words: How many at most; three dots follow where there are more.

        Raises:
            RequestError: There is no split of that name.
        """
        tokens = [token for token in self.split(split).inputs[position] if token]
        shown = " ".join(self.vocabulary[token] for token in tokens[:words])
        return f"{shown} ..." if len(tokens) > words else shown


def from_arrays(
    name: str,
    train_inputs: np.ndarray,
    train_labels: np.ndarray,
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
    class_names: tuple[str, ...] | None = None,
) -> Dataset:
    """Make a data set of plain arrays; ids are positions in them.

    Args:
        name: What to call it; stands in error messages, run folders and reports.
        train_inputs: [example height width channel] or [example feature], numbers.
        train_labels: [example], integers 0..K-1, each of which occurs.
        test_inputs: As train_inputs, with the same shape of one input and type.
        test_labels: [example], integers 0..K-1.
        class_names: One name a class; None names each class by its number.

    Returns:
        The checked data set.

    Raises:
        RequestError: An array is not as described; the message says which and how
            to put it right.
    """
    train = _named_split(f"{given('data', name)}: train_", train_inputs, train_labels)
    test = _named_split(f"{given('data', name)}: test_", test_inputs, test_labels)
    if class_names is None:
        class_names = tuple(str(k) for k in range(np.unique(train.labels).size))
    return Dataset(name, train, test, class_names)


def _named_split(prefix: str, inputs: np.ndarray, labels: np.ndarray) -> Split:
    try:
        return Split(inputs, labels)
    except RequestError as error:
        raise RequestError(f"{prefix}{error.message}") from None


def _check_shapes(inputs: np.ndarray, labels: np.ndarray, ids: np.ndarray) -> None:
    shape = inputs.shape
    if inputs.ndim == 3:
        raise RequestError(
            f"inputs have shape {shape}; wanted [example height width channel]: "
            "add the channel axis with inputs[..., None]"
        )
    if inputs.ndim not in (2, 4):
        raise RequestError(
            f"inputs have shape {shape}; wanted [example height width channel] "
            "or [example feature]: reshape them"
        )
    if inputs.size == 0:
        raise RequestError(
            f"inputs are empty (shape {shape}); wanted at least one example"
        )
    if labels.ndim != 1:
        raise RequestError(
            f"labels have shape {labels.shape}; wanted [example], one integer an "
            "example: for one-hot rows give labels.argmax(axis=1)"
        )
    if not len(inputs) == len(labels) == ids.size:
        raise RequestError(
            f"inputs count {len(inputs)} examples, labels {len(labels)} and ids "
            f"{ids.size}; wanted as many of each"
        )


def _as_inputs(inputs: np.ndarray) -> Inputs:
    if inputs.dtype == np.uint8:
        return inputs
    if inputs.dtype.kind not in "fiub":
        raise RequestError(
            f"inputs have dtype {inputs.dtype}; wanted uint8 or real numbers: "
            "convert with inputs.astype(np.float32)"
        )
    with np.errstate(over="ignore"):  # an overflow becomes inf and is refused below
        values = inputs.astype(np.float32, copy=False)
    finite = np.isfinite(values)
    if not finite.all():
        first = np.unravel_index(np.argmin(finite), finite.shape)
        raise RequestError(
            f"inputs hold {finite.size - np.count_nonzero(finite)} values that are not "
            f"finite as float32, the first ({inputs[first]}) at "
            f"{[int(i) for i in first]}: replace, rescale or drop them"
        )
    return values


def _as_tokens(inputs: np.ndarray) -> Int32[np.ndarray, "example token"]:
    if inputs.dtype.kind not in "iu" or inputs.ndim != 2 or inputs.min() < 0:
        raise RequestError(
            f"inputs have dtype {inputs.dtype} and shape {inputs.shape}; wanted whole "
            "numbers from 0 as [example token]: number the words"
        )
    return inputs.astype(np.int32, copy=False)


def _as_labels(labels: np.ndarray) -> Int32[np.ndarray, "example"]:
    if labels.dtype.kind not in "iu":
        raise RequestError(
            f"labels have dtype {labels.dtype}; wanted integers 0..K-1: {_RENUMBER}"
        )
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest > np.iinfo(np.int32).max:
        raise RequestError(
            f"labels run from {lowest} to {highest}; wanted 0..K-1: {_RENUMBER}"
        )
    return labels.astype(np.int32, copy=False)


def _as_ids(ids: np.ndarray) -> Int64[np.ndarray, "example"]:
    if ids.dtype.kind not in "iu" or ids.ndim != 1 or np.unique(ids).size != ids.size:
        raise RequestError(
            f"ids have dtype {ids.dtype}, shape {ids.shape} and "
            f"{np.unique(ids).size} different values; wanted one unique integer an "
            "example: leave them out to number the examples from 0"
        )
    return ids.astype(np.int64, copy=False)


def _read_only(array: np.ndarray) -> np.ndarray:
    # the digest is taken once, so what it was taken of must not change
    view = array.view()
    view.flags.writeable = False
    return view


def _classes_problem(dataset: Dataset) -> str | None:
    present = np.unique(dataset.train.labels)
    classes, highest = present.size, int(dataset.test.labels.max())
    gaps = np.flatnonzero(present != np.arange(classes))
    if gaps.size:
        return (
            f"train_labels lack class {gaps[0]} though they go up to {present[-1]}; "
            f"wanted 0..K-1, each at least once: {_RENUMBER}"
        )
    if classes < 2:
        return "train_labels hold one class only; wanted two classes or more"
    if classes != dataset.num_classes:
        return (
            f"{dataset.num_classes} class_names for the {classes} classes of "
            "train_labels; wanted one name a class"
        )
    if highest >= classes:
        return (
            f"test_labels hold class {highest}, which train_labels (0..{classes - 1}) "
            "lack; drop its examples or give it training examples"
        )
    return None


def _inputs_problem(train: Split, test: Split) -> str | None:
    ours, theirs = train.inputs, test.inputs
    if (ours.shape[1:], ours.dtype) == (theirs.shape[1:], theirs.dtype):
        return None
    return (
        f"one input is {ours.dtype} {ours.shape[1:]} in train_inputs but "
        f"{theirs.dtype} {theirs.shape[1:]} in test_inputs; wanted the same"
    )
