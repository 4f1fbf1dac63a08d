"""Time a whole `jaxorder run` as a user starts it: seconds, examples/s, memory, disk.

    python -m benchmarks.main_job --data digits --models mlp small_st_vgg --epochs 30

takes the options of `jaxorder run` but `--out`, and prints one JSON document. The
compiled programs are kept apart, so that the first of `--repeat` runs compiles and the
later ones do not.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from jaxorder.cli.documents import folder_bytes
from jaxorder.record import RECORD
from jaxorder.run.folder import Run
from jaxorder.run.study import open_runs


def main(words: list[str]) -> None:
    """Measure runs with some options, and print the figures."""
    repeat = 2
    if "--repeat" in words:
        at = words.index("--repeat")
        repeat = int(words[at + 1])
        words = words[:at] + words[at + 2 :]
    with tempfile.TemporaryDirectory() as folder:
        runs = [measure(words, Path(folder), i) for i in range(repeat)]
    print(json.dumps({"schema": 1, "options": words, "runs": runs}, indent=1))


def measure(words: list[str], folder: Path, number: int) -> dict[str, Any]:
    """Run once in a process of its own and return what it took."""
    out = folder / f"study-{number}"
    command = [sys.executable, "-m", "jaxorder", "run", *words, f"--out={out}"]
    environment = os.environ | {"JAXORDER_CACHE": str(folder / "cache")}
    began = time.perf_counter()
    subprocess.run(
        [*command, "--quiet"], check=True, env=environment, stdout=sys.stderr
    )
    seconds = time.perf_counter() - began
    # of all children so far: the largest
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {
        "seconds": round(seconds, 1),
        "peak_memory_mib": peak >> 20,
        "runs": [figures(run) for run in open_runs(out)],
    }


def figures(run: Run) -> dict[str, Any]:
    """Return the rates and sizes of one finished run."""
    progress, data = run.progress, run.document.data
    trained = progress.planned * run.config.epochs * data.train
    sizes = (run.record(split).sizes["example"] for split in ("train", "test"))
    evaluated = progress.planned * progress.total * sum(sizes)
    return {
        "model": run.name,
        "train_seconds": round(progress.train_seconds, 2),
        "train_examples_per_second": round(trained / progress.train_seconds),
        "evaluate_seconds": round(progress.evaluate_seconds, 2),
        "evaluate_examples_per_second": round(evaluated / progress.evaluate_seconds),
        "record_bytes": folder_bytes(run.path / RECORD),
        "machine": dict(run.document.machine),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
