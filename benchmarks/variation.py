"""Time an epoch of members that differ, against as many that differ in seeds alone.

    python -m benchmarks.variation [--rows mlp8 mlp28] [--turns 5] [--json]

Rows are those of `benchmarks.throughput`. Ensembles take turns in one run; a ratio is
that of two neighbouring turns, and its median over turns is printed with the first and
third quartile. Members that take as many steps as the plain ones are mapped as these
are; the others have a plan of their own. `values`: learning rate, momentum, weight
decay and label smoothing vary, all members of the plain ensemble having the second
value of each (wanted: at most 1.05). `bootstrap`: each member's own sample, as large as
the whole (likewise). `tenth`: each member on its own tenth of the examples (wanted:
0.1, and what an epoch costs beside its steps). `shares`: members on 10%, 20% .. 90%
(wanted: their mean, 0.5).
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from cyclopts import App, Parameter

from benchmarks.ways import MOMENTUM, RATE, ROWS, network_work
from jaxorder.ensemble.devices import spread_over_cores
from jaxorder.ensemble.plan import Plan
from jaxorder.run.networks import NetworkWork

app = App(
    help=__doc__,
    help_format="plaintext",
    result_action="return_value",
    default_parameter=Parameter(consume_multiple=True, negative=()),
)
TURN_SECONDS = 1.0
VALUES = {
    "learning_rate": (RATE, RATE / 2),
    "momentum": (MOMENTUM, 0.8),
    "weight_decay": (0.0, 1e-4),
    "label_smoothing": (0.0, 0.1),
}


class Varied(NamedTuple):
    """Members that differ, and what the plain ensemble has instead."""

    members: int
    options: dict[str, Any]
    plain: dict[str, Any]
    as_long: bool  # as many steps an epoch


def _values() -> Varied:
    vary = [f"{k}={a},{b}" for k, (a, b) in VALUES.items()]
    own = {"vary": tuple(vary), "learning_rate": None, "momentum": 0.9}
    return Varied(2 ** len(VALUES), own, {k: b for k, (_, b) in VALUES.items()}, True)


SHARES = "subset=" + ",".join(f"0.{tenth}" for tenth in range(1, 10))
ENSEMBLES = {
    "values": _values(),
    "bootstrap": Varied(8, {"resample": "bootstrap"}, {}, True),
    "tenth": Varied(8, {"subset": 0.1}, {}, False),
    "shares": Varied(18, {"vary": (SHARES,)}, {}, False),
}


@app.default
def main(
    *,
    rows: list[str] = ["mlp8", "mlp28", "cnn8"],  # noqa: B006  # cyclopts copies it
    turns: int = 5,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Measure and print."""
    spread_over_cores(max(each.members for each in ENSEMBLES.values()))
    found = [measure(row, name, turns) for row in rows for name in ENSEMBLES]
    if as_json:
        print(json.dumps({"schema": 1, "ratios": found}, indent=1))
        return
    for each in found:
        print(
            f"{each['row']:6} {each['ensemble']:10} N={each['members']:<3} "
            f"{each['ratio']:.3f} [{each['low']:.3f}, {each['high']:.3f}] of a plain "
            f"epoch ({each['plain_ms']:.1f} ms)"
        )


def measure(row: str, name: str, turns: int) -> dict[str, Any]:
    """Return the time of an epoch over that of a plain ensemble, measured in turns."""
    members, options, usual, as_long = ENSEMBLES[name]
    plain = network_work(ROWS[row], members, **usual)
    plan = named_plan(plain.plan) if as_long else "auto"
    varied = network_work(ROWS[row], members, plan=plan, **options)
    runs = [epochs(plain), epochs(varied)]
    count = max(1, int(TURN_SECONDS / runs[0](1)))
    times = [[run(count) for run in runs] for _ in range(turns)]
    ratios = sorted(own / usual for usual, own in times)
    return {
        "row": row,
        "ensemble": name,
        "members": members,
        "ratio": statistics.median(ratios),
        "low": ratios[len(ratios) // 4],
        "high": ratios[-1 - len(ratios) // 4],
        "plain_ms": 1e3 * statistics.median(usual for usual, _ in times),
    }


def named_plan(plan: Plan) -> str:
    """Return the name that asks for a plan."""
    train = plan.train
    size = f",size={train.chunk}" if train.members == "chunks" else ""
    return f"{train.members}:convolution={train.convolution}{size}"


def epochs(work: NetworkWork) -> Callable[[int], float]:
    """Return what trains all members for some epochs: seconds an epoch, order too."""
    made = work.ensemble()
    made.begin(0, work.config.members)
    held = [made.init()]
    steps = work.recipe.steps_per_epoch

    def run(count: int) -> float:
        began = time.perf_counter()
        for epoch in range(count):
            order = made.order(epoch)
            held[0], _ = made.train_segment(held[0], order, epoch * steps, steps)
        return (time.perf_counter() - began) / count

    run(1)
    return run


if __name__ == "__main__":
    sys.exit(app())
