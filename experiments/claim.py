"""What the claims' scripts share: runs of the atlas, what they learned, and results.

A script measures the cells of its claim on one data set. This writes them, with what
was run and for how long, as JSON from which `experiments.results` makes verdicts and
figures, so that nothing depends on records that are gone.
"""

import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from cyclopts import App
from sklearn.feature_extraction.text import TfidfTransformer

from experiments import atlas
from experiments.verdicts import Cell, criteria
from jaxorder.analysis.difficulty import distance_ratio, neighbour_consistency
from jaxorder.analysis.matching import Reached, reached, rise_weights
from jaxorder.analysis.measures import epoch_weights, member_accessibility
from jaxorder.data import Dataset, Split
from jaxorder.plain import plain
from jaxorder.run.folder import Run, labels_of

RESULTS = Path(__file__).with_name("results")
NEIGHBOURS = (1, 5, 20)


@dataclass(frozen=True)
class Learned:
    """What the members of an ensemble were right on, at every snapshot.

    Attributes:
        run: The ensemble.
        split: Of which examples.
        on: Split whose accuracy matches ensembles.
    """

    run: Run
    split: str
    on: str = "test"

    @cached_property
    def correct(self) -> np.ndarray:
        """What is correct: [snapshot, member, example]."""
        return self.run.correct(self.split).values

    @cached_property
    def accuracy(self) -> np.ndarray:
        """Mean accuracy by which ensembles are matched: [snapshot]."""
        return self.run.correct(self.on).mean(("member", "example")).values

    @cached_property
    def label(self) -> np.ndarray:
        """The class of each example."""
        return labels_of(self.run.usable(self.split))

    @property
    def members(self) -> int:
        """Finite members."""
        return self.correct.shape[1]

    def reached(self, point: float) -> Reached | None:
        """Where the accuracy is first reached."""
        return reached(self.accuracy, point)

    def around(self, point: float) -> np.ndarray:
        """Return what is correct at the snapshots about a point: enough to fit there.

        Two on each side, so that other members reach the point between these, too.
        """
        moment = reached(self.correct.mean(axis=(1, 2)), point)
        if moment is None:
            return self.correct
        return self.correct[max(moment.before - 2, 0) : moment.after + 3]

    def wrong(self, point: float) -> float:
        """Wrong examples of a member at a point, in the mean; NaN where not reached."""
        moment = self.reached(point)
        if moment is None:
            return float("nan")
        return moment.between(lambda t: float((~self.correct[t]).sum(axis=1).mean()))

    def scores(self, point: float, by: str = "rise") -> np.ndarray:
        """Each member's accessibility of each example up to a point.

        Args:
            point: Accuracy up to which snapshots count.
            by: Weights by the rise of accuracy, or by "epochs".
        """
        weights = rise_weights(self.accuracy, point)
        if by == "epochs":
            last = int(np.flatnonzero(weights)[-1])
            epoch = self.run.usable(self.split)["epoch"].values[: last + 1]
            weights = np.append(epoch_weights(epoch), np.zeros(len(weights) - last - 1))
        return np.asarray(member_accessibility(self.correct, weights))


@dataclass
class Study:
    """One data set at one scale, and the ensembles of it that a claim has asked for.

    Attributes:
        data: Its name in the atlas.
        scale: How much is trained.
        root: Folder of all data.
        records: Folder of all ensembles.
        used: The ensembles asked for, by name.
    """

    data: str
    scale: atlas.Scale
    root: Path | None
    records: Path
    used: dict[str, Run] = field(default_factory=dict)
    _difficulty: dict[str, np.ndarray] = field(default_factory=dict)

    def run(self, name: str) -> Run:
        """Return an ensemble, trained now if it has not been."""
        if name not in self.used:
            config = atlas.config(self.data, name, self.scale, self.root)
            self.used[name] = atlas.trained(config, self.records / self.data)
        return self.used[name]

    def known(self, names: Iterable[str]) -> list[str]:
        """Return those that are ensembles of this data set."""
        return [name for name in names if name in atlas.ensembles(self.data)]

    def learned(self, name: str, split: str, on: str = "test") -> Learned:
        """Return what an ensemble learned."""
        return Learned(self.run(name), split, on)

    @cached_property
    def dataset(self) -> Dataset:
        """The data themselves."""
        name = next(iter(atlas.ensembles(self.data)))
        return atlas.config(self.data, name, self.scale, self.root).load()

    def difficulty(self, learned: Learned) -> np.ndarray:
        """Return what is known of recorded examples without a network.

        The share of the nearest training examples that have the label, how much nearer
        the class's mean is than another, and the class; of texts by tf-idf.
        """
        key = learned.split
        if key not in self._difficulty:
            ids = learned.run.usable(key)["example_id"].values
            split = getattr(self.dataset, key)
            self._difficulty[key] = _difficulty(self.dataset, split, ids)
        return self._difficulty[key]


def _difficulty(dataset: Dataset, split: Split, ids: np.ndarray) -> np.ndarray:
    train = dataset.train
    points, others = _points(dataset, split), _points(dataset, train)
    given = {"among": others, "among_label": train.labels}
    # a training example is not its own neighbour
    near = {} if split is train else given
    known = [
        *(
            neighbour_consistency(points, split.labels, neighbours=k, **near)
            for k in NEIGHBOURS
        ),
        distance_ratio(points, split.labels, **given),
        split.labels,
    ]
    order = np.argsort(split.ids)
    return np.stack(known, axis=1)[order[np.searchsorted(split.ids, ids, sorter=order)]]


def _points(dataset: Dataset, split: Split) -> np.ndarray:
    """Return images as vectors, and texts by how often they hold each word."""
    if not split.tokens:
        return split.inputs.reshape(len(split.inputs), -1).astype(np.float32)
    known = len(dataset.vocabulary)
    counts = np.stack([np.bincount(row, minlength=known) for row in split.inputs])
    return np.asarray(TfidfTransformer().fit_transform(counts).todense(), np.float32)


Measure = Callable[[Study, dict[str, Any], dict[str, Any]], Iterable[Cell]]


def claim(name: str, about: str | None, measure: Measure) -> App:
    """Make the command of a claim.

    Args:
        name: Of the claim, in the criteria.
        about: What help says.
        measure: Gives the cells of one data set; told the study, the claim's criteria
            and the rules of all.
    """
    app = App(name, help=about, help_format="plaintext", result_action="return_value")

    @app.default
    def main(
        *,
        data: atlas.Data,
        records: Path,
        data_root: Path | None = None,
        scale: atlas.Scale = "cpu",
        results: Path = RESULTS,
    ) -> None:
        """Train what is missing, measure, and write what was found."""
        known = criteria()
        study = Study(data, scale, data_root, records)
        found = list(measure(study, known[name], known["rules"]))
        if not found:
            sys.exit(f"{name}: asks for no ensemble of {data}; see criteria.toml")
        for cell in found:
            reasons = f" ({'; '.join(cell.reasons)})" if cell.reasons else ""
            print(f"{name} {data} {cell.of}: {cell.primary.text(3)}{reasons}")
        document = {
            "claim": name,
            "data": data,
            "scale": scale,
            "cells": [plain(asdict(cell)) for cell in found],
            "runs": {key: _told(run) for key, run in study.used.items()},
            **_made(),
        }
        file = results / scale / f"{name}-{data}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(f"written: {file}")

    return app


def point_of(ensembles: Sequence[Learned], points: Sequence[float]) -> float | None:
    """Return the first point that all ensembles reach; None where there is none."""
    for point in points:
        if all(each.reached(point) is not None for each in ensembles):
            return point
    return None


def barred(
    ensembles: Sequence[Learned], point: float | None, rules: dict[str, Any]
) -> list[str]:
    """Tell why ensembles are too small, or not accurate enough, to decide anything."""
    if point is None:
        return [f"an ensemble does not reach accuracy {min(rules['points'])}"]
    reasons = []
    for each in ensembles:
        if each.members < rules["members"]:
            reasons.append(f"{each.run.name} has {each.members} finite members")
        if each.wrong(point) < rules["wrong_examples"]:
            reasons.append(
                f"{each.run.name} is wrong on {each.wrong(point):.0f} examples"
            )
    return reasons


def _told(run: Run) -> dict[str, Any]:
    return {
        "model": run.config.model,
        "members": run.progress.finite,
        "epochs": run.config.epochs,
        "snapshots": run.progress.snapshots,
        "train_examples": run.document.data.train,
        "seed": run.config.seed,
        "test_accuracy": float(run.correct("test")[-1].mean()),
        "seconds": atlas.spent(run),
    }


def _made() -> dict[str, str]:
    """Tell from which commit, when and on what machine."""
    git = ["git", "-C", str(RESULTS.parent), "rev-parse", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout
    return {
        "commit": commit.strip(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }
