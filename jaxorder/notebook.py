"""Small tables for notebooks."""

from collections.abc import Sequence
from html import escape


def html_table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a small table for a notebook.

    Args:
        title: above it.
        rows: of cells, of which the first names the row.

    Example:
        >>> html_table("a & b", [("x", "1")])
        '<table><caption>a &amp; b</caption><tr><th>x</th><td>1</td></tr></table>'
    """
    lines = [
        f"<tr><th>{escape(head)}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for head, *cells in rows
    ]
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"
