"""Pictures of TP-agreement: how many examples none, some or all members get right."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxorder.report.figures.canvas import (
    INK,
    NULL,
    Look,
    Picture,
    axes,
    heading,
    percent,
    picture,
    style,
)
from jaxorder.report.numbers import SplitNumbers
from jaxorder.report.wording import number, short

# Above this many members, bars would be thinner than a pixel.
_MOST_BARS = 48
_MAP_WIDE, _MAP_HIGH = 4.6, 4.3


def tpa_histogram(numbers: SplitNumbers, snapshot: int, look: Look) -> Picture:
    """Draw the TP-agreement of one snapshot beside its nulls."""
    with style():
        ax = axes(2.35, 2.1, left=0.46, right=0.1, bottom=0.42, top=0.44)
        grid = np.linspace(0, 1, numbers.members + 1)
        shares = numbers.counts[snapshot] / numbers.counts[snapshot].sum()
        _bars(ax, grid, shares, look.colour)
        by_class, free = numbers.by_class[snapshot], numbers.independent[snapshot]
        ax.plot(grid, free.pmf, color=NULL, lw=1, ls=(0, (1.5, 1.5)))
        ax.plot(grid, by_class.pmf, color=INK, lw=1.2)
        ax.set(xlim=(-0.06, 1.06), ylim=(0, None), xlabel="share of members right")
        ax.set_xticks([0, 0.5, 1], ["0", "½", "1"])
        ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(percent)
        accuracy, epoch = numbers.mean_accuracy[snapshot], numbers.epoch[snapshot]
        beta = numbers.bimodality[snapshot].estimate
        ax.set_title(
            f"accuracy {accuracy:.2f} · epoch {short(epoch)}", pad=16, fontsize=9
        )
        null = by_class.bimodality.estimate
        _beneath_title(ax, f"β = {number(beta)}   null {number(null)}")
        return picture(ax, _histogram_text(numbers, snapshot))


def _beneath_title(ax: Axes, text: str) -> None:
    ax.annotate(
        text, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points"
    )


def _bars(ax: Axes, grid: np.ndarray, shares: np.ndarray, colour: str) -> None:
    width = grid[1] - grid[0]
    if len(grid) <= _MOST_BARS:
        ax.bar(grid, shares, 0.82 * width, color=colour, alpha=0.75, linewidth=0)
        return
    edges = np.append(grid - width / 2, 1 + width / 2)
    ax.stairs(shares, edges, fill=True, color=colour, alpha=0.75)


def _histogram_text(numbers: SplitNumbers, snapshot: int) -> str:
    counts = numbers.counts[snapshot]
    none, every = counts[0] / counts.sum(), counts[-1] / counts.sum()
    return (
        f"Histogram at epoch {short(numbers.epoch[snapshot])}: {none:.0%} of the "
        f"{numbers.split} examples are right for no member, {every:.0%} for all; the "
        f"class null expects {numbers.by_class[snapshot].pmf[0]:.0%} and "
        f"{numbers.by_class[snapshot].pmf[-1]:.0%}."
    )


def tpa_heat_maps(numbers: SplitNumbers, name: str, look: Look) -> Picture:
    """Draw the histograms of all snapshots as two maps: observed and class null."""
    observed = numbers.counts / numbers.counts.sum(axis=1, keepdims=True)
    expected = np.stack([null.pmf for null in numbers.by_class])
    norm = PowerNorm(0.5, vmin=0, vmax=float(max(observed.max(), expected.max())))
    with style():
        figure = Figure(figsize=(_MAP_WIDE, _MAP_HIGH))
        above, below = _place(0.5, 2.36, 3.25, 1.5), _place(0.5, 0.48, 3.25, 1.5)
        _map(figure.add_axes(above), observed, norm, "observed")
        ax = figure.add_axes(below)
        _map(ax, expected, norm, "class null: independent within a class")
        _snapshot_axis(ax, numbers.epoch)
        _share_bar(figure, norm, _place(3.87, 0.48, 0.1, 3.38))
        words = f"{heading(look, name, 34)} · {numbers.split}"
        figure.text(0.02, 0.96, words, weight="bold", size=9.5)
        return picture(ax, _map_text(numbers, name))


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


def _snapshot_axis(ax: Axes, epoch: Float[np.ndarray, "snapshot"]) -> None:
    """Label snapshots, which stand side by side, with their epochs."""
    chosen = np.unique(np.linspace(0, len(epoch) - 1, 7).round().astype(int))
    ax.set_xticks(chosen, [short(float(epoch[i])) for i in chosen])
    ax.set_xlabel("epoch (one column a snapshot)")


def _share_bar(
    figure: Figure, norm: Normalize, place: tuple[float, float, float, float]
) -> None:
    bar = figure.colorbar(
        ScalarMappable(norm, "cividis"),
        cax=figure.add_axes(place),
        label="share of examples",
    )
    bar.ax.yaxis.set_major_formatter(percent)
    bar.outline.set_visible(False)


def _map_text(numbers: SplitNumbers, name: str) -> str:
    ends = numbers.counts[:, [0, -1]].sum(axis=1) / numbers.counts[0].sum()
    expected = np.array([null.pmf[[0, -1]].sum() for null in numbers.by_class])
    most = int(np.argmax(ends - expected))
    return (
        f"Share of members right over training, {name}, {numbers.split}. Where it "
        f"differs most from the class null, at epoch {short(numbers.epoch[most])}, "
        f"{ends[most]:.0%} of the examples are right for all members or for none; the "
        f"null expects {expected[most]:.0%}."
    )
