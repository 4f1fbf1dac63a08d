"""Where progress is shown."""

import sys

from rich.console import Console

from jaxorder.progress.lines import Lines
from jaxorder.progress.notebook import Notebook, in_notebook
from jaxorder.progress.quiet import Quiet
from jaxorder.progress.terminal import Terminal, draws


def chosen(progress: bool | None) -> Terminal | Notebook | Lines | Quiet:
    """Return a display of progress, to be used in a `with` statement.

    Args:
        progress: Whether to show it; None shows it where a person looks on, in a
            terminal or a notebook.

    Returns:
        Bars in a terminal, an output of the cell in a notebook, else lines on stderr;
        or what shows nothing but warnings.
    """
    if progress is False or (progress is None and not _looked_at()):
        return Quiet()
    if in_notebook():
        return Notebook()
    console = Console(stderr=True)
    return Terminal(console) if draws(console) else Lines()


def _looked_at() -> bool:
    return in_notebook() or sys.stderr.isatty()
