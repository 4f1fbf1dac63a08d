"""Which scores find wrong labels, against cleanlab's and the area under the margin."""

import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from cyclopts import App

import jaxorder as jo
from jaxorder.config import RunConfig
from jaxorder.run.folder import Run, is_run

app = App(help=__doc__, help_format="plaintext", result_action="return_value")
KINDS = ("symmetric", "pair")
SHARES = (0.05, 0.1, 0.2, 0.4)
SEEDS = (0, 1, 2)
FOLDS = 5


@dataclass(frozen=True)
class Cell:
    """One kind, share and seed of noise."""

    kind: str
    share: float
    seed: int

    @property
    def name(self) -> str:
        """The folder of its run."""
        return f"{self.kind}_{round(100 * self.share)}_{self.seed}"

    @property
    def tuning(self) -> bool:
        """Whether the default was chosen on it; every other cell judges the choice."""
        kind, share = KINDS.index(self.kind), SHARES.index(self.share)
        return (kind + share + self.seed) % 2 == 0


CELLS = tuple(Cell(*each) for each in product(KINDS, SHARES, SEEDS))


@app.default
def main(*, out: Path, data_dir: Path | None = None, smoke: bool = False) -> None:
    """Train what is missing."""
    for cell in sorted(CELLS, key=lambda cell: not cell.tuning):
        print(cell.name, flush=True)
        trained(out / cell.name, protocol(cell, data_dir, smoke))
    print("judged", flush=True)
    trained(out / "judged", protocol_judged(data_dir, smoke))


def protocol(cell: Cell, data_dir: Path | None, smoke: bool) -> RunConfig:
    """Return the training of a cell's members."""
    data: dict[str, Any] = {
        "data": "digits" if smoke else "fashion_mnist",
        "data_dir": data_dir,
        "train_examples": 1000 if smoke else 8000,
        "test_examples": 100,
        "label_noise": cell.share,
        "noise": cell.kind,
        "noise_seed": cell.seed,
    }
    return RunConfig(**data, **members(smoke), seed=cell.seed, folds=FOLDS)


def protocol_judged(data_dir: Path | None, smoke: bool) -> RunConfig:
    """Return the training of the members that never saw the judged test images."""
    data: dict[str, Any] = {
        "data": "digits" if smoke else "mnist",
        "data_dir": data_dir,
        "record_examples": 10_000,
    }
    return RunConfig(**data, **members(smoke))


def members(smoke: bool) -> dict[str, Any]:
    """Return what all runs have in common."""
    return {
        "model": "mlp",
        "members": FOLDS if smoke else 2 * FOLDS,
        "epochs": 2 if smoke else 15,
        "snapshots": "epoch",
        "record": ("margin", "true_logprob", "error_norm", "probability"),
        "keep_checkpoints": "none",
    }


def trained(out: Path, config: RunConfig) -> Run:
    """Return a finished run: begun, or resumed where it stopped."""
    if not is_run(out):
        return jo.train(config, out=out, progress=False)
    (run,) = jo.resume(out, progress=False)
    return run


if __name__ == "__main__":
    sys.exit(app())
