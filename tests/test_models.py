"""Every architecture: its size, its parts, its switches, and what it refuses."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.errors import ScopeParamShapeError

from jaxorder.errors import RequestError
from jaxorder.models import (
    ARCHITECTURES,
    Inputs,
    Model,
    build,
    layer_flops,
    options_text,
    parameter_count,
)
from jaxorder.models.layers import Conv, keep_mask
from jaxorder.models.text import BiLSTM

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
# published, for 1000 classes and 224 pixels (torchvision's tables)
PUBLISHED = {
    "alexnet": 61_100_840,
    "vgg19": 143_667_240,
    "resnet18": 11_689_512,
    "resnet18:norm=group": 11_689_512,
    "resnet50": 25_557_032,
    "densenet121": 7_978_856,
}
SMALL_IMAGE = Inputs((8, 8, 1))
TEXT = Inputs((7,), vocabulary=20)
TEXTS = ("bilstm_attention", "bag_of_embeddings")
# small enough to test, with every kind of layer
TESTED = {
    "mlp": "mlp",
    "small_st_vgg": "small_st_vgg",
    "st_vgg": "st_vgg",
    "alexnet": "alexnet:width=8,dropout=0.1",
    "vgg19": "vgg19:width=4",
    "resnet18": "resnet18:width=8",
    "resnet50": "resnet50:width=4",
    "densenet121": "densenet121:width=4",
    "bilstm_attention": "bilstm_attention:width=9,embedding=8",
    "bag_of_embeddings": "bag_of_embeddings:embedding=8",
}
LARGE = ("vgg19", "resnet50", "densenet121")
EACH = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else [])
    for name in TESTED
]
# the sum of squares of the logits of member 0's first weights; catches a changed init
GOLDEN = {
    "mlp": 18.371618,
    "small_st_vgg": 109.632645,
    "st_vgg": 148.57832,
    "alexnet": 29.043407,
    "vgg19": 0.264621,
    "resnet18": 694.6798,
    "resnet50": 263918.72,
    "densenet121": 5.778167,
    "bilstm_attention": 0.005391,
    "bag_of_embeddings": 0.093408,
}


def taken(name: str) -> Inputs:
    """Return inputs that an architecture takes."""
    if name.partition(":")[0] in TEXTS:
        return TEXT
    larger = {"st_vgg": Inputs((16, 16, 1)), "vgg19": Inputs((32, 32, 1))}
    return larger.get(name.partition(":")[0], SMALL_IMAGE)


def drawn(inputs: Inputs, examples: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    if inputs.vocabulary:
        lengths = np.arange(examples)[:, None] % (inputs.shape[0] + 1)
        words = rng.integers(1, inputs.vocabulary, (examples, *inputs.shape))
        # from no word at all on
        return np.where(np.arange(inputs.shape[0]) < lengths, words, 0).astype(np.int32)
    return rng.normal(size=(examples, *inputs.shape)).astype(np.float32)


@pytest.mark.parametrize(("text", "shape"), PARAMETERS)
def test_parameters_are_those_counted_by_hand(text: str, shape: tuple) -> None:
    assert parameter_count(build(text, Inputs(shape), 10)) == PARAMETERS[text, shape]


@pytest.mark.parametrize("text", PUBLISHED)
def test_parameters_are_those_published(text: str) -> None:
    assert parameter_count(build(text, Inputs((224, 224, 3)), 1000)) == PUBLISHED[text]


@pytest.mark.parametrize("name", EACH)
def test_the_first_weights_are_pinned(name: str) -> None:
    model = build(TESTED[name], taken(name), 10)
    logits = model.logits(*model.init(jax.random.key(0)), drawn(taken(name)))
    assert logits.shape == (5, 10)
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose((logits**2).sum(), GOLDEN[name], rtol=1e-4)


@pytest.mark.parametrize("name", [each for each in EACH if each.values[0] not in TEXTS])
def test_a_linear_network_is_affine_in_its_input(name: str) -> None:
    inputs, text = taken(name), TESTED[name]
    linear = text + ("," if ":" in text else ":") + "linear=true"
    a, b = drawn(inputs)[:1], drawn(inputs)[1:2]

    def gap(model: Model) -> tuple[np.ndarray, np.ndarray]:
        of = partial(model.logits, *model.init(jax.random.key(0)))
        return np.asarray(of(0.3 * a + 0.7 * b)), np.asarray(0.3 * of(a) + 0.7 * of(b))

    middle, blend = gap(build(linear, inputs, 10))
    np.testing.assert_allclose(middle, blend, rtol=1e-4, atol=1e-4 * abs(blend).max())
    curved, blend = gap(build(text, inputs, 10))
    assert not np.allclose(curved, blend, rtol=1e-3)


@pytest.mark.parametrize("name", EACH)
def test_loss_falls_in_training(name: str) -> None:
    inputs = taken(name)
    text = TESTED[name]
    if "dropout" in ARCHITECTURES[name].keys:  # which only blurs 30 steps
        text = text.replace(",dropout=0.1", "")
        text += ("," if ":" in text else ":") + "dropout=0"
    model = build(text, inputs, 3)
    values, labels = drawn(inputs, 12), jnp.arange(12) % 3
    params, statistics = model.init(jax.random.key(0))
    optimizer = optax.adam(1e-2 if name in TEXTS else 3e-3)

    @jax.jit
    def step(params, statistics, state, key):
        def loss(params):
            logits, changed = model.train(params, statistics, values, key)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return losses.mean(), changed

        (value, statistics), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), statistics, state, value

    state, losses = optimizer.init(params), []
    for i in range(30):
        key = jax.random.key(i)
        params, statistics, state, value = step(params, statistics, state, key)
        losses.append(float(value))
    assert np.mean(losses[-5:]) < 0.9 * losses[0]


@pytest.mark.parametrize("text", ["mlp:dropout=0.5", "small_st_vgg"])
def test_dropout_is_drawn_in_training_only(text: str) -> None:
    model = build(text, SMALL_IMAGE, 10)
    made, values = model.init(jax.random.key(0)), drawn(SMALL_IMAGE)
    calm, again = (model.logits(*made, values) for _ in range(2))
    np.testing.assert_array_equal(calm, again)
    one, other = (model.train(*made, values, jax.random.key(i))[0] for i in (1, 2))
    assert not np.allclose(one, other)


BATCH_NORM = "mlp:widths=6,norm=batch"


def test_batch_statistics_leave_out_what_fills_up_a_batch() -> None:
    model = build(BATCH_NORM, SMALL_IMAGE, 3)
    made, values = model.init(jax.random.key(0)), drawn(SMALL_IMAGE, 8)
    values[5:] = 1e6
    key = jax.random.key(0)
    logits, statistics = model.train(*made, values, key, np.arange(8) < 5)
    few, alone = model.train(*made, values[:5], key)
    np.testing.assert_allclose(logits[:5], few, rtol=1e-4, atol=1e-5)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5), statistics, alone)


def test_running_statistics_follow_with_momentum_0_9() -> None:
    model = build(BATCH_NORM, SMALL_IMAGE, 3)
    params, statistics = model.init(jax.random.key(0))
    values = drawn(SMALL_IMAGE)
    dense = params["dense_0"]
    hidden = values.reshape(5, -1) @ dense["kernel"] + dense["bias"]
    _, changed = model.train(params, statistics, values, jax.random.key(0))
    found = changed["norm_0"]["batch"]
    np.testing.assert_allclose(
        found["mean"], 0.1 * hidden.mean(0), rtol=1e-4, atol=1e-5
    )
    wanted = 0.9 + 0.1 * hidden.var(0)
    np.testing.assert_allclose(found["var"], wanted, rtol=1e-4)
    before, after = (model.logits(params, s, values) for s in (statistics, changed))
    assert not np.allclose(before, after)


@pytest.mark.parametrize("name", TEXTS)
def test_what_fills_up_a_text_changes_nothing(name: str) -> None:
    values = drawn(TEXT)
    longer = np.pad(values, ((0, 0), (0, 4)))
    short = build(TESTED[name], TEXT, 3)
    long = build(TESTED[name], Inputs((11,), vocabulary=20), 3)
    made = short.init(jax.random.key(0))
    # but a text of no word at all
    one, other = short.logits(*made, values)[1:], long.logits(*made, longer)[1:]
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_an_lstm_by_hand() -> None:
    """One direction, one unit, against the recurrence written out."""
    lstm = BiLSTM(1)
    values = jnp.asarray(drawn(Inputs((4, 3)), 2))
    real = jnp.ones((2, 4), bool)
    params = lstm.init(jax.random.key(1), values, real)["params"]
    found = lstm.apply({"params": params}, values, real)

    def direction(which: int, values: np.ndarray) -> np.ndarray:
        kernel = np.asarray(params["kernel"])[:, 4 * which : 4 * which + 4]
        bias = np.asarray(params["bias"])[4 * which : 4 * which + 4]
        recurrent = np.asarray(params["recurrent"])[which, 0]
        cell, output, outputs = np.zeros(2), np.zeros(2), []
        for value in np.asarray(values).transpose(1, 0, 2):
            gates = value @ kernel + bias + output[:, None] * recurrent
            enter, forget, leave = 1 / (1 + np.exp(-gates[:, :3].T))
            cell = forget * cell + enter * np.tanh(gates[:, 3])
            output = leave * np.tanh(cell)
            outputs.append(output)
        return np.stack(outputs, 1)

    wanted = direction(0, values) + direction(1, values[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(np.asarray(found)[..., 0], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("init", ["he", "lecun", "glorot", "orthogonal"])
def test_kernels_are_initialised_as_asked(init: str) -> None:
    model = build(f"mlp:widths=400,init={init}", Inputs((200,)), 10)
    kernel = np.asarray(model.init(jax.random.key(0))[0]["dense_0"]["kernel"])
    variance = {"he": 2 / 200, "lecun": 1 / 200, "glorot": 2 / 600}
    if init == "orthogonal":
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(200), atol=1e-4)
    else:
        assert kernel.var() == pytest.approx(variance[init], rel=0.03)


def test_weights_of_another_shape_are_named() -> None:
    conv, image = Conv(4, (3, 3)), jnp.ones((1, 5, 5, 2))
    made = conv.init(jax.random.key(0), image)
    with pytest.raises(ScopeParamShapeError, match="kernel") as error:
        conv.apply(made, jnp.ones((1, 5, 5, 3)))
    assert "(3, 3, 3, 4)" in str(error.value)
    assert "(3, 3, 2, 4)" in str(error.value)


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.1])
def test_dropout_keeps_the_mean_and_meets_its_rate(rate: float) -> None:
    mask = keep_mask(jax.random.key(0), rate, (200, 333), jnp.float32)
    share = float((mask == 0).mean())
    assert abs(share - rate) < 4 * np.sqrt(rate * (1 - rate) / mask.size)
    assert abs(float(mask.mean()) - 1) < 0.01
    assert set(np.unique(mask)) == {0, np.float32(mask.max())}
    np.testing.assert_allclose(mask.max(), 1 / (1 - rate), rtol=1e-4)


@pytest.mark.parametrize("name", EACH)
def test_bfloat16_computes_with_float32_weights(name: str) -> None:
    inputs = taken(name)
    model = build(TESTED[name], inputs, 10, "bfloat16")
    made = model.init(jax.random.key(0))
    assert {leaf.dtype for leaf in jax.tree.leaves(made)} == {jnp.dtype("float32")}
    exact = build(TESTED[name], inputs, 10).logits(*made, drawn(inputs))
    rough = model.logits(*made, drawn(inputs))
    assert rough.dtype == jnp.float32
    assert 0 < np.abs(rough - exact).max() < 0.1 * np.abs(exact).max()


def test_each_architecture_is_tested() -> None:
    assert list(TESTED) == list(ARCHITECTURES)


def test_keys_are_completed_with_their_defaults() -> None:
    assert options_text("small_st_vgg:dropout=0.1") == {
        "width": "32",
        "norm": "none",
        "activation": "elu",
        "dropout": "0.1",
        "init": "default",
        "linear": "false",
    }


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
        (
            "resnet18:width=40,norm=group",
            "width=40 must be at most 32 or a multiple of it",
        ),
        ("resnet18:norm=layer", "norm=layer must be one of batch, group, none"),
        ("mlp:init=zero", "init=zero must be one of default, he, lecun"),
        ("mlp:widths=40,norm=group", "widths=40 must be at most 32 or a multiple"),
        ("bilstm_attention", "needs texts, such as newsgroups20; .* are numbers, 8 x"),
    ],
)
def test_a_wrong_model_string_is_named(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        build(text, SMALL_IMAGE, 10)


def test_networks_of_images_refuse_texts() -> None:
    with pytest.raises(RequestError, match="inputs are texts of 7 words"):
        build("small_st_vgg", TEXT, 10)


@pytest.mark.parametrize("shape", [(64,), (3, 8, 1)])
def test_inputs_that_do_not_suit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RequestError, match="needs images of at least 4 x 4"):
        build("small_st_vgg", Inputs(shape), 10)


@pytest.mark.parametrize(
    "text",
    [
        "resnet18:width=8,norm=none",
        pytest.param("resnet50:linear=true", marks=pytest.mark.slow),
    ],
)
def test_blocks_without_normalisation_begin_by_adding_nothing(text: str) -> None:
    params, _ = build(text, SMALL_IMAGE, 3).init(jax.random.key(0))
    last = "conv_third" if "resnet50" in text else "conv_second"
    for name, layer in params.items():
        assert layer["kernel"].any() != name.startswith(last)


def test_linear_networks_keep_the_variance_from_layer_to_layer() -> None:
    """He's initial weights, made for a ReLU, would double it."""
    for text, variance in (("", 2 / 288), (":linear=true", 1 / 288)):
        params, _ = build(f"small_st_vgg{text}", SMALL_IMAGE, 3).init(jax.random.key(0))
        assert params["conv_1"]["kernel"].var() == pytest.approx(variance, rel=0.1)


def test_a_normalised_batch_has_the_gradient_of_its_definition() -> None:
    """Against JAX's gradient of the formula, with two examples that only fill up."""
    model = build(BATCH_NORM, SMALL_IMAGE, 3)
    made, values = model.init(jax.random.key(0)), drawn(SMALL_IMAGE, 6)
    real = np.arange(6) < 4

    def by_definition(params: dict) -> jax.Array:
        x = values.reshape(6, -1) @ params["dense_0"]["kernel"]
        x = x + params["dense_0"]["bias"]
        mean, variance = x[:4].mean(0), x[:4].var(0)
        norm, output = params["norm_0"]["batch"], params["output"]
        x = (x - mean) / jnp.sqrt(variance + 1e-5) * norm["scale"] + norm["bias"]
        logits = jax.nn.relu(x) @ output["kernel"] + output["bias"]
        return (logits**2).sum()

    def found(params: dict) -> jax.Array:
        logits, _ = model.train(params, made[1], values, jax.random.key(0), real)
        return (logits**2).sum()

    gradients = (jax.grad(f)(made[0]) for f in (by_definition, found))
    close = partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4)
    jax.tree.map(close, *gradients)


def test_the_products_of_a_recurrence_count_once_a_word() -> None:
    model = build("bilstm_attention:width=9,embedding=8", TEXT, 3)
    each_way = [7 * 2 * 8 * 36, 7 * 2 * 8 * 36, 7 * 2 * (2 * 9 * 36)]
    assert layer_flops(model) == [*each_way, 7 * 2 * 9, 2 * 9 * 3]
