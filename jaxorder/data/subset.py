"""A fixed choice of examples that keeps the shares of the classes."""

import dataclasses

import numpy as np
from jaxtyping import Int, Int64

from jaxorder.data.dataset import Dataset, Split
from jaxorder.errors import RequestError, given

_SEED = 0  # for good: another would change every subset, and digits' split with it


def stratified(
    labels: Int[np.ndarray, "example"],
    size: int,
    *,
    option: str = "size",
    population: str = "the labels",
) -> Int64[np.ndarray, "{size}"]:
    """Choose examples so that the classes keep their shares.

    The choice depends on `labels` and `size` alone, so every run makes the same one.
    Shares are rounded by largest remainder, but each class that occurs keeps at least
    one example. The examples of a class are ranked once, whatever the size, so a
    smaller choice lies within a larger one but for that rounding.

    Args:
        labels: Class of each example.
        size: Examples to choose, from the number of classes to the number of labels.
        option: The argument that `size` was given as.
        population: What the message calls `labels`.

    Returns:
        Sorted positions in `labels`.

    Raises:
        RequestError: `size` is less than the classes or more than the labels.

    Example:
        >>> stratified(np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2]), 5)
        array([1, 2, 3, 8, 9])
    """
    sizes = np.unique(labels, return_counts=True)[1]
    if not sizes.size <= size <= labels.size:
        raise RequestError(
            f"{given(option, size)}: {population} hold {labels.size} examples of "
            f"{sizes.size} classes; give {sizes.size} to {labels.size}"
        )
    ranked = _fixed_order(labels.size)
    by_class = ranked[np.argsort(labels[ranked], kind="stable")]
    rank_in_class = np.concatenate([np.arange(count) for count in sizes])
    return np.sort(by_class[rank_in_class < np.repeat(_shares(sizes, size), sizes)])


def take_examples(
    dataset: Dataset,
    *,
    train_examples: int | None = None,
    test_examples: int | None = None,
) -> Dataset:
    """Reduce a data set to a fixed stratified choice of each split.

    Args:
        dataset: What to choose from.
        train_examples: Training examples to keep; None keeps all.
        test_examples: Test examples to keep; None keeps all.

    Returns:
        The reduced data set; ids and the order of the examples are kept.

    Raises:
        RequestError: A size is out of range.
    """
    train = _take(dataset.train, train_examples, "train", dataset.name)
    test = _take(dataset.test, test_examples, "test", dataset.name)
    return dataclasses.replace(dataset, train=train, test=test)


def _take(split: Split, size: int | None, which: str, name: str) -> Split:
    if size is None:
        return split
    option, population = f"{which}_examples", f"the {which} labels of {name}"
    return split.take(
        stratified(split.labels, size, option=option, population=population)
    )


def _fixed_order(size: int) -> Int64[np.ndarray, "{size}"]:
    # raw output, since numpy keeps a bit generator's stream for good but not the
    # methods of Generator (NEP 19)
    return np.argsort(np.random.PCG64(_SEED).random_raw(size), kind="stable")


def _shares(sizes: Int64[np.ndarray, "class"], size: int) -> Int64[np.ndarray, "class"]:
    total = int(sizes.sum())
    shares = np.maximum(size * sizes // total, 1)
    while (left := size - int(shares.sum())) != 0:
        excess = shares * total - size * sizes  # in integers, so that ties are exact
        if left > 0:
            shares[np.argmin(excess)] += 1
        else:
            shares[np.argmax(np.where(shares > 1, excess, -size * total))] -= 1
    return shares
