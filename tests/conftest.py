"""What every test shares: checked shapes, the real data, one CPU device per core."""

import importlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import pytest
from jaxtyping import install_import_hook

from tests import checker

install_import_hook("jaxorder", f"{checker.__name__}.checked")

# their types are checked, too
from jaxorder import errors  # noqa: E402
from jaxorder.data import Dataset, load  # noqa: E402
from jaxorder.ensemble.devices import keep_compiled  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
# before any test uses JAX: as many devices as a run would make
jax.config.update("jax_num_cpu_devices", os.cpu_count())

DATA = Path(os.environ.get("JAXORDER_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the real data sets, or skip; CI must not skip unawares."""
    if os.environ.get("JAXORDER_TEST_DATA") == "none":
        pytest.skip("no real data here, as JAXORDER_TEST_DATA says")
    if not (DATA / "tfds").is_dir():
        missing = f"no real data in {DATA} (set JAXORDER_TEST_DATA)"
        (pytest.fail if "CI" in os.environ else pytest.skip)(missing)
    return DATA


def cleanlab_rank() -> Any:
    """Return cleanlab's scores, or skip; CI must not skip unawares."""
    try:
        return importlib.import_module("cleanlab.rank")
    except ImportError:
        missing = "cleanlab is not installed (the extras test and experiments have it)"
        return (pytest.fail if "CI" in os.environ else pytest.skip)(missing)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the caches of tests out of the user's home, one for all workers.

    What one test compiled no other has to, in this process or another.
    """
    path = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        path = path.parent
    os.environ["JAXORDER_CACHE"] = str(path / "cache")
    keep_compiled()
    return path / "cache"


# What a message says to type into a shell is spelled as there; the rest is not. Marks,
# which are spelled where they are shown, stand between control characters.
MARKED = re.compile("\x02[^\x03]*\x03")
TYPED = re.compile(r"\b(jaxorder|tfds) [a-z]+ .*", re.DOTALL)


@pytest.fixture(autouse=True)
def options_are_marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in which any error spells an option instead of marking it."""
    begin, spelled = errors._Spelled.__init__, []

    def begin_and_look(self: errors._Spelled, message: str) -> None:
        begin(self, message)
        if re.search("--[a-z]", TYPED.sub("", MARKED.sub("", message))):
            spelled.append(message)

    monkeypatch.setattr(errors._Spelled, "__init__", begin_and_look)
    yield
    assert not spelled, "options in messages are to be marked by `given`"


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """Return few digits, of a number that no batch size divides."""
    return load("digits", train_examples=101, test_examples=53)


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of networks in the current folder, where a package has it too."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "tests" / "nets.py").read_text()
    (tmp_path / "mine").mkdir()
    for path in (tmp_path / "nets.py", tmp_path / "mine" / "nets.py"):
        path.write_text(text)
    return tmp_path / "nets.py"
