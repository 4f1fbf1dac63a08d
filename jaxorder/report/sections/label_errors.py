"""Which training labels are likely wrong, by members that never saw them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jaxorder.analysis.label_issues import label_issues
from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.data import Dataset
from jaxorder.report.blocks import Block, Card, Gallery, Notes, Section, Table
from jaxorder.report.inputs import images, thumbnails
from jaxorder.report.sections.gallery import beginnings
from jaxorder.report.shown import Page, Shown
from jaxorder.report.wording import nouns_of

_SHOWN = 24
_HEAD = ("Example id", "Label", "Suggested", "Label quality")


def label_errors(page: Page) -> Section | None:
    """Show the likeliest label errors of runs whose members left examples out."""
    blocks = [
        block
        for run in page.shown
        if run.train and "trained_on" in run.numbers.run.record("train")
        for block in _blocks(page, run, run.train)
    ]
    if not blocks:
        return None
    return Section("label-errors", "Which labels are likely wrong?", blocks)


def _blocks(page: Page, run: Shown, numbers: SplitNumbers) -> list[Block]:
    if run.numbers.run.labels == "original":
        told = "the labels that count here are not those that members were trained on"
        return [Notes([f"{run.heading}: {told}, of which alone they can tell."])]
    found = label_issues(run.numbers.run, "train").head(_SHOWN)
    data = page.inputs(run)
    position = {each: place for place, each in enumerate(numbers.example_id.tolist())}
    chosen = np.array([position[each] for each in found["example_id"].tolist()])
    title = f"{run.heading}: the likeliest label errors, likeliest first"
    caption = _caption(run, found)
    if isinstance(data, str) or data.train.tokens:
        return [_table(title, caption, found, data, numbers, chosen)]
    sources = thumbnails(images(data, numbers, chosen))
    return [Gallery(title, caption, _cards(sources, found))]


def _caption(run: Shown, found: pd.DataFrame) -> str:
    member = nouns_of(run.numbers).member
    recorded = run.numbers.run.record("train")
    told = (
        f"Beneath each: its label, and what most {member}s that never saw it say; the "
        "number is the quality of its label, from 0 on, which is no probability. "
        "Ambiguous and badly drawn examples stand here, too."
    )
    if "original_label" not in recorded:
        return told
    ids = recorded["example_id"].values
    changed = (recorded["original_label"] != recorded["label"]).values
    right = int(np.isin(found["example_id"], ids[changed]).sum())
    return f"{told} Of these {len(found)}, {right} have a label that was changed."


def _names(found: pd.DataFrame, column: str) -> list[str]:
    named = f"{column}_name"
    return [str(each) for each in found[named if named in found else column]]


def _cards(sources: Sequence[str], found: pd.DataFrame) -> list[Card]:
    return [
        Card(
            source=source,
            example=int(example),
            label=label,
            answer=suggested,
            right=label == suggested,
            lines=[f"{quality:.3f}"],
        )
        for source, example, label, suggested, quality in zip(
            sources,
            found["example_id"],
            _names(found, "label"),
            _names(found, "suggested"),
            found["label_quality"],
            strict=True,
        )
    ]


def _table(
    title: str,
    caption: str,
    found: pd.DataFrame,
    data: Dataset | str,
    numbers: SplitNumbers,
    chosen: np.ndarray,
) -> Table:
    columns = [
        [str(each) for each in found["example_id"]],
        _names(found, "label"),
        _names(found, "suggested"),
        [f"{each:.3f}" for each in found["label_quality"]],
    ]
    head: list[str] = [*_HEAD]
    if isinstance(data, Dataset):
        columns.append(beginnings(data, numbers, chosen))
        head.append("How the text begins")
    return Table(
        title, head, [list(row) for row in zip(*columns, strict=True)], caption
    )
