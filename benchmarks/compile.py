"""Time the compilation of every architecture's training and evaluation.

    python -m benchmarks.compile [--models mlp resnet50] [--members 32] [--json]

Images are 32x32x3, texts have 100 tokens, batches 100 examples; the plan is that of the
rule for this device. Each architecture is compiled in a process of its own, once with
an empty cache of compiled programs and once more, in another process, from that cache.
`trace` is the time in Python, until the program is lowered; `compile` that of XLA, or
of reading the cache; both are summed over the training and the evaluation.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
from cyclopts import App, Parameter
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxorder.config import RunConfig
from jaxorder.data import Dataset, Split
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.devices import spread_over_cores
from jaxorder.ensemble.plan import by_rule
from jaxorder.models import ARCHITECTURES
from jaxorder.run.networks import NetworkWork, prepare

app = App(
    help=__doc__,
    help_format="plaintext",
    result_action="return_value",
    default_parameter=Parameter(consume_multiple=True, negative=()),
)
IMAGE, TOKENS, WORDS = (32, 32, 3), 100, 10_000
TEXTS = ("bilstm_attention", "bag_of_embeddings")
EXAMPLES, BATCH, CLASSES = 1000, 100, 10
PARTS = ("train", "evaluate")


@app.default
def main(
    *,
    models: list[str] = list(ARCHITECTURES),  # noqa: B006  # cyclopts copies it
    members: int = 32,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Measure and print."""
    rows = []
    for model in models:
        rows.append(measure(model, members))
        if not as_json:
            print_row(rows[-1], header=len(rows) == 1)
    if as_json:
        document = {"schema": 1, "members": members, "jax": jax.__version__}
        print(json.dumps(document | {"rows": rows}, indent=1))


def measure(model: str, members: int) -> dict[str, Any]:
    """Return a row: seconds cold and from the cache, each in its own process."""
    with tempfile.TemporaryDirectory() as cache:
        found = {way: _apart(model, members, cache) for way in ("cold", "cached")}
    return {"model": model, **found}


def _apart(model: str, members: int, cache: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.compile", "one", model]
    done = subprocess.run(
        [*command, str(members), cache], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def print_row(row: dict[str, Any], header: bool) -> None:
    """Print a row of the table, in seconds."""
    if header:
        print(
            "| model | train | evaluate | both, cold | of it trace | from the cache |"
        )
        print("|---|---|---|---|---|---|")
    cold, cached = row["cold"], row["cached"]
    each = " | ".join(f"{sum(cold[part].values()):.1f}" for part in PARTS)
    trace = sum(cold[part]["trace"] for part in PARTS)
    print(
        f"| {row['model']} | {each} | {cold['both']:.1f} | {trace:.1f} | "
        f"{cached['both']:.1f} |",
        flush=True,
    )


@app.command
def one(model: str, members: int, cache: Path) -> None:
    """Compile one architecture, with a folder of compiled programs; print seconds."""
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    devices = spread_over_cores(members)
    config = RunConfig(data="made", model=model, members=members, batch_size=BATCH)
    plan = by_rule(devices, members, members, convolves=model not in (*TEXTS, "mlp"))
    work = prepare(config, LaidOut(made(model)), devices, plan=plan)
    found: dict[str, Any] = {part: _seconds(work, part) for part in PARTS}
    found["both"] = sum(sum(seconds.values()) for seconds in found.values())
    print(json.dumps(found))


def _seconds(work: NetworkWork, part: Any) -> dict[str, float]:
    ensemble = work.ensemble()
    ensemble.begin(0, work.config.members)
    # shapes alone: the states of all members might not fit
    mesh = Mesh(np.array(work.devices[: work.plan.devices]), ("member",))
    spread = NamedSharding(mesh, PartitionSpec("member"))
    state, order = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=spread),
        jax.eval_shape(lambda: (ensemble.init(), ensemble.order(0))),
    )
    began = time.perf_counter()
    lowered = ensemble.lower(part, state, order)
    traced = time.perf_counter()
    lowered.compile()
    return {"trace": traced - began, "compile": time.perf_counter() - traced}


def made(model: str) -> Dataset:
    """Return noise of the shape that an architecture takes."""
    rng = np.random.default_rng(0)
    labels = np.arange(EXAMPLES) % CLASSES
    names = tuple(str(number) for number in range(CLASSES))
    if model.partition(":")[0] in TEXTS:
        split = Split(rng.integers(1, WORDS, (EXAMPLES, TOKENS)), labels, tokens=True)
        words = tuple(str(number) for number in range(WORDS))
        return Dataset("made", split, split, names, "none", words)
    images = rng.integers(0, 256, (EXAMPLES, *IMAGE)).astype(np.uint8)
    split = Split(images, labels)
    return Dataset("made", split, split, names)


if __name__ == "__main__":
    sys.exit(app())
