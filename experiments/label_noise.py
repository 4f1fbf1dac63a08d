"""Which scores find wrong labels, against cleanlab's and the area under the margin.

    python -m experiments.label_noise --scale cpu --data-dir DIR --judged FILE.csv \
        --out out/label_noise --document docs/label_noise.md

Fashion-MNIST, 8,000 training examples, of which 5, 10, 20 or 40% get a wrong label,
any other (symmetric) or the next class (pair), each with 3 seeds: 24 cells. Each cell
trains 10 MLPs of the default kind for 15 epochs, each without one of 5 folds, so that 2
members never saw an example. All scores are of these members; cleanlab's are of their
out-of-fold probabilities, 2 sets of them, after the last epoch. A finished run is not
trained again, an interrupted one goes on. It takes under an hour on 2 cores, and
`--smoke`, on digits, half a minute.

Criterion, written down before any run: the default of `jaxorder scores --label-issues`
was chosen on every other cell. On the others, in each cell, the average precision of
ours minus that of the best of cleanlab's ensemble scores and the area under the margin
lies above -0.03, by the lower bound of an interval that holds for all cells and peers
at once (95%, bootstrap paired over examples, largest studentised deviation).

Then, once and untuned: 10 MLPs trained on MNIST's training examples judge 100 of its
test images that five people judged, too (`--judged`: `official_id`, `votes_given`). 15
have no majority for their label. They are few, and cleanlab chose them: reported, no
verdict.

Found: met in all 12 cells; docs/label_noise.md, which the command fills in.
"""

import csv
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from cyclopts import App
from scipy.stats import norm

import jaxorder as jo
from experiments.documents import fill_in
from jaxorder.analysis import held_out_probabilities, label_issues, label_quality
from jaxorder.analysis.unseen import Unseen
from jaxorder.config import RunConfig
from jaxorder.run.folder import Run, is_run

app = App(help=__doc__, help_format="plaintext", result_action="return_value")
KINDS = ("symmetric", "pair")
FOLDS = 5
LEAST = -0.03  # that ours may lie below the best of the peers
DEFAULT = "label_quality"
AUM = "aum"
METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
WEIGHTS = ("uniform", "accuracy", "log_loss_search")
SHOWN = "accuracy"  # of these, cleanlab's default
# Columns of `jo.scores`, turned where high values speak for a wrong label.
COLUMNS = {
    "accessibility": 1,
    "final_tpa": 1,
    "held_out_accuracy": 1,
    "forgetting": -1,
    "correctness": 1,
    "confidence": 1,
    "variability": -1,
    "el2n": -1,
    AUM: 1,
}
Scores = dict[str, np.ndarray]  # by name, low for what is likely wrong


@dataclass(frozen=True)
class Scale:
    """How much is trained.

    Attributes:
        data: Source of the noisy data.
        judged: Source of the data that people judged.
        examples: Training examples of a cell.
        shares: Of wrong labels.
        seeds: Of the noise.
        members: Of a run.
        epochs: Of their training.
        draws: Of the bootstrap.
    """

    data: str
    judged: str
    examples: int
    shares: tuple[float, ...]
    seeds: tuple[int, ...]
    members: int
    epochs: int
    draws: int


SCALES = {
    "cpu": Scale(
        "fashion_mnist", "mnist", 8000, (0.05, 0.1, 0.2, 0.4), (0, 1, 2), 10, 15, 1000
    ),
    "smoke": Scale("digits", "digits", 600, (0.2,), (0, 1), 10, 2, 50),
}


@dataclass(frozen=True)
class Cell:
    """One kind, share and seed of noise.

    Attributes:
        kind: Symmetric or pair.
        share: Of the labels that are wrong.
        seed: Of the noise, and of the members.
        tuning: Whether the default was chosen on it; every other cell judges it.
    """

    kind: str
    share: float
    seed: int
    tuning: bool

    @property
    def name(self) -> str:
        """The folder of its run."""
        return f"{self.kind}_{round(100 * self.share)}_{self.seed}"


class Found(NamedTuple):
    """What scores find in a cell.

    Attributes:
        cell: The cell.
        wrong: Whether each label was changed, [example].
        scores: Each score, [example].
        precision: The average precision of each.
        at_number: The precision among as many as are wrong, of each.
    """

    cell: Cell
    wrong: np.ndarray
    scores: Scores
    precision: dict[str, float]
    at_number: dict[str, float]


@app.default
def main(
    *,
    out: Path,
    scale: Literal["cpu", "smoke"] = "cpu",
    data_dir: Path | None = None,
    judged: Path | None = None,
    document: Path | None = None,
    smoke: bool = False,
) -> None:
    """Train what is missing, then print what was found, and write it down."""
    size = SCALES["smoke" if smoke else scale]
    need_cleanlab()
    found, seconds = [], 0.0
    for cell in cells(size):
        run = trained(out / cell.name, protocol(size, cell, data_dir))
        found.append(looked_at(run, cell))
        seconds += run.progress.train_seconds + run.progress.evaluate_seconds
        print(f"{cell.name:15} {DEFAULT} {found[-1].precision[DEFAULT]:.3f}")
    told = [verdict(found, size.draws)]
    if judged is not None:
        run = trained(out / "judged", protocol_judged(size, data_dir))
        seconds += run.progress.train_seconds + run.progress.evaluate_seconds
        told.append(judgement(run, judged, size.draws))
    told += [table(found), f"{seconds:,.0f} s of training and evaluation.\n"]
    text = "\n".join(told)
    print(text)
    if document is not None:
        fill_in(document, text)


# ---- training


def cells(size: Scale) -> list[Cell]:
    """Return all cells, of which every other, seen from any side, is for tuning."""
    where = product(*(range(len(a)) for a in (KINDS, size.shares, size.seeds)))
    return [
        Cell(KINDS[k], size.shares[i], size.seeds[j], (k + i + j) % 2 == 0)
        for k, i, j in where
    ]


def protocol(size: Scale, cell: Cell, data_dir: Path | None) -> RunConfig:
    """Return the training of a cell's members."""
    options: dict[str, Any] = {
        "data": size.data,
        "data_dir": data_dir,
        "train_examples": size.examples,
        "test_examples": 100,
        "label_noise": cell.share,
        "noise": cell.kind,
        "noise_seed": cell.seed,
        "seed": cell.seed,
        "folds": FOLDS,
    }
    return RunConfig(**options, **members(size))


def protocol_judged(size: Scale, data_dir: Path | None) -> RunConfig:
    """Return the training of the members that never saw the judged test images."""
    options = {"data": size.judged, "data_dir": data_dir, "record_examples": 10_000}
    return RunConfig(**options, **members(size))


def members(size: Scale) -> dict[str, Any]:
    """Return what all runs have in common."""
    return {
        "model": "mlp",
        "members": size.members,
        "epochs": size.epochs,
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


# ---- scores


def need_cleanlab() -> None:
    """Leave with a line where cleanlab is missing."""
    try:
        import cleanlab  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]  # an extra
    except ImportError:
        sys.exit(
            "experiments.label_noise: needs cleanlab: pip install '.[experiments]'"
        )


def looked_at(run: Run, cell: Cell) -> Found:
    """Score the examples of a cell, and compare with what is known to be wrong."""
    record = run.record("train")
    wrong = (record["label"] != record["original_label"]).values
    scores = ours(run) | cleanlab_scores(run)
    return Found(
        cell,
        wrong,
        scores,
        {name: average_precision(each, wrong) for name, each in scores.items()},
        {name: precision_at_number(each, wrong) for name, each in scores.items()},
    )


def ours(run: Run) -> Scores:
    """Return our scores, and the area under the margin, in the record's order."""
    frame = jo.scores(run, "train")
    found = label_issues(run).set_index("example_id").loc[frame["example_id"]]
    columns = {name: sign * frame[name].to_numpy() for name, sign in COLUMNS.items()}
    return {DEFAULT: found["label_quality"].to_numpy()} | parts(run) | columns


def parts(run: Run) -> Scores:
    """Return what the default is made of, less and less of it."""
    unseen = Unseen(run.usable("train"), "train")
    label, votes = unseen.kept["label"].values, unseen.votes()
    held_out = np.mean(unseen.confidences(), axis=0, where=unseen.counted)
    return {
        f"{DEFAULT} by unseen members alone": label_quality(votes, label, held_out),
        f"{DEFAULT} by their votes alone": label_quality(votes, label),
        "confidence of unseen members": held_out,
    }


def cleanlab_scores(run: Run) -> Scores:
    """Return cleanlab's ensemble scores of the members' held-out probabilities."""
    from cleanlab.rank import (  # pyright: ignore[reportMissingImports]  # an extra
        get_label_quality_ensemble_scores,
    )

    held_out = held_out_probabilities(run)
    given = held_out.label.astype(int), list(held_out.repeats)
    found = {}
    for method, adjust, weight in product(METHODS, (False, True), WEIGHTS):
        if adjust and method == METHODS[2]:  # which cleanlab refuses
            continue
        how = {"adjust_pred_probs": adjust, "weight_ensemble_members_by": weight}
        name = f"cleanlab {method}{' adjusted' * adjust}, {weight}"
        found[name] = get_label_quality_ensemble_scores(
            *given, method=method, verbose=False, **how
        )
    return found


def cleanlab_of_mean(run: Run, split: str) -> Scores:
    """Return cleanlab's scores of the mean held-out probabilities."""
    from cleanlab.rank import (  # pyright: ignore[reportMissingImports]  # an extra
        get_label_quality_scores,
    )

    held_out = held_out_probabilities(run, split)
    given = held_out.label.astype(int), held_out.probability
    return {
        f"cleanlab {method}": get_label_quality_scores(*given, method=method)
        for method in METHODS
    }


# ---- how good they are


def average_precision(
    scores: np.ndarray, wrong: np.ndarray, counts: np.ndarray | None = None
) -> Any:
    """Measure how well low scores find what is wrong.

    Args:
        scores: [example].
        wrong: bool [example].
        counts: [draw, example], how often each is drawn; None: each once.

    Returns:
        [draw], or a number: the precision among those up to each that is wrong, the
        mean over these. Of equal scores all come at once.
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    last = np.searchsorted(ordered, ordered, side="right") - 1
    drawn = np.ones((1, len(order))) if counts is None else counts[:, order]
    hits = drawn * wrong[order]
    share = hits.cumsum(axis=1) / np.maximum(drawn.cumsum(axis=1), 1e-9)
    found = (hits * share[:, last]).sum(axis=1) / hits.sum(axis=1)
    return float(found[0]) if counts is None else found


def precision_at_number(scores: np.ndarray, wrong: np.ndarray) -> float:
    """Measure how many are wrong among the lowest scores, of as many as are wrong.

    Of equal scores at the border as many count as have room, as if drawn at random.
    """
    number = np.count_nonzero(wrong)
    border = np.sort(scores)[number - 1]
    below, at = scores < border, scores == border
    room = number - np.count_nonzero(below)
    return float((wrong[below].sum() + room * wrong[at].mean()) / number)


def peers(found: Found) -> list[str]:
    """Return the scores that ours is compared with."""
    return [name for name in found.scores if name.startswith("cleanlab") or name == AUM]


class Bound(NamedTuple):
    """Ours minus the best of the peers in a cell, and how low it may be."""

    best: str
    difference: float
    low: float


def bounds(found: list[Found], draws: int, seed: int = 0) -> list[Bound]:
    """Bound ours minus each peer's, in all cells at once.

    The same examples are drawn in all cells, which are of the same examples.
    """
    rng, size = np.random.default_rng(seed), len(found[0].wrong)
    counts = rng.multinomial(size, np.full(size, 1 / size), draws).astype(np.float32)
    names = peers(found[0])
    gaps, drawn = [], []
    for each in found:
        own = average_precision(each.scores[DEFAULT], each.wrong, counts)
        theirs = [average_precision(each.scores[n], each.wrong, counts) for n in names]
        drawn.append(own - np.array(theirs))
        gaps.append(
            each.precision[DEFAULT] - np.array([each.precision[n] for n in names])
        )
    gap, error = np.array(gaps), np.std(drawn, axis=2)
    away = (np.array(drawn) - gap[..., None]) / np.maximum(error, 1e-9)[..., None]
    wide = np.quantile(away.max(axis=(0, 1)), 0.95)
    low = gap - wide * error
    best = gap.argmin(axis=1)
    return [
        Bound(names[b], float(g[b]), float(least.min()))
        for b, g, least in zip(best, gap, low, strict=True)
    ]


# ---- what is told


def table(found: list[Found]) -> str:
    """Return what each score found in each cell, those that judge first."""
    lines = []
    for tuning in (False, True):
        own = [each for each in found if each.cell.tuning == tuning]
        role = "on which the default was chosen" if tuning else "that judge"
        lines += [f"Average precision, cells {role} (seed of the noise):", ""]
        lines += [*_rows(own, [each.precision for each in own]), ""]
        lines += [f"Precision at the true number, cells {role}:", ""]
        lines += [*_rows(own, [each.at_number for each in own]), ""]
    lines += [
        "Of cleanlab's ways to weigh the members of an ensemble the tables show its "
        f"default, {SHOWN}. Each of the others is a peer too; their average precision "
        f"differs by {_difference_of_weights(found):.3f} at most.",
        "",
    ]
    return "\n".join(lines)


def _rows(found: list[Found], values: list[dict[str, float]]) -> list[str]:
    head = [f"{f.cell.kind} {f.cell.share:.0%} ({f.cell.seed})" for f in found]
    rows = [" | ".join(["| score", *head]) + " |", "|---|" + "---|" * len(found)]
    for name in found[0].scores:
        if "," not in name or name.endswith(SHOWN):
            of_cells = [f"{each[name]:.3f}" for each in values]
            rows.append(" | ".join([f"| {name}", *of_cells]) + " |")
    return rows


def _difference_of_weights(found: list[Found]) -> float:
    """Return how far cleanlab's weightings differ in average precision, at most."""
    return max(
        abs(each.precision[name] - each.precision[f"{name.partition(',')[0]}, {SHOWN}"])
        for each in found
        for name in each.scores
        if "," in name
    )


def verdict(found: list[Found], draws: int) -> str:
    """Return, for each judging cell, ours against the best peer's, and the verdict."""
    judging = [each for each in found if not each.cell.tuning]
    rows = ["| cell | ours | best of the peers | difference | lower bound | |"]
    rows.append("|---|---|---|---|---|---|")
    results = bounds(judging, draws)
    for each, (best, difference, low) in zip(judging, results, strict=True):
        rows.append(
            f"| {each.cell.name} | {each.precision[DEFAULT]:.3f} | "
            f"{each.precision[best]:.3f} ({best}) | {difference:+.3f} | {low:+.3f} | "
            f"{'met' if low > LEAST else 'NOT met'} |"
        )
    met = sum(low > LEAST for _, _, low in results)
    told = f"Criterion (lower bound above {LEAST} in every cell): "
    told += "met" if met == len(results) else "NOT met"
    return "\n".join([*rows, "", f"{told}, in {met} of {len(results)} cells.", ""])


def judgement(run: Run, file: Path, draws: int) -> str:
    """Return how well scores find the labels that people did not agree with."""
    position, wrong = read_judged(file)
    scores = of_judged(run, position)
    rows = ["| score | AUC | ours minus it, 95% interval |", "|---|---|---|"]
    own = scores[DEFAULT]
    for name, each in scores.items():
        low, high = paired_interval(own, each, wrong, draws)
        difference = (
            f"{auc(own, wrong) - auc(each, wrong):+.3f} [{low:+.3f}, {high:+.3f}]"
        )
        told = "" if name == DEFAULT else difference
        rows.append(f"| {name} | {auc(each, wrong):.3f} | {told} |")
    title = f"{len(wrong)} judged test images, {wrong.sum()} without a majority:\n"
    return "\n".join([title, *rows, ""])


def read_judged(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read positions in the official test order, and whether no majority agreed."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    votes = np.array([int(row["votes_given"]) for row in rows])
    return np.array([int(row["official_id"]) for row in rows]), votes < 3


def of_judged(run: Run, position: np.ndarray) -> Scores:
    """Return ours and cleanlab's scores of test images by their official positions."""
    frame = jo.scores(run, "test")
    issues = label_issues(run, "test").set_index("example_id").loc[frame["example_id"]]
    scores = {
        DEFAULT: issues["label_quality"].to_numpy(),
        "accessibility": frame["accessibility"].to_numpy(),
        "confidence": frame["confidence"].to_numpy(),
        AUM: frame[AUM].to_numpy(),
    } | cleanlab_of_mean(run, "test")
    official = np.arange(len(frame))
    order = np.argsort(jo.join_scores(run, official, "official", "test").values)
    return {name: each[order[position]] for name, each in scores.items()}


def auc(scores: np.ndarray, wrong: np.ndarray) -> float:
    """Measure how often a wrong label scores below a right one; ties count half."""
    low, high = scores[wrong][:, None], scores[~wrong]
    return float(np.mean((low < high) + 0.5 * (low == high)))


def paired_interval(
    a: np.ndarray, b: np.ndarray, wrong: np.ndarray, draws: int, seed: int = 0
) -> tuple[float, float]:
    """Bound the difference of two AUCs by drawing images, wrong and right ones apart.

    Normal, about the difference found, with the deviation of the draws.
    """
    rng = np.random.default_rng(seed)
    parts = [np.flatnonzero(wrong), np.flatnonzero(~wrong)]
    found = []
    for _ in range(draws):
        at = np.concatenate([rng.choice(part, len(part)) for part in parts])
        found.append(auc(a[at], wrong[at]) - auc(b[at], wrong[at]))
    middle, wide = auc(a, wrong) - auc(b, wrong), norm.ppf(0.975) * np.std(found)
    return float(middle - wide), float(middle + wide)


if __name__ == "__main__":
    sys.exit(app())
