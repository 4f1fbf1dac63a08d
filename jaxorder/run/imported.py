"""Predictions that others recorded, as a run: measured, reported, never trained.

What comes from another framework has no options, streams or checkpoints. It is a
finished run from the start, of a kind of its own, `imported`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Integer, Shaped
from scipy.special import log_softmax, softmax

from jaxorder import record
from jaxorder.config import RunConfig
from jaxorder.errors import RequestError, given
from jaxorder.files import new_folder
from jaxorder.run.document import DataDescription, RunDocument
from jaxorder.run.folder import SPLITS, Run
from jaxorder.run.study import refuse_existing

KIND = "imported"
MOST_CLASSES = 2**16 - 1  # the last number of two bytes means "not recorded"
BLOCK = 64  # members of a chunk of the record
RECORDED = ("loss", "margin", "true_logprob", "error_norm", "probability")
DIFFER = "what the predictions do not say"


@dataclass(frozen=True)
class Imported:
    """Predictions of one split, checked.

    Attributes:
        prediction: Classes, [snapshot, member, example].
        label: Classes, [example].
        example_id: [example].
        finite: Whether each member's values counted, [snapshot, member].
        logits: [snapshot, member, example, class], where they were given.
        trained_on: Whether each member saw each example, [member, example], where
            that was said.
    """

    prediction: Integer[np.ndarray, "snapshot member example"]
    label: Integer[np.ndarray, "example"]
    example_id: Integer[np.ndarray, "example"]
    finite: Bool[np.ndarray, "snapshot member"]
    logits: Shaped[np.ndarray, "snapshot member example class"] | None = None
    trained_on: Bool[np.ndarray, "member example"] | None = None

    @property
    def classes(self) -> int:
        """The least number of classes that there must be."""
        there = 0 if self.logits is None else self.logits.shape[-1]
        return max(there, 1 + int(max(self.label.max(), self.prediction.max())))

    def quantities(self, snapshot: int, own: slice) -> dict[str, np.ndarray]:
        """Return what logits say of the examples at a snapshot, for some members."""
        if self.logits is None:
            return {}
        logits = np.nan_to_num(self.logits[snapshot, own].astype(np.float32))
        found = said_by_logits(logits, self.label)
        if snapshot == len(self.prediction) - 1:
            found["probability"] = softmax(logits, axis=-1).astype(np.float16)
        return found


@dataclass(frozen=True)
class _Moments:
    """When snapshots were taken, and which members there are."""

    step: Integer[np.ndarray, "snapshot"]
    epoch: Shaped[np.ndarray, "snapshot"]
    seed: Integer[np.ndarray, "member"]
    unit: str


def from_predictions(
    prediction: Any = None,
    label: Any = None,
    *,
    out: Path | str,
    split: str = "test",
    logits: Any = None,
    train_prediction: Any = None,
    train_label: Any = None,
    train_logits: Any = None,
    step: Any = None,
    epoch: Any = None,
    seed: Any = None,
    example_id: Any = None,
    train_example_id: Any = None,
    trained_on: Any = None,
    class_names: Iterable[str] | None = None,
    name: str = "imported",
    data: str = "predictions",
) -> Run:
    """Make a run of predictions of any framework.

    Args:
        prediction: Classes, whole numbers [snapshot, member, example].
        label: The classes that count as right, [example].
        out: Folder of the run, which must not exist.
        split: `test` or `train`: what `prediction` and `label` are of.
        logits: In place of `prediction`, [snapshot, member, example, class]: the
            largest is predicted; where one of a member's is not finite, the member
            counts as diverged at that snapshot. Loss, margin, the label's probability,
            EL2N and the last probabilities are recorded of them, where all splits have
            logits.
        train_prediction: Of the training examples, in addition.
        train_label: Theirs.
        train_logits: In place of `train_prediction`.
        step: Training steps before each snapshot, [snapshot], rising; else 1, 2, ...
        epoch: The same in epochs; else the steps.
        seed: A number for each member, [member]; else 0, 1, ...
        example_id: What each example is called, whole numbers that differ; else 0, 1,
            ... Two runs are compared on the examples of the same ids.
        train_example_id: Of the training examples.
        trained_on: Whether each member was trained on each training example, bool
            [member, example], where members saw different ones.
        class_names: Names of the classes, in the order of their numbers.
        name: What the run is called.
        data: What the data are called; the source's name lets reports show examples.

    Returns:
        The finished run.

    Raises:
        RequestError: Where arrays do not fit each other; nothing is left on disk.
    """
    out = Path(out)
    refuse_existing(out)
    if split not in SPLITS:
        raise RequestError(f"{given('split', split)}: must be one of test, train")
    both = train_prediction is not None or train_logits is not None
    if both and split == "train":
        raise RequestError(
            f"{given('split', split)}: the training examples are given twice; leave "
            f"{given('split')} or the arrays of the training examples out"
        )
    splits = {split: imported("", prediction, label, logits, example_id)}
    if both:
        splits["train"] = imported(
            "train_", train_prediction, train_label, train_logits, train_example_id
        )
    splits = _with_trained_on(splits, trained_on)
    shape = _shape(splits)
    moments = _moments(shape, step, epoch, seed)
    names = _class_names(splits, class_names)
    config = RunConfig(data=data, model=KIND, name=name, members=shape[1])
    return _write(out, _document(config, splits, moments, names), splits, moments)


# ---- checks


def imported(
    prefix: str, prediction: Any, label: Any, logits: Any, example_id: Any
) -> Imported:
    """Return the predictions of a split, checked.

    Args:
        prefix: Before the arguments' names.
        prediction: Classes, or None.
        label: Classes.
        logits: Logits, or None.
        example_id: Ids, or None.

    Raises:
        RequestError: Where arrays are not as they must be.
    """
    if (prediction is None) == (logits is None):
        raise RequestError(
            f"{given(prefix + 'prediction')}: give predictions, or "
            f"{given(prefix + 'logits')} in their place"
        )
    kept = None
    if logits is not None:
        kept = np.asarray(logits)
        classes, finite = _largest(prefix + "logits", kept)
    else:
        classes = _whole(prefix + "prediction", prediction, "snapshot member example")
        finite = np.ones(classes.shape[:2], bool)
    labels = _whole(prefix + "label", label, "example")
    examples = classes.shape[2]
    ids = np.arange(examples)
    if example_id is not None:
        ids = _whole(prefix + "example_id", example_id, "example")
    for which, found in (("label", labels), ("example_id", ids)):
        _check_length(prefix + which, found, examples, "example")
    if len(np.unique(ids)) < examples:
        raise RequestError(
            f"{given(prefix + 'example_id')}: {examples - len(np.unique(ids))} of "
            f"{examples} are there twice; each example needs an id of its own"
        )
    if kept is not None and labels.max() >= kept.shape[-1]:
        raise RequestError(
            f"{given(prefix + 'label')}: wanted classes that there are logits of, 0 to "
            f"{kept.shape[-1] - 1}, got {labels.max()}"
        )
    return Imported(classes, labels, ids.astype(np.int64), finite, kept)


def said_by_logits(
    logits: Float32[np.ndarray, "member example class"],
    label: Integer[np.ndarray, "example"],
) -> dict[str, Float32[np.ndarray, "member example"]]:
    """Return what members that networks are would have recorded, by the same formulas.

    Args:
        logits: Finite.
        label: Classes.
    """
    own = np.arange(logits.shape[-1]) == label[:, None]
    true = np.where(own, logits, -np.inf).max(axis=-1)
    others = np.where(own, -np.inf, logits).max(axis=-1)
    logprob = np.where(own, log_softmax(logits, axis=-1), -np.inf).max(axis=-1)
    return {
        "loss": -logprob,
        "margin": true - others,
        "true_logprob": logprob,
        "error_norm": np.linalg.norm(softmax(logits, axis=-1) - own, axis=-1),
    }


def _with_trained_on(
    splits: dict[str, Imported], trained_on: Any
) -> dict[str, Imported]:
    """Return the splits with what members were trained on, checked."""
    if trained_on is None:
        return splits
    seen = np.asarray(trained_on)
    if "train" not in splits:
        raise RequestError(
            f"{given('trained_on')}: wanted training examples beside it; give "
            f"{given('split', 'train')}, or {given('train_prediction')}"
        )
    wanted = splits["train"].prediction.shape[1:]
    if seen.dtype != bool or seen.shape != wanted:
        raise RequestError(
            f"{given('trained_on')}: wanted bool [member, example], {list(wanted)}, "
            f"got {seen.dtype} {list(seen.shape)}"
        )
    return splits | {"train": replace(splits["train"], trained_on=seen)}


def _largest(
    name: str, logits: Any
) -> tuple[
    Integer[np.ndarray, "snapshot member example"], Bool[np.ndarray, "snapshot member"]
]:
    values = np.asarray(logits)
    if values.ndim != 4 or values.dtype.kind not in "fiu" or 0 in values.shape:
        raise _unfit(name, values, "numbers", "snapshot member example class")
    finite = np.asarray(np.isfinite(values).all(axis=(2, 3)))
    return np.nan_to_num(values).argmax(axis=-1), finite


def _whole(name: str, values: Any, axes: str) -> Integer[np.ndarray, "*axes"]:
    """Return whole numbers from 0 on, of some axes."""
    found = np.asarray(values)
    fits = found.ndim == len(axes.split()) and 0 not in found.shape
    if not fits or found.dtype.kind not in "iu":
        raise _unfit(name, found, "whole numbers", axes)
    if found.min() < 0:
        raise RequestError(
            f"{given(name)}: wanted numbers from 0 on, got {found.min()}"
        )
    return found


def _unfit(name: str, found: np.ndarray, wanted: str, axes: str) -> RequestError:
    hint = "; logits [snapshot, member, example, class] have an argument of their own"
    floats = found.dtype.kind == "f" and "logits" not in name
    return RequestError(
        f"{given(name)}: wanted {wanted} [{axes.replace(' ', ', ')}], none of them "
        f"empty, got {found.dtype} {list(found.shape)}{hint * floats}"
    )


def _check_length(name: str, values: np.ndarray, wanted: int, axis: str) -> None:
    if len(values) != wanted:
        raise RequestError(
            f"{given(name)}: wanted one for each {axis}, {wanted}, got {len(values)}"
        )


def _shape(splits: Mapping[str, Imported]) -> tuple[int, int]:
    """Return the snapshots and members, which all splits must have in common."""
    shapes = {split: each.prediction.shape[:2] for split, each in splits.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{split} {list(shape)}" for split, shape in shapes.items())
        raise RequestError(
            f"{given('prediction')}: wanted the same snapshots and members in both "
            f"splits, got {told}"
        )
    return next(iter(shapes.values()))


def _moments(shape: tuple[int, int], step: Any, epoch: Any, seed: Any) -> _Moments:
    snapshots, members = shape
    steps = np.arange(1, snapshots + 1)
    unit = "snapshot" if step is None and epoch is None else "step"
    if step is not None:
        steps = _whole("step", step, "snapshot")
    epochs = steps.astype(float)
    if epoch is not None:
        epochs, unit = np.asarray(epoch), "epoch"
    seeds = np.arange(members) if seed is None else _whole("seed", seed, "member")
    for name, found in (("step", steps), ("epoch", epochs)):
        _check_length(name, found, snapshots, "snapshot")
        _check_rising(name, found)
    _check_length("seed", seeds, members, "member")
    return _Moments(steps, epochs.astype(float), seeds.astype(np.uint64), unit)


def _check_rising(name: str, found: np.ndarray) -> None:
    numbers = found.ndim == 1 and found.dtype.kind in "iuf"
    if not (numbers and np.isfinite(found).all() and found[0] >= 0):
        raise RequestError(f"{given(name)}: wanted finite numbers from 0 on")
    if (np.diff(found) <= 0).any():
        raise RequestError(f"{given(name)}: wanted each above the one before it")


def _class_names(
    splits: Mapping[str, Imported], given_names: Iterable[str] | None
) -> list[str]:
    least = max(each.classes for each in splits.values())
    if least > MOST_CLASSES:
        raise RequestError(
            f"{given('prediction')}: wanted classes below {MOST_CLASSES}, got "
            f"{least - 1}"
        )
    if given_names is None:
        return [str(number) for number in range(least)]
    names = [str(name) for name in given_names]
    if len(names) < least:
        raise RequestError(
            f"{given('class_names')}: {len(names)} names, but classes up to "
            f"{least - 1} are labels or predictions"
        )
    return names


# ---- writing


def _document(
    config: RunConfig,
    splits: Mapping[str, Imported],
    moments: _Moments,
    names: list[str],
) -> RunDocument:
    sizes = {split: len(each.label) for split, each in splits.items()}
    return RunDocument(
        config=config,
        kind=KIND,
        steps=moments.step.tolist(),
        steps_per_epoch=1,
        data=DataDescription(
            name=config.data,
            digest=_digest(splits),
            train=sizes.get("train", 0),
            test=sizes.get("test", 0),
            classes=len(names),
            class_names=names,
            input_shape=[],
        ),
        plan={},
        members_differ=DIFFER,
        time_axis=f"{moments.unit}s",
        time_unit=moments.unit,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _digest(splits: Mapping[str, Imported]) -> str:
    """Return the sha256 of what tells these examples from others."""
    found = hashlib.sha256()
    for split in sorted(splits):
        for values in (splits[split].example_id, splits[split].label):
            found.update(values.astype("<i8").tobytes())
    return found.hexdigest()


def _write(
    out: Path,
    document: RunDocument,
    splits: Mapping[str, Imported],
    moments: _Moments,
) -> Run:
    members = document.config.members
    block = min(BLOCK, members)
    layout = record.Layout(
        steps=moments.step,
        epochs=moments.epoch,
        seeds=moments.seed,
        splits={
            split: record.RecordedSplit(
                each.label,
                each.example_id,
                member_columns=_known(trained_on=each.trained_on),
            )
            for split, each in splits.items()
        },
        classes=document.data.class_names,
        block=block,
        quantities=RECORDED if _all_have_logits(splits) else (),
        inputs={},
    )
    with new_folder(out) as folder:
        document.write(folder)
        record.create(folder / record.RECORD, layout, _attributes(document))
        (folder / record.COMMITS).mkdir()
        for first in range(0, members, block):
            _write_block(folder, splits, document, first, min(block, members - first))
        record.finish(folder)
    return Run(out)


def _known(**arrays: np.ndarray | None) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if array is not None}


def _all_have_logits(splits: Mapping[str, Imported]) -> bool:
    return all(each.logits is not None for each in splits.values())


def _attributes(document: RunDocument) -> dict[str, object]:
    return {
        "schema": document.schema,
        "model": document.config.key,
        "data": document.data.name,
        "digest": document.data.digest,
        "time_axis": document.time_axis,
        "time_unit": document.time_unit,
    }


def _write_block(
    folder: Path,
    splits: Mapping[str, Imported],
    document: RunDocument,
    first: int,
    members: int,
) -> None:
    writer = record.BlockWriter(folder, first, members)
    own = slice(first, first + members)
    for split, each in splits.items():
        for snapshot, finite in enumerate(each.finite[:, own]):
            values = {"prediction": each.prediction[snapshot, own]}
            if _all_have_logits(splits):
                values |= each.quantities(snapshot, own)
            writer.write(split, snapshot, finite, values)
    steps = document.steps
    writer.commit(record.Commit(first, members, len(steps), steps[-1], 0.0, 0.0))
