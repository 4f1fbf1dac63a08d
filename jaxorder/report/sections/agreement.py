"""TP-agreement over snapshots, beside what chance would give."""

from collections.abc import Sequence

import numpy as np

from jaxorder.report.blocks import Plate, Section
from jaxorder.report.figures.histograms import tpa_heat_maps, tpa_histogram
from jaxorder.report.findings import (
    null_gap,
)
from jaxorder.report.numbers import (
    RunNumbers,
    SplitNumbers,
    comparable_bimodality,
    nearest_snapshot,
)
from jaxorder.report.sections.drawn import Drawn, absent, several, single
from jaxorder.report.wording import (
    short,
)

_MILESTONES = (0.3, 0.5, 0.7, 0.9)


def agreement(runs: Sequence[RunNumbers], drawn: Sequence[Drawn]) -> Section:
    """Draw TP-agreement over snapshots beside its nulls."""
    blocks = absent(runs) + single(drawn, "agreement between members is")
    for run in several(drawn):
        blocks += [_histogram_plate(run), _map_plate(run)]
    return Section("agreement", "Do they get the same examples right?", blocks)


def _histogram_plate(run: Drawn) -> Plate:
    chosen = chosen_snapshots(run.test)
    return Plate(
        f"{run.heading}: are test examples right for all networks or for none?",
        "One bar for each share of networks that can be right on an example: at the left "
        "the examples that no network gets right, at the right those that all get right. "
        "Black line: chance (class null); dotted: independent networks. Heaps at both "
        "ends with little between mean that the networks agree; one heap under the line, "
        "that they agree no more than chance.",
        [tpa_histogram(run.test, snapshot, run.look) for snapshot in chosen],
        [_histogram_words(run.test)],
        grid="small",
    )


def chosen_snapshots(numbers: SplitNumbers, most: int = 5) -> list[int]:
    """Choose the snapshots of which histograms are drawn.

    Args:
        numbers: Of a split.
        most: How many, where the milestones are not passed.

    Returns:
        Those with mean accuracy nearest 0.3, 0.5, 0.7 and 0.9, and the last; evenly
        spaced ones instead where fewer than three accuracies are come by within 0.1.
    """
    accuracy, last = numbers.mean_accuracy, len(numbers.epoch) - 1
    nearest = {wanted: nearest_snapshot(numbers, wanted) for wanted in _MILESTONES}
    passed = {i for wanted, i in nearest.items() if abs(accuracy[i] - wanted) <= 0.1}
    if len(passed) >= 3:
        return sorted({*passed, last})
    return np.unique(np.linspace(0, last, most).round().astype(int)).tolist()


def _histogram_words(numbers: SplitNumbers) -> str:
    snapshot, comparable = comparable_bimodality(numbers)
    counts, null = numbers.counts[snapshot], numbers.by_class[snapshot]
    ends = (counts[0] + counts[-1]) / counts.sum()
    beta = null_gap(numbers.bimodality[snapshot], null.bimodality)
    verdict = f"bimodality β = {beta}" if comparable else "β is not compared there"
    return (
        f"At mean accuracy {numbers.mean_accuracy[snapshot]:.2f} (epoch "
        f"{short(float(numbers.epoch[snapshot]))}), {ends:.0%} of the examples are right "
        f"for all {numbers.members} networks or for none; chance expects "
        f"{null.pmf[[0, -1]].sum():.0%}; {verdict}."
    )


def _map_plate(run: Drawn) -> Plate:
    return Plate(
        f"{run.heading}: when do examples move from “nobody” to “everybody”?",
        "Each column is the histogram above at one snapshot, from the first on the left "
        "to the last; bright cells hold many examples. The lower map is what chance "
        "(class null) would give at the same accuracies: compare how empty the middle is.",
        [tpa_heat_maps(split, run.name, run.look) for split in (run.test, run.train)],
        [_map_words(split) for split in (run.test, run.train)],
        grid="large",
    )


def _map_words(numbers: SplitNumbers) -> str:
    grid = np.linspace(0, 1, numbers.members + 1)
    middle = (grid > 0.2) & (grid < 0.8)
    shares = numbers.counts[:, middle].sum(axis=1) / numbers.counts[0].sum()
    expected = np.array([null.pmf[middle].sum() for null in numbers.by_class])
    most = int(np.argmax(shares))
    return (
        f"{numbers.split.capitalize()}: at most {shares[most]:.0%} of the examples are "
        f"between 0.2 and 0.8, at epoch {short(float(numbers.epoch[most]))}; chance "
        f"expects {expected[most]:.0%} there, and at most {expected.max():.0%} over all "
        "snapshots."
    )
