"""The shape of a run's record, and all of it that is known before the first step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxorder import record
from jaxorder.config import RunConfig, values_of_members
from jaxorder.data.laid_out import LaidOut
from jaxorder.members.streams import seeds
from jaxorder.members.subsets import differ, part_of, training_positions
from jaxorder.record import Named

LABEL_VECTORS = "label_vectors"
LabelVectors = Int[np.ndarray, "vector example"]


def layout(
    config: RunConfig,
    data: LaidOut,
    steps: Sequence[int],
    steps_per_epoch: int,
    block: int,
    label_vectors: LabelVectors | None = None,
) -> record.Layout:
    """Return the layout of the record of a run, of networks or of other learners.

    Args:
        config: Options, every default filled in.
        data: Training and test examples.
        steps: Steps of the snapshots.
        steps_per_epoch: Steps that the record counts as an epoch.
        block: Members that are written together.
        label_vectors: Labels of the training examples, over which members cycle.
    """
    differences, own = _of_members(config, data, label_vectors)
    return record.Layout(
        steps=np.array(steps),
        epochs=np.array(steps) / steps_per_epoch,
        seeds=seeds(config),
        splits=_splits(data, own),
        classes=data.dataset.class_names,
        block=block,
        quantities=config.record,
        inputs=_input_arrays(data, label_vectors),
        members=differences,
    )


def _splits(
    data: LaidOut, own: dict[str, np.ndarray]
) -> dict[str, record.RecordedSplit]:
    splits = {}
    for name, at in data.recorded.items():
        split = data.splits[name]
        columns = {key: column[at] for key, column in split.columns.items()}
        splits[name] = record.RecordedSplit(
            split.labels[at] if data.labelled(name) else None,
            split.ids[at],
            columns,
            own if name == "train" else {},
            _origin(data, name),
        )
    return splits


def _origin(data: LaidOut, name: str) -> dict[str, str]:
    """Return what the group of a probe says of its data."""
    probe = data.probes.get(name)
    return {} if probe is None else {"data": probe.source, "digest": probe.digest}


def _of_members(
    config: RunConfig, data: LaidOut, label_vectors: LabelVectors | None
) -> tuple[dict[str, Named], dict[str, np.ndarray]]:
    """Return what members differ in beside their seeds: by member, and by example."""
    varied = values_of_members(config.varied, 0, config.members)
    per_member: dict[str, Any] = {**varied}
    own: dict[str, np.ndarray] = {}
    at = data.recorded["train"]
    if config.parts:
        name = "fold" if config.folds else "part"
        per_member[name] = part_of(config, 0, config.members)
    if differ(config):
        labels = np.asarray(data.dataset.train.labels)
        positions = training_positions(config, labels, 0, config.members)
        per_member["train_examples"] = [len(each) for each in positions]
        own["trained_on"] = np.zeros((config.members, len(at)), bool)
        for row, each in zip(own["trained_on"], positions, strict=True):
            row[:] = np.isin(at, each)
    if label_vectors is not None:
        cycle = np.arange(config.members) % len(label_vectors)
        own["member_label"] = label_vectors[cycle][:, at]
    named = {k: Named(np.asarray(v), ("member",)) for k, v in per_member.items()}
    return named, own


def _input_arrays(
    data: LaidOut, label_vectors: LabelVectors | None
) -> dict[str, Named]:
    """Return what other inputs must go through to be as the members saw these.

    And the labels that members were trained towards, of all training examples.
    """
    found = {
        "input_mean": Named(data.standard.mean, ("input_axis",)),
        "input_deviation": Named(data.standard.deviation, ("input_axis",)),
    }
    if data.dataset.projection is not None:
        raw, projection = "raw_feature", data.dataset.projection
        found["pca_components"] = Named(projection.components, ("component", raw))
        found["pca_mean"] = Named(projection.mean, (raw,))
    if label_vectors is not None:
        dimensions = ("vector", "training_example")
        found[LABEL_VECTORS] = Named(label_vectors, dimensions)
    return found
