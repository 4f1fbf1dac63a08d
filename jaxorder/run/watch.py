"""What a training tells those who watch it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """Where a training is, after a segment.

    Attributes:
        model: Model string of the run.
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


Watch = Callable[[Tick], None]


def unwatched(tick: Tick) -> None:
    """Ignore the progress."""
    del tick
