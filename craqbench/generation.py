"""Generate a dataset: plan it, make its shards in parallel, go on after any interruption."""

from __future__ import annotations

import functools
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    note_passed_over,
    refuse_strangers,
    write_manifest,
)
from craqbench.engines import Beat, Failed, Progress, run
from craqbench.errors import CraqbenchError, UsageError
from craqbench.making import NOTES, Engine, Outcome, make_here
from craqbench.planning import Plan, plan
from craqbench.rows import Job, open_job
from craqbench.shards import BrokenShardError, Record, check_shard
from craqbench.sources import Skipped, Source, open_source
from craqbench.storage import on_disk, remove_leftovers, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


__all__ = [
    "Config",
    "Interrupted",
    "Plan",
    "Progress",
    "Shard",
    "Summary",
    "complete",
    "generate",
    "parse_piece",
    "parse_size",
    "parse_splits",
    "plan",
]

_NAMED = 20
"""Failed shards that a message names; the rest is counted."""

_UNSEEN = "its task ended, but the file is not here: expected a folder that all machines share"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after all was left in order. The message says how to go on; a command exits with 130."""


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
    submitted
        Where an engine goes on after the call, in words; empty if it does not.
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
    submitted: str = ""


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

    def reporter(self, items: Sequence[Shard], stage: str, done: int = 0) -> Callable[[int], None]:
        """Return what is told the rows finished of `items`; `done` rows were finished before."""
        total = done + sum(shard.rows for shard in items)

        def report(more: int) -> None:
            if self.progress:
                self.progress(stage, done + more, total)

        report(0)
        return report


def generate(
    config: Config,
    out: Path,
    *,
    workers: int = 1,
    piece: tuple[int, int] = (0, 1),
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Make a dataset, or what is missing of it. A shard that fails is tried again and stops no other.

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
    engine
        Where shards are made, see `craqbench.cluster.open_engine`; None: in processes of this machine.
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
        If shards could not be made, after all others were: the message names each, and why.
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
    if engine and piece != (0, 1):
        raise UsageError(
            f"shard {number}/{count}: expected no pieces with an engine that shares out the work"
        )
    try:
        return _generate(config, out, piece, engine, _Crew(workers, progress))
    except KeyboardInterrupt:
        finished = [shard for shard in layout if (out / shard.file).exists()]
        rows = sum(shard.rows for shard in finished)
        raise Interrupted(
            f"stopped: {len(finished)} of {len(layout)} shards ({rows:,} of {config.n:,} rows) are finished "
            f"in {out}; run the same command again to go on"
        ) from None


def _generate(
    config: Config, out: Path, piece: tuple[int, int], engine: Engine | None, crew: _Crew
) -> Summary:
    started = time.perf_counter()
    refuse_strangers(out)
    source = crew.open_source(config)
    job, layout = open_job(config, source, out), shards(config)
    if engine:
        engine.check(job)
    mine = layout[piece[0] :: piece[1]]
    claim(out, describe(config, source, []), layout)
    remove_leftovers(
        *(out / shard.file for shard in mine), *(out / name for name in (MANIFEST, CARD, SAMPLE))
    )
    there, broken = _check(job, mine, crew)
    wanted = [shard for shard in mine if shard.file not in there]
    made, outcome = _make(job, layout, wanted, _rows_in(there), engine, crew)
    remove_leftovers(*(out / shard.file for shard in wanted))
    if outcome.failed:
        raise _failure(out, layout, outcome.failed)
    files = {shard.file for shard in mine}
    foreign, absent = _check_others(job, [shard for shard in layout if shard.file not in files], crew)
    records, skipped = {**there, **made, **foreign}, source.skipped
    paths = [out / shard.file for shard in layout]
    if len(records) == len(layout):
        manifest = describe(config, source, [records[shard.file] for shard in layout])
        skipped = _complete(out, manifest)
        shutil.rmtree(out / NOTES, ignore_errors=True)
    return Summary(
        folder=out,
        fingerprint=job.fingerprint,
        complete=len(records) == len(layout),
        rows=config.n,
        made=_rows_in(made),
        kept=_rows_in(there),
        shards=len(layout),
        missing=absent or len(layout) - len(records),
        remade=tuple(f"{file}: {reason}" for file, reason in broken.items()),
        skipped=skipped,
        bytes=sum(path.stat().st_size for path in paths if path.exists()),
        seconds=time.perf_counter() - started,
        submitted=outcome.submitted,
    )


def complete(job: Job, *, workers: int = 1) -> dict[str, str]:
    """Write card and manifest if every shard is there and sound; return what is wrong with which file.

    Raises
    ------
    DatasetError, StorageError
        As `generate`.
    """
    layout = shards(job.config)
    sound, broken = _check(job, layout, _Crew(workers, None))
    wrong = {shard.file: broken.get(shard.file, "missing") for shard in layout if shard.file not in sound}
    if not wrong:
        _complete(job.folder, describe(job.config, job.source, [sound[shard.file] for shard in layout]))
    return wrong


def _check(job: Job, layout: Sequence[Shard], crew: _Crew) -> tuple[dict[str, Record], dict[str, str]]:
    """Read those shards that are there: the records of the sound ones, what is wrong with the others."""
    present = [shard for shard in layout if (job.folder / shard.file).exists()]
    if not present:
        return {}, {}
    recorded = {item["file"]: item["sha256"] for item in load_manifest(job.folder)["shards"]}
    task, report = functools.partial(_check_one, job), crew.reporter(present, "checking shards")
    results = run(task, present, workers=crew.workers, on_beat=report)
    sound, broken = {}, {}
    for shard, result in zip(present, results, strict=True):
        if isinstance(result, str):
            broken[shard.file] = result
        elif recorded.get(shard.file, result.sha256) != result.sha256:
            broken[shard.file] = "its sha256 is not the one in the manifest"
        else:
            sound[shard.file] = result
    return sound, broken


def _check_others(job: Job, others: Sequence[Shard], crew: _Crew) -> tuple[dict[str, Record], int]:
    """Read the shards of other pieces if all are there; return the sound ones, and how many are absent.

    Who finds all reads all, to complete the dataset; before, each of N pieces would read it in vain.
    """
    absent = sum(not (job.folder / shard.file).exists() for shard in others)
    return ({}, absent) if absent else (_check(job, others, crew)[0], 0)


def _check_one(job: Job, shard: Shard, beat: Beat) -> Record | str:
    try:
        return check_shard(job.folder / shard.file, shard, job.fingerprint, beat)
    except BrokenShardError as error:
        return str(error)


def _make(
    job: Job, layout: Sequence[Shard], wanted: Sequence[Shard], done: int, engine: Engine | None, crew: _Crew
) -> tuple[dict[str, Record], Outcome]:
    report = crew.reporter(wanted, "making triplets", done)
    if not engine or not wanted:
        return make_here(job, wanted, crew.workers, report)
    outcome = engine.make(job, layout, wanted, report)
    if outcome.submitted:
        return {}, outcome
    made, damaged = _check(job, wanted, crew)
    failed = {shard.file: outcome.failed.get(shard.file, Failed(_UNSEEN)) for shard in wanted}
    failed.update((file, Failed(reason)) for file, reason in damaged.items())
    return made, Outcome({file: why for file, why in failed.items() if file not in made})


def _failure(out: Path, layout: Sequence[Shard], failed: Mapping[str, Failed]) -> CraqbenchError:
    numbers = [number for number, shard in enumerate(layout) if shard.file in failed]
    lines = [
        f"  shard {number} ({layout[number].file}): {failed[layout[number].file].reason}"
        for number in numbers
    ]
    more = [f"  and {len(lines) - _NAMED:,} more"] if len(lines) > _NAMED else []
    head = (
        f"{len(lines)} of {len(layout)} shards could not be made; what else was to do is finished in {out}:"
    )
    last = "run the same command again to make just what is missing"
    error = CraqbenchError("\n".join([head, *lines[:_NAMED], *more, last]))
    error.add_note(next(iter(failed.values())).trace)  # a command does not show it, a Python session does
    return error


def _rows_in(records: Mapping[str, Record]) -> int:
    return sum(record.rows for record in records.values())


def _complete(folder: Path, manifest: dict[str, Any]) -> tuple[Skipped, ...]:
    """Write sample, card and, last, the manifest; return the images that were not used.

    Where all is there already, nothing changes.
    """
    skipped = note_passed_over(folder, manifest)
    with on_disk(folder):
        write_file(folder / SAMPLE, card.sample(folder, manifest))
        write_file(folder / CARD, card.card(manifest).encode())
    write_manifest(folder, manifest)
    return skipped
