"""Members as they were kept, on the devices there are, to predict any examples."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Int, PyTree, Shaped

from jaxorder.data.standardize import Standardization
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import Devices
from jaxorder.ensemble.member import Examples, MemberState, Reading
from jaxorder.ensemble.packing import pack_like, packed_model
from jaxorder.ensemble.placed import Placed
from jaxorder.ensemble.plan import Plan

GROUP = 16  # batches evaluated in one call
GROUP_BYTES = 64 << 20  # of inputs; more would not be faster


class Evaluator:
    """Members that predict and are not trained.

    A compiled function is made once for each number of members and examples.

    Args:
        reading: What is read from a member.
        plan: How members are mapped.
        devices: Devices there are, at least as many as planned.
        precision: Of the computation, as the options name it.
        standard: What the training inputs were standardised by.
    """

    def __init__(
        self,
        reading: Reading,
        plan: Plan,
        devices: Devices,
        precision: str,
        standard: Standardization,
    ) -> None:
        reading = replace(reading, model=packed_model(reading.model))
        self._like = jax.eval_shape(reading.model.init, jax.random.key(0))
        self._plan, self._standard = plan, standard
        self._placed = Placed(plan, devices, precision)
        self._predict = {
            last: self._placed.mapped(
                partial(member.predict, reading, last), plan.evaluate, 1, 2
            )
            for last in (False, True)
        }

    def take_up(self, params: PyTree, statistics: PyTree) -> None:
        """Bring members to the devices.

        Args:
            params: Parameters, numpy arrays with a leading member axis.
            statistics: Running statistics likewise; empty where there are none.
        """
        members = len(jax.tree.leaves(params)[0])
        self._placed.take_up(np.ones(members, int))
        packed, moving = pack_like(self._like, (params, statistics))
        state = MemberState(packed, moving, (), np.ones(members, bool))  # pyright: ignore[reportArgumentType]  # brought to the devices below
        self._state = self._placed.put_members(state)

    def predict(
        self,
        inputs: Shaped[np.ndarray, "example *input"],
        labels: Int[np.ndarray, "example"],
        last: bool = False,
    ) -> tuple[
        Bool[np.ndarray, "member"], dict[str, Shaped[np.ndarray, "member example ..."]]
    ]:
        """Return what every member says of examples.

        Args:
            inputs: Before they are standardised.
            labels: Of the same examples.
            last: Whether to return what is recorded at the last snapshot only, too.

        Returns:
            Which members are finite, and arrays by name.
        """
        found = [
            self._call(inputs[at], labels[at], shape, last)
            for at, shape in self._groups(inputs)
        ]
        finite = np.all([finite for finite, _ in found], axis=0)
        values = [values for _, values in found]
        joined = {k: np.concatenate([v[k] for v in values], 1) for k in values[0]}
        return finite, {k: array[:, : len(labels)] for k, array in joined.items()}

    def _call(
        self, inputs: np.ndarray, labels: np.ndarray, shape: tuple[int, int], last: bool
    ) -> Any:
        places = np.arange(len(labels), dtype=np.int32).reshape(1, *shape)
        mean, deviation = self._standard.mean, self._standard.deviation
        examples = Examples(inputs, labels, mean, deviation, places)
        arguments = self._state, self._placed.put(examples), np.int32(0)
        found = self._placed.call(self._predict[last], *arguments)
        return self._placed.to_host(found)

    def _groups(
        self, inputs: Shaped[np.ndarray, "example *input"]
    ) -> Iterator[tuple[Int[np.ndarray, "position"], tuple[int, int]]]:
        """Yield positions, those of one call, and how many batches of how many.

        All calls are alike; what fills up the last one is example 0.
        """
        batch = min(self._plan.evaluate_batch, len(inputs))
        fitting = max(1, GROUP_BYTES // (batch * inputs[:1].nbytes))
        batches = -(-len(inputs) // batch)
        calls = -(-batches // min(GROUP, fitting))
        shape = -(-batches // calls), batch
        size = shape[0] * batch
        padded = np.pad(np.arange(len(inputs)), (0, calls * size - len(inputs)))
        for first in range(0, len(padded), size):
            yield padded[first : first + size], shape
