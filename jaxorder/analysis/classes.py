"""What members make of each class: how accessible it is, and what it is taken for."""

import numpy as np
from jaxtyping import Float, Int, Integer

from jaxorder.analysis.intervals import FEWEST, Interval, jackknife_interval, undefined
from jaxorder.analysis.measures import is_answer
from jaxorder.analysis.scales import SHARE


def class_accessibility(
    order: Float[np.ndarray, "member example"],
    label: Integer[np.ndarray, " example"],
    classes: int,
) -> list[Interval]:
    """Measure how accessible the examples of each class are.

    Args:
        order: Each member's accessibility of each example, in [0, 1].
        label: Of each example.
        classes: How many there are.

    Returns:
        For each class the mean over its examples and over members, with the
        jackknife's interval over members, in [0, 1]; undefined where it has no
        examples.

    Example:
        >>> order = np.array([[0.5, 1.0, 0.2]])
        >>> [round(each.estimate, 2) for each in
        ...  class_accessibility(order, np.array([0, 0, 1]), 3)]
        [0.75, 0.2, nan]
    """
    many = np.bincount(label, minlength=classes)
    return accessibility_of_classes(class_sums(order, label, classes), many)


def class_sums(
    order: Float[np.ndarray, "member example"],
    label: Integer[np.ndarray, " example"],
    classes: int,
) -> Float[np.ndarray, "member class"]:
    """Sum each member's accessibilities over the examples of each class."""
    summed = [np.bincount(label, weights=own, minlength=classes) for own in order]
    return np.array(summed).reshape(len(order), classes)


def accessibility_of_classes(
    sums: Float[np.ndarray, "member class"], many: Int[np.ndarray, " class"]
) -> list[Interval]:
    """Measure `class_accessibility` from sums and the examples of each class."""
    return [
        _mean(own / count) if count else undefined(len(own))
        for own, count in zip(sums.T, many, strict=True)
    ]


def _mean(of_members: Float[np.ndarray, " member"]) -> Interval:
    many, whole = len(of_members), of_members.mean()
    left_out = (many * whole - of_members) / (many - 1) if many > 1 else np.empty(0)
    return jackknife_interval(float(whole), left_out, scale=SHARE, fewest=FEWEST)


def between_classes(
    values: Float[np.ndarray, " example"], label: Integer[np.ndarray, " example"]
) -> float:
    """Measure how much of what examples differ in is between their classes.

    Args:
        values: Of each example, such as its accessibility.
        label: Of each example.

    Returns:
        The correlation ratio in [0, 1], the variance of the classes' means (each
        weighed by its examples) over the variance of all: 0 where the class tells
        nothing, 1 where it tells all. NaN where the values are all alike, and for
        fewer than two classes.

    Reference:
        Eta squared, Pearson 1905; Fisher 1925.

    Example:
        >>> between_classes(np.array([0.0, 1.0, 1.0, 2.0]), np.array([0, 0, 1, 1]))
        0.5
    """
    _, place, many = np.unique(label, return_inverse=True, return_counts=True)
    if len(many) < 2 or np.ptp(values) < 1e-12:
        return float("nan")
    means = np.bincount(place, weights=values) / many
    spread = many @ (means - values.mean()) ** 2 / len(values)
    return float(spread / values.var())


def confusion_counts(
    prediction: Integer[np.ndarray, "member example"],
    label: Integer[np.ndarray, " example"],
    classes: int,
) -> Int[np.ndarray, "label answer"]:
    """Count which answers are given to the examples of each class.

    Args:
        prediction: Of members; the record's fill is no answer, and not counted.
        label: Of each example.
        classes: How many there are.

    Returns:
        [label, answer], over members and examples.

    Example:
        >>> prediction = np.array([[0, 1, 1], [1, 1, 0]])
        >>> confusion_counts(prediction, np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [1, 3]]
    """
    cell = label.astype(np.int64) * classes + prediction
    counts = np.bincount(cell[is_answer(prediction)], minlength=classes**2)
    return counts.reshape(classes, classes)
