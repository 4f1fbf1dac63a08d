"""TP-agreement over snapshots, beside what chance would give."""

import numpy as np
from jaxtyping import Float, Shaped

from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.analysis.snapshot_measures import BY_NAME
from jaxorder.analysis.snapshots import compared_snapshot, nearest_snapshot
from jaxorder.report.blocks import Plate, Section
from jaxorder.report.figures.histograms import tpa_heat_maps, tpa_histogram
from jaxorder.report.shown import Page, Shown, absent, several, single
from jaxorder.report.wording import moment, no_interval, nouns_of, null_gap, percent

_MILESTONES = (0.3, 0.5, 0.7, 0.9)
_NEAR = 0.06


def agreement(page: Page) -> Section:
    """Draw TP-agreement over snapshots beside its nulls."""
    blocks = absent(page.runs) + single(page.shown, "agreement between members is")
    for run in several(page.shown):
        blocks += [_histogram_plate(run), _map_plate(run)]
    return Section("agreement", "Do they get the same examples right?", blocks)


def _histogram_plate(run: Shown) -> Plate:
    member = nouns_of(run.numbers).member
    chosen = chosen_snapshots(run.test)
    return Plate(
        f"{run.heading}: are test examples right for all {member}s or for none?",
        f"Bars: examples that no {member} gets right stand at the left, those that all "
        "get right at the right; the more stand at both ends, against the solid line "
        f"(chance: the class null; dotted: {member}s independent altogether), the more "
        "they agree.",
        [tpa_histogram(run.test, each, run.name, run.look) for each in chosen],
        [_histogram_words(run.test)],
        contradicted="Bars that follow the solid line: agreement by chance only.",
        grid="small",
    )


def chosen_snapshots(numbers: SplitNumbers, most: int = 5) -> list[int]:
    """Choose the snapshots of which histograms are drawn.

    Args:
        numbers: Of a split.
        most: How many, where the milestones are not passed.

    Returns:
        Those with mean accuracy near 0.3, 0.5, 0.7 and 0.9, and the last; evenly
        spaced ones instead where only one of these or none is come by.
    """
    accuracy, last = numbers.mean_accuracy, len(numbers.epoch) - 1
    nearest = {wanted: nearest_snapshot(numbers, wanted) for wanted in _MILESTONES}
    passed = {i for wanted, i in nearest.items() if abs(accuracy[i] - wanted) <= _NEAR}
    middle, comparable = compared_snapshot(numbers, BY_NAME["bimodality"])
    passed |= {middle} if comparable else set()
    if len(passed) > 1:
        return sorted({*passed, last})
    return np.unique(np.linspace(0, last, most).round().astype(int)).tolist()


def _histogram_words(numbers: SplitNumbers) -> str:
    snapshot, comparable = compared_snapshot(numbers, BY_NAME["bimodality"])
    null = numbers.by_class[snapshot]
    observed, expected = (_outer(each) for each in (numbers.counts[snapshot], null.pmf))
    beta = null_gap(numbers.bimodality[snapshot], null.bimodality)
    member = nouns_of(numbers).member
    few = no_interval(numbers.bimodality[snapshot])
    verdict = f"bimodality β = {beta}{few}" if comparable else "β is not compared there"
    return (
        f"At mean accuracy {numbers.mean_accuracy[snapshot]:.2f} ("
        f"{moment(numbers, snapshot)}), {percent(observed)} of the "
        f"examples are right for at most a fifth or at least four fifths of the "
        f"{numbers.members} {member}s; chance expects {percent(expected)}; {verdict}."
    )


def _outer(counts: Shaped[np.ndarray, "agreeing"]) -> float:
    """Give the share of examples that few or nearly all members get right."""
    grid = np.linspace(0, 1, len(counts))
    return float(counts[(grid <= 0.2) | (grid >= 0.8)].sum() / counts.sum())


def _map_plate(run: Shown) -> Plate:
    return Plate(
        f"{run.heading}: when do examples move from “nobody” to “everybody”?",
        "Each column is the histogram above at one snapshot, the last at the right; "
        "bright cells hold many examples. The lower map is what chance (class null) "
        "would give at the same accuracies: look at which examples are still far from "
        "1 at the end.",
        [tpa_heat_maps(split, run.name, run.look) for split in run.splits],
        [_map_words(split) for split in run.splits],
        contradicted="Two maps that look the same: examples then move as rising "
        "accuracy alone would move them.",
        grid="large",
    )


def _map_words(numbers: SplitNumbers) -> str:
    grid = np.linspace(0, 1, numbers.members + 1)
    observed = numbers.counts / numbers.counts[0].sum()
    expected = np.stack([null.pmf for null in numbers.by_class])
    both = (observed, expected)
    when = [_since_half(numbers, shares[:, grid >= 0.8].sum(axis=1)) for shares in both]
    left = [percent(float(shares[-1, grid < 0.5].sum())) for shares in both]
    return (
        f"{numbers.split.capitalize()}: half of the examples are right for at least "
        f"four fifths of the {nouns_of(numbers).member}s {when[0]} (by chance "
        f"{when[1]}). At the last snapshot {left[0]} of the examples are right for "
        f"fewer than half of them; chance expects {left[1]}."
    )


def _since_half(numbers: SplitNumbers, shares: Float[np.ndarray, "snapshot"]) -> str:
    """Tell the first snapshot at which half of the examples are among a share."""
    passed = np.flatnonzero(shares >= 0.5)
    if not len(passed):
        return "at no snapshot"
    return f"from {moment(numbers, int(passed[0]))} on"
