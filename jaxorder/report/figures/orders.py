"""Pictures of orders: how repeatable they are, and how alike between runs."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm

from jaxorder.analysis import spearman_brown
from jaxorder.analysis.disagreement import rank_shares
from jaxorder.analysis.growth import Growth
from jaxorder.analysis.intervals import Interval, number
from jaxorder.report.figures.canvas import (
    COLOURS,
    INK,
    NULL,
    ON_BRIGHT,
    ON_DEEP,
    PANEL,
    Look,
    Picture,
    axes,
    heading,
    legend_inside,
    picture,
    stacked,
    style,
    title,
)
from jaxorder.report.wording import counted, percent, shortened

# Above this many examples a scatter is a blot: draw how many lie where.
MOST_POINTS = 3000
# Up to so many times the members that there are, reliability is predicted.
_BEYOND = 4
# Edges of the cells of ranks.
_CELLS = np.linspace(0, 1, 51)
# Gaps of ranks at which curves are drawn.
_GAPS = np.linspace(0, 1, 101)
# Cells of few points and of many must both be seen, on white and on a dark screen.
DENSITY = ListedColormap(colormaps["plasma"](np.linspace(0.82, 0.35, 128)))


# ---- reliability


def reliability_growth(runs: list[tuple[Growth, str, Look]], split: str) -> Picture:
    """Draw reliability against the number of members, predicted and measured."""
    with style():
        ax = axes(*PANEL, left=0.55, top=0.28)
        for growth, _, look in runs:
            _growth(ax, growth, look)
        _reliability_axes(ax, [growth for growth, _, _ in runs])
        legend_inside(ax, len(runs))
        title(ax, f"{split.capitalize()} examples")
        found = [_growth_numbers(*each[:2]) for each in runs]
        text = _growth_text(runs, split)
        return picture(ax, text, f"reliability {split}", stacked(found))


def _growth_numbers(growth: Growth, name: str) -> dict[str, Any]:
    return {
        "model": name,
        "members": [*growth.sizes, growth.members],
        "reliability": [*growth.mean, growth.reliability],
        "least": [*growth.low, np.nan],
        "most": [*growth.high, np.nan],
    }


def _reliability_axes(ax: Axes, grown: list[Growth]) -> None:
    top = _BEYOND * max(growth.members for growth in grown)
    ax.set_xscale("log", base=2)
    ticks = 2 ** np.arange(int(np.log2(top)) + 1)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    lowest = min(np.nanmin([*growth.mean, growth.reliability]) for growth in grown)
    ax.set(xlim=(0.9, top), ylim=(max(lowest - 0.15, -0.05), 1.02))
    ax.set(xlabel="members", ylabel="reliability of the order")
    for wanted in (0.9, 0.95):
        ax.axhline(wanted, color=INK, lw=0.7, ls=(0, (1, 2)))


def _growth(ax: Axes, growth: Growth, look: Look) -> None:
    many = np.geomspace(1, _BEYOND * growth.members, 60)
    predicted = [spearman_brown(growth.reliability, n / growth.members) for n in many]
    ax.plot(many, predicted, color=look.colour, lw=1)
    spread = np.stack([growth.mean - growth.low, growth.high - growth.mean])
    spread = np.clip(spread, 0, None)  # rounding may put a mean beyond its draws
    ax.errorbar(
        growth.sizes,
        growth.mean,
        spread,
        color=look.colour,
        marker=look.marker,
        ls="none",
        ms=4,
        elinewidth=0.9,
        label=look.letter,
    )


def _growth_text(runs: list[tuple[Growth, str, Look]], split: str) -> str:
    parts = [f"{name} {number(growth.reliability, 3)}" for growth, name, _ in runs]
    return f"Reliability of the order of the {split} examples: {', '.join(parts)}."


# ---- across architectures


class Ordered(NamedTuple):
    """The order in which a run learns some examples, and how the run is drawn."""

    accessibility: Float[np.ndarray, "example"]
    name: str
    look: Look


def rank_scatter(
    a: Ordered,
    b: Ordered,
    example_id: Integer[np.ndarray, "example"],
    spearman: Interval,
    split: str,
) -> Picture:
    """Draw where two runs place the same examples in their orders."""
    x, y = (rank_shares(each.accessibility) for each in (a, b))
    with style():
        ax = axes(3.4, 3.4, left=0.55, bottom=0.5, top=0.3, right=0.2)
        if len(x) > MOST_POINTS:
            density(ax, x, y, _CELLS, _CELLS)
        else:
            ax.scatter(x, y, s=9, color=COLOURS[0], alpha=0.35, lw=0, rasterized=True)
        ax.plot([0, 1], [0, 1], color=NULL, lw=0.8, ls=(0, (4, 2)))
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        ax.set_xlabel(f"rank, {heading(a.look, a.name, 24)}")
        ax.set_ylabel(f"rank, {heading(b.look, b.name, 24)}")
        title(ax, f"{split.capitalize()}: Spearman {number(spearman.estimate)}")
        return picture(
            ax,
            f"Ranks of {counted(len(x), split + ' example')} for {a.name} and "
            f"{b.name}; Spearman correlation {number(spearman.estimate)}.",
            f"ranks {a.name} and {b.name} {split}",
            {
                "example_id": example_id,
                "accessibility_a": a.accessibility,
                "accessibility_b": b.accessibility,
                "rank_a": x,
                "rank_b": y,
            },
        )


def density(
    ax: Axes, x: np.ndarray, y: np.ndarray, columns: np.ndarray, rows: np.ndarray
) -> None:
    """Draw how many of very many points lie where.

    Args:
        ax: To draw in.
        x: Of each point.
        y: Likewise.
        columns: The edges of the cells on the horizontal axis.
        rows: On the vertical one.
    """
    ax.hist2d(x, y, bins=(columns, rows), norm=LogNorm(), cmap=DENSITY, rasterized=True)


def correlation_matrix(
    values: Float[np.ndarray, "run run"], names: list[tuple[str, Look]], split: str
) -> Picture:
    """Draw the rank correlations of every pair; the diagonal is the reliability."""
    count = len(names)
    with style():
        cell = 0.62 if count <= 8 else 0.46
        left = 0.3 + 0.075 * max(len(heading(each, n, 22)) for n, each in names)
        width, height = left + cell * count + 0.15, cell * count + 0.65
        ax = axes(width, height, left=left, right=0.15, bottom=0.1, top=0.55)
        low = min(0.0, float(np.nanmin(values))) if not np.isnan(values).all() else 0.0
        ax.imshow(values, vmin=low, vmax=1, cmap="cividis_r", interpolation="none")
        _annotate(ax, values, low)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0, top=True, labeltop=True, labelbottom=False)
        ax.set_xticks(range(count), [look.letter for _, look in names])
        ax.set_yticks(range(count), [heading(look, name, 22) for name, look in names])
        ax.set_title(f"{split.capitalize()} examples", pad=18)
        rows, columns = np.indices(values.shape).reshape(2, -1)
        called = np.array([name for name, _ in names])
        found = {"model_a": called[rows], "model_b": called[columns]}
        found["spearman"] = values.ravel()
        text = _matrix_text(values, split)
        return picture(ax, text, f"correlations {split}", found)


def _annotate(ax: Axes, values: np.ndarray, low: float) -> None:
    for (row, column), value in np.ndenumerate(values):
        dark = not np.isnan(value) and (value - low) / (1 - low) > 0.5
        ax.text(
            column,
            row,
            "n/a" if np.isnan(value) else f"{value:.2f}",
            ha="center",
            va="center",
            style="italic" if row == column else "normal",
            color=ON_DEEP if dark else ON_BRIGHT,
        )


def _matrix_text(values: np.ndarray, split: str) -> str:
    between = values[~np.eye(len(values), dtype=bool)]
    if np.isnan(between).all():
        return f"Correlations between models, {split}: none is defined."
    return (
        f"Rank correlations between models on the {split} examples, from "
        f"{np.nanmin(between):.2f} to {np.nanmax(between):.2f}."
    )


def rank_gap_shares(
    between: Float[np.ndarray, "gap"],
    halves: list[tuple[Float[np.ndarray, "example"], str, Look]],
    split: str,
) -> Picture:
    """Draw the shares of the examples that are placed at least so far apart."""
    with style():
        ax = axes(1.3 * PANEL[0], PANEL[1], left=0.78, top=0.28)
        curves = [("between models", between, INK, 2.0)]
        curves += [
            (f"halves of {name}", gaps, look.colour, 1.0) for gaps, name, look in halves
        ]
        shares = {label: _at_least(gaps) for label, gaps, _, _ in curves}
        for label, _, colour, width in curves:
            short_label = shortened(label, 32)
            ax.plot(_GAPS, shares[label], color=colour, lw=width, label=short_label)
        least = 0.5 / len(halves[0][0] if halves else between)
        ax.set(xlim=(0, 1), yscale="log", ylim=(least, 1.3))
        ax.yaxis.set_major_formatter(lambda value, _: percent(value))
        ax.minorticks_off()
        ax.set_xlabel("gap of ranks, at least")
        ax.set_ylabel("share of the examples")
        ax.legend(loc="upper right")
        title(ax, f"{split.capitalize()} examples")
        text = f"Gaps of ranks of the {split} examples; the caption gives the numbers."
        found = [
            {"of": label, "gap_at_least": _GAPS, "share": each}
            for label, each in shares.items()
        ]
        return picture(ax, text, f"gaps of ranks {split}", stacked(found))


def _at_least(gaps: Float[np.ndarray, "gap"]) -> Float[np.ndarray, "threshold"]:
    below = np.searchsorted(np.sort(gaps), _GAPS - 1e-12)
    return 1 - below / len(gaps)
