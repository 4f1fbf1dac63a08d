"""How repeatable the order of the examples is."""

from collections.abc import Sequence

import numpy as np

from jaxorder.analysis import Interval, members_needed, split_half
from jaxorder.report.blocks import Plate, Section, Table
from jaxorder.report.figures.orders import (
    reliability_growth,
)
from jaxorder.report.numbers import (
    SPLITS,
    RunNumbers,
    SplitNumbers,
)
from jaxorder.report.reliability import growth
from jaxorder.report.sections.drawn import Drawn, absent, several, single
from jaxorder.report.wording import (
    counted,
    number,
    with_interval,
)


def order(runs: Sequence[RunNumbers], drawn: Sequence[Drawn]) -> Section:
    """Draw how repeatable the order of the examples is."""
    blocks = absent(runs) + single(drawn, "the reliability of its order is")
    several = several(drawn)
    defined = [run for run in several if not np.isnan(run.test.reliability.estimate)]
    if defined:
        blocks += [_growth_plate(defined)]
    if several:
        blocks += [_reliability_table(several)]
    return Section("order", "Is the order repeatable?", blocks)


def _growth_plate(drawn: Sequence[Drawn]) -> Plate:
    letters = ", ".join(run.heading for run in drawn)
    return Plate(
        "How many networks does a reliable order need?",
        "Examples are ordered by accessibility: how early, and how surely, the networks "
        "get them right. Points: correlation between the orders of two separate groups "
        "of that many networks (mean, least and largest of 20 draws). Line: what "
        "Spearman and Brown's formula predicts from all of them. Dotted: 0.9 and 0.95.",
        [_growth_picture(drawn, split) for split in SPLITS],
        [f"{letters}.", *(_growth_words(run) for run in drawn)],
    )


def _growth_picture(drawn: Sequence[Drawn], split: str):
    grown = [(growth(getattr(run, split).order), run.name, run.look) for run in drawn]
    return reliability_growth(grown, split)


def _growth_words(run: Drawn) -> str:
    alpha = run.test.reliability.estimate
    needed = [members_needed(alpha, run.test.members, wanted) for wanted in (0.9, 0.95)]
    if None in needed:
        return f"{run.look.letter}: how many networks are needed cannot be told."
    return (
        f"{run.look.letter}: {counted(needed[0] or 0, 'network')} for 0.9 and {needed[1]} "
        f"for 0.95 on test; here are {run.test.members}, which give "
        f"{number(alpha, 3)}."
    )


def _reliability_table(drawn: Sequence[Drawn]) -> Table:
    return Table(
        "Reliability of the order",
        [
            "Model",
            "Split",
            "Members",
            "Cronbach's α",
            "Correlation of halves",
            "Members for 0.9",
            "Members for 0.95",
        ],
        [
            _reliability_cells(run, split)
            for run in drawn
            for split in (run.test, run.train)
        ],
        "Needed numbers of members are extrapolated from α by Spearman and Brown's "
        "formula.",
    )


def _reliability_cells(run: Drawn, numbers: SplitNumbers) -> list[str]:
    alpha = numbers.reliability
    return [
        run.heading,
        numbers.split,
        str(numbers.members),
        with_interval(alpha, 3),
        number(split_half(numbers.order), 3),
        *(_needed(alpha, numbers.members, wanted) for wanted in (0.9, 0.95)),
    ]


def _needed(alpha: Interval, members: int, wanted: float) -> str:
    needed = members_needed(alpha.estimate, members, wanted)
    return "cannot be told" if needed is None else f"{needed:,}"
