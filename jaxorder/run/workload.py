"""What a run will do, worked out and checked before anything is written."""

import platform
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
    module: Any = None,
) -> Workload:
    """Work out what a run will do, and refuse what cannot be done.

    Args:
        config: What was asked.
        dataset: Loaded as asked.
        devices: Devices there are.
        plan: Plan to keep to, when going on with a run; else one is made.
        measure: Whether to try ways to run, unless the options name one.
        module: The network, where it is a Linen module given as an object.

    Returns:
        The run's workload; nothing is written.

    Raises:
        RequestError: Where model and data do not fit, or memory does not suffice.
    """
    config = config.with_defaults(architecture(config.model).training)
    inputs = Inputs(dataset.input_shape, len(dataset.vocabulary))
    if config.augment and len(inputs.shape) != 3:
        raise RequestError(f"--augment: {dataset.name} holds no images")
    model = build(config.model, inputs, dataset.num_classes, config.precision, module)
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


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter."""
    return {"python": platform.python_version()} | {p: version(p) for p in PACKAGES}


def describe(work: Workload) -> dict[str, Any]:
    """Return the document that a run keeps of itself."""
    dataset, identity = work.dataset, work.recipe.model.identity
    return {
        "schema": SCHEMA,
        "options": to_json(work.config),
        "model_keys": options_text(work.config.model),
        **({"module": dict(identity)} if identity else {}),
        "parameters": parameter_count(work.recipe.model),
        "steps": work.steps,
        "steps_per_epoch": work.recipe.steps_per_epoch,
        "data": {
            "name": dataset.name,
            "digest": dataset.digest,
            "train": len(dataset.train.labels),
            "test": len(dataset.test.labels),
            "classes": dataset.num_classes,
            "class_names": list(dataset.class_names),
            "input_shape": list(dataset.input_shape),
            "facts": dict(dataset.facts),
            "streamed": work.arrangement.streamed,
        },
        "plan": work.plan.to_json(),
        "machine": machine(work),
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def create(path: Path, work: Workload) -> None:
    """Make a run folder: its description and an empty record.

    Raises:
        RequestError: Where the folder exists.
    """
    document = describe(work)
    with new_folder(path) as folder:
        write_json(folder / CONFIG, document)
        attributes = {
            "schema": SCHEMA,
            "model": work.config.model,
            "data": work.dataset.name,
            "digest": work.dataset.digest,
            "versions": document["versions"],
        }
        record.create(folder / record.RECORD, _layout(work), attributes)
        (folder / record.COMMITS).mkdir()


def _layout(work: Workload) -> record.Layout:
    splits = {}
    for name, at in work.recorded.items():
        split = work.dataset.split(name)
        columns = {key: column[at] for key, column in split.columns.items()}
        splits[name] = record.RecordedSplit(split.labels[at], split.ids[at], columns)
    steps = np.array(work.steps)
    return record.Layout(
        steps=steps,
        epochs=steps / work.recipe.steps_per_epoch,
        seeds=seeds(work.config),
        splits=splits,
        classes=work.dataset.class_names,
        block=work.plan.block,
        quantities=work.config.record,
        inputs=_input_arrays(work.dataset),
    )


def _input_arrays(dataset: Dataset) -> dict[str, record.Named]:
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


def reopen(
    run: Run, dataset: Dataset, devices: Devices, module: Any = None
) -> Workload:
    """Return the workload of a run that was begun, under the plan it was begun with.

    Args:
        run: The run.
        dataset: Its data.
        devices: Devices there are.
        module: Its network, where that was given as an object.

    Raises:
        RequestError: Where the data or a network of the user's own are others than it
            was begun with.
    """
    digest = run.document["data"]["digest"]
    if dataset.digest != digest:
        raise RequestError(
            f"--data {dataset.name}: not the data that {run.path} was begun with "
            f"(digest {dataset.digest[:12]} instead of {digest[:12]}); restore those"
        )
    plan = Plan.from_json(run.document["plan"])
    work = prepare(run.config, dataset, devices, plan, module=module)
    _check_module(run, work)
    return work


def _check_module(run: Run, work: Workload) -> None:
    """Refuse a network of the user's own that is not the one a run was begun with."""
    then, now = run.document.get("module"), work.recipe.model.identity
    if then is None or now is None:
        return
    # other versions trace the same network to other operations
    same_versions = run.document["versions"] == versions()
    for key in ("digest", *(["program"] if same_versions else [])):
        if then[key] != now[key]:
            raise RequestError(
                f"--models {run.name}: not the module that {run.path} was begun with "
                f"({key} {now[key][:12]} instead of {then[key][:12]}); restore that"
            )
