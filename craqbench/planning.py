"""Plan a dataset: what would be made, how large, how long it takes. Writes nothing."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from pathlib import Path

from craqbench.configuration import Config, Shard, shards
from craqbench.engines import Beat, Progress, run
from craqbench.rows import Job, make_row, open_job, pools_of
from craqbench.sources import Source, open_source

__all__ = ["Plan", "plan"]

_PARQUET_PER_ROW = 300
"""Bytes of a row beside its cells, about."""


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


def plan(config: Config, *, workers: int = 1, progress: Progress | None = None, samples: int = 4) -> Plan:
    """Open the source, lay out the shards, and estimate size and time from a few rows. Writes nothing.

    Of a source that comes in blocks one block is fetched; the time does not count what the others take.

    Raises
    ------
    UsageError, SourceError
        If an option or the source cannot be used.
    """
    source = open_source(
        config.source, size=config.size, seed=config.seed, workers=workers, progress=progress
    )
    job = open_job(config, source, Path())
    if len(source.blocks):
        indexes = list(range(min(samples, config.n)))
        run(functools.partial(_weigh, job), [0], workers=1)
    else:
        indexes = sorted({step * config.n // samples for step in range(samples)})
    started = time.perf_counter()
    sizes = run(functools.partial(_weigh, job), indexes, workers=1)
    seconds = (time.perf_counter() - started) / len(sizes) * config.n / workers
    size = round(sum(sizes) / len(sizes) * config.n)
    return Plan(config, source, shards(config), job.fingerprint, size, seconds, len(sizes))


def _weigh(job: Job, index: int, beat: Beat) -> int:
    """Make a row in memory and return its bytes."""
    split = [name for name, start in job.starts.items() if start <= index][-1]
    cells = make_row(job, split, index)
    beat()
    return _PARQUET_PER_ROW + sum(len(cell) for cell in cells.values() if isinstance(cell, bytes | str))
