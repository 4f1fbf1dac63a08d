"""Every number behind a page, by name."""

from typing import Any

import numpy as np
from jaxtyping import Shaped

from jaxorder.analysis.agreement import Agreements, PairAgreement, run_agreement
from jaxorder.analysis.intervals import Interval
from jaxorder.analysis.numbers import SPLITS, RunNumbers, SplitNumbers
from jaxorder.analysis.reliability import members_needed_between
from jaxorder.analysis.results import PairRow, SummaryRow
from jaxorder.analysis.snapshot_measures import SNAPSHOT_MEASURES, SnapshotMeasure
from jaxorder.analysis.snapshots import agreement_since
from jaxorder.errors import on_command_line
from jaxorder.plain import plain
from jaxorder.report.blocks import Finding
from jaxorder.report.sections.disagreement import joined_runs
from jaxorder.report.sections.members import member_examples_a_second
from jaxorder.report.sections.order import WANTED
from jaxorder.report.shown import Page


def document(page: Page) -> dict[str, Any]:
    """Return the numbers behind a page.

    Args:
        page: What it was written from.

    Returns:
        Texts, numbers, intervals, None, and lists and dictionaries of these; NaN
        where undefined.
    """
    rows = zip(page.runs, page.results.summary, strict=True)
    return {
        "runs": [_run(run, row) for run, row in rows],
        "pairs": [pair_document(pair) for pair in page.results.pairs],
        "rank_gaps": _rank_gaps(page),
        "agreement": _agreement(page.results.agreements),
        "findings": [_finding(finding) for finding in page.findings],
    }


def _rank_gaps(page: Page) -> dict[str, Any]:
    """Tell by split how far apart all runs place each example that all have.

    None where fewer than two have an order, or two examples in common.
    """
    found = {split: joined_runs(page, split) for split in SPLITS}
    return {split: each and each.gaps_by_example() for split, each in found.items()}


def _agreement(found: Agreements) -> dict[str, Any]:
    """Tell how far members are wrong on the same examples at the last snapshots."""
    return {
        "runs": [plain(run) for run in found.runs],
        "pairs": [
            pair.to_dict()
            if isinstance(pair, PairAgreement)
            else {
                "name_a": pair.name_a,
                "name_b": pair.name_b,
                "problem": on_command_line(pair.error),
            }
            for pair in found.pairs
        ],
    }


def pair_document(pair: PairRow) -> dict[str, Any]:
    """Return a comparison, or why there is none, as every document has it.

    Args:
        pair: The two runs.
    """
    return {
        "model_a": pair.model_a,
        "model_b": pair.model_b,
        "split": pair.split,
        "comparison": pair.comparison and pair.comparison.to_dict(),
        "problem": on_command_line(pair.error) if pair.error else "",
    }


def _run(run: RunNumbers, row: SummaryRow) -> dict[str, Any]:
    document = run.run.document
    return {
        **row.to_dict(),
        "path": str(run.run.path),
        "parameters": document.parameters,
        "data": {"source": run.run.config.data, **vars(document.data)},
        "progress": vars(run.run.progress),
        "member_examples_a_second": member_examples_a_second(run.run),
        "against": run.run.labels,
        "excluded": [
            {"member": each.member, "reason": each.reason} for each in run.excluded
        ],
        "splits": {split: _split(run.split(split)) for split in SPLITS},
        "further": {
            each.data.name: {
                **vars(each.data),
                "final_agreement": each.final_agreement,
                "measured": _split(each.numbers),
            }
            for each in run.further
        },
    }


def _split(numbers: SplitNumbers | None) -> dict[str, Any] | None:
    """Tell what was measured of a split; None where nothing is recorded."""
    if numbers is None:
        return None
    return {
        "steps": numbers.step.tolist(),
        "epochs": numbers.epoch.tolist(),
        "accuracy": numbers.accuracy.tolist(),
        "counts": numbers.counts.tolist(),
        "measures": {
            measure.name: _measure(measure, numbers) for measure in SNAPSHOT_MEASURES
        },
        "expected": {
            "independent": [null.pmf.tolist() for null in numbers.independent],
            "by_class": [null.pmf.tolist() for null in numbers.by_class],
        },
        "agreement_since": _since(numbers),
        "reliability": numbers.reliability,
        "members_needed": _needed(numbers),
        "correlation_of_halves": numbers.halves,
        "growth": _growth(numbers),
        "accessibility": _by_example(numbers, numbers.accessibility),
        "label": _by_example(numbers, numbers.label),
        "common_prediction": _by_example(numbers, numbers.common),
        "final_ca": _by_example(numbers, numbers.final_agreement),
        "final_tpa": _by_example(numbers, numbers.courses.final),
        "median_learned_epoch": _by_example(numbers, numbers.learned_epoch),
        "forgetting": _by_example(numbers, numbers.courses.forgetting),
        "forgetting_by_chance": _by_example(numbers, numbers.courses.chance_forgetting),
        "accessibility_of_classes": numbers.class_accessibility,
        "variance_between_classes": numbers.between_classes,
        "confusion": numbers.confusion.tolist(),
        "relabelled": numbers.relabelled,
        "agreement": _agreement_within(numbers),
    }


def _agreement_within(numbers: SplitNumbers) -> dict[str, Any]:
    """Tell how far the members are wrong on the same examples at the last snapshot."""
    found = plain(run_agreement(numbers, ""))
    del found["name"]
    return found


def _by_example(
    numbers: SplitNumbers, values: Shaped[np.ndarray, "example"]
) -> dict[str, Any]:
    """Name values by the ids of the examples."""
    return dict(zip(map(str, numbers.example_id), values.tolist(), strict=True))


def _needed(numbers: SplitNumbers) -> dict[str, Any]:
    """Tell between which numbers of members a reliability would be reached."""
    alpha, members = numbers.reliability, numbers.members
    return {
        str(wanted): members_needed_between(alpha, members, wanted) for wanted in WANTED
    }


def _measure(measure: SnapshotMeasure, numbers: SplitNumbers) -> dict[str, Any]:
    """Tell a measure of every snapshot, and its nulls; None where it is not told."""
    told = [measure.compares(float(each)) for each in numbers.mean_accuracy]
    by_name = {
        "observed": numbers.measures[measure.name],
        "independent": [null.measures[measure.name] for null in numbers.independent],
        "by_class": [null.measures[measure.name] for null in numbers.by_class],
    }
    return {name: _masked(values, told) for name, values in by_name.items()}


def _masked(values: Any, told: list[bool]) -> list[Interval | None]:
    return [v if shown else None for v, shown in zip(values, told, strict=True)]


def _since(numbers: SplitNumbers) -> dict[str, Any]:
    state, first = agreement_since(numbers)
    since = {} if first is None else {"step": int(numbers.step[first])}
    return {"state": state, **since}


def _growth(numbers: SplitNumbers) -> dict[str, Any]:
    """Tell how well groups of so many members reproduce each other's order."""
    grown = numbers.growth
    found = {"members": grown.sizes, "mean": grown.mean}
    found |= {"low": grown.low, "high": grown.high}
    return {name: values.tolist() for name, values in found.items()}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "question": finding.question,
        "answers": [
            {
                "verdict": each.verdict,
                "word": each.word or each.verdict,
                "text": each.text,
            }
            for each in finding.answers
        ],
    }
