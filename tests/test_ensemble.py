"""Members are functions of their seeds, whatever trains beside them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxorder.config import RunConfig
from jaxorder.data import Dataset, from_arrays
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble import member
from jaxorder.ensemble.plan import Lowering, Plan, block_members, by_rule
from jaxorder.errors import RequestError
from jaxorder.run.networks import NetworkWork, prepare
from tests.trees import assert_equal, pick
from tests.works import DEVICES, begun, network_work, trained

MODELS = ["mlp:widths=16,dropout=0.25", "small_st_vgg"]


def workload(dataset: Dataset, how: str = "sequential", **options: Any) -> NetworkWork:
    defaults = {"model": MODELS[0], "members": 3, "epochs": 2, "batch_size": 20}
    config = RunConfig(data=dataset.name, **{**defaults, **options})
    way = Lowering(how, "winograd", 2)  # pyright: ignore
    return network_work(config, dataset, way)


@pytest.mark.parametrize(
    "model", [MODELS[0], pytest.param(MODELS[1], marks=pytest.mark.slow)]
)
def test_a_member_has_the_same_bits_alone_and_among_others(
    digits: Dataset, model: str
) -> None:
    among = trained(begun(workload(digits, model=model, members=5)))
    alone = trained(begun(workload(digits, model=model, members=1), 3, 1))
    assert_equal(pick(among, slice(3, 4)), alone)


@pytest.mark.parametrize("model", MODELS)
def test_segments_of_any_length_give_the_same_bits(digits: Dataset, model: str) -> None:
    made = begun(workload(digits, model=model))
    whole = trained(made, 5)
    state, order = made.init(), made.order(0)
    for start, count in ((0, 1), (1, 3), (4, 1)):
        state, _ = made.train_segment(state, order, start, count)
    assert_equal(whole, made.to_host(state))


def test_vmap_trains_the_same_members(digits: Dataset) -> None:
    one = trained(begun(workload(digits, "sequential")))
    other = trained(begun(workload(digits, "vmap")))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, other)


@pytest.mark.parametrize("how", ["sequential", "vmap"])
@pytest.mark.parametrize("members", [1, 3])
def test_one_compilation_serves_every_segment_and_snapshot(
    digits: Dataset, how: str, members: int
) -> None:
    made = begun(workload(digits, how, members=members))
    state, order = made.init(), made.order(0)
    made.predict(state)
    sizes = made.compilations()
    for start, count in ((0, 1), (1, 2), (3, 2)):
        state, _ = made.train_segment(state, order, start, count)
        made.predict(state)
    order = made.order(1)
    made.train_segment(state, order, 6, 1)
    assert sizes == {"init": 1, "order": 1, "train": 0, "predict": 1}
    assert made.compilations() == {**sizes, "train": 1}


def test_members_differ_in_weights_and_order(digits: Dataset) -> None:
    made = begun(workload(digits))
    weights = made.to_host(made.init()).params["dense_0"]["kernel"]
    order = made.to_host(made.order(0))
    for one in range(3):
        for other in range(one):
            assert not np.allclose(weights[one], weights[other])
            assert not np.array_equal(order[one], order[other])


def test_an_epoch_visits_each_example_once(digits: Dataset) -> None:
    made = begun(workload(digits))
    first, second = (made.to_host(made.order(epoch)) for epoch in (0, 1))
    for order in (*first, *second):
        np.testing.assert_array_equal(np.sort(order[:101]), np.arange(101))
        assert not order[101:].any()
    assert not np.array_equal(first, second)


def test_orders_are_uniform() -> None:
    """Each place is taken by each of 5 examples about equally often."""
    work = workload(tiny(5), members=2000, batch_size=5)
    orders = begun(work).to_host(begun(work).order(0))
    for place in range(5):
        counts = np.bincount(orders[:, place], minlength=5)
        # chi-squared with 4 degrees of freedom stays below 23.5 with p = 0.9999
        assert ((counts - 400) ** 2 / 400).sum() < 23.5


def tiny(examples: int) -> Dataset:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(examples, 3)).astype(np.float32)
    labels = np.arange(examples) % 2
    return from_arrays("tiny", inputs, labels, inputs, labels)


def test_shared_order_is_shared_and_says_nothing_of_weights(digits: Dataset) -> None:
    made = begun(workload(digits, order="shared"))
    order = made.to_host(made.order(0))
    assert (order == order[0]).all()
    weights = made.to_host(made.init()).params["dense_0"]["kernel"]
    assert not np.allclose(weights[0], weights[1])


def test_the_last_batch_of_an_epoch_is_masked() -> None:
    """Seven examples in batches of four: steps by hand with optax on softmax."""
    dataset = tiny(7)
    work = workload(
        dataset,
        model="mlp:widths=none",
        members=1,
        batch_size=4,
        optimizer="sgd",
        learning_rate=0.5,
    )
    made = begun(work)
    order = made.order(0)
    params = pick(made.to_host(made.init()).params, 0)
    examples = work.examples()
    inputs = (examples.inputs - examples.mean) / examples.deviation
    sequence = made.to_host(order)[0]
    for batch in (sequence[:4], sequence[4:7]):

        def loss(params: Any, at: Any = batch) -> Any:
            dense = params["output"]
            logits = inputs[at] @ dense["kernel"] + dense["bias"]
            return optax.softmax_cross_entropy_with_integer_labels(
                logits, examples.labels[at]
            ).mean()

        gradient = jax.grad(loss)(params)
        params = jax.tree.map(lambda p, g: p - 0.5 * g, params, gradient)
    found = pick(trained(made, 2, order).params, 0)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, params
    )


@pytest.mark.parametrize("how", ["sequential", "vmap"])
def test_a_diverged_member_changes_no_bit_of_another(digits: Dataset, how: str) -> None:
    made = begun(workload(digits, how))
    healthy, losses = made.train_segment(made.init(), made.order(0), 0, 3)
    assert np.isfinite(losses).all()

    sick = made.to_host(made.init())
    kernel = sick.params["dense_0"]["kernel"].copy()
    kernel[1] = np.nan
    sick.params["dense_0"]["kernel"] = kernel
    state, losses = made.train_segment(made.from_host(sick), made.order(0), 0, 3)
    assert np.isfinite(losses).tolist() == [True, False, True]
    one, other = made.to_host(healthy), made.to_host(state)
    assert other.finite.tolist() == [True, False, True]
    for at in (0, 2):
        assert_equal(pick(one, at), pick(other, at))
    finite, values = made.predict(state)
    assert finite.tolist() == [True, False, True]
    assert_equal(
        pick(made.predict(healthy)[1]["prediction"], [0, 2]),
        values["prediction"][[0, 2]],
    )


def test_prediction_covers_every_example_in_order(digits: Dataset) -> None:
    """154 examples in batches of 32, against one batch of all."""
    work = workload(digits, record=tuple(member.QUANTITIES))
    made = begun(work)
    state = made.init()
    _, values = made.predict(state, last=True)
    examples = work.examples()
    one = pick(made.to_host(state), 2)
    inputs = (examples.inputs - examples.mean) / examples.deviation
    logits = work.recipe.model.logits(one.params, one.statistics, inputs)
    np.testing.assert_array_equal(values["prediction"][2, :154], logits.argmax(-1))
    assert values["prediction"].dtype == np.uint8
    for name, function in member.QUANTITIES.items():
        wanted = function(logits, jnp.asarray(examples.labels))
        np.testing.assert_allclose(values[name][2, :154], wanted, atol=2e-3)
    assert "probability" not in made.predict(state)[1]


def test_quantities_by_hand() -> None:
    logits = jnp.log(jnp.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]))
    labels = jnp.array([0, 1])
    np.testing.assert_allclose(member.loss(logits, labels), -np.log([0.5, 0.1]), 1e-5)
    margins = np.log([0.5 / 0.3, 0.1 / 0.8])
    np.testing.assert_allclose(member.margin(logits, labels), margins, rtol=1e-5)
    own = np.log([0.5, 0.1])
    np.testing.assert_allclose(member.true_logprob(logits, labels), own, rtol=1e-5)
    norms = np.sqrt([0.25 + 0.09 + 0.04, 0.01 + 0.81 + 0.64])
    np.testing.assert_allclose(member.error_norm(logits, labels), norms, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step", "warmup_cosine"])
def test_losses_fall_with_every_optimizer_and_schedule(
    digits: Dataset, optimizer: str, schedule: str
) -> None:
    rate = 0.01 if "adam" in optimizer else 0.1
    made = begun(
        workload(
            digits,
            model="mlp:widths=none",
            epochs=4,
            optimizer=optimizer,
            schedule=schedule,
            learning_rate=rate,
            weight_decay=0.001,
        )
    )
    state, first = made.train_segment(made.init(), made.order(0), 0, 6)
    for epoch in range(1, 4):
        state, last = made.train_segment(state, made.order(epoch), 6 * epoch, 6)
    assert (last < 0.8 * first).all()


def test_plans_by_device_memory_and_wish() -> None:
    plan = by_rule(DEVICES, 10, block_members(10, 1000, 16_000, None), convolves=True)
    assert plan.train.members == "sequential"
    assert plan.blocks(10) == [(0, 4), (4, 4), (8, 2)]
    assert block_members(10, 1000, 10**9, 3) == 3
    with pytest.raises(RequestError, match="one member's state takes 1 MiB"):
        block_members(10, 2**20, 2**20, None)


def test_a_plan_for_more_devices_than_there_are_is_refused(digits: Dataset) -> None:
    config = RunConfig(data="digits", model="mlp", members=64)
    lowering = Lowering("sequential", "winograd")
    plan = Plan(lowering, lowering, 64, 64, 32, "a test")
    with pytest.raises(RequestError, match="planned for 64 devices"):
        prepare(config, LaidOut(digits), DEVICES, plan=plan)
