"""Cartography and the area under the margin, of each member."""

import inspect

import numpy as np
import pytest
import xarray as xr

from jaxorder.analysis import area_under_margin, confidence, epoch_ends, variability


def test_moments_are_those_of_the_probabilities() -> None:
    probability = np.random.default_rng(0).random((7, 3, 5))
    found = np.log(probability).astype(np.float32)
    np.testing.assert_allclose(confidence(found), probability.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variability(found), probability.std(0), rtol=1e-5)


def test_what_is_sure_throughout_does_not_vary() -> None:
    found = np.log(np.full((9, 2, 1), 1 - 1e-9))
    assert variability(found).max() < 1e-12
    assert variability(np.log([[[0.3]]])).tolist() == [[0.0]]


def test_impossible_labels_have_probability_0() -> None:
    assert confidence(np.array([[[-np.inf, 0.0]]])).tolist() == [[0.0, 1.0]]


def test_snapshots_are_read_one_at_a_time() -> None:
    class Once:
        """An array that cannot be read as a whole."""

        shape, dtype = (4, 2, 3), np.dtype(np.float32)

        def __getitem__(self, snapshot: int) -> np.ndarray:
            return np.full((2, 3), float(snapshot))

        def __array__(self) -> np.ndarray:
            raise MemoryError

    assert area_under_margin(Once()).tolist() == [[1.5] * 3] * 2


@pytest.mark.parametrize("measure", [confidence, variability, area_under_margin])
def test_other_arrays_are_refused(measure) -> None:
    for wrong in (np.zeros((2, 3)), np.zeros((1, 0, 2)), np.zeros((1, 1, 1), bool)):
        with pytest.raises(ValueError, match=r"wanted real \[snapshot, member, exam"):
            inspect.unwrap(measure)(wrong)


def test_whole_epochs_are_found_despite_rounding() -> None:
    epochs = np.cumsum(np.full(9, 1 / 3))
    assert np.flatnonzero(epoch_ends(epochs)).tolist() == [2, 5, 8]
    assert epoch_ends(xr.DataArray([0.0])).tolist() == [True]
    with pytest.raises(ValueError, match="epoch: wanted real"):
        epoch_ends(np.zeros(0))
