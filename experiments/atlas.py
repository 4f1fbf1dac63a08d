"""The ensembles that the claims share: described once, trained once, read by many.

    python -m experiments.atlas --data-root DIR --records DIR [--scale cpu]
        [--of mnist ...] [--names mlp ...] [--plan]

DIR of the data holds `tfds/` (MNIST and Fashion-MNIST), `cifar10_jpeg/` and
`newsgroups20/`. Every ensemble has random streams of its own, from a seed that its name
gives. What is finished is not trained again, and what was interrupted goes on.
"""

import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

import jaxorder as jo
from jaxorder.config import RunConfig
from jaxorder.config.study import StudyConfig
from jaxorder.run.folder import Run, is_run
from jaxorder.run.training import plan_study

app = App(help=__doc__, help_format="plaintext", result_action="return_value")
Scale = Literal["smoke", "cpu", "paper"]
Options = Mapping[str, Any]
Data = Literal["mnist", "fashion_mnist", "cifar10_jpeg", "newsgroups20", "digits"]
_SEVERAL = Parameter(consume_multiple=True, negative=())
IMAGES: tuple[Data, ...] = ("mnist", "fashion_mnist", "cifar10_jpeg")


@dataclass(frozen=True)
class Source:
    """A data set, and how much of it is trained on at scale `cpu`.

    Attributes:
        data: What `--data` is given; {} stands for the folder of all data.
        examples: Training examples.
        epochs: Of the base ensembles.
        folder: Of prepared sets, in the folder of all data.
        options: Others.
    """

    data: str
    examples: int
    epochs: int
    folder: str | None = None
    options: tuple[tuple[str, Any], ...] = ()


SOURCES = {
    "mnist": Source("mnist", 4000, 15, "tfds"),
    "fashion_mnist": Source("fashion_mnist", 5000, 20, "tfds"),
    "cifar10_jpeg": Source("folder:{}/cifar10_jpeg/cifar10-jpeg.tar.gz", 8000, 20),
    "newsgroups20": Source(
        "newsgroups20:{}/newsgroups20/20news-bydate.tar.gz,strip=true",
        8000,
        12,
        options=(("drop_duplicates", "exact"),),
    ),
    # to try things out: it was looked at before, and has no verdicts
    "digits": Source("digits", 1297, 30),
}

_IMAGES: dict[str, Options] = {
    "mlp": {"model": "mlp", "members": 32},
    "mlp_again": {"model": "mlp", "members": 16},
    "mlp_linear": {"model": "mlp:linear=true", "members": 16},
    "small_st_vgg": {"model": "small_st_vgg", "members": 16},
    "small_st_vgg_linear": {"model": "small_st_vgg:linear=true", "members": 16},
    "st_vgg": {"model": "st_vgg", "members": 12},
    "resnet18": {"model": "resnet18:width=16", "members": 8},
}
_TEXTS: dict[str, Options] = {
    "bilstm_attention": {"model": "bilstm_attention", "members": 16},
    "bag_of_embeddings": {"model": "bag_of_embeddings", "members": 16},
}
_LARGE = ("st_vgg", "resnet18")  # need images of 16 x 16 pixels
_SHORT = ("fashion_mnist", "cifar10_jpeg")  # where ResNets are trained for less


def ensembles(data: str) -> dict[str, Options]:
    """Return the ensembles of a data set by name, with the options they have beside it.

    Args:
        data: One of `SOURCES`.
    """
    if data == "newsgroups20":
        return {**_TEXTS}
    if data == "digits":  # too small for the others
        return {name: each for name, each in _IMAGES.items() if name not in _LARGE}
    found = {**_IMAGES}
    if data in _SHORT:
        found["resnet18"] = {**found["resnet18"], "epochs": 12}
    return found


def config(data: str, name: str, scale: Scale, root: Path | None) -> RunConfig:
    """Return what an ensemble is trained by.

    Args:
        data: One of `SOURCES`.
        name: One of its ensembles.
        scale: How much is trained.
        root: Folder of all data.
    """
    source = SOURCES[data]
    given: dict[str, Any] = {
        "data": source.data.format(root),
        "data_dir": root / source.folder if root and source.folder else None,
        "train_examples": source.examples,
        "test_examples": 500 if data == "digits" else 2000,
        "record_examples": 2000,
        "epochs": source.epochs,
        "keep_checkpoints": "none",
        "name": name,
        "seed": zlib.crc32(f"{data}/{name}".encode()),
        **dict(source.options),
        **ensembles(data)[name],
    }
    return RunConfig(**given | _scaled(given, scale))


def _scaled(given: Options, scale: Scale) -> dict[str, Any]:
    if scale == "smoke":
        few = {"train_examples": 300, "test_examples": 200, "epochs": 2}
        return few | {"members": min(given["members"], 6)}
    if scale == "paper":
        return {"train_examples": None, "test_examples": None, "epochs": 100}
    return {}


def trained(config: RunConfig, records: Path) -> Run:
    """Return a finished run: trained now, or resumed, or as it was.

    Args:
        config: As `config` gives it.
        records: Folder of this data set's ensembles.
    """
    path = records / config.name
    if not is_run(path):
        return jo.train(config, out=path)
    (run,) = jo.resume(path)
    return run


@app.default
def main(
    *,
    records: Path,
    data_root: Path | None = None,
    scale: Scale = "cpu",
    of: Annotated[tuple[Data, ...], _SEVERAL] = (*IMAGES, "newsgroups20"),
    names: Annotated[tuple[str, ...], _SEVERAL] = (),
    plan: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Train what is missing of the ensembles named, or of all; or plan how long."""
    for data, each in chosen(of, names):
        asked = config(data, each, scale, data_root)
        seconds = planned(asked) if plan else spent(trained(asked, records / data))
        print(f"{data}/{each}: {asked.members} members, {seconds:,.0f} s", flush=True)


def planned(config: RunConfig) -> float:
    """Estimate the seconds that an ensemble takes, by a trial."""
    (work,) = plan_study(StudyConfig((config,)), "always")
    return work.plan_document()["estimated_seconds"]


def spent(run: Run) -> float:
    """Return the seconds that an ensemble took."""
    return run.progress.train_seconds + run.progress.evaluate_seconds


def chosen(of: Iterable[str], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Give the data sets and ensembles that are named; all where none is."""
    for data in of:
        for name in ensembles(data):
            if not names or name in names:
                yield data, name


if __name__ == "__main__":
    sys.exit(app())
