"""What the members of a run, as they were kept at a step, say of any inputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Shaped

from jaxorder import record
from jaxorder.checkpoint import blocks, kept_steps, restore_block
from jaxorder.data import Projection
from jaxorder.data.further import Known
from jaxorder.data.standardize import Standardization
from jaxorder.data.text import tokenise
from jaxorder.ensemble.devices import Devices, device_kind, spread_over_cores
from jaxorder.ensemble.evaluator import Evaluator
from jaxorder.ensemble.member import Reading
from jaxorder.ensemble.plan import Plan
from jaxorder.ensemble.planner import to_evaluate
from jaxorder.errors import RequestError, given
from jaxorder.models import Inputs, Model, build
from jaxorder.run.folder import Run

Quantities = Mapping[str, Callable[[Any, Any], Any]]


def logits(
    run: Run,
    inputs: Shaped[Any, "example *input"] | Sequence[str],
    step: int | None = None,
    *,
    model: Any = None,
) -> Float[np.ndarray, "member example class"]:
    """Return the logits of every member for inputs of one's own.

    Args:
        run: A run of networks that kept checkpoints.
        inputs: As `run.config.load()` has them, before they are standardised: images
            of the same shape and scale, words by their numbers, or texts; or, of a run
            with principal components, as they were before these.
        step: A step of which a checkpoint was kept; None: the last.
        model: The network, where the run's was given as an object.

    Returns:
        float32, of members in their order; those that diverged have logits that are
        not finite.

    Raises:
        RequestError: Where no such checkpoint was kept, or the inputs do not fit.
    """
    kept = KeptMembers(run, model, {"logits": lambda logits, labels: logits})
    return _evaluated(run, kept, inputs, step)["logits"]


def inspected(
    run: Run,
    inputs: Shaped[Any, "example *input"],
    step: int | None,
    inspect: Callable[..., Mapping[str, Any]],
    *,
    model: Any = None,
) -> dict[str, Shaped[np.ndarray, "member example ..."]]:
    """Return something else of every kept member for inputs of one's own.

    Args:
        run: As for `logits`, and so the inputs, the step and the network.
        inputs: Those.
        step: That.
        inspect: A function of the network, a member's parameters and statistics, and
            standardised inputs; returns arrays [example ...] by name.
        model: The network.

    Returns:
        The arrays, with a leading member axis, by name.

    Raises:
        RequestError: As for `logits`.
    """
    kept = KeptMembers(run, model, {}, inspect)
    return _evaluated(run, kept, inputs, step)


def _evaluated(
    run: Run, kept: "KeptMembers", inputs: Any, step: int | None
) -> dict[str, Shaped[np.ndarray, "member example ..."]]:
    at, shown = kept.step(step), _as_known(run, inputs)
    labels = np.zeros(len(shown), np.int32)
    with jax.enable_x64(False):
        found = [kept.evaluator.predict(shown, labels)[1] for _ in kept.taken_up(at)]
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


class KeptMembers:
    """The members of a run as they were kept, on the devices there are.

    Args:
        run: A run of networks.
        module: The network, where the run's was given as an object.
        quantities: What to return of each example beside the prediction.
        inspect: What else to return, as of `inspected`.

    Raises:
        RequestError: Where nothing was kept, or the members are no networks.
    """

    def __init__(
        self,
        run: Run,
        module: Any,
        quantities: Quantities,
        inspect: Callable[..., Mapping[str, Any]] | None = None,
    ) -> None:
        if run.kind != "network":
            raise RequestError(
                f"{run.path}: only networks are kept, its members are {run.kind}s; "
                "nothing can predict again"
            )
        self._run = run
        self.steps = kept_steps(run.path)
        if not self.steps:
            raise RequestError(f"{run.path}: no checkpoint was kept")
        classes = run.document.data.classes
        network, kind = _network(run, module), record.prediction_type(classes)
        self._reading = Reading(network, kind, quantities, inspect)

    def step(self, asked: int | None, name: str = "step") -> int:
        """Return the step that is asked for, by some name; None: the last kept.

        Raises:
            RequestError: Where no checkpoint of it was kept.
        """
        if asked is None or asked in self.steps:
            return self.steps[-1] if asked is None else asked
        kept = ", ".join(map(str, self.steps))
        raise RequestError(
            f"{given(name, asked)}: {self._run.path} kept checkpoints of {kept}"
        )

    @cached_property
    def evaluator(self) -> Evaluator:
        """The compiled evaluation."""
        run, precision = self._run, self._run.config.precision
        with jax.enable_x64(False):
            arrays = (
                record.read_root(run.path, f"input_{name}")
                for name in ("mean", "deviation")
            )
            standard = Standardization(*arrays)
            return Evaluator(
                self._reading, self._plan, self._devices, precision, standard
            )

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """First member and number of members of each block that is evaluated."""
        return [
            (start, min(self._plan.block, first + members - start))
            for first, members in blocks(self._run.path)
            for start in range(first, first + members, self._plan.block)
        ]

    def taken_up(self, step: int) -> Iterator[tuple[int, int]]:
        """Bring one block after the other to the devices, as it was at a step.

        Args:
            step: One of `steps`.

        Yields:
            First member and number of members of the block.
        """
        for block in self.blocks:
            self.take_up(step, block)
            yield block

    def take_up(self, step: int, block: tuple[int, int]) -> None:
        """Bring a block to the devices, as it was at a step."""
        kept = next(b for b in blocks(self._run.path) if b[0] <= block[0] < sum(b))
        own = slice(block[0] - kept[0], sum(block) - kept[0])
        states = restore_block(self._run.path, step, kept)
        self.evaluator.take_up(*jax.tree.map(lambda values: values[own], states))

    @cached_property
    def _devices(self) -> Devices:
        """The devices to evaluate on: those of the plan, if it is one for CPUs."""
        document = self._run.document
        here = document.machine.get("device") == "cpu"
        planned = document.plan["devices"] if here else None
        return spread_over_cores(self._run.config.members, planned)

    @cached_property
    def _plan(self) -> Plan:
        """The run's plan, where its devices are here; else one by rule."""
        document, devices = self._run.document, self._devices
        own = Plan.from_json(document.plan)
        same = document.machine.get("device_kind") == device_kind(devices[0])
        if same and own.devices <= len(devices):
            return own
        members = self._run.config.members
        with jax.enable_x64(False):
            return to_evaluate(self._reading.model, devices, members)


def known(run: Run, words: bool) -> Known:
    """Return what a run's members know of data.

    Args:
        run: The run.
        words: Whether its words are wanted, where it learned texts.

    Raises:
        RequestError: As of `vocabulary`.
    """
    data = run.document.data
    return Known(
        data.name,
        data.class_names,
        tuple(data.input_shape),
        data.input_type,
        vocabulary(run) if words else (),
        _projection(run),
    )


def vocabulary(run: Run) -> tuple[str, ...]:
    """Return the words that a run's members know, by number; of no texts nothing.

    They are those of the run's training texts, which must be where they were.

    Raises:
        RequestError: Where these cannot be read, or are others.
    """
    if not run.document.data.vocabulary:
        return ()
    dataset = run.config.load()
    if dataset.digest != run.document.data.digest:
        raise RequestError(
            f"{given('data', run.config.data)}: not the texts that {run.path} was "
            "trained on, whose words its members know; restore those"
        )
    return dataset.vocabulary


def _projection(run: Run) -> Projection | None:
    if not run.config.pca:
        return None
    names = ("pca_mean", "pca_components")
    return Projection(*(record.read_root(run.path, name) for name in names))


def _as_known(run: Run, inputs: Any) -> Shaped[np.ndarray, "example *input"]:
    """Return inputs in the members' shape: texts as numbers, images projected."""
    wanted = tuple(run.document.data.input_shape)
    if len(inputs) and all(isinstance(each, str) for each in inputs):
        return tokenise(list(inputs), _words(run), *wanted)
    found, projection = np.asarray(inputs), _projection(run)
    if projection is not None and found.shape[1:] != wanted:
        fits = found.ndim > 1 and found[:1].size == projection.mean.size
        found = projection.apply(found) if fits else found
    if found.ndim < 2 or found.shape[1:] != wanted or not len(found):
        raise RequestError(
            f"{given('inputs')}: wanted [example, {', '.join(map(str, wanted))}], as "
            f"the run's data are, got {list(found.shape)}"
        )
    return found


def _words(run: Run) -> tuple[str, ...]:
    words = vocabulary(run)
    if not words:
        raise RequestError(f"{given('inputs')}: texts, but {run.path} learned none")
    return words


def _network(run: Run, module: Any) -> Model:
    data, config = run.document.data, run.config
    inputs = Inputs(tuple(data.input_shape), data.vocabulary)
    shares = config.varied.get("dropout", ())
    return build(
        config.model, inputs, data.classes, config.precision, shares, module=module
    )
