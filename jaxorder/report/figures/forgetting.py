"""Pictures of forgetting."""

import numpy as np
from matplotlib.axes import Axes

from jaxorder.analysis.courses import learning_means
from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.report.figures.canvas import (
    INK,
    PANEL,
    Look,
    Picture,
    axes,
    heading,
    picture,
    style,
    title,
)
from jaxorder.report.figures.orders import MOST_POINTS, density
from jaxorder.report.wording import nouns_of

_BINS = 20


def forgetting_by_accessibility(
    numbers: SplitNumbers, name: str, look: Look
) -> Picture:
    """Draw how often examples are forgotten against how accessible they are."""
    x, y = numbers.accessibility, numbers.courses.forgetting
    with style():
        ax = axes(1.2 * PANEL[0], 1.15 * PANEL[1], left=0.55, top=0.5)
        top = max(float(y.max()), float(numbers.courses.chance_forgetting.max()), 0.1)
        if len(x) > MOST_POINTS:
            grid = np.linspace(0, 1, 61), np.linspace(0, 1.02 * top, 41)
            density(ax, x, y, *grid)
        else:
            ax.scatter(x, y, s=8, color=look.colour, alpha=0.35, lw=0, rasterized=True)
        _line(ax, x, y, "-", "mean")
        _line(ax, x, numbers.courses.chance_forgetting, (0, (3, 2)), "by chance")
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02 * top, 1.05 * top))
        member = nouns_of(numbers).member
        ax.set(xlabel="accessibility", ylabel=f"times forgotten, a {member}")
        title(ax, f"{heading(look, name, 24)} · {numbers.split}", legend_columns=2)
        return picture(
            ax,
            f"Forgetting against accessibility of the {numbers.split} examples, "
            f"{name}; the caption gives the numbers.",
            f"forgetting {name} {numbers.split}",
            {
                "example_id": numbers.example_id,
                "accessibility": x,
                "forgetting": y,
                "chance_forgetting": numbers.courses.chance_forgetting,
            },
        )


def _line(
    ax: Axes, x: np.ndarray, y: np.ndarray, dash: str | tuple, label: str
) -> None:
    means, _ = learning_means(x, y, _BINS)
    middles = (np.arange(_BINS) + 0.5) / _BINS
    there = ~np.isnan(means)
    ax.plot(middles[there], means[there], color=INK, lw=1.6, ls=dash, label=label)
