"""What every figure shares: size, colours, fonts, and the way into the page.

A figure becomes an SVG in a data URI: it can be saved and put on a slide from the page,
and its ids and styles touch nothing else. Text stays text.
"""

import base64
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxorder.report.wording import shortened

# Okabe and Ito 2008, safe for the colour-blind; without yellow, too faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, NULL, MUTED, FAINT = "#1b1f24", "#6b7280", "#8a929c", "#d7dbe0"
PANEL = (3.6, 2.75)  # inches, of a figure that stands beside two others
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
)

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    # names of models and classes may hold a dollar sign
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8a929c",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": False,
    "grid.color": "#e9ecef",
    "grid.linewidth": 0.7,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.color": "#8a929c",
    "ytick.color": "#8a929c",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "text.color": INK,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.borderaxespad": 0.2,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "hatch.linewidth": 0.6,
}


@dataclass(frozen=True)
class Look:
    """How a run is drawn in every figure.

    Attributes:
        letter: What stands for it where its name is too long.
        colour: Of its lines.
        marker: Of its points.
    """

    letter: str
    colour: str
    marker: str


def look(position: int) -> Look:
    """Return how the run at a position is drawn.

    Example:
        >>> look(0).letter, look(27).letter
        ('A', 'B2')
    """
    again, letter = divmod(position, len(_LETTERS))
    return Look(
        _LETTERS[letter] + (str(again + 1) if again else ""),
        COLOURS[position % len(COLOURS)],
        # other steps than the colours', so that the combinations last longer
        MARKERS[(position + position // len(COLOURS)) % len(MARKERS)],
    )


@dataclass(frozen=True)
class Picture:
    """A figure, ready for the page.

    Attributes:
        source: A data URI.
        alt: What it shows, for those who do not see it.
        width: Natural width in CSS pixels.
        height: Natural height in CSS pixels.
    """

    source: str = field(repr=False)
    alt: str
    width: int
    height: int


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style; glyphs that only the reader's fonts have are fine."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield


def axes(
    width: float,
    height: float,
    *,
    left: float = 0.5,
    right: float = 0.12,
    bottom: float = 0.45,
    top: float = 0.28,
) -> Axes:
    """Make one pair of axes in a figure of its own.

    Args:
        width: Of the figure, in inches.
        height: Likewise.
        left: Margin in inches; fixed margins align small multiples.
        right: Likewise.
        bottom: Likewise.
        top: Likewise.

    Returns:
        The axes.
    """
    figure = Figure(figsize=(width, height))
    return figure.add_axes(
        (
            left / width,
            bottom / height,
            1 - (left + right) / width,
            1 - (bottom + top) / height,
        )
    )


def legend_inside(axes: Axes, entries: int) -> None:
    """Draw a legend at the lower right, where rising curves leave room."""
    axes.legend(
        loc="lower right",
        frameon=True,
        framealpha=0.9,
        edgecolor="none",
        ncols=-(-entries // 4),
        columnspacing=0.8,
        handletextpad=0.4,
    )


def title(axes: Axes, text: str, legend_columns: int = 0) -> None:
    """Write a title, and between it and the axes a legend where it hides nothing.

    Args:
        axes: Of the figure.
        text: The title.
        legend_columns: Columns of the legend; 0 draws none.
    """
    axes.set_title(text, pad=20 if legend_columns else 6)
    if legend_columns:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(-0.01, 1.005),
            ncols=legend_columns,
            columnspacing=1.2,
            handletextpad=0.5,
            borderpad=0.1,
        )


def heading(look: Look, name: str, most: int = 30) -> str:
    """Return what a run is called in a figure: its letter and its name."""
    return f"{look.letter}  {shortened(name, most)}"


def picture(axes: Axes, alt: str) -> Picture:
    """Turn a figure into a picture for the page.

    Args:
        axes: Any axes of the figure.
        alt: What it shows, with the numbers that matter.

    Returns:
        The picture; the same figure gives the same bytes.
    """
    figure, buffer = axes.get_figure(root=True), io.StringIO()
    assert figure is not None
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with matplotlib.rc_context({"svg.hashsalt": "jaxorder"}):
        figure.savefig(buffer, format="svg", metadata=metadata)
    width, height = figure.get_size_inches() * 96  # CSS pixels an inch
    data = base64.b64encode(_tidied(buffer.getvalue()).encode()).decode()
    return Picture(
        f"data:image/svg+xml;base64,{data}", alt, round(width), round(height)
    )


# What matplotlib writes for editors of drawings, and digits below a hundredth of a
# point: half of the bytes.
_SPARED = {
    r' (id="[a-zA-Z0-9.]+_\d+")(?=>)': "",
    r' transform="rotate\(-0 [^"]*"': "",
    r"font-family: [^;\"]*;? ?": "",
    r"(\d\.\d\d)\d+": r"\1",
    r"\s*\n\s*": " ",
}


def _tidied(svg: str) -> str:
    """Drop what a browser does not need, and ask for the reader's own fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    # only within tags: a label may hold what looks like any of it
    svg = re.sub(r"<[^>]*>", lambda tag: _spared(tag[0]), svg)
    svg = re.sub(r">\s*\n\s*<", "><", svg)
    return svg.replace("</style>", f"text{{font-family:{_FONTS}}}</style>", 1)


def _spared(tag: str) -> str:
    for pattern, instead in _SPARED.items():
        tag = re.sub(pattern, instead, tag)
    return tag
