"""One row of a dataset: which painting, which triplet, which bytes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from craqbench.codecs import encode_image, encode_labels, encode_mask
from craqbench.configuration import Config, fingerprint
from craqbench.sources import Drawn, Painting, Source, draw, share_out
from generators.recipes import triplet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

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
    pools: Mapping[str, npt.NDArray[np.int64]]
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


def pools_of(config: Config, source: Source) -> dict[str, npt.NDArray[np.int64]]:
    """Return the numbers of the paintings that each split may use, ascending."""
    if source.endless:
        return {name: np.zeros(0, np.int64) for name, _ in config.splits}
    if len(config.splits) == 1:
        return {config.splits[0][0]: np.arange(len(source))}
    paintings = [source.provenance(number) for number in range(len(source))]
    shares = share_out(paintings, [fraction for _, fraction in config.splits])
    return {name: np.array(share) for (name, _), share in zip(config.splits, shares, strict=True)}


def make_row(job: Job, split: str, index: int) -> Cells:
    """Return the cells of a row: a pure function of the job's options, the split and the index."""
    config, first = job.config, 0 if job.source.endless else job.starts[split]
    drawn = draw(job.source, config.seed, index - first, job.pools[split])
    painting = job.source.provenance(drawn.number)
    try:
        made = triplet(config.recipe, config.seed, index, drawn.image, config.size, config.fit)
        return _cells(config, index, painting, made, drawn)
    except Exception as error:
        error.add_note(f"in row {index}, painting {painting.id}")
        raise


def _cells(config: Config, index: int, painting: Painting, made: Triplet, drawn: Drawn) -> Cells:
    passed = [asdict(skipped) for skipped in drawn.passed_over]
    image = encode_image(made.image, config.codec)
    unchanged = not made.mask.any() and np.array_equal(made.image, made.damaged)
    return {
        "id": f"{config.recipe.name}-{config.seed}-{index:07d}",
        "image": image,
        "mask": encode_mask(made.mask),
        "damaged": image if unchanged else encode_image(made.damaged, config.codec),
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
        "meta": to_json({**made.meta, "passed_over": passed} if passed else made.meta),
    }


def to_json(meta: Mapping[str, Any]) -> str:
    """Write JSON that has one form only: sorted keys, no spaces, no NaN."""
    return json.dumps(dict(meta), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
