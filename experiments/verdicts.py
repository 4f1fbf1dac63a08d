"""Verdicts on claims: computed from what was measured, by criteria that stood before.

A cell has one primary measure with an interval. "Holds" and "does not hold" are
one-sided tests of it; all tests of a claim are one family (Holm 1979). What neither
decides is undecided, and so is what a rule keeps from being decided.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxorder.analysis.intervals import Interval, p_value

Verdict = Literal["holds", "does not hold", "undecided"]
CRITERIA = Path(__file__).with_name("criteria.toml")


def criteria(file: Path = CRITERIA) -> dict[str, Any]:
    """Return the criteria by claim, and the rules that all share."""
    return tomllib.loads(file.read_text(encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What was measured of a claim on one data set, of one model or pair.

    Attributes:
        data: Name of the data set.
        of: The model, the pair or the variant.
        primary: The measure that decides; undefined where it could not be measured.
        holds_from: The claim holds where the primary measure is above this.
        fails_below: It does not where it is below this.
        other: The same measure by the secondary score, which must not decide otherwise;
            None where there is none.
        reasons: Why it must stay undecided, if it must.
        figures: All else that was measured, by name.
    """

    data: str
    of: str
    primary: Interval
    holds_from: float
    fails_below: float
    other: Interval | None = None
    reasons: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    def p_values(self, measured: Interval) -> tuple[float, float]:
        """Test that it holds, and that it does not; 1 where it cannot be."""
        if self.reasons:
            return 1.0, 1.0
        return (
            p_value(measured, self.holds_from, "above"),
            p_value(measured, self.fails_below, "below"),
        )


def verdicts(cells: Sequence[Cell], familywise: float) -> list[Verdict]:
    """Decide every cell of a claim.

    Args:
        cells: All of them: those that are missing or undefined count as tests, too.
        familywise: Chance that any test errs, where nothing is true that it shows.
    """
    first = _decided(cells, [cell.primary for cell in cells], familywise)
    second = _decided(cells, [cell.other or cell.primary for cell in cells], familywise)
    pairs = zip(first, second, strict=True)
    return [a if a == b else "undecided" for a, b in pairs]


def _decided(
    cells: Sequence[Cell], measured: Sequence[Interval], familywise: float
) -> list[Verdict]:
    tests = [cell.p_values(each) for cell, each in zip(cells, measured, strict=True)]
    shown = holm([p for pair in tests for p in pair], familywise)
    return [_verdict(*each) for each in zip(shown[::2], shown[1::2], strict=True)]


def _verdict(holds: bool, fails: bool) -> Verdict:
    if holds == fails:
        return "undecided"
    return "holds" if holds else "does not hold"


def holm(p_values: Sequence[float], familywise: float) -> list[bool]:
    """Tell which null hypotheses are rejected.

    Example:
        >>> holm([0.01, 0.04, 0.02], 0.05)
        [True, True, True]
        >>> holm([0.01, 0.04, 0.03], 0.05)
        [True, False, False]
    """
    order = np.argsort(p_values)
    limits = familywise / np.arange(len(order), 0, -1)
    passed = np.asarray(p_values)[order] <= limits
    first = len(order) if passed.all() else int(np.argmin(passed))
    rejected = np.zeros(len(order), bool)
    rejected[order[:first]] = True
    return rejected.tolist()


def of_claim(told: Sequence[Verdict]) -> Verdict:
    """Sum up the cells of a claim on one data set: what all of them say, or nothing.

    Example:
        >>> of_claim(["holds", "holds"]), of_claim(["holds", "undecided"])
        ('holds', 'undecided')
    """
    (first, *others) = set(told) or {"undecided"}
    return "undecided" if others else first
