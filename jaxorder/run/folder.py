"""A run on disk, read without JAX."""

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
        """The splits that are recorded, of `test` and `train`."""
        return [name for name in SPLITS if (self.path / record.RECORD / name).is_dir()]

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
            split: `train` or `test`.

        Returns:
            `prediction` [snapshot, member, example], `label` [example] and more, as
            docs/architecture.md lists; the committed snapshots only. Against original
            labels `label` is these, and `trained_label` what was trained towards.

        Raises:
            RequestError: Where there is no such split.
        """
        if split not in self.splits:
            there = " and ".join(self.splits[::-1])
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
            split: `train` or `test`.

        Returns:
            bool [snapshot, member, example] with the record's coordinates.
        """
        dataset = self.usable(split)
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
            model: The Linen module, where the run's was given as an object.

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

    def _facts(self) -> dict[str, str]:
        """Return what one wants to know of a run at first sight."""
        progress = self.progress
        facts = {
            "data": self.config.data,
            "members": f"{progress.members} of {progress.planned}",
            "snapshots": f"{progress.snapshots} of {progress.total}",
        }
        for split in self.splits[::-1] if progress.finite else ():
            last = self.usable(split).isel(snapshot=-1)
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
