"""Scales on which measures vary alike, whatever their size, and the ranges they keep.

An interval that is symmetric on its measure's own scale may leave the measure's range;
one that is symmetric on these and brought back never does.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "*shape"]


@dataclass(frozen=True)
class Scale:
    """A transformation of a measure, its inverse, and the measure's range.

    Attributes:
        low: the least value that the measure can take.
        high: the largest.
        to: the transformation, which rises; infinite at an end of the range.
        of: its inverse.
    """

    low: float
    high: float
    to: Callable[[Any], Any]
    of: Callable[[Any], Any]

    def forward(self, values: Values) -> Values:
        """Bring values of the measure to the scale; not finite where they cannot."""
        with np.errstate(all="ignore"):
            return np.asarray(self.to(np.asarray(values, float)))

    def back(self, values: Values) -> Values:
        """Bring values of the scale back to the measure, within its range."""
        with np.errstate(all="ignore"):
            return np.asarray(np.clip(self.of(values), self.low, self.high))

    def cut(self) -> "Scale":
        """Return the plain scale, cut at the same ends."""
        return replace(PLAIN, low=self.low, high=self.high)


PLAIN = Scale(-np.inf, np.inf, lambda values: values, lambda values: values)
# Of shares of which some are 0 or 1, where any other scale is infinite.
SHARE = replace(PLAIN, low=0.0, high=1.0)
# Of what is beyond chance: negative where there is less.
BEYOND_CHANCE = replace(PLAIN, high=1.0)
# Of correlations: Fisher 1915, 1921.
FISHER = Scale(-1.0, 1.0, np.arctanh, np.tanh)
# Of Cronbach's alpha, -ln(1 - alpha): Feldt 1965, Bonett 2002.
ALPHA = Scale(
    -np.inf,
    1.0,
    lambda alpha: -np.log1p(-alpha),
    lambda scaled: -np.expm1(-scaled),
)
# Of kurtosis minus squared skewness, which is at least 1 (Pearson 1916); the logarithm
# is that of any ratio of variances.
BIMODALITY = Scale(1.0, np.inf, lambda beta: np.log(beta - 1), lambda x: 1 + np.exp(x))


def intraclass(members: int) -> Scale:
    """Return the scale of an agreement of members that is at least -1 / (N - 1).

    With a member left out the agreement may be as low as -1 / (N - 2): the scale is of
    N - 1 members, so that each of these values is on it, too.

    Args:
        members: N, at least 1.

    Reference:
        Fisher 1925, on intraclass correlations.

    Example:
        >>> scale = intraclass(6)
        >>> scale.back(scale.forward(np.array([0.0, 0.5]))).round(6).tolist()
        [0.0, 0.5]
        >>> float(scale.back(np.array(-300.0)))
        -0.2
    """
    rest = max(members - 2, 1)

    def back(scaled: Any) -> Any:
        odds = np.exp(-2 * np.clip(scaled, -300, 300))
        return (1 - odds) / (1 + rest * odds)

    return Scale(
        -1 / max(members - 1, 1),
        1.0,
        lambda kappa: np.log((1 + rest * kappa) / (1 - kappa)) / 2,
        back,
    )
