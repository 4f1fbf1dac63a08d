"""Members on the devices of a plan: brought there, mapped over, and brought back.

The one place where a function of one member becomes one of all.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int, PyTree

from jaxorder.ensemble.devices import Devices, pinned
from jaxorder.ensemble.packing import unpack
from jaxorder.ensemble.plan import Lowering, Plan
from jaxorder.models.ambient import traced_with

OVER_MEMBERS = PartitionSpec("member")
SHARED = PartitionSpec()


class Placed:
    """A block of members on the devices.

    Members that fill up the devices repeat the last one and are never returned to the
    host.

    Args:
        plan: How members are mapped.
        devices: Devices there are, at least as many as planned.
        precision: Of the computation, as the options name it.
    """

    def __init__(self, plan: Plan, devices: Devices, precision: str) -> None:
        self._plan = plan
        self._precision = precision
        self._mesh = Mesh(np.array(devices[: plan.devices]), ("member",))

    def take_up(self, work: Int[np.ndarray, "member"]) -> None:
        """Give each member of a block its place.

        Args:
            work: How much each member takes, to be shared evenly by the devices.
        """
        self._places = self._spread(work)
        # where on the devices each member is
        _, self.found = np.unique(self._places, return_index=True)

    def put(self, tree: PyTree) -> Any:
        """Bring what all members share to every device."""
        return self._put(tree, SHARED)

    def put_members(self, tree: PyTree) -> Any:
        """Bring arrays over members to the members' devices."""
        return self._put(jax.tree.map(lambda x: x[self._places], tree), OVER_MEMBERS)

    def to_host(self, tree: PyTree) -> Any:
        """Return arrays over members as numpy arrays, without the filling members."""
        on_host = jax.tree.map(lambda x: np.asarray(x)[self.found], tree)
        return unpack(on_host)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a mapped function, or trace it, as runs record it."""
        with pinned(self._precision):
            return function(*arguments)

    def mapped(
        self,
        function: Callable[..., Any],
        lowering: Lowering,
        members: int,
        shared: int,
        donate: bool = False,
    ) -> Any:
        """Map a function of one member's values and of shared values over members.

        Args:
            function: Of the member's arguments, then of the shared ones.
            lowering: How it is mapped over the members of a device.
            members: Number of arguments over members.
            shared: Number of shared arguments.
            donate: Whether the first argument is given up to the call.
        """

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

    def _put(self, tree: PyTree, spec: PartitionSpec) -> Any:
        return jax.device_put(tree, NamedSharding(self._mesh, spec))

    def _spread(self, work: Int[np.ndarray, "member"]) -> Int[np.ndarray, "place"]:
        """Return the member at each place: devices get even shares of the work.

        Where members differ, the longest come first and are dealt to and fro, so that
        those together in a chunk are about as long.
        """
        devices = self._plan.devices
        each = -(-len(work) // devices)
        if self._plan.train.members == "chunks":
            each = _even_chunk(each, self._plan.train.chunk, rounded=True)
        ranks = np.minimum(np.arange(each * devices), len(work) - 1)
        if work.min() == work.max():
            return ranks
        rounds = ranks.reshape(each, devices)
        rounds[1::2] = rounds[1::2, ::-1]
        return np.argsort(-work, kind="stable")[rounds.T.reshape(-1)]


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
