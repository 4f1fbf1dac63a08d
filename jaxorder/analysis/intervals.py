"""How sure a figure is, given that other members, or examples, could have been drawn.

Resampling members with replacement is not offered: a duplicate agrees with itself, so
the naive bootstrap biases every agreement upwards. The jackknife has no duplicates.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t as student_t

from jaxorder.analysis.scales import PLAIN, Scale

# Of fewer members the spread is hardly known: Student's t alone makes the interval of
# two 13 standard errors wide to each side, and that of four still 3.
FEWEST = 5
# Two digits would make the ends of a narrower interval look alike.
_NARROW = 0.02
_NAN = float("nan")

Verdict = Literal["yes", "no", "undecided", "undefined"]


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it.

    Attributes:
        estimate: the statistic of all the data.
        low: lower end of the interval; NaN where it is undefined.
        high: upper end of the interval; NaN where it is undefined.
        standard_error: standard error of the estimate.
        level: how often such an interval is to cover the truth, in (0, 1).
        units: how many were left out in turn (members, mostly; of the smallest
            collection, where there are several); 0 where none were.
        degrees: degrees of freedom of the standard error; NaN where it has none.
    """

    estimate: float
    low: float
    high: float
    standard_error: float = float("nan")
    level: float = 0.95
    units: int = 0
    degrees: float = float("nan")

    def __str__(self) -> str:
        """Return the estimate and its interval as a person reads them."""
        return self.text()

    def text(self, digits: int = 2, few: bool = True) -> str:
        """Write the estimate with its interval in brackets, finer where it is narrow.

        Args:
            digits: after the point, at least.
            few: whether to say that members are too few for an interval, where they
                are; not where that is said once for many numbers.

        Example:
            >>> str(Interval(0.5, 0.4, 0.6)), str(Interval(0.991, 0.988, 0.994))
            ('0.50 [0.40, 0.60]', '0.991 [0.988, 0.994]')
            >>> nan = float("nan")
            >>> str(Interval(nan, nan, nan)), str(Interval(nan, nan, nan, units=3))
            ('undefined', 'undefined (3 members)')
            >>> few = Interval(0.5, nan, nan, units=2)
            >>> str(few), few.text(few=False)
            ('0.50, interval undefined (2 members)', '0.50')
        """
        if math.isnan(self.low):
            return self._alone(digits, few)
        if self.high - self.low < _NARROW:
            digits = max(digits, 3)
        low, high = number(self.low, digits), number(self.high, digits)
        return f"{number(self.estimate, digits)} [{low}, {high}]"

    @property
    def of_few(self) -> bool:
        """Whether there is no interval because members are too few."""
        return math.isnan(self.low) and 0 < self.units < FEWEST

    def _alone(self, digits: int, few: bool) -> str:
        """Write an estimate without interval, and why it has none."""
        told = number(self.estimate, digits)
        if self.of_few and not few:
            return told
        why = f" ({self.units} member{'' if self.units == 1 else 's'})" * self.of_few
        missing = "" if math.isnan(self.estimate) else ", interval undefined"
        return f"{told}{missing}{why}"


def number(value: float, digits: int = 2) -> str:
    """Write a number rounded to some digits, or that it is undefined.

    Example:
        >>> number(0.876), number(-0.001), number(float("nan"))
        ('0.88', '0.00', 'undefined')
    """
    # adding 0 turns a rounded -0.00 into 0.00
    return (
        "undefined" if math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"
    )


def beyond(observed: Interval, null: Interval) -> Verdict:
    """Tell whether an interval lies above a null's, or above a number.

    Args:
        observed: with interval.
        null: with interval; a number has one without width.

    Returns:
        "yes" above, "no" below it, "undecided" where they overlap, "undefined" where
        one is.

    Example:
        >>> beyond(Interval(0.5, 0.4, 0.6), Interval(0.2, 0.1, 0.3))
        'yes'
    """
    if math.isnan(observed.estimate):
        return "undefined"
    if math.isnan(observed.low) or math.isnan(null.high):
        return "undecided"
    if observed.low > null.high:
        return "yes"
    return "no" if observed.high < null.low else "undecided"


def p_value(found: Interval, value: float, side: Literal["above", "below"]) -> float:
    """Test whether the truth is above a value, or below it.

    Args:
        found: an estimate with its standard error.
        value: that of the null hypothesis, which is it and all on the other side.
        side: of the value, that the test is to show.

    Returns:
        The p-value of the one-sided t test, in [0, 1]; 1 where there is no interval.

    Reference:
        Student 1908; of a jackknife: Tukey 1958.

    Example:
        >>> found = jackknife(lambda kept: float(kept.mean()), 5)
        >>> round(p_value(found, 0.0, "above"), 4), p_value(found, 2.0, "below")
        (0.0237, 0.5)
    """
    away = found.estimate - value if side == "above" else value - found.estimate
    if math.isnan(found.low) or math.isnan(found.standard_error):
        return 1.0
    if found.standard_error == 0:
        return float(away <= 0)
    return float(student_t.sf(away / found.standard_error, found.degrees))


def undefined(units: int = 0) -> Interval:
    """Return an interval of a statistic that is undefined.

    Args:
        units: how many members there are.
    """
    nan = float("nan")
    return Interval(nan, nan, nan, units=units)


def jackknife(
    statistic: Callable[[Int[np.ndarray, " kept"]], float],
    members: int,
    level: float = 0.95,
) -> Interval:
    """Estimate a statistic of members, and an interval by leaving each one out.

    The claim is about other members on the same examples.

    Args:
        statistic: gives the figure for the members at the indices it is handed.
        members: how many there are, N.
        level: wanted coverage, in (0, 1).

    Returns:
        The statistic of all members, plus and minus its jackknife standard error
        times Student's t with N - 1 degrees of freedom. The ends are NaN for fewer
        than two members, and where leaving one out makes the statistic undefined.

    Raises:
        ValueError: `level` is not in (0, 1).

    Reference:
        Tukey 1958; Efron and Stein 1981.

    Example:
        >>> accuracy = np.array([0.90, 0.92, 0.94])
        >>> found = jackknife(lambda kept: float(accuracy[kept].mean()), 3)
        >>> round(found.estimate, 3), round(found.standard_error, 4)
        (0.92, 0.0115)
        >>> round(found.low, 3), round(found.high, 3)
        (0.87, 0.97)
    """
    every = np.arange(members)
    left_out = [statistic(np.delete(every, i)) for i in every] if members > 1 else []
    return jackknife_interval(statistic(every), np.array(left_out, float), level=level)


def jackknife_two_way(
    statistic: Callable[[Int[np.ndarray, " kept"], Int[np.ndarray, " rest"]], float],
    members: int,
    examples: int,
    *,
    blocks: int = 25,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Estimate a statistic, and an interval over other members and other examples.

    The variance is that over members (each left out) plus that over examples (random
    blocks left out). What members and examples make together is counted in both, so
    the interval is, if anything, too wide.

    Args:
        statistic: gives the figure for the members and the examples at the indices
            it is handed.
        members: how many there are, N.
        examples: how many there are, M.
        blocks: into how many blocks the examples are dealt, at most M.
        seed: decides which examples share a block.
        level: wanted coverage, in (0, 1).

    Returns:
        The statistic of everything, with the degrees of freedom that fit both
        variances. The ends are NaN for fewer than two members or examples.

    Raises:
        ValueError: `level` is not in (0, 1).

    Reference:
        Grouped jackknife: Shao and Wu 1989; sum over crossed factors: Owen 2007.

    Example:
        >>> scores = np.arange(12.0).reshape(3, 4)
        >>> found = jackknife_two_way(lambda m, e: scores[m][:, e].mean(), 3, 4)
        >>> round(found.estimate, 3), round(found.standard_error, 3)
        (5.5, 2.398)
    """
    every, whole = np.arange(members), np.arange(examples)
    dealt = deal(examples, blocks, seed)
    by_member = [statistic(np.delete(every, i), whole) for i in every if members > 1]
    by_block = [statistic(every, np.delete(whole, b)) for b in dealt if len(dealt) > 1]
    return jackknife_interval(
        statistic(every, whole),
        np.array(by_member, float),
        np.array(by_block, float),
        level=level,
    )


def deal(examples: int, blocks: int, seed: int) -> list[Int[np.ndarray, " block"]]:
    """Deal examples at random into blocks, each of which a jackknife leaves out.

    Args:
        examples: how many there are.
        blocks: into how many; at most as many as examples.
        seed: of the dealing.
    """
    order = np.random.default_rng(seed).permutation(examples)
    return np.array_split(order, min(blocks, examples))


def jackknife_interval(
    estimate: float,
    *left_out: Float[np.ndarray, " _"],
    level: float = 0.95,
    scale: Scale = PLAIN,
    fewest: int = 2,
) -> Interval:
    """Turn leave-one-out values into an interval, for those who have them cheaply.

    Args:
        estimate: the statistic of everything.
        left_out: for each independent source of variation (the members of one
            collection, those of another, blocks of examples), the statistic with
            each unit of it left out.
        level: wanted coverage, in (0, 1).
        scale: the scale on which the interval is symmetric, and the range that it
            stays in. Where a value lies at the very end of the range, where a scale
            is infinite, the plain scale is taken and the interval cut.
        fewest: units that each source needs for an interval, at least 2.

    Returns:
        The estimate plus and minus the standard error times Student's t; variances
        of the sources add, and the degrees of freedom are Welch's: those of the
        source that varies most, or more. The ends are NaN where a source has too few
        units or a value is NaN. The standard error is on the plain scale.

    Raises:
        ValueError: `level` is not in (0, 1).

    Reference:
        Tukey 1958; several samples: Arvesen 1969; on a scale: Miller 1974; degrees of
        freedom: Satterthwaite 1946, Welch 1947.

    Example:
        >>> found = jackknife_interval(2.0, np.array([1.0, 2.0, 3.0]))
        >>> round(found.standard_error, 3), round(found.high, 3)
        (1.155, 6.968)
    """
    if not 0 < level < 1:
        raise ValueError(f"level: wanted a share between 0 and 1, got {level}")
    units = min(len(values) for values in left_out)
    if units < max(fewest, 2):
        nan = float("nan")
        return Interval(float(estimate), nan, nan, nan, level, units)
    low, high = _ends(float(estimate), left_out, level, scale)
    error = math.sqrt(sum(_variances(left_out)))
    degrees = _degrees(left_out)
    return Interval(float(estimate), low, high, error, level, units, degrees)


def _ends(
    estimate: float,
    left_out: tuple[Float[np.ndarray, " _"], ...],
    level: float,
    scale: Scale,
) -> tuple[float, float]:
    """Go the same way down and up from the estimate on a scale, and return."""
    centre = float(scale.forward(np.array(estimate)))
    turned = tuple(scale.forward(values) for values in left_out)
    if not all(np.isfinite(values).all() for values in (centre, *turned)):
        scale, centre, turned = scale.cut(), estimate, left_out
    reach = _reach(turned, level)
    low, high = scale.back(np.array([centre - reach, centre + reach]))
    return (float(low), float(high)) if np.isfinite([low, high]).all() else (_NAN, _NAN)


def _reach(left_out: tuple[Float[np.ndarray, " _"], ...], level: float) -> float:
    """Give the standard error times Student's t."""
    variance = sum(_variances(left_out))
    if not variance > 0:  # nothing varies, or NaN
        return variance
    degrees = _degrees(left_out)
    return float(student_t.ppf((1 + level) / 2, degrees)) * math.sqrt(variance)


def _degrees(left_out: tuple[Float[np.ndarray, " _"], ...]) -> float:
    """Give the degrees of freedom of a sum of variances; NaN where that is 0."""
    each = np.array(_variances(left_out))
    free = np.array([len(values) - 1 for values in left_out])
    if not each.sum() > 0:
        return _NAN
    return float(each.sum() ** 2 / (each**2 / free).sum())


def _variances(left_out: tuple[Float[np.ndarray, " _"], ...]) -> list[float]:
    """Give the jackknife's variance of each source."""
    return [float((len(values) - 1) * values.var()) for values in left_out]
