"""What was trained, on what, and what was found."""

from collections.abc import Sequence

import numpy as np

from jaxorder.report.blocks import Finding, Notes, Section, Table
from jaxorder.report.numbers import (
    RunNumbers,
    page_nouns,
)
from jaxorder.report.sections.findings import (
    findings,
    lede,
)
from jaxorder.report.summary import PairRow, SummaryRow
from jaxorder.report.wording import (
    mean_deviation,
    number,
    with_interval,
)

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
    "Learners that are no networks have each a time of their own (rounds, trees, "
    "epochs, or the share of the training set that they were fitted to): compare them "
    "with others at matched accuracy. Members that differ by resampling agree less by "
    "construction: compare with networks trained under the same resampling."
)


def headline(
    runs: Sequence[RunNumbers], rows: Sequence[SummaryRow], pairs: Sequence[PairRow]
) -> Section:
    """Say what was trained, on what, and what was found."""
    told: list[Finding] = findings(runs, pairs)
    blocks = [Notes(lede(runs)), _summary_table(rows), *told, Notes(_caveats(runs))]
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
        "κ, test",
        "Order reliability, test",
        "β, test",
    ]
    return Table(
        "Summary, at the last snapshot recorded",
        head,
        [_summary_cells(row) for row in rows],
        "Accuracies: mean ± standard deviation over members. β: bimodality at the "
        "snapshot whose mean test accuracy (in parentheses) is nearest 0.5.",
    )


def _summary_cells(row: SummaryRow) -> list[str]:
    beta = number(row.bimodality)
    if not np.isnan(row.bimodality_accuracy):
        beta += f" (at {row.bimodality_accuracy:.2f})"
    return [
        row.model,
        f"{row.members} of {row.planned}",
        _accuracy(row.train_accuracy, row.train_deviation),
        _accuracy(row.test_accuracy, row.test_deviation),
        with_interval(row.kappa),
        with_interval(row.reliability, 3),
        beta,
    ]


def _accuracy(mean: float, deviation: float) -> str:
    return "undefined" if np.isnan(mean) else mean_deviation(mean, deviation)
