"""What a run will do, worked out and checked before anything is written."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxorder import record
from jaxorder.config import SCHEMA, RunConfig, snapshot_steps, to_json
from jaxorder.data import Dataset, stratified
from jaxorder.data.standardize import standardization
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import (
    RANDOM,
    Devices,
    cores,
    device_kind,
    matmul_precision,
)
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.member import Examples, Recipe
from jaxorder.ensemble.optimizer import optimizer
from jaxorder.ensemble.plan import Plan
from jaxorder.ensemble.planner import Job, Measure, choose, state_bytes
from jaxorder.ensemble.streams import seeds
from jaxorder.errors import RequestError
from jaxorder.files import new_folder, write_json
from jaxorder.models import Inputs, architecture, build, options_text, parameter_count
from jaxorder.run.arrange import Arrangement, arrange
from jaxorder.run.folder import CONFIG, Run

PACKAGES = ("jaxorder", "jax", "flax", "optax", "orbax-checkpoint", "numpy", "zarr")
SPLITS = ("train", "test")
TIME = ("time_axis", "time_unit", "time_note")  # where it is not counted in epochs


@dataclass(frozen=True)
class Workload:
    """A run, ready to be begun or gone on with.

    Attributes:
        config: Options, every default filled in.
        dataset: Training and test examples.
        recipe: How one member is trained.
        plan: How members are mapped.
        devices: Devices there are.
        recorded: Positions of the recorded examples within each split.
        arrangement: How the data lie on the devices.
    """

    config: RunConfig
    dataset: Dataset
    recipe: Recipe
    plan: Plan
    devices: Devices
    recorded: dict[str, Int[np.ndarray, "_"]]
    arrangement: Arrangement

    @cached_property
    def steps(self) -> list[int]:
        """Steps of the snapshots."""
        config, per_epoch = self.config, self.recipe.steps_per_epoch
        return snapshot_steps(config.snapshots, per_epoch, config.epochs)

    @property
    def state_bytes(self) -> int:
        """Bytes of one member's parameters and optimiser state."""
        return state_bytes(self.recipe, self.config)

    @property
    def evaluated(self) -> int:
        """Examples evaluated at a snapshot, of both splits."""
        return sum(len(positions) for positions in self.recorded.values())

    def examples(self) -> Examples:
        """Return the data as they go to the devices, on the host."""
        return self.arrangement.examples(self.plan.evaluate_batch)

    def ensemble(self) -> Ensemble:
        """Return the members' compiled functions, with the data."""
        window = self.arrangement.window(self.recipe.batch_size)
        return Ensemble(
            *(self.recipe, self.config, self.plan, self.examples(), self.devices),
            window=window,
        )


def prepare(
    config: RunConfig,
    dataset: Dataset,
    devices: Devices,
    plan: Plan | None = None,
    measure: Measure = "if long",
) -> Workload:
    """Work out what a run will do, and refuse what cannot be done.

    Args:
        config: What was asked.
        dataset: Loaded as asked.
        devices: Devices there are.
        plan: Plan to keep to, when going on with a run; else one is made.
        measure: Whether to try ways to run, unless the options name one.

    Returns:
        The run's workload; nothing is written.

    Raises:
        RequestError: Where model and data do not fit, or memory does not suffice.
    """
    config = config.with_defaults(architecture(config.model).training)
    if config.resample == "features":
        raise RequestError(
            f"--resample features: {config.model} is a network, which takes all of its "
            "inputs; give --resample bootstrap, which networks accept too"
        )
    inputs = Inputs(dataset.input_shape, len(dataset.vocabulary))
    if config.augment and len(inputs.shape) != 3:
        raise RequestError(f"--augment: {dataset.name} holds no images")
    model = build(config.model, inputs, dataset.num_classes, config.precision)
    examples = len(dataset.train.labels)
    assert config.batch_size is not None
    # a larger batch would only be padding
    batch_size = min(config.batch_size, examples)
    steps = -(-examples // batch_size) * config.epochs
    recipe = Recipe(
        model,
        optimizer(config, steps),
        train_examples=examples,
        batch_size=batch_size,
        prediction=record.prediction_type(dataset.num_classes),
        quantities=config.record,
        augment=config.augment,
    )
    recorded = choose_recorded(dataset, config.record_examples)
    snapshots = snapshot_steps(config.snapshots, recipe.steps_per_epoch, config.epochs)
    arrangement = arrange(dataset, recorded, config, devices)
    job = Job(
        *(recipe, config, devices, arrangement.examples),
        snapshots=len(snapshots),
        window=arrangement.window(batch_size),
    )
    plan = plan or choose(job, measure)
    _check_devices(plan, devices)
    return Workload(config, dataset, recipe, plan, devices, recorded, arrangement)


def choose_recorded(
    dataset: Dataset, bound: int | None
) -> dict[str, Int[np.ndarray, "_"]]:
    """Return the positions of the examples to record of each split.

    Raises:
        RequestError: Where the bound is less than the number of classes.
    """
    splits = {name: dataset.split(name) for name in SPLITS}
    return {
        name: np.arange(len(split.labels))
        if bound is None or bound >= len(split.labels)
        else stratified(split.labels, bound, option="--record-examples")
        for name, split in splits.items()
    }


def _check_devices(plan: Plan, devices: Devices) -> None:
    if plan.devices > len(devices):
        raise RequestError(
            f"the run was planned for {plan.devices} devices, here are {len(devices)}; "
            "go on where there are as many, or in a process that has not used JAX yet"
        )


def record_bytes(work: Workload) -> int:
    """Return the bytes of the record's predictions before compression."""
    each = work.recipe.prediction.itemsize
    for name in work.config.record:
        values = 2 * work.dataset.num_classes if name == "probability" else 4
        snapshots = 1 if name in member.LAST_ONLY else len(work.steps)
        each += values * snapshots // len(work.steps)
    return len(work.steps) * work.config.members * work.evaluated * each


def machine(work: Workload) -> dict[str, Any]:
    """Return what the bits of a run depend on beside its options and versions."""
    device = work.devices[0]
    return {
        "device": device.platform,
        "device_kind": device_kind(device),
        "cores": cores(),
        "matmul_precision": matmul_precision(work.config.precision),
        "random": f"{RANDOM}, partitionable",
    }


def versions(more: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions of Python and of the packages that matter, and of more."""
    found = {package: version(package) for package in (*PACKAGES, *more)}
    return {"python": platform.python_version()} | found


def describe(work: Workload) -> dict[str, Any]:
    """Return the document that a run keeps of itself."""
    dataset = work.dataset
    return {
        "schema": SCHEMA,
        "options": to_json(work.config),
        "model_keys": options_text(work.config.model),
        "parameters": parameter_count(work.recipe.model),
        "steps": work.steps,
        "steps_per_epoch": work.recipe.steps_per_epoch,
        "data": describe_data(dataset) | {"streamed": work.arrangement.streamed},
        "plan": work.plan.to_json(),
        "machine": machine(work),
        "versions": versions(),
    }


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """Return what a run notes of its data."""
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "train": len(dataset.train.labels),
        "test": len(dataset.test.labels),
        "classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "input_shape": list(dataset.input_shape),
        "facts": dict(dataset.facts),
    }


def create(path: Path, work: Workload) -> None:
    """Make a run folder: its description and an empty record.

    Raises:
        RequestError: Where the folder exists.
    """
    write_run(path, describe(work), _layout(work))


def write_run(path: Path, document: dict[str, Any], layout: record.Layout) -> None:
    """Make a run folder of a description and the layout of a record.

    Raises:
        RequestError: Where the folder exists.
    """
    created = datetime.now(UTC).isoformat(timespec="seconds")
    attributes = {
        "schema": SCHEMA,
        "model": document["options"]["model"],
        "data": document["data"]["name"],
        "digest": document["data"]["digest"],
        "versions": document["versions"],
        **{key: value for key, value in document.items() if key in TIME},
    }
    with new_folder(path) as folder:
        write_json(folder / CONFIG, {**document, "created": created})
        record.create(folder / record.RECORD, layout, attributes)
        (folder / record.COMMITS).mkdir()


def _layout(work: Workload) -> record.Layout:
    steps = np.array(work.steps)
    return record.Layout(
        steps=steps,
        epochs=steps / work.recipe.steps_per_epoch,
        seeds=seeds(work.config),
        splits=recorded_splits(work.dataset, work.recorded),
        classes=work.dataset.class_names,
        block=work.plan.block,
        quantities=work.config.record,
        inputs=input_arrays(work.dataset),
    )


def recorded_splits(
    dataset: Dataset, recorded: dict[str, Int[np.ndarray, "_"]]
) -> dict[str, record.RecordedSplit]:
    """Return what is known of the recorded examples of each split."""
    splits = {}
    for name, at in recorded.items():
        split = dataset.split(name)
        columns = {key: column[at] for key, column in split.columns.items()}
        splits[name] = record.RecordedSplit(split.labels[at], split.ids[at], columns)
    return splits


def input_arrays(dataset: Dataset) -> dict[str, record.Named]:
    """Return what other inputs must go through to be as the members saw these."""
    standard = standardization(dataset.train.inputs, dataset.scaling)
    found = {
        "input_mean": record.Named(standard.mean, ("input_axis",)),
        "input_deviation": record.Named(standard.deviation, ("input_axis",)),
    }
    if dataset.projection is not None:
        raw, projection = "raw_feature", dataset.projection
        components = record.Named(projection.components, ("component", raw))
        found["pca_components"] = components
        found["pca_mean"] = record.Named(projection.mean, (raw,))
    return found


def reopen(run: Run, dataset: Dataset, devices: Devices) -> Workload:
    """Return the workload of a run that was begun, under the plan it was begun with.

    Raises:
        RequestError: Where the data are others than it was begun with.
    """
    check_data(run, dataset)
    return prepare(run.config, dataset, devices, Plan.from_json(run.document["plan"]))


def check_data(run: Run, dataset: Dataset) -> None:
    """Refuse other data than a run was begun with.

    Raises:
        RequestError: Where they are others.
    """
    digest = run.document["data"]["digest"]
    if dataset.digest != digest:
        raise RequestError(
            f"--data {dataset.name}: not the data that {run.path} was begun with "
            f"(digest {dataset.digest[:12]} instead of {digest[:12]}); restore those"
        )
