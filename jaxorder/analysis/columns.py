"""The columns of `scores`: what each needs, means, and whose it is.

The frame, its docstring and the table of docs/scores.md are made from these entries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from textwrap import fill
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Integer, Shaped

from jaxorder.analysis.courses import Course, followed
from jaxorder.analysis.dynamics import (
    area_under_margin,
    confidence,
    epoch_ends,
    variability,
)
from jaxorder.analysis.held_out import held_out_accuracy
from jaxorder.analysis.inputs import Run
from jaxorder.analysis.measures import classification_agreement, common_prediction
from jaxorder.analysis.memorisation import Memorisation, memorisation
from jaxorder.errors import RequestError, given
from jaxorder.run.folder import labels_of

Scores = Shaped[np.ndarray, " example"]
Function = TypeVar("Function")
EARLY = 0.1  # of the training; Paul et al. 2021 take epoch 20 of 200


@dataclass(frozen=True)
class Scored:
    """What scores are taken from: a run's split, of the members that stayed finite.

    Attributes:
        run: The run.
        split: Name of the split.
        epoch: At which the scores of a moment are taken; None: a tenth of the training.
        gradients: Whether kept checkpoints are to be evaluated.
    """

    run: Run
    split: str
    epoch: float | None = None
    gradients: bool = False

    @cached_property
    def kept(self) -> xr.Dataset:
        """The record of the members that stayed finite."""
        return self.run.usable(self.split)

    @property
    def course(self) -> Course:
        """What became of each example on the way."""
        return self._followed[0]

    @property
    def times(self) -> Integer[np.ndarray, "member example"]:
        """After how many whole epochs each member was right."""
        return self._followed[1]

    @cached_property
    def _followed(self) -> tuple[Course, Integer[np.ndarray, "member example"]]:
        ends = set(self.ends.tolist())
        shape = self.kept.sizes["member"], self.kept.sizes["example"]
        times = np.zeros(shape, np.uint32)

        def count(snapshot: int, correct: np.ndarray, examples: slice) -> None:
            if snapshot in ends:
                times[:, examples] += correct

        return followed(self.kept, count), times

    @cached_property
    def right(self) -> Bool[np.ndarray, "member example"]:
        """What each was right on at the last snapshot."""
        return self.final == labels_of(self.kept)

    @cached_property
    def final(self) -> Shaped[np.ndarray, "member example"]:
        """What each predicted at the last snapshot."""
        return self.kept["prediction"].isel(snapshot=-1).values

    @cached_property
    def common(self) -> Scores:
        """The commonest prediction there."""
        return common_prediction(self.final)

    @cached_property
    def epochs(self) -> Float[np.ndarray, " snapshot"]:
        """When snapshots were taken."""
        return self.kept["epoch"].values

    @cached_property
    def ends(self) -> Shaped[np.ndarray, " chosen"]:
        """The snapshots after whole epochs."""
        return np.flatnonzero(epoch_ends(self.epochs))

    @cached_property
    def memorised(self) -> Memorisation:
        """How much each example is memorised, at the last snapshot."""
        return memorisation(self.right, **self.seen)

    @cached_property
    def seen(self) -> dict[str, Any]:
        """What members were trained on, and the groups that they are of."""
        groups = self.kept["subset"].values if "subset" in self.kept.coords else None
        return {"trained_on": self.kept["trained_on"].values, "groups": groups}

    @cached_property
    def early(self) -> int:
        """The position of the snapshot at which the scores of a moment are taken."""
        return nearest_epoch(self.epochs, self.epoch, float(self.epochs[-1]))

    @cached_property
    def grand(self) -> "Gradients":
        """Lengths of gradients at the kept step nearest to the epoch."""
        run = self.run
        if not (isinstance(run, KeepsMembers) and (steps := run.kept_steps())):
            raise RequestError(
                f"{given('gradients')} of {run.name!r}: wanted networks of which a "
                "checkpoint was kept, got none; leave it out"
            )
        times = np.interp(steps, self.kept["step"].values, self.epochs)
        at = nearest_epoch(times, self.epoch, float(self.epochs[-1]))
        norms = run.gradient_norm(self.split, steps[at])
        finite = np.asarray(run.record(self.split)["finite"][-1])
        return Gradients(self.mean(norms[finite]), float(times[at]))

    def over_ends(self, name: str) -> xr.DataArray:
        """Return what was recorded by name after whole epochs."""
        return self.kept[name].isel(snapshot=self.ends)

    def mean(self, values: Shaped[np.ndarray, "member example"]) -> Scores:
        """Return the mean over the members that were trained on each example.

        Over all, where they were all trained on it, or none was; NaN where members
        differ in what they saw, and an example was left out of all.
        """
        if "trained_on" not in self.kept:
            return values.mean(axis=0)
        seen = self.kept["trained_on"].values
        met = np.count_nonzero(seen, axis=0)
        total = np.sum(values, axis=0, where=seen)
        return np.divide(total, met, out=np.full(met.shape, np.nan), where=met > 0)


class Gradients(NamedTuple):
    """Lengths of gradients [example], and at which epoch."""

    norm: Scores
    epoch: float


@runtime_checkable
class KeepsMembers(Protocol):
    """A run that may have kept its members, which can be evaluated again."""

    def kept_steps(self) -> list[int]:
        """Return the steps of which a checkpoint was kept."""
        ...

    def gradient_norm(
        self, split: str, step: int | None = None
    ) -> Float[np.ndarray, "member example"]:
        """Return the length of each recorded example's gradient."""
        ...


def nearest_epoch(
    epochs: Float[np.ndarray, " moment"], wanted: float | None, last: float
) -> int:
    """Find the moment nearest an epoch; of two as near, the earlier.

    Args:
        epochs: [moment], rising.
        wanted: the epoch; None: a tenth of the training, and none before it.
        last: epoch of the training's end.

    Raises:
        RequestError: it lies outside the training.
    """
    if wanted is not None and not 0 <= wanted <= last:
        raise RequestError(
            f"{given('epoch', wanted)}: wanted one of the training, 0 to {last:g}"
        )
    at = EARLY * last if wanted is None else wanted
    untrained = (epochs == 0) & (wanted is None) & (epochs.max() > 0)
    return int(np.where(untrained, np.inf, np.abs(epochs - at)).argmin())


@dataclass(frozen=True)
class Column:
    """A score of each example.

    Attributes:
        name: Of the column.
        meaning: A sentence, with its range or unit.
        of: Takes it of what was recorded.
        needs: Arrays or attributes of the record without which there is no column.
        source: Whose it is; empty: a fact, no measure.
        differs: What differs from theirs.
        asked: Whether it is made only where gradients are asked for.
    """

    name: str
    meaning: str
    of: Callable[[Scored], Any]
    needs: tuple[str, ...] = ()
    source: str = ""
    differs: str = ""
    asked: bool = False

    def there(self, scored: Scored) -> bool:
        """Whether there is all that the column needs."""
        kept = scored.kept
        held = all(need in kept.variables or need in kept.attrs for need in self.needs)
        return held and (scored.gradients or not self.asked)


HACOHEN = "after Hacohen et al. 2020"
CARTOGRAPHY = "dataset cartography, Swayamdipta et al. 2020"
FROZEN = "frozen weights; mean over members"


def _names(scored: Scored, classes: Shaped[np.ndarray, " example"]) -> np.ndarray:
    names = np.asarray(scored.kept.attrs["class_names"], object)
    return names[classes]


def _at_early(name: str) -> Callable[[Scored], Scores]:
    return lambda s: s.mean(s.kept[name].isel(snapshot=s.early).values.astype(float))


COLUMNS: tuple[Column, ...] = (
    Column("example_id", "position in the source", lambda s: s.kept["example_id"]),
    Column("label", "the class that counts as right", lambda s: labels_of(s.kept)),
    Column(
        "accessibility",
        "how early and surely it is learned, in [0, 1]: the mean TP-agreement over "
        "the training, weighted by epochs",
        lambda s: s.course.accessibility,
        source=HACOHEN,
        differs="the weights are ours",
    ),
    Column(
        "final_tpa",
        "the share of members that are right at the last snapshot",
        lambda s: s.course.final,
        source=HACOHEN,
    ),
    Column(
        "final_ca",
        "the largest share of members that give the same answer there",
        lambda s: classification_agreement(s.final),
        source=HACOHEN,
    ),
    Column(
        "common_prediction",
        "that answer, the smaller class of several",
        lambda s: s.common,
    ),
    Column(
        "median_learned_epoch",
        "the median over members of the epoch of the snapshot from which they stay "
        "right; NaN where the median member never learned",
        lambda s: s.course.learned_epoch,
        source="after Baldock et al. 2021",
        differs="at snapshots, not at each step; median over members",
    ),
    Column(
        "share_never_learned",
        "the share of members that are wrong at the last snapshot",
        lambda s: 1 - s.course.final,
    ),
    Column(
        "forgetting",
        "how often members go from right to wrong, from 0 on",
        lambda s: s.course.forgetting,
        source="Toneva et al. 2019",
        differs="counted between snapshots, not at each presentation in training; "
        "mean over members; never learned is 0 here, and told by share_never_learned",
    ),
    Column(
        "held_out_accuracy",
        "the share of right members among those that never saw it, in [0, 1]; of "
        "subsets of several sizes, the C-score",
        lambda s: held_out_accuracy(s.right, **s.seen),
        needs=("trained_on",),
        source="Jiang et al. 2021",
        differs="from as many members as there are",
    ),
    Column(
        "memorisation",
        "the share of right members among those that saw it minus that among the "
        "others, in [-1, 1]; NaN below 4 members in or out",
        lambda s: s.memorised.estimate,
        needs=("trained_on",),
        source="Feldman and Zhang 2020",
        differs="any members that saw different examples, compared within shares of "
        "the examples where members differ in these",
    ),
    Column(
        "memorisation_error",
        "its standard error, of independent members",
        lambda s: s.memorised.standard_error,
        needs=("trained_on",),
        source="variance after Agresti and Caffo 2000",
    ),
    Column(
        "label_name",
        "the name of the label's class",
        lambda s: _names(s, labels_of(s.kept)),
        needs=("class_names",),
    ),
    Column(
        "common_name",
        "the name of the common prediction's",
        lambda s: _names(s, s.common),
        needs=("class_names",),
    ),
    Column(
        "correctness",
        "the share of epochs after which it is right, in [0, 1]",
        lambda s: s.mean(s.times) / len(s.ends),
        source=CARTOGRAPHY,
        differs=FROZEN,
    ),
    Column(
        "confidence",
        "the mean over epochs of the label's probability, in [0, 1]",
        lambda s: s.mean(confidence(s.over_ends("true_logprob"))),
        needs=("true_logprob",),
        source=CARTOGRAPHY,
        differs=FROZEN,
    ),
    Column(
        "variability",
        "the standard deviation over epochs of the label's probability, in [0, 0.5]",
        lambda s: s.mean(variability(s.over_ends("true_logprob"))),
        needs=("true_logprob",),
        source=CARTOGRAPHY,
        differs=FROZEN,
    ),
    Column(
        "aum",
        "the area under the margin: the mean over epochs of the label's logit minus "
        "the largest other, of any sign",
        lambda s: s.mean(area_under_margin(s.over_ends("margin"))),
        needs=("margin",),
        source="Pleiss et al. 2020",
        differs=FROZEN + "; over the whole training, no threshold samples",
    ),
    Column(
        "el2n",
        "the norm of the probabilities minus the label, in [0, 1.42], at the epoch "
        "that the next column names",
        _at_early("error_norm"),
        needs=("error_norm",),
        source="Paul et al. 2021",
        differs=FROZEN + "; at a tenth of the training unless told otherwise",
    ),
    Column(
        "el2n_epoch",
        "the epoch of the snapshot at which el2n is taken",
        lambda s: np.full(s.kept.sizes["example"], s.epochs[s.early]),
        needs=("error_norm",),
    ),
    Column(
        "grand",
        "the length of the gradient for the last layer's weights, from 0 on, at the "
        "epoch that the next column names",
        lambda s: s.grand.norm,
        source="GraNd, Paul et al. 2021",
        differs="the last layer's weights alone, theirs all; " + FROZEN + "; at the "
        "kept checkpoint nearest to a tenth of the training unless told otherwise",
        asked=True,
    ),
    Column(
        "grand_epoch",
        "the epoch of the checkpoint at which grand is taken",
        lambda s: np.full(s.kept.sizes["example"], s.grand.epoch),
        asked=True,
    ),
)


def columns_of(scored: Scored) -> dict[str, Scores]:
    """Take every column that a record has what it needs for."""
    return {c.name: np.asarray(c.of(scored)) for c in COLUMNS if c.there(scored)}


def with_columns(function: Function) -> Function:
    """List the columns in a function's docstring, in the place of {columns}."""
    made: Any = function
    listed = "\n".join(_in_docstring(column) for column in COLUMNS)
    made.__doc__ = (made.__doc__ or "").replace("{columns}", f"Columns:\n{listed}")
    return function


def _in_docstring(column: Column) -> str:
    told = f"{column.name}: {column.meaning}"
    told += f" ({column.source})" if column.source else ""
    return fill(told, 88, initial_indent=" " * 8, subsequent_indent=" " * 12)


def columns_table() -> str:
    """Return the columns as a table in Markdown, as docs/scores.md has it."""
    rows = [
        f"| `{c.name}` | {c.meaning} | {_needed(c)} | {c.source} | {c.differs} |\n"
        for c in COLUMNS
    ]
    head = "| column | meaning | needs | after | what differs from it |\n"
    return head + "|---|---|---|---|---|\n" + "".join(rows)


def _needed(column: Column) -> str:
    if column.asked:
        return "kept checkpoints; `--gradients`"
    return ", ".join(f"`{need}`" for need in column.needs)
