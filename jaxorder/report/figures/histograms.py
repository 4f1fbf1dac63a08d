"""Pictures of TP-agreement: how many examples none, some or all members get right."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxorder.analysis.intervals import number
from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.analysis.snapshot_measures import BY_NAME
from jaxorder.report.figures.canvas import (
    INK,
    NULL,
    Look,
    Picture,
    axes,
    heading,
    picture,
    stacked,
    style,
)
from jaxorder.report.wording import moment, nouns_of, percent, short

# More values of TP-agreement than this are drawn pooled: bars would be hairs.
MOST_BARS = 48
_MAP_WIDE, _MAP_HIGH = 4.6, 4.3


def tpa_histogram(
    numbers: SplitNumbers, snapshot: int, name: str, look: Look
) -> Picture:
    """Draw the TP-agreement of one snapshot beside its nulls."""
    by_class, free = numbers.by_class[snapshot], numbers.independent[snapshot]
    shares = numbers.counts[snapshot] / numbers.counts[snapshot].sum()
    shares, chance, freely = pooled(np.stack([shares, by_class.pmf, free.pmf]))
    grid = np.linspace(0, 1, len(shares))
    with style():
        ax = axes(2.3, 2.15, left=0.5, right=0.1, bottom=0.48, top=0.52)
        ax.bar(grid, shares, 0.82 * grid[1], color=look.colour, alpha=0.75, lw=0)
        ax.plot(grid, freely, color=NULL, lw=1, ls=(0, (1.5, 1.5)))
        ax.plot(grid, chance, color=INK, lw=1.2)
        _share_axes(ax, nouns_of(numbers).member)
        # a training share is a share here, where there is little room
        when = moment(numbers, snapshot).removeprefix("training ")
        accuracy = f"{numbers.mean_accuracy[snapshot]:.2f}"
        _above(ax, f"accuracy {accuracy}, {when}", 20, weight="bold")
        if BY_NAME["bimodality"].compares(float(numbers.mean_accuracy[snapshot])):
            beta = number(numbers.bimodality[snapshot].estimate)
            expected = number(by_class.bimodality.estimate)
            _above(ax, f"β {beta}, by chance {expected}", 6)
        return picture(
            ax,
            _histogram_text(numbers, snapshot),
            f"agreement {name} {numbers.split} {moment(numbers, snapshot)}",
            _histogram_numbers(numbers, snapshot),
        )


def _histogram_numbers(numbers: SplitNumbers, snapshot: int) -> dict[str, Any]:
    """Give the bars one by one, also where they are drawn pooled."""
    counts = numbers.counts[snapshot]
    return {
        "step": numbers.step[snapshot],
        "epoch": numbers.epoch[snapshot],
        "members_right": np.arange(len(counts)),
        "examples": counts,
        "class_null": counts.sum() * numbers.by_class[snapshot].pmf,
        "independent": counts.sum() * numbers.independent[snapshot].pmf,
    }


def _share_axes(ax: Axes, member: str) -> None:
    ax.set(xlim=(-0.06, 1.06), ylim=(0, None))
    ax.set_xlabel(f"share of {member}s right", fontsize=9.5)
    ax.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(lambda value, _: percent(value))
    ax.tick_params(labelsize=9.5)


def _above(ax: Axes, text: str, points: int, weight: str = "normal") -> None:
    """Write above the axes, from the figure's left edge: titles are wider than axes."""
    ax.annotate(
        text,
        (-0.27, 1),
        (0, points),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=10,
        weight=weight,
    )


def pooled(
    shares: Float[np.ndarray, "row agreeing"],
) -> Float[np.ndarray, "row bar"]:
    """Sum neighbouring values of TP-agreement where there are too many to be drawn.

    Args:
        shares: Histograms over the values 0, 1/N, .. 1.

    Returns:
        Histograms over at most 48 values, of 0 at the left and 1 at the right.

    Example:
        >>> pooled(np.ones((1, 97))).shape, float(pooled(np.ones((1, 97))).sum())
        ((1, 48), 97.0)
    """
    values = shares.shape[1]
    if values <= MOST_BARS:
        return shares
    first = np.linspace(0, values, MOST_BARS, endpoint=False).round().astype(int)
    return np.add.reduceat(shares, first, axis=1)


def _histogram_text(numbers: SplitNumbers, snapshot: int) -> str:
    counts = numbers.counts[snapshot]
    ends = [percent(float(counts[k] / counts.sum())) for k in (0, -1)]
    chance = [percent(float(numbers.by_class[snapshot].pmf[k])) for k in (0, -1)]
    return (
        f"Histogram at {moment(numbers, snapshot)}: {ends[0]} of the {numbers.split} "
        f"examples are right for no {nouns_of(numbers).member}, {ends[1]} for all; the "
        f"class null expects {chance[0]} and {chance[1]}."
    )


def tpa_heat_maps(numbers: SplitNumbers, name: str, look: Look) -> Picture:
    """Draw the histograms of all snapshots as two maps: observed and class null."""
    observed = pooled(numbers.counts / numbers.counts.sum(axis=1, keepdims=True))
    expected = pooled(np.stack([null.pmf for null in numbers.by_class]))
    norm = PowerNorm(0.5, vmin=0, vmax=float(max(observed.max(), expected.max())))
    with style():
        figure = Figure(figsize=(_MAP_WIDE, _MAP_HIGH))
        above, below = _place(0.5, 2.36, 3.25, 1.5), _place(0.5, 0.48, 3.25, 1.5)
        _map(figure.add_axes(above), observed, norm, "observed")
        ax = figure.add_axes(below)
        _map(ax, expected, norm, "class null: independent within a class")
        _snapshot_axis(ax, numbers.epoch, numbers.time_axis)
        _share_bar(figure, norm, _place(3.87, 0.48, 0.1, 3.38))
        words = f"{heading(look, name, 36)} · {numbers.split}"
        figure.text(0.02, 0.96, words, weight="bold", size=9.5)
        found = [_histogram_numbers(numbers, i) for i in range(len(numbers.epoch))]
        what = f"agreement over time {name} {numbers.split}"
        return picture(ax, _map_text(numbers, name), what, stacked(found))


def _place(
    left: float, bottom: float, width: float, height: float
) -> tuple[float, float, float, float]:
    """Turn inches into shares of the figure."""
    return left / _MAP_WIDE, bottom / _MAP_HIGH, width / _MAP_WIDE, height / _MAP_HIGH


def _map(
    ax: Axes, shares: Float[np.ndarray, "snapshot agreeing"], norm: Normalize, what: str
) -> None:
    half = 0.5 / (shares.shape[1] - 1)
    ax.imshow(
        shares.T,
        norm=norm,
        cmap="cividis",
        aspect="auto",
        origin="lower",
        interpolation="none",
        extent=(-0.5, len(shares) - 0.5, -half, 1 + half),
    )
    ax.grid(visible=False)
    ax.set_title(what, fontsize=9, fontweight="normal", pad=4)
    ax.set_xticks([])
    ax.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    ax.set_ylabel("share right")


def _snapshot_axis(ax: Axes, epoch: Float[np.ndarray, "snapshot"], called: str) -> None:
    """Label snapshots, which stand side by side, with their times."""
    labels = len(epoch) if len(epoch) < 10 else 7
    chosen = np.unique(np.linspace(0, len(epoch) - 1, labels).round().astype(int))
    ax.set_xticks(chosen, [short(float(epoch[i])) for i in chosen])
    ax.set_xlabel(f"{called} (one column a snapshot)")


def _share_bar(
    figure: Figure, norm: Normalize, place: tuple[float, float, float, float]
) -> None:
    bar = figure.colorbar(
        ScalarMappable(norm, "cividis"),
        cax=figure.add_axes(place),
        label="share of examples",
    )
    bar.ax.yaxis.set_major_formatter(lambda value, _: percent(value))
    bar.outline.set_visible(False)


def _map_text(numbers: SplitNumbers, name: str) -> str:
    last = numbers.counts[-1] / numbers.counts[-1].sum()
    return (
        f"Share of {nouns_of(numbers).member}s right over training, {name}, "
        f"{numbers.split}, observed above and by chance below. At the last snapshot "
        f"{percent(float(last[-1]))} of the examples are right for all, "
        f"{percent(float(last[0]))} for none."
    )
