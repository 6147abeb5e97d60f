"""Hugging Face Jobs: started through the real client's functions, which here start processes of this machine.

Shards and datatrove's notes go through a local hub, in the Hub's own protocol.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from local_hub import (
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401 - a fixture
)
from tiny import tiny_config, tiny_recipe, write_paintings

from craqbench.cluster import open_engine
from craqbench.configuration import Config, shards
from craqbench.errors import CraqbenchError, UsageError
from craqbench.generation import generate
from craqbench.making import Engine
from craqbench.rows import open_job
from craqbench.sources import open_source
from generators.recipes import RECIPES

pytest.importorskip("datatrove", reason="needs the extra 'cluster'")
pytestmark = client_warnings

TESTS = Path(__file__).parent
REPO = "lab/making"


@dataclass
class FakeJobs:
    """The Hub's Jobs: each is a process, which ends before its start is answered.

    Attributes
    ----------
    environment
        Of the processes.
    started
        What was asked for, job by job.
    killed
        How many of the first jobs end without having done anything.
    """

    environment: dict[str, str]
    started: list[dict[str, Any]] = field(default_factory=list)
    killed: int = 0

    def run_uv_job(self, script: str, **asked: Any) -> Any:
        """Run a script as the Hub's machine would, but for the installation."""
        self.started.append(asked)
        number, code = len(self.started), 137
        if number > self.killed:
            environment = {**self.environment, **asked["env"], **asked["secrets"]}
            command = [sys.executable, script, *asked["script_args"]]
            code = subprocess.run(command, env=environment, capture_output=True, check=False).returncode
        asked["stage"] = "ERROR" if code else "COMPLETED"
        return SimpleNamespace(id=str(number), url=f"job/{number}")

    def inspect_job(self, *, job_id: str, **_: Any) -> Any:
        """Say how a job has ended."""
        return SimpleNamespace(status=SimpleNamespace(stage=self.started[int(job_id) - 1]["stage"]))


@pytest.fixture
def jobs(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeJobs:
    """Return fake Jobs on the local hub."""
    hub.adopt(monkeypatch, tmp_path / "home")
    huggingface_hub.HfFileSystem.clear_instance_cache()  # those of other tests' hubs
    python = {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]), "PATH": os.environ["PATH"]}
    fake = FakeJobs({**hub.environment(tmp_path / "there"), **python})
    monkeypatch.setattr(huggingface_hub, "run_uv_job", fake.run_uv_job)
    monkeypatch.setattr(huggingface_hub, "inspect_job", fake.inspect_job)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return fake


def jobs_engine(**options: str) -> Engine:
    """Return the engine, with two shards in a job."""
    asked = {"folder": f"hf://datasets/{REPO}", "shards": "2", "cpus": "1", "dependencies": "a, b", **options}
    engine = open_engine("jobs", list(asked.items()))
    assert engine
    return engine


def config_of(**settings: Any) -> Config:
    """Return 8 rows in 4 shards, on no paintings of this machine."""
    return Config(8, tiny_recipe(**settings), size=(96, 64), shard_size=2)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a dataset."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_jobs_make_a_dataset(hub: LocalHub, jobs: FakeJobs, tmp_path: Path) -> None:
    """Jobs make the bytes of a single process; one that is lost is started again; no token is written."""
    jobs.killed = 1
    told: list[tuple[str, int, int]] = []
    done = generate(
        config_of(), tmp_path / "out", engine=jobs_engine(), progress=lambda *args: told.append(args)
    )
    assert (done.complete, done.made) == (True, 8)
    assert [job["stage"] for job in jobs.started] == ["ERROR", "COMPLETED", "COMPLETED"]
    assert all(job["dependencies"] == ["a", "b"] for job in jobs.started)
    assert jobs.started[0]["flavor"] == "cpu-basic"
    generate(config_of(), tmp_path / "plain")
    assert contents(tmp_path / "out") == contents(tmp_path / "plain")
    assert ("making triplets", 8, 8) in told
    there = hub.repository(REPO)
    assert there.private
    token = os.environ["HF_TOKEN"].encode()
    for name in there.commit_of("main").files:
        assert token not in hub.file(REPO, name).read_bytes()


def test_a_failing_shard_and_what_is_there(hub: LocalHub, jobs: FakeJobs, tmp_path: Path) -> None:
    """A failing shard is named with its reason, the others are fetched; what is there is not made again."""
    with pytest.raises(CraqbenchError) as caught:
        generate(config_of(failing=2), tmp_path / "out", engine=jobs_engine(shards="4"))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("1 of 4 shards could not be made")
    assert "ZeroDivisionError: a fault in a recipe (in row" in lines[1]
    assert [job["stage"] for job in jobs.started] == ["ERROR", "ERROR"]
    missing = lines[1].split("(", 1)[1].split(")")[0]
    for path in (tmp_path / "out/data").iterdir():
        path.unlink()
    with pytest.raises(CraqbenchError, match="1 of 4 shards could not be made"):
        generate(config_of(failing=2), tmp_path / "out", engine=jobs_engine(shards="4"))
    found = {f"data/{path.name}" for path in (tmp_path / "out/data").iterdir()}
    assert found == {shard.file for shard in shards(config_of())} - {missing}
    made = [name for name in hub.repository(REPO).commit_of("main").files if name.endswith(".parquet")]
    assert len(made) == 3


def test_what_jobs_cannot_do(tmp_path: Path) -> None:
    """Paintings of this machine, and a folder of this machine, are out of a job's reach."""
    paintings = write_paintings(tmp_path / "paintings")
    with pytest.raises(UsageError, match="source 'paintings': a job cannot read a folder of this machine"):
        generate(tiny_config(paintings), tmp_path / "out", engine=jobs_engine())
    with pytest.raises(
        UsageError, match="engine-option folder=here: expected an address that jobs can write"
    ):
        generate(config_of(), tmp_path / "out", engine=jobs_engine(folder="here"))
    assert not (tmp_path / "out").exists()


def test_no_login(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a login there is one clear message."""
    hub.adopt(monkeypatch, tmp_path / "home", token=None)
    huggingface_hub.HfFileSystem.clear_instance_cache()
    with pytest.raises(CraqbenchError, match=r"engine 'jobs': .*run the command again"):
        generate(config_of(), tmp_path / "out", engine=jobs_engine())
    hub.stop()
    with pytest.raises(CraqbenchError, match=r"engine 'jobs': ConnectError: .*refused"):
        generate(config_of(), tmp_path / "out", engine=jobs_engine())


def test_preview() -> None:
    """A dry run says what would be started: machines, shards, folder, and pinned packages."""
    config = Config(40, RECIPES["paper"], size=(96, 64), shard_size=2)
    job = open_job(config, open_source("procedural", size=(96, 64)), Path())
    text = jobs_engine(dependencies="", shards="3").preview(job, shards(config))
    assert text.startswith(
        "7 jobs on 'cpu-basic' machines, at most 12h each,\nfor 20 shards in hf://datasets/"
    )
    assert f"/{job.fingerprint[:16]}," in text
    assert "\n  craqbench[cluster]==" in text
    assert "\n  numpy==" in text
