"""A study on disk: its runs, in their order. Read without JAX."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from jaxorder.config import StudyConfig, described, folder_name
from jaxorder.errors import RequestError, call
from jaxorder.files import refuse_occupied, write_json
from jaxorder.run.document import CONFIG
from jaxorder.run.folder import Run, is_run

STUDY = "study.json"


class Study:
    """A study on disk: what was asked, and the runs that were begun.

    Args:
        path: Folder of the study.

    Attributes:
        path: The same.
        config: What was asked: the runs, each with its options.

    Raises:
        RequestError: Where the folder is no study, or its description is damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not is_study(self.path):
            raise RequestError(f"{path}: not a study; a study holds {STUDY}")
        file = self.path / STUDY
        document = described(file, "models", "options")
        self.config = StudyConfig.from_json(document, str(file))

    @property
    def folders(self) -> dict[str, Path]:
        """Folder of each run, begun or not, by what it is called."""
        return {name: self.path / folder_name(name) for name in self.config.names}

    @property
    def runs(self) -> list[Run]:
        """The runs that were begun, in the study's order."""
        return [Run(folder) for folder in self.folders.values() if is_run(folder)]

    def __getitem__(self, name: str) -> Run:
        """Return a run by what it is called.

        Raises:
            RequestError: Where there is none of that name, or it was not begun.
        """
        if name not in self.folders:
            names = ", ".join(self.folders)
            raise RequestError(f"{self.path}: no run {name}; there are {names}")
        return Run(self.folders[name])

    def __iter__(self) -> Iterator[Run]:
        """Yield the runs that were begun."""
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        runs = "".join(f"\n  {run!r}" for run in self.runs)
        return (
            f"Study({str(self.path)!r}, {len(self)} of {len(self.folders)} runs){runs}"
        )

    def _repr_html_(self) -> str:
        begun = f"{len(self)} of {len(self.folders)} runs begun"
        runs = "".join(run._repr_html_() for run in self.runs)
        return f"<p><b>Study</b> {escape(str(self.path))}: {begun}</p>{runs}"


def write_study(path: Path, config: StudyConfig) -> None:
    """Write what a study is asked for into its folder."""
    write_json(path / STUDY, config.to_json())


def open_study(path: Path | str) -> Study:
    """Open the folder of a study.

    Args:
        path: Folder.

    Returns:
        The study, whose runs it yields.

    Raises:
        RequestError: Where the folder is no study, or its description is damaged.
    """
    return Study(path)


def open_run(path: Path | str) -> Run:
    """Open a run folder, or a study that holds a single run.

    Args:
        path: Folder.

    Returns:
        The run.

    Raises:
        RequestError: Where the folder is neither.
    """
    runs = open_runs(path)
    if len(runs) == 1:
        return runs[0]
    names = ", ".join(run.path.name for run in runs)
    raise RequestError(
        f"{path}: a study of {len(runs)} runs; open one of them: {names}"
    )


def open_runs(path: Path | str) -> list[Run]:
    """Open the runs of a study, in its order, or the one run of a run folder.

    Args:
        path: Folder of a study or of a run.

    Returns:
        The runs begun.

    Raises:
        RequestError: Where the folder is neither, or no run was begun.
    """
    path = Path(path)
    if is_run(path):
        return [Run(path)]
    if not is_study(path):
        raise RequestError(
            f"{path}: not a study or a run (no {STUDY} or {CONFIG} in it)"
        )
    if runs := Study(path).runs:
        return runs
    raise RequestError(
        f"{path}: no run was begun yet; go on with: {call('resume', path)}"
    )


def is_study(path: Path) -> bool:
    """Whether a folder is a study."""
    return (path / STUDY).is_file()


def refuse_existing(path: Path) -> None:
    """Refuse to write over something, and say how to go on with a study or run.

    Raises:
        RequestError: Where the path exists, or cannot be made.
    """
    goes_on = is_run(path) or is_study(path)
    further = f", or go on with it: {call('resume', path)}" if goes_on else ""
    refuse_occupied(path, further)
