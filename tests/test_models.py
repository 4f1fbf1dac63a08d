"""Every architecture: its size, its parts, its switches, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxorder.errors import RequestError
from jaxorder.models import (
    ARCHITECTURES,
    Inputs,
    build,
    options_text,
    parameter_count,
)
from jaxorder.models.layers import keep_mask

IMAGES = (8, 8, 1)
# counted by hand from the layers
PARAMETERS = {
    ("mlp", IMAGES): 65 * 256 + 257 * 128 + 129 * 10,
    ("mlp:widths=none", IMAGES): 65 * 10,
    ("mlp:widths=512-256", (784,)): 785 * 512 + 513 * 256 + 257 * 10,
    ("small_st_vgg", IMAGES): 10 * 32
    + 289 * 32
    + 289 * 64
    + 577 * 64
    + 257 * 256
    + 257 * 10,
    ("small_st_vgg", (28, 28, 1)): 10 * 32
    + 289 * 32
    + 289 * 64
    + 577 * 64
    + (7 * 7 * 64 + 1) * 256
    + 257 * 10,
    ("st_vgg", (32, 32, 3)): 28 * 32
    + 289 * 32
    + 289 * 64
    + 577 * 64
    + 577 * 128
    + 1153 * 128
    + 513 * 256
    + 1025 * 256
    + (2 * 2 * 256 + 1) * 512
    + 513 * 10,
}
# published, for 1000 classes and 224 pixels
PUBLISHED = {"resnet18": 11_689_512}
# of inputs, where the smallest is larger
SHAPES = {"st_vgg": (16, 16, 1)}
# the sum of squares of the logits of member 0's first weights; catches a changed init
GOLDEN = {
    "mlp": 18.371618,
    "small_st_vgg": 109.632645,
    "st_vgg": 148.57832,
    "resnet18": 66.04384,
}


def inputs(shape: tuple[int, ...] = IMAGES, examples: int = 5) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(examples, *shape))
    return values.astype(np.float32)


@pytest.mark.parametrize(("text", "shape"), PARAMETERS)
def test_parameters_are_those_counted_by_hand(text: str, shape: tuple) -> None:
    assert parameter_count(build(text, Inputs(shape), 10)) == PARAMETERS[text, shape]


@pytest.mark.parametrize("text", PUBLISHED)
def test_parameters_are_those_published(text: str) -> None:
    assert parameter_count(build(text, Inputs((224, 224, 3)), 1000)) == PUBLISHED[text]


@pytest.mark.parametrize("text", ARCHITECTURES)
def test_the_first_weights_are_pinned(text: str) -> None:
    shape = SHAPES.get(text, IMAGES)
    model = build(text, Inputs(shape), 10)
    logits = model.logits(model.init(jax.random.key(0)), inputs(shape))
    assert logits.shape == (5, 10)
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose((logits**2).sum(), GOLDEN[text], rtol=1e-4)


@pytest.mark.parametrize("text", ARCHITECTURES)
def test_a_linear_network_is_affine_in_its_input(text: str) -> None:
    shape = SHAPES.get(text, IMAGES)
    model = build(f"{text}:linear=true", Inputs(shape), 10)
    params = model.init(jax.random.key(0))
    a, b = inputs(shape)[:1], inputs(shape)[1:2]
    middle = model.logits(params, 0.3 * a + 0.7 * b)
    blend = 0.3 * model.logits(params, a) + 0.7 * model.logits(params, b)
    np.testing.assert_allclose(middle, blend, rtol=1e-4, atol=1e-5)
    plain = build(text, Inputs(shape), 10)
    params = plain.init(jax.random.key(0))
    curved = plain.logits(params, 0.3 * a + 0.7 * b)
    blend = 0.3 * plain.logits(params, a) + 0.7 * plain.logits(params, b)
    assert not np.allclose(curved, blend, rtol=1e-3)


@pytest.mark.parametrize("text", ["mlp:dropout=0.5", "small_st_vgg"])
def test_dropout_is_drawn_in_training_only(text: str) -> None:
    model = build(text, Inputs(IMAGES), 10)
    params = model.init(jax.random.key(0))
    calm = [model.logits(params, inputs()) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    drawn = [model.logits(params, inputs(), jax.random.key(i)) for i in (1, 2)]
    assert not np.allclose(*drawn)


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.1])
def test_dropout_keeps_the_mean_and_meets_its_rate(rate: float) -> None:
    mask = keep_mask(jax.random.key(0), rate, (200, 333), jnp.float32)
    share = float((mask == 0).mean())
    assert abs(share - rate) < 4 * np.sqrt(rate * (1 - rate) / mask.size)
    assert abs(float(mask.mean()) - 1) < 0.01
    assert set(np.unique(mask)) == {0, np.float32(mask.max())}
    np.testing.assert_allclose(mask.max(), 1 / (1 - rate), rtol=1e-4)


@pytest.mark.parametrize("text", ARCHITECTURES)
def test_bfloat16_computes_with_float32_weights(text: str) -> None:
    shape = SHAPES.get(text, IMAGES)
    model = build(text, Inputs(shape), 10, "bfloat16")
    params = model.init(jax.random.key(0))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    exact = build(text, Inputs(shape), 10).logits(params, inputs(shape))
    rough = model.logits(params, inputs(shape))
    assert rough.dtype == jnp.float32
    assert 0 < np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()


def test_keys_are_completed_with_their_defaults() -> None:
    found = options_text("small_st_vgg:dropout=0.1")
    assert found == {"activation": "elu", "dropout": "0.1", "linear": "false"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mpl", r"no model mpl \(did you mean mlp\?\)"),
        ("mlp:width=3", r"no key width \(did you mean widths\?\)"),
        ("mlp:widths=0", "widths=0 must be none or widths from 1 on"),
        ("mlp:widths=8-", "widths=8- must be"),
        ("mlp:linear=maybe", "linear=maybe must be one of true, false"),
        ("mlp:activation=sin", "activation=sin must be one of elu, gelu, relu, tanh"),
        ("mlp:dropout=1", "dropout=1 must be a number from 0 to below 1"),
        ("small_st_vgg:dropout=x", "dropout=x must be a number from 0 to below 0.5"),
        ("resnet18:width=0", "width=0 must be a whole number from 1 on"),
        ("resnet18:width=40", "width=40 must be at most 32 or a multiple of it"),
        ("resnet18:norm=layer", "norm=layer must be one of group, none"),
    ],
)
def test_a_wrong_model_string_is_named(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        build(text, Inputs(IMAGES), 10)


@pytest.mark.parametrize("shape", [(64,), (3, 8, 1)])
def test_inputs_that_do_not_suit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RequestError, match="needs images of at least 4 x 4"):
        build("small_st_vgg", Inputs(shape), 10)
