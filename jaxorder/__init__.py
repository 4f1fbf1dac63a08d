"""What networks learn, in which order, and whether they agree.

Names are imported where they are first used: the analysis loads no JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxorder.analysis import (
        accessibility as accessibility,
    )
    from jaxorder.analysis import (
        bimodality as bimodality,
    )
    from jaxorder.analysis import (
        classification_agreement as classification_agreement,
    )
    from jaxorder.analysis import (
        compare as compare,
    )
    from jaxorder.analysis import (
        fleiss_kappa as fleiss_kappa,
    )
    from jaxorder.analysis import (
        tp_agreement as tp_agreement,
    )
    from jaxorder.config import RunConfig as RunConfig
    from jaxorder.data import Dataset as Dataset
    from jaxorder.run.folder import Run as Run
    from jaxorder.run.folder import open_run as open_run
    from jaxorder.run.training import resume as resume
    from jaxorder.run.training import train as train

_MODULES = {
    "RunConfig": "jaxorder.config",
    "RequestError": "jaxorder.errors",
    "Dataset": "jaxorder.data",
    "Run": "jaxorder.run.folder",
    "accessibility": "jaxorder.analysis",
    "bimodality": "jaxorder.analysis",
    "classification_agreement": "jaxorder.analysis",
    "compare": "jaxorder.analysis",
    "fleiss_kappa": "jaxorder.analysis",
    "open_run": "jaxorder.run.folder",
    "resume": "jaxorder.run.training",
    "scores": "jaxorder.analysis",
    "tp_agreement": "jaxorder.analysis",
    "train": "jaxorder.run.training",
    "write_report": "jaxorder.report",
}
__version__ = "0.1.0"
__all__ = [*sorted(_MODULES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
