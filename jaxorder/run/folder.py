"""A run on disk, read without JAX."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from jaxorder import record
from jaxorder.config import RunConfig
from jaxorder.errors import RequestError, given
from jaxorder.notebook import html_table
from jaxorder.run.document import CONFIG, read_document

Labels = Literal["label", "original"]
SPLITS = ("test", "train")
EVALUATION = "evaluation"  # attribute of a group: what kept members were asked


@dataclass(frozen=True)
class FurtherData:
    """Data beside those of the training that a run has a record of.

    Attributes:
        name: Of the group of the record.
        source: Where they come from.
        examples: How many are recorded.
        snapshots: Snapshots at which members predicted them.
        members: Members that did.
        planned: Members of the run.
        probe: Whether that was while they were trained; else it was as they were kept.
        labelled: Whether it is known what is right.
    """

    name: str
    source: str
    examples: int
    snapshots: int
    members: int
    planned: int
    probe: bool
    labelled: bool

    def __str__(self) -> str:
        how = "while training" if self.probe else "from what was kept"
        unlabelled = "" if self.labelled else ", without labels"
        return (
            f"{self.examples} examples of {self.source}{unlabelled}, {how}: "
            f"{self.snapshots} snapshots, {self.members} of {self.planned} members"
        )

    @property
    def missing(self) -> str:
        """Say which members did not predict them, if any."""
        if self.members >= self.planned:
            return ""
        return (
            f"{self.name}: members {self.members} to {self.planned - 1} are missing; "
            "evaluate it again, by the same request"
        )


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        snapshots: Snapshots that the foremost members have on disk.
        total: Snapshots planned.
        members: Members that have come that far.
        planned: Members planned.
        finite: Of those, the members that are still finite.
        train_seconds: Time spent in training steps.
        evaluate_seconds: Time spent in evaluation and recording.
    """

    snapshots: int
    total: int
    members: int
    planned: int
    finite: int
    train_seconds: float
    evaluate_seconds: float

    @property
    def finished(self) -> bool:
        """Whether every snapshot of every member is on disk."""
        return (self.snapshots, self.members) == (self.total, self.planned)


class Run:
    """A run on disk: what was asked, what was recorded, what was kept.

    Args:
        path: Folder of the run.
        labels: What counts as right where labels were changed: the `label` that the
            members were trained towards, or the `original` one.

    Raises:
        RequestError: Where the folder is not a run, or its description is damaged.
    """

    def __init__(self, path: Path | str, labels: Labels = "label") -> None:
        self.path = Path(path)
        self.labels = labels
        if not is_run(self.path):
            raise RequestError(f"{path}: not a run; a run holds {CONFIG}")
        self.document = read_document(self.path)

    @property
    def config(self) -> RunConfig:
        """What was asked, every default filled in."""
        return self.document.config

    @property
    def name(self) -> str:
        """What the run is called within its study: its model, unless it was named."""
        return self.config.key

    @property
    def steps(self) -> list[int]:
        """Steps of the snapshots, planned ones included."""
        return self.document.steps

    @property
    def kind(self) -> str:
        """What members are: `network`, another `learner`, or `imported` predictions."""
        return self.document.kind

    @property
    def time_axis(self) -> str:
        """What the record's `epoch` counts: epochs, boosting rounds, trees, ..."""
        return self.document.time_axis

    @property
    def time_unit(self) -> str:
        """What one moment of it is called, before its number."""
        return self.document.time_unit

    @property
    def splits(self) -> list[str]:
        """What is recorded: of `test` and `train`, and then of further data by name."""
        found = record.groups(self.path)
        further = [name for name in found if name not in SPLITS]
        return [name for name in SPLITS if name in found] + further

    def against(self, labels: Labels) -> "Run":
        """Return the run with other labels counting as right.

        Args:
            labels: `label`, what the members were trained towards; or `original`,
                which differs where label noise or shuffling changed it.
        """
        return Run(self.path, labels)

    def record(self, split: str) -> xr.Dataset:
        """Return what is recorded of a split, lazily.

        Args:
            split: `train`, `test`, or the name of further data.

        Returns:
            `prediction` [snapshot, member, example], `label` [example] and more, as
            docs/architecture.md lists; the committed snapshots only. Against original
            labels `label` is these, and `trained_label` what was trained towards.

        Raises:
            RequestError: Where there is no such split.
        """
        if split not in self.splits:
            there = ", ".join(self.splits)
            raise RequestError(f"{given('split', split)}: {self.path} holds {there}")
        dataset = record.read(self.path, split)
        if self.labels == "original" and "original_label" in dataset:
            trained = {"label": "trained_label", "original_label": "label"}
            return dataset.rename(trained)
        return dataset

    def correct(self, split: str) -> xr.DataArray:
        """Return whether each member was right.

        Only members that have come to the last committed snapshot, and were finite
        there, are returned: a diverged member would count as wrong everywhere.

        Args:
            split: `train`, `test`, or the name of further data.

        Returns:
            bool [snapshot, member, example] with the record's coordinates.

        Raises:
            RequestError: Where there is no such split, or it has no labels.
        """
        dataset = self.usable(split)
        labels_of(dataset)
        return (dataset.prediction == dataset.label).rename("correct")

    def usable(self, split: str) -> xr.Dataset:
        """Return the record of the members that are finite at the last snapshot."""
        dataset = self.record(split)
        if not dataset.sizes["snapshot"]:
            return dataset.isel(member=slice(0, 0))
        finite = np.asarray(dataset.finite[-1])
        # to choose members makes each read of a record four times as long
        return dataset if finite.all() else dataset.isel(member=np.flatnonzero(finite))

    @cached_property
    def progress(self) -> Progress:
        """How far the run is, as of the first time asked."""
        blocks = record.commits(self.path)
        most = max((commit.snapshots for commit in blocks), default=0)
        foremost = [commit for commit in blocks if commit.snapshots == most]
        # while room for more members is made, the record cannot be read
        room = self.document.has_room
        return Progress(
            snapshots=most,
            total=len(self.steps),
            members=sum(commit.members for commit in foremost) if most else 0,
            planned=self.config.members,
            finite=self.usable(self.splits[0]).sizes["member"] if most and room else 0,
            train_seconds=sum(commit.train_seconds for commit in blocks),
            evaluate_seconds=sum(commit.evaluate_seconds for commit in blocks),
        )

    @property
    def further(self) -> list[FurtherData]:
        """Data beside those of the training that there is a record of."""
        return [self._further(name) for name in self.splits if name not in SPLITS]

    def _further(self, name: str) -> FurtherData:
        dataset = self.record(name)
        probe = name in self.document.probes
        return FurtherData(
            name=name,
            source=str(dataset.attrs["data"]),
            examples=dataset.sizes["example"],
            snapshots=dataset.sizes["snapshot"],
            members=self.progress.members if probe else dataset.sizes["member"],
            planned=self.config.members,
            probe=probe,
            labelled="label" in dataset,
        )

    def restore(self, step: int, statistics: bool = False) -> Any:
        """Return the parameters of every member at a kept step.

        Args:
            step: A step of which a checkpoint was kept.
            statistics: Whether to return the running statistics of batch normalisation
                too, without which such a network cannot predict.

        Returns:
            The network's parameters, each with a leading member axis, on this
            process's default device, whatever devices wrote them; with `statistics`
            the pair of parameters and statistics, these empty where there are none.

        Raises:
            RequestError: Where no checkpoint of that step was kept.
        """
        # reading a record needs no JAX; only this does
        from jaxorder.checkpoint import restore_networks, restore_parameters

        restored = restore_networks if statistics else restore_parameters
        return restored(self.path, step)

    def logits(
        self, inputs: Any, step: int | None = None, *, model: Any = None
    ) -> np.ndarray:
        """Return the logits of every member, as it was kept, for inputs of one's own.

        Args:
            inputs: [example *input], as `run.config.load()` has them, before they are
                standardised.
            step: A step of which a checkpoint was kept; None: the last.
            model: The network, where the run's was given as an object.

        Returns:
            float32 [member, example, class]; of members that diverged not finite.

        Raises:
            RequestError: Where no such checkpoint was kept, or the inputs do not fit.
        """
        # as for restore
        from jaxorder.run.prediction import logits

        return logits(self, inputs, step, model=model)

    def predict(
        self, inputs: Any, step: int | None = None, *, model: Any = None
    ) -> np.ndarray:
        """Return the classes that every member predicts for inputs of one's own.

        For what it takes and raises see `logits`, whose largest is predicted.

        Returns:
            Whole numbers [member, example].
        """
        return self.logits(inputs, step, model=model).argmax(axis=-1)

    def evaluate(
        self,
        data: Any,
        split: str = "test",
        *,
        name: str,
        steps: str | Sequence[int] = "kept",
        classes_by: Literal["name", "index", "none"] = "name",
        record_examples: int | None = None,
        data_dir: Path | str | None = None,
        resize: int | None = None,
        model: Any = None,
        progress: bool | None = None,
    ) -> xr.Dataset:
        """Let kept members predict further data, into a group of the record.

        Asked for the same again, it goes on where it was interrupted, or with members
        that the run was grown by.

        Args:
            data: A source, a `Dataset` or a `Split`, of the run's shape of inputs.
            split: `train` or `test`: which examples of it.
            name: What the group is called; every measure takes it as `split`.
            steps: `kept`, all steps of which a checkpoint was kept; the `last` of
                them; or some.
            classes_by: Whether a class is the members' of the same `name`, or of the
                same number, `index`; or `none`: predictions without labels. The
                classes of a `Split` have no names but their numbers.
            record_examples: At most this many, a fixed stratified choice; None: all.
            data_dir: Folder of prepared TFDS data sets; None: the run's.
            resize: Pixels to bring images' sides to; None: the run's.
            model: The network, where the run's was given as an object.
            progress: Whether to show the progress; None shows it in a terminal and in
                a notebook.

        Returns:
            The group, as `record` returns it.

        Raises:
            RequestError: Where the run is not finished or nothing was kept, the data
                do not fit, or the name is of another request.
            Interrupted: Where a signal stopped it.
        """
        # as for restore
        from jaxorder.progress import chosen
        from jaxorder.run.evaluation import evaluate

        with chosen(progress) as watch:
            return evaluate(
                self,
                data,
                split,
                name=name,
                steps=steps,
                classes_by=classes_by,
                record_examples=record_examples,
                data_dir=data_dir,
                resize=resize,
                model=model,
                watch=watch,
            )

    def gradient_norm(
        self, split: str, step: int | None = None, *, model: Any = None
    ) -> np.ndarray:
        """Return the length of each recorded example's gradient (GraNd).

        Of the cross-entropy, for the weights of the last layer alone, of members as
        they were kept (Paul et al. 2021, who take all weights).

        Args:
            split: `train` or `test`.
            step: A step of which a checkpoint was kept; None: the last.
            model: The Linen module, where the run's was given as an object.

        Returns:
            float64 [member, example], in the order of the record.

        Raises:
            RequestError: Where no such checkpoint was kept, the data cannot be loaded,
                or the network does not end with a dense layer.
        """
        # as for restore
        from jaxorder.run.gradients import gradient_norm

        return gradient_norm(self, split, step, model=model)

    def kept_steps(self) -> list[int]:
        """Return the steps of which a checkpoint was kept, rising."""
        # as for restore
        from jaxorder.checkpoint import kept_steps

        return kept_steps(self.path)

    def _facts(self) -> dict[str, str]:
        """Return what one wants to know of a run at first sight."""
        progress = self.progress
        facts = {
            "data": self.config.data,
            "members": f"{progress.members} of {progress.planned}",
            "snapshots": f"{progress.snapshots} of {progress.total}",
        }
        first = [name for name in ("train", "test") if name in self.splits]
        for split in dict.fromkeys([*first, *self.splits]) if progress.finite else ():
            last = self.usable(split).isel(snapshot=-1)
            if "label" not in last:
                continue
            accuracy = float((last.prediction == last.label).mean())
            facts[f"{split} accuracy"] = f"{accuracy:.3f}"
        return facts

    def __repr__(self) -> str:
        facts = ", ".join(f"{name} {fact}" for name, fact in self._facts().items())
        return f"<Run {self.name} in {self.path}: {facts}>"

    def _repr_html_(self) -> str:
        """Return what notebooks show of a run."""
        facts = {"model": self.name, **self._facts(), "folder": str(self.path)}
        return html_table("Run", list(facts.items()))


def is_run(path: Path) -> bool:
    """Whether a folder is a run."""
    return (path / CONFIG).is_file()


def labels_of(dataset: xr.Dataset) -> np.ndarray:
    """Return the labels [example] of what is recorded of some examples.

    Raises:
        RequestError: Where they were predicted without labels.
    """
    if "label" not in dataset:
        raise RequestError(
            f"{dataset.attrs['data']}: predicted without labels, so that nothing is "
            "right or wrong; measure `classification_agreement`, or evaluate it again "
            f"with {given('classes_by', 'index')}, under another name"
        )
    return dataset["label"].values
