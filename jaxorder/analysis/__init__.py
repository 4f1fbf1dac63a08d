"""Agreement, order and difficulty, with their uncertainty: pure numpy, no jax."""

from jaxorder.analysis.agreement import (
    Agreements,
    PairAgreement,
    RunAgreement,
    agreements,
)
from jaxorder.analysis.compare import Comparison, MatchedAccuracy, compare
from jaxorder.analysis.containment import (
    Containment,
    containment,
    containment_of_halves,
)
from jaxorder.analysis.correlation import disattenuated, order_correlation
from jaxorder.analysis.difficulty import (
    cross_fitted,
    distance_ratio,
    neighbour_consistency,
)
from jaxorder.analysis.dynamics import (
    area_under_margin,
    confidence,
    epoch_ends,
    variability,
)
from jaxorder.analysis.excess import Excess, excess_agreement
from jaxorder.analysis.exchange import ExchangeTest, exchange_test
from jaxorder.analysis.held_out import held_out_accuracy
from jaxorder.analysis.histograms import (
    histogram,
    histogram_bimodality,
    histogram_kappa,
)
from jaxorder.analysis.intervals import (
    Interval,
    jackknife,
    jackknife_interval,
    jackknife_two_way,
    p_value,
)
from jaxorder.analysis.label_issues import label_issues
from jaxorder.analysis.label_quality import label_quality
from jaxorder.analysis.matching import Reached, reached, rise_weights
from jaxorder.analysis.measures import (
    Learned,
    accessibility,
    bimodality,
    classification_agreement,
    common_prediction,
    epoch_weights,
    first_correct_snapshot,
    fleiss_kappa,
    forgetting_events,
    learned_snapshot,
    member_accessibility,
    tp_agreement,
)
from jaxorder.analysis.memorisation import Memorisation, memorisation
from jaxorder.analysis.nulls import (
    Null,
    class_null,
    difficulty_null,
    independent_null,
    poisson_binomial,
)
from jaxorder.analysis.only_stronger import OnlyStronger, only_stronger
from jaxorder.analysis.orders import OrderComparison, compare_orders
from jaxorder.analysis.pairs import (
    mean_pairwise_kappa,
    mean_pairwise_kappa_between,
    pairwise_kappa,
    pairwise_kappa_between,
)
from jaxorder.analysis.reliability import (
    cronbach_alpha,
    leave_one_out_alpha,
    members_needed,
    order_reliability,
    spearman_brown,
    split_half,
)
from jaxorder.analysis.results import PairRow, Results, SummaryRow, measure_all
from jaxorder.analysis.scores import scores, write_scores
from jaxorder.analysis.shared_errors import ErrorAgreement, error_agreement
from jaxorder.analysis.tetrachoric import (
    mean_tetrachoric,
    mean_tetrachoric_between,
    tetrachoric,
    tetrachoric_between,
)
from jaxorder.analysis.two_runs import match_snapshots
from jaxorder.analysis.unseen import (
    HeldOutProbabilities,
    held_out_probabilities,
    write_probabilities,
)

__all__ = [
    "Agreements",
    "Comparison",
    "Containment",
    "ErrorAgreement",
    "Excess",
    "ExchangeTest",
    "HeldOutProbabilities",
    "Interval",
    "Learned",
    "MatchedAccuracy",
    "Memorisation",
    "Null",
    "OnlyStronger",
    "OrderComparison",
    "PairAgreement",
    "PairRow",
    "Reached",
    "Results",
    "RunAgreement",
    "SummaryRow",
    "accessibility",
    "agreements",
    "area_under_margin",
    "bimodality",
    "class_null",
    "classification_agreement",
    "common_prediction",
    "compare",
    "compare_orders",
    "confidence",
    "containment",
    "containment_of_halves",
    "cronbach_alpha",
    "cross_fitted",
    "difficulty_null",
    "disattenuated",
    "distance_ratio",
    "epoch_ends",
    "epoch_weights",
    "error_agreement",
    "excess_agreement",
    "exchange_test",
    "first_correct_snapshot",
    "fleiss_kappa",
    "forgetting_events",
    "held_out_accuracy",
    "held_out_probabilities",
    "histogram",
    "histogram_bimodality",
    "histogram_kappa",
    "independent_null",
    "jackknife",
    "jackknife_interval",
    "jackknife_two_way",
    "label_issues",
    "label_quality",
    "learned_snapshot",
    "leave_one_out_alpha",
    "match_snapshots",
    "mean_pairwise_kappa",
    "mean_pairwise_kappa_between",
    "mean_tetrachoric",
    "mean_tetrachoric_between",
    "measure_all",
    "member_accessibility",
    "members_needed",
    "memorisation",
    "neighbour_consistency",
    "only_stronger",
    "order_correlation",
    "order_reliability",
    "p_value",
    "pairwise_kappa",
    "pairwise_kappa_between",
    "poisson_binomial",
    "reached",
    "rise_weights",
    "scores",
    "spearman_brown",
    "split_half",
    "tetrachoric",
    "tetrachoric_between",
    "tp_agreement",
    "variability",
    "write_probabilities",
    "write_scores",
]
