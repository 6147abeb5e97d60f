"""Shards on a Slurm cluster: datatrove submits an array of tasks, and one more that completes the dataset."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from craqbench.cluster import Step, local, nothing, quiet, ready
from craqbench.errors import CraqbenchError, UsageError
from craqbench.generation import complete
from craqbench.making import NOTES, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from craqbench.configuration import Shard
    from craqbench.rows import Job

__all__ = ["Slurm"]

SUBMITTED = "submitted.json"


@dataclass(frozen=True)
class Slurm:
    """The engine "slurm".

    Attributes
    ----------
    partition
        Where to submit.
    time
        Limit of a task, as Slurm writes times.
    cpus, mem
        Cores of a task, each of which makes a shard at a time, and GB of memory per core.
    shards
        Shards of a task.
    tasks
        Tasks that run at the same time; 0 for no limit.
    max_array
        The largest array that the cluster takes; more tasks are several arrays, one after another.
    qos
        Quality of service; empty: the cluster's own choice.
    env
        Shell command that makes this Python's programs known on a node; empty: put them on the PATH.
    sbatch
        Other directives: (name, value).
    """

    partition: str
    time: str = "24:00:00"
    cpus: int = 1
    mem: int = 2
    shards: int = 1
    tasks: int = 0
    max_array: int = 1001
    qos: str = ""
    env: str = ""
    sbatch: tuple[tuple[str, str], ...] = ()

    def check(self, job: Job) -> None:
        """See `craqbench.making.Engine`."""
        notes = local(job).folder / NOTES
        if re.search(r"[^\w./+,:@%=-]", str(notes)):
            raise UsageError(f"out {job.folder}: datatrove's scripts take no blanks or quotes in a path")
        if not shutil.which("sbatch"):
            raise UsageError("engine 'slurm': no sbatch on this machine: expected a login node")
        _refuse_running(notes)

    def make(
        self, job: Job, layout: Sequence[Shard], wanted: Sequence[Shard], on_beat: Callable[[int], None]
    ) -> Outcome:
        """Submit the wanted shards and return; see `craqbench.making.Engine`."""
        del on_beat
        job = local(job)
        notes = job.folder / NOTES
        with quiet():
            step = self._step(job, layout, notes)
            ready(step, wanted)
            shutil.rmtree(notes / "finish", ignore_errors=True)
            array = self._executor(step, notes, "make")
            last = self._executor(Finish(job, self.cpus), notes / "finish", "finish", array)
            _submit(last)
        jobs = [str(array.job_id), str(last.job_id)]
        (notes / SUBMITTED).write_text(json.dumps(jobs))
        return Outcome(submitted=f"to Slurm as job {jobs[0]}, and job {jobs[1]} that completes the dataset")

    def preview(self, job: Job, layout: Sequence[Shard]) -> str:
        """Return the two scripts that would be submitted."""
        job = local(job)
        notes = job.folder / NOTES
        with quiet(), tempfile.TemporaryDirectory() as spare:
            array = self._executor(self._step(job, layout, notes), Path(spare), "make")
            last = self._executor(Finish(job, self.cpus), Path(spare) / "finish", "finish")
            scripts = [_script(array).replace(spare, str(notes)), _script(last).replace(spare, str(notes))]
        return "\n# --- and, when all of these have ended: ---\n\n".join(scripts)

    def _step(self, job: Job, layout: Sequence[Shard], notes: Path) -> Step:
        return Step(job, layout, str(notes), self.shards, self.cpus)

    def _executor(self, step: Step | Finish, notes: Path, name: str, depends: Any = None) -> Any:
        from datatrove.executor import SlurmPipelineExecutor  # noqa: PLC0415  an extra

        programs = shlex.quote(str(Path(sys.executable).parent))
        executor = SlurmPipelineExecutor(
            [step],
            tasks=step.ranks,
            time=self.time,
            partition=self.partition,
            cpus_per_task=self.cpus,
            mem_per_cpu_gb=self.mem,
            workers=self.tasks or -1,
            job_name=f"craqbench-{name}",
            qos=self.qos,
            env_command=self.env or f'export PATH={programs}:"$PATH"',
            sbatch_args=dict(self.sbatch),
            max_array_size=self.max_array,
            depends=depends,
            run_on_dependency_fail=True,
            logging_dir=str(notes),
        )
        # It would wait in the queue for ever once a task has failed, and there are no statistics.
        executor.launch_merge_stats = nothing
        return executor


class Finish:
    """What datatrove runs after the array: complete the dataset. No dataclass, see `Step`."""

    ranks = 1

    def __init__(self, job: Job, workers: int) -> None:
        self.job, self.workers = job, workers

    def __repr__(self) -> str:
        return f"craqbench {self.job.config.recipe.name}, to complete, {self.job.fingerprint}"

    def __call__(self, data: object, rank: int, world_size: int) -> None:
        """Check all shards, and write the card and the manifest.

        Raises
        ------
        CraqbenchError
            If there are shards missing or damaged.
        """
        del data, rank, world_size
        wrong = complete(self.job, workers=self.workers)
        if wrong:
            named = "; ".join(f"{file}: {why}" for file, why in wrong.items())
            raise CraqbenchError(f"{len(wrong)} shards are not there, submit the rest again: {named}")


def _submitted_jobs(notes: Path) -> list[str]:
    """Return the numbers of the Slurm jobs that were submitted last for a dataset; none if none were."""
    try:
        return [str(number) for number in json.loads((notes / SUBMITTED).read_text())]
    except (OSError, ValueError):
        return []


def _refuse_running(notes: Path) -> None:
    """Refuse to submit twice: datatrove would renumber the tasks under the feet of those that run."""
    jobs = _submitted_jobs(notes)
    if jobs and _queued(jobs):
        raise UsageError(
            f"Slurm jobs {', '.join(jobs)} of this dataset are queued or running: wait for them "
            f"(--status tells how far they are), or stop them (scancel {' '.join(jobs)})"
        )


def _queued(jobs: Sequence[str]) -> bool:
    command = ["squeue", "--noheader", "--format=%i", f"--jobs={','.join(jobs)}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  our own words
    except (OSError, subprocess.CalledProcessError):  # Slurm has forgotten jobs that ended long ago
        return False
    return bool(done.stdout.strip())


def _submit(executor: Any) -> None:
    """Submit an executor after what it depends on."""
    try:
        executor.launch_job()
    except subprocess.CalledProcessError as error:
        raise UsageError(f"engine 'slurm': sbatch refused the job (exit code {error.returncode})") from error


class _ShownError(Exception):
    """Carries a script out of datatrove, which would submit it next."""


def _script(executor: Any) -> str:
    plain = executor.get_launch_file_contents

    def show(*arguments: Any) -> NoReturn:
        raise _ShownError(plain(*arguments))

    executor.get_launch_file_contents = show
    try:
        executor.launch_job()
    except _ShownError as shown:
        return str(shown)
    return ""
