"""Generate a dataset: plan it, make its shards in parallel, go on after any interruption."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from craqbench import card
from craqbench.configuration import (
    Config,
    Shard,
    check_piece,
    parse_piece,
    parse_size,
    parse_splits,
    shards,
)
from craqbench.dataset import (
    CARD,
    MANIFEST,
    SAMPLE,
    claim,
    describe,
    load_manifest,
    refuse_strangers,
    write_manifest,
)
from craqbench.engines import Beat, Progress, run
from craqbench.errors import UsageError
from craqbench.rows import Job, make_row, open_job, pools_of
from craqbench.shards import BrokenShardError, Cells, Layout, Record, check_shard, columns, write_shard
from craqbench.sources import Skipped, Source, open_source
from craqbench.storage import on_disk, remove_leftovers, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


__all__ = [
    "Config",
    "Interrupted",
    "Plan",
    "Progress",
    "Shard",
    "Summary",
    "generate",
    "parse_piece",
    "parse_size",
    "parse_splits",
    "plan",
]

Result = TypeVar("Result")

_PARQUET_PER_ROW = 300
"""Bytes of a row beside its cells, about."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after all was left in order. The message says how to go on; a command exits with 130."""


@dataclass(frozen=True)
class Plan:
    """What `generate` would make.

    Attributes
    ----------
    config, source, shards, fingerprint
        The options, the opened source, the files, and the digest of options and code.
    bytes, seconds
        Estimates for the whole dataset, from `sampled` rows made in memory.
    sampled
        How many they were.
    """

    config: Config
    source: Source
    shards: tuple[Shard, ...]
    fingerprint: str
    bytes: int
    seconds: float
    sampled: int

    @property
    def splits(self) -> tuple[tuple[str, int, int, int], ...]:
        """(name, rows, paintings, shards) of each split; 0 paintings if the source is endless."""
        pools = pools_of(self.config, self.source)
        return tuple(
            (name, rows, len(pools[name]), sum(shard.split == name for shard in self.shards))
            for name, rows in self.config.rows_of_splits()
        )


@dataclass(frozen=True)
class Summary:
    """What `generate` did.

    Attributes
    ----------
    folder, fingerprint
        Where the dataset is, and the digest of its options and code.
    complete
        Whether every shard is there, with the card and the manifest.
    rows, shards
        Of the whole dataset.
    made, kept
        Rows made now, and rows found finished.
    missing
        Shards that other pieces are still to make.
    remade
        Shards found damaged and made again: "file: why".
    skipped
        Images of the source that are not used.
    bytes
        Size of the finished shards on the disk.
    seconds
        Wall-clock time of the whole call.
    """

    folder: Path
    fingerprint: str
    complete: bool
    rows: int
    made: int
    kept: int
    shards: int
    missing: int
    remade: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    bytes: int
    seconds: float


@dataclass(frozen=True)
class _Crew:
    """Who works, and who is told how far they are."""

    workers: int
    progress: Progress | None

    def open_source(self, config: Config) -> Source:
        """Open the source of a dataset."""
        return open_source(
            config.source, size=config.size, seed=config.seed, workers=self.workers, progress=self.progress
        )

    def run(
        self, task: Callable[[Shard, Beat], Result], items: Sequence[Shard], stage: str, done: int = 0
    ) -> list[Result]:
        """Run a task over shards; `done` rows are counted as finished before."""
        total = done + sum(shard.rows for shard in items)

        def report(more: int) -> None:
            if self.progress:
                self.progress(stage, done + more, total)

        report(0)
        return run(task, items, workers=self.workers, on_beat=report)


def plan(config: Config, *, workers: int = 1, progress: Progress | None = None, samples: int = 4) -> Plan:
    """Open the source, lay out the shards, and estimate size and time from a few rows. Writes nothing.

    Raises
    ------
    UsageError, SourceError
        If an option or the source cannot be used.
    """
    source = _Crew(workers, progress).open_source(config)
    job = open_job(config, source, Path())
    indexes = sorted({step * config.n // samples for step in range(samples)})
    started = time.perf_counter()
    sizes = run(functools.partial(_weigh, job), indexes, workers=1)
    seconds = (time.perf_counter() - started) / len(sizes) * config.n / workers
    size = round(sum(sizes) / len(sizes) * config.n)
    return Plan(config, source, shards(config), job.fingerprint, size, seconds, len(sizes))


def generate(
    config: Config,
    out: Path,
    *,
    workers: int = 1,
    piece: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> Summary:
    """Make a dataset, or what is missing of it.

    Parameters
    ----------
    config
        What to make. The bytes of the shards depend on it (and the versions of the code) alone.
    out
        A new or empty folder, or one where the same dataset was begun.
    workers
        Number of processes.
    piece
        (i, N): make every N-th shard from the i-th on. Pieces may run at the same time in one folder,
        or elsewhere and have their ``data/`` gathered; a run that finds all shards completes the dataset.
    progress
        ``progress(stage, done, total)``, stages "reading paintings" (files), "checking shards" and
        "making triplets" (rows; the first `done` counts what was there already).

    Raises
    ------
    UsageError, SourceError
        If an option or the source cannot be used.
    DatasetError
        If `out` holds something else, or a dataset of other options or code.
    StorageError
        If the disk is full, read-only or gone; finished shards are kept.
    CraqbenchError
        If a worker was killed.
    Interrupted
        After Ctrl-C; finished shards are kept.
    """
    layout = shards(config)
    number, count = check_piece(piece)
    if count > len(layout):
        raise UsageError(
            f"shard {number}/{count}: the dataset has {len(layout)} shards: "
            f"expected at most {len(layout)} pieces, or a smaller shard-size than {config.rows_per_shard}"
        )
    if workers < 1:
        raise UsageError(f"workers {workers}: expected 1 or more")
    try:
        return _generate(config, out, piece, _Crew(workers, progress))
    except KeyboardInterrupt:
        finished = [shard for shard in layout if (out / shard.file).exists()]
        rows = sum(shard.rows for shard in finished)
        raise Interrupted(
            f"stopped: {len(finished)} of {len(layout)} shards ({rows:,} of {config.n:,} rows) are finished "
            f"in {out}; run the same command again to go on"
        ) from None


def _generate(config: Config, out: Path, piece: tuple[int, int], crew: _Crew) -> Summary:
    started = time.perf_counter()
    refuse_strangers(out)
    source = crew.open_source(config)
    job, layout = open_job(config, source, out), shards(config)
    mine = layout[piece[0] :: piece[1]]
    claim(out, describe(config, source, []), layout)
    for name in (*(shard.file for shard in mine), MANIFEST, CARD, SAMPLE):
        remove_leftovers(out / name)
    there, broken = _check(job, mine, crew)
    made = _make(job, [shard for shard in mine if shard.file not in there], _rows_in(there), crew)
    foreign, _ = _check(job, [shard for shard in layout if shard not in mine], crew)
    records = {**there, **made, **foreign}
    complete = len(records) == len(layout)
    if complete:
        _complete(out, describe(config, source, [records[shard.file] for shard in layout]))
    return Summary(
        folder=out,
        fingerprint=job.fingerprint,
        complete=complete,
        rows=config.n,
        made=_rows_in(made),
        kept=_rows_in(there),
        shards=len(layout),
        missing=len(layout) - len(records),
        remade=tuple(f"{file}: {reason}" for file, reason in broken.items()),
        skipped=source.skipped,
        bytes=sum(record.bytes for record in records.values()),
        seconds=time.perf_counter() - started,
    )


def _check(job: Job, layout: Sequence[Shard], crew: _Crew) -> tuple[dict[str, Record], dict[str, str]]:
    """Read those shards that are there: the records of the sound ones, what is wrong with the others."""
    present = [shard for shard in layout if (job.folder / shard.file).exists()]
    if not present:
        return {}, {}
    recorded = {item["file"]: item["sha256"] for item in load_manifest(job.folder)["shards"]}
    results = crew.run(functools.partial(_check_one, job), present, "checking shards")
    sound, broken = {}, {}
    for shard, result in zip(present, results, strict=True):
        if isinstance(result, str):
            broken[shard.file] = result
        elif recorded.get(shard.file, result.sha256) != result.sha256:
            broken[shard.file] = "its sha256 is not the one in the manifest"
        else:
            sound[shard.file] = result
    return sound, broken


def _check_one(job: Job, shard: Shard, beat: Beat) -> Record | str:
    try:
        return check_shard(job.folder / shard.file, shard, job.fingerprint, beat)
    except BrokenShardError as error:
        return str(error)


def _make(job: Job, wanted: Sequence[Shard], done: int, crew: _Crew) -> dict[str, Record]:
    records = crew.run(functools.partial(_make_one, job), wanted, "making triplets", done)
    return {record.file: record for record in records}


def _rows_in(records: Mapping[str, Record]) -> int:
    return sum(record.rows for record in records.values())


def _make_one(job: Job, shard: Shard, beat: Beat) -> Record:
    return write_shard(
        job.folder / shard.file,
        shard,
        _rows(job, shard, beat),
        Layout(columns(job.config.recipe.classes), job.config.size, job.fingerprint),
    )


def _rows(job: Job, shard: Shard, beat: Beat) -> Iterator[Cells]:
    for index in range(shard.first, shard.first + shard.rows):
        yield make_row(job, shard.split, index)
        beat()


def _weigh(job: Job, index: int, beat: Beat) -> int:
    """Make a row in memory and return its bytes."""
    split = [name for name, start in job.starts.items() if start <= index][-1]
    cells = make_row(job, split, index)
    beat()
    return _PARQUET_PER_ROW + sum(len(cell) for cell in cells.values() if isinstance(cell, bytes | str))


def _complete(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write sample, card and, last, the manifest. Where all is there already, nothing changes."""
    with on_disk(folder):
        write_file(folder / SAMPLE, card.sample(folder, manifest))
        write_file(folder / CARD, card.card(manifest).encode())
    write_manifest(folder, manifest)
