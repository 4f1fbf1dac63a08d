"""Progress in a terminal: bars, and what is under way."""

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.text import Text

from jaxorder.progress import wording
from jaxorder.progress.watch import Tick, Watch


class Terminal(Watch):
    """Draws a bar for each run on stderr; use it in a `with` statement.

    Args:
        console: Where to draw.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._phases = Progress(SpinnerColumn(), _plain("description"), _Elapsed())
        self._bars = Progress(
            _plain("description"), BarColumn(bar_width=None), _plain("fields[text]")
        )
        # drawn again by a thread of its own, so that it moves while work is silent
        shown = Group(self._bars, self._phases)
        self._live = Live(shown, console=self._console, refresh_per_second=10)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Terminal":
        self._live.start(refresh=True)
        return self

    def __exit__(self, *exception: object) -> None:
        self._end_phase()
        self._live.stop()

    def __call__(self, tick: Tick) -> None:
        """Draw where a training is."""
        self._end_phase()
        if tick.model not in self._tasks:
            self._tasks[tick.model] = self._bars.add_task(tick.model, text="")
        text = wording.short_text(tick)
        task = self._tasks[tick.model]
        self._bars.update(task, completed=tick.done, total=tick.total, text=text)

    def phase(self, what: str, sound: bool = True) -> None:
        """Draw what is begun, and for how long it has been under way."""
        del sound  # what is drawn goes again
        self._end_phase()
        self._phases.add_task(what, total=None)

    def note(self, line: str) -> None:
        """Print a line above the bars."""
        self._end_phase()
        self._print(line)

    def warn(self, line: str) -> None:
        """Print a line marked as a warning above the bars."""
        self._print(wording.warning(line), "bold yellow")

    def _end_phase(self) -> None:
        for task in self._phases.task_ids:
            self._phases.remove_task(task)

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(line, style), soft_wrap=True)


def draws(console: Console) -> bool:
    """Whether a console can draw over what it drew."""
    return (
        console.file.isatty() and console.is_terminal and not console.is_dumb_terminal
    )


def _plain(attribute: str) -> TextColumn:
    """Return a column of a task's text as it is, whatever brackets it holds."""
    return TextColumn(f"{{task.{attribute}}}", markup=False)


class _Elapsed(ProgressColumn):
    max_refresh = 0.1

    def render(self, task: Task) -> Text:
        return Text(wording.duration(task.elapsed or 0))
