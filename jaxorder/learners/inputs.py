"""The inputs as learners take them: rows of numbers, or bags of words."""

import numpy as np
from jaxtyping import Float32, Integer, Shaped
from scipy.sparse import csr_array, vstack

from jaxorder.data.laid_out import LaidOut
from jaxorder.data.standardize import Standardization
from jaxorder.learners.problem import Matrix

# ---- numbers


def rows(
    inputs: Shaped[np.ndarray, "example *input"], standard: Standardization
) -> Float32[np.ndarray, "example feature"]:
    """Return inputs standardised as for networks, images as one row of pixels.

    Args:
        inputs: [example height width channel] or [example feature].
        standard: Mean and deviation of each channel or feature.
    """
    values = (inputs - standard.mean) / standard.deviation
    return values.reshape(len(inputs), -1).astype(np.float32, copy=False)


# ---- texts


def bag_of_words(
    tokens: Integer[np.ndarray, "example token"], vocabulary: int
) -> csr_array:
    """Return the bags of words that networks take, without the words that are absent.

    1 + ln(count) of each word, 0 where it does not occur; rows have length 1 times the
    square root of the vocabulary. Word 0 fills up short texts and does not count.

    Args:
        tokens: Numbers of words.
        vocabulary: How many words there are.

    Returns:
        [example word], float32.

    Reference:
        Manning et al. 2008, section 6.4.1.

    Example:
        >>> bag_of_words(np.array([[1, 2, 2, 0]]), 3).toarray().round(2)
        array([[0.  , 0.88, 1.49]], dtype=float32)
    """
    texts, places = np.nonzero(tokens)
    ones = np.ones(len(texts), np.float32)
    # most of scikit-learn takes no indices of 64 bits
    at = texts.astype(np.int32), tokens[texts, places].astype(np.int32)
    bags = csr_array((ones, at), shape=(len(tokens), vocabulary))
    bags.sum_duplicates()
    bags.data = 1 + np.log(bags.data)
    length = np.sqrt((bags * bags).sum(axis=1))
    scale = np.sqrt(vocabulary) / np.maximum(length, 1)
    bags.data *= np.repeat(scale, np.diff(bags.indptr)).astype(np.float32)
    return bags


# ---- all splits


def matrices(data: LaidOut) -> tuple[Matrix, Matrix]:
    """Return what is learned and what is predicted.

    Args:
        data: Training and test examples, and probes.

    Returns:
        All training inputs; and the recorded ones, of the training split first.
    """
    parts = [_matrix(data, split.inputs) for split in data.splits.values()]
    kept = zip(data.recorded.values(), parts, strict=True)
    recorded = [part[at] for at, part in kept]
    if data.dataset.train.tokens:
        return parts[0], csr_array(vstack(recorded))
    return parts[0], np.concatenate(recorded)


def _matrix(data: LaidOut, inputs: Shaped[np.ndarray, "example *input"]) -> Matrix:
    if data.dataset.train.tokens:
        return bag_of_words(inputs, len(data.dataset.vocabulary))
    return rows(inputs, data.standard)
