"""What every test shares: checked shapes, the real data, one CPU device per core."""

import os
from pathlib import Path

import jax
import pytest
from jaxtyping import install_import_hook

from tests import checker

install_import_hook("jaxorder", f"{checker.__name__}.checked")

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


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the caches of tests out of the user's home."""
    path = tmp_path_factory.mktemp("cache")
    os.environ["JAXORDER_CACHE"] = str(path)
    return path
