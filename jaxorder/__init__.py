"""What networks learn, in which order, and whether they agree.

Names are imported where they are first used: the analysis loads no JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxorder.analysis import (
        HeldOutProbabilities,
        accessibility,
        bimodality,
        class_null,
        classification_agreement,
        compare,
        containment,
        containment_of_halves,
        difficulty_null,
        epoch_weights,
        error_agreement,
        exchange_test,
        first_correct_snapshot,
        fleiss_kappa,
        held_out_accuracy,
        held_out_probabilities,
        label_issues,
        label_quality,
        learned_snapshot,
        mean_pairwise_kappa,
        mean_pairwise_kappa_between,
        mean_tetrachoric,
        mean_tetrachoric_between,
        memorisation,
        neighbour_consistency,
        only_stronger,
        pairwise_kappa,
        pairwise_kappa_between,
        scores,
        tetrachoric,
        tetrachoric_between,
        tp_agreement,
    )
    from jaxorder.api import grow, resume, study, train
    from jaxorder.config import RunConfig
    from jaxorder.data import Dataset, Split, from_arrays, load
    from jaxorder.errors import RequestError
    from jaxorder.report import write_report
    from jaxorder.run.folder import Run
    from jaxorder.run.imported import from_predictions
    from jaxorder.run.join import join_scores
    from jaxorder.run.study import Study, open_run, open_runs, open_study

__version__ = "0.1.0"
__all__ = [
    "Dataset",
    "HeldOutProbabilities",
    "RequestError",
    "Run",
    "RunConfig",
    "Split",
    "Study",
    "accessibility",
    "bimodality",
    "class_null",
    "classification_agreement",
    "compare",
    "containment",
    "containment_of_halves",
    "difficulty_null",
    "epoch_weights",
    "error_agreement",
    "exchange_test",
    "first_correct_snapshot",
    "fleiss_kappa",
    "from_arrays",
    "from_predictions",
    "grow",
    "held_out_accuracy",
    "held_out_probabilities",
    "join_scores",
    "label_issues",
    "label_quality",
    "learned_snapshot",
    "load",
    "mean_pairwise_kappa",
    "mean_pairwise_kappa_between",
    "mean_tetrachoric",
    "mean_tetrachoric_between",
    "memorisation",
    "neighbour_consistency",
    "only_stronger",
    "open_run",
    "open_runs",
    "open_study",
    "pairwise_kappa",
    "pairwise_kappa_between",
    "resume",
    "scores",
    "study",
    "tetrachoric",
    "tetrachoric_between",
    "tp_agreement",
    "train",
    "write_report",
]

_ANALYSIS = {
    "HeldOutProbabilities",
    "accessibility",
    "bimodality",
    "class_null",
    "classification_agreement",
    "compare",
    "containment",
    "containment_of_halves",
    "difficulty_null",
    "epoch_weights",
    "error_agreement",
    "exchange_test",
    "first_correct_snapshot",
    "fleiss_kappa",
    "held_out_accuracy",
    "held_out_probabilities",
    "label_issues",
    "label_quality",
    "learned_snapshot",
    "mean_pairwise_kappa",
    "mean_pairwise_kappa_between",
    "mean_tetrachoric",
    "mean_tetrachoric_between",
    "memorisation",
    "neighbour_consistency",
    "only_stronger",
    "pairwise_kappa",
    "pairwise_kappa_between",
    "scores",
    "tetrachoric",
    "tetrachoric_between",
    "tp_agreement",
}
_MODULES = {
    **dict.fromkeys(_ANALYSIS, "jaxorder.analysis"),
    "Dataset": "jaxorder.data",
    "Split": "jaxorder.data",
    "from_arrays": "jaxorder.data",
    "from_predictions": "jaxorder.run.imported",
    "load": "jaxorder.data",
    "join_scores": "jaxorder.run.join",
    "RequestError": "jaxorder.errors",
    "Run": "jaxorder.run.folder",
    "RunConfig": "jaxorder.config",
    "Study": "jaxorder.run.study",
    "open_run": "jaxorder.run.study",
    "open_runs": "jaxorder.run.study",
    "open_study": "jaxorder.run.study",
    "study": "jaxorder.api",
    "grow": "jaxorder.api",
    "resume": "jaxorder.api",
    "train": "jaxorder.api",
    "write_report": "jaxorder.report",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
