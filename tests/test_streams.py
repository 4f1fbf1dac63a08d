"""Named random streams: a member is a function of its seed and nothing else."""

from typing import Any

import jax
import numpy as np
import pytest

from jaxorder.config import RunConfig
from jaxorder.members.streams import member_streams, seeds


def config(**options: Any) -> RunConfig:
    return RunConfig(**{"data": "digits", "model": "mlp", "members": 4, **options})


def test_streams_depend_on_study_seed_architecture_and_member() -> None:
    def of(**options: Any) -> np.ndarray:
        return seeds(config(**options))

    assert len(set(of())) == 4
    np.testing.assert_array_equal(of(members=2), of()[:2])
    assert not set(of()) & set(of(seed=1))
    assert not set(of()) & set(of(model="mlp:widths=8"))
    shared = {"share_streams": True}
    np.testing.assert_array_equal(of(**shared), of(model="mlp:widths=8", **shared))
    # a run that has a name is another one than that of its model
    assert not set(of()) & set(of(name="mlp:widths=8"))
    np.testing.assert_array_equal(of(name="x"), of(name="x", model="mlp:widths=8"))
    # pinned: a change would make every old seed mean another network
    assert of()[0] == PINNED_SEED


PINNED_SEED = 9658034673763037200


def test_named_streams_differ() -> None:
    streams = member_streams(config(), 0, 1)
    keys = [jax.random.key_data(key).tobytes() for key in streams]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", ["init", "order", "dropout"])
def test_a_frozen_stream_is_the_same_for_all_members(name: str) -> None:
    usual = member_streams(config(), 0, 4)
    frozen = member_streams(config(freeze=(name,)), 0, 4)
    for stream in usual._fields:
        keys = jax.random.key_data(getattr(frozen, stream))
        assert (len(np.unique(keys, axis=0)) == 1) == (stream == name)
        if stream != name:
            np.testing.assert_array_equal(
                keys, jax.random.key_data(getattr(usual, stream))
            )
