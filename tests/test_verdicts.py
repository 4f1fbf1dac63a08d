"""Verdicts of made-up measures whose answer is known."""

import numpy as np
import pytest

from experiments.verdicts import Cell, criteria, holm, verdicts
from jaxorder.analysis.intervals import Interval, jackknife, p_value, undefined


def measured(estimate: float, error: float = 0.01, degrees: float = 20.0) -> Interval:
    reach = 2.09 * error
    ends = estimate - reach, estimate + reach
    return Interval(estimate, *ends, error, units=21, degrees=degrees)


def cell(primary: Interval, **given) -> Cell:
    bounds = {"holds_from": 0.2, "fails_below": 0.1}
    return Cell(data="made", of="mlp", primary=primary, **bounds, **given)


def test_each_verdict_is_reached():
    cells = [cell(measured(each)) for each in (0.3, 0.15, 0.05, 0.2, 0.1)]
    wanted = ["holds", "undecided", "does not hold", "undecided", "undecided"]
    assert verdicts(cells, 0.05) == wanted


def test_what_is_wide_or_undefined_or_barred_is_undecided():
    cells = [
        cell(measured(0.3, error=0.2)),
        cell(undefined(3)),
        cell(measured(0.3), reasons=["fewer than 8 members"]),
    ]
    assert verdicts(cells, 0.05) == ["undecided"] * 3


def test_scores_that_decide_otherwise_leave_it_undecided():
    clear, other = measured(0.3), measured(0.15)
    assert verdicts([cell(clear, other=clear)], 0.05) == ["holds"]
    assert verdicts([cell(clear, other=other)], 0.05) == ["undecided"]
    assert verdicts([cell(clear, other=measured(0.0))], 0.05) == ["undecided"]


def test_more_cells_ask_for_more():
    """Of one cell p = 0.02 is enough, of many not."""
    barely = cell(measured(0.2 + 2.2 * 0.01))
    assert verdicts([barely], 0.05) == ["holds"]
    others = [cell(undefined(3))] * 5
    assert verdicts([barely, *others], 0.05)[0] == "undecided"


def test_holm_errs_as_seldom_as_said():
    """Half of the hypotheses are true; any of them is rejected in 5% at most."""
    rng = np.random.default_rng(0)
    wrong, found = 0, 0
    for _ in range(2000):
        p = np.append(rng.random(4), rng.random(4) / 1000)
        rejected = holm(p.tolist(), 0.05)
        wrong += any(rejected[:4])
        found += sum(rejected[4:])
    assert wrong / 2000 < 0.065
    assert found / 8000 > 0.99


@pytest.mark.parametrize("mean", [0.2, 0.1])
def test_at_a_threshold_a_test_is_wrong_in_one_of_twenty(mean: float):
    rng = np.random.default_rng(1)
    p_values = []
    for _ in range(2000):
        values = mean + rng.normal(size=12)
        found = jackknife(lambda kept, v=values: float(v[kept].mean()), 12)
        side = "above" if mean == 0.2 else "below"
        p_values.append(p_value(found, mean, side))
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.015)


def test_criteria_name_what_a_verdict_needs():
    asked = criteria()
    rules = asked.pop("rules")
    assert rules["familywise"] == 0.05
    assert asked.pop("schema") == 1
    for name, claim in asked.items():
        assert {"claim", "data", "split", "measure", "control"} <= set(claim), name
        assert {"digits"}.isdisjoint(claim["data"]), name
