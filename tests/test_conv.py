"""The convolution and its gradients against XLA's own, on any shape."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from jaxorder.models import conv

small = st.integers(1, 4)


@st.composite
def problems(draw):
    """Draw a convolution: images, kernel, strides, pads."""
    window = draw(st.tuples(small, small))
    pads = tuple(draw(st.tuples(*[st.integers(0, k - 1)] * 2)) for k in window)
    size = [draw(st.integers(k, k + 7)) for k in window]
    examples, channels = draw(st.sampled_from([1, 2, 7, 13])), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = rng.normal(size=(examples, *size, channels)).astype(np.float32)
    kernel = rng.normal(size=(*window, channels, draw(small))).astype(np.float32)
    strides = draw(st.tuples(*[st.integers(1, 3)] * 2))
    return jnp.asarray(images), jnp.asarray(kernel), strides, pads


def reference(images, kernel, strides, pads):
    return lax.conv_general_dilated(
        images, kernel, strides, pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def value_and_gradients(function, images, kernel, strides, pads):
    def scalar(images, kernel):
        return jnp.sin(function(images, kernel, strides, pads)).sum()

    return jax.jit(jax.value_and_grad(scalar, (0, 1)))(images, kernel)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(problems())
def test_values_and_gradients_are_those_of_xla(problem) -> None:
    ours = value_and_gradients(conv.convolve, *problem)
    theirs = value_and_gradients(reference, *problem)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4),
        ours,
        theirs,
    )


def a_problem(channels: int = 5) -> tuple:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, 7, 9, 8, channels)).astype(np.float32)
    kernels = rng.normal(size=(3, 3, 3, channels, 6)).astype(np.float32)
    return jnp.asarray(images), jnp.asarray(kernels)


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize(
    "mapped", [jax.vmap, lambda f: lambda *a: lax.map(lambda x: f(*x), a)]
)
def test_gradients_are_right_when_mapped_and_compiled(channels: int, mapped) -> None:
    images, kernels = a_problem(channels)
    pads = conv.same_pads((3, 3))

    def gradients(function):
        def one(images, kernel):
            return value_and_gradients(function, images, kernel, (1, 1), pads)

        return one

    found = jax.jit(mapped(gradients(conv.convolve)))(images, kernels)
    wanted = [gradients(reference)(*pair) for pair in zip(images, kernels, strict=True)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *wanted)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4),
        found,
        stacked,
    )


def test_a_batch_larger_than_a_cache_block_loses_no_example(monkeypatch) -> None:
    images, kernels = a_problem()
    monkeypatch.setattr(conv, "CACHE_BYTES", 3 * 9 * 8 * 9 * 5 * 4)  # three of seven
    pads = conv.same_pads((3, 3))
    ours = value_and_gradients(conv.convolve, images[0], kernels[0], (1, 1), pads)
    theirs = value_and_gradients(reference, images[0], kernels[0], (1, 1), pads)
    np.testing.assert_allclose(ours[1][1], theirs[1][1], rtol=2e-4, atol=2e-4)


def test_bfloat16_sums_its_weight_gradient_in_float32() -> None:
    images, kernels = (x[0].astype(jnp.bfloat16) for x in a_problem())
    pads = conv.same_pads((3, 3))
    ours = value_and_gradients(conv.convolve, images, kernels, (1, 1), pads)[1][1]
    exact = value_and_gradients(
        reference,
        images.astype(jnp.float32),
        kernels.astype(jnp.float32),
        (1, 1),
        pads,
    )[1][1]
    assert ours.dtype == jnp.bfloat16
    error = np.abs(np.asarray(ours, np.float32) - exact).max() / np.abs(exact).max()
    assert error < 0.02


@pytest.mark.parametrize("window", [(2, 2), (3, 3), (1, 4)])
def test_same_pads_are_xlas_and_keep_the_size(window: tuple[int, int]) -> None:
    pads = conv.same_pads(window)
    assert list(pads) == lax.padtype_to_pads((7, 8), window, (1, 1), "SAME")
    images = jnp.ones((1, 7, 8, 1))
    assert conv.convolve(images, jnp.ones((*window, 1, 2)), (1, 1), pads).shape == (
        1,
        7,
        8,
        2,
    )


def test_pooling_by_hand_cuts_an_odd_last_row() -> None:
    image = jnp.array([[1.0, 2, 9], [4, 3, 9], [9, 9, 9]]).reshape(1, 3, 3, 1)
    assert conv.max_pool(image).tolist() == [[[[4.0]]]]
    assert conv.mean_pool(image).tolist() == [[[[2.5]]]]


def test_the_compiled_gradient_is_free_of_reversed_or_dilated_convolutions() -> None:
    """XLA's CPU has only slow loops for these: 60 times slower inside a loop."""
    images, kernels = a_problem()
    text = (
        jax.jit(
            lambda x, w: value_and_gradients(
                conv.convolve, x, w, (2, 2), ((1, 1), (1, 1))
            )
        )
        .lower(images[0], kernels[0])
        .as_text()
    )
    convolutions = [
        line for line in text.splitlines() if "stablehlo.convolution" in line
    ]
    assert convolutions
    assert not any("reverse = [true" in line for line in convolutions)
    assert not any("lhs_dilate = [2" in line for line in convolutions)
