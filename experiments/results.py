"""Make docs/results.md from the claims' JSON: verdicts, figures and what was run.

    python -m experiments.results [--results experiments/results/cpu] [--out docs]

Nothing in it is typed by hand, and the same JSON gives the same bytes.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cyclopts import App

from experiments.claim import RESULTS
from experiments.verdicts import Cell, Verdict, criteria, of_claim, verdicts
from jaxorder.analysis.intervals import Interval
from jaxorder.report.figures.canvas import COLOURS, NULL, axes, picture, style

app = App(help=__doc__, help_format="plaintext", result_action="return_value")
ROOT = Path(__file__).resolve().parent.parent
MISSING = "not run"


@dataclass(frozen=True)
class Found:
    """What was found of a claim on one data set.

    Attributes:
        document: What its script wrote.
        cells: Its cells.
    """

    document: Mapping[str, Any]
    cells: Sequence[Cell]


@app.default
def main(*, results: Path = RESULTS / "cpu", out: Path = ROOT / "docs") -> None:
    """Write the page and its figures."""
    asked = criteria()
    rules = asked.pop("rules")
    asked.pop("schema")
    found = {claim: read(results, claim) for claim in asked}
    told = {claim: decided(each, rules["familywise"]) for claim, each in found.items()}
    parts = [HEAD, headline(asked, found, told)]
    for claim, about in asked.items():
        if found[claim]:
            file = out / "results" / f"{claim}.svg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(forest(found[claim], about).encode())
            parts.append(section(claim, about, found[claim], told[claim]))
    page = out / "results.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"written: {page}")


HEAD = """# The claims, tested

Made by `python -m experiments.results` from what the claims' scripts wrote. What each
verdict means was written down before any run: `experiments/criteria.toml`. Undecided is
what neither test shows, or what a rule keeps from being decided; not run is what has no
result yet."""


def read(folder: Path, claim: str) -> dict[str, Found]:
    """Return what was found of a claim by data set, in their order."""
    files = sorted(folder.glob(f"{claim}-*.json"))
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return {
        each["data"]: Found(each, [_cell(cell) for cell in each["cells"]])
        for each in documents
    }


def _cell(document: dict[str, Any]) -> Cell:
    given = {**document, "primary": _interval(document["primary"])}
    if document["other"] is not None:
        given["other"] = _interval(document["other"])
    return Cell(**given)


def _interval(document: Mapping[str, Any]) -> Interval:
    known = (each.name for each in fields(Interval))
    values: dict[str, Any] = {name: document[name] for name in known}
    undefined: Any = float("nan")  # which JSON does not know
    return Interval(**{k: undefined if v is None else v for k, v in values.items()})


def decided(
    found: Mapping[str, Found], familywise: float
) -> dict[str, dict[str, Verdict]]:
    """Decide all cells of a claim together; give them by data set and name."""
    cells = [cell for each in found.values() for cell in each.cells]
    told = iter(verdicts(cells, familywise))
    return {
        data: {cell.of: next(told) for cell in each.cells}
        for data, each in found.items()
    }


def headline(
    asked: Mapping[str, Any],
    found: Mapping[str, Mapping[str, Found]],
    told: Mapping[str, Mapping[str, Mapping[str, Verdict]]],
) -> str:
    """Return the table of claims by data sets."""
    sets = list(
        dict.fromkeys(data for about in asked.values() for data in about["data"])
    )
    rows = [["claim", *sets], ["---"] * (len(sets) + 1)]
    for claim, about in asked.items():
        of_data = {
            data: of_claim([*told[claim][data].values()])
            if data in found[claim]
            else MISSING
            for data in about["data"]
        }
        rows.append(
            [f"{about['claim']} `{claim}`", *(of_data.get(d, "") for d in sets)]
        )
    return _table(rows)


def section(
    claim: str,
    about: Mapping[str, Any],
    found: Mapping[str, Found],
    told: Mapping[str, Mapping[str, Verdict]],
) -> str:
    """Return what is to be said of one claim."""
    rows = [["data", "of", about["measure"], "verdict", "why not decided"], ["---"] * 5]
    for data, each in found.items():
        for cell in each.cells:
            figures = cell.primary.text(3), told[data][cell.of]
            rows.append([data, cell.of, *figures, "; ".join(cell.reasons)])
    runs = [
        f"- {data}: commit {each.document['commit'][:10]}, {each.document['date']}, "
        f"{each.document['machine']}; "
        + ", ".join(map(_run, each.document["runs"].items()))
        for data, each in found.items()
    ]
    again = f"python -m experiments.{claim} --data NAME --records DIR --data-root DIR"
    return "\n\n".join(
        [
            f"## {about['claim']}",
            summed_up(about, told),
            f"![{about['measure']}](results/{claim}.svg)",
            _table(rows),
            f"Control: {about['control']}.",
            "\n".join(["What was run, again by the command below:", "", *runs]),
            f"```sh\n{again}\n```",
        ]
    )


def summed_up(
    about: Mapping[str, Any], told: Mapping[str, Mapping[str, Verdict]]
) -> str:
    """Say in words how many cells came out how, and by which bounds."""
    every = [verdict for of in told.values() for verdict in of.values()]
    hold, fail = every.count("holds"), every.count("does not hold")
    bounds = [
        f"{word} {about[name]}"
        for name, word in (("holds_from", "holds above"), ("fails_below", "not below"))
        if name in about
    ]
    return (
        f"Of {len(every)} cells {hold} hold, {fail} do not and "
        f"{len(every) - hold - fail} are undecided. Measured: {about['measure']}, on "
        f"{about['split']} examples ({', '.join(bounds)})."
    )


def _run(item: tuple[str, Mapping[str, Any]]) -> str:
    name, run = item
    return (
        f"{name} ({run['members']} members, {run['epochs']} epochs of "
        f"{run['train_examples']:,} examples, "
        f"test accuracy {run['test_accuracy']:.3f}, {run['seconds']:,.0f} s)"
    )


def forest(found: Mapping[str, Found], about: Mapping[str, Any]) -> str:
    """Draw the primary measure of every cell with its interval, and the bounds."""
    rows = [(f"{data}, {c.of}", c) for data, each in found.items() for c in each.cells]
    with style():
        ax = axes(7.0, 0.9 + 0.28 * len(rows), left=3.0, top=0.35)
        for place, (_, cell) in enumerate(rows):
            measured = cell.primary
            ax.hlines(place, measured.low, measured.high, color=COLOURS[0], lw=1.4)
            ax.plot(measured.estimate, place, "o", color=COLOURS[0], ms=4.5)
        first = rows[0][1]
        for bound, word, side in (
            (first.holds_from, " holds", "left"),
            (first.fails_below, "does not hold ", "right"),
        ):
            ax.axvline(bound, color=NULL, lw=1, ls="--")
            ax.text(bound, -0.6, word, ha=side, va="bottom", color=NULL, fontsize=8)
        ax.set_yticks(range(len(rows)), [name for name, _ in rows])
        ax.set(ylim=(len(rows) - 0.5, -0.5), xlabel="primary measure, 95% interval")
        numbers = {"of": [name for name, _ in rows]}
        drawn = picture(ax, about["measure"], "forest", numbers)
        return drawn.drawn("svg").decode()


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    sys.exit(app())
