"""How repeatable the order of the examples is."""

from collections.abc import Sequence

import numpy as np

from jaxorder.analysis import Interval, members_needed
from jaxorder.analysis.numbers import SPLITS, SplitNumbers
from jaxorder.report.blocks import Plate, Section, Table
from jaxorder.report.figures.canvas import Picture
from jaxorder.report.figures.orders import reliability_growth
from jaxorder.report.shown import Page, Shown, absent, several, shown_nouns, single
from jaxorder.report.wording import counted, nouns_of, number, with_interval

_WANTED = (0.9, 0.95)
_HEAD = (
    "Model",
    "Split",
    "Members",
    "Cronbach's alpha",
    "Correlation of halves",
    *(f"Members for {wanted}" for wanted in _WANTED),
)


def order(page: Page) -> Section:
    """Draw how repeatable the order of the examples is."""
    blocks = absent(page.runs) + single(page.shown, "the reliability of its order is")
    shared = several(page.shown)
    defined = [run for run in shared if _defined(run)]
    if defined:
        blocks += [_growth_plate(defined)]
    if shared:
        blocks += [_reliability_table(shared)]
    return Section("order", "Is the order repeatable?", blocks)


def _defined(run: Shown) -> bool:
    """Tell whether both splits have an order at all."""
    return not any(np.isnan(run.split(s).reliability.estimate) for s in SPLITS)


def _growth_plate(shown: Sequence[Shown]) -> Plate:
    member = shown_nouns(shown).member
    return Plate(
        f"How many {member}s does a reliable order need?",
        f"Points: how well two separate groups of that many {member}s agree on which "
        "examples come first (correlation of accessibilities; mean, least and largest "
        "of 20 draws). Lines: what Spearman and Brown's formula predicts from all "
        f"{member}s; dotted: 0.9 and 0.95.",
        [_growth_picture(shown, split) for split in SPLITS],
        [_growth_words(run) for run in shown],
        grid="large",
    )


def _growth_picture(shown: Sequence[Shown], split: str) -> Picture:
    grown = [(run.split(split).growth, run.name, run.look) for run in shown]
    return reliability_growth(grown, split)


def _growth_words(run: Shown) -> str:
    alpha, here = run.test.reliability.estimate, run.test.members
    needed = [members_needed(alpha, here, wanted) for wanted in _WANTED]
    member = nouns_of(run.numbers).member
    known = [each for each in needed if each is not None]
    if len(known) < len(needed):
        return f"{run.heading}: how many {member}s are needed cannot be told."
    return (
        f"{run.heading}: the {here} {member}s here give {number(alpha, 3)} on test; "
        f"{counted(known[0], member)} would do for {_WANTED[0]}, {known[1]:,} for "
        f"{_WANTED[1]}."
    )


def _reliability_table(shown: Sequence[Shown]) -> Table:
    return Table(
        "Reliability of the order",
        _HEAD,
        [_cells(run, run.split(split)) for run in shown for split in SPLITS],
        "Needed numbers of members are extrapolated from alpha by Spearman and Brown's "
        "formula.",
    )


def _cells(run: Shown, numbers: SplitNumbers) -> list[str]:
    alpha = numbers.reliability
    return [
        run.heading,
        numbers.split,
        str(numbers.members),
        with_interval(alpha, 3),
        number(numbers.halves, 3),
        *(_needed(alpha, numbers.members, wanted) for wanted in _WANTED),
    ]


def _needed(alpha: Interval, members: int, wanted: float) -> str:
    needed = members_needed(alpha.estimate, members, wanted)
    return "cannot be told" if needed is None else f"{needed:,}"
