"""What was trained, on what, and what was found."""

from collections.abc import Sequence

import numpy as np

from jaxorder.analysis.numbers import RunNumbers
from jaxorder.analysis.results import AtSnapshot, SummaryRow
from jaxorder.analysis.snapshot_measures import SNAPSHOT_MEASURES
from jaxorder.report.blocks import Notes, Section, Table
from jaxorder.report.lede import lede
from jaxorder.report.shown import Page
from jaxorder.report.wording import few_members, mean_deviation, page_nouns

_CAVEATS = (
    "“By chance” means the class null: {member}s that are independent of one another "
    "but have, class by class, the same accuracies as these.",
    "A common order is not by itself evidence of shared structure: all {member}s were "
    "trained on one fixed assignment of labels, which makes hard examples hard for all "
    "of them. Compare with shuffled labels, and at matched accuracy.",
    "Intervals (in brackets, 95 %) are about other {member}s of the same kind on these "
    "same examples, not about other data.",
)
_LEARNERS = (
    "Learners that are not networks each have their own time (rounds, trees, "
    "epochs, or the share of the training set that they were fitted to): compare them "
    "with others at matched accuracy. Members that differ by resampling agree less by "
    "construction: compare with networks trained under the same resampling."
)


def headline(page: Page) -> Section:
    """Say what was trained, on what, and what was found."""
    blocks = [
        Notes(lede(page.runs)),
        _summary_table(page.results.summary),
        *page.findings,
        Notes(_caveats(page.runs)),
    ]
    return Section("findings", "What was found", blocks)


def _caveats(runs: Sequence[RunNumbers]) -> list[str]:
    member = page_nouns(runs).member
    learners = any(run.run.kind == "learner" for run in runs)
    told = [caveat.format(member=member) for caveat in _CAVEATS]
    return [*told, *([_LEARNERS] if learners else [])]


def _summary_table(rows: Sequence[SummaryRow]) -> Table:
    head = [
        "Model",
        "Members",
        "Train accuracy",
        "Test accuracy",
        *(f"{each.symbol}, test" for each in SNAPSHOT_MEASURES if each.summary),
        "Order reliability, test",
    ]
    return Table(
        "Summary, at the last snapshot recorded",
        head,
        [_summary_cells(row) for row in rows],
        "Accuracies: mean ± standard deviation over members. β: bimodality at the "
        "snapshot whose mean test accuracy (in parentheses) is nearest 0.5."
        f"{few_members(row.members for row in rows)}",
    )


def _summary_cells(row: SummaryRow) -> list[str]:
    return [
        row.model,
        f"{row.members} of {row.planned}",
        _accuracy(row.train_accuracy, row.train_deviation),
        _accuracy(row.test_accuracy, row.test_deviation),
        *(measured(value) for value in row.measures.values()),
        row.reliability.text(3, few=False),
    ]


def measured(value: AtSnapshot) -> str:
    """Write a measure of the summary, or why it is not told."""
    within = value.measure.comparable
    if within is None or np.isnan(value.accuracy):
        return value.interval.text(few=False)
    at = f"(at {value.accuracy:.2f})"
    if not value.measure.compares(value.accuracy):
        return f"not told {at}: no accuracy within {within[0]} to {within[1]}"
    return f"{value.interval.text(few=False)} {at}"


def _accuracy(mean: float, deviation: float) -> str:
    return "undefined" if np.isnan(mean) else mean_deviation(mean, deviation)
