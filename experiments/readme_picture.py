"""Draw the README's picture from the main job's study.

    python -m experiments.readme_picture runs/digits/mlp docs/agreement.svg

takes a second and writes the map of agreement on the test examples beside its null.
"""

import base64
import sys
from pathlib import Path

from jaxorder.analysis.numbers import measure
from jaxorder.files import write_text
from jaxorder.report.figures.canvas import look
from jaxorder.report.figures.histograms import tpa_heat_maps
from jaxorder.run.study import open_run


def main(run: Path, out: Path) -> None:
    """Draw the map of one run into an SVG file."""
    numbers = measure(open_run(run), run.name)
    if numbers.test is None:
        sys.exit(f"{run}: no snapshot is recorded yet")
    picture = tpa_heat_maps(numbers.test, run.name, look(0))
    _, _, content = picture.source.partition(",")
    write_text(out, base64.b64decode(content).decode())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
