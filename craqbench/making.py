"""Make shards: the function that every engine runs, and what an engine is."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from craqbench.engines import Beat, Failed, run_each
from craqbench.errors import SourceError, StorageError
from craqbench.rows import Job, make_row
from craqbench.shards import Cells, Layout, Record, columns, write_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from craqbench.configuration import Shard

__all__ = ["NOTES", "Engine", "Outcome", "make_here", "make_shard"]

NOTES = ".engine"
"""Where, in the folder of an unfinished dataset, engines keep logs and the reasons of failures."""


@dataclass(frozen=True)
class Outcome:
    """What an engine has done.

    Attributes
    ----------
    failed
        The shards that could not be made, by file.
    submitted
        If the work goes on after this command: where, in words.
    """

    failed: Mapping[str, Failed] = field(default_factory=dict)
    submitted: str = ""


class Engine(Protocol):
    """Makes shards elsewhere than in processes of this machine; see `craqbench.cluster`."""

    def check(self, job: Job) -> None:
        """Raise `UsageError` if it cannot make this job, before anything is written."""

    def make(
        self, job: Job, layout: Sequence[Shard], wanted: Sequence[Shard], on_beat: Callable[[int], None]
    ) -> Outcome:
        """Make the wanted shards of a layout in the folder of the job, or have them made.

        ``on_beat(rows)`` tells how many rows of them are finished.
        """

    def preview(self, job: Job, layout: Sequence[Shard]) -> str:
        """Return what would be started, in full; start nothing."""


def make_here(
    job: Job, wanted: Sequence[Shard], workers: int, report: Callable[[int], None]
) -> tuple[dict[str, Record], Outcome]:
    """Make shards in processes of this machine; return the records of those made, by file."""
    task = functools.partial(make_shard, job)
    results = run_each(task, wanted, workers=workers, fatal=(StorageError,), on_beat=report)
    pairs = list(zip(wanted, results, strict=True))
    failed = {shard.file: result for shard, result in pairs if isinstance(result, Failed)}
    return {shard.file: result for shard, result in pairs if not isinstance(result, Failed)}, Outcome(failed)


def make_shard(job: Job, shard: Shard, beat: Beat) -> Record:
    """Make one shard of a dataset: the function that every engine runs.

    Raises
    ------
    SourceError
        If a painting cannot be read.
    StorageError
        If the disk is full, read-only or gone.
    """
    return write_shard(
        job.folder / shard.file,
        shard,
        _rows(job, shard, beat),
        Layout(columns(job.config.recipe.classes), job.config.size, job.fingerprint),
    )


def _rows(job: Job, shard: Shard, beat: Beat) -> Iterator[Cells]:
    for index in range(shard.first, shard.first + shard.rows):
        try:
            cells = make_row(job, shard.split, index)
        except OSError as error:  # not of the disk that the shard is written to: that one stops all
            raise SourceError(f"row {index} could not be read: {error}") from error
        yield cells
        beat()
