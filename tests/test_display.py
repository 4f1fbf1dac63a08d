"""Progress is shown where a person looks on, and in a way that suits the place."""

import io
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import jaxorder as jo
from jaxorder.progress import chosen
from jaxorder.progress.heartbeat import Heartbeat
from jaxorder.progress.lines import Lines
from jaxorder.progress.notebook import Notebook, in_notebook
from jaxorder.progress.quiet import Quiet
from jaxorder.progress.terminal import Terminal
from jaxorder.progress.watch import Tick, Watch
from jaxorder.progress.wording import short_text, text


def tick(done: float, total: float = 8, model: str = "mlp", **others: Any) -> Tick:
    known = {
        "members": 2,
        "examples_per_second": 1234.5,
        "train_accuracy": 0.75,
        "test_accuracy": 0.5,
        "seconds_left": 65.0,
    }
    return Tick(model=model, done=done, total=total, **{**known, **others})


def wait_for(condition: Callable[[], bool]) -> None:
    late = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < late, "waited for 10 s"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def no_heart_beats_on() -> Iterator[None]:
    yield
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


# ---- words


def test_a_tick_in_words() -> None:
    assert text(tick(2.5)) == (
        "2.5 of 8 member-epochs, 1,234 examples/s, accuracy train 0.750 test 0.500, "
        "1 min 5 s left"
    )
    assert short_text(tick(2)) == "2/8 1,234 ex/s train 0.75 test 0.50 1 min 5 s left"


def test_what_is_not_known_is_not_said() -> None:
    nan = float("nan")
    first = tick(0, train_accuracy=nan, test_accuracy=nan, seconds_left=0.0)
    assert text(first) == "0.0 of 8 member-epochs, 1,234 examples/s"
    assert text(tick(3, unit="members", seconds_left=0.0)) == (
        "3 of 8 members, accuracy train 0.750 test 0.500"
    )


# ---- lines

Captured = pytest.CaptureFixture[str]


def test_lines_of_ticks_do_not_come_too_often(capsys: Captured) -> None:
    with Lines() as lines:
        for done in range(9):
            lines(tick(done))
    first, last = capsys.readouterr().err.splitlines()
    assert first == f"mlp: {text(tick(0))}"
    assert last == f"mlp: {text(tick(8))}"


def test_lines_come_again_after_their_time(capsys: Captured) -> None:
    with Lines(seconds=0.02) as lines:
        lines(tick(1))
        time.sleep(0.03)
        lines(tick(2))
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_notes_and_warnings_are_lines(capsys: Captured) -> None:
    with Lines() as lines:
        lines.note("mlp: sequential on 2 devices")
        lines.warn("over a day")
    printed = capsys.readouterr()
    assert printed.err == "mlp: sequential on 2 devices\nwarning: over a day\n"
    assert printed.out == ""


def test_what_lasts_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with Lines(seconds=0.05, patience=0.02) as lines:
        lines.phase("compiling")
        # no one calls it meanwhile
        wait_for(lambda: file.getvalue().count("\n") > 2)
    first, *others = file.getvalue().splitlines()
    assert first == "compiling"
    assert all(re.fullmatch(r"still compiling, \d+ s", line) for line in others)


@pytest.mark.parametrize("end", [lambda w: w(tick(8)), lambda w: w.note("planned")])
def test_what_is_over_is_not_said_again(
    end: Callable[[Watch], None], capsys: Captured
) -> None:
    with Lines(seconds=0.01, patience=0.01) as lines:
        lines.phase("compiling")
        end(lines)
        capsys.readouterr()
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_what_is_over_at_once_is_not_said(capsys: Captured) -> None:
    with Lines() as lines:
        lines.phase("reading data")
    assert capsys.readouterr().err == ""


def test_a_heartbeat_ends_with_its_block() -> None:
    beats: list[float] = []
    with Heartbeat(lambda: beats.append(time.monotonic()), 0.001):
        wait_for(lambda: len(beats) > 3)
    count = len(beats)
    time.sleep(0.02)
    assert len(beats) == count


def test_a_heartbeat_ends_with_its_block_that_failed() -> None:
    with pytest.raises(KeyboardInterrupt), Lines():
        raise KeyboardInterrupt


# ---- quiet


def test_only_warnings_break_the_quiet(capsys: Captured) -> None:
    with Quiet() as quiet:
        quiet.phase("reading data")
        quiet.note("mlp: sequential on 2 devices")
        quiet(tick(8))
        quiet.warn("over a day")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "warning: over a day\n")


# ---- terminal


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def console(screen: io.StringIO) -> Console:
    return Console(file=screen, force_terminal=True, width=100, color_system=None)


def drawn(screen: io.StringIO) -> list[str]:
    """Return all lines that ever stood in the terminal."""
    plain = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", screen.getvalue())
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain)]


def test_a_terminal_draws_a_bar_for_each_run(
    console: Console, screen: io.StringIO
) -> None:
    with Terminal(console) as terminal:
        terminal(tick(8, seconds_left=0.0))
        terminal(tick(2, model="small_st_vgg[x]"))
    mlp, vgg = [line for line in drawn(screen) if line][-2:]
    assert re.match(r"mlp +━+ 8/8 1,234 ex/s train 0.75 test 0.50$", mlp)
    assert re.match(r"small_st_vgg\[x\] ━+.* 2/8 .* left$", vgg)


def test_a_terminal_shows_that_work_goes_on(
    console: Console, screen: io.StringIO
) -> None:
    with Terminal(console) as terminal:
        terminal.phase("reading [data]")
        # no one calls it meanwhile
        wait_for(
            lambda: any(line.endswith("reading [data] 1 s") for line in drawn(screen))
        )
        terminal(tick(8))
    spinner = {line[0] for line in drawn(screen) if "reading" in line}
    assert len(spinner) > 2
    last = screen.getvalue().rsplit("mlp", 1)[1]
    assert "reading" not in last


def test_notes_stay_in_a_terminal(console: Console, screen: io.StringIO) -> None:
    line = "mlp: sequential [x] " + "and on " * 20
    with Terminal(console) as terminal:
        terminal.phase("planning")
        terminal.note(line)
        terminal.warn("over a day")
        terminal(tick(8))
    shown = drawn(screen)
    assert line.strip() in shown
    assert "warning: over a day" in shown


def test_a_terminal_is_left_as_it_was(console: Console, screen: io.StringIO) -> None:
    with Terminal(console) as terminal:
        terminal.phase("reading data")
        terminal._live.refresh()
    # the line is erased, the cursor shown again
    assert screen.getvalue().endswith("\r\x1b[2K\x1b[?25h")


# ---- notebooks


class Output:
    """An output of a cell, as IPython's `display` makes it."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []
        self.made = 0

    def display(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        self.made += 1
        self.shown.append(bundle)
        return self

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(bundle)

    @property
    def text(self) -> str:
        return self.shown[-1]["text/plain"]

    @property
    def html(self) -> str:
        return self.shown[-1]["text/html"]


@pytest.fixture
def output() -> Output:
    return Output()


def test_the_last_line_of_each_run_stays_in_a_notebook(output: Output) -> None:
    with Notebook(output.display) as notebook:
        notebook.phase("reading data")
        notebook.note("mlp: sequential on 2 devices")
        notebook.warn("over a day")
        for done in (1, 8):
            notebook(tick(done))
        notebook(tick(2, model="<vgg>"))
        notebook.phase("writing")
    assert output.made == 1
    assert output.text.splitlines() == [
        "mlp: sequential on 2 devices",
        "warning: over a day",
        f"mlp: {text(tick(8))}",
        f"<vgg>: {text(tick(2))}",
    ]
    assert '<progress max="8" value="2.00"></progress>' in output.html
    assert output.html.count("<div>") == 4
    assert "&lt;vgg&gt;" in output.html
    assert "<vgg>" not in output.html


def test_a_notebook_is_not_flooded(output: Output) -> None:
    with Notebook(output.display, seconds=3600) as notebook:
        for done in range(1000):
            notebook(tick(done, total=2000))
        assert output.text == f"mlp: {text(tick(0, total=2000))}"
    # what was held back is shown at the end
    assert output.text == f"mlp: {text(tick(999, total=2000))}"
    assert len(output.shown) == 2


def test_a_notebook_shows_that_work_goes_on(output: Output) -> None:
    with Notebook(output.display, beat=0.01) as notebook:
        notebook.phase("compiling")
        wait_for(lambda: len(output.shown) > 3)
        assert output.text == "compiling, 0 s ..."
    assert output.text == ""


def test_a_notebook_in_which_nothing_was_told_shows_nothing(output: Output) -> None:
    with Notebook(output.display):
        pass
    assert output.shown == []


# ---- where it is shown


class Screen(io.StringIO):
    """A file that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def in_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = ModuleType("IPython")
    shell = SimpleNamespace(kernel=object())
    ipython.get_ipython = lambda: shell  # pyright: ignore[reportAttributeAccessIssue]
    inside = ModuleType("IPython.display")
    inside.display = Output().display  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", inside)


def test_where_no_one_looks_on_nothing_is_shown_unless_wanted() -> None:
    assert isinstance(chosen(None), Quiet)
    assert isinstance(chosen(False), Quiet)
    assert isinstance(chosen(True), Lines)


def test_in_a_terminal_bars_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Screen())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(chosen(None), Terminal)
    assert isinstance(chosen(False), Quiet)
    assert isinstance(chosen(True), Terminal)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(chosen(None), Lines)


@pytest.mark.usefixtures("in_kernel")
def test_in_a_notebook_an_output_is_shown() -> None:
    assert isinstance(chosen(None), Notebook)
    assert isinstance(chosen(False), Quiet)
    assert isinstance(chosen(True), Notebook)


def test_a_shell_in_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    shell = SimpleNamespace(get_ipython=lambda: object())
    monkeypatch.setitem(sys.modules, "IPython", shell)  # pyright: ignore[reportArgumentType]
    assert not in_notebook()


# ---- at the package's edge

TINY = {
    "data": "digits",
    "model": "mlp:widths=8",
    "members": 2,
    "epochs": 1,
    "train_examples": 100,
    "test_examples": 50,
}


def test_progress_is_shown_where_it_is_wanted(tmp_path: Path, capsys: Captured) -> None:
    run = jo.train(**TINY, out=tmp_path / "run", progress=True)
    assert "2.0 of 2 member-epochs" in capsys.readouterr().err
    jo.grow(run.path, 3, progress=True)
    assert "3.0 of 3 member-epochs" in capsys.readouterr().err
    jo.resume(run.path)
    assert capsys.readouterr().err == ""


def test_a_watch_of_ones_own_is_told_instead(tmp_path: Path, capsys: Captured) -> None:
    told: list[Tick] = []
    jo.train(**TINY, out=tmp_path / "run", watch=told.append, progress=True)
    assert (told[-1].done, told[-1].total) == (2, 2)
    assert capsys.readouterr().err == ""
