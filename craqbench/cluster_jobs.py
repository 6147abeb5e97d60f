"""Shards on Hugging Face Jobs: machines put shards into a remote folder, from where we fetch them."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

import craqbench
from craqbench.cluster import Step, failures, folder_at, local, ready
from craqbench.engines import Failed
from craqbench.errors import CraqbenchError, UsageError
from craqbench.making import Outcome, make_shard
from craqbench.shards import BrokenShardError, check_shard, first_line
from craqbench.storage import new_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from craqbench.configuration import Shard
    from craqbench.engines import Beat
    from craqbench.rows import Job

__all__ = ["Jobs"]

SILENT = "its job ended without a word: killed, or out of time (its log is on the Hub's page of the job)"
PINNED = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",  # whichever of OpenCV's packages is here, a job has no screen
    "PIL": "pillow",
    "pyarrow": "pyarrow",
    "datatrove": "datatrove",
}
"""Import name -> package that a job gets in the very version of this machine: other versions, other bytes."""


@dataclass(frozen=True)
class Jobs:
    """The engine "jobs".

    Attributes
    ----------
    folder
        Where jobs put shards, and datatrove its logs: an address that jobs can write, such as
        ``hf://buckets/NAME/BUCKET/FOLDER``.
    flavor, timeout, namespace, image
        Kind of machine, limit of a job, account, and image, as the Hub's ``run_uv_job`` has them.
    shards, cpus
        Shards of a job, and how many it makes at the same time.
    tasks
        Jobs that run at the same time; 0 for no limit.
    dependencies
        What is installed in a job, separated by commas; empty: this version of craqbench from the package
        index, and the versions here of all that can change a byte.
    poll
        Seconds between two looks at the jobs.
    """

    folder: str
    flavor: str = "cpu-basic"
    timeout: str = "12h"
    namespace: str = ""
    image: str = ""
    shards: int = 4
    cpus: int = 2
    tasks: int = 0
    dependencies: str = ""
    poll: int = 15

    def check(self, job: Job) -> None:
        """See `craqbench.making.Engine`."""
        if job.source.kind == "folder":
            raise UsageError(f"source {job.source.name!r}: a job cannot read a folder of this machine")
        if "://" not in self.folder:
            expected = "an address that jobs can write, such as hf://buckets/NAME/BUCKET/FOLDER"
            raise UsageError(f"engine-option folder={self.folder}: expected {expected}")

    def make(
        self, job: Job, layout: Sequence[Shard], wanted: Sequence[Shard], on_beat: Callable[[int], None]
    ) -> Outcome:
        """Have the wanted shards made, and fetch them; see `craqbench.making.Engine`."""
        step = self._step(job, layout)
        with _far():
            fetch = _Fetch(local(job), step.remote, on_beat)
            wanted = fetch(wanted)
            if wanted:
                ready(step, wanted)
                self._executor(step).run()
                wanted = fetch(wanted)
            return Outcome({shard.file: Failed(SILENT) for shard in wanted} | failures(step))

    def preview(self, job: Job, layout: Sequence[Shard]) -> str:
        """Return what would be started."""
        step = self._step(job, layout)
        return "\n".join(
            [
                f"{step.ranks} jobs on {self.flavor!r} machines, at most {self.timeout} each,",
                f"for {len(layout)} shards in {step.remote}, {self.cpus} at a time in a job, with",
                *(f"  {requirement}" for requirement in self._requirements()),
            ]
        )

    def _step(self, job: Job, layout: Sequence[Shard]) -> RemoteStep:
        remote = f"{self.folder.rstrip('/')}/{job.fingerprint[:16]}"
        return RemoteStep(job, layout, remote, self.shards, self.cpus)

    def _requirements(self) -> list[str]:
        if self.dependencies:
            return [part.strip() for part in self.dependencies.split(",")]
        owners = importlib.metadata.packages_distributions()
        here = {name: importlib.metadata.version(owners[name][0]) for name in PINNED}
        pins = [f"{package}=={here[name]}" for name, package in PINNED.items()]
        return [f"craqbench[cluster]=={craqbench.__version__}", *pins]

    def _executor(self, step: Step) -> Any:
        from datatrove.executor.jobs import JobsPipelineExecutor  # noqa: PLC0415  an extra

        return JobsPipelineExecutor(
            [step],
            tasks=step.ranks,
            workers=self.tasks or -1,
            logging_dir=step.notes,
            flavor=self.flavor,
            image=self.image or None,
            dependencies=self._requirements(),
            timeout=self.timeout,
            namespace=self.namespace or None,
            poll_interval=self.poll,
            job_name="craqbench",
        )


@contextlib.contextmanager
def _far() -> Iterator[None]:
    """Explain what the Hub, or the way to it, refuses: no login, no right, no such folder, no network."""
    try:
        yield
    except (OSError, ValueError, httpx2.HTTPError) as error:
        told = f"{type(error).__name__}: {first_line(error)}"
        raise CraqbenchError(f"engine 'jobs': {told}. Started jobs go on: run the command again") from error


class RemoteStep(Step):
    """A step that puts its shards into a remote folder."""

    def __init__(self, job: Job, layout: Sequence[Shard], remote: str, per_rank: int, workers: int) -> None:
        super().__init__(job, layout, f"{remote}/notes", per_rank, workers)
        self.remote = remote

    def make(self, shard: Shard, beat: Beat) -> None:
        """Make a shard and put it into the remote folder, if it is not there already."""
        remote = folder_at(self.remote)
        if remote.isfile(shard.file):
            return
        with tempfile.TemporaryDirectory() as folder:
            make_shard(dataclasses.replace(self.job, folder=Path(folder)), shard, beat)
            with (Path(folder) / shard.file).open("rb") as made, remote.open(shard.file, "wb") as file:
                while part := made.read(1 << 24):
                    file.write(part)


class _Fetch:
    """Brings shards from a remote folder into that of the dataset."""

    def __init__(self, job: Job, remote: str, on_beat: Callable[[int], None]) -> None:
        self._job, self._remote, self._on_beat = job, folder_at(remote), on_beat
        self._rows = 0

    def __call__(self, wanted: Sequence[Shard]) -> list[Shard]:
        """Fetch what is there; return the shards that are not, or were damaged and are removed there."""
        self._remote.fs.invalidate_cache()
        return [shard for shard in wanted if not self._fetched(shard)]

    def _fetched(self, shard: Shard) -> bool:
        if not self._remote.isfile(shard.file):
            return False
        path = self._job.folder / shard.file
        with self._remote.open(shard.file, "rb") as there, new_file(path) as here:
            while part := there.read(1 << 24):
                here.write(part)
        with contextlib.suppress(BrokenShardError):
            check_shard(path, shard, self._job.fingerprint, lambda _=1: None)
            self._rows += shard.rows
            self._on_beat(self._rows)
            return True
        self._remote.rm(shard.file)
        return False
