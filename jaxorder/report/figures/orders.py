"""Pictures of orders: how repeatable they are, and how alike between runs."""

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm

from jaxorder.analysis import spearman_brown
from jaxorder.analysis.growth import Growth
from jaxorder.analysis.intervals import Interval, number
from jaxorder.report.figures.canvas import (
    INK,
    NULL,
    PANEL,
    Look,
    Picture,
    axes,
    heading,
    legend_inside,
    picture,
    style,
    title,
)
from jaxorder.report.wording import counted

# Above this many examples a scatter is a blot: draw how many lie where.
_MOST_POINTS = 3000
# Up to so many times the members that there are, reliability is predicted.
_BEYOND = 4


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
        return picture(ax, _growth_text(runs, split))


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


def scatter(
    a: tuple[Float[np.ndarray, "example"], str, Look],
    b: tuple[Float[np.ndarray, "example"], str, Look],
    spearman: Interval,
    split: str,
) -> Picture:
    """Draw the accessibilities of two runs against each other."""
    with style():
        ax = axes(3.4, 3.4, left=0.55, bottom=0.5, top=0.3, right=0.2)
        (x, name_x, look_x), (y, name_y, look_y) = a, b
        if len(x) > _MOST_POINTS:
            _density(ax, x, y)
        else:
            ax.scatter(x, y, s=9, color="#0072B2", alpha=0.35, lw=0, rasterized=True)
        ax.plot([0, 1], [0, 1], color=NULL, lw=0.8, ls=(0, (4, 2)))
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        ax.set_xlabel(f"accessibility, {heading(look_x, name_x, 20)}")
        ax.set_ylabel(f"accessibility, {heading(look_y, name_y, 20)}")
        title(ax, f"{split.capitalize()}: Spearman {number(spearman.estimate)}")
        return picture(
            ax,
            f"Accessibility of {counted(len(x), split + ' example')} for {name_x} and "
            f"{name_y}; Spearman correlation {number(spearman.estimate)}.",
        )


def _density(ax: Axes, x: np.ndarray, y: np.ndarray) -> None:
    grid = np.linspace(0, 1, 61)
    # the colours of a few examples must not vanish on white
    shades = ListedColormap(colormaps["Blues"](np.linspace(0.3, 1, 128)))
    ax.hist2d(x, y, bins=(grid, grid), norm=LogNorm(), cmap=shades, rasterized=True)


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
        return picture(ax, _matrix_text(values, split))


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
            color="white" if dark else INK,
        )


def _matrix_text(values: np.ndarray, split: str) -> str:
    between = values[~np.eye(len(values), dtype=bool)]
    if np.isnan(between).all():
        return f"Correlations between models, {split}: none is defined."
    return (
        f"Rank correlations between models on the {split} examples, from "
        f"{np.nanmin(between):.2f} to {np.nanmax(between):.2f}."
    )
