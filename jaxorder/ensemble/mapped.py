"""A block of members that are trained and evaluated together."""

from dataclasses import replace
from functools import partial
from typing import Any, Literal

import jax
import jax.export
import numpy as np
from jaxtyping import Bool, Float, PyTree, Shaped

from jaxorder.config import RunConfig
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import Devices
from jaxorder.ensemble.member import Examples, MemberState, Recipe
from jaxorder.ensemble.packing import pack_like, packed_model
from jaxorder.ensemble.placed import Placed
from jaxorder.ensemble.plan import Lowering, Plan
from jaxorder.ensemble.windows import Resident, Streamed
from jaxorder.members.traits import member_traits


class Ensemble:
    """A block of members, trained and evaluated together.

    A compiled function is made once a shape: the steps of a segment and where it
    begins are arguments.

    Args:
        recipe: How one member is trained.
        config: Seeds and precision.
        plan: How members are mapped.
        examples: The data, on the host.
        devices: Devices there are, at least as many as planned.
        window: Steps' batches to hold on the devices at a time, where the data are
            streamed; None: all of the data lie there.

    Attributes:
        members: Members of the block.
        groups: Groups that the evaluated examples are cut into.
        steps_per_epoch: Steps that an epoch takes the member that has most examples.
        held_steps: Steps that one call of the compiled training may take.
        trained_examples: Examples that all members are trained on in an epoch.
    """

    def __init__(
        self,
        recipe: Recipe,
        config: RunConfig,
        plan: Plan,
        examples: Examples,
        devices: Devices,
        window: int | None = None,
    ) -> None:
        if recipe.elementwise:
            recipe = replace(recipe, model=packed_model(recipe.model))
        self._recipe = recipe
        self._config = config
        self._plan = plan
        self._labels = np.asarray(examples.labels[: recipe.pool])
        self._label_vectors = (
            0 if examples.label_vectors is None else len(examples.label_vectors)
        )
        self._placed = Placed(plan, devices, config.precision)
        self.groups = len(examples.evaluated)
        self.steps_per_epoch = recipe.steps_per_epoch
        self.held_steps = window or recipe.steps_per_epoch
        self._data: Resident | Streamed
        if window is None:
            self._data = Resident(self._placed.put(examples))
        else:
            self._data = Streamed(recipe, examples, window, self._placed.put)
        train, evaluate, mapped = plan.train, plan.evaluate, self._placed.mapped
        self._init = mapped(
            partial(member.init, recipe),
            _init_lowering(plan, devices[0].platform),
            1,
            0,
        )
        self._order = mapped(partial(member.epoch_order, recipe), train, 1, 1)
        self._train = mapped(
            partial(member.train_steps, recipe), train, 3, 3, donate=True
        )
        self._predict = {
            last: mapped(partial(member.predict, recipe.reading, last), evaluate, 1, 2)
            for last in (False, True)
        }

    def begin(self, first: int, members: int) -> None:
        """Take up a block of members.

        Args:
            first: First member of the block.
            members: Members of the block.
        """
        self.members = members
        traits = member_traits(
            self._config, self._labels, self._label_vectors, first, members
        )
        alike = np.full(members, self._recipe.train_examples)
        counts = alike if traits.examples is None else np.asarray(traits.examples)
        self.trained_examples = int(counts.sum())
        self._placed.take_up(counts)
        self._traits = self._placed.put_members(traits)
        if isinstance(self._data, Streamed):
            places = np.broadcast_to(
                self._data.places, (members, *self._data.places.shape)
            )
            self._window_places = self._placed.put_members(places)

    def init(self) -> MemberState:
        """Return the members before their first step, on the devices."""
        return self._placed.call(self._init, self._traits)

    def order(self, epoch: int) -> Any:
        """Return each member's order of the examples in an epoch, on the devices.

        Of a stream, whose order all members share: the windows of the epoch.
        """
        order = self._placed.call(self._order, self._traits, np.int32(epoch))
        if isinstance(self._data, Resident):
            return order
        return self._window_places, self._data.windows(np.asarray(order[0]))

    def train_segment(
        self, state: MemberState, order: Any, start: int, count: int
    ) -> tuple[MemberState, Float[np.ndarray, "member"]]:
        """Take some steps of one epoch with every member.

        Args:
            state: The members; given up to the call.
            order: Their orders of the examples in this epoch, as `order` gives.
            start: Step to begin from.
            count: Steps to take.

        Returns:
            The members after the steps, on the devices, and each one's mean loss.
        """
        total = np.zeros(self.members)
        for part in self._data.parts(order, start, count):
            state, losses = self._placed.call(
                self._train, *self._arguments(state, *part)
            )
            total += part[-1] * np.asarray(losses)[self._placed.found]
        return state, total / count

    def train_arguments(
        self, state: Any, order: Any, start: int, count: int
    ) -> tuple[Any, ...]:
        """Return what the compiled training is called with first, to compile it apart.

        Of a stream these are at most `held_steps` steps.
        """
        return self._arguments(state, *next(self._data.parts(order, start, count)))

    def _arguments(
        self, state: Any, order: Any, examples: Examples, start: int, count: int
    ) -> tuple[Any, ...]:
        steps = np.int32(start), np.int32(count)
        return state, self._traits, order, examples, *steps

    def predict(
        self, state: MemberState, last: bool = False
    ) -> tuple[
        Bool[np.ndarray, "member"], dict[str, Shaped[np.ndarray, "member position ..."]]
    ]:
        """Return what every member, its weights frozen, says of each evaluated example.

        Args:
            state: The members.
            last: Whether to return what is recorded at the last snapshot only, too.

        Returns:
            Which members are finite, and arrays by name, padding included.
        """
        groups = [self.predict_group(state, g, last) for g in range(self.groups)]
        finite = np.all([finite for finite, _ in groups], axis=0)
        values = [values for _, values in groups]
        return finite, {k: np.concatenate([v[k] for v in values], 1) for k in values[0]}

    def predict_group(self, state: MemberState, group: int, last: bool = False) -> Any:
        """Return the same of one group of the evaluated examples."""
        examples, number = self._data.group(group)
        arguments = state, examples, np.int32(number)
        return self.to_host(self._placed.call(self._predict[last], *arguments))

    def to_host(self, tree: PyTree) -> Any:
        """Return arrays over members as numpy arrays, without the filling members."""
        return self._placed.to_host(tree)

    def from_host(self, state: MemberState) -> MemberState:
        """Return members that are numpy arrays on the devices, filled up."""
        like = jax.eval_shape(self.init)
        return self._placed.put_members(pack_like(like, state))

    def compilations(self) -> dict[str, int]:
        """Return how often each mapped function was compiled."""
        functions = {
            "init": self._init,
            "order": self._order,
            "train": self._train,
            "predict": self._predict[False],
        }
        return {name: f._cache_size() for name, f in functions.items()}

    def lower(
        self,
        what: Literal["train", "evaluate"],
        state: Any,
        order: Any,
    ) -> jax.stages.Lowered:
        """Return the training or the evaluation lowered, to compile it apart."""
        function, arguments = self._program(what, state, order)
        return self._placed.call(function.lower, *arguments)

    def exported(
        self,
        what: Literal["train", "evaluate"],
        state: Any,
        order: Any,
        platform: str,
    ) -> str:
        """Return the program that another platform, `cuda` or `tpu`, would compile."""
        function, arguments = self._program(what, state, order)
        export = jax.export.export(function, platforms=[platform])
        return self._placed.call(export, *arguments).mlir_module()

    def _program(self, what: str, state: Any, order: Any) -> tuple[Any, tuple]:
        if what == "train":
            return self._train, self.train_arguments(state, order, 0, 1)
        return self._predict[False], (state, self._data.group(0)[0], np.int32(0))


def _init_lowering(plan: Plan, platform: str) -> Lowering:
    """Return how first weights are drawn.

    On a CPU one after the other: orthogonal ones are a QR decomposition, and those of
    several matrices wait for threads that several devices have already taken, forever.
    """
    return Lowering("sequential", "native") if platform == "cpu" else plan.train
