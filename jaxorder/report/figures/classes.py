"""Pictures of classes: how accessible they are, and what they are taken for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.report.figures.canvas import (
    COLOURS,
    FAINT,
    MARKERS,
    PANEL,
    Look,
    Picture,
    axes,
    heading,
    interval_columns,
    picture,
    stacked,
    style,
    title,
)
from jaxorder.report.figures.curves import time_axis
from jaxorder.report.wording import moment, percent, shortened

# Of more classes, those with the lowest and the highest accessibility are drawn.
_MOST_ROWS = 30
# Of more classes, maps have no names.
_MOST_NAMES = 25
# Curves of confusions: colours of as many are told apart.
_CURVES = 6

Measured = tuple[SplitNumbers, str, Look]


# ---- accessibility


def accessibility_by_class(runs: Sequence[Measured], names: Sequence[str]) -> Picture:
    """Draw the mean accessibility of each class, of one split of several runs."""
    first, _, _ = runs[0]
    rows = _rows(first)
    with style():
        wide = 0.35 + 0.072 * max(len(shortened(names[i], 18)) for i in rows)
        ax = axes(4.3, 0.75 + 0.24 * len(rows), left=wide, top=0.45)
        _quarters(ax, first, rows)
        for position, (numbers, _, look) in enumerate(runs):
            shift = 0.5 * ((position + 1) / (len(runs) + 1) - 0.5)
            _means(ax, numbers, rows, shift, look)
        ax.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.4, -0.6))
        ax.set_xlabel("accessibility")
        ax.set_yticks(range(len(rows)), [shortened(names[i], 18) for i in rows])
        ax.tick_params(axis="y", length=0)
        ax.grid(visible=False, axis="y")
        title(ax, f"{first.split.capitalize()} examples", min(len(runs), 8))
        found = [_class_numbers(numbers, name, names) for numbers, name, _ in runs]
        what = f"accessibility by class {' '.join(each[2].letter for each in runs)}"
        text = f"Mean accessibility by class, {first.split}; the caption has numbers."
        return picture(ax, text, f"{what} {first.split}", stacked(found))


def _rows(numbers: SplitNumbers) -> list[int]:
    """Order the classes by accessibility; of very many keep both ends."""
    means = np.array([each.estimate for each in numbers.class_accessibility])
    order = np.argsort(-means, kind="stable")  # undefined ones come last
    if len(order) <= _MOST_ROWS:
        return order.tolist()
    defined = order[: int((~np.isnan(means)).sum())]
    half = _MOST_ROWS // 2
    return np.unique([*range(half), *range(len(defined) - half, len(defined))]).tolist()


def _quarters(ax: Axes, numbers: SplitNumbers, rows: Sequence[int]) -> None:
    for row, each in enumerate(rows):
        mine = numbers.accessibility[numbers.label == each]
        if len(mine):
            low, high = np.percentile(mine, (25, 75))
            ax.barh(row, high - low, 0.62, low, color=FAINT, lw=0)


def _means(
    ax: Axes, numbers: SplitNumbers, rows: Sequence[int], shift: float, look: Look
) -> None:
    values = [numbers.class_accessibility[each] for each in rows]
    y = np.arange(len(rows)) + shift
    found = interval_columns("mean", values)
    ax.hlines(y, found["mean_low"], found["mean_high"], color=look.colour, lw=1.1)
    drawn = {"color": look.colour, "marker": look.marker, "ls": "none", "ms": 4.2}
    ax.plot(found["mean"], y, label=look.letter, **drawn)


def _class_numbers(
    numbers: SplitNumbers, name: str, names: Sequence[str]
) -> dict[str, Any]:
    return {
        "model": name,
        "class": names,
        "examples": np.bincount(numbers.label, minlength=numbers.classes),
        **interval_columns("accessibility", numbers.class_accessibility),
    }


# ---- confusion


def answers(numbers: SplitNumbers, snapshot: int) -> Float[np.ndarray, "label answer"]:
    """Return the shares of the answers given to each class; NaN where it has none."""
    counts = numbers.confusion[snapshot].astype(float)
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)


def confusions(
    shares: Float[np.ndarray, "label answer"], most: int
) -> list[tuple[int, int]]:
    """Find the commonest wrong answers.

    Args:
        shares: Of the answers to each class.
        most: How many at most.

    Returns:
        Label and answer, the commonest first; those that are given at all.

    Example:
        >>> confusions(np.array([[0.7, 0.3], [0.4, 0.6]]), 1)
        [(1, 0)]
    """
    wrong = np.nan_to_num(shares * ~np.eye(len(shares), dtype=bool))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    cells = [divmod(int(each), len(shares)) for each in order]
    return [cell for cell in cells if wrong[cell] > 0]


def confusion_map(
    numbers: SplitNumbers, snapshot: int, names: Sequence[str], look: Look, name: str
) -> Picture:
    """Draw the wrong answers given to each class at a snapshot."""
    shares = answers(numbers, snapshot)
    few = len(names) <= _MOST_NAMES
    with style():
        margin = 1.0 if few else 0.5
        ax = axes(3.6, 3.75, left=margin, bottom=margin + 0.2, top=0.3, right=0.62)
        wrong = np.where(np.eye(len(names), dtype=bool), np.nan, shares)
        top = float(np.nanmax([*wrong.ravel(), 0.0])) or 1.0
        image = ax.imshow(
            wrong, cmap="cividis", vmin=0, vmax=top, aspect="auto", interpolation="none"
        )
        _share_bar(ax, image)
        ax.set_facecolor(FAINT)  # seen where there is no share: on the diagonal
        ax.grid(visible=False)
        _class_axes(ax, names if few else [])
        when = moment(numbers, snapshot)
        title(ax, f"{heading(look, name, 16)} · {when}")
        rows, columns = np.indices(shares.shape).reshape(2, -1)
        called = np.array(names)
        return picture(
            ax,
            f"Answers to each class of the test examples, {name}, {when}.",
            f"confusion {name} {when}",
            {
                "step": numbers.step[snapshot],
                "epoch": numbers.epoch[snapshot],
                "label": called[rows],
                "answer": called[columns],
                "answers": numbers.confusion[snapshot].ravel(),
                "share": shares.ravel(),
            },
        )


def _share_bar(ax: Axes, image: AxesImage) -> None:
    left, bottom, width, height = ax.get_position().bounds
    figure = ax.get_figure(root=True)
    assert figure is not None
    place = (left + width + 0.025, bottom, 0.025, height)
    bar = figure.colorbar(image, cax=figure.add_axes(place))
    bar.ax.yaxis.set_major_formatter(lambda value, _: percent(value))
    bar.outline.set_visible(False)


def _class_axes(ax: Axes, names: Sequence[str]) -> None:
    places = range(len(names))
    words = [shortened(each, 12) for each in names]
    size = 8 if len(names) <= 12 else 6
    ax.set_xticks(places, words, rotation=90, fontsize=size)
    ax.set_yticks(places, words, fontsize=size)
    ax.set(xlabel="answer", ylabel="label")
    ax.tick_params(length=0)


def confusions_over_time(
    numbers: SplitNumbers, names: Sequence[str], look: Look, name: str
) -> Picture | None:
    """Draw the commonest confusions of the last snapshot through the training.

    Returns:
        The picture; None where nothing is taken for anything else there.
    """
    last = answers(numbers, len(numbers.epoch) - 1)
    chosen = confusions(last, _CURVES)
    if not chosen:
        return None
    with style():
        ax = axes(PANEL[0], 3.75, left=0.65, bottom=1.75, top=0.3)
        found = [_confusion_curve(numbers, a, b) for a, b in chosen]
        for i, ((a, b), shares) in enumerate(zip(chosen, found, strict=True)):
            label = f"{shortened(names[a], 16)} → {shortened(names[b], 16)}"
            every = max(1, len(shares) // 6)
            drawn = {"color": COLOURS[i], "marker": MARKERS[i], "markevery": every}
            ax.plot(numbers.epoch, shares, label=label, lw=1.2, **drawn)
        time_axis(ax, numbers.epoch, numbers.time_axis)
        ax.set(ylim=(0, None), ylabel="share of the class")
        ax.yaxis.set_major_formatter(lambda value, _: percent(value))
        ax.legend(loc="upper left", bbox_to_anchor=(-0.14, -0.22), ncols=1)
        title(ax, heading(look, name))
        text = f"The commonest confusions of {name} over {numbers.time_axis}."
        columns = [
            {"label": names[a], "answer": names[b], **_times(numbers), "share": shares}
            for (a, b), shares in zip(chosen, found, strict=True)
        ]
        return picture(ax, text, f"confusions over time {name}", stacked(columns))


def _times(numbers: SplitNumbers) -> dict[str, np.ndarray]:
    return {"step": numbers.step, "epoch": numbers.epoch}


def _confusion_curve(
    numbers: SplitNumbers, label: int, answer: int
) -> Float[np.ndarray, "snapshot"]:
    counts = numbers.confusion[:, label]
    return counts[:, answer] / counts.sum(axis=1)
