"""How often each interval holds the truth, on simulated members of known difficulty.

    python -m experiments.coverage [--draws 1000] [--document docs/coverage.md]

A member is right on an example where its ability, its luck and the pace of the
snapshot exceed the example's difficulty; all are normal, and half of the variance of a
member's luck stays with it from snapshot to snapshot. There are 2,000 examples in 10
classes, and 8 snapshots, the last of mean accuracy 0.5, 0.9 or 0.99. Half of the wrong
answers are those that the example suggests, the others any. The second collection's
difficulties correlate with the first's by 0.71. Examples are drawn once and members
anew in each draw; for the interval of containment, which is over examples, it is the
other way round.

The truth is what such collections show in the mean of all draws, on the interval's own
scale. Criterion, written down before the first run: each interval of 95% holds it in 92
to 98% of the draws that have an interval, or there is none. At 1,000 draws a figure has
a standard error of 0.7 points. It takes about ten minutes on 2 cores.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cyclopts import App
from scipy.special import ndtri

from experiments.documents import fill_in
from jaxorder.analysis import (
    Interval,
    compare_orders,
    containment,
    error_agreement,
    exchange_test,
    mean_pairwise_kappa,
    mean_pairwise_kappa_between,
    mean_tetrachoric,
    mean_tetrachoric_between,
    order_reliability,
    tp_agreement,
)
from jaxorder.analysis.classes import class_accessibility
from jaxorder.analysis.containment import HALF
from jaxorder.analysis.numbers import snapshot_intervals
from jaxorder.analysis.scales import ALPHA, BIMODALITY, FISHER, PLAIN, Scale

app = App(help=__doc__, help_format="plaintext", result_action="return_value")
ACCURACIES, MEMBERS = (0.5, 0.9, 0.99), (4, 8, 16)
CLASSES, SNAPSHOTS = 10, 8
ABILITY = 0.3  # standard deviation, beside 1 of difficulty and of luck
LOW, HIGH = 0.92, 0.98


class Draw(NamedTuple):
    """Two collections of members, drawn on the same examples.

    Attributes:
        label: [example].
        scores: [member, example] of each: the share of snapshots that are right.
        correct: [member, example] of each, at the last snapshot.
        answers: [member, example] of the first, likewise.
    """

    label: np.ndarray
    scores: tuple[np.ndarray, np.ndarray]
    correct: tuple[np.ndarray, np.ndarray]
    answers: np.ndarray


@dataclass(frozen=True)
class Measure:
    """A figure with an interval.

    Attributes:
        name: As the table calls it.
        of: Measures a draw.
        scale: On which the truth is the mean.
        examples: Whether the interval is over other examples, not other members.
    """

    name: str
    of: Callable[[Draw], Interval]
    scale: Scale = PLAIN
    examples: bool = False


def snapshot(name: str) -> Callable[[Draw], Interval]:
    """Return a measure of the last snapshot."""

    def of(draw: Draw) -> Interval:
        (correct, _), members = draw.correct, len(draw.correct[0])
        among = correct.sum(axis=0)
        counts = np.bincount(among, minlength=members + 1)
        own = [np.bincount(among[right], minlength=members + 1) for right in correct]
        return snapshot_intervals(counts, np.array(own))[name]

    return of


def contained(draw: Draw) -> Interval:
    """Measure how much of what the first has learned the second has, too."""
    weaker, stronger = map(tp_agreement, draw.correct)
    found = containment(weaker, stronger, draw.label)
    share, low, high = (each[HALF] for each in (found.share, found.low, found.high))
    return Interval(float(share), float(low), float(high))


MEASURES = (
    Measure("Fleiss' kappa", snapshot("kappa")),
    Measure("bimodality", snapshot("bimodality"), BIMODALITY),
    Measure("mean pairwise kappa", lambda d: mean_pairwise_kappa(d.correct[0])),
    Measure("the same, between", lambda d: mean_pairwise_kappa_between(*d.correct)),
    Measure("tetrachoric", lambda d: mean_tetrachoric(d.correct[0]), FISHER),
    Measure(
        "the same, between", lambda d: mean_tetrachoric_between(*d.correct), FISHER
    ),
    Measure("same wrong answer", lambda d: error_agreement(d.answers, d.label).share),
    Measure(
        "the same, beyond chance", lambda d: error_agreement(d.answers, d.label).kappa
    ),
    Measure(
        "accessibility of a class",
        lambda d: class_accessibility(d.scores[0], d.label, CLASSES)[0],
    ),
    Measure("reliability", lambda d: order_reliability(d.scores[0]), ALPHA),
    Measure("Spearman", lambda d: compare_orders(*d.scores).spearman, FISHER),
    Measure(
        "the same, disattenuated",
        lambda d: compare_orders(*d.scores).disattenuated_spearman,
    ),
    Measure("gap of the exchange test", lambda d: exchange_test(*d.scores).gap),
    Measure("containment", contained, examples=True),
)


class Covered(NamedTuple):
    """How an interval did.

    Attributes:
        share: Of the draws that have an interval, those in which it holds the truth.
        defined: Share of the draws that have one.
    """

    share: float
    defined: float

    @property
    def held(self) -> bool:
        """Whether the criterion is met."""
        return self.defined == 0 or LOW <= self.share <= HIGH

    def __str__(self) -> str:
        """Return the share in per cent; what misses the criterion is marked."""
        if self.defined == 0:
            return "none"
        told = f"{100 * self.share:.1f}"
        few = f" ({100 * self.defined:.0f}%)" if self.defined < 1 else ""
        return f"{told if self.held else f'**{told}**'}{few}"


@app.default
def main(
    *,
    draws: int = 1000,
    examples: int = 2000,
    accuracies: tuple[float, ...] = ACCURACIES,
    members: tuple[int, ...] = MEMBERS,
    document: Path | None = None,
) -> None:
    """Simulate, print and fill in."""
    cells = list(product(accuracies, members))
    # a fork of a process that runs JAX, as the tests do, may hang
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(covered, *cell, draws, examples) for cell in cells]
        found = [job.result() for job in jobs]
    text = f"{table(cells, found)}\n\n{verdict(found, draws)}"
    print(text)
    if document is not None:
        fill_in(document, text)


def covered(accuracy: float, members: int, draws: int, examples: int) -> list[Covered]:
    """Tell how each interval did at one accuracy and number of members."""
    rng = np.random.default_rng([int(1000 * accuracy), members])
    found: list[list[Interval]] = [[] for _ in MEASURES]
    for over_examples in (False, True):
        for draw in drawn(accuracy, members, draws, examples, over_examples, rng):
            for measure, intervals in zip(MEASURES, found, strict=True):
                if measure.examples == over_examples:
                    intervals.append(measure.of(draw))
    pairs = zip(MEASURES, found, strict=True)
    return [judged(measure.scale, intervals) for measure, intervals in pairs]


def judged(scale: Scale, found: list[Interval]) -> Covered:
    """Count how often the truth is held, which is the mean of all estimates."""
    there = [each for each in found if not np.isnan(each.low)]
    if not there:
        return Covered(float("nan"), 0.0)
    estimates = scale.forward(np.array([each.estimate for each in found]))
    truth = float(scale.back(np.array(estimates[np.isfinite(estimates)].mean())))
    held = [each.low <= truth <= each.high for each in there]
    return Covered(float(np.mean(held)), len(there) / len(found))


def drawn(
    accuracy: float,
    members: int,
    draws: int,
    examples: int,
    over_examples: bool,
    rng: np.random.Generator,
) -> Iterator[Draw]:
    """Draw members on the same examples, or other examples for the same members."""

    def difficulties() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        shared, own = rng.normal(size=(2, examples))
        label, suggested = rng.integers(0, CLASSES, (2, examples))
        return shared, (shared + own) / np.sqrt(2), label, suggested

    def abilities() -> tuple[np.ndarray, np.ndarray]:
        one, other = ABILITY * rng.normal(size=(2, members, 1))
        return one, other

    of_examples, of_members = difficulties(), abilities()
    for _ in range(draws):
        if over_examples:
            of_examples = difficulties()
        else:
            of_members = abilities()
        *sides, label, suggested = of_examples
        pairs = zip(sides, of_members, strict=True)
        learned = [learning(*pair, accuracy, rng) for pair in pairs]
        (scores_a, correct_a), (scores_b, correct_b) = learned
        shift = np.where(
            rng.random(correct_a.shape) < 0.5,
            1 + suggested % (CLASSES - 1),
            rng.integers(1, CLASSES, correct_a.shape),
        )
        answers = (label + ~correct_a * shift) % CLASSES
        pair = (scores_a, scores_b), (correct_a, correct_b)
        yield Draw(label, *pair, answers.astype(np.uint8))


def learning(
    difficulty: np.ndarray,
    ability: np.ndarray,
    accuracy: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw what members are right on: at how many snapshots, and at the last."""
    shape = len(ability), len(difficulty)
    kept = np.sqrt(0.5) * rng.normal(size=shape) + ability - difficulty
    spread = np.sqrt(difficulty.var() + ABILITY**2 + 1)
    right, correct = np.zeros(shape), np.zeros(shape, bool)
    for share in np.linspace(0.1, accuracy, SNAPSHOTS):
        luck = np.sqrt(0.5) * rng.standard_normal(shape, np.float32)
        correct = kept + luck + spread * ndtri(share) > 0
        right += correct
    return right / SNAPSHOTS, correct


def table(cells: list[tuple[float, int]], found: list[list[Covered]]) -> str:
    """Return a table in Markdown, a row a measure."""
    head = [f"{accuracy}, N = {members}" for accuracy, members in cells]
    rows = [["interval, 95%", *head], ["---"] * (len(head) + 1)]
    for position, measure in enumerate(MEASURES):
        rows.append([measure.name, *(str(column[position]) for column in found)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def verdict(found: list[list[Covered]], draws: int) -> str:
    """Tell how many cells meet the criterion."""
    told = [each for column in found for each in column if each.defined]
    held = sum(each.held for each in told)
    return (
        f"Per cent of {draws:,} draws; in brackets, of how many there is an interval "
        f"where not of all. {held} of {len(told)} lie within {100 * LOW:.0f} to "
        f"{100 * HIGH:.0f}; what does not is bold."
    )


if __name__ == "__main__":
    sys.exit(app())
