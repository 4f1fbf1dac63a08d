"""The test that exchanges members, against a loop and simulated collections."""

import inspect
from itertools import combinations

import numpy as np
import pytest

from jaxorder.analysis import exchange_test, order_correlation

EXAMPLES = 60


def noisy(order, members, rng, noise=1.0):
    """Members that see one order, each with noise of its own."""
    return order + noise * rng.normal(size=(members, len(order)))


def gap_by_loops(scores, chosen, method):
    """Work the gap out pair by pair."""
    sides = {True: [], False: [], None: []}
    for one, other in combinations(range(len(scores)), 2):
        side = (one in chosen) if (one in chosen) == (other in chosen) else None
        sides[side].append(order_correlation(scores[one], scores[other], method))
    a, b, between = (np.mean(sides[side]) for side in (True, False, None))
    return np.sqrt(max(a, 0) * max(b, 0)) - between


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_the_exact_test_is_that_of_a_loop(method):
    rng = np.random.default_rng(0)
    order, other = rng.normal(size=(2, EXAMPLES))
    a, b = noisy(order, 3, rng), noisy(order + 0.3 * other, 4, rng)
    found = exchange_test(a, b, method=method)
    scores = np.concatenate([a, b])
    gaps = np.array(
        [gap_by_loops(scores, set(c), method) for c in combinations(range(7), 3)]
    )
    assert found.gap.estimate == pytest.approx(gaps[0])
    assert found.p_value == pytest.approx(np.mean(gaps >= gaps[0] - 1e-9))
    assert (found.exchanges, found.exact) == (35, True)


def test_the_gap_has_an_interval_over_members_of_both():
    rng = np.random.default_rng(6)
    order, other = rng.normal(size=(2, EXAMPLES))
    a, b = noisy(order, 5, rng), noisy(order + 0.3 * other, 6, rng)

    def error(size, rest):
        gaps = [exchange_test(*rest(each)).gap.estimate for each in range(size)]
        return (size - 1) * np.var(gaps)

    by_a = error(5, lambda each: (np.delete(a, each, axis=0), b))
    by_b = error(6, lambda each: (a, np.delete(b, each, axis=0)))
    found = exchange_test(a, b).gap
    assert found.standard_error == pytest.approx(np.sqrt(by_a + by_b))
    assert found.units == 5
    assert np.isnan(exchange_test(a[:4], b).gap.low)


def test_of_one_order_p_is_uniform():
    rng = np.random.default_rng(1)
    order = rng.normal(size=EXAMPLES)
    drawn = [
        exchange_test(noisy(order, 5, rng), noisy(order, 4, rng)).p_value
        for _ in range(400)
    ]
    for level in (0.05, 0.1, 0.5):
        # three binomial standard errors
        error = 3 * np.sqrt(level * (1 - level) / 400)
        assert np.mean(np.array(drawn) <= level) == pytest.approx(level, abs=error)


def test_collections_of_other_orders_are_told_apart():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=(2, EXAMPLES))
    found = exchange_test(noisy(one, 8, rng), noisy(one + other, 8, rng))
    assert found.exact
    assert found.p_value == 2 / found.exchanges
    assert found.gap.low > 0.05


def test_noise_alone_makes_no_gap_but_is_noticed():
    """Nine times the noise's variance: a mean of the two would show a gap."""
    rng = np.random.default_rng(3)
    order = rng.normal(size=2000)
    a, b = noisy(order, 6, rng, 0.5), noisy(order, 6, rng, 1.5)
    found = exchange_test(a, b, method="pearson")
    assert found.gap.low < 0 < found.gap.high
    assert found.gap.estimate == pytest.approx(0, abs=0.02)
    assert (found.within_a + found.within_b) / 2 - found.between > 0.05
    assert found.p_value < 0.05


def test_more_ways_than_wanted_are_drawn_at_random():
    rng = np.random.default_rng(4)
    order, other = rng.normal(size=(2, EXAMPLES))
    a, b = noisy(order, 12, rng), noisy(order, 12, rng)
    some = exchange_test(a, b, exchanges=999)
    assert (some.exchanges, some.exact) == (999, False)
    again = exchange_test(a, b, exchanges=999, seed=1)
    assert some.p_value == pytest.approx(again.p_value, abs=0.08)
    assert some.p_value != again.p_value
    apart = exchange_test(a, noisy(other, 12, rng), exchanges=999)
    # what is seen is one of them: never 0
    assert apart.p_value == pytest.approx(1 / 999)


def test_where_nothing_can_be_told_it_is_nan():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 3, EXAMPLES))
    alone = exchange_test(a[:1], b)
    assert np.isnan([alone.within_a, alone.gap.estimate, alone.p_value]).all()
    assert np.isfinite(alone.within_b)
    b[1] = 1
    assert np.isnan(exchange_test(a, b).p_value)


def test_wrong_arguments_are_refused():
    measure = inspect.unwrap(exchange_test)
    a = np.zeros((2, 3))
    with pytest.raises(ValueError, match="scores_b: wanted 3 examples, as in scores_a"):
        measure(a, scores_b=a[:, :2])
    with pytest.raises(ValueError, match="method: wanted spearman or pearson, got 'k"):
        measure(a, a, method="kendall")
    with pytest.raises(ValueError, match="exchanges: wanted at least 1, got 0"):
        measure(a, a, exchanges=0)
