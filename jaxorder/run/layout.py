"""The shape of a run's record, and all of it that is known before the first step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxorder import record
from jaxorder.config import RunConfig, varied
from jaxorder.data import Dataset
from jaxorder.data.standardize import standardization
from jaxorder.ensemble.streams import seeds
from jaxorder.ensemble.subsets import differ, part_of, training_positions
from jaxorder.record import Named
from jaxorder.run.arrange import Vectors

VECTORS = "label_vectors"
Recorded = Mapping[str, Int[np.ndarray, "_"]]


def layout(
    config: RunConfig,
    dataset: Dataset,
    recorded: Recorded,
    steps: Sequence[int],
    steps_per_epoch: int,
    block: int,
    vectors: Vectors | None = None,
) -> record.Layout:
    """Return the layout of the record of a run, of networks or of other learners.

    Args:
        config: Options, every default filled in.
        dataset: Training and test examples.
        recorded: Positions of the recorded examples within each split.
        steps: Steps of the snapshots.
        steps_per_epoch: Steps that the record counts as an epoch.
        block: Members that are written together.
        vectors: Labels of the training examples, over which members cycle.
    """
    differences, own = _of_members(config, dataset, recorded["train"], vectors)
    return record.Layout(
        steps=np.array(steps),
        epochs=np.array(steps) / steps_per_epoch,
        seeds=seeds(config),
        splits=_splits(dataset, recorded, own),
        classes=dataset.class_names,
        block=block,
        quantities=config.record,
        inputs=_input_arrays(dataset, vectors),
        members=differences,
    )


def _splits(
    dataset: Dataset, recorded: Recorded, own: dict[str, np.ndarray]
) -> dict[str, record.RecordedSplit]:
    splits = {}
    for name, at in recorded.items():
        split = dataset.split(name)
        columns = {key: column[at] for key, column in split.columns.items()}
        splits[name] = record.RecordedSplit(
            split.labels[at],
            split.ids[at],
            columns,
            own if name == "train" else {},
        )
    return splits


def _of_members(
    config: RunConfig,
    dataset: Dataset,
    at: Int[np.ndarray, "recorded"],
    vectors: Vectors | None,
) -> tuple[dict[str, Named], dict[str, np.ndarray]]:
    """Return what members differ in beside their seeds: by member, and by example."""
    per_member: dict[str, Any] = {**varied(config, 0, config.members)}
    own: dict[str, np.ndarray] = {}
    if config.disjoint or config.folds:
        name = "fold" if config.folds else "part"
        per_member[name] = part_of(config, 0, config.members)
    if differ(config):
        labels = np.asarray(dataset.train.labels)
        positions = training_positions(config, labels, 0, config.members)
        per_member["train_examples"] = [len(each) for each in positions]
        own["trained_on"] = np.zeros((config.members, len(at)), bool)
        for row, each in zip(own["trained_on"], positions, strict=True):
            row[:] = np.isin(at, each)
    if vectors is not None:
        cycle = np.arange(config.members) % len(vectors)
        own["member_label"] = vectors[cycle][:, at]
    named = {k: Named(np.asarray(v), ("member",)) for k, v in per_member.items()}
    return named, own


def _input_arrays(dataset: Dataset, vectors: Vectors | None) -> dict[str, Named]:
    """Return what other inputs must go through to be as the members saw these.

    And the labels that members were trained towards, of all training examples.
    """
    standard = standardization(dataset.train.inputs, dataset.scaling)
    found = {
        "input_mean": Named(standard.mean, ("input_axis",)),
        "input_deviation": Named(standard.deviation, ("input_axis",)),
    }
    if dataset.projection is not None:
        raw, projection = "raw_feature", dataset.projection
        found["pca_components"] = Named(projection.components, ("component", raw))
        found["pca_mean"] = Named(projection.mean, (raw,))
    if vectors is not None:
        found[VECTORS] = Named(vectors, ("vector", "training_example"))
    return found
