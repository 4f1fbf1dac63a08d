"""The kinds of members that there are, and the works of runs of them."""

from collections.abc import Mapping
from pathlib import Path

from jaxorder import record
from jaxorder.config import RunConfig
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.devices import Devices
from jaxorder.ensemble.plan import Plan
from jaxorder.errors import RequestError, given
from jaxorder.learners import is_learner
from jaxorder.run import learners, networks
from jaxorder.run.folder import Run
from jaxorder.run.growth import grown_before, with_members
from jaxorder.run.layout import LABEL_VECTORS, LabelVectors
from jaxorder.run.objects import NAMED, Objects
from jaxorder.run.work import Work


def new_work(
    config: RunConfig,
    data: LaidOut,
    devices: Devices,
    label_vectors: LabelVectors | None = None,
    objects: Objects = NAMED,
) -> Work:
    """Work out what a new run will do.

    Args:
        config: What was asked.
        data: Loaded as asked.
        devices: Devices there are.
        label_vectors: Labels of the training examples, over which members cycle.
        objects: What was given as objects.

    Raises:
        RequestError: Where it cannot be done.
    """
    if not is_learner(config.model):
        return networks.prepare(
            config, data, devices, label_vectors=label_vectors, objects=objects
        )
    if label_vectors is not None:
        raise RequestError(
            f"{given('labels')}: only members that are networks have labels of their "
            f"own, not {config.model}"
        )
    return learners.prepare(config, data)


def work_left(
    run: Run,
    data: LaidOut,
    devices: Devices,
    members: int | None = None,
    objects: Objects = NAMED,
) -> Work:
    """Work out what is left of a run, under the plan that it was begun with.

    Args:
        run: The run.
        data: Loaded as it says.
        devices: Devices there are.
        members: Members to grow it to; None: as many as it has.
        objects: What was given as objects.

    Raises:
        RequestError: Where the data, a network or an optimiser of the user's own are
            others than it was begun with.
    """
    _check_data(run, data)
    config = with_members(run, members)
    done = _done(run)
    if is_learner(config.model):
        return learners.prepare(config, data, done)
    work = networks.prepare(
        config,
        data,
        devices,
        label_vectors=_label_vectors(run),
        objects=objects,
        grown=grown_before(run, members),
        plan=Plan.from_json(run.document.plan),
        done=done,
    )
    recipe, document = work.recipe, run.document
    _check_same(run, work, "model", document.module, recipe.model.identity)
    _check_same(run, work, "optimizer", document.optimizer, recipe.optimizer_identity)
    return work


def _done(run: Run) -> int:
    """Return the number of members that are on disk in whole."""
    total = len(run.steps)
    return sum(c.members for c in record.commits(run.path) if c.snapshots == total)


def planned_devices(runs: list[Run]) -> int | None:
    """Return the most devices that runs were planned for, where any is of networks."""
    return max((r.document.plan.get("devices", 0) for r in runs), default=0) or None


def _label_vectors(run: Run) -> LabelVectors | None:
    folder: Path = run.path
    known = run.document.label_vectors
    return record.read_root(folder, LABEL_VECTORS) if known else None


def _check_data(run: Run, data: LaidOut) -> None:
    """Refuse other data than a run was begun with."""
    found, wanted = data.dataset.digest, run.document.data.digest
    if found != wanted:
        raise RequestError(
            f"{given('data', data.dataset.name)}: not the data that {run.path} was "
            f"begun with (digest {found[:12]} instead of {wanted[:12]}); restore those"
        )
    for name, begun in run.document.probes.items():
        probe = data.probes[name]
        if probe.digest != begun.digest:
            raise RequestError(
                f"{given('probe', f'{name}={probe.source}')}: not the data that "
                f"{run.path} was begun with (digest {probe.digest[:12]} instead of "
                f"{begun.digest[:12]}); restore those"
            )


def _check_same(
    run: Run,
    work: networks.NetworkWork,
    part: str,
    then: Mapping[str, str] | None,
    now: Mapping[str, str] | None,
) -> None:
    """Refuse a part of the user's own that is not the one a run was begun with."""
    if then is None or now is None:
        return
    what = {"model": "network"}.get(part, part)
    # other versions trace the same part to other operations
    same_versions = run.document.versions == work.versions
    for key in ("digest", *(["program"] if same_versions else [])):
        if then[key] != now[key]:
            raise RequestError(
                f"{given(part, getattr(run.config, part))}: not the {what} that "
                f"{run.path} was begun with ({key} {now[key][:12]} instead of "
                f"{then[key][:12]}); restore that"
            )
