"""Checkpoints come back bit for bit, or say that they do not."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
import pytest

from jaxorder.checkpoint import BlockCheckpoints, fingerprint, restore_parameters
from jaxorder.errors import RequestError, WorkError

Tree = dict[str, Any]


def params_of(first: int, members: int) -> Tree:
    """Return weights that tell whose they are, the odd values of floats among them."""
    random = np.random.default_rng(first)
    kernel = random.normal(size=(members, 4, 3)).astype(np.float32)
    kernel[:, 0, :] = [np.nan, -0.0, np.inf]
    member = np.arange(first, first + members, dtype=np.float32)
    return {"dense": {"kernel": kernel, "bias": member[:, None]}}


class Rest(NamedTuple):
    """What is kept beside the parameters, in the container a training uses."""

    optimizer: Any
    finite: np.ndarray


def rest_of(params: Tree) -> Rest:
    rule = optax.chain(optax.clip(1.0), optax.adam(0.1))
    state = jax.tree.map(np.asarray, jax.vmap(rule.init)(params))
    moved = jax.tree.map(lambda x: x + np.ones((), x.dtype), state)
    return Rest(moved, np.array([True, False])[: len(params["dense"]["bias"])])


PARAMS = params_of(0, 2)
REST = rest_of(PARAMS)


def assert_same_bits(found: Any, wanted: Any) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for leaf, twin in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert isinstance(leaf, np.ndarray)
        assert (leaf.dtype, leaf.shape) == (twin.dtype, twin.shape)
        assert leaf.tobytes() == twin.tobytes()


def save(run: Path, first: int, members: int, steps: list[int]) -> None:
    params = params_of(first, members)
    with BlockCheckpoints(run, first, members) as checkpoints:
        for step in steps:
            checkpoints.save(step, params, rest_of(params))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with checkpoints of steps 0, 5 and 10, not to be changed."""
    run = tmp_path_factory.mktemp("saved")
    save(run, 0, 2, [0, 5, 10])
    return run


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """Return a copy to be changed."""
    shutil.copytree(saved / "checkpoints", tmp_path / "checkpoints")
    return tmp_path


@pytest.fixture
def checkpoints(copy: Path) -> Iterator[BlockCheckpoints]:
    with BlockCheckpoints(copy, 0, 2) as opened:
        yield opened


def test_a_state_comes_back_bit_for_bit(saved: Path) -> None:
    like = jax.tree.map(np.zeros_like, (PARAMS, REST))
    with BlockCheckpoints(saved, 0, 2) as checkpoints:
        assert checkpoints.steps == [0, 5, 10]
        assert_same_bits(checkpoints.restore(5, *like), (PARAMS, REST))
        assert_same_bits(checkpoints.restore_network(10, False), (PARAMS,))


def test_only_what_is_wanted_is_kept(checkpoints: BlockCheckpoints, copy: Path) -> None:
    checkpoints.keep_only({5, 10, 99})
    assert checkpoints.steps == [5, 10]
    assert not (copy / "checkpoints" / "members-00000-00001" / "0").exists()
    with BlockCheckpoints(copy, 0, 2) as again:
        assert again.steps == [5, 10]


def test_a_step_that_orbax_skips_is_no_silent_loss(
    checkpoints: BlockCheckpoints,
) -> None:
    # it does not save a step before its latest
    with pytest.raises(WorkError, match="checkpoint of step 3 was not saved"):
        checkpoints.save(3, PARAMS, REST)


# ---- damage


def set_fingerprint(step: Path) -> None:
    (step / "meta" / "metadata").write_text(json.dumps({"fingerprint": 1}))


def cut_values_short(step: Path) -> None:
    for item in ("params", "rest"):
        for file in (step / item).rglob("d/*"):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def remove_values(step: Path) -> None:
    shutil.rmtree(step / "params")


DAMAGES = pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (set_fingerprint, "is damaged, its values are not those that were saved"),
        (cut_values_short, "cannot be read"),
        (remove_values, "cannot be read"),
    ],
)


# orbax ends its event loop while other arrays are still being read
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@DAMAGES
def test_a_damaged_checkpoint_is_not_gone_on_with(
    copy: Path, damage: Callable[[Path], None], problem: str
) -> None:
    step = copy / "checkpoints" / "members-00000-00001" / "5"
    damage(step)
    expected = (
        f"{step}: the checkpoint of step 5 {problem}; delete this folder and resume "
        "from an older one"
    )
    with BlockCheckpoints(copy, 0, 2) as checkpoints:
        with pytest.raises(WorkError) as failed:
            checkpoints.restore(5, PARAMS, REST)
        assert str(failed.value) == expected
        with pytest.raises(WorkError) as failed:
            checkpoints.verify(5)
        assert str(failed.value) == expected
        # the others are as good as before
        checkpoints.verify(0)
        checkpoints.verify(10)


def test_a_half_written_checkpoint_is_none(copy: Path) -> None:
    folder = copy / "checkpoints" / "members-00000-00001"
    # the name under which orbax writes until all is there
    half = folder / "15.orbax-checkpoint-tmp"
    shutil.copytree(folder / "10", half)
    (half / "_CHECKPOINT_METADATA").unlink()
    shutil.rmtree(half / "meta")
    with BlockCheckpoints(copy, 0, 2) as checkpoints:
        assert checkpoints.steps == [0, 5, 10]
        checkpoints.save(15, PARAMS, REST)
        assert checkpoints.steps == [0, 5, 10, 15]
        checkpoints.verify(15)


def test_what_a_cut_save_left_is_removed_by_the_next_to_write(copy: Path) -> None:
    (folder,) = (copy / "checkpoints").glob("members-00000-*")
    half = folder / "15.orbax-checkpoint-tmp"
    half.mkdir()
    first, last = (int(part) for part in folder.name.split("-")[1:])
    with BlockCheckpoints(copy, first, last - first + 1):
        assert half.exists(), "a reader must not touch what another may be writing"
    with BlockCheckpoints(copy, first, last - first + 1, writing=True) as checkpoints:
        checkpoints.save(20, PARAMS, REST)
        assert not half.exists()


def test_a_fingerprint_tells_values_apart_but_not_containers() -> None:
    a, b = np.array([0.0, 1.0]), np.array([2, 3])
    same = [{"x": a, "y": b}, [b, a], Rest(a, b), {"x": {"y": (a.copy(), b)}}]
    assert len({fingerprint(tree) for tree in same}) == 1
    other = [[a, a], [a], [-a, b], [a, b + 1], [np.float32(a), b], []]
    assert len({fingerprint(tree) for tree in [*other, same[0]]}) == 7


# ---- all blocks


def test_blocks_are_joined_in_the_order_of_members(saved: Path, copy: Path) -> None:
    save(copy, 2, 1, [5, 10])
    found = restore_parameters(copy, 5)
    assert set(found) == {"dense"}
    bias, kernel = found["dense"]["bias"], found["dense"]["kernel"]
    assert isinstance(bias, jax.Array)
    np.testing.assert_array_equal(bias[:, 0], [0, 1, 2])
    np.testing.assert_array_equal(kernel[:2], PARAMS["dense"]["kernel"])
    np.testing.assert_array_equal(kernel[2:], params_of(2, 1)["dense"]["kernel"])


def test_a_step_that_a_block_lacks_is_refused(copy: Path) -> None:
    save(copy, 2, 1, [5, 10])
    with pytest.raises(RequestError) as refused:
        restore_parameters(copy, 0)
    assert str(refused.value) == f"step 0: {copy} kept checkpoints of steps: 5, 10"


def test_a_run_without_checkpoints_says_so(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refused:
        restore_parameters(tmp_path, 0)
    assert str(refused.value) == f"step 0: {tmp_path} kept checkpoints of steps: none"
