"""Convolutions, pooling and their gradients against XLA's own, on any shape."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from jaxorder.ensemble.devices import spread_over_cores
from jaxorder.models import conv, winograd
from jaxorder.models.ambient import traced_with

DEVICES = spread_over_cores(2)
OWN = [method for method in conv.METHODS if method != "native"]
small = st.integers(1, 4)
SMALL_WINDOWS = st.tuples(small, small)
STRIDES = st.integers(1, 3)


@st.composite
def problems(draw, windows=SMALL_WINDOWS, strides=STRIDES):
    """Draw a convolution: images, kernel, strides, padding."""
    window = draw(windows)
    explicit = st.tuples(*[st.tuples(*[st.integers(0, k)] * 2) for k in window])
    padding = draw(st.sampled_from(["same", "valid"]) | explicit)
    size = [draw(st.integers(k, k + 7)) for k in window]
    examples, channels = draw(st.sampled_from([1, 2, 7, 13])), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = rng.normal(size=(examples, *size, channels)).astype(np.float32)
    kernel = rng.normal(size=(*window, channels, draw(small))).astype(np.float32)
    steps = draw(st.tuples(strides, strides))
    return jnp.asarray(images), jnp.asarray(kernel), steps, padding


def reference(images, kernel, strides=(1, 1), padding="same"):
    """Return XLA's; padded beforehand, since jaxlib 0.10.2 errs with much padding."""
    window = kernel.shape[:2]
    if padding == "same":
        padding = lax.padtype_to_pads(images.shape[1:3], window, strides, "SAME")
    if padding != "valid":
        images = jnp.pad(images, ((0, 0), *padding, (0, 0)))
    return lax.conv_general_dilated(
        images, kernel, strides, "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def by(method):
    """Return `convolve` by a method, as a function to trace."""

    def convolve(*problem):
        with traced_with(convolution=method):
            return conv.convolve(*problem)

    return convolve


def value_and_gradients(function, images, kernel, strides=(1, 1), padding="same"):
    def scalar(images, kernel):
        found = function(images, kernel, strides, padding).astype(jnp.float32)
        # its gradient differs from place to place
        return jnp.sin(found).sum(), found

    gradients = jax.value_and_grad(scalar, (0, 1), has_aux=True)
    return jax.jit(gradients)(images, kernel)


def assert_close(found: Any, wanted: Any, tolerance: float = 2e-5) -> None:
    """Compare to a share of each array's largest value."""

    def close(a, b):
        a, b = (np.asarray(x, np.float32) for x in (a, b))
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * (1 + abs(b).max()))

    jax.tree.map(close, found, wanted)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(problems(), st.sampled_from(conv.METHODS))
def test_values_and_gradients_are_those_of_xla(problem, method) -> None:
    ours = value_and_gradients(by(method), *problem)
    assert_close(ours, value_and_gradients(reference, *problem))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(problems(windows=st.sampled_from([(2, 2), (3, 3)]), strides=st.just(1)))
def test_winograd_is_right_for_any_such_kernel_of_stride_1(problem) -> None:
    """Where it pays or not: images smaller than a tile, any padding, one channel."""

    def ours(images, kernel, strides, padding):
        window = kernel.shape[:2]
        pads = conv.explicit_pads(padding, images.shape[1:3], window, strides)
        return winograd.convolve(pads, images, kernel)

    found = value_and_gradients(ours, *problem)
    assert_close(found, value_and_gradients(reference, *problem), 1e-4)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True)
@given(problems(), st.sampled_from(OWN))
def test_bfloat16_is_as_exact_as_its_digits(problem, method) -> None:
    images, kernel, strides, padding = problem
    rounded = images.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    ours = value_and_gradients(by(method), *rounded, strides, padding)
    assert ours[1][0].dtype == ours[1][1].dtype == jnp.bfloat16
    exact = [x.astype(jnp.float32) for x in rounded]
    theirs = value_and_gradients(reference, *exact, strides, padding)
    # values have 8 bits; their sine's gradient is of values that are off by 2^-8
    largest = abs(theirs[0][1]).max()
    assert_close(ours[0][1], theirs[0][1], 0.02)
    assert_close(ours[1], theirs[1], 0.03 + 0.02 * largest)


def a_problem(channels: int = 6) -> tuple:
    """Return three problems of seven images, kernels 3x3."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, 7, 9, 8, channels)).astype(np.float32)
    kernels = rng.normal(size=(3, 3, 3, channels, 6)).astype(np.float32)
    return jnp.asarray(images), jnp.asarray(kernels)


def one_by_one(images, kernels):
    pairs = zip(images, kernels, strict=True)
    wanted = [value_and_gradients(reference, *pair) for pair in pairs]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *wanted)


def scanned(function):
    def over(*arrays):
        def step(carry, pair):
            return carry, function(*pair)

        return lax.scan(step, 0, arrays)[1]

    return over


MAPPED = {
    "vmap": jax.vmap,
    "map": lambda f: lambda *arrays: lax.map(lambda pair: f(*pair), arrays),
    "scan": scanned,
    "vmap in map": lambda f: (
        lambda *arrays: lax.map(lambda pair: f(*pair), arrays, batch_size=2)
    ),
}


@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("method", OWN)
@pytest.mark.parametrize("mapped", MAPPED)
def test_gradients_are_right_when_mapped(mapped: str, method, channels: int) -> None:
    images, kernels = a_problem(channels)

    def gradients(images, kernel):
        return value_and_gradients(by(method), images, kernel)

    found = jax.jit(MAPPED[mapped](gradients))(images, kernels)
    assert_close(found, one_by_one(images, kernels))


@pytest.mark.parametrize("method", OWN)
@pytest.mark.parametrize("checked", [True, False])
def test_gradients_are_right_on_several_devices(method, checked: bool) -> None:
    """A member a device; and the images of one, its kernel shared."""
    if len(DEVICES) < 2:
        pytest.skip("needs two devices")
    mesh = Mesh(np.array(DEVICES[:2]), ("device",))
    split, same = PartitionSpec("device"), PartitionSpec()

    def members(images, kernels):
        return lax.map(
            lambda pair: value_and_gradients(by(method), *pair), (images, kernels)
        )

    def shared(images, kernel):
        (_, value), gradients = value_and_gradients(by(method), images, kernel)
        if not checked:  # else JAX sums where the kernel is cast
            gradients = gradients[0], lax.psum(gradients[1], "device")
        return value, gradients

    def over(function, inputs, outputs):
        return jax.jit(
            jax.shard_map(
                function,
                mesh=mesh,
                in_specs=inputs,
                out_specs=outputs,
                check_vma=checked,
            )
        )

    images, kernels = (x[:2] for x in a_problem())
    found = over(members, (split, split), split)(images, kernels)
    assert_close(found, one_by_one(images, kernels))

    two = images.reshape(-1, *images.shape[2:])
    found = over(shared, (split, same), (split, (split, same)))(two, kernels[0])
    (_, value), gradients = value_and_gradients(reference, two, kernels[0])
    assert_close(found, (value, gradients))


@pytest.mark.parametrize("method", OWN)
def test_several_uses_in_one_program_do_not_mix(method) -> None:
    """Two layers of other shapes, the second kernel used twice, against XLA."""
    images, kernels = (x[0] for x in a_problem(6))

    def network(convolve):
        def scalar(kernel):
            x = jnp.tanh(convolve(images, kernel))
            x = jnp.tanh(convolve(x[:, ::2], kernel))
            return convolve(x, kernel[:2, :1], (2, 1), "valid").sum()

        return jax.jit(jax.value_and_grad(scalar))(kernels)

    assert_close(
        network(by(method)),
        network(reference),
        1e-4,
    )


@pytest.mark.parametrize("method", ["direct", "winograd"])
@pytest.mark.parametrize("most", [1, 2, 3, 7, 100])
def test_no_example_is_lost_between_blocks(method, most: int, monkeypatch) -> None:
    monkeypatch.setattr(conv, "CACHE_BYTES", most * 9 * 8 * 9 * 6 * 4)
    monkeypatch.setattr(winograd, "CACHE_BYTES", most * 36 * 3 * 2 * 12 * 4)
    images, kernels = (x[0] for x in a_problem())
    found = value_and_gradients(by(method), images, kernels)
    assert_close(found, value_and_gradients(reference, images, kernels))


def test_bfloat16_sums_its_weight_gradient_in_float32() -> None:
    """Three hundred images with gradients of one: 8 bits could not count so far."""
    images = jnp.ones((300, 1, 1, 5), jnp.bfloat16)
    kernel = jnp.ones((1, 1, 5, 2), jnp.bfloat16)

    def total(kernel):
        return by("direct")(images, kernel).astype(jnp.float32).sum()

    assert (jax.grad(total)(kernel) == 300).all()


@pytest.mark.parametrize("window", [(2, 2), (3, 3), (1, 4)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_same_padding_is_xlas(window, strides) -> None:
    pads = conv.explicit_pads("same", (7, 8), window, strides)
    assert list(pads) == lax.padtype_to_pads((7, 8), window, strides, "SAME")


def test_winograd_is_used_where_it_pays_only() -> None:
    def used(images, kernel, strides=(1, 1), padding="same") -> bool:
        shapes = jnp.zeros((2, *images), jnp.float32), jnp.zeros(kernel, jnp.float32)
        with traced_with(convolution="winograd"):
            jaxpr = jax.make_jaxpr(lambda x, k: conv.convolve(x, k, strides, padding))(
                *shapes
            )
        return "conv_general_dilated" not in str(jaxpr)

    assert used((8, 8, 5), (3, 3, 5, 8))
    assert used((7, 7, 5), (3, 3, 5, 8))
    assert not used((5, 5, 5), (3, 3, 5, 8))  # 25 of 64 outputs of the tiles
    assert used((8, 8, 5), (2, 2, 5, 8))
    assert not used((2, 2, 5), (2, 2, 5, 8))
    assert not used((8, 8, 5), (2, 3, 5, 8))
    assert not used((8, 8, 4), (3, 3, 4, 8))
    assert not used((8, 8, 5), (3, 3, 5, 8), (2, 2))


@pytest.mark.parametrize("method", ["direct", "winograd"])
def test_no_compiled_convolution_is_reversed_or_dilated(method) -> None:
    """XLA's CPU has only slow loops for these: 60 times slower inside a loop."""
    images, kernels = (x[0] for x in a_problem())
    text = (
        jax.jit(lambda x, k: value_and_gradients(by(method), x, k, (2, 2)))
        .lower(images, kernels)
        .as_text()
    )
    lines = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert lines
    assert not any("reverse = [true" in line for line in lines)
    assert not any("lhs_dilate = [2" in line for line in lines)


# ---- pooling

POOLS = {
    "max": (conv.max_pool, lax.max, -jnp.inf),
    "mean": (conv.mean_pool, lax.add, 0.0),
}


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(problems(), st.sampled_from(sorted(POOLS)), st.booleans())
def test_pooling_is_xlas_on_any_window(problem, name: str, overlapping: bool) -> None:
    images, kernel, strides, padding = problem
    window = kernel.shape[:2]
    strides = strides if overlapping else window
    ours, combine, start = POOLS[name]

    def theirs(images):
        pads = conv.explicit_pads(padding, images.shape[1:3], window, strides)
        found = lax.reduce_window(
            images,
            start,
            combine,
            (1, *window, 1),
            (1, *strides, 1),
            ((0, 0), *pads, (0, 0)),
        )
        return found / (window[0] * window[1]) if name == "mean" else found

    def both(function):
        def scalar(images):
            found = function(images)
            # a window of padding only has no largest value
            return jnp.where(jnp.isfinite(found), jnp.sin(found), 0).sum(), found

        gradients = jax.value_and_grad(scalar, has_aux=True)
        (_, found), gradient = jax.jit(gradients)(images)
        return jnp.nan_to_num(found, neginf=-9), jnp.nan_to_num(gradient)

    assert_close(both(lambda x: ours(x, window, strides, padding)), both(theirs))


def test_pooling_by_hand_cuts_an_odd_last_row() -> None:
    image = jnp.array([[1.0, 2, 9], [4, 3, 9], [9, 9, 9]]).reshape(1, 3, 3, 1)
    assert conv.max_pool(image).tolist() == [[[[4.0]]]]
    assert conv.mean_pool(image).tolist() == [[[[2.5]]]]


def test_equal_values_share_the_gradient_of_a_pool() -> None:
    gradient = jax.grad(lambda x: conv.max_pool(x).sum())(jnp.ones((1, 2, 2, 1)))
    assert gradient.ravel().tolist() == [0.25] * 4
