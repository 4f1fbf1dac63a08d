import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jaxorder.data.dataset import Dataset
from jaxorder.data.made import (
    bayes_accuracy,
    gabor,
    gabor_bands,
    gaussian,
    gaussian_model,
    graded,
    graded_templates,
)
from jaxorder.data.request import Request
from jaxorder.data.sources import parse_source
from jaxorder.errors import RequestError

Reader = Callable[[Request], Dataset]

# sizes are primes, which no number of classes divides
SHARED = {"classes": "10", "train": "211", "test": "103", "seed": "0"}
KEYS: dict[Reader, dict[str, str]] = {
    gabor: {**SHARED, "size": "16", "separability": "0.5", "noise": "0.1"},
    gaussian: {**SHARED, "features": "30", "separability": "3", "spectrum": "0"},
    graded: {
        **SHARED,
        **{"size": "8", "easiest": "0.1", "hardest": "10", "separability": "1"},
    },
}
SHAPES: dict[Reader, tuple[int, ...]] = {
    gabor: (16, 16, 1),
    gaussian: (30,),
    graded: (8, 8, 1),
}


def asked(reader: Reader, **given: Any) -> Request:
    keys = {**KEYS[reader], **given}
    text = f"{reader.__name__}:" + ",".join(f"{k}={v}" for k, v in keys.items())
    return parse_source(text)[0]


def make(reader: Reader, **given: Any) -> Dataset:
    return reader(asked(reader, **given))


def refusal(reader: Reader, **given: Any) -> str:
    with pytest.raises(RequestError) as caught:
        make(reader, **given)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f'data="{reader.__name__}:')
    return message


@pytest.mark.parametrize("reader", KEYS)
class TestEveryMadeSet:
    def test_sizes_shapes_and_types(self, reader: Reader):
        dataset = make(reader, classes=7)
        assert dataset.name == asked(reader, classes=7).source
        assert dataset.num_classes == len(set(dataset.class_names)) == 7
        for split, size in ((dataset.train, 211), (dataset.test, 103)):
            assert split.inputs.shape == (size, *SHAPES[reader])
            assert split.inputs.dtype == np.float32
            assert split.ids.tolist() == list(range(size))

    @pytest.mark.parametrize("classes", [2, 7, 10])
    def test_classes_are_balanced_and_mixed(self, reader: Reader, classes: int):
        dataset = make(reader, classes=classes)
        for split in (dataset.train, dataset.test):
            for part, most in ((split.labels, 1), (split.labels[::2], 40)):
                counts = np.bincount(part, minlength=classes)
                assert counts.max() - counts.min() <= most
                assert counts.min() > 0

    def test_the_same_keys_make_the_same_arrays(self, reader: Reader):
        assert make(reader).digest == make(reader).digest
        assert make(reader, seed=1).digest != make(reader).digest

    def test_other_training_examples_leave_the_test_set(self, reader: Reader):
        one, other = make(reader), make(reader, train=97)
        assert np.array_equal(one.test.inputs, other.test.inputs)
        assert np.array_equal(one.test.labels, other.test.labels)
        assert not np.array_equal(one.train.inputs[:97], other.train.inputs)
        another = make(reader, test=97)
        assert np.array_equal(one.train.inputs, another.train.inputs)

    def test_train_and_test_share_no_example(self, reader: Reader):
        dataset = make(reader)
        train, test = (
            {row.tobytes() for row in split.inputs}
            for split in (dataset.train, dataset.test)
        )
        assert len(train) == 211
        assert train & test == set()

    @pytest.mark.parametrize("key", ["train", "test"])
    def test_refuses_fewer_examples_than_classes(self, reader: Reader, key: str):
        message = refusal(reader, **{key: 9})
        assert message.endswith(f": {key}=9 must be at least classes=10")

    @pytest.mark.parametrize(
        ("key", "value"),
        [("classes", 1), ("train", "1e3"), ("seed", -1), ("separability", -0.1)],
    )
    def test_refuses_keys_out_of_range(self, reader: Reader, key: str, value: Any):
        assert f"{key}={value} must be a " in refusal(reader, **{key: value})


@pytest.mark.parametrize(
    ("reader", "given", "said"),
    [
        (gabor, {"size": 7}, "size=7 must be a whole number from 8 on"),
        (gabor, {"separability": 1.1}, "separability=1.1 must be a number from 0 to 1"),
        (gabor, {"noise": "inf"}, "noise=inf must be a number from 0 to 1000"),
        (gaussian, {"features": 9}, "features=9 must be at least classes=10"),
        (gaussian, {"spectrum": 5}, "spectrum=5 must be a number from 0 to 4"),
        (graded, {"size": 3}, "size=3 must be a whole number from 4 on"),
        (graded, {"easiest": 0}, "easiest=0 must be a number from 0.001 to 1000"),
        (graded, {"easiest": 2, "hardest": 1}, "easiest=2 must be at most hardest=1"),
    ],
)
def test_refuses_keys_of_its_own(reader: Reader, given: dict[str, Any], said: str):
    assert refusal(reader, **given).endswith(said)


class TestGabor:
    @pytest.mark.parametrize(
        ("classes", "orientations", "frequencies"),
        [(2, 2, 1), (4, 2, 2), (7, 7, 1), (10, 5, 2), (12, 4, 3), (36, 6, 6)],
    )
    def test_classes_are_bands_of_both(
        self, classes: int, orientations: int, frequencies: int
    ):
        orientation, frequency = gabor_bands(asked(gabor, classes=classes).keys)
        assert len(orientation) == len(frequency) == classes
        assert len(np.unique(orientation, axis=0)) == orientations
        assert len(np.unique(frequency, axis=0)) == frequencies
        assert len(np.unique(np.hstack([orientation, frequency]), axis=0)) == classes

    def test_bands_touch_without_separability(self):
        bands = gabor_bands(asked(gabor, separability=0).keys)
        for band, first, last in zip(bands, (0, 0.125), (np.pi, 0.4), strict=True):
            ends = np.unique(band.round(9), axis=0)
            assert ends[0, 0] == pytest.approx(first)
            assert ends[-1, 1] == pytest.approx(last)
            assert np.allclose(ends[1:, 0], ends[:-1, 1])

    @pytest.mark.parametrize("separability", [0.25, 1])
    def test_separability_is_the_share_left_free(self, separability: float):
        touching = gabor_bands(asked(gabor, separability=0).keys)
        apart = gabor_bands(asked(gabor, separability=separability).keys)
        for whole, part, scale in zip(touching, apart, (np.array, np.log), strict=True):
            width, used = np.diff(scale(whole)), np.diff(scale(part))
            assert np.allclose(used, (1 - separability) * width)
            assert np.allclose(scale(whole).mean(axis=1), scale(part).mean(axis=1))

    def test_examples_lie_in_the_bands_of_their_class(self):
        request = asked(gabor, separability=0.3)
        bands = gabor_bands(request.keys)
        train = gabor(request).train
        for name, band in zip(("orientation", "frequency"), bands, strict=True):
            low, high = band[train.labels].T
            assert (train.columns[name] >= low - 1e-6).all()
            assert (train.columns[name] <= high + 1e-6).all()
        assert train.columns["contrast"].min() >= 0.5
        assert train.columns["contrast"].max() <= 1

    def test_a_patch_has_the_orientation_and_frequency_it_is_said_to_have(self):
        train = make(gabor, size=64, separability=0, noise=0).train
        spectra = np.abs(np.fft.fft2(train.inputs[..., 0], s=(256, 256)))
        peak = spectra.reshape(len(spectra), -1).argmax(axis=1)
        down, right = (np.fft.fftfreq(256)[i] for i in np.divmod(peak, 256))
        said = train.columns["orientation"], train.columns["frequency"]
        # the envelope cut by the border moves the peak by less than its own width
        assert np.abs(np.hypot(down, right) - said[1]).max() < 0.01
        turned = (np.arctan2(down, right) - said[0] + np.pi / 2) % np.pi - np.pi / 2
        assert np.abs(turned * said[1]).max() < 0.01

    def test_pixels_have_the_amplitude_of_the_contrast(self):
        train = make(gabor, size=33, noise=0).train
        amplitude = np.abs(train.inputs).max(axis=(1, 2, 3))
        contrast = train.columns["contrast"]
        assert (amplitude <= contrast + 1e-6).all()
        assert np.median(amplitude / contrast) > 0.9

    def test_noise_is_added_with_its_deviation(self):
        clean, noisy = make(gabor, noise=0), make(gabor, noise=0.25)
        added = noisy.train.inputs - clean.train.inputs
        assert added.std() == pytest.approx(0.25, rel=0.02)
        assert abs(added.mean()) < 0.01

    def test_more_examples_than_are_drawn_at_once(self):
        train = make(gabor, train=5003, size=8).train
        assert (train.inputs.std(axis=(1, 2, 3)) > 0.05).all()

    def test_separability_makes_classes_easier(self):
        """The power spectrum, blind to phase and position, tells classes apart."""
        right = []
        for separability in (0, 0.5, 1):
            dataset = make(gabor, train=1009, test=499, separability=separability)
            train, test = (power(s.inputs) for s in (dataset.train, dataset.test))
            nearest = (test @ train.T).argmax(axis=1)
            right.append((dataset.train.labels[nearest] == dataset.test.labels).mean())
        assert right == sorted(right)
        assert right[0] > 0.5
        assert right[2] > right[0] + 0.05

    def test_a_single_pixel_tells_nothing(self):
        train = make(gabor, train=5003, size=8).train
        means = [train.inputs[train.labels == k].mean(axis=0) for k in range(10)]
        error = train.inputs.std() / math.sqrt(500)
        assert np.abs(means).max() < 5 * error


def power(images: np.ndarray) -> np.ndarray:
    spectra = np.abs(np.fft.fft2(images[..., 0])).reshape(len(images), -1)
    return spectra / np.linalg.norm(spectra, axis=1, keepdims=True)


class TestGaussian:
    @pytest.mark.parametrize("separability", [0.0, 0.5, 3.0, 10.0])
    def test_bayes_accuracy_of_two_classes(self, separability: float):
        expected = 0.5 * (1 + math.erf(separability / 2 / math.sqrt(2)))
        assert bayes_accuracy(2, separability) == pytest.approx(expected, abs=1e-9)

    @pytest.mark.parametrize("classes", [2, 3, 10, 1000])
    def test_bayes_accuracy_goes_from_chance_to_one(self, classes: int):
        values = [bayes_accuracy(classes, s) for s in (0.0, 1.0, 3.0, 30.0)]
        assert values == sorted(values)
        assert values[0] == pytest.approx(1 / classes, abs=1e-9)
        assert values[-1] == pytest.approx(1, abs=1e-9)

    @pytest.mark.parametrize("spectrum", [0, 1.5])
    @pytest.mark.parametrize(("classes", "separability"), [(2, 1), (10, 3), (30, 4)])
    def test_the_true_rule_has_the_bayes_accuracy(
        self, classes: int, separability: float, spectrum: float
    ):
        request = asked(
            gaussian,
            **{"classes": classes, "separability": separability, "test": 20011},
            spectrum=spectrum,
        )
        dataset = gaussian(request)
        means, mixing = gaussian_model(request.keys)
        whitened = dataset.test.inputs @ np.linalg.inv(mixing)
        answers = (whitened @ means.T).argmax(axis=1)
        expected = dataset.facts["bayes_accuracy"]
        error = math.sqrt(expected * (1 - expected) / 20011)
        found = (answers == dataset.test.labels).mean()
        assert abs(found - expected) < 4 * error
        assert expected == bayes_accuracy(classes, float(separability))

    @pytest.mark.parametrize("spectrum", [0, 2])
    def test_means_are_separability_deviations_apart(self, spectrum: float):
        keys = asked(gaussian, separability=2.5, spectrum=spectrum).keys
        means, mixing = gaussian_model(keys)
        inputs, covariance = means @ mixing, mixing.T @ mixing
        for i, j in ((0, 1), (3, 9)):
            apart = inputs[i] - inputs[j]
            squared = apart @ np.linalg.solve(covariance, apart)
            assert math.sqrt(squared) == pytest.approx(2.5)
        assert np.allclose(means @ means.T, np.eye(10) * 2.5**2 / 2)

    def test_the_spectrum_is_that_of_the_examples(self):
        dataset = make(gaussian, train=50021, features=12, spectrum=1, separability=0)
        found = np.linalg.eigvalsh(np.cov(dataset.train.inputs.T))[::-1]
        expected = 1 / np.arange(1, 13)
        assert np.allclose(found, 12 * expected / expected.sum(), rtol=0.05)

    def test_the_rotation_leaves_no_axis_apart(self):
        _, mixing = gaussian_model(asked(gaussian, spectrum=2).keys)
        loadings = mixing / np.linalg.norm(mixing, axis=1, keepdims=True)
        assert np.abs(loadings).max() < 0.9

    def test_is_scaled_as_a_whole(self):
        assert make(gaussian).scaling == "whole"


class TestGraded:
    def test_examples_are_templates_under_noise_of_known_deviation(self):
        request = asked(graded, size=32)
        train = graded(request).train
        noise = train.inputs[..., 0] - graded_templates(request.keys)[train.labels]
        found = noise.std(axis=(1, 2)) / train.columns["difficulty"]
        # 1,024 pixels each: the error of a deviation is 1 / sqrt(2048)
        assert np.abs(found - 1).max() < 5 / math.sqrt(2048)

    def test_difficulties_are_log_uniform(self):
        train = make(graded, train=5003, easiest=0.5, hardest=8).train
        difficulty = train.columns["difficulty"]
        assert difficulty.dtype == np.float32
        counts, _ = np.histogram(np.log2(difficulty), 4, (-1, 3))
        assert counts.sum() == 5003
        assert np.abs(counts - 5003 / 4).max() < 4 * math.sqrt(5003 * 3) / 4

    def test_templates_are_smooth_and_equally_strong(self):
        templates = graded_templates(asked(graded, separability=2.5, size=24).keys)
        strength = np.sqrt(np.square(templates).mean(axis=(1, 2)))
        assert np.allclose(strength, 2.5)
        assert np.allclose(templates.mean(axis=(1, 2)), 0, atol=1e-9)
        for axis in (1, 2):  # steps of white noise would be 2.5 * sqrt(2)
            steps = np.square(np.diff(templates, axis=axis)).mean(axis=(1, 2))
            assert np.sqrt(steps).max() < 2.5 * 0.4
        correlations = np.corrcoef(templates.reshape(10, -1)) - np.eye(10)
        assert np.abs(correlations).max() < 0.9

    def test_an_order_must_exist(self):
        """The best rule there is falls with the known difficulty, from 1 to chance."""
        request = asked(graded, test=4003, hardest=50)
        test = graded(request).test
        templates = graded_templates(request.keys)
        scores = np.tensordot(test.inputs[..., 0], templates, ([1, 2], [1, 2]))
        right = scores.argmax(axis=1) == test.labels
        by_difficulty = right[np.argsort(test.columns["difficulty"])]
        shares = [part.mean() for part in np.array_split(by_difficulty, 5)]
        assert shares == sorted(shares, reverse=True)
        assert shares[0] == 1
        assert shares[-1] < 0.25

    def test_one_difficulty_for_all(self):
        difficulty = make(graded, easiest=2, hardest=2).train.columns["difficulty"]
        assert np.allclose(difficulty, 2)

    def test_is_scaled_as_a_whole(self):
        assert make(graded).scaling == "whole"
