"""Progress in words."""

import time
from dataclasses import dataclass, field

from jaxorder.progress.watch import Tick


@dataclass(frozen=True)
class Phase:
    """Something under way that has no ticks.

    Attributes:
        what: As "reading data".
        since: When it began, by the monotonic clock.
    """

    what: str
    since: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self.since

    def __str__(self) -> str:
        return f"{self.what}, {duration(self.seconds)}"


def warning(line: str) -> str:
    """Return a line marked as a warning."""
    return f"warning: {line}"


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
    """Whether a speed is known; members of learners that are not networks have none."""
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


def size(number: int) -> str:
    """Return a number of bytes as one reads it.

    Example:
        >>> size(999), size(123_456), size(5_000_000_000), size(9 * 10**16)
        ('999 B', '123 kB', '5 GB', '9e+04 TB')
    """
    power = min(4, max(0, len(str(number)) - 1) // 3)
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"
