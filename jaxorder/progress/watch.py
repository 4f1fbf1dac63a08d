"""What long work tells those who watch it. Nothing here knows how it is shown."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """Where a training is, after a segment.

    Attributes:
        model: What the run is called: its model string, or its name in the study.
        members: Members of the run.
        done: Member-epochs, or members, done, all blocks together; a fraction counts.
        total: As many are planned.
        examples_per_second: Examples that all members together trained on, a second of
            the last segment; 0 where that is not known.
        train_accuracy: Mean over members and examples at the last snapshot.
        test_accuracy: Likewise on the test examples.
        seconds_left: Estimate for the run, at the latest pace.
        unit: What is counted.
    """

    model: str
    members: int
    done: float
    total: float
    examples_per_second: float
    train_accuracy: float
    test_accuracy: float
    seconds_left: float
    unit: str = "member-epochs"


class Watch:
    """Is told the progress; this one ignores it."""

    def __call__(self, tick: Tick) -> None:
        """Take note of where a training is."""

    def phase(self, what: str, sound: bool = True) -> None:
        """Take note of what is begun that has no ticks, as "reading data".

        It lasts until the next phase, tick or note.

        Args:
            what: In a few words.
            sound: Whether the request was found sound; one that is refused later should
                leave the line that says so, and no other.
        """

    def note(self, line: str) -> None:
        """Take note of a line that should stay, as how a run will be trained."""

    def warn(self, line: str) -> None:
        """Take note of a line that people should not miss."""


UNWATCHED = Watch()
Watcher = Watch | Callable[[Tick], None]


def watching(watcher: Watcher) -> Watch:
    """Return who is told the progress; a plain function is told the ticks."""
    return watcher if isinstance(watcher, Watch) else _Ticked(watcher)


class _Ticked(Watch):
    def __init__(self, function: Callable[[Tick], None]) -> None:
        self._function = function

    def __call__(self, tick: Tick) -> None:
        self._function(tick)
