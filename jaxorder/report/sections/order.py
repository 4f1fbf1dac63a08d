"""How repeatable the order of the examples is."""

from collections.abc import Sequence

import numpy as np

from jaxorder.analysis.growth import DRAWS
from jaxorder.analysis.intervals import number
from jaxorder.analysis.numbers import SPLITS, SplitNumbers
from jaxorder.report.blocks import Plate, Section, Table
from jaxorder.report.figures.canvas import Picture
from jaxorder.report.figures.orders import reliability_growth
from jaxorder.report.shown import Page, Shown, absent, several, shown_nouns, single
from jaxorder.report.wording import (
    few_members,
    listed,
    needed,
    needed_words,
    nouns_of,
)

WANTED = (0.9, 0.95)
_HEAD = (
    "Model",
    "Split",
    "Members",
    "Cronbach's alpha",
    "Correlation of halves",
    *(f"Members for {wanted}" for wanted in WANTED),
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
    """Tell whether all splits have an order at all."""
    return not any(np.isnan(each.reliability.estimate) for each in run.splits)


def _growth_plate(shown: Sequence[Shown]) -> Plate:
    member = shown_nouns(shown).member
    return Plate(
        f"How many {member}s does a reliable order need?",
        f"Points: how well two separate groups of that many {member}s agree on which "
        "examples come first (correlation of accessibilities; mean, least and largest "
        f"of {DRAWS} draws). Lines: what Spearman and Brown's formula predicts from "
        f"all {member}s; dotted: {listed(list(map(str, WANTED)))}.",
        [
            _growth_picture(shown, split)
            for split in SPLITS
            if any(run.split(split) for run in shown)
        ],
        [_growth_words(run) for run in shown],
        contradicted=f"Lines that stay low: each {member} then has an order of its "
        "own. Points far off their line: the formula does not hold here, nor what is "
        "predicted by it.",
        grid="large",
    )


def _growth_picture(shown: Sequence[Shown], split: str) -> Picture:
    grown = [
        (numbers.growth, run.name, run.look)
        for run in shown
        if (numbers := run.split(split))
    ]
    return reliability_growth(grown, split)


def _growth_words(run: Shown) -> str:
    alpha, here = run.test.reliability, run.test.members
    member = nouns_of(run.numbers).member
    told = f"the {here} {member}s here give {alpha.text(3)} on test"
    if np.isnan(alpha.low):
        why = f"how many would do cannot be told from {here} {member}s"
        return f"{run.heading}: {told}; {why}."
    takes = [needed_words(alpha, here, wanted, member) for wanted in WANTED]
    return f"{run.heading}: {told}; {listed(takes)}."


def _reliability_table(shown: Sequence[Shown]) -> Table:
    return Table(
        "Reliability of the order",
        _HEAD,
        [_cells(run, numbers) for run in shown for numbers in run.splits],
        "Needed numbers of members are extrapolated from the ends of alpha's interval "
        "by Spearman and Brown's formula."
        f"{few_members([run.test.members for run in shown])}",
    )


def _cells(run: Shown, numbers: SplitNumbers) -> list[str]:
    alpha = numbers.reliability
    return [
        run.heading,
        numbers.split,
        str(numbers.members),
        alpha.text(3, few=False),
        number(numbers.halves, 3),
        *(needed(alpha, numbers.members, wanted) for wanted in WANTED),
    ]
