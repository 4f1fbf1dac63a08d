"""What members say of examples that they were never trained on."""

import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int, Integer

from jaxorder.analysis.dynamics import confidence, epoch_ends
from jaxorder.analysis.inputs import Run, begun, opened
from jaxorder.analysis.written import new_target, whole
from jaxorder.errors import RequestError, given
from jaxorder.run.folder import labels_of

Shares = Float[np.ndarray, "example class"]


@dataclass(frozen=True)
class Unseen:
    """A split's record, by whether members were trained on its examples.

    Attributes:
        kept: The record of the members that stayed finite.
        split: Name of the split.
    """

    kept: xr.Dataset
    split: str

    @cached_property
    def seen(self) -> Bool[np.ndarray, "member example"]:
        """Whether each member was trained on each example."""
        if "trained_on" in self.kept:
            return self.kept["trained_on"].values
        shape = self.kept.sizes["member"], self.kept.sizes["example"]
        return np.full(shape, self.split == "train")

    @cached_property
    def members(self) -> Int[np.ndarray, " example"]:
        """How many members never saw each example."""
        return np.count_nonzero(~self.seen, axis=0)

    @cached_property
    def ends(self) -> Int[np.ndarray, " chosen"]:
        """The snapshots after whole epochs."""
        return np.flatnonzero(epoch_ends(self.kept["epoch"].values))

    @cached_property
    def counted(self) -> Bool[np.ndarray, "member example"]:
        """Who speaks for an example: those who never saw it; all, where all did."""
        return ~self.seen | (self.members == 0)

    @property
    def classes(self) -> int:
        """How many classes there are, or are known of."""
        if "class_names" in self.kept.attrs:
            return len(self.kept.attrs["class_names"])
        last = self.kept["prediction"][-1].values
        return 1 + int(max(last.max(), labels_of(self.kept).max()))

    def votes(self) -> Shares:
        """Return the share of each class among the predictions after whole epochs."""
        rows, counted = np.arange(self.kept.sizes["example"]), self.counted
        found = np.zeros((len(rows), self.classes))
        for snapshot in self.ends:
            predicted = self.kept["prediction"][snapshot].values
            for own, member in zip(counted, predicted, strict=True):
                found[rows[own], member[own]] += 1
        return found / found.sum(axis=1, keepdims=True)

    def confidences(self) -> Float[np.ndarray, "member example"]:
        """Return each member's mean probability of the label, or its share of right."""
        of_ends = self.kept.isel(snapshot=self.ends)
        if "true_logprob" in of_ends:
            return confidence(of_ends["true_logprob"])
        label = labels_of(self.kept)
        right = sum(each.values == label for each in of_ends["prediction"])
        return np.asarray(right) / len(self.ends)


@dataclass(frozen=True)
class HeldOutProbabilities:
    """What members say at the last snapshot of examples that they never saw.

    As cleanlab takes them: `label` is its `labels`, `probability` its `pred_probs` and
    `list(repeats)` its `pred_probs_list`.

    Attributes:
        probability: [example, class], the mean over the members that never saw an
            example; rows sum to 1.
        repeats: [repeat, example, class], the same of few members each: of one of each
            fold, or of each member where none saw any of the examples; else of all.
        label: [example], as trained towards.
        example_id: [example], positions in the source.
        class_names: Names of the classes.
        left_out: Examples of the split that are not among these, since no member was
            kept that never saw them.
    """

    probability: Shares
    repeats: Float[np.ndarray, "repeat example class"]
    label: Integer[np.ndarray, " example"]
    example_id: Int[np.ndarray, " example"]
    class_names: tuple[str, ...]
    left_out: int


def held_out_probabilities(
    run: Run | str | os.PathLike[str], split: str = "train"
) -> HeldOutProbabilities:
    """Return the probabilities that members give the classes of unseen examples.

    Args:
        run: a run that recorded `probability`, or its folder.
        split: "train", of a run whose members were trained on examples of their own,
            as by `--folds`; or "test".

    Returns:
        The probabilities, out of fold of training examples, and what they are of.

    Raises:
        RequestError: nothing is recorded yet, `probability` is not, or all members
            were trained on all examples.
    """
    run = begun(opened(run), split)
    unseen = Unseen(run.usable(split), split)
    asked, kept = f"held-out probabilities of {run.name!r}", unseen.kept
    if "probability" not in kept:
        raise RequestError(
            f"{asked}: wanted networks that recorded them; train with "
            f"{given('record', 'probability')}"
        )
    there = np.flatnonzero(unseen.members)
    if not len(there):
        raise RequestError(
            f"{asked}: every member was trained on every {split} example; train with "
            f"{given('folds', 5)}, or give {given('split', 'test')}"
        )
    probability = kept["probability"][-1].values[:, there]
    out = ~unseen.seen[:, there]
    parts = [_mean(probability[own], out[own]) for own in _repeats(kept, out)]
    return HeldOutProbabilities(
        probability=_mean(probability, out),
        repeats=np.stack(parts),
        label=labels_of(kept)[there],
        example_id=kept["example_id"].values[there],
        class_names=tuple(kept.attrs["class_names"]),
        left_out=kept.sizes["example"] - len(there),
    )


def _mean(
    probability: Float[np.ndarray, "member example class"],
    out: Bool[np.ndarray, "member example"],
) -> Shares:
    """Average over those who never saw an example, so that classes sum to 1."""
    total = np.einsum("mec,me->ec", probability, out, dtype=float)
    return total / total.sum(axis=1, keepdims=True)


def _repeats(
    kept: xr.Dataset, out: Bool[np.ndarray, "member example"]
) -> list[Int[np.ndarray, " _"]]:
    """Group members so that each group left every example out at least once."""
    members = np.arange(len(out))
    if out.all():
        return [members[own : own + 1] for own in members]
    if "fold" not in kept.coords:
        return [members]
    fold = kept["fold"].values
    # how many earlier members left the same fold out
    turn = np.array([(fold[:own] == fold[own]).sum() for own in members])
    turns = [members[turn == each] for each in range(turn.max() + 1)]
    return [own for own in turns if out[own].any(axis=0).all()] or [members]


def write_probabilities(
    found: HeldOutProbabilities, path: str | os.PathLike[str]
) -> None:
    """Write held-out probabilities to a new file, named as cleanlab names them.

    Args:
        found: what `held_out_probabilities` gives.
        path: ends in .npz; it will hold `labels`, `pred_probs`, `pred_probs_list`,
            `example_id` and `class_names`.

    Raises:
        RequestError: another ending, a file that is there, or no such folder.
    """
    with whole(new_target(path, "file of probabilities", (".npz",))) as draft:
        np.savez_compressed(
            draft,
            labels=found.label,
            pred_probs=found.probability,
            pred_probs_list=found.repeats,
            example_id=found.example_id,
            class_names=np.array(found.class_names),
        )
