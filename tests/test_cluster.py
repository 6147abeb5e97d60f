"""Engines beyond one machine: the same bytes, failures that stop no other shard, and nothing made twice."""

from __future__ import annotations

import importlib.util
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from fake_slurm import FakeSlurm
from tiny import SIZE, tiny_config, tiny_recipe, write_paintings

from craqbench import cli
from craqbench.cluster import Step, failures, open_engine, ready
from craqbench.configuration import Config, shards
from craqbench.errors import CraqbenchError, DatasetError, StorageError, UsageError
from craqbench.generation import generate
from craqbench.making import NOTES, Engine, Outcome
from craqbench.rows import Job, open_job
from craqbench.sources import open_source
from craqbench.status import read_status

pytest.importorskip("datatrove", reason="needs the extra 'cluster'")

TESTS = Path(__file__).parent
FILES = [f"data/train-{number:05d}-of-00008.parquet" for number in range(8)]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a dataset."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def files_of(folder: Path) -> list[str]:
    """Return the shards that are there."""
    return sorted(f"data/{path.name}" for path in (folder / "data").glob("*.parquet"))


@pytest.fixture(scope="module")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of five paintings."""
    return write_paintings(tmp_path_factory.mktemp("source") / "paintings")


@pytest.fixture(scope="module")
def reference(paintings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny dataset, made by one process in one go."""
    folder = tmp_path_factory.mktemp("reference") / "out"
    generate(tiny_config(paintings), folder)
    return folder


@pytest.fixture(autouse=True)
def tiny_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes of engines import the tiny recipe."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent)]))


def job_of(config: Config, folder: Path) -> Job:
    """Return a job of a configuration."""
    return open_job(config, open_source(config.source, size=SIZE), folder)


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("condor", [], "engine 'condor': expected one of process, ray, slurm, jobs"),
        ("process", [("mem", "2")], "engine-option mem: engine 'process' has no options but --workers"),
        ("ray", [("partition", "cpu")], "engine-option partition=cpu: engine 'ray' has address, mem"),
        ("ray", [("mem", "much")], "engine-option mem=much: expected a number above 0"),
        ("ray", [("mem", "inf")], "engine-option mem=inf: expected a number above 0"),
        ("slurm", [], "engine 'slurm' needs --engine-option partition=..."),
        ("slurm", [("partition", "a"), ("cpus", "0")], "cpus=0: expected a whole number above 0"),
        ("slurm", [("x", "1")], r"has partition, .*env, sbatch_\.\.\."),
        ("jobs", [], "engine 'jobs' needs --engine-option folder=..."),
    ],
)
def test_options_that_cannot_be(name: str, options: list[tuple[str, str]], message: str) -> None:
    """Unknown engines and options, and values that cannot be, are refused by name."""
    with pytest.raises(UsageError, match=message):
        open_engine(name, options)


def test_options() -> None:
    """Options become the fields of an engine; what begins with sbatch_ is a directive of Slurm's."""
    assert open_engine("process") is None
    engine: Any = open_engine(
        "slurm", [("partition", "cpu"), ("mem", "4"), ("sbatch_account", "lab"), ("sbatch_mail_user", "me")]
    )
    assert (engine.partition, engine.mem, engine.time) == ("cpu", 4, "24:00:00")
    assert engine.sbatch == (("account", "lab"), ("mail-user", "me"))


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the message says how to get it; processes need none."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert open_engine("process") is None
    for name in ("ray", "slurm", "jobs"):
        with pytest.raises(UsageError, match=r"needs datatrove: pip install 'craqbench\[cluster\]'"):
            open_engine(name)


def test_pieces_are_not_for_engines(paintings: Path, tmp_path: Path) -> None:
    """An engine shares out the work itself."""
    with pytest.raises(UsageError, match="shard 0/2: expected no pieces with an engine"):
        generate(tiny_config(paintings), tmp_path / "out", piece=(0, 2), engine=open_engine("ray"))


# --- the step that all engines run --------------------------------------------------------------


def step_of(config: Config, folder: Path, per_rank: int = 1, workers: int = 1) -> Step:
    """Return the step of a dataset, as it comes out at the other end of a network."""
    step = Step(job_of(config, folder), shards(config), str(folder / NOTES), per_rank, workers)
    sent: Step = pickle.loads(pickle.dumps(step))  # noqa: S301  our own
    return sent


@pytest.mark.parametrize("workers", [1, 2])
def test_ranks_make_blocks_of_shards(workers: int, reference: Path, paintings: Path, tmp_path: Path) -> None:
    """Ranks together make all shards, in the bytes of a single process, and leave nothing else."""
    step = step_of(tiny_config(paintings), tmp_path, 3, workers)
    assert step.ranks == 3
    for rank in range(3):
        step(None, rank, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert contents(tmp_path / "data") == contents(reference / "data")


def test_sound_shards_are_not_made_again(paintings: Path, tmp_path: Path) -> None:
    """A rank keeps what is sound and replaces what is damaged."""
    step = step_of(tiny_config(paintings), tmp_path, 3)
    step(None, 0, 3)
    before = contents(tmp_path)
    times = [(tmp_path / file).stat().st_mtime_ns for file in FILES[:3]]
    os.truncate(tmp_path / FILES[1], 2000)
    step(None, 0, 3)
    assert contents(tmp_path) == before
    kept = [(tmp_path / file).stat().st_mtime_ns == time for file, time in zip(FILES, times, strict=False)]
    assert kept == [True, False, True]


def test_a_failing_shard_stops_no_other_of_its_rank(paintings: Path, tmp_path: Path) -> None:
    """A rank makes what it can, notes the reason of what it cannot, and then fails."""
    step = step_of(tiny_config(paintings, recipe=tiny_recipe(failing=0)), tmp_path, 4)
    with pytest.raises(CraqbenchError, match=r"^shard 2: ZeroDivisionError: a fault in a recipe \(in row 8"):
        step(None, 0, 2)
    assert files_of(tmp_path) == [FILES[0], FILES[1], FILES[3]]
    assert list(failures(step)) == [FILES[2]]
    assert failures(step)[FILES[2]].reason.startswith("ZeroDivisionError: a fault in a recipe (in row 8")


def test_a_killed_process_of_a_rank(paintings: Path, tmp_path: Path) -> None:
    """A rank of several processes outlives one that is killed, and says so."""
    step = step_of(tiny_config(paintings, recipe=tiny_recipe(killer=0)), tmp_path, 4, workers=2)
    with pytest.raises(CraqbenchError, match="shard 2: its process was killed, most often because memory"):
        step(None, 0, 2)
    assert files_of(tmp_path) == [FILES[0], FILES[1], FILES[3]]


def test_a_bad_disk_stops_a_rank(paintings: Path, tmp_path: Path) -> None:
    """What concerns all shards of a rank is not tried again, and is noted for each."""
    step = step_of(tiny_config(paintings), tmp_path, 4)
    (tmp_path / "data").touch()
    with pytest.raises(StorageError, match="expected a folder"):
        step(None, 1, 2)
    assert list(failures(step)) == FILES[4:]


def test_machines_with_other_code_are_refused(
    paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose libraries would make other bytes makes none, and says what differs."""
    step = step_of(tiny_config(paintings), tmp_path)
    monkeypatch.setattr("numpy.__version__", "9.9.9")
    with pytest.raises(
        DatasetError, match=r"machine .* has numpy 9\.9\.9 instead of [\d.]+: expected the same"
    ):
        step(None, 0, 8)
    assert not (tmp_path / "data").exists()


def test_marks_follow_the_shards(paintings: Path, tmp_path: Path) -> None:
    """Datatrove's marks are made to agree with the shards: stale ones go, missing ones come."""
    step = step_of(tiny_config(paintings), tmp_path, 3)
    marks = tmp_path / NOTES / "completions"
    marks.mkdir(parents=True)
    (marks / "00001").touch()
    (tmp_path / NOTES / "failures").mkdir()
    (tmp_path / NOTES / "failures" / "00004").write_text("an old story")
    layout = shards(tiny_config(paintings))
    assert ready(step, [layout[4], layout[7]]) == [1, 2]
    assert sorted(path.name for path in marks.iterdir()) == ["00000"]
    assert failures(step) == {}


class Half:
    """An engine that makes the even shards, damages the first, and says that all is well."""

    def check(self, job: Job) -> None:
        """Refuse nothing."""

    def make(self, job: Job, layout: Any, wanted: Any, on_beat: Any) -> Outcome:
        """Make some."""
        step = Step(job, layout, str(job.folder / NOTES))
        for shard in wanted[::2]:
            step.make(shard, lambda _=1: None)
            on_beat(shard.rows)
        os.truncate(job.folder / wanted[0].file, 1000)
        return Outcome()

    def preview(self, job: Job, layout: Any) -> str:
        """Return nothing."""
        raise NotImplementedError


def test_only_shards_count(reference: Path, paintings: Path, tmp_path: Path) -> None:
    """Whatever an engine says, shards that are not there or damaged are named; the next run makes them."""
    with pytest.raises(CraqbenchError) as caught:
        generate(tiny_config(paintings), tmp_path / "out", engine=Half())
    lines = str(caught.value).splitlines()[1:-1]
    assert [re.findall(r"shard (\d)", line)[0] for line in lines] == ["0", "1", "3", "5", "7"]
    assert "not a readable Parquet file" in lines[0]
    assert all(line.endswith("expected a folder that all machines share") for line in lines[1:])
    done = generate(tiny_config(paintings), tmp_path / "out")
    assert (done.complete, done.kept) == (True, 9)
    assert contents(tmp_path / "out") == contents(reference)


# --- Slurm --------------------------------------------------------------------------------------


def slurm(monkeypatch: pytest.MonkeyPatch, folder: Path, *, runs: bool) -> FakeSlurm:
    """Put a fake Slurm on the PATH."""
    fake = FakeSlurm(folder / "slurm", runs=runs)
    monkeypatch.setenv("PATH", fake.path)
    return fake


def slurm_engine(**options: str) -> Engine:
    """Return the engine, with three shards in a task."""
    engine = open_engine("slurm", [("partition", "cpu"), ("shards", "3"), *options.items()])
    assert engine
    return engine


def test_slurm_makes_a_dataset(
    reference: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array of tasks and one after them make, with nobody's help, the bytes of a single process."""
    fake, out = slurm(monkeypatch, tmp_path, runs=True), tmp_path / "out"
    done = generate(tiny_config(paintings), out, engine=slurm_engine(time="1:00", sbatch_account="lab"))
    assert (done.complete, done.missing, done.made) == (False, 8, 0)
    assert done.submitted == "to Slurm as job 100, and job 101 that completes the dataset"
    make, finish = fake.jobs
    assert (make["codes"], finish["codes"]) == ([0, 0, 0], [0])
    for line in (
        "partition=cpu",
        "time=1:00",
        "account=lab",
        "cpus-per-task=1",
        "mem-per-cpu=2G",
        "array=0-2",
    ):
        assert f"\n#SBATCH --{line}\n" in make["script"]
    assert "--qos" not in make["script"]
    assert "--dependency=afterany:100" in finish["arguments"]
    made = {name: data for name, data in contents(out).items() if not name.startswith(NOTES)}
    assert made == contents(reference)
    assert read_status(out).complete
    again = generate(tiny_config(paintings), out, engine=slurm_engine())
    assert (again.complete, again.kept, len(fake.jobs)) == (True, 24, 2)
    assert contents(out) == contents(reference)


def test_slurm_and_a_failing_shard(paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks with a failing shard fail, others do not; the status names shards, the next run submits them."""
    fake, out = slurm(monkeypatch, tmp_path, runs=True), tmp_path / "out"
    config = tiny_config(paintings, recipe=tiny_recipe(failing=0))
    generate(config, out, engine=slurm_engine())
    assert [job["codes"] for job in fake.jobs] == [[1, 0, 1], [1]]
    status = read_status(out)
    assert [shard.file for shard in status.missing] == list(status.failed) == [FILES[2], FILES[7]]
    assert all("a fault in a recipe (in row" in reason for reason in status.failed.values())
    assert "2 shards are not there" in (fake.home / "101_0.out").read_text()
    (out / FILES[4]).unlink()
    done = generate(config, out, engine=slurm_engine())
    assert done.kept == 15
    assert fake.jobs[2]["codes"] == [1, 0, 1]
    assert sorted(read_status(out).finished) == [file for n, file in enumerate(FILES) if n not in (2, 7)]


def test_slurm_is_not_asked_twice(paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While jobs of the dataset are in the queue, nothing is submitted; afterwards it is."""
    fake, config = slurm(monkeypatch, tmp_path, runs=False), tiny_config(paintings)
    generate(config, tmp_path / "out", engine=slurm_engine())
    fake.queue("100_0\n100_1\n")
    with pytest.raises(UsageError, match=r"Slurm jobs 100, 101 .* are queued .*\(scancel 100 101\)"):
        generate(config, tmp_path / "out", engine=slurm_engine())
    fake.queue("")
    generate(config, tmp_path / "out", engine=slurm_engine())
    assert [job["number"] for job in fake.jobs] == ["100", "101", "102", "103"]


def test_large_arrays_are_cut(paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More tasks than an array may have are several arrays, one after the other."""
    fake = slurm(monkeypatch, tmp_path, runs=False)
    engine = open_engine("slurm", [("partition", "cpu"), ("max_array", "3"), ("tasks", "2"), ("qos", "low")])
    generate(tiny_config(paintings), tmp_path / "out", engine=engine)
    assert len(fake.jobs) == 4
    assert all("--array=0-2%2\n" in job["script"] for job in fake.jobs[:3])
    assert [job["arguments"][0] for job in fake.jobs[:3]] == [
        f"--export=ALL,RUN_OFFSET={n}" for n in range(3)
    ]
    assert "--dependency=afterany:101" in fake.jobs[2]["arguments"]
    assert "\n#SBATCH --qos=low\n" in fake.jobs[3]["script"]


def test_slurm_that_is_not_there_or_refuses(
    paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without sbatch, or with options that it refuses, there is one clear message."""
    with pytest.raises(UsageError, match="no sbatch on this machine: expected a login node"):
        generate(tiny_config(paintings), tmp_path / "out", engine=slurm_engine())
    assert not (tmp_path / "out").exists()
    slurm(monkeypatch, tmp_path, runs=False)
    monkeypatch.setenv("FAKE_SLURM_REFUSES", "1")
    with pytest.raises(UsageError, match=r"sbatch refused the job \(exit code 1\)"):
        generate(tiny_config(paintings), tmp_path / "out", engine=slurm_engine())
    with pytest.raises(UsageError, match="take no blanks or quotes in a path"):
        generate(tiny_config(paintings), tmp_path / "two words", engine=slurm_engine())
    assert not (tmp_path / "two words").exists()


def test_dry_run_of_slurm(
    paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run shows the very scripts that are submitted later, and writes nothing."""
    monkeypatch.chdir(tmp_path)
    fake = slurm(monkeypatch, tmp_path, runs=False)
    line = ["generate", "--n", "12", "--recipe", "paper", "--set", "n_curves=8,12", "--size", "96x64"]
    line += ["--workers", "1", "--source", str(paintings), "--out", "out", "--engine", "slurm"]
    line += ["--engine-option", "partition=cpu", "--engine-option", "env=module load python"]
    assert cli.main([*line, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert not fake.jobs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slurm"]
    assert cli.main(line) == 0
    assert all(job["script"] in shown for job in fake.jobs)
    assert "\nmodule load python\n" in shown
    assert f"launch_pickled_pipeline {tmp_path}/out/.engine/executor.pik" in shown
    out, err = capsys.readouterr()
    assert "made          12 files submitted to Slurm as job 100, and job 101" in out
    assert out.endswith("next: craqbench generate --status --out out\n")
    assert err == ""
