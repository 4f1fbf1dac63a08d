"""Where the examples of a prepared set stand in the files that it was made from."""

import hashlib

import numpy as np
from jaxtyping import Int64

from jaxorder.data.prepared import OFFICIAL
from jaxorder.errors import RequestError


def official_positions(name: str, split: str, size: int) -> Int64[np.ndarray, "{size}"]:
    """Return the position in the official files of each example in TFDS's order.

    TFDS sorts examples by the md5 of the split's name followed by the example's key,
    and the keys of these sets are the positions in the official files, counted
    through where a split has several.

    Args:
        name: mnist, fashion_mnist, cifar10 or cifar100.
        split: "train" or "test".
        size: Number of examples in the split.

    Returns:
        0..size-1, permuted: `official[official_positions(...)]` is in TFDS's order.

    Raises:
        RequestError: Another data set or split: its keys are not known.

    Reference:
        tensorflow_datasets/core/hashing.py and core/shuffle.py, 4.9.10; it is not
        imported since that takes seconds, and a test compares with it.

    Example:
        >>> official_positions("mnist", "test", 5)
        array([1, 4, 3, 2, 0])
    """
    if name not in OFFICIAL:
        raise RequestError(
            f"{name}: its official order is not known; it is for {', '.join(OFFICIAL)}"
        )
    if split not in ("train", "test"):
        raise RequestError(f"{name} has the splits train and test, not {split}")
    keys = [
        hashlib.md5(f"{split}{i}".encode(), usedforsecurity=False).digest()
        for i in range(size)
    ]
    return np.array(sorted(range(size), key=keys.__getitem__), np.int64)
