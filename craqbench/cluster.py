"""Engines beyond one machine: Ray, Slurm and Hugging Face Jobs run the same shard function by datatrove.

What is done is what the shards themselves say: before each start, datatrove's marks of completion are made
to agree with them. A mark without a sound shard goes, and a rank whose shards are sound is not run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import math
import platform
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from craqbench.configuration import Shard, fingerprint, versions
from craqbench.engines import Beat, Failed, run_each
from craqbench.errors import CraqbenchError, DatasetError, StorageError, UsageError
from craqbench.making import Engine, make_shard
from craqbench.shards import BrokenShardError, check_shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from craqbench.rows import Job

__all__ = ["ENGINES", "Step", "failures", "open_engine", "ready"]

ENGINES = {
    "process": ((), "", ""),
    "ray": (("datatrove", "ray"), "craqbench.cluster_ray", "Ray"),
    "slurm": (("datatrove",), "craqbench.cluster_slurm", "Slurm"),
    "jobs": (("datatrove",), "craqbench.cluster_jobs", "Jobs"),
}
"""Name -> what it needs of the extra "cluster", its module, and its class, whose fields are its options."""

Kind = TypeVar("Kind")


def open_engine(name: str, options: Sequence[tuple[str, str]] = ()) -> Engine | None:
    """Return an engine by name, with options as NAME, VALUE; None for "process", which has none.

    Raises
    ------
    UsageError
        If the name or an option cannot be used, or the extra "cluster" is not installed.
    """
    if name not in ENGINES:
        raise UsageError(f"engine {name!r}: expected one of {', '.join(ENGINES)}")
    needs, module, kind = ENGINES[name]
    for package in needs:
        if importlib.util.find_spec(package) is None:
            raise UsageError(f"engine {name!r} needs {package}: pip install 'craqbench[cluster]'")
    if not module:
        if options:
            raise UsageError(f"engine-option {options[0][0]}: engine {name!r} has no options but --workers")
        return None
    engine: Engine = _read(getattr(importlib.import_module(module), kind), name, options)
    return engine


def _read(kind: type[Kind], name: str, options: Sequence[tuple[str, str]]) -> Kind:
    """Make a dataclass from texts; what begins with ``sbatch_`` goes, unread, into the field ``sbatch``."""
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name != "sbatch"}  # type: ignore[arg-type]  # a dataclass
    values: dict[str, Any] = {}
    for option, text in options:
        if option.startswith("sbatch_") and "sbatch" in hints:
            pair = (option.removeprefix("sbatch_").replace("_", "-"), text)
            values["sbatch"] = (*values.get("sbatch", ()), pair)
        elif option not in fields:
            known = ", ".join([*fields, *(["sbatch_..."] if "sbatch" in hints else [])])
            raise UsageError(f"engine-option {option}={text}: engine {name!r} has {known}")
        else:
            values[option] = _value(hints[option], option, text)
    for field in fields.values():
        if field.default is dataclasses.MISSING and field.name not in values:
            raise UsageError(f"engine {name!r} needs --engine-option {field.name}=...")
    return kind(**values)


def _value(kind: type[Any], option: str, text: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if kind is not str and not 0 < value < math.inf:
        expected = "a whole number" if kind is int else "a number"
        raise UsageError(f"engine-option {option}={text}: expected {expected} above 0")
    return value


class Step:
    """What datatrove runs on each rank: make a block of shards. Picklable.

    No dataclass, since datatrove writes the fields of those into its logs.

    Parameters
    ----------
    job, layout
        The dataset, and all its shards.
    notes
        Path or URL of the folder that gets the reason of each failure.
    per_rank
        Shards of a rank: rank r makes those from ``r * per_rank`` on.
    workers
        Processes of a rank.
    """

    def __init__(
        self, job: Job, layout: Sequence[Shard], notes: str, per_rank: int = 1, workers: int = 1
    ) -> None:
        self.job, self.layout, self.notes = job, tuple(layout), notes
        self.per_rank, self.workers = per_rank, workers
        self.versions = versions()

    def __repr__(self) -> str:
        return f"craqbench {self.job.config.recipe.name}, {len(self.layout)} shards, {self.job.fingerprint}"

    @property
    def ranks(self) -> int:
        """How many ranks there are."""
        return -(-len(self.layout) // self.per_rank)

    def ranks_of(self, wanted: Sequence[Shard]) -> list[int]:
        """Return the ranks that make these shards."""
        files = {shard.file for shard in wanted}
        return sorted({n // self.per_rank for n, shard in enumerate(self.layout) if shard.file in files})

    def __call__(self, data: object, rank: int, world_size: int) -> None:
        """Make the shards of a rank that are not there yet.

        Raises
        ------
        CraqbenchError
            If some could not be made; the others are.
        StorageError
            If the disk is full, read-only or gone.
        """
        del data, world_size
        first = rank * self.per_rank
        block = self.layout[first : first + self.per_rank]
        try:
            self._check_versions()
            results = run_each(self.make, block, workers=self.workers, fatal=(StorageError,))
        except CraqbenchError as error:
            results = [Failed.of(error)] * len(block)
            raise
        finally:
            failed = {first + n: item for n, item in enumerate(results) if isinstance(item, Failed)}
            self._note(failed)
        if failed:
            raise CraqbenchError("; ".join(f"shard {n}: {item.reason}" for n, item in failed.items()))

    def make(self, shard: Shard, beat: Beat) -> None:
        """Make a shard, if it is not there already."""
        path = self.job.folder / shard.file
        if path.exists():
            with contextlib.suppress(BrokenShardError):
                check_shard(path, shard, self.job.fingerprint, beat)
                return
        make_shard(self.job, shard, beat)

    def _check_versions(self) -> None:
        """Refuse to make, on a machine with other code, shards that would not be the same bytes."""
        if fingerprint(self.job.config, self.job.source.fingerprint) == self.job.fingerprint:
            return
        there = versions()
        differences = [
            f"{name} {there.get(name)} instead of {version}"
            for name, version in self.versions.items()
            if there.get(name) != version
        ]
        what = ", ".join(differences) or "other code of craqbench or of the recipe"
        raise DatasetError(f"machine {platform.node()} has {what}: expected the same on all machines")

    def _note(self, failed: Mapping[int, Failed]) -> None:
        for number, item in failed.items():
            with folder_at(self.notes).open(f"failures/{number:05d}", "w") as file:
                file.write(item.reason)


def folder_at(where: str) -> Any:
    """Return datatrove's view of a folder, near or far."""
    from datatrove.io import get_datafolder  # noqa: PLC0415  an extra

    return get_datafolder(where)


def ready(step: Step, wanted: Sequence[Shard]) -> list[int]:
    """Make datatrove's marks agree with the shards, forget old failures; return the ranks to run."""
    folder, ranks = folder_at(step.notes), step.ranks_of(wanted)
    marks = {f"completions/{rank:05d}" for rank in set(range(step.ranks)) - set(ranks)}
    there = set(_files(folder, "completions"))
    for mark in sorted(there - marks):
        folder.rm(mark)
    for mark in sorted(marks - there):
        folder.open(mark, "w").close()
    for old in _files(folder, "failures"):
        folder.rm(old)
    return ranks


def failures(step: Step) -> dict[str, Failed]:
    """Return what the ranks have noted of shards that they could not make, by file."""
    folder = folder_at(step.notes)
    noted = {int(path.rsplit("/", 1)[-1]): path for path in _files(folder, "failures")}
    return {step.layout[number].file: Failed(folder.read_text(path)) for number, path in noted.items()}


def _files(folder: Any, name: str) -> list[str]:
    folder.fs.invalidate_cache()
    return list(folder.list_files(name)) if folder.isdir(name) else []


def finished_rows(job: Job, wanted: Sequence[Shard]) -> int:
    """Return how many rows are in those of the wanted shards that have their file."""
    data = job.folder / "data"
    names = {f"data/{path.name}" for path in data.iterdir()} if data.is_dir() else set()
    return sum(shard.rows for shard in wanted if shard.file in names)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep datatrove's own log off this process's stderr."""
    from loguru import logger  # noqa: PLC0415  comes with datatrove

    logger.disable("datatrove")
    try:
        yield
    finally:
        logger.enable("datatrove")


def local(job: Job) -> Job:
    """Return a job with an absolute folder: other processes stand elsewhere."""
    return dataclasses.replace(job, folder=job.folder.resolve())


def nothing(*_: object, **__: object) -> None:
    """Do nothing."""
