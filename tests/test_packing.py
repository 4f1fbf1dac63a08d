"""A deep network's vectors lie in one on the devices, and nobody sees it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxorder.ensemble import packing
from jaxorder.ensemble.packing import Packed, pack, pack_like, unpack
from tests.test_zoo import workload
from tests.trees import assert_equal


def tree(vectors: int) -> dict[str, Any]:
    """Return arrays with distinct values, some of which are no float32 vectors."""
    lengths = range(1, vectors + 1)
    return {
        "kernel": jnp.arange(6.0).reshape(2, 3),
        "layers": [{"bias": jnp.arange(n) + n / 100} for n in map(float, lengths)],
        "count": jnp.arange(3),
        "scalar": jnp.float32(7),
    }


def test_many_vectors_are_one_array_and_come_back() -> None:
    many = tree(packing.MANY)
    packed = pack(many)
    assert isinstance(packed, Packed)
    assert packed.vector.shape == (sum(range(1, packing.MANY + 1)),)
    assert [leaf.shape for leaf in packed.others] == [(3,), (2, 3), ()]
    assert_equal(unpack(packed), many)


def test_few_vectors_stay_as_they_are() -> None:
    few = tree(packing.MANY - 1)
    assert pack(few) is few
    assert_equal(unpack(few), few)


def test_packed_trees_are_found_within_another_with_members_in_front() -> None:
    many = tree(packing.MANY)
    state = {"params": pack(many), "momentum": (pack(many), jnp.zeros(2))}
    members = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf]), state)
    loose = unpack(members)
    assert loose["momentum"][0]["layers"][4]["bias"].shape == (2, 5)
    assert_equal(pack_like(members, loose), members)


def test_a_gradient_comes_back_as_one_array() -> None:
    packed = pack(tree(packing.MANY))

    def total(vector: Any) -> Any:
        there = unpack(Packed(vector, packed.others, packed.tree, packed.lengths))
        return sum((3 * layer["bias"]).sum() for layer in there["layers"])

    program = str(jax.make_jaxpr(jax.grad(total))(packed.vector))
    assert "pad" not in program
    assert program.count("concatenate") == 1
    np.testing.assert_array_equal(jax.grad(total)(packed.vector), 3.0)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["resnet18", "densenet121"])
def test_packed_members_train_as_others_do(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for many in (packing.MANY, 10**6):
        monkeypatch.setattr(packing, "MANY", many)
        # Adam's first steps have the rate's size, also where a gradient is rounding
        made = workload(model, optimizer="momentum").ensemble()
        made.begin(0, 3)
        begun = made.init()
        assert isinstance(begun.params, Packed) == (many < 10**6)
        state, losses = made.train_segment(begun, made.order(0), 0, 2)
        found.append((made.to_host(state.params), losses))
    (packed, losses), (loose, others) = found
    np.testing.assert_allclose(losses, others, rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5), packed, loose
    )
