import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxorder.data.dataset import Dataset, Split, from_arrays
from jaxorder.data.options import DataOptions
from jaxorder.data.sources import load
from jaxorder.data.standardize import standardization
from jaxorder.data.transform import (
    Noise,
    drop_duplicates,
    keep_classes,
    label_noise,
    pca,
    resize,
    shuffle_labels,
    transformed,
)
from jaxorder.errors import RequestError
from tests.refused import refusal

NOISES = get_args(Noise)
seeds = st.integers(0, 2**32)


def made(
    train: int = 103, test: int = 37, classes: int = 4, shape: tuple[int, ...] = (6,)
) -> Dataset:
    """Make a set whose ids and column `tag` tell each example apart."""
    rng = np.random.default_rng(0)
    train_split, test_split = (
        Split(
            rng.standard_normal((count, *shape)),
            np.arange(count) % classes,
            first + np.arange(count)[::-1],
            {"tag": np.arange(count)[::-1] + 0.5},
        )
        for count, first in ((train, 10**5), (test, 10**6))
    )
    return Dataset("mine", train_split, test_split, tuple("abcdefgh"[:classes]))


def labelled(labels: list[int]) -> Dataset:
    inputs = np.arange(len(labels))[:, None]
    return from_arrays("mine", inputs, np.array(labels), inputs[:1], np.zeros(1, int))


def words() -> Dataset:
    split = Split(np.arange(12).reshape(6, 2), np.arange(6) % 3, tokens=True)
    return Dataset("posts", split, split, ("a", "b", "c"), "none")


def wanted(**options: Any) -> DataOptions:
    return DataOptions(data="mine", **options)


def check_followed(split: Split, whole: Split) -> None:
    """Check that ids, columns and inputs stand with the examples they had."""
    at = {int(i): position for position, i in enumerate(whole.ids)}
    positions = [at[int(i)] for i in split.ids]
    assert np.array_equal(split.columns["tag"], whole.columns["tag"][positions])
    assert np.array_equal(split.inputs, whole.inputs[positions])


@pytest.fixture(scope="module")
def clothing(real_data: Path) -> Dataset:
    return load("fashion_mnist", data_dir=real_data / "tfds")


class TestKeepClasses:
    def test_keeps_examples_in_the_order_of_the_classes_given(self):
        whole = made()
        kept = keep_classes(whole, "3, a,1")
        assert kept.class_names == ("d", "a", "b")
        for split, before in ((kept.train, whole.train), (kept.test, whole.test)):
            check_followed(split, before)
            chosen = before.take(np.flatnonzero(before.labels != 2))
            assert np.array_equal(split.ids, chosen.ids)
            assert np.array_equal(np.array([3, 0, 1])[split.labels], chosen.labels)
        assert kept.facts["keep_classes"] == {
            **{"kept": [3, 0, 1], "train_dropped": 26, "test_dropped": 9}
        }

    def test_names_come_before_numbers(self):
        digits = keep_classes(load("digits"), "7,3,1")
        assert digits.class_names == ("7", "3", "1")
        assert keep_classes(digits, "1,7").facts["keep_classes"]["kept"] == [2, 0]

    def test_original_labels_are_renumbered(self):
        noisy = label_noise(made(), 0.5, "pair")
        kept = keep_classes(noisy, "3,0").train
        # pair noise makes d of c and a of d
        before = {0: {0, -1}, 1: {1, 0}}
        for label, originals in before.items():
            found = kept.columns["original_label"][kept.labels == label]
            assert set(found.tolist()) == originals

    def test_what_is_true_of_all_classes_is_left_out(self):
        dataset = replace(made(), facts={"bayes_accuracy": 0.5, "origin": "here"})
        facts = keep_classes(dataset, "a,b").facts
        assert set(facts) == {"origin", "keep_classes"}

    def test_words_stay_words(self):
        assert keep_classes(words(), "c,a").train.tokens

    @pytest.mark.parametrize(
        ("classes", "said"),
        [
            ("a,B", "has no class 'B'; there are 0 (a) to 3 (d)"),
            ("a,4", "has no class '4'; there are 0 (a) to 3 (d)"),
            ("a,", "has no class ''; there are 0 (a) to 3 (d)"),
            ("a,b,0", "has a more than once; give it once"),
            ("c", "is one class only; give two or more"),
        ],
    )
    def test_refuses(self, classes: str, said: str):
        message = refusal(keep_classes, made(), classes)
        assert message.startswith(f'classes="{classes}": ')
        assert message.endswith(said)

    def test_refuses_a_misspelled_class_with_what_was_meant(self):
        named = replace(made(), class_names=("T-shirt/top", "Trouser", "Coat", "Bag"))
        assert refusal(keep_classes, named, "Bag,Trousers") == (
            "classes=\"Bag,Trousers\": mine has no class 'Trousers'; did you mean "
            "Trouser?"
        )

    def test_refuses_classes_without_test_examples(self):
        dataset = labelled([0, 1, 2])
        assert refusal(keep_classes, dataset, "1,2") == (
            'classes="1,2": no test example of mine is of these'
        )


class TestLabelNoise:
    @settings(deadline=None)
    @given(
        st.floats(0, 1),
        st.integers(2, 6),
        # with fewer, chance can leave a class without any, which is refused
        st.integers(200, 300),
        st.sampled_from(NOISES),
        seeds,
    )
    def test_changes_exactly_the_share(
        self, share: float, classes: int, examples: int, kind: Noise, seed: int
    ):
        dataset = made(examples, classes=classes)
        count = round(share * examples)
        if kind == "shuffle" and not exchangeable(dataset.train.labels, count):
            assert "cannot be exchanged" in refusal(
                label_noise, dataset, share, kind, seed
            )
            return
        noisy = label_noise(dataset, share, kind, seed)
        before, after = dataset.train.labels, noisy.train.labels
        assert np.count_nonzero(before != after) == count
        assert np.array_equal(noisy.train.columns["original_label"], before)
        assert noisy.facts["label_noise"] == {
            **{"share": share, "kind": kind, "seed": seed, "changed": count}
        }
        check_followed(noisy.train, dataset.train)
        assert noisy.test is dataset.test
        if kind == "shuffle":
            assert np.array_equal(np.bincount(before), np.bincount(after))
        if kind == "pair":
            assert set((after - before) % classes) <= {0, 1}

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.data())
    def test_shuffle_works_wherever_it_can(self, drawn: list[int], data: st.DataObject):
        labels = [0, 1, 2, 3, *drawn]
        count = data.draw(st.integers(0, len(labels)))
        share, seed = count / len(labels), data.draw(seeds)
        if exchangeable(np.array(labels), count):
            after = label_noise(labelled(labels), share, "shuffle", seed).train.labels
            assert np.count_nonzero(after != labels) == count
            assert Counter(after.tolist()) == Counter(labels)
        else:
            said = refusal(label_noise, labelled(labels), share, "shuffle", seed)
            assert f": {count} labels of mine cannot be exchanged" in said

    @pytest.mark.parametrize("kind", NOISES)
    def test_the_seed_chooses(self, kind: Noise):
        one, same, other = (
            label_noise(made(), 0.5, kind, seed).train.labels for seed in (3, 3, 4)
        )
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)

    @pytest.mark.parametrize("kind", ["symmetric", "shuffle"])
    def test_each_other_class_is_as_likely(self, kind: Noise):
        dataset = made(20000)
        after = label_noise(dataset, 0.6, kind).train.labels
        steps = np.bincount((after - dataset.train.labels) % 4)
        assert steps[0] == 8000
        assert np.abs(steps[1:] - 4000).max() < 4 * np.sqrt(12000 * 2 / 9)

    def test_the_first_labels_are_kept_through_two_changes(self):
        once = label_noise(made(), 0.3, seed=1)
        twice = label_noise(once, 0.2, "pair", seed=2)
        original = twice.train.columns["original_label"]
        assert np.array_equal(original, made().train.labels)
        assert twice.facts["label_noise"]["earlier"] == once.facts["label_noise"]

    @pytest.mark.parametrize("share", [1.2, -0.1, float("nan")])
    def test_refuses_a_share_out_of_range(self, share: float):
        said = f"label_noise={share}: must be from 0 to 1"
        assert refusal(label_noise, made(), share) == said
        assert refusal(wanted, label_noise=share) == said

    def test_refuses_what_cannot_be_exchanged(self):
        dataset = labelled([0] * 17 + [1] * 3)
        assert refusal(label_noise, dataset, 0.5, "shuffle") == (
            "label_noise=0.5: 10 labels of mine cannot be exchanged so that each "
            "changes, as at most 8 could be chosen with no class above half of them; "
            'change fewer, or give noise="symmetric"'
        )

    @pytest.mark.parametrize("kind", ["symmetric", "pair"])
    def test_refuses_to_lose_a_class(self, kind: Noise):
        # whichever is changed was the only one of its class
        said = refusal(label_noise, labelled([0, 1, 2]), 1 / 3, kind)
        start, _, rest = said.partition(" of the class ")
        assert start == (
            f'label_noise={1 / 3} noise="{kind}": leaves mine no training example'
        )
        assert rest[1:] == "; give a smaller share or another noise_seed"


def exchangeable(labels: np.ndarray, count: int) -> bool:
    """Return whether so many can be chosen with no class above half of them."""
    return int(np.minimum(np.bincount(labels), count // 2).sum()) >= count


class TestShuffleLabels:
    @settings(deadline=None)
    @given(seeds)
    def test_permutes(self, seed: int):
        dataset = made()
        shuffled = shuffle_labels(dataset, seed)
        before, after = dataset.train.labels, shuffled.train.labels
        assert np.array_equal(np.bincount(before), np.bincount(after))
        assert np.array_equal(shuffled.train.columns["original_label"], before)
        changed = int((before != after).sum())
        assert shuffled.facts["shuffle_labels"] == {"seed": seed, "changed": changed}
        assert changed > 50  # of 103, of which a quarter would stay
        check_followed(shuffled.train, dataset.train)
        assert shuffled.test is dataset.test
        assert shuffle_labels(dataset, seed).digest == shuffled.digest
        assert shuffle_labels(dataset, seed + 1).digest != shuffled.digest


class TestPca:
    @pytest.mark.parametrize("shape", [(6,), (5, 4, 3), (12, 12, 1)])
    def test_agrees_with_scikit_learn(self, shape: tuple[int, ...]):
        from sklearn.decomposition import PCA

        dataset = made(shape=shape)
        projected, projection = pca(dataset, 5)
        theirs = PCA(5, svd_solver="full").fit(dataset.train.inputs.reshape(103, -1))
        turns = np.sign((theirs.components_ * projection.components).sum(axis=1))
        for split, before in (
            (projected.train, dataset.train),
            (projected.test, dataset.test),
        ):
            found = theirs.transform(before.inputs.reshape(before.ids.size, -1)) * turns
            assert np.allclose(split.inputs, found, atol=1e-4)
            assert np.array_equal(split.columns["tag"], before.columns["tag"])
            assert np.array_equal(split.ids, before.ids)
        explained = theirs.explained_variance_ratio_.sum()
        assert projected.facts["pca"] == {
            **{"components": 5, "variance": pytest.approx(explained, rel=1e-4)}
        }

    @settings(deadline=None, max_examples=30)
    @given(st.integers(2, 30), st.integers(1, 12), st.data())
    def test_apply_is_what_was_done(
        self, examples: int, features: int, data: st.DataObject
    ):
        dataset = made(examples, classes=2, shape=(features,))
        most = min(examples, features)
        projected, projection = pca(dataset, data.draw(st.integers(1, most)))
        for split, before in (
            (projected.train, dataset.train),
            (projected.test, dataset.test),
        ):
            assert np.array_equal(projection.apply(before.inputs), split.inputs)
        assert projected.projection is projection
        assert projected.scaling == "whole"
        products = projection.components @ projection.components.T
        assert np.allclose(products, np.eye(len(products)), atol=1e-5)

    def test_mean_and_components_are_of_the_training_inputs_alone(self):
        dataset = made()
        other = replace(dataset, test=dataset.test.take(np.arange(3)))
        one, two = pca(dataset, 3)[1], pca(other, 3)[1]
        assert np.allclose(one.mean, dataset.train.inputs.mean(axis=0), atol=1e-6)
        assert np.array_equal(one.components, two.components)

    def test_sign_and_order_are_fixed(self):
        projected, projection = pca(load("digits"), 10)
        largest = np.abs(projection.components).argmax(axis=1)
        assert (projection.components[np.arange(10), largest] > 0).all()
        deviations = projected.train.inputs.std(axis=0)
        assert (np.diff(deviations) < 0).all()

    def test_all_components_keep_all_distances(self):
        digits = load("digits")
        projected, _ = pca(digits, 64)
        assert projected.facts["pca"]["variance"] == pytest.approx(1)
        before = digits.test.inputs[0] - digits.test.inputs[1:50]
        after = projected.test.inputs[0] - projected.test.inputs[1:50]
        norms = np.linalg.norm(before.reshape(49, -1), axis=1)
        assert np.allclose(np.linalg.norm(after, axis=1), norms, rtol=1e-4)

    def test_more_examples_than_are_held_at_once(self):
        dataset = made(9001)
        projected, _ = pca(dataset, 6)
        scores, inputs = (d.train.inputs for d in (projected, dataset))
        assert np.allclose(np.square(scores).sum(), np.square(inputs).sum(), rtol=0.01)
        assert np.allclose(scores.mean(axis=0), 0, atol=1e-5)

    def test_inputs_that_do_not_vary(self):
        projected, _ = pca(unvarying(), 2)
        assert projected.facts["pca"]["variance"] == 1
        assert not projected.train.inputs.any()

    @pytest.mark.parametrize("components", [0, 7, -1])
    def test_refuses_a_number_out_of_range(self, components: int):
        assert refusal(pca, made(), components) == (
            f"pca={components}: mine has 103 training examples of 6 features; give 1 "
            "to 6"
        )
        assert refusal(pca, made(5), 6).endswith("of 6 features; give 1 to 5")

    def test_refuses_words_and_components(self):
        assert refusal(pca, words(), 1) == "pca=1: the inputs of posts are words"
        assert refusal(pca, pca(made(), 3)[0], 2) == (
            "pca=2: the inputs of mine are components already; ask for the fewer at "
            "once"
        )


def unvarying() -> Dataset:
    ones, labels = np.ones((4, 3)), np.arange(4) % 2
    return from_arrays("mine", ones, labels, ones, labels)


class TestDropDuplicates:
    def doubled(self) -> Dataset:
        rows = {"a": [0.0, 9.0], "b": [5.0, 5.0], "c": [9.0, 0.0], "d": [2.0, 2.0]}
        train, test = (
            Split(
                np.array([rows[name] for name in names]),
                np.array(labels),
                columns={"tag": np.arange(len(names)) + 0.5},
            )
            for names, labels in (
                ("abacbb", [0, 1, 1, 0, 1, 0]),
                ("dadc", [0, 0, 1, 1]),
            )
        )
        return Dataset("mine", train, test, ("x", "y"))

    @pytest.mark.parametrize("kind", ["exact", "near"])
    def test_the_first_of_equals_stays(self, kind: Any):
        whole = self.doubled()
        single = drop_duplicates(whole, kind)
        assert single.train.ids.tolist() == [0, 1, 3]
        assert single.test.ids.tolist() == [0]
        check_followed(single.train, whole.train)
        check_followed(single.test, whole.test)
        assert single.facts["drop_duplicates"] == {
            "kind": kind,
            "train_dropped": 3,
            "test_dropped": 3,
            "train_conflicting": 2,
            "test_conflicting": 2,
        }

    def test_words_can_be_equal(self):
        test = Split(np.array([[0, 1], [1, 0]]), np.array([0, 0]), tokens=True)
        assert drop_duplicates(replace(words(), test=test)).test.ids.tolist() == [1]

    def test_near_is_two_percent_of_the_range(self):
        # from 0 to 100: up to 2 in root mean square
        train = np.array([[0, 0], [100, 100], [50, 50], [52, 52], [50, 53], [54, 54]])
        test = np.array([[52, 49], [52.1, 52.1], [97, 100], [97.2, 100]])
        dataset = from_arrays("mine", train, np.arange(6) % 2, test, np.zeros(4, int))
        single = drop_duplicates(dataset, "near")
        # 54 is near 52, which is gone; 52.1 is too far from 50 and near enough to 54
        assert single.train.ids.tolist() == [0, 1, 2, 4, 5]
        assert single.test.ids.tolist() == [2]

    @settings(deadline=None, max_examples=40)
    @given(st.integers(3, 40), st.integers(1, 40), st.floats(0, 0.3), seeds)
    def test_near_agrees_with_all_pairs(
        self, examples: int, features: int, spread: float, seed: int
    ):
        rng = np.random.default_rng(seed)
        centres = rng.uniform(0, 1, (4, features))
        noise = rng.standard_normal((examples + 9, features))
        noise *= rng.uniform(0, spread, (examples + 9, 1))
        inputs = centres[rng.integers(0, 4, examples + 9)] + noise
        inputs = inputs.astype(np.float32)
        labels = np.zeros(examples, int)
        labels[0] = 1  # the first example is always kept
        stay = all_pairs(inputs, examples)
        assume(stay[1:examples].any() and stay[examples:].any())
        dataset = from_arrays(
            "mine", inputs[:examples], labels, inputs[examples:], np.zeros(9, int)
        )
        single = drop_duplicates(dataset, "near")
        assert np.array_equal(single.train.ids, np.flatnonzero(stay[:examples]))
        assert np.array_equal(single.test.ids, np.flatnonzero(stay[examples:]))

    def test_nothing_to_drop(self):
        whole = made()
        for kind in ("exact", "near"):
            assert drop_duplicates(whole, kind).digest == whole.digest

    def test_refuses_near_words(self):
        assert refusal(drop_duplicates, words(), "near") == (
            'drop_duplicates="near": the inputs of posts are words, which are equal or '
            'not; give drop_duplicates="exact"'
        )

    def test_refuses_to_lose_a_class(self):
        assert refusal(drop_duplicates, unvarying()) == (
            'drop_duplicates="exact": leaves mine no training example of the class 1; '
            "leave the duplicates in"
        )

    def test_refuses_to_lose_the_test_examples(self):
        assert refusal(drop_duplicates, words()) == (
            'drop_duplicates="exact": each test example of posts equals a training '
            "example; leave the duplicates in or give other test examples"
        )

    def test_no_two_articles_of_clothing_are_equal(self, clothing: Dataset):
        single = drop_duplicates(clothing)
        assert single.digest == clothing.digest

    def test_finds_near_copies_among_real_images(self, clothing: Dataset):
        train, rng = clothing.train.take(np.arange(3001)), np.random.default_rng(0)
        copies = train.inputs[::10] + rng.uniform(-8, 8, train.inputs[::10].shape)
        others = clothing.test.inputs[:499]
        inputs = np.concatenate([np.clip(copies, 0, 255).astype(np.uint8), others])
        labels = np.concatenate([train.labels[::10], clothing.test.labels[:499]])
        dataset = replace(clothing, train=train, test=Split(inputs, labels))
        single = drop_duplicates(dataset, "near")
        assert np.array_equal(single.test.inputs, others)
        assert single.facts["drop_duplicates"] == {
            "kind": "near",
            "train_dropped": 0,
            "test_dropped": 301,
            "train_conflicting": 0,
            "test_conflicting": 0,
        }


def all_pairs(inputs: np.ndarray, training: int) -> np.ndarray:
    """Return which examples stay, found one by one against all that have stayed."""
    wide = inputs.astype(np.float64)
    most = 0.02 * (wide[:training].max() - wide[:training].min())
    stay: list[int] = []
    for i, row in enumerate(wide):
        if all(np.sqrt(np.mean((row - wide[j]) ** 2)) > most for j in stay):
            stay.append(i)
    return np.isin(np.arange(len(inputs)), stay)


class TestResize:
    @pytest.mark.parametrize("channels", [1, 3, 5])
    def test_bytes_and_floats_agree_within_rounding(self, channels: int):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (12, 9, 7, channels), np.uint8)
        labels = np.arange(12) % 2
        whole, real = (
            resize(from_arrays("mine", x, labels, x[:3], labels[:3]), 5)
            for x in (images, images.astype(np.float32))
        )
        assert whole.train.inputs.dtype == np.uint8
        assert real.train.inputs.dtype == np.float32
        for split, size in ((whole.train, 12), (whole.test, 3)):
            assert split.inputs.shape == (size, 5, 5, channels)
        apart = whole.train.inputs - real.train.inputs
        assert np.abs(apart).max() <= 1.01  # PIL rounds after each direction
        assert whole.facts["resize"] == {"pixels": 5, "before": [9, 7]}

    def test_is_that_of_pil(self):
        from PIL import Image

        images = np.random.default_rng(0).integers(0, 256, (4, 9, 7, 3), np.uint8)
        labels = np.arange(4) % 2
        found = resize(from_arrays("mine", images, labels, images, labels), 13)
        for image, ours in zip(images, found.test.inputs, strict=True):
            theirs = Image.fromarray(image).resize((13, 13), Image.Resampling.BILINEAR)
            assert np.array_equal(ours, np.asarray(theirs))

    def test_the_same_size_changes_nothing(self):
        digits = load("digits")
        assert resize(digits, 8).digest == digits.digest

    def test_halving_averages(self):
        digits = resize(load("digits"), 1)
        means = load("digits").train.inputs.mean(axis=(1, 2, 3))
        correlation = np.corrcoef(digits.train.inputs.ravel(), means)[0, 1]
        assert correlation > 0.9

    def test_refuses(self):
        assert refusal(resize, made(), 4) == (
            "resize=4: the inputs of mine have shape (6,); wanted images"
        )
        assert refusal(resize, words(), 4).endswith("shape (2,); wanted images")
        assert refusal(resize, load("digits"), 0) == "resize=0: wanted 1 pixel or more"


class TestTransformed:
    def test_nothing_wanted_changes_nothing(self):
        dataset = made()
        assert transformed(dataset, wanted()).digest == dataset.digest
        assert transformed(dataset, wanted()).facts == {}

    def test_all_steps_in_their_order(self):
        images = made(211, 101, shape=(4, 4, 1))
        asked = wanted(
            classes="d,b,a",
            train_examples=71,
            test_examples=31,
            label_noise=0.2,
            noise="pair",
            noise_seed=5,
            pca=3,
            drop_duplicates="near",
        )
        dataset = transformed(resize(images, 2), asked)
        steps = ["resize", "keep_classes", "drop_duplicates", "label_noise", "pca"]
        assert list(dataset.facts) == steps
        assert dataset.class_names == ("d", "b", "a")
        assert dataset.train.inputs.shape == (71, 3)
        assert dataset.test.inputs.shape == (31, 3)
        assert dataset.facts["label_noise"]["changed"] == round(0.2 * 71)
        small = resize(images, 2).test
        positions = np.searchsorted(-small.ids, -dataset.test.ids)
        found = dataset.projection.apply(small.inputs[positions])
        assert np.array_equal(found, dataset.test.inputs)
        assert np.array_equal(
            dataset.test.columns["tag"], images.test.columns["tag"][positions]
        )
        assert json.loads(json.dumps(dataset.facts)) == dataset.facts
        assert transformed(resize(images, 2), asked).digest == dataset.digest

    def test_shuffles(self):
        dataset = transformed(made(), wanted(shuffle_labels=True, shuffle_seed=2))
        assert dataset.digest == shuffle_labels(made(), 2).digest
        assert list(dataset.facts) == ["shuffle_labels"]

    def test_refuses_noise_on_shuffled_labels(self):
        assert refusal(wanted, shuffle_labels=True, label_noise=0.1) == (
            "shuffle_labels: not with label_noise=0.1, since shuffling leaves no "
            "label to change; give one of them"
        )

    def test_sizes_are_of_what_is_left(self):
        message = refusal(transformed, made(), wanted(classes="a,b", train_examples=60))
        assert message.endswith("hold 52 examples of 2 classes; give 2 to 52")


def test_bytes_may_be_scaled_to_the_unit_range() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 2
    images = rng.integers(0, 256, (12, 4, 4, 1)).astype(np.uint8)
    data = from_arrays("bytes", images, labels, images, labels)
    found = transformed(data, wanted(scaling="unit"))
    assert found.digest == data.digest  # the same data, seen otherwise
    scale = standardization(found.train.inputs, found.scaling)
    assert ((images - scale.mean) / scale.deviation).max() <= 1
    np.testing.assert_array_equal(scale.mean, 0)
    floats = from_arrays("floats", images / 2, labels, images / 2, labels)
    with pytest.raises(RequestError, match='scaling="unit": needs inputs that are by'):
        transformed(floats, wanted(scaling="unit"))
