"""Whether what is learned late is forgotten more often, too."""

import numpy as np
from jaxtyping import Float

from jaxorder.analysis.correlation import order_correlation
from jaxorder.analysis.intervals import number
from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.report.blocks import Block, Notes, Plate, Section
from jaxorder.report.figures.forgetting import forgetting_by_accessibility
from jaxorder.report.shown import Page, Shown, absent
from jaxorder.report.wording import nouns_of, percent

# Accessibilities between which an example has room to be forgotten and learned again.
_MIDDLE = (0.3, 0.7)


def forgetting(page: Page) -> Section:
    """Draw forgetting against accessibility for every run."""
    blocks = [*absent(page.runs), *(_block(run) for run in page.shown)]
    return Section(
        "forgetting", "Is what is learned late forgotten more often?", blocks
    )


def _block(run: Shown) -> Block:
    if len(run.test.epoch) < 2:
        return Notes(
            [
                f"{run.heading}: one snapshot only, so forgetting, which is counted "
                "between snapshots, is undefined."
            ]
        )
    member = nouns_of(run.numbers).member
    return Plate(
        f"{run.heading}: are {member}s surer of what they learned early?",
        f"One point an example, or cells that are darker the more it holds: how often "
        f"a {member} went from right to wrong between snapshots (mean over {member}s) "
        "against accessibility. The solid line is the mean; the dashed one is what it "
        f"would be by chance, had {member}s that are as often right forgotten all "
        "about the snapshot before. What is always right, or never, cannot be "
        "forgotten, so both lines are low at the ends: compare them in the middle. "
        "Counts grow with the number of snapshots; training itself is not looked at.",
        [forgetting_by_accessibility(n, run.name, run.look) for n in run.splits],
        [_words(numbers) for numbers in run.splits],
        contradicted=f"A solid line on the dashed one: being right is then luck at "
        f"each snapshot, and no {member} has learned what it gets right.",
        grid="large",
    )


def _words(numbers: SplitNumbers) -> str:
    found, chance = numbers.courses.forgetting, numbers.courses.chance_forgetting
    low, high = _MIDDLE
    within = (numbers.accessibility >= low) & (numbers.accessibility <= high)
    between = f"of accessibilities from {low} to {high}"
    if within.any():
        told = f"{_mean(found[within])} times, by chance {_mean(chance[within])}"
        middle = f"examples {between} are forgotten {told}"
    else:
        middle = f"no example is {between}"
    order = number(order_correlation(numbers.accessibility, found))
    return (
        f"{numbers.split.capitalize()}: {middle}; "
        f"{percent(float((found == 0).mean()))} of all examples are forgotten by none. "
        f"Spearman correlation with accessibility: {order}."
    )


def _mean(values: Float[np.ndarray, "example"]) -> str:
    return f"{float(values.mean()):.2f}"
