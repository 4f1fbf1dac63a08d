"""Time a training that records probes beside one that does not.

    python -m benchmarks.probes --data fashion_mnist --data-dir DIR

Trains `--model` on all of the data with the default snapshots, with and without
`--probes` probes of `--examples` test examples each, every training in a process of its
own, in turns. Prints the medians of the seconds of training and evaluation, and what
the probes add (wanted: under 10%).
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(help=__doc__, help_format="plaintext", result_action="return_value")


@app.default
def main(
    *,
    data: str = "fashion_mnist",
    data_dir: Path | None = None,
    model: str = "mlp",
    members: int = 8,
    epochs: int = 30,
    probes: int = 3,
    examples: int = 2000,
    turns: int = 3,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Measure and print."""
    asked = ["--data", data, *(["--data-dir", str(data_dir)] if data_dir else [])]
    asked += ["--models", model, "--members", str(members), "--epochs", str(epochs)]
    asked += ["--record-examples", str(examples), "--keep-checkpoints", "none"]
    each = [f"probe{number}={data}" for number in range(probes)]
    ways = {"without": asked, "with": [*asked, "--probe", *each]}
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(turns):
        for way, options in ways.items():
            found[way].append(_seconds(options))
    pairs = zip(found["with"], found["without"], strict=True)
    added = statistics.median(one / other - 1 for one, other in pairs)
    if as_json:
        print(json.dumps({"schema": 1, "seconds": found, "added": added}, indent=1))
        return
    medians = {way: statistics.median(seconds) for way, seconds in found.items()}
    print(
        f"{model} on {data}, {members} members, {epochs} epochs: "
        f"{medians['without']:.1f} s, with {probes} probes of {examples:,} examples "
        f"{medians['with']:.1f} s: {added:+.1%} (median of {turns})"
    )


def _seconds(options: list[str]) -> float:
    """Return the seconds that a training and its evaluations took."""
    with tempfile.TemporaryDirectory() as folder:
        out = ["--out", f"{folder}/study", "--quiet"]
        command = [sys.executable, "-m", "jaxorder", "run", *options, *out]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        info = [sys.executable, "-m", "jaxorder", "info", f"{folder}/study", "--json"]
        told = subprocess.run(info, check=True, capture_output=True, text=True).stdout
    (run,) = json.loads(told)["runs"]
    return run["train_seconds"] + run["evaluate_seconds"]


if __name__ == "__main__":
    sys.exit(app())
