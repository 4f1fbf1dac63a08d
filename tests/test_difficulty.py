"""What neighbours say of an example, against scikit-learn."""

import inspect

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from jaxorder.analysis import difficulty, neighbour_consistency


@pytest.mark.parametrize("neighbours", [1, 5, 20])
def test_neighbours_are_those_of_scikit_learn(neighbours, monkeypatch):
    rng = np.random.default_rng(0)
    inputs, label = rng.normal(size=(150, 4, 2)), rng.integers(0, 3, 150)
    points = inputs.reshape(150, 8)
    near = NearestNeighbors(n_neighbors=neighbours).fit(points)
    own = near.kneighbors(return_distance=False)
    wanted = (label[own] == label[:, None]).mean(axis=1)
    found = neighbour_consistency(inputs, label, neighbours=neighbours)
    np.testing.assert_allclose(found, wanted)
    # some rows at a time are as good as all
    monkeypatch.setattr(difficulty, "_HELD", 1000)
    again = neighbour_consistency(inputs, label, neighbours=neighbours)
    np.testing.assert_array_equal(again, found)


def test_neighbours_are_looked_for_among_others():
    rng = np.random.default_rng(1)
    inputs, others = rng.normal(size=(30, 3)), rng.normal(size=(70, 3))
    names = rng.choice(["cat", "dog"], 100)
    near = NearestNeighbors(n_neighbors=5).fit(others)
    own = near.kneighbors(inputs, return_distance=False)
    wanted = (names[30:][own] == names[:30, None]).mean(axis=1)
    found = neighbour_consistency(
        inputs, names[:30], among=others, among_label=names[30:]
    )
    np.testing.assert_allclose(found, wanted)
    # an example that is among the others is its own nearest
    same = neighbour_consistency(
        inputs, names[:30], among=inputs, among_label=names[:30], neighbours=1
    )
    np.testing.assert_array_equal(same, 1)


def test_examples_far_from_their_class_are_hard():
    rng = np.random.default_rng(2)
    label = np.repeat([0, 1], 100)
    inputs = rng.normal(size=(200, 2)) + 8 * label[:, None]
    label[:5] = 1
    found = neighbour_consistency(inputs, label)
    assert found[:5].max() < 0.5 < found[5:].mean()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"neighbours": 4}, "neighbours: wanted 1 to 3, got 4"),
        ({"neighbours": 0}, "neighbours: wanted 1 to 3, got 0"),
        ({"label": np.zeros(3)}, "inputs: wanted 3 examples, one a label, got 4"),
        ({"among": np.zeros((4, 2))}, "among: wanted it and among_label, or neither"),
        ({"inputs": np.full((4, 2), "a")}, "inputs: wanted real"),
    ],
)
def test_wrong_arguments_are_refused(changed, message):
    given = {"inputs": np.zeros((4, 2)), "label": np.zeros(4), **changed}
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(neighbour_consistency)(**given)
