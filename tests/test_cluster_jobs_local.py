"""Hugging Face Jobs at the same time: real processes that share a local hub, one of them killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from local_hub import (
    WRITER,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401 - a fixture
)

from craqbench import cli

pytest.importorskip("datatrove", reason="needs the extra 'cluster'")
pytestmark = client_warnings

TESTS = Path(__file__).parent
REPO = "lab/making"
LINE = ["generate", "--n", "8", "--recipe", "paper", "--size", "96x64", "--shard-size", "2", "--workers", "1"]


@dataclass
class RealJobs:
    """The Hub's Jobs, each a process that goes on while its starter looks at it.

    Attributes
    ----------
    hub
        What they share.
    environment
        Of the processes.
    jobs
        The processes, in the order of their starts.
    running
        The most that were seen running at a time.
    """

    hub: LocalHub
    environment: dict[str, str]
    jobs: list[subprocess.Popen[bytes]] = field(default_factory=list)
    running: int = 0

    def run_uv_job(self, script: str, **asked: Any) -> Any:
        """Start a script as the Hub's machine would, but for the installation."""
        environment = {**self.environment, **asked["env"], **asked["secrets"]}
        command = [sys.executable, script, *asked["script_args"]]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.jobs.append(subprocess.Popen(command, env=environment, **quiet))
        self.running = max(self.running, sum(job.poll() is None for job in self.jobs))
        if len(self.jobs) == 2:  # from here on only jobs commit: to one of them another one is quicker
            self.hub.calls.clear()
            self.hub.faults.answer(412, "/commit/")
        return SimpleNamespace(id=str(len(self.jobs)), url="")

    def inspect_job(self, *, job_id: str, **_: Any) -> Any:
        """Say how far a job is; the first one is killed once some job is seen at work."""
        job = self.jobs[int(job_id) - 1]
        if job is self.jobs[0] and self.hub.calls.count("executor.pik"):
            job.kill()
            job.wait()
        stage = {None: "RUNNING", 0: "COMPLETED"}.get(job.poll(), "ERROR")
        return SimpleNamespace(status=SimpleNamespace(stage=stage))


@pytest.fixture
def jobs(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Yield Jobs on the local hub; none outlives the test."""
    hub.adopt(monkeypatch, tmp_path / "home")
    huggingface_hub.HfFileSystem.clear_instance_cache()  # those of other tests' hubs
    python = {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    made = RealJobs(hub, {**hub.environment(tmp_path / "there", token=None), **python})
    sleep = time.sleep
    monkeypatch.setattr(huggingface_hub, "run_uv_job", made.run_uv_job)
    monkeypatch.setattr(huggingface_hub, "inspect_job", made.inspect_job)
    monkeypatch.setattr("time.sleep", lambda seconds: sleep(min(seconds, 0.02)))
    yield made
    for job in made.jobs:
        job.kill()
        job.wait()


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a dataset."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_jobs_at_the_same_time(
    hub: LocalHub, jobs: RealJobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two jobs at work, one killed and one refused a commit: the command ends well, with the same bytes."""
    options = {"folder": f"hf://datasets/{REPO}", "cpus": "1", "shards": "2", "dependencies": "none"}
    engine = [word for pair in options.items() for word in ("--engine-option", "=".join(pair))]
    assert cli.main([*LINE, "--out", str(tmp_path / "out"), "--engine", "jobs", *engine]) == 0
    assert [job.returncode for job in jobs.jobs] == [-9, 0, 0]
    assert jobs.running == 2
    assert len(hub.calls.matching("/commit/")) > 4
    assert [call.status for call in hub.calls.matching("/commit/")].count(412) == 1
    assert cli.main([*LINE, "--out", str(tmp_path / "plain")]) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "plain")
    made = [name for name in hub.repository(REPO).commit_of("main").files if name.endswith(".parquet")]
    assert len(made) == len(set(made)) == 4
    assert WRITER not in "".join(capsys.readouterr())
