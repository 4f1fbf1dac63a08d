"""The examples of each class learned earliest and latest, as thumbnails or texts."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Integer

from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.data import Dataset
from jaxorder.report.blocks import Block, Card, Gallery, Notes, Section, Table
from jaxorder.report.inputs import images, places, thumbnails
from jaxorder.report.shown import Page, Shown, absent
from jaxorder.report.wording import counted

# Cards of a gallery: as many of each class as come to no more, and at least one; at
# most twice as many where there are more classes.
CARDS = 12
WORDS = 25  # of a text
_ACCESSIBILITY = (
    "accessibility: how early, and how surely, the members get it right, from 0 "
    "(never) to 1 (from the first snapshot on)."
)
_READING = (
    f"The name in bold is the label; the number beneath is {_ACCESSIBILITY} Framed are "
    "examples for which most members name another class at the last snapshot: hard "
    "ones, or ones with a wrong label. Each class has as many cards as any other, so "
    "that an easy class does not fill the first gallery, nor a hard one the second.",
)


def gallery(page: Page) -> Section:
    """Show the most and the least accessible examples of every run and split."""
    blocks = [block for run in page.shown for block in _of_run(run, page.inputs(run))]
    shown = any(isinstance(block, Gallery) for block in blocks)
    blocks = [*absent(page.runs), *([Notes(_READING)] if shown else []), *blocks]
    return Section("examples", "Which examples are learned first, which last?", blocks)


def _of_run(run: Shown, data: Dataset | str) -> list[Block]:
    names = run.numbers.run.document.data.class_names
    if isinstance(data, str):
        sentence = f"{run.heading}: no examples, since {data}; ids stand instead."
        tables = [_table(run, numbers, names) for numbers in run.splits]
        return [Notes([sentence]), *tables]
    if data.train.tokens:
        return [_table(run, n, names, data) for n in run.splits]
    return [
        _gallery(run, numbers, names, data, first)
        for numbers in run.splits
        for first in (True, False)
    ]


def extremes(
    accessibility: Float[np.ndarray, "example"],
    label: Integer[np.ndarray, "example"],
    first: bool,
    most: int = CARDS,
) -> Int[np.ndarray, "chosen"]:
    """Choose the most or the least accessible examples of each class.

    Args:
        accessibility: Of each example.
        label: Likewise.
        first: The most accessible, else the least.
        most: How many to choose, as many of each class: at least one, unless that
            would be more than twice as many; then of the classes with extreme ones.
            Never more than half of a class that has two, so that the two do not
            overlap.

    Returns:
        Positions, the extreme one first; of equals those that stand first.
    """
    order = np.argsort(-accessibility if first else accessibility, kind="stable")
    classes, many = np.unique(label, return_counts=True)
    quota = max(1, most // len(classes))
    chosen = [
        order[label[order] == each][: max(1, min(quota, count // 2))]
        for each, count in zip(classes, many, strict=True)
    ]
    return order[np.isin(order, np.concatenate(chosen))][: 2 * most]


def _tied(numbers: SplitNumbers, chosen: Int[np.ndarray, "chosen"]) -> str:
    """Say how many are as extreme as those of their class: choosing is arbitrary."""
    scores, label = numbers.accessibility, numbers.label
    extreme = np.full(numbers.classes, np.nan)
    extreme[label[chosen][::-1]] = scores[chosen][::-1]
    count = int((np.abs(scores - extreme[label]) < 1e-9).sum())
    if count <= len(chosen):
        return ""
    return f" {counted(count, 'example')} are as extreme in their classes as the first."


def _gallery(
    run: Shown,
    numbers: SplitNumbers,
    names: Sequence[str],
    data: Dataset,
    first: bool,
) -> Gallery:
    chosen = extremes(numbers.accessibility, numbers.label, first)
    which = (
        "most accessible, learned first" if first else "least accessible, learned last"
    )
    return Gallery(
        f"{run.heading}, {numbers.split}: of each class the {which}",
        f"{_right_words(numbers, chosen)}{_tied(numbers, chosen)}",
        [
            _card(source, int(i), numbers, names)
            for source, i in zip(
                thumbnails(images(data, numbers, chosen)), chosen, strict=True
            )
        ],
    )


def _right_words(numbers: SplitNumbers, chosen: Int[np.ndarray, "chosen"]) -> str:
    right = int((numbers.common[chosen] == numbers.label[chosen]).sum())
    return (
        f"For {right} of these {len(chosen)}, the label is the commonest answer at the "
        "last snapshot."
    )


def _card(
    source: str, position: int, numbers: SplitNumbers, names: Sequence[str]
) -> Card:
    label, answer = int(numbers.label[position]), int(numbers.common[position])
    return Card(
        source=source,
        example=int(numbers.example_id[position]),
        label=str(names[label]),
        # a fill value stands where no member answered, which usable members rule out
        answer=str(names[answer]),
        right=label == answer,
        lines=[f"{numbers.accessibility[position]:.2f}"],
    )


def _table(
    run: Shown,
    numbers: SplitNumbers,
    names: Sequence[str],
    texts: Dataset | None = None,
) -> Table:
    """Return the extreme examples by their ids, and their texts where there are any."""
    rows = []
    for rank, first in (("first", True), ("last", False)):
        chosen = extremes(numbers.accessibility, numbers.label, first)
        begins = beginnings(texts, numbers, chosen) if texts else []
        for place, position in enumerate(map(int, chosen)):
            each = _card("", position, numbers, names)
            row = [rank, str(each.example), each.label, each.answer, *each.lines]
            rows.append([*row, *begins[place : place + 1]])
    head = ["Learned", "Example id", "Label", "Commonest answer", "Accessibility"]
    return Table(
        f"{run.heading}, {numbers.split}: of each class learned first and last",
        [*head, *(["How the text begins"] if texts else [])],
        rows,
        note=f"An example's {_ACCESSIBILITY}",
    )


def beginnings(
    data: Dataset, numbers: SplitNumbers, chosen: Int[np.ndarray, "chosen"]
) -> list[str]:
    """Return how texts begin.

    Args:
        data: Whose inputs are texts.
        numbers: Of one of its splits.
        chosen: Positions among the examples measured.
    """
    stand = places(data, numbers, chosen)
    return [data.text(numbers.split, int(place), WORDS) for place in stand]
