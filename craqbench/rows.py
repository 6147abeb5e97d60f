"""One row of a dataset: which painting, which triplet, which bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from craqbench.codecs import encode_image, encode_labels, encode_mask
from craqbench.configuration import Config, fingerprint
from craqbench.sources import Painting, Source, assignment, share_out
from generators.recipes import triplet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from craqbench.shards import Cells
    from generators.triplets import Triplet

__all__ = ["Job", "make_row", "open_job"]


@dataclass(frozen=True)
class Job:
    """All that a worker needs to make any row.

    Attributes
    ----------
    config, source, fingerprint, folder
        What is made, from which paintings, under which digest, and where.
    pools
        The numbers of the paintings of each split; none if the source is endless.
    starts
        First index of each split.
    """

    config: Config
    source: Source
    fingerprint: str
    folder: Path
    pools: Mapping[str, Sequence[int]]
    starts: Mapping[str, int]


def open_job(config: Config, source: Source, folder: Path) -> Job:
    """Prepare to make rows.

    Raises
    ------
    SourceError
        If there are fewer paintings than splits.
    """
    starts, first = {}, 0
    for name, rows in config.rows_of_splits():
        starts[name] = first
        first += rows
    digest = fingerprint(config, source.fingerprint)
    return Job(config, source, digest, folder, pools_of(config, source), starts)


def pools_of(config: Config, source: Source) -> dict[str, list[int]]:
    """Return the numbers of the paintings that each split may use."""
    if source.endless:
        return {name: [] for name, _ in config.splits}
    shares = share_out(source.paintings, [fraction for _, fraction in config.splits])
    return {name: share for (name, _), share in zip(config.splits, shares, strict=True)}


def make_row(job: Job, split: str, index: int) -> Cells:
    """Return the cells of a row: a pure function of the job's options, the split and the index."""
    config, pool = job.config, job.pools[split]
    number = pool[assignment(config.seed, index - job.starts[split], len(pool))] if pool else index
    clean = job.source.painting(number)
    try:
        made = triplet(config.recipe, config.seed, index, clean, config.size, config.fit)
        return _cells(config, index, job.source.provenance(number), made)
    except Exception as error:
        error.add_note(f"in row {index}, painting {job.source.provenance(number).id}")
        raise


def _cells(config: Config, index: int, painting: Painting, made: Triplet) -> Cells:
    return {
        "id": f"{config.recipe.name}-{config.seed}-{index:07d}",
        "image": encode_image(made.image, config.codec),
        "mask": encode_mask(made.mask),
        "damaged": encode_image(made.damaged, config.codec),
        **({"labels": encode_labels(made.labels)} if len(config.recipe.classes) > 2 else {}),
        "recipe": config.recipe.name,
        "recipe_version": config.recipe.version,
        "seed": config.seed,
        "index": index,
        "painting": painting.id,
        "title": painting.title,
        "artist": painting.artist,
        "licence": painting.licence,
        "source": painting.source,
        "meta": to_json(made.meta),
    }


def to_json(meta: Mapping[str, Any]) -> str:
    """Write JSON that has one form only: sorted keys, no spaces, no NaN."""
    return json.dumps(dict(meta), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
