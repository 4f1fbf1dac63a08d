"""The table of what is measured at every snapshot: a new measure is one entry here.

An entry's function sees how many examples have 0, 1, .. N of N members correct.
Numbers, intervals, nulls, summaries, JSON and the report's definitions are made from
the table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxorder.analysis.histograms import histogram_bimodality, histogram_kappa
from jaxorder.analysis.scales import BIMODALITY, Scale, intraclass


@dataclass(frozen=True, kw_only=True)
class SnapshotMeasure:
    """A measure of one snapshot.

    Attributes:
        name: key in JSON and in what was measured.
        symbol: how tables and figures call it.
        of: gives it for counts [..., N + 1], of examples or probabilities.
        scale: gives, for N members, the scale of its interval and its range.
        comparable: mean accuracies between which it may be compared; it is told
            nowhere else. None where it may at any.
        summary: whether it stands in the summary: at the last snapshot, or, where
            `comparable` says more, at the one whose mean accuracy is nearest 0.5.
        word: how the report's definitions name it.
        meaning: what it means, in a sentence or two.
        source: who made it.
    """

    name: str
    symbol: str
    of: Callable[[Any], Any]
    scale: Callable[[int], Scale]
    comparable: tuple[float, float] | None = None
    summary: bool = True
    word: str
    meaning: str
    source: str

    def compares(self, accuracy: float) -> bool:
        """Tell whether the measure may be compared at a mean accuracy.

        Args:
            accuracy: in [0, 1].

        Example:
            >>> [BY_NAME["bimodality"].compares(accuracy) for accuracy in (0.5, 0.9)]
            [True, False]
        """
        low, high = self.comparable or (0.0, 1.0)
        return low <= accuracy <= high


# Pearson's beta runs from 1.5 at accuracy 0.5 to 10 at 0.98 for one and the same
# difficulty.
_COMPARABLE = (0.3, 0.7)

SNAPSHOT_MEASURES = (
    SnapshotMeasure(
        name="kappa",
        symbol="κ",
        of=histogram_kappa,
        scale=intraclass,
        word="kappa κ",
        meaning=(
            "Agreement of members on what is right, beyond what their mean accuracy "
            "gives: 0 for independent members, 1 for members right on the same "
            "examples, undefined where all are always right or always wrong. It, too, "
            "falls towards accuracies of 0 and 1."
        ),
        source="Fleiss 1971",
    ),
    SnapshotMeasure(
        name="bimodality",
        symbol="β",
        of=histogram_bimodality,
        scale=lambda members: BIMODALITY,
        comparable=_COMPARABLE,
        word="bimodality β",
        meaning=(
            "Kurtosis minus squared skewness of TP-agreement over examples: 1 at the "
            "least, where all are 0 or 1; about 3 for independent members. It depends "
            f"on accuracy, and is told at mean accuracies of {_COMPARABLE[0]} to "
            f"{_COMPARABLE[1]} only."
        ),
        source="Pearson 1916; used after Hacohen et al. 2020",
    ),
)
BY_NAME = {measure.name: measure for measure in SNAPSHOT_MEASURES}
