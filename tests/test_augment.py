"""Flips and crops: what may come out, how often, and for whom."""

from pathlib import Path

import jax
import numpy as np
import pytest

import jaxorder as jo
from jaxorder.ensemble.augment import augmented, cropped, flipped
from jaxorder.errors import RequestError

IMAGES = jax.random.normal(jax.random.key(0), (500, 8, 16, 3))
KEY = jax.random.key(3)


def test_half_of_the_images_are_mirrored() -> None:
    found = np.asarray(flipped(IMAGES, KEY))
    mirrored = (found == IMAGES[:, :, ::-1]).all((1, 2, 3))
    same = (found == IMAGES).all((1, 2, 3))
    assert (mirrored ^ same).all()
    # four standard deviations of 500 coin flips
    assert abs(mirrored.sum() - 250) < 4 * np.sqrt(125)


def test_crops_are_shifts_by_up_to_an_eighth() -> None:
    found = np.asarray(cropped(IMAGES, KEY))
    padded = np.pad(np.asarray(IMAGES), ((0, 0), (1, 1), (2, 2), (0, 0)))
    shifts = {
        (y, x): (padded[:, y : y + 8, x : x + 16] == found).all((1, 2, 3))
        for y in range(3)
        for x in range(5)
    }
    counts = {shift: int(hits.sum()) for shift, hits in shifts.items()}
    assert sum(counts.values()) == 500
    expected = 500 / 15
    assert all(abs(c - expected) < 5 * np.sqrt(expected) for c in counts.values())


def test_another_step_changes_images_otherwise() -> None:
    one, other = (
        np.asarray(augmented(IMAGES, ("flip", "crop"), jax.random.fold_in(KEY, step)))
        for step in (0, 1)
    )
    assert not np.array_equal(one, other)
    assert one.shape == IMAGES.shape


def test_only_training_is_augmented(tmp_path: Path) -> None:
    options = {
        "data": "digits",
        "model": "mlp:widths=8",
        "members": 2,
        "epochs": 1,
        "train_examples": 130,
    }
    plain = jo.train(out=tmp_path / "plain", **options)
    other = jo.train(out=tmp_path / "other", augment=("crop",), **options)
    for split in ("train", "test"):
        a, b = (run.record(split).prediction.values for run in (plain, other))
        np.testing.assert_array_equal(a[0], b[0])
        assert not np.array_equal(a[-1], b[-1])


def test_what_is_no_image_is_not_augmented(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r'augment=\["flip"\]: .* holds no images'):
        jo.train(
            out=tmp_path / "run",
            data="gaussian",
            model="mlp",
            members=1,
            augment=("flip",),
        )
