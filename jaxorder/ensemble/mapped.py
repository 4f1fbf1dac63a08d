"""The one place where members are mapped: over devices, and on each of them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import jax
import jax.export
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Bool, Float, Int, PyTree, Shaped

from jaxorder.config import RunConfig
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import Devices, pinned
from jaxorder.ensemble.member import Examples, MemberState, Recipe
from jaxorder.ensemble.packing import pack_like, packed_model, unpack
from jaxorder.ensemble.plan import Lowering, Plan
from jaxorder.ensemble.windows import Resident, Streamed
from jaxorder.members.traits import member_traits
from jaxorder.models.ambient import traced_with

OVER_MEMBERS = PartitionSpec("member")
SHARED = PartitionSpec()


class Ensemble:
    """A block of members, trained and evaluated together.

    A compiled function is made once a shape: the steps of a segment and where it
    begins are arguments. Members that fill up the devices repeat the last one and are
    never returned to the host.

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
        self._mesh = Mesh(np.array(devices[: plan.devices]), ("member",))
        self.groups = len(examples.evaluated)
        self.steps_per_epoch = recipe.steps_per_epoch
        self.held_steps = window or recipe.steps_per_epoch
        self._data: Resident | Streamed
        if window is None:
            self._data = Resident(self._put(examples, SHARED))
        else:
            put = partial(self._put, spec=SHARED)
            self._data = Streamed(recipe, examples, window, put)
        train, evaluate = plan.train, plan.evaluate
        self._init = self._mapped(
            partial(member.init, recipe),
            _init_lowering(plan, devices[0].platform),
            1,
            0,
        )
        self._order = self._mapped(partial(member.epoch_order, recipe), train, 1, 1)
        self._train = self._mapped(
            partial(member.train_steps, recipe), train, 3, 3, donate=True
        )
        self._predict = {
            last: self._mapped(partial(member.predict, recipe, last), evaluate, 1, 2)
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
        self._places = self._spread(counts)
        # where on the devices each member is
        _, self._found = np.unique(self._places, return_index=True)
        self._traits = self._put_members(traits)
        if isinstance(self._data, Streamed):
            places = np.broadcast_to(
                self._data.places, (members, *self._data.places.shape)
            )
            self._window_places = self._put_members(places)

    def init(self) -> MemberState:
        """Return the members before their first step, on the devices."""
        return self._call(self._init, self._traits)

    def order(self, epoch: int) -> Any:
        """Return each member's order of the examples in an epoch, on the devices.

        Of a stream, whose order all members share: the windows of the epoch.
        """
        order = self._call(self._order, self._traits, np.int32(epoch))
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
            state, losses = self._call(self._train, *self._arguments(state, *part))
            total += part[-1] * np.asarray(losses)[self._found]
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
        return self.to_host(self._call(self._predict[last], *arguments))

    def to_host(self, tree: PyTree) -> Any:
        """Return arrays over members as numpy arrays, without the filling members."""
        on_host = jax.tree.map(lambda x: np.asarray(x)[self._found], tree)
        return unpack(on_host)

    def from_host(self, state: MemberState) -> MemberState:
        """Return members that are numpy arrays on the devices, filled up."""
        like = jax.eval_shape(self.init)
        return self._put_members(pack_like(like, state))

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
        return self._call(function.lower, *arguments)

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
        return self._call(export, *arguments).mlir_module()

    def _program(self, what: str, state: Any, order: Any) -> tuple[Any, tuple]:
        if what == "train":
            return self._train, self.train_arguments(state, order, 0, 1)
        return self._predict[False], (state, self._data.group(0)[0], np.int32(0))

    def _spread(self, work: Int[np.ndarray, "member"]) -> Int[np.ndarray, "place"]:
        """Return the member at each place: devices get even shares of the work.

        Where members differ, the longest come first and are dealt to and fro, so that
        those together in a chunk are about as long.
        """
        devices = self._plan.devices
        each = -(-self.members // devices)
        if self._plan.train.members == "chunks":
            each = _even_chunk(each, self._plan.train.chunk, rounded=True)
        ranks = np.minimum(np.arange(each * devices), self.members - 1)
        if work.min() == work.max():
            return ranks
        rounds = ranks.reshape(each, devices)
        rounds[1::2] = rounds[1::2, ::-1]
        return np.argsort(-work, kind="stable")[rounds.T.reshape(-1)]

    def _put_members(self, tree: PyTree) -> Any:
        return self._put(jax.tree.map(lambda x: x[self._places], tree), OVER_MEMBERS)

    def _put(self, tree: PyTree, spec: PartitionSpec) -> Any:
        return jax.device_put(tree, NamedSharding(self._mesh, spec))

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with pinned(self._config.precision):
            return function(*arguments)

    def _mapped(
        self,
        function: Callable[..., Any],
        lowering: Lowering,
        members: int,
        shared: int,
        donate: bool = False,
    ) -> Any:
        """Map a function of one member's values and of shared values over members."""

        def local(*arguments: Any) -> Any:
            def one(values: tuple) -> Any:
                return function(*values, *arguments[members:])

            with traced_with(convolution=lowering.convolution):
                return _over_members(lowering, one, arguments[:members])

        sharded = jax.shard_map(
            local,
            mesh=self._mesh,
            in_specs=(*[OVER_MEMBERS] * members, *[SHARED] * shared),
            out_specs=OVER_MEMBERS,
            check_vma=False,
        )
        return jax.jit(
            sharded,
            donate_argnums=(0,) if donate else (),
            # else JAX calls a single device's arrays unsharded, and compiles again for
            # a state that comes from a step instead of from the host
            out_shardings=NamedSharding(self._mesh, OVER_MEMBERS),
        )


def _init_lowering(plan: Plan, platform: str) -> Lowering:
    """Return how first weights are drawn.

    On a CPU one after the other: orthogonal ones are a QR decomposition, and those of
    several matrices wait for threads that several devices have already taken, forever.
    """
    return Lowering("sequential", "native") if platform == "cpu" else plan.train


def _over_members(
    lowering: Lowering, one: Callable[[tuple], Any], values: tuple
) -> Any:
    """Apply a function of one member to the members of a device."""
    if lowering.members == "vmap":
        return jax.vmap(one)(values)
    if lowering.members == "sequential":
        return lax.map(one, values)
    count = len(jax.tree.leaves(values)[0])
    return lax.map(one, values, batch_size=_even_chunk(count, lowering.chunk))


def _even_chunk(members: int, most: int, rounded: bool = False) -> int:
    """Return the size of even chunks, or the members that fill such chunks.

    Example:
        >>> _even_chunk(10, most=8), _even_chunk(9, most=8, rounded=True)
        (5, 10)
    """
    chunks = -(-members // most)
    size = -(-members // chunks)
    return size * chunks if rounded else size
