"""What members differ in is an array with a member axis, and nothing else is one."""

from typing import Any

import numpy as np

from jaxorder.config import RunConfig
from jaxorder.members.subsets import training_positions
from jaxorder.members.traits import Traits, member_traits, option_traits

LABELS = np.arange(20) % 2


def config(**options: Any) -> RunConfig:
    return RunConfig(**{"data": "digits", "model": "mlp", "members": 4, **options})


def traits(label_vectors: int = 0, first: int = 0, **options: Any) -> Traits:
    return member_traits(config(**options), LABELS, label_vectors, first, 4)


def test_what_all_have_in_common_is_no_array() -> None:
    found = traits()
    assert (found.values, found.positions, found.examples) == ({}, None, None)
    assert found.label_vector is None
    assert {len(key) for key in found.streams} == {4}


def test_values_that_vary_are_arrays_by_option() -> None:
    vary = ["learning-rate=0.1,0.2", "subset=0.5,1"]
    found = option_traits(config(vary=vary), 1, 3).values
    assert list(found) == ["learning_rate"]  # how many examples is no value of a step
    np.testing.assert_allclose(found["learning_rate"], [0.2, 0.1, 0.2])


def test_positions_are_filled_up_where_members_have_fewer() -> None:
    asked = config(vary=["subset=0.5,1"])
    found = member_traits(asked, LABELS, 0, 0, 4)
    assert found.positions is not None
    assert found.examples is not None
    np.testing.assert_array_equal(found.examples, [10, 20, 10, 20])
    own = training_positions(asked, LABELS, 0, 4)
    for row, count, positions in zip(found.positions, found.examples, own, strict=True):
        np.testing.assert_array_equal(row[:count], positions)
        assert not row[count:].any()


def test_members_with_as_many_examples_need_no_number_of_them() -> None:
    found = traits(subset=0.5)
    assert found.positions is not None
    assert found.positions.shape == (4, 10)
    assert found.examples is None


def test_members_take_vectors_of_labels_in_turn() -> None:
    found = traits(label_vectors=3, first=2).label_vector
    np.testing.assert_array_equal(found, [2, 0, 1, 2])  # pyright: ignore[reportArgumentType]  # it is there
