"""What every figure shares: size, colours, fonts, and the ways out of it.

In the page a figure is an SVG in a data URI: it can be saved and put on a slide from
there, and its ids and styles touch nothing else. Text stays text. Beside the colours
that it is drawn in, which any program shows, stand those for a dark screen.
"""

import base64
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import matplotlib
import numpy as np
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxorder.analysis.intervals import Interval
from jaxorder.report.wording import shortened

# Okabe and Ito 2008, safe for the colour-blind; without yellow, too faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, NULL, MUTED, FAINT = "#1b1f24", "#6b7280", "#8a929c", "#d7dbe0"
# Of text upon a map's colours, which are the same on a dark screen.
ON_BRIGHT, ON_DEEP = "#111111", "#fefefe"
PAPER, _GRID = "#ffffff", "#e9ecef"
# What becomes of colours on a dark screen; the others are seen on both.
DARK = {
    PAPER: "#15181c",
    INK: "#e4e7eb",
    NULL: "#a3abb6",
    MUTED: "#838b95",
    FAINT: "#3b424a",
    _GRID: "#2a2f36",
    COLOURS[0].lower(): "#3f9be0",
    COLOURS[-1]: "#f0f2f4",
}
Format = Literal["svg", "pdf"]
PANEL = (3.6, 2.75)  # inches, of a figure that stands beside two others
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
)

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # whole fonts, whose letters other programs can change
    # names of models and classes may hold a dollar sign
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    # else the labels of all ticks are measured to keep clear of them
    "axes.titley": 1.0,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8a929c",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": False,
    "grid.color": _GRID,
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


# Columns of one length, by name.
Numbers = Mapping[str, Shaped[np.ndarray, " row"]]


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, and what it shows in words and in numbers.

    Attributes:
        figure: Drawn in the report's style.
        alt: What it shows, for those who do not see it.
        name: What its files are called, without an ending.
        numbers: What is drawn, or what that was drawn from, a column a name.
    """

    figure: Figure = field(repr=False)
    alt: str
    name: str
    numbers: Numbers = field(repr=False)

    @property
    def width(self) -> int:
        """Natural width in CSS pixels."""
        return round(self.figure.get_size_inches()[0] * 96)  # CSS pixels an inch

    @property
    def height(self) -> int:
        """Natural height in CSS pixels."""
        return round(self.figure.get_size_inches()[1] * 96)

    @property
    def source(self) -> str:
        """A data URI of the figure as SVG, which is dark on a dark screen."""
        svg = self._svg.replace("</style>", f"{_dark_style()}</style>", 1)
        data = base64.b64encode(svg.encode()).decode()
        return f"data:image/svg+xml;base64,{data}"

    def drawn(self, form: Format) -> bytes:
        """Return the figure as a file; the same figure gives the same bytes.

        Args:
            form: "svg" or "pdf".
        """
        return self._svg.encode() if form == "svg" else self._saved("pdf", _NO_PDF)

    @cached_property
    def _svg(self) -> str:
        return _tidied(self._saved("svg", _NO_SVG).decode())

    def _saved(self, form: str, metadata: Mapping[str, None]) -> bytes:
        buffer = io.BytesIO()
        with style(), matplotlib.rc_context({"svg.hashsalt": "jaxorder"}):
            self.figure.savefig(buffer, format=form, metadata=dict(metadata))
        return buffer.getvalue()


def stacked(tables: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Put tables of the same columns beneath one another.

    Args:
        tables: A single value fills its column.

    Example:
        >>> stacked([{"of": "a", "x": [1, 2]}, {"of": "b", "x": [3]}])["of"].tolist()
        ['a', 'a', 'b']
    """
    filled = [
        np.broadcast_arrays(*map(np.atleast_1d, each.values())) for each in tables
    ]
    columns = zip(tables[0], zip(*filled, strict=True), strict=True)
    return {name: np.concatenate(parts) for name, parts in columns}


# Who made a file, and when, would make the bytes of equal figures differ.
_NO_SVG = dict.fromkeys(["Date", "Creator", "Format", "Type"])
_NO_PDF = dict.fromkeys(["CreationDate", "Creator", "Producer"])


def interval_columns(name: str, values: Sequence[Interval]) -> dict[str, np.ndarray]:
    """Return the columns of an estimate and the ends of its interval.

    Args:
        name: Of the estimate.
        values: One a row.
    """
    return {
        name: np.array([each.estimate for each in values]),
        f"{name}_low": np.array([each.low for each in values]),
        f"{name}_high": np.array([each.high for each in values]),
    }


def _dark_style() -> str:
    """Return rules that turn the colours of an SVG on a dark screen.

    Matplotlib writes colours into each element's own style, which other programs read;
    only a rule that is important goes before them.
    """
    rules = [
        f'[style*="{what}: {bright}"]{{{what}:{dark}!important}}'
        for bright, dark in DARK.items()
        for what in ("fill", "stroke")
    ]
    return f"@media screen and (prefers-color-scheme:dark){{{''.join(rules)}}}"


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


def title(axes: Axes, text: str, legend_columns: int = 0, legend_rows: int = 1) -> None:
    """Write a title, and between it and the axes a legend where it hides nothing.

    Args:
        axes: Of the figure.
        text: The title.
        legend_columns: Columns of the legend; 0 draws none.
        legend_rows: Its rows.
    """
    axes.set_title(text, pad=6 + 14 * legend_rows if legend_columns else 6)
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


def picture(axes: Axes, alt: str, name: str, numbers: Mapping[str, Any]) -> Picture:
    """Keep a figure with what it shows.

    Args:
        axes: Any axes of the figure.
        alt: What it shows, with the numbers that matter.
        name: What its files are to be called.
        numbers: What is drawn, a column a name; a single value fills its column.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    columns = [np.atleast_1d(np.asarray(values)) for values in numbers.values()]
    columns = np.broadcast_arrays(*columns) if columns else []
    return Picture(figure, alt, name, dict(zip(numbers, columns, strict=True)))


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
