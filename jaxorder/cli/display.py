"""Progress of long work: a bar in a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from jaxorder.progress.watch import Tick, Watch

if TYPE_CHECKING:
    from jaxorder.run.execution import Work

LINE_SECONDS = 10.0


class Display(Watch):
    """Shows ticks on stderr; use it in a `with` statement and call it with ticks.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[text]}"),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._line_at = float("-inf")

    def __enter__(self) -> "Display":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def __call__(self, tick: Tick) -> None:
        """Show where a training is."""
        if self._quiet:
            return
        if self._bars.disable:
            self._show_line(tick)
        else:
            self._show_bar(tick)

    def planned(self, work: "Work") -> None:
        """Say how a run will be trained, and about how long it takes."""
        if self._quiet:
            return
        plan = work.plan
        time = f"; about {duration(plan.seconds)}" if plan.seconds else ""
        self._console.print(
            f"{work.config.model}: {plan.why}{time}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def _show_bar(self, tick: Tick) -> None:
        if tick.model not in self._tasks:
            self._tasks[tick.model] = self._bars.add_task(tick.model, text="")
        task = self._tasks[tick.model]
        text = short_text(tick)
        self._bars.update(task, completed=tick.done, total=tick.total, text=text)

    def _show_line(self, tick: Tick) -> None:
        now = time.monotonic()
        if tick.done < tick.total and now - self._line_at < LINE_SECONDS:
            return
        self._line_at = now
        print(f"{tick.model}: {text(tick)}", file=sys.stderr, flush=True)


def text(tick: Tick) -> str:
    """Return a tick in words."""
    return (
        f"{_done(tick)} of {tick.total:.0f} {tick.unit}"
        + (f", {tick.examples_per_second:,.0f} examples/s" * _paced(tick))
        + (_accuracy(", accuracy train {:.3f} test {:.3f}", tick))
        + (f", {duration(tick.seconds_left)} left" if tick.seconds_left else "")
    )


def short_text(tick: Tick) -> str:
    """Return a tick in the few columns beside a bar."""
    left = f" {duration(tick.seconds_left)} left" if tick.seconds_left else ""
    return (
        f"{tick.done:.0f}/{tick.total:.0f}"
        + (f" {tick.examples_per_second:,.0f} ex/s" * _paced(tick))
        + _accuracy(" train {:.2f} test {:.2f}", tick)
        + left
    )


def _done(tick: Tick) -> str:
    return f"{tick.done:.0f}" if tick.unit == "members" else f"{tick.done:.1f}"


def _paced(tick: Tick) -> bool:
    """Whether a speed is known; members of learners that are no networks have none."""
    return tick.unit == "member-epochs"


def _accuracy(form: str, tick: Tick) -> str:
    """Return accuracies, nothing before the first."""
    known = tick.train_accuracy == tick.train_accuracy
    return form.format(tick.train_accuracy, tick.test_accuracy) if known else ""


def duration(seconds: float) -> str:
    """Return a time as one reads it.

    Example:
        >>> duration(12.3), duration(754), duration(7300)
        ('12 s', '12 min 34 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
