"""What can be done to any data set before it is learned, noted in its facts.

A step leaves ids and columns with their examples, and draws, where it draws at all,
from a seed of its own.
"""

import dataclasses
import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, Shaped

from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.options import DataOptions, Duplicates, Noise
from jaxorder.data.subset import take_examples
from jaxorder.errors import RequestError, given

Labels = Int32[np.ndarray, "example"]

NEAR = 0.02  # root mean square difference of near duplicates, in ranges of the inputs

_ROWS = 4096  # examples held as float64 at a time
_SAMPLE = 1000  # examples that the axes of the search for near duplicates are fit on
_AXES = 32  # of them
_QUERIES = 1024  # examples whose neighbours are held at a time


def transformed(dataset: Dataset, wanted: DataOptions) -> Dataset:
    """Transform a data set.

    Sizes are taken of what is left of the classes and without duplicates, labels are
    changed in what is learned, and components are found of it.

    Args:
        dataset: What to transform.
        wanted: What to do, always in the order classes, duplicates, sizes, labels,
            components, scaling; images have their size already.

    Returns:
        The transformed data set; the same where nothing is wanted.

    Raises:
        RequestError: As each of the steps does.
    """
    if wanted.classes is not None:
        dataset = keep_classes(dataset, wanted.classes)
    if wanted.drop_duplicates is not None:
        dataset = drop_duplicates(dataset, wanted.drop_duplicates)
    dataset = take_examples(
        dataset,
        train_examples=wanted.train_examples,
        test_examples=wanted.test_examples,
    )
    if wanted.label_noise:
        share, seed = wanted.label_noise, wanted.noise_seed
        dataset = label_noise(dataset, share, wanted.noise, seed)
    if wanted.shuffle_labels:
        dataset = shuffle_labels(dataset, wanted.shuffle_seed)
    dataset = dataset if wanted.pca is None else pca(dataset, wanted.pca)[0]
    return unit_range(dataset) if wanted.scaling == "unit" else dataset


def unit_range(dataset: Dataset) -> Dataset:
    """Let networks see bytes divided by 255, not moved to mean 0 and deviation 1.

    Raises:
        RequestError: The inputs are no bytes.
    """
    if dataset.train.inputs.dtype != np.uint8:
        raise RequestError(
            f"{given('scaling', 'unit')}: needs inputs that are bytes, from 0 to 255; "
            f"those of {dataset.name} are {dataset.train.inputs.dtype}"
        )
    return dataclasses.replace(dataset, scaling="unit")


def keep_classes(dataset: Dataset, classes: str) -> Dataset:
    """Keep the examples of some classes, renumbered in the order given.

    A column original_label is renumbered too; what is no longer a class becomes -1.
    The fact bayes_accuracy, true of all classes only, is left out.

    Args:
        dataset: What to choose from.
        classes: Two or more, by name or number, joined by commas.

    Returns:
        The smaller data set; facts say the numbers kept and the examples dropped.

    Raises:
        RequestError: A class is unknown or repeated, there are fewer than two, or
            they have no test example.
    """
    option = given("classes", classes)
    kept = [_class_number(part.strip(), dataset, option) for part in classes.split(",")]
    names = tuple(dataset.class_names[number] for number in kept)
    if len(set(kept)) < len(kept):
        repeated = next(
            n for n, k in zip(names, kept, strict=True) if kept.count(k) > 1
        )
        raise RequestError(f"{option}: has {repeated} more than once; give it once")
    if len(kept) < 2:
        raise RequestError(f"{option}: is one class only; give two or more")
    if not np.isin(dataset.test.labels, kept).any():
        raise RequestError(f"{option}: no test example of {dataset.name} is of these")
    numbers = np.full(dataset.num_classes, -1, np.int32)
    numbers[kept] = np.arange(len(kept))
    smaller = dataclasses.replace(
        dataset,
        train=_renumbered(dataset.train, numbers),
        test=_renumbered(dataset.test, numbers),
        class_names=names,
        facts={k: v for k, v in dataset.facts.items() if k != "bayes_accuracy"},
    )
    return _noted(smaller, "keep_classes", kept=kept, **_dropped(dataset, smaller))


def label_noise(
    dataset: Dataset, share: float, kind: Noise = "symmetric", seed: int = 0
) -> Dataset:
    """Change the labels of a share of the training examples; others keep theirs.

    Args:
        dataset: What to change.
        share: Of the training examples, 0 to 1: exactly round(share * N) are changed.
        kind: `symmetric` draws another class, each as likely; `pair` takes the next
            class, the first after the last; `shuffle` exchanges labels among the
            chosen, so that the classes keep their sizes. Then no more than half of
            the chosen are of one class, which for few or unlike classes is a choice
            by class.
        seed: Chooses the examples and the labels.

    Returns:
        The data set with the column original_label in its training split; facts say
        how many labels were changed.

    Raises:
        RequestError: The share is not from 0 to 1, that many labels cannot be
            exchanged so that each changes, or a class would be left without examples.

    References:
        Patrini et al., Making Deep Neural Networks Robust to Label Noise, CVPR 2017
        (symmetric and pair noise).
    """
    _check_share(share)
    option, rng = given("label_noise", share), _generator(seed)
    before, count = dataset.train.labels, round(share * dataset.train.labels.size)
    order = rng.permutation(before.size)
    if kind == "shuffle":
        order = order[_rank_in_class(before[order]) < count // 2]
        if order.size < count:
            raise RequestError(
                f"{option}: {count} labels of {dataset.name} cannot be exchanged so "
                f"that each changes, as at most {order.size} could be chosen with no "
                "class above half of them; change fewer, or give "
                f"{given('noise', 'symmetric')}"
            )
    chosen = order[:count]
    labels = before.copy()
    labels[chosen] = _others(rng, before[chosen], dataset.num_classes, kind)
    advice = f"give a smaller share or another {given('noise_seed')}"
    _check_left(labels, dataset, f"{option} {given('noise', kind)}", advice)
    noisy = dataclasses.replace(dataset, train=dataset.train.with_labels(labels))
    how = {"share": share, "kind": kind, "seed": seed, "changed": count}
    return _noted(noisy, "label_noise", **how)


def shuffle_labels(dataset: Dataset, seed: int = 0) -> Dataset:
    """Permute all training labels at random, so that inputs say nothing of them.

    Args:
        dataset: What to change.
        seed: Chooses the permutation.

    Returns:
        The data set with the column original_label in its training split; facts say
        how many labels differ from the original ones.

    References:
        Zhang et al., Understanding Deep Learning Requires Rethinking Generalization,
        ICLR 2017.
    """
    before = dataset.train.labels
    labels = _generator(seed).permutation(before)
    shuffled = dataclasses.replace(dataset, train=dataset.train.with_labels(labels))
    changed = int((labels != before).sum())
    return _noted(shuffled, "shuffle_labels", seed=seed, changed=changed)


@dataclass(frozen=True, eq=False)
class Projection:
    """What takes inputs to their leading principal components.

    Attributes:
        mean: Of the training inputs, flattened.
        components: Orthonormal directions of greatest variance, that first; the
            largest weight of each is positive.
    """

    mean: Float32[np.ndarray, "feature"]
    components: Float32[np.ndarray, "component feature"]

    def apply(
        self, inputs: Shaped[np.ndarray, "example *input"]
    ) -> Float32[np.ndarray, "example component"]:
        """Return the components of inputs.

        Args:
            inputs: Of the shape of the training inputs, or flattened.
        """
        components = self.components.T.astype(np.float64)
        found = [rows @ components for rows in _centred(inputs, self.mean)]
        return np.concatenate(found).astype(np.float32)


def pca(dataset: Dataset, components: int) -> tuple[Dataset, Projection]:
    """Replace inputs by their leading principal components, found on the train split.

    Args:
        dataset: What to project; images are flattened.
        components: How many, up to the lesser of the training examples and features.

    Returns:
        The data set of vectors [component], scaled as a whole and with its
        `projection`; facts say what share of the variance is kept. And the
        projection.

    Raises:
        RequestError: The number is out of range, the inputs are words, or they are
            projected already.
    """
    option, inputs = given("pca", components), dataset.train.inputs
    most = min(len(inputs), int(np.prod(inputs.shape[1:])))
    if dataset.train.tokens:
        raise RequestError(f"{option}: the inputs of {dataset.name} are words")
    if dataset.projection is not None:
        raise RequestError(
            f"{option}: the inputs of {dataset.name} are components already; ask for "
            "the fewer at once"
        )
    if not 1 <= components <= most:
        raise RequestError(
            f"{option}: {dataset.name} has {len(inputs)} training examples of "
            f"{inputs[0].size} features; give 1 to {most}"
        )
    projection = _principal(inputs, components)
    train, test = (
        split.with_inputs(projection.apply(split.inputs))
        for split in (dataset.train, dataset.test)
    )
    kept = _squares(train.inputs, np.zeros(components))
    whole = _squares(inputs, projection.mean)
    projected = dataclasses.replace(
        dataset, train=train, test=test, scaling="whole", projection=projection
    )
    how = {"components": components, "variance": kept / whole if whole else 1.0}
    return _noted(projected, "pca", **how), projection


def drop_duplicates(dataset: Dataset, kind: Duplicates = "exact") -> Dataset:
    """Drop examples that equal an earlier one that is kept.

    The training examples come before the test examples: a test example that equals
    one to be learned is dropped, and no two that are kept are equal. Near duplicates
    among 70,000 images are found in seconds; among as many vectors of noise, which
    have no leading components, it can take hours.

    Args:
        dataset: What to choose from.
        kind: `exact` takes inputs as equal that agree bit by bit, `near` those whose
            root mean square difference is at most 2 % of the range (greatest - least)
            of the training inputs.

    Returns:
        The smaller data set; facts say how many of each split were dropped, and how
        many of these had another label than what they equal ("conflicting").

    Raises:
        RequestError: `near` is asked for words, or a class would be left without
            training examples, or the test split without any.
    """
    option, train, test = given("drop_duplicates", kind), dataset.train, dataset.test
    if kind == "near" and train.tokens:
        raise RequestError(
            f"{option}: the inputs of {dataset.name} are words, which are equal or "
            f"not; give {given('drop_duplicates', 'exact')}"
        )
    inputs = np.concatenate([train.inputs, test.inputs])
    inputs = inputs.reshape(len(inputs), -1)
    labels = np.concatenate([train.labels, test.labels])
    if kind == "exact":
        equals = _first_equal(inputs)
    else:
        equals = _first_near(inputs, inputs[: train.labels.size])
    kept = equals == np.arange(equals.size)
    of_train, of_test = np.split(kept, [train.labels.size])
    _check_left(train.labels[of_train], dataset, option, "leave the duplicates in")
    if not of_test.any():
        raise RequestError(
            f"{option}: each test example of {dataset.name} equals a training example; "
            "leave the duplicates in or give other test examples"
        )
    smaller = dataclasses.replace(
        dataset,
        train=train.take(np.flatnonzero(of_train)),
        test=test.take(np.flatnonzero(of_test)),
    )
    conflicts = np.split(labels != labels[equals], [train.labels.size])
    return _noted(
        smaller,
        "drop_duplicates",
        kind=kind,
        **_dropped(dataset, smaller),
        train_conflicting=int(conflicts[0].sum()),
        test_conflicting=int(conflicts[1].sum()),
    )


def resize(dataset: Dataset, pixels: int) -> Dataset:
    """Bring images to a square (PIL's bilinear, which averages where it shrinks).

    Args:
        dataset: Images.
        pixels: Their height and width.

    Returns:
        The data set of images [pixels pixels channel], of the type they had.

    Raises:
        RequestError: The inputs are not images, or pixels is not from 1 on.
    """
    option, shape = given("resize", pixels), dataset.input_shape
    if len(shape) != 3:
        raise RequestError(
            f"{option}: the inputs of {dataset.name} have shape {shape}; wanted images"
        )
    if pixels < 1:
        raise RequestError(f"{option}: wanted 1 pixel or more")
    train, test = (
        split.with_inputs(_resized(split.inputs, pixels))
        for split in (dataset.train, dataset.test)
    )
    resized = dataclasses.replace(dataset, train=train, test=test)
    return _noted(resized, "resize", pixels=pixels, before=list(shape[:2]))


def _noted(dataset: Dataset, name: str, **done: Any) -> Dataset:
    if name in dataset.facts:
        done["earlier"] = dataset.facts[name]
    return dataclasses.replace(dataset, facts={**dataset.facts, name: done})


def _dropped(before: Dataset, after: Dataset) -> dict[str, int]:
    return {
        f"{which}_dropped": before.split(which).ids.size - after.split(which).ids.size
        for which in ("train", "test")
    }


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise RequestError(f"{given('label_noise', share)}: must be from 0 to 1")


def _check_left(labels: Labels, dataset: Dataset, option: str, advice: str) -> None:
    lost = np.setdiff1d(np.arange(dataset.num_classes), labels)
    if lost.size:
        raise RequestError(
            f"{option}: leaves {dataset.name} no training example of the class "
            f"{dataset.class_names[lost[0]]}; {advice}"
        )


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _class_number(wanted: str, dataset: Dataset, option: str) -> int:
    names = dataset.class_names
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    there = f"there are 0 ({names[0]}) to {len(names) - 1} ({names[-1]})"
    if close := difflib.get_close_matches(wanted, names, n=1):
        there = f"did you mean {close[0]}?"
    raise RequestError(f"{option}: {dataset.name} has no class {wanted!r}; {there}")


def _renumbered(split: Split, numbers: Int32[np.ndarray, "class"]) -> Split:
    chosen = split.take(np.flatnonzero(numbers[split.labels] >= 0))
    columns = dict(chosen.columns)
    if "original_label" in columns:
        columns["original_label"] = numbers[columns["original_label"]]
    labels = numbers[chosen.labels]
    return Split(chosen.inputs, labels, chosen.ids, columns, tokens=chosen.tokens)


def _rank_in_class(labels: Labels) -> Int64[np.ndarray, "example"]:
    """Return how many of the same label stand before each."""
    ranks = np.empty(labels.size, np.int64)
    sizes = np.unique(labels, return_counts=True)[1]
    by_class = np.argsort(labels, kind="stable")
    ranks[by_class] = np.concatenate([np.arange(size) for size in sizes])
    return ranks


def _others(
    rng: np.random.Generator, labels: Labels, classes: int, kind: Noise
) -> Labels:
    if kind == "shuffle":
        return _deranged(rng, labels)
    steps = rng.integers(1, classes, labels.size) if kind == "symmetric" else 1
    return ((labels + steps) % classes).astype(np.int32)


def _deranged(rng: np.random.Generator, labels: Labels) -> Labels:
    """Permute labels so that none stays, of which none makes up more than half."""
    moved = rng.permutation(labels)
    while (stayed := np.flatnonzero(moved == labels)).size:
        one = stayed[0]
        # the exchange leaves both changed; there is one to exchange with, since where
        # the label was and where it went are fewer places than all
        free = (labels != labels[one]) & (moved != labels[one])
        other = rng.choice(np.flatnonzero(free))
        moved[[one, other]] = moved[[other, one]]
    return moved


def _centred(
    inputs: Shaped[np.ndarray, "example *input"],
    mean: Shaped[np.ndarray, "feature"],
) -> Iterator[Float64[np.ndarray, "rows feature"]]:
    """Give flattened inputs less the mean, so many at a time."""
    for start in range(0, len(inputs), _ROWS):
        rows = inputs[start : start + _ROWS]
        yield rows.reshape(len(rows), -1).astype(np.float64) - mean


def _squares(
    inputs: Shaped[np.ndarray, "example *input"], mean: Shaped[np.ndarray, "feature"]
) -> float:
    return sum(float(np.vdot(rows, rows)) for rows in _centred(inputs, mean))


def _principal(
    inputs: Shaped[np.ndarray, "example *input"], components: int
) -> Projection:
    from scipy.linalg import eigh, svd

    mean = inputs.mean(axis=0, dtype=np.float64).ravel().astype(np.float32)
    if len(inputs) < mean.size:  # the matrix of covariances would be the larger
        found = svd(np.concatenate([*_centred(inputs, mean)]), full_matrices=False)[2]
        axes = found[:components]
    else:
        covariance = sum(rows.T @ rows for rows in _centred(inputs, mean))
        leading = (mean.size - components, mean.size - 1)
        axes = eigh(covariance, subset_by_index=leading)[1].T[::-1]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], axis=1)
    return Projection(mean, (axes * np.sign(largest)).astype(np.float32))


def _first_equal(
    inputs: Shaped[np.ndarray, "example feature"],
) -> Int64[np.ndarray, "example"]:
    """Return for each example the first that it equals, at least itself."""
    first: dict[bytes, int] = {}
    hashes = (hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in inputs)
    return np.array([first.setdefault(key, i) for i, key in enumerate(hashes)])


def _first_near(
    inputs: Shaped[np.ndarray, "example feature"],
    training: Shaped[np.ndarray, "training feature"],
) -> Int64[np.ndarray, "example"]:
    """Return for each example the first kept one near it, itself where it is kept."""
    from scipy.spatial import KDTree

    most = NEAR * (float(training.max()) - float(training.min()))
    sample = training[:: -(-len(training) // _SAMPLE)]
    axes = _principal(sample, min(_AXES, *sample.shape))
    places = np.concatenate([*_places(inputs, axes)])
    tree = KDTree(places)
    radius = most * np.sqrt(inputs.shape[1]) * (1 + 1e-5)  # the axes are in float32
    first = np.arange(len(inputs))
    for start in range(0, len(inputs), _QUERIES):
        found = tree.query_ball_point(places[start : start + _QUERIES], radius)
        for position, around in enumerate(found, start):
            if len(around) == 1:  # itself
                continue
            others = np.array(sorted(around))
            kept = others[(others < position) & (first[others] == others)]
            close = _mean_squares(inputs[kept], inputs[position]) <= most**2
            first[position] = kept[close.argmax()] if close.any() else position
    return first


def _mean_squares(
    inputs: Shaped[np.ndarray, "example feature"],
    centre: Shaped[np.ndarray, "feature"],
) -> Float64[np.ndarray, "example"]:
    parts = [np.square(rows).mean(axis=1) for rows in _centred(inputs, centre)]
    return np.concatenate([np.empty(0), *parts])


def _places(
    inputs: Shaped[np.ndarray, "example feature"], axes: Projection
) -> Iterator[Float64[np.ndarray, "rows coordinate"]]:
    """Give points in few dimensions that lie no farther apart than the inputs do.

    Along with what the axes leave of each: the lengths of two rests differ by no more
    than the rests are apart.
    """
    directions = axes.components.astype(np.float64)
    for rows in _centred(inputs, axes.mean):
        along = rows @ directions.T
        rest = np.linalg.norm(rows - along @ directions, axis=1)
        yield np.column_stack([along, rest])


def _resized(
    images: Shaped[np.ndarray, "example height width channel"], pixels: int
) -> Shaped[np.ndarray, "example {pixels} {pixels} channel"]:
    from PIL import Image

    examples, height, width, channels = images.shape
    planes = np.moveaxis(images, 3, 1).reshape(-1, height, width)
    found = np.empty((len(planes), pixels, pixels), images.dtype)
    for plane, into in zip(planes, found, strict=True):
        image = Image.fromarray(plane)  # of mode L for uint8, F for float32
        into[:] = image.resize((pixels, pixels), Image.Resampling.BILINEAR)
    return np.moveaxis(found.reshape(examples, channels, pixels, pixels), 1, 3)
