"""The page of the benchmark's figures: what was measured, where, by what command."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

NETWORKS = {
    "mlp8": "MLP 64-64, 8x8, batch 32",
    "mlp28": "C-score MLP 784-512-256-10, batch 128",
    "cnn8": "small st-VGG, 8x8, batch 32",
    "cnn28": "small st-VGG, 28x28x1, batch 100",
    "cnn32": "st-VGG, 32x32x3, batch 100",
    "resnet18": "ResNet-18 with group normalisation, 32x32x3, batch 100",
    "bilstm": "BiLSTM with attention, 100 tokens, batch 64",
}
WAYS = {
    "jaxorder": "jaxorder as planned",
    "vmap": "plain `jax.vmap`",
    "loop": "jitted step in a loop",
    "torch": "PyTorch one by one",
    "torch_vmap": "PyTorch `torch.func.vmap`",
}
# criterion: row, least ratio to torch, loop, vmap
WANTED = [
    ("mlp28", 8, 2.0, 1.8, 1.1),
    ("mlp8", 8, 2.0, 1.8, 1.1),
    ("cnn8", 8, 2.0, 1.8, 1.1),
    ("cnn28", 8, 1.2, 2.2, 10.0),
    ("cnn32", 8, 1.1, 2.2, 10.0),
]
SHARES = [("cnn32", 0.6, 0.8), ("mlp28", 0.75, 0.8)]  # of training, of evaluation


def write_page(path: Path, document: dict[str, Any]) -> None:
    """Write the page, and beside it the figure of the cost by members."""
    figure = path.with_name("cost.svg")
    draw(figure, document["growth"])
    path.write_text("\n".join(lines(document, figure.name)) + "\n")


def lines(document: dict[str, Any], figure: str) -> Iterator[str]:
    """Return the page's lines."""
    machine = document["machine"]
    yield "# Performance"
    yield ""
    yield (
        f"Measured on {machine['cores']} cores of an {machine['device']}, Python "
        f"{machine['python']}, jax {machine['jax']}, PyTorch {machine['torch']}, by"
    )
    yield ""
    yield "```sh"
    yield document["command"]
    yield "```"
    yield ""
    yield (
        "which made this page. Ways take turns within one run; figures are medians of "
        f"{document['turns']} turns. The machine is shared and noisy: ratios of less "
        "than 1.1 mean little. GF/s count each convolution by its direct sum, without "
        "the gradient of the first layer's input, also where a way takes fewer "
        "multiplications; the share is of the best float32 matrix product, measured "
        "between the turns. A loss is that of the first step, and the mean over the "
        "next up to 20."
    )
    yield ""
    yield from criteria(document["cells"])
    yield ""
    yield "## Cost by number of members"
    yield ""
    yield f"![ms a member-step against members, by way]({figure})"
    yield ""
    yield "## All figures"
    for cell in document["cells"]:
        yield from section(cell)


def criteria(found: list[dict[str, Any]]) -> Iterator[str]:
    """Return the tables of what was wanted beside what was reached."""
    yield "## What was wanted"
    yield ""
    yield (
        "How many times longer the others take than jaxorder, 8 members; in brackets "
        "what was wanted, stated before; **bold** where it was not reached."
    )
    yield ""
    yield "| network | PyTorch one by one | jitted loop | plain vmap |"
    yield "|---|---|---|---|"
    cells = {(cell["row"], cell["members"]): cell for cell in found}
    for row, members, *least in WANTED:
        if (row, members) in cells:
            ways = cells[row, members]["ways"]
            ratios = [
                wanted(ways[way]["ratio"], bound, "x", ways[way]["predicted"])
                for way, bound in zip(("torch", "loop", "vmap"), least, strict=True)
            ]
            yield f"| {NETWORKS[row]} | {' | '.join(ratios)} |"
    yield from bounds(cells)
    yield ""
    yield "| share of the best matrix product, 8 members | training | evaluation |"
    yield "|---|---|---|"
    for row, train, evaluate in SHARES:
        if (row, 8) in cells:
            cell = cells[row, 8]
            shares = (
                wanted(100 * cell["ways"]["jaxorder"]["share"], 100 * train, "%"),
                wanted(100 * cell["evaluate"]["share"], 100 * evaluate, "%"),
            )
            yield f"| {NETWORKS[row]} | {' | '.join(shares)} |"


def bounds(cells: dict[tuple[str, int], Any]) -> Iterator[str]:
    """Return why a ratio that was missed cannot be reached, where that can be said.

    Of a dense network nothing but its products can take long, and these have no
    cheaper form: a way at a share s of the best product is beaten by 1 / s at most.
    """
    for row, members, *least in WANTED:
        if (row, members) not in cells or not row.startswith("mlp"):
            continue
        ways = cells[row, members]["ways"]
        for way, bound in zip(("torch", "loop", "vmap"), least, strict=True):
            share = ways[way].get("share", 0.0)
            if ways[way]["ratio"] < bound and share:
                yield ""
                yield (
                    f"{NETWORKS[row]}: {WAYS[way]} runs at {share:.0%} of the best "
                    f"matrix product, so no way could be more than {1 / share:.2f}x as "
                    f"fast; jaxorder is at {ways['jaxorder']['share']:.0%}."
                )


def wanted(value: float, least: float, unit: str, predicted: bool = False) -> str:
    """Return a figure beside what was wanted."""
    shown = f"{value:.0f}{unit}" if unit == "%" else f"{value:.2f}{unit}"
    shown += " (predicted)" if predicted else ""
    shown = shown if value >= least else f"**{shown}**"
    return f"{shown} ({least:g}{unit})"


def section(cell: dict[str, Any]) -> Iterator[str]:
    """Return the table of one network and number of members."""
    yield ""
    yield f"### {NETWORKS[cell['row']]}, N = {cell['members']}"
    yield ""
    evaluate = cell["evaluate"]
    yield (
        f"Plan: {cell['plan']}. Evaluation: {evaluate['examples_per_second']:,.0f} "
        f"examples/s, {evaluate['gflops']:.0f} GF/s ({evaluate['share']:.0%}). Best "
        f"matrix product: {cell['matmul_gflops']:.0f} GF/s."
    )
    yield ""
    yield (
        "| way | ms a member-step [quartiles] | examples/s | GF/s | share | "
        "times ours | peak MiB | compile s | loss |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for way, found in cell["ways"].items():
        ratio = f"{found['ratio']:.2f}" if found["ratio"] else "-"
        if found["predicted"]:
            rest = f"| {found['ms']:.3g}, predicted | | | | {ratio} | | | |"
        else:
            first, later = found["loss"]
            rest = (
                f"| {found['ms']:.3g} [{found['low']:.3g}, {found['high']:.3g}] "
                f"| {found['examples_per_second']:,.0f} | {found['gflops']:.0f} "
                f"| {found['share']:.0%} | {ratio} | {found['peak_mib'] or '-'} "
                f"| {found['compile_seconds']:.1f} | {first:.2f} to {later:.2f} |"
            )
        yield f"| {WAYS[way]} {rest}"


def draw(path: Path, growth: dict[str, Any]) -> None:
    """Draw ms a member-step against members, a panel a network."""
    with plt.rc_context({"svg.hashsalt": "jaxorder", "font.size": 9}):
        figure, axes = plt.subplots(
            1, len(growth), figsize=(9, 3.2), layout="constrained", squeeze=False
        )
        for axis, (row, ways) in zip(axes[0], growth.items(), strict=True):
            for way, found in ways.items():
                label = WAYS[way].replace("`", "")
                axis.loglog(list(found), list(found.values()), "o-", ms=3, label=label)
            axis.set_title(NETWORKS[row], fontsize=9)
            axis.set_xlabel("members")
        axes[0][0].set_ylabel("ms a member-step")
        lines, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside lower center", ncols=5, fontsize=7)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
