"""What tests of ensembles share: planned works, and members trained a little."""

from typing import Any

from jaxorder.config import RunConfig
from jaxorder.data import Dataset
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.devices import Devices, spread_over_cores
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.plan import Lowering, Plan
from jaxorder.run.networks import NetworkWork, prepare

DEVICES = spread_over_cores(2)


def network_work(
    config: RunConfig,
    dataset: Dataset,
    lowering: Lowering,
    *,
    devices: Devices = DEVICES,
    batch: int = 32,
    **given: Any,
) -> NetworkWork:
    """Return a run's work, planned to map members in a way.

    Args:
        config: What is asked.
        dataset: Its data.
        lowering: How members are mapped.
        devices: Devices there are.
        batch: Examples evaluated at a time.
        **given: What `prepare` takes besides.
    """
    count = min(len(devices), config.members)
    plan = Plan(lowering, lowering, count, config.members, batch, "a test")
    laid_out = LaidOut(dataset, config.record_examples)
    return prepare(config, laid_out, devices, plan=plan, **given)


def begun(work: NetworkWork, first: int = 0, members: int | None = None) -> Ensemble:
    """Return the compiled functions of a block of a work's members."""
    made = work.ensemble()
    made.begin(first, members or work.config.members)
    return made


def trained(made: Ensemble, steps: int = 4, order: Any = None) -> Any:
    """Return members after some steps of the first epoch, on the host."""
    order = made.order(0) if order is None else order
    state, _ = made.train_segment(made.init(), order, 0, steps)
    return made.to_host(state)


def trained_epochs(made: Ensemble, epochs: int = 2) -> Any:
    """Return members after some epochs, on the host."""
    state = made.init()
    for epoch in range(epochs):
        start = epoch * made.held_steps
        state, _ = made.train_segment(state, made.order(epoch), start, made.held_steps)
    return made.to_host(state)
