"""The work of the processes that train members, which load no JAX."""

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, wait
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Integer, Shaped
from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

from jaxorder.errors import WorkError
from jaxorder.learners.problem import Fit, Matrix, Problem

POLL_SECONDS = 0.2  # an interruption waits no longer
# More threads would be in the way of other members, and could change bits. Set before
# a process starts: scikit-learn's OpenMP is loaded too late to be limited in it.
ONE_THREAD = {
    f"{name}_THREADS": "1"
    for name in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "BLIS_NUM", "VECLIB_MAXIMUM")
}


class Member(NamedTuple):
    """What sets a member apart.

    Attributes:
        number: Its place in the ensemble.
        positions: Its training examples, some perhaps several times; None: all.
        features: The features that it sees; None: all.
        seed: Of its learner.
    """

    number: int
    positions: Int[np.ndarray, "position"] | None
    features: Int[np.ndarray, "chosen"] | None
    seed: int


class Task(NamedTuple):
    """What all members have in common.

    Attributes:
        fit: Learns and predicts.
        steps: Steps of the snapshots.
        inputs: All training inputs.
        labels: Their classes.
        evaluated: Inputs to predict.
        kind: Type of the predictions.
    """

    fit: Fit
    steps: list[int]
    inputs: Matrix
    labels: Integer[np.ndarray, "example"]
    evaluated: Matrix
    kind: np.dtype


class Outcome(NamedTuple):
    """What became of a member.

    Attributes:
        number: Its place in the ensemble.
        predictions: [snapshot evaluated].
        seconds: What it took.
    """

    number: int
    predictions: Shaped[np.ndarray, "snapshot evaluated"]
    seconds: float


def learn(task: Task, member: Member) -> Outcome:
    """Train a member and predict at every snapshot.

    Args:
        task: What all members have in common.
        member: What it has of its own.

    Returns:
        Its predictions.

    Raises:
        WorkError: Where the learner fails.
    """
    began = time.monotonic()
    try:
        found = task.fit(problem(task, member), task.steps, member.seed)
    except Exception as error:  # whatever scikit-learn raises
        told = f"{type(error).__name__}: {error}"
        raise WorkError(f"member {member.number} failed: {told}") from None
    return Outcome(member.number, found.astype(task.kind), time.monotonic() - began)


def problem(task: Task, member: Member) -> Problem:
    """Return a member's part of the data."""
    at, features = member.positions, member.features
    inputs, evaluated = task.inputs, task.evaluated
    if features is not None:
        inputs, evaluated = inputs[:, features], evaluated[:, features]
    if at is None:
        return Problem(inputs, task.labels, evaluated)
    return Problem(inputs[at], task.labels[at], evaluated)


# ---- processes

_held: list[Task] = []  # each process is sent the data once


def _begin(task: Task, parent: int) -> None:
    # a terminal tells all of its processes to stop: the first of them sees to it
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _held.append(task)


def _end_with(parent: int) -> None:
    """End with the process that began this one, should it be killed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _learn_held(member: Member) -> Outcome:
    return learn(_held[0], member)


def learn_all(
    task: Task, members: Iterable[Member], workers: int, stopped: Callable[[], bool]
) -> Generator[Outcome, None, None]:
    """Train members in processes of their own.

    Args:
        task: What all members have in common.
        members: Those to train; taken as processes become free.
        workers: Processes.
        stopped: Whether to stop: members that are not ready are given up.

    Yields:
        Members as they become ready, in any order.

    Raises:
        WorkError: Where a learner fails, or its process is lost.
    """
    pool = ProcessPoolExecutor(
        workers, initializer=_begin, initargs=(task, os.getpid()), env=ONE_THREAD
    )
    waiting, running = iter(members), set[Any]()
    try:
        while not stopped():
            free = islice(waiting, workers + 1 - len(running))
            running |= {pool.submit(_learn_held, member) for member in free}
            if not running:
                return
            ready, running = wait(running, POLL_SECONDS, FIRST_COMPLETED)
            yield from (future.result() for future in ready)
    except BrokenProcessPool as error:
        raise WorkError(
            "a process that trained members was lost, perhaps for lack of memory; give "
            f"fewer examples, or resume ({type(error).__name__})"
        ) from None
    finally:
        pool.shutdown(wait=True, kill_workers=True)
