"""Progress in plain lines, for files and pipes."""

import sys
import threading
import time

from jaxorder.progress import wording
from jaxorder.progress.heartbeat import Heartbeat
from jaxorder.progress.watch import Tick, Watch
from jaxorder.progress.wording import Phase


class Lines(Watch):
    """Prints lines on stderr, not too many; use it in a `with` statement.

    Args:
        seconds: Least time between two lines of ticks, or of what is still under way.
        patience: How long a phase may last unsaid: most are over at once. One that
            precedes the checks of a request may last as long as `seconds`.
    """

    def __init__(self, seconds: float = 10.0, patience: float = 1.0) -> None:
        self._seconds, self._patience = seconds, patience
        self._tick_at = float("-inf")
        self._phase: Phase | None = None
        self._said_at: float | None = None  # when the phase was
        self._unsaid = patience
        self._lock = threading.Lock()
        self._heartbeat = Heartbeat(self._say_phase, patience / 4)

    def __enter__(self) -> "Lines":
        self._heartbeat.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._heartbeat.__exit__()

    def __call__(self, tick: Tick) -> None:
        """Print where a training is, unless that was printed just now."""
        with self._lock:
            self._begin(None)
            now = time.monotonic()
            if tick.done >= tick.total or now - self._tick_at >= self._seconds:
                self._tick_at = now
                _print(f"{tick.model}: {wording.text(tick)}")

    def phase(self, what: str, sound: bool = True) -> None:
        """Print what is begun as soon as it lasts, and at times that it still does."""
        with self._lock:
            self._begin(Phase(what))
            self._unsaid = self._patience if sound else self._seconds

    def note(self, line: str) -> None:
        """Print a line."""
        with self._lock:
            self._begin(None)
            _print(line)

    def warn(self, line: str) -> None:
        """Print a line marked as a warning."""
        with self._lock:
            _print(wording.warning(line))

    def _begin(self, phase: Phase | None) -> None:
        self._phase, self._said_at = phase, None

    def _say_phase(self) -> None:
        with self._lock:
            if self._phase is None or self._phase.seconds < self._unsaid:
                return
            now = time.monotonic()
            if self._said_at is None:
                _print(self._phase.what)
            elif now - self._said_at >= self._seconds:
                _print(f"still {self._phase}")
            else:
                return
            self._said_at = now


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
