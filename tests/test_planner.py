"""Plans by rule, name and trial: kept, written down, equal in what they train."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxorder as jo
from jaxorder.config import RunConfig, StudyOptions, study_asked
from jaxorder.data import Dataset, from_arrays
from jaxorder.data.cache import cache_folder
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble import devices, planner
from jaxorder.ensemble.devices import spread_over_cores
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.plan import Lowering, Plan, Trial, by_rule
from jaxorder.errors import RequestError
from jaxorder.models import Inputs, build, forward_flops, layer_flops
from jaxorder.run.networks import NetworkWork, prepare
from jaxorder.run.training import plan_study
from tests.works import DEVICES, begun, network_work

WAYS = [Lowering("sequential", "native"), Lowering("vmap", "native")]
WAYS += [Lowering("chunks", "native", 2)]
CONVOLUTIONS = [
    Lowering("sequential", "winograd"),
    Lowering("sequential", "direct"),
    Lowering("sequential", "patches"),
    Lowering("vmap", "patches"),
    Lowering("chunks", "patches", 2),
    Lowering("vmap", "winograd"),
]
MLP = "mlp:widths=8,dropout=0.25"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch) -> Path:
    """Return the folder of what was measured: empty, for this test."""
    monkeypatch.setenv("JAXORDER_CACHE", str(tmp_path / "cache"))
    return cache_folder() / "plans"


def workload(
    dataset: Dataset, way: Lowering | None = None, batch: int = 32, **options: Any
) -> NetworkWork:
    """Return a work that maps members in a way, or in one that is chosen."""
    defaults = {"model": MLP, "members": 5, "epochs": 1, "batch_size": 20}
    config = RunConfig(data=dataset.name, **{**defaults, **options})
    if way:
        return network_work(config, dataset, way, batch=batch)
    work = prepare(config, LaidOut(dataset), DEVICES[: config.members])
    return work.planned("if long")


def shapes(work: NetworkWork) -> tuple[Ensemble, Any, Any]:
    """Return an ensemble, its members and orders as shapes, which none compiles."""
    made = begun(work)
    return made, jax.eval_shape(made.init), jax.eval_shape(lambda: made.order(0))


def predicted(work: NetworkWork) -> tuple[Any, Any]:
    """Return the members after some steps, and what they predict."""
    made = begun(work)
    state, _ = made.train_segment(made.init(), made.order(0), 0, 4)
    _, values = made.predict(state)
    return made.to_host(state.params), values["prediction"][:, : work.data.evaluated]


# ---- every way trains the same members


@pytest.mark.parametrize(
    ("model", "way"),
    [(MLP, way) for way in WAYS]
    + [
        pytest.param("small_st_vgg", way, marks=[pytest.mark.slow] if later else [])
        for later, way in enumerate(CONVOLUTIONS)
    ],
    ids=str,
)
def test_every_way_trains_the_same_members(digits, model: str, way: Lowering) -> None:
    first = Lowering("sequential", "native")
    # Adam's first steps have the rate's size, also where a gradient is but rounding,
    # and larger steps would change which value is the largest of a pooled window
    options = {"model": model, "optimizer": "momentum", "learning_rate": 3e-3}
    wanted, said = predicted(workload(digits, first, **options))
    found, also = predicted(workload(digits, way, **options))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5), found, wanted
    )
    assert (said == also).mean() > 0.99


@pytest.mark.parametrize("members", [1, 2, 3, 7])
def test_members_need_not_divide_over_devices_or_chunks(digits, members: int) -> None:
    chunks = Lowering("chunks", "native", 2)
    one, said = predicted(workload(digits, chunks, members=members))
    assert len(said) == members
    other, _ = predicted(workload(digits, WAYS[0], members=members))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4), one, other)


@pytest.mark.parametrize("batch", [1, 7, 32, 153, 154, 1000])
def test_evaluation_batches_of_any_size_predict_the_same(digits, batch: int) -> None:
    """154 examples: in groups of batches, the last ones filled up."""
    wanted = predicted(workload(digits, WAYS[0], batch=154))[1]
    found = predicted(workload(digits, WAYS[0], batch=batch))[1]
    np.testing.assert_array_equal(found, wanted)


def test_a_batch_larger_than_the_data_is_one_of_all(digits) -> None:
    """Padding would change no weight, and cost time."""
    one, _ = predicted(workload(digits, WAYS[0], batch_size=101, model="mlp:widths=8"))
    work = workload(digits, WAYS[0], batch_size=5000, model="mlp:widths=8")
    assert work.recipe.batch_size == 101
    jax.tree.map(np.testing.assert_array_equal, one, predicted(work)[0])


@pytest.mark.slow
def test_many_small_members_in_blocks_are_those_of_one_block(
    digits, tmp_path: Path
) -> None:
    def predictions(name: str, **options: Any) -> np.ndarray:
        run = jo.train(
            data=digits,
            model="mlp:widths=4",
            members=512,
            epochs=1,
            snapshots="epoch",
            plan="sequential",
            out=tmp_path / name,
            **options,
        )
        return run.record("test").prediction.values

    one = predictions("one")
    blocks = predictions("blocks", block_members=200)
    assert len(list((tmp_path / "blocks" / "commits").iterdir())) == 3
    np.testing.assert_array_equal(one, blocks)


# ---- what a compiled program holds


def program(work: NetworkWork) -> str:
    made = begun(work)
    state, order = made.init(), made.order(0)
    return made.lower("train", state, order).as_text()


@pytest.mark.parametrize("way", [WAYS[0], WAYS[2]], ids=str)
def test_a_program_is_as_long_for_many_members_as_for_few(digits, way) -> None:
    """So it takes as long to compile."""
    lengths = {
        len(program(workload(digits, way, members=members)).splitlines())
        for members in (8, 64)
    }
    assert len(lengths) == 1


@pytest.mark.parametrize(
    "model", [MLP, pytest.param("small_st_vgg", marks=pytest.mark.slow)]
)
def test_memory_grows_by_state_and_order_only(digits, model: str) -> None:
    """Activations are those of one member at a time, whatever their number."""

    def held(members: int) -> int:
        way = Lowering("sequential", "winograd")
        work = workload(digits, way, members=members, model=model)
        made = begun(work)
        state, order = made.init(), made.order(0)
        return planner.held_bytes(made.lower("train", state, order).compile())

    work = workload(digits, WAYS[0], model=model)
    order = 4 * 20 * math.ceil(101 / 20)
    streams = 3 * 8
    # a map holds the states that it reads and those that it has written
    most = 2 * work.job.state_bytes + order + streams
    each = (held(20) - held(4)) / (16 / len(DEVICES))
    assert work.job.state_bytes <= each <= 1.1 * most


PLATFORMS = ["cuda", "tpu"]


def operations(module: str) -> int:
    """Count lines, without places in our code and numbers that others may equal."""
    left_out = ("#loc", "stablehlo.constant")
    return sum(not any(w in line for w in left_out) for line in module.splitlines())


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    "way",
    [
        Lowering("vmap", "native"),
        Lowering("vmap", "patches"),
        Lowering("sequential", "native"),
        Lowering("chunks", "patches", 2),
        Lowering("sequential", "winograd"),
    ],
    ids=str,
)
def test_training_and_evaluation_lower_for_accelerators(
    digits, way: Lowering, platform: str
) -> None:
    """They lower, nothing more: members are not unrolled, patches stay products."""

    def modules(members: int) -> list[str]:
        work = workload(digits, way, model="small_st_vgg", members=members)
        work = dataclasses.replace(work, devices=DEVICES[:1])
        work = dataclasses.replace(
            work, chosen=dataclasses.replace(work.plan, devices=1)
        )
        made, state, order = shapes(work)
        return [
            made.exported(what, state, order, platform)
            for what in ("train", "evaluate")
        ]

    few, many = modules(4), modules(12)
    for small, large in zip(few, many, strict=True):
        assert operations(small) == operations(large)
        convolutions = [
            line for line in large.splitlines() if "stablehlo.convolution" in line
        ]
        if way.convolution == "patches":
            assert not convolutions
            assert "dot_general" in large
        if way.members == "sequential":
            assert not any("feature_group_count = 12" in line for line in convolutions)


# ---- names


def test_a_named_plan_is_taken_and_never_measured(digits, kept: Path) -> None:
    work = workload(digits, plan="chunks:size=3,evaluate_batch=16")
    assert work.plan.train == Lowering("chunks", "native", 3)
    assert work.plan.evaluate_batch == 16
    assert work.plan.trials == ()
    assert workload(digits, plan="vmap:convolution=patches,devices=1").plan.devices == 1
    convolving = workload(digits, plan="sequential", model="small_st_vgg")
    assert convolving.plan.train.convolution == "winograd"
    assert not kept.exists()


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("fast", "must be one of auto, sequential, vmap, chunks"),
        ("vmap:size=2", "no key size; there are convolution, devices"),
        ("chunks:size=0", "size=0 must be a whole number from 1 on"),
        ("chunks:size=2.5", "size=2.5 must be a whole number"),
        ("vmap:convolution=fft", "must be one of native, patches, direct, winograd"),
        ("vmap:devices=99", "devices=99 must be a whole number from 1 to"),
        ("vmap:devices", "must be NAME or NAME:key=value"),
        ("", "must be NAME or NAME:key=value"),
    ],
)
def test_a_wrong_name_says_what_is_allowed(digits, name: str, allowed: str) -> None:
    with pytest.raises(RequestError, match="plan=") as caught:
        workload(digits, plan=name)
    assert allowed in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- trials


def job(dataset: Dataset, **options: Any) -> planner.Job:
    return workload(dataset, WAYS[0], **options).job


def rule_of(wanted: planner.Job) -> Plan:
    members = wanted.config.members
    return by_rule(wanted.devices, members, members, wanted.config.model != MLP)


def test_rules_prune_vmapped_and_native_convolutions_on_a_cpu(digits) -> None:
    convolving = job(digits, model="small_st_vgg", members=40)
    found = planner.ways(convolving, rule_of(convolving))
    assert found == [
        Lowering("sequential", "winograd"),
        Lowering("sequential", "direct"),
    ]
    dense = job(digits, members=40)
    assert planner.ways(dense, rule_of(dense)) == [
        Lowering("sequential", "native"),
        Lowering("vmap", "native"),
        Lowering("chunks", "native", planner.CHUNK),
    ]
    alone = job(digits, members=1)
    assert planner.ways(alone, rule_of(alone)) == [Lowering("sequential", "native")]


def test_a_method_that_makes_no_difference_is_not_tried(digits) -> None:
    """On 5x5 images Winograd's convolution does not pay and is not used."""
    inputs = {s: getattr(digits, s).inputs[:, :5, :5] for s in ("train", "test")}
    small = from_arrays(
        "small",
        inputs["train"],
        digits.train.labels,
        inputs["test"],
        digits.test.labels,
    )
    wanted = job(small, model="small_st_vgg")
    assert [way.convolution for way in planner.ways(wanted, rule_of(wanted))] == [
        "winograd"
    ]


def test_trials_measure_and_the_fastest_is_taken(digits, kept: Path) -> None:
    work = workload(digits)
    assert work.plan.trials == ()  # too short a run to measure for
    assert "not measured" in work.plan.why

    wanted = job(digits)
    plan = planner.choose(wanted, "always")
    assert {trial.what for trial in plan.trials} == {"train", "evaluate"}
    for trial in plan.trials:
        assert trial.problem == ""
        assert 0 < trial.ms < 1000  # pyright: ignore
        assert trial.memory_bytes > 1000  # pyright: ignore
    train = {t.lowering: t.ms for t in plan.trials if t.what == "train"}
    fastest = min(train.values())  # pyright: ignore
    assert train[plan.train] <= planner.MARGIN * fastest  # pyright: ignore
    assert plan.seconds > 0  # pyright: ignore
    assert "fastest of 2 tried" in plan.why


def test_what_was_measured_is_kept_and_not_measured_again(
    digits, kept: Path, monkeypatch
) -> None:
    first = planner.choose(job(digits), "always")
    monkeypatch.setattr(planner, "try_ways", None)
    assert planner.choose(job(digits), "always") == first
    # and a run takes it, however short
    assert workload(digits).plan == first
    # epochs change the estimate only
    longer = planner.choose(job(digits, epochs=100), "always")
    assert longer.trials == first.trials
    assert longer.seconds > first.seconds  # pyright: ignore


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 21}, {"model": "mlp"}, {"members": 4}, {"optimizer": "adam"}],
)
def test_another_workload_is_measured_apart(digits, kept, monkeypatch, options) -> None:
    real, tried = planner.try_ways, []

    def counted(wanted: planner.Job, *more: Any) -> Any:
        tried.append(wanted.config)
        return real(wanted, *more)

    monkeypatch.setattr(planner, "try_ways", counted)
    for wanted in (job(digits), job(digits), job(digits, **options), job(digits)):
        assert planner.choose(wanted, "always").trials
    assert tried == [job(digits).config, job(digits, **options).config]
    assert len(list(kept.iterdir())) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"trials": [{"what": "train"}]}'])
def test_a_damaged_measurement_is_measured_again(digits, kept: Path, text: str) -> None:
    planner.choose(job(digits), "always")
    (file,) = kept.iterdir()
    file.write_text(text)
    assert planner.choose(job(digits), "always").trials
    assert json.loads(file.read_text())["trials"]


def test_a_cache_that_cannot_be_written_is_left(digits, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXORDER_CACHE", str(tmp_path / "file"))
    assert planner.choose(job(digits), "always").trials


def test_a_way_that_fails_is_left_out(digits, kept, monkeypatch) -> None:
    real = planner._try_train

    def failing(wanted, plan, empty, memory):
        if plan.train.members == "sequential":
            raise MemoryError("out of\nmemory")
        return real(wanted, plan, empty, memory)

    monkeypatch.setattr(planner, "_try_train", failing)
    plan = planner.choose(job(digits), "always")
    assert plan.train.members == "vmap"
    problems = [trial.problem for trial in plan.trials if trial.problem]
    assert problems == ["out of memory"]


def test_a_way_that_does_not_fit_is_not_run(digits, kept, monkeypatch) -> None:
    wanted = job(digits)
    trials = planner.try_ways(wanted, rule_of(wanted), memory=1000)
    assert all("MiB of memory" in trial.problem for trial in trials)
    with pytest.raises(RequestError, match="MiB of memory, here are 0; give a smaller"):
        planner.fastest(wanted, rule_of(wanted), trials)


def test_where_no_way_works_the_rules_is_taken(digits, kept, monkeypatch) -> None:
    def failing(*_: Any) -> Any:
        raise ValueError("broken")

    monkeypatch.setattr(planner, "_try_train", failing)
    wanted = job(digits)
    plan = planner.choose(wanted, "always")
    assert plan.train == rule_of(wanted).train
    assert "no trial succeeded (broken)" in plan.why


def test_the_rules_way_is_kept_where_another_is_hardly_faster(digits) -> None:
    rule, other = (Lowering(m, "native") for m in ("sequential", "vmap"))

    def chosen(ms: float) -> Lowering:
        trials = (
            Trial("train", rule, 20, 1.0, 0.5, 10),
            Trial("train", other, 20, ms, 0.5, 10),
            Trial("evaluate", rule, 256, 1.0, 0.5, 10),
        )
        wanted = job(digits)
        return planner.fastest(wanted, rule_of(wanted), trials).train

    assert chosen(0.97) == rule
    assert chosen(0.5) == other


def test_an_estimate_by_hand(digits) -> None:
    wanted = job(digits, epochs=2, snapshots="epoch")
    way = Lowering("sequential", "native")
    trials = (
        Trial("train", way, 20, 3.0, 0.5, 10),
        Trial("evaluate", way, 256, 7.0, 0.25, 10),
    )
    plan = planner.fastest(wanted, rule_of(wanted), trials)
    # 5 members, 12 steps, 3 snapshots
    assert plan.seconds == pytest.approx(0.75 + 5 * (12 * 0.003 + 3 * 0.007))


@pytest.mark.parametrize(
    ("members", "ms", "wanted", "block"),
    [
        ("sequential", 0.01, None, 300),  # 100 ms hold more than there are
        ("sequential", 1.0, None, 100),
        ("sequential", 50.0, None, 32),  # no fewer
        ("sequential", 50.0, 70, 70),  # named by the user
        ("vmap", 50.0, None, 300),
    ],
)
def test_members_in_sequence_come_in_blocks_of_short_steps(
    digits, members: Any, ms: float, wanted: int | None, block: int
) -> None:
    asked = job(digits, members=300, block_members=wanted)
    way = Lowering(members, "native")
    trials = (Trial("train", way, 20, ms), Trial("evaluate", way, 256, 1.0))
    rule = dataclasses.replace(rule_of(asked), block=wanted or 300)
    assert planner.fastest(asked, rule, trials).block == block


def test_operations_by_hand() -> None:
    dense = build("mlp:widths=3", Inputs((2, 2, 1)), 5)
    assert layer_flops(dense) == [2 * 4 * 3, 2 * 3 * 5]
    convolution = build("small_st_vgg", Inputs((4, 4, 1)), 2)
    first = 2 * 16 * 9 * 1 * 32
    assert layer_flops(convolution)[0] == first
    assert forward_flops(convolution) > first


# ---- devices


def test_a_process_that_used_jax_says_what_would_be_faster(monkeypatch) -> None:
    """As in a notebook: the devices cannot be counted anew."""
    monkeypatch.setattr(devices, "cores", lambda: 64)
    there = len(jax.devices())
    with pytest.warns(UserWarning, match=r"'jax_num_cpu_devices', 64\) before its"):
        assert len(spread_over_cores(1000)) == there
    # a run that goes on has its devices already
    assert len(spread_over_cores(1000, planned=65)) == there


# ---- the plan of a run


def test_the_plan_is_written_before_step_1_and_kept(digits, tmp_path: Path) -> None:
    run = jo.train(
        data=digits, model=MLP, members=3, epochs=1, plan="vmap", out=tmp_path / "run"
    )
    document = json.loads((run.path / "config.json").read_text())["plan"]
    plan = Plan.from_json(document)
    assert plan.train.members == "vmap"
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    with pytest.raises(RequestError, match="another version"):
        Plan.from_json({"members": "sequential", "devices": 2})


def test_a_study_is_planned_for_each_model(kept: Path) -> None:
    options = StudyOptions(data="digits", train_examples=100, members=3, epochs=1)
    works = plan_study(study_asked(options, [MLP, "mlp:widths=none"], {}), "always")
    assert [len(work.plan.trials) > 0 for work in works] == [True, True]
    assert len(list(kept.iterdir())) == 2
