"""How accessible each class is, and what it is taken for, over the time of training."""

from collections.abc import Sequence

import numpy as np

from jaxorder.analysis.intervals import number
from jaxorder.analysis.numbers import MOST_CONFUSED, SPLITS, SplitNumbers
from jaxorder.analysis.snapshots import nearest_snapshot
from jaxorder.report.blocks import Block, Notes, Plate, Section
from jaxorder.report.figures.canvas import Picture
from jaxorder.report.figures.classes import (
    accessibility_by_class,
    answers,
    confusion_map,
    confusions,
    confusions_over_time,
)
from jaxorder.report.shown import Page, Shown, absent, shown_nouns
from jaxorder.report.wording import listed, moment, nouns_of, percent

_TOLD = 3  # confusions in a sentence


def classes(page: Page) -> Section:
    """Draw which classes are learned first, and what each is taken for."""
    blocks: list[Block] = absent(page.runs)
    alike: dict[tuple[str, ...], list[Shown]] = {}
    for run in page.shown:
        alike.setdefault(tuple(_names(run)), []).append(run)
    blocks += [_class_plate(runs) for runs in alike.values()]
    blocks += [_confusion_block(run) for run in page.shown]
    return Section("classes", "Which classes are learned first?", blocks)


def _names(run: Shown) -> list[str]:
    return [str(each) for each in run.numbers.run.document.data.class_names]


# ---- accessibility by class


def _class_plate(runs: Sequence[Shown]) -> Plate:
    letters = listed([run.look.letter for run in runs])
    member = shown_nouns(runs).member
    return Plate(
        f"{letters}: is one class more accessible than another?",
        "Each point is the mean accessibility of the examples of a class, with its "
        f"interval over {member}s where there are enough; the classes stand in the "
        "order of the first model's means. The grey bar reaches from the least to the "
        "most accessible quarter of its examples, likewise of the first model.",
        [_class_picture(runs, split) for split in SPLITS if _of(runs, split)],
        [words for run in runs for words in _class_words(run)],
        contradicted="Points on one vertical line, and bars that all reach as far: the "
        "class then says nothing about when an example is learned.",
        grid="large",
    )


def _of(runs: Sequence[Shown], split: str) -> list[tuple[SplitNumbers, Shown]]:
    return [(numbers, run) for run in runs if (numbers := run.split(split))]


def _class_picture(runs: Sequence[Shown], split: str) -> Picture:
    found = [(numbers, run.name, run.look) for numbers, run in _of(runs, split)]
    return accessibility_by_class(found, _names(runs[0]))


def _class_words(run: Shown) -> list[str]:
    return [
        f"{run.heading}, {numbers.split}: {_extreme_classes(numbers, _names(run))}; "
        f"{_between(numbers)}.{_unseen(numbers, _names(run))}"
        for numbers in run.splits
    ]


def _extreme_classes(numbers: SplitNumbers, names: Sequence[str]) -> str:
    means = np.array([each.estimate for each in numbers.class_accessibility])
    least, most = int(np.nanargmin(means)), int(np.nanargmax(means))
    told = [f"{names[i]} {numbers.class_accessibility[i]}" for i in (most, least)]
    return f"most accessible {told[0]}, least {told[1]}"


def _between(numbers: SplitNumbers) -> str:
    share = numbers.between_classes
    if np.isnan(share):
        return (
            "what of the differences is between classes is undefined, since all "
            "examples are equally accessible or of one class"
        )
    return f"{percent(share)} of the variance between examples is between classes"


def _unseen(numbers: SplitNumbers, names: Sequence[str]) -> str:
    present = np.bincount(numbers.label, minlength=numbers.classes) > 0
    without = [name for name, there in zip(names, present, strict=True) if not there]
    return f" No examples of {listed(without)}: undefined there." if without else ""


# ---- confusion


def _confusion_block(run: Shown) -> Block:
    if not len(run.test.confusion):
        return Notes(
            [
                f"{run.heading}: {run.test.classes:,} classes are more than the "
                f"{MOST_CONFUSED} of which confusions are kept."
            ]
        )
    member = nouns_of(run.numbers).member
    early = nearest_snapshot(run.test, 0.5 * float(run.test.mean_accuracy[-1]))
    snapshots = sorted({early, len(run.test.epoch) - 1})
    maps = [
        confusion_map(run.test, i, _names(run), run.look, run.name) for i in snapshots
    ]
    curves = confusions_over_time(run.test, _names(run), run.look, run.name)
    return Plate(
        f"{run.heading}: what is each class taken for, and does that change?",
        "Each row is a class, and its cells are the answers given to its test "
        f"examples, over all {member}s, in shares of the row; right answers, on the "
        "diagonal, are left grey. The first map is of the snapshot halfway to the last "
        "accuracy, the second of the last one. The curves follow the commonest "
        "confusions of the last snapshot through the training.",
        [*maps, *([curves] if curves else [])],
        [
            *(_confusion_words(run, snapshot) for snapshot in snapshots),
            *_never_answered(run),
        ],
        contradicted="Rows whose wrong answers are spread evenly: no class is then "
        "taken for another in particular. Two maps that differ: what is confused early "
        "is then not what stays confused.",
        grid="middle",
    )


def _confusion_words(run: Shown, snapshot: int) -> str:
    names, shares = _names(run), answers(run.test, snapshot)
    told = [
        f"{names[a]} taken for {names[b]} ({percent(float(shares[a, b]))})"
        for a, b in confusions(shares, _TOLD)
    ]
    when = f"{moment(run.test, snapshot).capitalize()}, "
    when += f"accuracy {number(float(run.test.mean_accuracy[snapshot]))}"
    return f"{when}: {listed(told) if told else 'nothing is taken for anything else'}."


def _never_answered(run: Shown) -> list[str]:
    """Name the classes that no member names at the last snapshot."""
    given = run.test.confusion[-1].sum(axis=0)
    never = [_names(run)[i] for i in np.flatnonzero(given == 0)]
    return [f"Never answered at the last snapshot: {listed(never)}."] if never else []
