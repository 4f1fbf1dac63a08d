"""What a run's folder says of it: written when it begins, checked when it goes on."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from jaxorder import record
from jaxorder.config import SCHEMA, to_json
from jaxorder.data import Dataset
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import (
    RANDOM,
    Devices,
    cores,
    device_kind,
    matmul_precision,
)
from jaxorder.ensemble.plan import Plan
from jaxorder.ensemble.subsets import sizes_differ
from jaxorder.ensemble.traits import drawn_traits
from jaxorder.errors import RequestError, given
from jaxorder.files import new_folder, write_json
from jaxorder.models import options_text, parameter_count
from jaxorder.run.folder import CONFIG, Run
from jaxorder.run.growth import grown_before, with_members
from jaxorder.run.layout import VECTORS, layout
from jaxorder.run.workload import Workload, prepare

PACKAGES = ("jaxorder", "jax", "flax", "optax", "orbax-checkpoint", "numpy", "zarr")
TIME = ("time_axis", "time_unit", "time_note")  # where it is not counted in epochs


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
    dataset, identity = work.dataset, work.recipe.model.identity
    return {
        "schema": SCHEMA,
        "options": to_json(work.config),
        "model_keys": options_text(work.config.model),
        **({"module": dict(identity)} if identity else {}),
        "parameters": parameter_count(work.recipe.model),
        "steps": work.steps,
        "steps_per_epoch": work.recipe.steps_per_epoch,
        "data": describe_data(dataset) | {"streamed": work.arrangement.streamed},
        "plan": work.plan.to_json(),
        "machine": machine(work),
        "versions": versions(),
        "label_vectors": 0 if work.vectors is None else len(work.vectors),
        "grown": list(work.grown),
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
    write_run(path, describe(work), work_layout(work))


def write_run(path: Path, document: dict[str, Any], made: record.Layout) -> None:
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
        record.create(folder / record.RECORD, made, attributes)
        (folder / record.COMMITS).mkdir()


def work_layout(work: Workload) -> record.Layout:
    """Return the shape of the record of a run of networks."""
    made = layout(
        *(work.config, work.dataset, work.recorded, work.steps),
        *(work.recipe.steps_per_epoch, work.plan.block, work.vectors),
    )
    if not sizes_differ(work.config, work.recipe.pool):
        return made
    steps = record.Named(_member_steps(work, made), ("snapshot", "member"))
    return replace(made, members={**made.members, "member_step": steps})


def _member_steps(
    work: Workload, made: record.Layout
) -> Int[np.ndarray, "snapshot member"]:
    """Return the steps of its own that each member has taken at each snapshot."""
    traits = drawn_traits(work.config, 0, work.config.members)
    traits = traits._replace(examples=made.members["train_examples"].values)
    steps = [
        member.own_steps(work.recipe, traits, jnp.int32(step)) for step in work.steps
    ]
    return np.stack([np.asarray(step) for step in steps])


def reopen(
    run: Run,
    dataset: Dataset,
    devices: Devices,
    members: int | None = None,
    module: Any = None,
) -> Workload:
    """Return the workload of a run that was begun, under the plan it was begun with.

    Args:
        run: The run.
        dataset: Loaded as it says.
        devices: Devices there are.
        members: Members to grow it to; None: as many as it has.
        module: Its network, where that was given as an object.

    Raises:
        RequestError: Where the data or a network of the user's own are others than it
            was begun with.
    """
    check_data(run, dataset)
    vectors = run.document.get("label_vectors")
    work = prepare(
        *(with_members(run, members), dataset, devices),
        Plan.from_json(run.document["plan"]),
        vectors=record.read_root(run.path, VECTORS) if vectors else None,
        grown=grown_before(run, members),
        module=module,
    )
    _check_module(run, work)
    return work


def check_data(run: Run, dataset: Dataset) -> None:
    """Refuse other data than a run was begun with.

    Raises:
        RequestError: Where they are others.
    """
    digest = run.document["data"]["digest"]
    if dataset.digest != digest:
        raise RequestError(
            f"{given('data', dataset.name)}: not the data that {run.path} was begun "
            f"with (digest {dataset.digest[:12]} instead of {digest[:12]}); restore "
            "those"
        )


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
                f"{given('model', run.name)}: not the module that {run.path} was begun "
                f"with ({key} {now[key][:12]} instead of {then[key][:12]}); restore "
                "that"
            )
