"""How far members are wrong, and have learned, together."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from jaxorder.analysis.containment import HALF, Containment
from jaxorder.analysis.intervals import Interval, number
from jaxorder.report.figures.canvas import (
    FAINT,
    INK,
    NULL,
    PANEL,
    PAPER,
    Look,
    Picture,
    axes,
    heading,
    interval_columns,
    picture,
    style,
    title,
)
from jaxorder.report.wording import shortened

_ROW = 0.3  # inches

Row = tuple[str, Interval, Interval, Look | None]


def consistency(rows: Sequence[Row]) -> Picture:
    """Draw mean pairwise kappa and tetrachoric correlation, a row a run or a pair.

    Args:
        rows: its name, kappa, the correlation, and how a run looks; None of a pair.
    """
    with style():
        ax = axes(6.4, 0.95 + _ROW * len(rows), left=2.1, top=0.5)
        for place, (_, kappa, tetrachoric, look) in enumerate(rows):
            colour = look.colour if look else INK
            _point(ax, place - 0.12, kappa, colour, colour)
            _point(ax, place + 0.12, tetrachoric, colour, PAPER)
        ax.plot([], [], "o", color=INK, label="kappa")
        ax.plot([], [], "o", color=INK, mfc=PAPER, label="tetrachoric")
        names = [
            heading(look, name, 24) if look else shortened(name, 28)
            for name, _, _, look in rows
        ]
        ax.set_yticks(range(len(rows)), names)
        ax.set(ylim=(len(rows) - 0.5, -0.5), xlim=(_least(rows), 1.02))
        ax.axvline(0, color=NULL, lw=1)
        ax.set_xlabel("0: chance, 1: wrong on the same examples")
        title(ax, "Mean over pairs of members", legend_columns=2)
        told = ", ".join(f"{name} {number(kappa.estimate)}" for name, kappa, *_ in rows)
        found = {
            "run_or_pair": [name for name, *_ in rows],
            **interval_columns("kappa", [kappa for _, kappa, *_ in rows]),
            **interval_columns("tetrachoric", [each for _, _, each, _ in rows]),
        }
        return picture(ax, f"Mean pairwise kappa: {told}.", "error consistency", found)


def _least(rows: Sequence[Row]) -> float:
    values = [v for _, *both, _ in rows for i in both for v in (i.estimate, i.low)]
    return float(min(-0.05, 1.1 * np.nanmin([0.0, *values])))


def _point(ax: Axes, place: float, value: Interval, colour: str, fill: str) -> None:
    ax.hlines(place, value.low, value.high, color=colour, lw=1.2, alpha=0.6)
    ax.plot(value.estimate, place, "o", color=colour, mfc=fill, ms=5)


def containment_curve(
    found: Containment,
    halves: Containment | None,
    looks: tuple[Look, Look],
    names: tuple[str, str],
) -> Picture:
    """Draw how much of what the weaker has learned the stronger has.

    Args:
        found: over thresholds.
        halves: of the stronger's own; None of one member.
        looks: of the weaker, and of the stronger.
        names: likewise.
    """
    (weaker, stronger), look = looks, looks[1]
    with style():
        ax = axes(*PANEL, left=0.55, top=0.5)
        ax.plot(found.threshold, found.chance, color=NULL, lw=1.2, label="chance")
        if halves is not None:
            given = {"color": look.colour, "ls": ":", "lw": 1.4}
            ax.plot(halves.threshold, halves.share, label="halves", **given)
        given = {"color": look.colour, "marker": look.marker, "ms": 3.5}
        band = {"color": look.colour, "alpha": 0.2, "lw": 0}
        ax.fill_between(found.threshold, found.low, found.high, **band)
        ax.plot(found.threshold, found.share, label="share", **given)
        low = np.nanmin([1.0, *found.share, *found.chance])
        ax.set(ylim=(max(0.0, low - 0.08), 1.03), xlabel="right for more than")
        ax.set(ylabel="share of the weaker's")
        ax.axhline(1, color=FAINT, lw=0.8, zorder=0)
        title(ax, f"{weaker.letter} in {stronger.letter}", legend_columns=3)
        share, chance = found.share[HALF], found.chance[HALF]
        return picture(
            ax,
            f"Of what {names[0]} has learned, {names[1]} has learned "
            f"{number(float(share))}, by chance {number(float(chance))}.",
            f"containment {names[0]} in {names[1]}",
            _curve_columns(found, halves),
        )


def _curve_columns(
    found: Containment, halves: Containment | None
) -> dict[str, np.ndarray]:
    columns = {
        "threshold": found.threshold,
        "share": found.share,
        "share_low": found.low,
        "share_high": found.high,
        "chance": found.chance,
    }
    return columns if halves is None else {**columns, "halves": halves.share}
