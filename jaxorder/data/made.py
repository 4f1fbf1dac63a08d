"""Data made on purpose: what is to be learned is known, and how hard each example is.

Gabor patches and Gaussians have classes but no structure of natural images, and the
graded set has an order by construction: two contrasts and one positive control for
the order in which images are learned (after Hacohen et al. 2020).

All of it follows from the keys. Classes, training and test examples are drawn from
streams of their own, so that another number of training examples leaves the test
examples as they are. Numbers are worked out in float64 and rounded to float32: other
processors may differ in the last bit of a few values.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Float64, Int64

from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.request import Request
from jaxorder.spec import Spec

Labels = Int64[np.ndarray, "example"]

_ROWS = 4096  # examples held as float64 at a time

# Cycles per pixel, below Nyquist's 0.5. A patch is one standard deviation of its
# envelope, a quarter of the image, to either side of a point in the middle half; its
# lowest frequency passes twice through the image.
_HIGHEST_FREQUENCY = 0.4
_LOWEST_CYCLES = 2.0
_ENVELOPE = 0.25
_LEAST_CONTRAST = 0.5

_WAVES = 4  # frequencies along each side of a graded template, the constant included


def gabor(request: Request) -> Dataset:
    """Gabor patches, made: classes are bands of orientation and spatial frequency.

    A class is one of F bands of frequency (equal in octaves) in one of K / F bands of
    orientation, F the largest divisor of K up to sqrt(K). Within its class a patch
    has any orientation and frequency of the band but for the share `separability`,
    half of it at either border: 0 lets the bands touch, 1 leaves one orientation and
    one frequency. Phase, position and contrast are random, and white noise of
    deviation `noise` is added. The columns orientation (radians), frequency (cycles
    per pixel) and contrast tell what was drawn.

    Args:
        request: Keys classes, train, test, size, separability, noise, seed.

    Returns:
        Images [size size 1], float32: grey is 0, the amplitude 0.5 to 1.

    Raises:
        RequestError: A key is out of range.

    References:
        Daugman, Uncertainty relation for resolution in space, spatial frequency, and
        orientation, JOSA A 1985.
    """
    keys = request.keys
    size, noise = _gabor_size(keys), keys.number("noise", 0, 1e3)
    orientations, frequencies = gabor_bands(keys)

    def draw(rng: np.random.Generator, labels: Labels) -> Split:
        drawn = {
            "orientation": rng.uniform(*orientations[labels].T),
            "frequency": rng.uniform(*frequencies[labels].T),
            "contrast": rng.uniform(_LEAST_CONTRAST, 1, labels.size),
        }
        images = _gabor_images(rng, size, noise, np.stack([*drawn.values()]))
        columns = {name: value.astype(np.float32) for name, value in drawn.items()}
        return Split(images, labels, columns=columns)

    names = [
        f"{math.degrees(orientation):.4g}deg {frequency:.3g}/px"
        for orientation, frequency in zip(
            orientations.mean(axis=1), frequencies.mean(axis=1), strict=True
        )
    ]
    return Dataset(request.source, *_splits(keys, draw), tuple(names))


def gaussian(request: Request) -> Dataset:
    """Gaussian classes, made: one covariance, every two means equally far apart.

    Any two means are `separability` standard deviations apart (Mahalanobis). The
    covariance has the eigenvalues i^-spectrum, scaled to a mean of 1, in a random
    rotation. The fact bayes_accuracy is the accuracy of the best classifier.

    Args:
        request: Keys classes, train, test, features, separability, spectrum, seed.

    Returns:
        Vectors [feature], float32; scaled as a whole, which keeps the spectrum.

    Raises:
        RequestError: A key is out of range.
    """
    keys = request.keys
    means, mixing = gaussian_model(keys)

    def draw(rng: np.random.Generator, labels: Labels) -> Split:
        noise = rng.standard_normal((labels.size, len(mixing)))
        return Split((means[labels] + noise) @ mixing, labels)

    best = bayes_accuracy(len(means), keys.number("separability", 0, 1e3))
    return Dataset(
        request.source,
        *_splits(keys, draw),
        class_names=tuple(map(str, range(len(means)))),
        scaling="whole",
        facts={"bayes_accuracy": best},
    )


def graded(request: Request) -> Dataset:
    """Patterns under noise, made: the difficulty of each example is known.

    A class is one smooth pattern of root mean square `separability`. An example is
    its class's pattern under white noise, whose deviation is drawn from `easiest` to
    `hardest` (log-uniform) and kept in the column difficulty.

    Args:
        request: Keys classes, train, test, size, easiest, hardest, separability, seed.

    Returns:
        Images [size size 1], float32; scaled as a whole.

    Raises:
        RequestError: A key is out of range, or easiest is above hardest.
    """
    keys = request.keys
    easiest, hardest = (keys.number(k, 1e-3, 1e3) for k in ("easiest", "hardest"))
    if easiest > hardest:
        raise keys.refused("easiest", f"at most hardest={keys['hardest']}")
    templates = graded_templates(keys)

    def draw(rng: np.random.Generator, labels: Labels) -> Split:
        exponents = rng.uniform(math.log(easiest), math.log(hardest), labels.size)
        difficulty = np.exp(exponents).astype(np.float32)
        noise = rng.standard_normal((labels.size, *templates.shape[1:]))
        images = templates[labels] + difficulty[:, None, None] * noise
        return Split(images[..., None], labels, columns={"difficulty": difficulty})

    return Dataset(
        request.source,
        *_splits(keys, draw),
        class_names=tuple(map(str, range(len(templates)))),
        scaling="whole",
    )


def bayes_accuracy(classes: int, separability: float) -> float:
    """Return the accuracy of the best classifier of equally frequent Gaussian classes.

    Every two of their means are equally far apart, so that they can be seen as
    orthogonal signals of length c = separability / sqrt(2) in white noise: the right
    one answers N(c, 1), each other N(0, 1), and

        accuracy = integral of phi(z - c) Phi(z)^(classes - 1) dz.

    Args:
        classes: How many, from 2 on.
        separability: Mahalanobis distance of two means.

    Returns:
        From 1 / classes on.

    References:
        Proakis and Salehi, Digital Communications, 5th edition 2008, chapter 4
        (orthogonal signalling); for two classes it is Phi(separability / 2).

    Example:
        >>> round(bayes_accuracy(2, 2.0), 6), round(bayes_accuracy(10, 0.0), 6)
        (0.841345, 0.1)
    """
    from scipy.integrate import quad
    from scipy.special import ndtr

    length = separability / math.sqrt(2)

    def right(noise: float) -> float:
        density = math.exp(-(noise**2) / 2) / math.sqrt(2 * math.pi)
        return density * float(ndtr(noise + length)) ** (classes - 1)

    return quad(right, -9, 9)[0]  # beyond, phi holds 2e-19


def gaussian_model(
    keys: Spec,
) -> tuple[
    Float64[np.ndarray, "class feature"], Float64[np.ndarray, "feature feature"]
]:
    """Return what a Gaussian source draws from.

    Args:
        keys: Those of `gaussian`.

    Returns:
        The class means in the whitened space, orthogonal and equally long, and the
        matrix M by which a whitened row z becomes the input z M.

    Raises:
        RequestError: A key is out of range.
    """
    classes, features = keys.whole("classes", 2), _at_least_classes(keys, "features")
    rng = _streams(keys)[0]
    length = keys.number("separability", 0, 1e3) / math.sqrt(2)
    means = length * _orthonormal(rng, features, classes).T
    # steeper, and float32 would lose what lies along the least eigenvalues
    eigenvalues = np.arange(1.0, features + 1) ** -keys.number("spectrum", 0, 4)
    eigenvalues /= eigenvalues.mean()
    rotation = _orthonormal(rng, features, features)
    return means, np.sqrt(eigenvalues)[:, None] * rotation.T


def graded_templates(keys: Spec) -> Float64[np.ndarray, "class height width"]:
    """Return the patterns of the classes of a graded source.

    Args:
        keys: Those of `graded`.

    Returns:
        Random sums of the lowest cosines along both sides, without a constant, of
        root mean square `separability`.

    Raises:
        RequestError: A key is out of range.
    """
    classes, size = keys.whole("classes", 2), keys.whole("size", _WAVES)
    pixels, waves = np.arange(size)[:, None] + 0.5, np.arange(_WAVES)
    cosines = np.cos(math.pi * pixels * waves / size)
    weights = _streams(keys)[0].standard_normal((classes, _WAVES, _WAVES))
    weights[:, 0, 0] = 0
    patterns = cosines @ weights @ cosines.T
    strength = np.sqrt(np.square(patterns).mean(axis=(1, 2), keepdims=True))
    return keys.number("separability", 0, 1e3) * patterns / strength


def gabor_bands(
    keys: Spec,
) -> tuple[Float64[np.ndarray, "class 2"], Float64[np.ndarray, "class 2"]]:
    """Return what the classes of a Gabor source may have.

    Args:
        keys: Those of `gabor`.

    Returns:
        Least and greatest orientation (radians) of each class, and frequency (cycles
        per pixel).

    Raises:
        RequestError: A key is out of range.
    """
    classes = keys.whole("classes", least=2)
    frequencies = max(n for n in range(1, math.isqrt(classes) + 1) if classes % n == 0)
    orientations = classes // frequencies
    free = keys.number("separability", 0, 1) / 2
    ends = np.array([free, 1 - free])
    orientation = math.pi * (np.arange(orientations)[:, None] + ends) / orientations
    lowest = _LOWEST_CYCLES / _gabor_size(keys)
    octaves = (np.arange(frequencies)[:, None] + ends) / frequencies
    frequency = lowest * (_HIGHEST_FREQUENCY / lowest) ** octaves
    return (
        np.repeat(orientation, frequencies, axis=0),
        np.tile(frequency, (orientations, 1)),
    )


def _gabor_size(keys: Spec) -> int:
    return keys.whole("size", least=8)  # smaller, and the lowest frequency is too high


def _gabor_images(
    rng: np.random.Generator,
    size: int,
    noise: float,
    drawn: Float64[np.ndarray, "3 example"],
) -> Float32[np.ndarray, "example {size} {size} 1"]:
    examples = drawn.shape[1]
    phase = rng.uniform(0, 2 * math.pi, examples)
    position = (size - 1) / 2 + size * rng.uniform(-0.25, 0.25, (2, examples))
    parameters = np.stack([*drawn, phase, *position])
    images = np.empty((examples, size, size, 1), np.float32)
    for start in range(0, examples, _ROWS):
        rows = slice(start, start + _ROWS)
        patches = _patches(size, *parameters[:, rows, None, None])
        images[rows, ..., 0] = patches + noise * rng.standard_normal(patches.shape)
    return images


def _patches(
    size: int,
    orientation: Float64[np.ndarray, "example 1 1"],
    frequency: Float64[np.ndarray, "example 1 1"],
    contrast: Float64[np.ndarray, "example 1 1"],
    phase: Float64[np.ndarray, "example 1 1"],
    row: Float64[np.ndarray, "example 1 1"],
    column: Float64[np.ndarray, "example 1 1"],
) -> Float64[np.ndarray, "example {size} {size}"]:
    down, right = np.arange(size)[:, None] - row, np.arange(size) - column
    along = right * np.cos(orientation) + down * np.sin(orientation)
    radius = np.hypot(down, right) / (_ENVELOPE * size)
    wave = np.cos(2 * math.pi * frequency * along + phase)
    return contrast * np.exp(-(radius**2) / 2) * wave


def _streams(keys: Spec) -> list[np.random.Generator]:
    """Return what to draw the classes, the training and the test examples from."""
    children = np.random.SeedSequence(keys.whole("seed", least=0)).spawn(3)
    return [np.random.Generator(np.random.PCG64(child)) for child in children]


def _splits(
    keys: Spec, draw: Callable[[np.random.Generator, Labels], Split]
) -> tuple[Split, Split]:
    _, of_train, of_test = _streams(keys)
    return (
        draw(of_train, _labels(of_train, keys, "train")),
        draw(of_test, _labels(of_test, keys, "test")),
    )


def _labels(rng: np.random.Generator, keys: Spec, split: str) -> Labels:
    examples, classes = _at_least_classes(keys, split), keys.whole("classes", least=2)
    # shuffled, since members may be given every other example
    return rng.permutation(np.arange(examples) % classes)


def _at_least_classes(keys: Spec, key: str) -> int:
    number, classes = keys.whole(key), keys.whole("classes", least=2)
    if number < classes:
        raise keys.refused(key, f"at least classes={classes}")
    return number


def _orthonormal(
    rng: np.random.Generator, rows: int, columns: int
) -> Float64[np.ndarray, "{rows} {columns}"]:
    """Draw orthonormal columns, uniformly (Mezzadri 2007: QR with a positive R)."""
    q, r = np.linalg.qr(rng.standard_normal((rows, columns)))
    return q * np.sign(np.diag(r))
