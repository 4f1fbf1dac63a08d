"""Two runs in the place of two collections' arrays, matched by the ids of examples."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import (
    Any,
    Literal,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeVar,
    overload,
    runtime_checkable,
)

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int, Shaped

from jaxorder.analysis.inputs import (
    Array,
    Run,
    asked_split,
    begun,
    opened,
    require,
)
from jaxorder.analysis.measures import epoch_weights, weighted_sums
from jaxorder.analysis.streaming import Piece, pieces
from jaxorder.errors import RequestError, given
from jaxorder.run.folder import labels_of

# "Undecided when the gap exceeds 2 points" of test accuracy.
MATCHED_GAP = 0.02
# A gap of exactly 2 points is not more than that, whatever rounding says.
_ROUNDING = 1e-12

At = Literal["last", "matched"] | tuple[int, int]


# ---- the examples of both


def refuse_itself(run_a: Run, run_b: Run) -> None:
    """Refuse two runs that are one.

    Raises:
        RequestError: They are.
    """
    if Path(run_a.path).resolve() == Path(run_b.path).resolve():
        raise RequestError(
            f"compare {run_a.name!r} with itself: {run_a.path} is given twice; name "
            "two runs"
        )


class Labelled(NamedTuple):
    """What tells the examples of a run's split from others.

    Attributes:
        name: of the run.
        example_id: of each example.
        label: likewise.
    """

    name: str
    example_id: Int[np.ndarray, " _"]
    label: Shaped[np.ndarray, " _"]


def common(
    a: Labelled, b: Labelled, split: str
) -> tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]:
    """Find where the examples stand that two runs share, in the same order.

    Raises:
        RequestError: fewer than 3 are common, or their labels differ.
    """
    _, at_a, at_b = np.intersect1d(a.example_id, b.example_id, return_indices=True)
    names = f"compare {a.name!r} with {b.name!r}"
    if len(at_a) < 3:
        raise RequestError(
            f"{names}: wanted at least 3 common examples in split {split!r}, got "
            f"{len(at_a)}; compare runs of one data source"
        )
    if different := np.count_nonzero(a.label[at_a] != b.label[at_b]):
        raise RequestError(
            f"{names}: wanted equal labels in split {split!r}, got {different} of "
            f"{len(at_a)} different; compare runs of one data source with the same "
            "labels"
        )
    return at_a, at_b


def match_snapshots(
    accuracy_a: Float[Array, " snapshot_a"], accuracy_b: Float[Array, " snapshot_b"]
) -> tuple[int, int]:
    """Pair the weaker collection's last snapshot with the other's of nearest accuracy.

    Of all pairs, the nearest is often that of two collections that have learned
    nothing; so the pair is the latest at which both can be looked at.

    Args:
        accuracy_a: [snapshot], mean accuracy of one collection, in [0, 1].
        accuracy_b: [snapshot], of the other, as many snapshots as it has.

    Returns:
        The snapshot of the one and the snapshot of the other. The weaker is the one
        less accurate at the end; of equally near snapshots the last is taken.

    Raises:
        ValueError: an accuracy is not real with one axis.

    Reference:
        jaxorder's.

    Example:
        >>> match_snapshots(np.array([0.1, 0.5, 0.6]), np.array([0.1, 0.3, 0.61, 0.9]))
        (2, 2)
    """
    a = require("accuracy_a", accuracy_a, "biuf", "snapshot")
    b = require("accuracy_b", accuracy_b, "biuf", "snapshot")
    if a[-1] <= b[-1]:
        return len(a) - 1, _nearest(b, a[-1])
    return _nearest(a, b[-1]), len(b) - 1


def _nearest(accuracy: Float[np.ndarray, " snapshot"], wanted: float) -> int:
    """Find the last of the snapshots whose accuracy is nearest."""
    gaps = np.abs(accuracy - wanted)
    return int(np.flatnonzero(gaps == gaps.min())[-1])


def matches(gap: float) -> bool:
    """Tell whether a gap of test accuracy is at most 2 points."""
    return bool(gap <= MATCHED_GAP + _ROUNDING)


def accuracy_on(
    run: Run, split: str, kept: Int[np.ndarray, " chosen"]
) -> Float[np.ndarray, "snapshot member"]:
    """Measure each member's accuracy on some of the examples, in one pass.

    Args:
        run: The run.
        split: Which split.
        kept: Positions of the examples.
    """
    dataset = run.usable(split)
    counted = np.zeros(dataset.sizes["example"], bool)
    counted[kept] = True
    right = np.zeros(dataset["prediction"].shape[:2], int)

    def work(piece: Piece) -> tuple[int, list[np.ndarray]]:
        own = counted[piece.examples]
        shown = (correct & own for _, correct in piece.correct())
        return piece.first, [np.count_nonzero(each, axis=1) for each in shown]

    for first, each in pieces(dataset, work):
        right[first : first + len(each)] += each
    return right / len(kept)


# ---- both at a snapshot each


@dataclass(frozen=True, eq=False)
class Both:
    """Two runs at a snapshot each, on the examples that both recorded.

    Attributes:
        runs: the two.
        split: of which examples.
        kept: where these stand in each.
        snapshots: the snapshot of each.
    """

    runs: tuple[Run, Run]
    split: str
    kept: tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]
    snapshots: tuple[int, int]

    @property
    def label(self) -> Shaped[np.ndarray, " common"]:
        """What counts as right."""
        return labels_of(self._dataset(0))[self.kept[0]]

    @property
    def example_id(self) -> Int[np.ndarray, " common"]:
        """Of each example."""
        return self._dataset(0)["example_id"].values[self.kept[0]]

    @property
    def steps(self) -> tuple[int, int]:
        """Steps of the snapshots."""
        return self._step(0), self._step(1)

    def correct(
        self,
    ) -> tuple[
        Bool[np.ndarray, "member_a common"], Bool[np.ndarray, "member_b common"]
    ]:
        """What is correct at the snapshots."""
        return self._correct(0), self._correct(1)

    def scores(
        self,
    ) -> tuple[
        Float[np.ndarray, "member_a common"], Float[np.ndarray, "member_b common"]
    ]:
        """Each member's accessibility of each example, up to the snapshots."""
        return self._scores(0), self._scores(1)

    def _step(self, side: int) -> int:
        return int(self._dataset(side)["step"].values[self.snapshots[side]])

    def _dataset(self, side: int) -> xr.Dataset:
        return self.runs[side].usable(self.split)

    def _correct(self, side: int) -> np.ndarray:
        found = self._dataset(side).isel(snapshot=self.snapshots[side])
        correct = found["prediction"].values == labels_of(found)
        return correct[:, self.kept[side]]

    def _scores(self, side: int) -> np.ndarray:
        dataset = self._dataset(side)
        epoch = dataset["epoch"].values[: self.snapshots[side] + 1]
        (found,) = weighted_sums(dataset, [epoch_weights(epoch)])
        return found[:, self.kept[side]]


def both(
    run_a: Run | str | PathLike[str],
    run_b: Run | str | PathLike[str],
    split: str = "test",
    at: Any = "last",
) -> Both:
    """Bring two runs together.

    Args:
        run_a: one run, or its folder.
        run_b: the other.
        split: of which examples.
        at: "last", "matched" or a position for each run, as measures take it.

    Raises:
        RequestError: both are one, one has nothing to measure, fewer than 3 examples
            are common, labels differ, or there are no such snapshots.
    """
    a, b = (begun(opened(run), split) for run in (run_a, run_b))
    refuse_itself(a, b)
    kept = _kept(a, b, split)
    return Both((a, b), split, kept, _snapshots(a, b, split, at))


def _kept(
    a: Run, b: Run, split: str
) -> tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]:
    return common(_labelled(a, split), _labelled(b, split), split)


def _labelled(run: Run, split: str) -> Labelled:
    found = run.usable(split)
    return Labelled(run.name, found["example_id"].values, labels_of(found))


def _snapshots(a: Run, b: Run, split: str, at: Any) -> tuple[int, int]:
    there = tuple(run.usable(split).sizes["snapshot"] for run in (a, b))
    named = at if isinstance(at, str) else ""
    if named == "last":
        return there[0] - 1, there[1] - 1
    if named == "matched":
        return _matched(a, b, split)
    pair = [*at] if isinstance(at, tuple | list) else []
    if len(pair) != len(there) or not all(
        isinstance(each, int) and -many <= each < many
        for each, many in zip(pair, there, strict=True)
    ):
        raise RequestError(
            f"{given('at', str(at))}: wanted 'last', 'matched' or the positions of a "
            f"snapshot of {a.name!r}, of {there[0]}, and one of {b.name!r}, of "
            f"{there[1]}"
        )
    return pair[0] % there[0], pair[1] % there[1]


def _matched(a: Run, b: Run, split: str) -> tuple[int, int]:
    """Find the snapshots of nearest test accuracy, and where these stand in a split."""
    tests = [
        _Tested.of(run, split, kept)
        for run, kept in zip((a, b), _kept(a, b, "test"), strict=True)
    ]
    at_a, at_b = match_snapshots(*(test.accuracy for test in tests))
    accuracies = tests[0].accuracy[at_a], tests[1].accuracy[at_b]
    if not matches(abs(accuracies[0] - accuracies[1])):
        raise RequestError(
            f"{given('at', 'matched')}: wanted snapshots of {a.name!r} and {b.name!r} "
            f"whose test accuracies differ by at most {MATCHED_GAP}, got "
            f"{accuracies[0]:.3f} and {accuracies[1]:.3f}; name a position for each"
        )
    return int(tests[0].position[at_a]), int(tests[1].position[at_b])


class _Tested(NamedTuple):
    """Snapshots of a split that were also tested.

    Attributes:
        position: of each in the split.
        accuracy: mean test accuracy of each.
    """

    position: Int[np.ndarray, " tested"]
    accuracy: Float[np.ndarray, " tested"]

    @classmethod
    def of(cls, run: Run, split: str, kept: Int[np.ndarray, " common"]) -> "_Tested":
        """Find them, but step 0, where no example has been learned."""
        own, test = run.usable(split), run.usable("test")
        _, position, tested = np.intersect1d(
            own["step"].values, test["step"].values, return_indices=True
        )
        if not len(position):
            raise RequestError(
                f"{given('at', 'matched')}: wanted snapshots of split {split!r} and of "
                f"'test' at common steps in {run.name!r}, got none; name a position "
                "for each run"
            )
        trained = own["epoch"].values[position] > 0
        chosen = trained if trained.any() else ~trained
        accuracy = accuracy_on(run, "test", kept).mean(axis=1)
        return cls(position[chosen], accuracy[tested[chosen]])


# ---- measures of both

_P = ParamSpec("_P")
_R = TypeVar("_R", covariant=True)


@runtime_checkable
class OfArraysOrTwoRuns(Protocol[_P, _R]):
    """A measure of two collections' arrays that takes two runs in their place."""

    @overload
    def __call__(
        self,
        run_a: Run | str | PathLike[str],
        run_b: Run | str | PathLike[str],
        /,
        split: str = "test",
        *,
        at: At = "last",
        **given: Any,
    ) -> _R: ...
    @overload
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...


def takes_two_runs(
    of_both: Callable[..., Any],
) -> Callable[[Callable[_P, _R]], OfArraysOrTwoRuns[_P, _R]]:
    """Let a measure of two collections take two runs, or their folders.

    Args:
        of_both: measures what `both` gives, with what else is given by name.

    Returns:
        What to decorate the measure with.
    """

    def decorate(measure: Callable[_P, _R]) -> OfArraysOrTwoRuns[_P, _R]:
        @wraps(measure)
        def measured(*args: Any, **given: Any) -> _R:
            if not (args and isinstance(args[0], Run | str | PathLike)):
                return measure(*args, **given)
            if len(args) < 2 or not isinstance(args[1], Run | str | PathLike):
                raise TypeError(
                    f"{measure.__name__} of a run: wanted another run beside it"
                )
            split = asked_split(measure.__name__, args[2:], given)
            found = both(args[0], args[1], split, given.pop("at", "last"))
            return of_both(found, **given)

        return measured

    return decorate


def takes_correct(measure: Callable[_P, _R]) -> OfArraysOrTwoRuns[_P, _R]:
    """Let a measure of what is correct at a snapshot take a snapshot of two runs."""
    called: Callable[..., _R] = measure
    return takes_two_runs(lambda both, **given: called(*both.correct(), **given))(
        measure
    )
