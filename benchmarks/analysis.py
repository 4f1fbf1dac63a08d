"""Time what the analysis of a record costs, and how much memory it takes.

    python -m benchmarks.analysis --out DIR [--snapshots 100] [--members 32]
        [--examples 70000] [--classes 10] [--measures NAME ...] [--plain] [--json]

Makes two runs of made-up members in DIR, which must have room for them (the size is
printed), unless they are there, and measures each thing in a process of its own: the
seconds that pass, those of all cores together, and the peak of the resident set.
`--plain` measures the same in plain numpy beside it, the record read whole.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from benchmarks.made_record import Size, write

app = App(
    help=__doc__,
    help_format="plaintext",
    result_action="return_value",
    default_parameter=Parameter(negative=()),
)


@app.default
def main(
    *,
    out: Path,
    snapshots: int = 100,
    members: int = 32,
    examples: int = 70_000,
    classes: int = 10,
    measures: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    plain: bool = False,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Make the runs, measure each thing and print."""
    size = Size(snapshots, members, examples, classes)
    folder = out / f"{snapshots}-{members}-{examples}-{classes}"
    runs = [folder / f"run{seed}" for seed in (1, 2)]
    for seed, run in enumerate(runs, start=1):
        if not run.exists():
            write(run, size, seed)
    disk = sum(file.stat().st_size for file in runs[0].rglob("*") if file.is_file())
    raw = size.predictions * (1 if classes < 256 else 2)
    found: dict[str, Any] = {"bytes": raw, "disk_bytes": disk, "measured": {}}
    if not as_json:
        print(
            f"T={snapshots}, N={members}, M={examples:,}, {classes} classes: "
            f"{raw / 1e9:.2f} GB of predictions, {disk / 1e9:.2f} GB on disk"
        )
    ways = ("jaxorder", "numpy") if plain else ("jaxorder",)
    chosen = measures or MEASURES
    for name, way in [(n, w) for n in chosen for w in ways if n in WAYS[w]]:
        found["measured"][f"{name}, {way}"] = each = apart(way, name, folder)
        if not as_json:
            print(
                f"{name + ', ' + way:34s} {each['seconds']:8.2f} s "
                f"{each['core_seconds']:8.2f} core-s {each['peak_gib']:6.2f} GiB",
                flush=True,
            )
    if as_json:
        print(json.dumps(found, indent=1))


def apart(way: str, name: str, folder: Path) -> dict[str, float]:
    """Measure one thing in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.analysis", "once", way, name]
    done = subprocess.run(
        [*command, str(folder)], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)


@app.command
def once(way: str, name: str, folder: Path) -> None:
    """Measure one thing; print its seconds and the peak of the resident set."""
    measure = WAYS[way][name]
    began, used = time.perf_counter(), time.process_time()
    measure(folder)
    seconds, core_seconds = time.perf_counter() - began, time.process_time() - used
    # Linux counts in KiB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    document = {
        "seconds": seconds,
        "core_seconds": core_seconds,
        "peak_gib": peak,
    }
    print(json.dumps(document))


# ---- what is measured


def of_run(name: str) -> Callable[[Path], Any]:
    """Return a measure of the first run."""

    def measure(folder: Path) -> Any:
        import jaxorder.analysis

        return getattr(jaxorder.analysis, name)(folder / "run1")

    return measure


def compare(folder: Path) -> Any:
    """Compare both runs."""
    from jaxorder.analysis import compare

    return compare(folder / "run1", folder / "run2")


def everything(folder: Path) -> Any:
    """Measure what a report of one run needs, but for its nulls."""
    from jaxorder.analysis import measure_all
    from jaxorder.run.folder import Run

    results = measure_all([Run(folder / "run1")], simulations=0)
    (numbers,) = results.runs
    assert numbers.test is not None
    return numbers.test.reliability, numbers.test.growth, numbers.test.common


def plain_numpy(measure: Callable[[np.ndarray, np.ndarray], Any]) -> Any:
    """Return a measure of the whole record at once."""

    def measured(folder: Path) -> Any:
        import xarray as xr

        path = folder / "run1" / "record.zarr"
        record = xr.open_zarr(path, group="test", consolidated=False, chunks=None)
        return measure(record["prediction"].values, record["label"].values)

    return measured


def plain_kappa(prediction: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Fleiss' kappa by its formula."""
    share = (prediction == label).mean(axis=1)
    members, mean = prediction.shape[1], share.mean(axis=1)
    chance = mean * (1 - mean)
    return (members * share.var(axis=1) / chance - 1) / (members - 1)


def plain_votes(prediction: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Classification agreement by counting each class."""
    counts = [(prediction == k).sum(axis=1) for k in range(int(label.max()) + 1)]
    return np.max(counts, axis=0) / prediction.shape[1]


def plain_learned(prediction: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The snapshot from which members stay correct."""
    correct = (prediction == label)[::-1]
    return len(correct) - np.logical_and.accumulate(correct).sum(axis=0)


def plain_reliability(prediction: np.ndarray, label: np.ndarray) -> float:
    """Cronbach's alpha of accessibilities, snapshots weighted alike."""
    order = (prediction == label).mean(axis=0)
    members = len(order)
    own, whole = order.var(axis=1).sum(), order.sum(axis=0).var()
    return members / (members - 1) * (1 - own / whole)


MEASURES = (
    "tp_agreement",
    "classification_agreement",
    "accessibility",
    "fleiss_kappa",
    "learned_snapshot",
    "order_reliability",
    "scores",
    "compare",
    "measure_all",
)
WAYS: dict[str, dict[str, Callable[[Path], Any]]] = {
    "jaxorder": {
        **{name: of_run(name) for name in MEASURES},
        "compare": compare,
        "measure_all": everything,
    },
    "numpy": {
        "tp_agreement": plain_numpy(lambda p, label: (p == label).mean(axis=1)),
        "classification_agreement": plain_numpy(plain_votes),
        "accessibility": plain_numpy(lambda p, label: (p == label).mean(axis=(0, 1))),
        "fleiss_kappa": plain_numpy(plain_kappa),
        "learned_snapshot": plain_numpy(plain_learned),
        "order_reliability": plain_numpy(plain_reliability),
    },
}

if __name__ == "__main__":
    sys.exit(app())
