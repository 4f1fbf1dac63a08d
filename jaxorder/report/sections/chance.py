"""The measures of every snapshot with their nulls, and since when members agree."""

import numpy as np

from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.analysis.snapshot_measures import (
    BY_NAME,
    SNAPSHOT_MEASURES,
    SnapshotMeasure,
)
from jaxorder.analysis.snapshots import agreement_since, nearest_snapshot
from jaxorder.report.blocks import Block, Notes, Plate, Section
from jaxorder.report.figures.canvas import Picture
from jaxorder.report.figures.curves import kappa_over_time, over_accuracy
from jaxorder.report.findings import since
from jaxorder.report.shown import Page, Shown, absent, several, single
from jaxorder.report.wording import listed, nouns_of, null_gap

_LOW, _HIGH = BY_NAME["bimodality"].comparable or (0.0, 1.0)
_SYMBOLS = listed([measure.symbol for measure in SNAPSHOT_MEASURES])
_READING = (
    "κ is 0 for independent members and 1 where all are right on the same examples; "
    "it is beyond chance where its 95 % interval is above the grey band (class null), "
    "from the dashed line on. β is lower the more the examples fall into “all” and "
    "“none”; it depends on accuracy, so it is compared with chance at mean accuracies "
    f"of {_LOW} to {_HIGH} only, and drawn nowhere else."
)


def chance(page: Page) -> Section:
    """Draw the measures of every snapshot with their nulls."""
    blocks = absent(page.runs) + single(page.shown, f"{_SYMBOLS} are")
    blocks += [_block(run) for run in several(page.shown)]
    return Section("chance", "More than chance, and since when?", blocks)


def _block(run: Shown) -> Block:
    if all(np.isnan(kappa.estimate) for kappa in run.test.kappa):
        return Notes([f"{run.heading}: κ is undefined at every snapshot (saturated)."])
    _, first = agreement_since(run.test)
    member = nouns_of(run.numbers).member
    return Plate(
        f"{run.heading}: do {member}s agree more than chance, and since when?",
        _READING,
        [kappa_over_time(run.test, first, run.name, run.look), *_pictures(run)],
        [f"{since(run.test).text}.", *_values(run.test)],
        contradicted="Intervals that touch the grey band up to the last snapshot, and "
        "a β that is no lower than it.",
    )


def _pictures(run: Shown) -> list[Picture]:
    drawn = (
        over_accuracy(measure, run.test, run.train, run.name, run.look)
        for measure in SNAPSHOT_MEASURES
    )
    return [picture for picture in drawn if picture is not None]


def _values(test: SplitNumbers) -> list[str]:
    """Tell each measure halfway and at the end, as far as it may be compared there."""
    snapshots = dict.fromkeys([nearest_snapshot(test, 0.5), len(test.epoch) - 1])
    told = [
        (
            measure,
            [_value(measure, test, i) for i in snapshots if _told(measure, test, i)],
        )
        for measure in SNAPSHOT_MEASURES
    ]
    return [f"{each.symbol} is {'; '.join(words)}." for each, words in told if words]


def _told(measure: SnapshotMeasure, test: SplitNumbers, snapshot: int) -> bool:
    return measure.compares(float(test.mean_accuracy[snapshot]))


def _value(measure: SnapshotMeasure, test: SplitNumbers, snapshot: int) -> str:
    observed = test.measures[measure.name][snapshot]
    null = test.by_class[snapshot].measures[measure.name]
    accuracy = test.mean_accuracy[snapshot]
    return f"{null_gap(observed, null)} at mean test accuracy {accuracy:.3f}"
