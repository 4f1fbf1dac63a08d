"""Time what recording a snapshot costs beside evaluating it.

    python -m benchmarks.recording --data digits --model small_st_vgg --members 16

Evaluates and records `--snapshots` snapshots, and prints the median time of an
evaluation, and what a snapshot's recording takes with its share of one commit of all of
them. A run commits at most once in two seconds, so it commits as many as come in that.
"""

import dataclasses
import statistics
import sys
import tempfile
import time
from pathlib import Path

from cyclopts import App

from jaxorder.config import RunConfig
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.devices import spread_over_cores
from jaxorder.record import BlockWriter, read_commit
from jaxorder.run.execution import create
from jaxorder.run.networks import prepare

app = App(help=__doc__, help_format="plaintext", result_action="return_value")


@app.default
def main(
    *,
    data: str = "digits",
    data_dir: Path | None = None,
    model: str = "small_st_vgg",
    members: int = 16,
    snapshots: int = 9,
) -> None:
    """Measure and print."""
    devices = spread_over_cores(members)
    config = RunConfig(
        data=data, data_dir=data_dir, model=model, members=members, epochs=snapshots
    )
    config = dataclasses.replace(config, snapshots="epoch")
    work = prepare(config, LaidOut(config.load()), devices).planned("if long")
    made = work.ensemble()
    made.begin(0, members)
    state = made.init()
    made.predict(state)
    evaluating, recording = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        create(path, work)
        writer = BlockWriter(path, 0, members)
        commit = read_commit(path, 0, members)
        for snapshot in range(snapshots):
            began = time.perf_counter()
            finite, values = made.predict(state)
            evaluated = time.perf_counter()
            for split, own in work.data.by_split(values):
                writer.write(split, snapshot, finite, own)
            evaluating.append(evaluated - began)
            recording.append(time.perf_counter() - evaluated)
        began = time.perf_counter()
        writer.commit(dataclasses.replace(commit, snapshots=snapshots))
        committing = time.perf_counter() - began
    one = statistics.median(evaluating)
    other = statistics.median(recording) + committing / snapshots
    print(
        f"{model} on {data}, {members} members: evaluating {one:.4f} s a snapshot, "
        f"recording {other:.4f} s, {other / one:.1%} of it (one commit of {snapshots})"
    )


if __name__ == "__main__":
    sys.exit(app())
