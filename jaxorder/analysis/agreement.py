"""Whether members are wrong on the same examples, within a run and between two.

What reports, tables and documents tell of it, at the last snapshots, on one split.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped

from jaxorder.analysis.containment import (
    Containment,
    containment,
    containment_of_halves,
    weaker_first,
)
from jaxorder.analysis.intervals import Interval
from jaxorder.analysis.measures import tp_agreement
from jaxorder.analysis.numbers import RunNumbers, SplitNumbers
from jaxorder.analysis.only_stronger import OnlyStronger, only_stronger
from jaxorder.analysis.pairs import mean_pairwise_kappa, mean_pairwise_kappa_between
from jaxorder.analysis.shared_errors import ErrorAgreement, error_agreement
from jaxorder.analysis.tetrachoric import mean_tetrachoric, mean_tetrachoric_between
from jaxorder.analysis.two_runs import Both, Labelled, common, refuse_itself
from jaxorder.errors import RequestError
from jaxorder.plain import plain


@dataclass(frozen=True, kw_only=True)
class RunAgreement:
    """How far the members of one run are wrong on the same examples.

    Attributes:
        name: of the run.
        members: how many stayed finite.
        examples: how many there are.
        accuracy: mean accuracy, in [0, 1].
        kappa: mean pairwise kappa, as `mean_pairwise_kappa`.
        tetrachoric: as `mean_tetrachoric`.
        errors: as `error_agreement`.
        halves: as `containment_of_halves`; None of one member.
    """

    name: str
    members: int
    examples: int
    accuracy: float
    kappa: Interval
    tetrachoric: Interval
    errors: ErrorAgreement
    halves: Containment | None


@dataclass(frozen=True, kw_only=True)
class PairAgreement:
    """How far members of two runs are wrong on the same examples.

    Attributes:
        name_a: of the one run.
        name_b: of the other.
        examples: how many both recorded.
        members_a: how many of the one stayed finite.
        members_b: of the other.
        step_a: step of the snapshot of the one.
        step_b: of the other.
        accuracy_a: mean accuracy of the one there, in [0, 1].
        accuracy_b: of the other.
        kappa: mean over pairs, as `mean_pairwise_kappa_between`.
        tetrachoric: as `mean_tetrachoric_between`.
        weaker: name of the less accurate of the two there.
        containment: how much of what it has learned the other has.
        only: what the other alone has learned; None where it has one member.
    """

    name_a: str
    name_b: str
    examples: int
    members_a: int
    members_b: int
    step_a: int
    step_b: int
    accuracy_a: float
    accuracy_b: float
    kappa: Interval
    tetrachoric: Interval
    weaker: str
    containment: Containment
    only: OnlyStronger | None

    @property
    def stronger(self) -> str:
        """Name of the more accurate of the two."""
        return self.name_a if self.weaker == self.name_b else self.name_b

    def to_dict(self) -> dict[str, Any]:
        """Give the fields, nested, as JSON knows them: NaN becomes None."""
        return plain(self)


@dataclass(frozen=True)
class Unpaired:
    """Two runs that cannot be compared.

    Attributes:
        name_a: of the one.
        name_b: of the other.
        error: why.
    """

    name_a: str
    name_b: str
    error: RequestError


class Matched(NamedTuple):
    """Two runs at a snapshot each, on the examples that both recorded.

    Attributes:
        names: of the runs.
        steps: of the snapshots.
        correct: [member, example] of each.
        label: [example], what counts as right.
        example_id: [example].
    """

    names: tuple[str, str]
    steps: tuple[int, int]
    correct: tuple[Bool[np.ndarray, "_ common"], Bool[np.ndarray, "_ common"]]
    label: Shaped[np.ndarray, " common"]
    example_id: Int[np.ndarray, " common"]

    @classmethod
    def of_runs(cls, found: Both) -> "Matched":
        """Read two runs."""
        a, b = found.runs
        given = (a.name, b.name), found.steps, found.correct()
        return cls(*given, found.label, found.example_id)

    @classmethod
    def of_numbers(cls, a: RunNumbers, b: RunNumbers, split: str) -> "Matched":
        """Take what was measured of two runs, at the last snapshots of a split."""
        refuse_itself(a.run, b.run)
        of_a, of_b = _measured(a, split), _measured(b, split)
        at_a, at_b = common(
            Labelled(a.name, of_a.example_id, of_a.label),
            Labelled(b.name, of_b.example_id, of_b.label),
            split,
        )
        return cls(
            (a.name, b.name),
            (int(of_a.step[-1]), int(of_b.step[-1])),
            (of_a.correct[:, at_a], of_b.correct[:, at_b]),
            of_a.label[at_a],
            of_a.example_id[at_a],
        )


def _measured(run: RunNumbers, split: str) -> SplitNumbers:
    numbers = run.split(split)
    if numbers is None:
        raise RequestError(
            f"compare {run.name!r}: wanted a snapshot and a finite member in split "
            f"{split!r}, got none; resume or grow the run"
        )
    return numbers


def run_agreement(numbers: SplitNumbers, name: str) -> RunAgreement:
    """Measure how far the members of a run are wrong on the same examples.

    Args:
        numbers: what was measured of a split.
        name: what to call the run.

    Returns:
        The measures at its last snapshot.
    """
    correct = numbers.correct
    return RunAgreement(
        name=name,
        members=len(correct),
        examples=correct.shape[1],
        accuracy=float(correct.mean()),
        kappa=mean_pairwise_kappa(correct),
        tetrachoric=mean_tetrachoric(correct),
        errors=error_agreement(numbers.final, numbers.label),
        halves=containment_of_halves(correct, numbers.label)
        if len(correct) > 1
        else None,
    )


def pair_agreement(found: Matched) -> PairAgreement:
    """Measure how far the members of two runs are wrong on the same examples.

    Args:
        found: the two, at a snapshot each.
    """
    (a, b), (name_a, name_b) = found.correct, found.names
    accuracies = float(a.mean()), float(b.mean())
    weaker, stronger = weaker_first((a, b))
    return PairAgreement(
        name_a=name_a,
        name_b=name_b,
        examples=a.shape[1],
        members_a=len(a),
        members_b=len(b),
        step_a=found.steps[0],
        step_b=found.steps[1],
        accuracy_a=accuracies[0],
        accuracy_b=accuracies[1],
        kappa=mean_pairwise_kappa_between(a, b),
        tetrachoric=mean_tetrachoric_between(a, b),
        weaker=name_b if weaker is b else name_a,
        containment=containment(
            tp_agreement(weaker), tp_agreement(stronger), found.label
        ),
        only=_only(weaker, stronger, found) if len(stronger) > 1 else None,
    )


def _only(weaker: np.ndarray, stronger: np.ndarray, found: Matched) -> OnlyStronger:
    only = only_stronger(weaker, stronger, found.label)
    return only._replace(example=found.example_id[only.example])


@dataclass(frozen=True)
class Agreements:
    """How far members are wrong on the same examples, of runs and of pairs of them.

    Attributes:
        runs: of the runs that have something recorded.
        pairs: each of these with each other; a pair that cannot be compared says why.
    """

    runs: Sequence[RunAgreement]
    pairs: Sequence[PairAgreement | Unpaired]


def agreements(runs: Sequence[RunNumbers], split: str = "test") -> Agreements:
    """Measure runs, and each with each other, at their last snapshots.

    Args:
        runs: what was measured of them.
        split: of which examples.
    """
    found = [run for run in runs if run.split(split) is not None]
    own = [run_agreement(_measured(run, split), run.name) for run in found]
    return Agreements(own, [_paired(a, b, split) for a, b in combinations(found, 2)])


def _paired(a: RunNumbers, b: RunNumbers, split: str) -> PairAgreement | Unpaired:
    try:
        return pair_agreement(Matched.of_numbers(a, b, split))
    except RequestError as error:
        return Unpaired(a.name, b.name, error)
