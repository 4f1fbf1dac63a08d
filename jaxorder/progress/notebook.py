"""Progress in a notebook: one output, which is brought up to date."""

import html
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from jaxorder.progress import wording
from jaxorder.progress.heartbeat import Heartbeat
from jaxorder.progress.watch import Tick, Watch
from jaxorder.progress.wording import Phase


class Notebook(Watch):
    """Shows a line for each run below the cell; use it in a `with` statement.

    The last line of each stays, also in the file that is saved.

    Args:
        display: IPython's function of that name, or one with its arguments.
        seconds: Least time between two updates.
        beat: Time between updates while something lasts that has no ticks.
    """

    def __init__(
        self,
        display: Callable[..., Any] | None = None,
        seconds: float = 0.25,
        beat: float = 1.0,
    ) -> None:
        self._display = display or _ipython_display()
        self._seconds = seconds
        self._shown: Any = None  # what updates the output, once there is one
        self._shown_at = float("-inf")
        self._said: list[str] = []
        self._ticks: dict[str, Tick] = {}
        self._phase: Phase | None = None
        self._lock = threading.Lock()
        self._heartbeat = Heartbeat(self._beat, beat)

    def __enter__(self) -> "Notebook":
        self._heartbeat.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._heartbeat.__exit__()
        with self._lock:
            self._phase = None
            self._show()

    def __call__(self, tick: Tick) -> None:
        """Show where a training is."""
        with self._lock:
            self._phase, self._ticks[tick.model] = None, tick
            if tick.done >= tick.total or self._is_due():
                self._show()

    def phase(self, what: str, sound: bool = True) -> None:
        """Show what is begun, and for how long it has been under way."""
        del sound  # what is shown goes again
        with self._lock:
            self._phase = Phase(what)
            if self._is_due():
                self._show()

    def note(self, line: str) -> None:
        """Show a line above those of the runs."""
        with self._lock:
            self._phase = None
            self._say(line)

    def warn(self, line: str) -> None:
        """Show a line marked as a warning above those of the runs."""
        with self._lock:
            self._say(wording.warning(line))

    def _say(self, line: str) -> None:
        self._said.append(line)
        self._show()

    def _beat(self) -> None:
        with self._lock:
            if self._phase is not None:
                self._show()

    def _is_due(self) -> bool:
        return time.monotonic() - self._shown_at >= self._seconds

    def _show(self) -> None:
        self._shown_at = time.monotonic()
        output = {"text/plain": self._text(), "text/html": self._html()}
        if self._shown is not None:
            self._shown.update(output, raw=True)
        elif output["text/plain"]:
            self._shown = self._display(output, raw=True, display_id=True)

    def _text(self) -> str:
        runs = [f"{tick.model}: {wording.text(tick)}" for tick in self._ticks.values()]
        return "\n".join([*self._said, *runs, *self._under_way()])

    def _html(self) -> str:
        lines = [html.escape(line) for line in [*self._said, *self._under_way()]]
        at = len(self._said)
        lines[at:at] = [_bar(tick) for tick in self._ticks.values()]
        return "\n".join(f"<div>{line}</div>" for line in lines)

    def _under_way(self) -> list[str]:
        return [] if self._phase is None else [f"{self._phase} ..."]


def _bar(tick: Tick) -> str:
    return (
        f"{html.escape(tick.model)} "
        f'<progress max="{tick.total:.0f}" value="{tick.done:.2f}"></progress> '
        f"{html.escape(wording.text(tick))}"
    )


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    # a kernel has imported it
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def _ipython_display() -> Callable[..., Any]:
    from IPython.display import display

    return display
