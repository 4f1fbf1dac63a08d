"""Curves over training: accuracy, agreement beyond chance, bimodality."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from jaxorder.analysis.intervals import Interval, number
from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.analysis.snapshot_measures import SnapshotMeasure
from jaxorder.report.figures.canvas import (
    COLOURS,
    FAINT,
    INK,
    MARKERS,
    MUTED,
    NULL,
    PANEL,
    PAPER,
    Look,
    Picture,
    axes,
    heading,
    interval_columns,
    legend_inside,
    picture,
    stacked,
    style,
    title,
)
from jaxorder.report.wording import shortened

_WIDE = (5.2, 3.2)  # inches, of a figure that holds many lines
_LEGEND_COLUMNS = 4

# ---- accuracy


def learning_curves(
    test: SplitNumbers, train: SplitNumbers | None, name: str, look: Look
) -> Picture:
    """Draw accuracy over time with the spread over members."""
    with style():
        ax = axes(*PANEL, left=0.55, top=0.5)
        _spread(ax, test, look.colour, "-", "test")
        if train is not None:
            _spread(ax, train, NULL, (0, (4, 1.5)), "train")
        time_axis(ax, test.epoch, test.time_axis)
        ax.set(ylim=(0, 1.02), ylabel="accuracy")
        title(ax, heading(look, name), legend_columns=2)
        found = [_curve_numbers(each) for each in (test, train) if each]
        text, numbers = _curve_text(name, test, train), stacked(found)
        return picture(ax, text, f"accuracy {name}", numbers)


def _spread(
    ax: Axes, numbers: SplitNumbers, colour: str, dash: str | tuple, label: str
) -> None:
    accuracy = numbers.accuracy
    for low, high, alpha in ((0, 100, 0.15), (25, 75, 0.25)):
        ends = np.percentile(accuracy, (low, high), axis=1)
        ax.fill_between(numbers.epoch, *ends, color=colour, alpha=alpha, linewidth=0)
    marker = "o" if len(numbers.epoch) == 1 else None
    ax.plot(
        numbers.epoch,
        accuracy.mean(1),
        color=colour,
        ls=dash,
        label=label,
        marker=marker,
    )


def _curve_numbers(numbers: SplitNumbers) -> dict[str, Any]:
    ends = np.percentile(numbers.accuracy, (0, 25, 75, 100), axis=1)
    names = ("least", "lower_quartile", "upper_quartile", "most")
    return {
        "split": numbers.split,
        "step": numbers.step,
        "epoch": numbers.epoch,
        "mean": numbers.mean_accuracy,
        **dict(zip(names, ends, strict=True)),
    }


def _curve_text(name: str, *splits: SplitNumbers | None) -> str:
    ends = [
        f"{numbers.split} accuracy ends at {numbers.mean_accuracy[-1]:.3f} (members "
        f"from {numbers.accuracy[-1].min():.3f} to {numbers.accuracy[-1].max():.3f})"
        for numbers in filter(None, splits)
    ]
    return f"Learning curves of {name}: {'; '.join(ends)}."


def further_curves(
    test: SplitNumbers, further: Sequence[SplitNumbers], name: str, look: Look
) -> Picture:
    """Draw accuracy on further data over time, beside that on the test examples."""
    with style():
        rows = -(-(1 + len(further)) // _LEGEND_COLUMNS)
        ax = axes(*_WIDE, left=0.55, top=0.3 + 0.2 * rows)
        _spread(ax, test, look.colour, "-", "test")
        others = [colour for colour in COLOURS if colour != look.colour]
        for number, each in enumerate(further):
            colour, marker = (
                others[number % len(others)],
                MARKERS[number % len(MARKERS)],
            )
            ax.plot(
                each.epoch,
                each.mean_accuracy,
                color=colour,
                marker=marker,
                markevery=max(1, len(each.epoch) // 8),
                lw=1.2,
                label=shortened(each.split, 16),
            )
        time_axis(ax, test.epoch, test.time_axis)
        ax.set(ylim=(0, 1.02), ylabel="accuracy")
        title(ax, heading(look, name), _LEGEND_COLUMNS, rows)
        found = [_curve_numbers(each) for each in (test, *further)]
        text, numbers = _curve_text(name, test, *further), stacked(found)
        return picture(ax, text, f"accuracy on further data {name}", numbers)


def learning_overlay(runs: list[tuple[SplitNumbers, str, Look]]) -> Picture:
    """Draw the mean test accuracy of several runs over time.

    Where their times are not of one kind, each is drawn as a share of its own.
    """
    called = {numbers.time_axis for numbers, _, _ in runs}
    axis = called.pop() if len(called) == 1 else "share of the training"
    with style():
        ax = axes(*PANEL, left=0.55, top=0.28)
        times = [_scaled(numbers, bool(called)) for numbers, _, _ in runs]
        for time, (numbers, _, look) in zip(times, runs, strict=True):
            _line(ax, time, numbers.mean_accuracy, look)
        time_axis(ax, np.sort(np.concatenate(times)), axis)
        ax.set(ylim=(0, 1.02), ylabel="mean test accuracy")
        legend_inside(ax, len(runs))
        title(ax, "All, test")
        found = [
            {"model": name, "time": time, "mean_test_accuracy": each.mean_accuracy}
            for time, (each, name, _) in zip(times, runs, strict=True)
        ]
        text = f"Mean test accuracy of every model over {axis}."
        return picture(ax, text, "accuracy of all", stacked(found))


def _line(ax: Axes, x: np.ndarray, y: np.ndarray, look: Look) -> None:
    every = max(1, len(x) // 8)
    ax.plot(
        x, y, color=look.colour, marker=look.marker, markevery=every, label=look.letter
    )


def _scaled(numbers: SplitNumbers, share: bool) -> Float[np.ndarray, "snapshot"]:
    last = float(numbers.epoch[-1]) or 1.0
    return numbers.epoch / last if share else numbers.epoch


def time_axis(
    ax: Axes, epoch: Float[np.ndarray, "snapshot"], called: str = "epoch"
) -> None:
    """Show the first moment and the last on one axis, linear up to the first.

    Args:
        ax: To label.
        epoch: When the snapshots were taken.
        called: What that counts.
    """
    trained = epoch[epoch > 0]
    if len(trained):
        first, last = float(trained[0]), float(trained[-1])
        ax.set_xscale("symlog", linthresh=first, linscale=0.4)
        ax.set_xlim(0, last * 1.05)
        ax.set_xticks([0, *_ticks(first, last)])
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.minorticks_off()
    ax.set_xlabel(called)


def _ticks(first: float, last: float) -> list[float]:
    """Return round moments from the first to the last, some five of them."""
    exponents = range(int(np.floor(np.log10(first))), int(np.ceil(np.log10(last))) + 1)
    steps = (1,) if len(exponents) > 3 else (1, 3) if len(exponents) > 2 else (1, 2, 5)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    return [tick for tick in ticks if first * 0.999 <= tick <= last * 1.001]


# ---- agreement beyond chance


def kappa_over_time(
    numbers: SplitNumbers, since: int | None, name: str, look: Look
) -> Picture:
    """Draw kappa of the test examples over time, and since when it beats the null."""
    with style():
        ax = axes(*PANEL, left=0.55, top=0.5)
        nulls = [null.kappa for null in numbers.by_class]
        _null_band(ax, numbers.epoch, nulls, "chance (class null)")
        _with_band(ax, numbers.epoch, numbers.kappa, look)
        if since is not None:
            ax.axvline(numbers.epoch[since], color=INK, lw=0.8, ls=(0, (4, 2)))
        time_axis(ax, numbers.epoch, numbers.time_axis)
        ax.set(ylim=_kappa_reach(numbers.kappa, nulls), ylabel="kappa κ")
        ax.axhline(0, color=FAINT, lw=0.8, zorder=0)
        title(ax, heading(look, name), legend_columns=2)
        return picture(
            ax,
            f"Kappa of {name} on the test examples over {numbers.time_axis}; at the "
            f"last snapshot {number(numbers.kappa[-1].estimate)}, class null "
            f"{number(nulls[-1].estimate)}.",
            f"kappa over time {name} {numbers.split}",
            {
                "step": numbers.step,
                "epoch": numbers.epoch,
                **interval_columns("kappa", numbers.kappa),
                **interval_columns("class_null", nulls),
            },
        )


def _kappa_reach(
    kappas: Sequence[Interval], nulls: Sequence[Interval]
) -> tuple[float, float]:
    """Choose the ends of kappa's axis, by what is drawn but for its own intervals."""
    ends = [end for null in nulls for end in (null.estimate, null.low)]
    found = np.array([each.estimate for each in kappas])
    low, top = np.nanmin([0.0, *found, *ends]), np.nanmax([0.0, *found])
    return float(1.1 * low - 0.03), float(min(1.04, max(0.3, 1.25 * top + 0.05)))


def over_accuracy(
    measure: SnapshotMeasure,
    test: SplitNumbers,
    train: SplitNumbers | None,
    name: str,
    look: Look,
) -> Picture | None:
    """Draw a measure against mean accuracy, where it may be compared.

    Returns:
        The picture; None where no snapshot of the test examples may be compared.
    """
    tested = _compared(measure, test)
    if not len(tested):
        return None
    with style():
        ax = axes(*PANEL, left=0.55, top=0.5)
        nulls = [test.by_class[i].measures[measure.name] for i in tested]
        _null_band(ax, test.mean_accuracy[tested], nulls)
        _with_bars(ax, *_points(measure, test, tested), look)
        if train is not None:
            _train_points(ax, *_points(measure, train, _compared(measure, train)))
        low, high = measure.comparable or (0.02, 1.0)
        ax.set(xlim=(low - 0.02, high + 0.02), xlabel="mean accuracy")
        ax.set(ylim=_reach(nulls, *_shown(measure, test, train)), ylabel=measure.word)
        if ax.get_ylim()[0] < 0:
            ax.axhline(0, color=FAINT, lw=0.8, zorder=0)
        title(ax, heading(look, name), legend_columns=3)
        what = f"{measure.word} of {name} against mean accuracy"
        found = [_accuracy_numbers(measure, each) for each in (test, train) if each]
        text = f"{what}; the caption gives the numbers."
        return picture(ax, text, f"{measure.name} by accuracy {name}", stacked(found))


def _accuracy_numbers(measure: SnapshotMeasure, numbers: SplitNumbers) -> dict:
    chosen = _compared(measure, numbers)
    accuracy, values = _points(measure, numbers, chosen)
    nulls = [numbers.by_class[i].measures[measure.name] for i in chosen]
    return {
        "split": numbers.split,
        "step": numbers.step[chosen],
        "mean_accuracy": accuracy,
        **interval_columns(measure.name, values),
        **interval_columns("class_null", nulls),
    }


def _shown(measure: SnapshotMeasure, *splits: SplitNumbers | None) -> list[float]:
    """Give the estimates that are drawn."""
    return [
        value.estimate
        for numbers in filter(None, splits)
        for value in _points(measure, numbers, _compared(measure, numbers))[1]
    ]


def _reach(nulls: list[Interval], *estimates: float) -> tuple[float, float]:
    """Choose the ends of an axis: a wide interval must not flatten all the rest."""
    ends = [end for null in nulls for end in (null.low, null.high)]
    found = [*estimates, *ends]
    low, high = float(np.nanmin(found)), float(np.nanmax(found))
    margin = 0.25 * (high - low) or 0.1
    return low - margin, high + margin


def _compared(
    measure: SnapshotMeasure, numbers: SplitNumbers
) -> Int[np.ndarray, "chosen"]:
    """Choose the snapshots at which a measure may be compared and is defined."""
    values = zip(numbers.mean_accuracy, numbers.measures[measure.name], strict=True)
    told = [measure.compares(float(a)) and not np.isnan(v.estimate) for a, v in values]
    return np.flatnonzero(told)


def _points(
    measure: SnapshotMeasure, numbers: SplitNumbers, chosen: Int[np.ndarray, "chosen"]
) -> tuple[Float[np.ndarray, "chosen"], tuple[Interval, ...]]:
    values = numbers.measures[measure.name]
    return numbers.mean_accuracy[chosen], tuple(values[i] for i in chosen)


def _null_band(
    ax: Axes, x: np.ndarray, nulls: list[Interval], label: str = "chance, test"
) -> None:
    order = np.argsort(x, kind="stable")
    low, high = (
        np.array([getattr(n, end) for n in nulls])[order] for end in ("low", "high")
    )
    ax.fill_between(x[order], low, high, color=NULL, alpha=0.35, lw=0, label=label)
    if len(x) == 1:  # a band of no width
        ax.vlines(x, low, high, color=NULL, alpha=0.35, lw=6)
    ax.plot(x[order], np.array([n.estimate for n in nulls])[order], color=NULL, lw=0.8)


def _with_band(
    ax: Axes, x: np.ndarray, values: tuple[Interval, ...], look: Look
) -> None:
    estimate, low, high = _ends(values)
    ax.fill_between(x, low, high, color=look.colour, alpha=0.25, lw=0)
    ax.plot(
        x,
        estimate,
        color=look.colour,
        marker=look.marker,
        ms=3,
        lw=1.2,
        label="test",
    )


def _with_bars(
    ax: Axes, x: np.ndarray, values: tuple[Interval, ...], look: Look
) -> None:
    """Draw intervals as bars, since accuracy does not always rise."""
    estimate, low, high = _ends(values)
    ax.vlines(x, low, high, color=look.colour, alpha=0.45, lw=1)
    ax.plot(
        x, estimate, color=look.colour, marker=look.marker, ms=3.2, lw=0.9, label="test"
    )


def _train_points(ax: Axes, x: np.ndarray, values: tuple[Interval, ...]) -> None:
    ax.plot(
        x,
        _ends(values)[0],
        color=MUTED,
        marker="o",
        mfc=PAPER,
        ms=3.2,
        lw=0.7,
        ls=(0, (3, 2)),
        label="train",
        zorder=1.5,
    )


def _ends(values: tuple[Interval, ...]) -> Float[np.ndarray, "3 snapshot"]:
    ends = [(each.estimate, each.low, each.high) for each in values]
    return np.array(ends).reshape(-1, 3).T
