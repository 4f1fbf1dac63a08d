"""Progress that is not shown."""

import sys

from jaxorder.progress import wording
from jaxorder.progress.watch import Watch


class Quiet(Watch):
    """Shows warnings only, on stderr; use it in a `with` statement."""

    def __enter__(self) -> "Quiet":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def warn(self, line: str) -> None:
        """Print a warning."""
        print(wording.warning(line), file=sys.stderr, flush=True)
