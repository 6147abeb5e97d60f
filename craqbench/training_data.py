"""What a network learns from: samples, each a pure function of its number, made when they are wanted.

Samples 0, 1, 2, ... are for training, those from `VALIDATION` on for validation: of other random streams, and
of other paintings.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from craqbench.dataset import load_manifest, read_rows
from craqbench.errors import DatasetError, UsageError
from craqbench.gallery import HELD_OUT, MOST_BYTES, Gallery, hang
from craqbench.sources import assignment, open_source
from craqbench.training_options import INPAINT
from craqbench.training_samples import Drawn, Sample, Wanted
from generators.recipes import triplet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from craqbench.engines import Progress
    from generators.triplets import Recipe, Size

__all__ = [
    "VALIDATION",
    "Learnt",
    "RowMaker",
    "Sample",
    "SampleMaker",
    "TripletMaker",
    "Wanted",
    "from_dataset",
    "from_source",
    "triplet_size",
]

VALIDATION = 2**40
"""Number of the first sample for validation."""

VALIDATION_SEED = 0
"""Validation samples are the same for every seed, or two runs could not be compared."""

ROOM = 1.125
"""Side of a triplet that is made to be trained on, in sides of the square that is cut from it."""

TRAIN = "train"
"""The split of a dataset that is trained on, if it has one of this name."""

_ANEW = 2**44
"""Between the number of a sample and that of what is drawn in its place."""


class SampleMaker(Protocol):
    """Makes samples; picklable, if only for a process that is being started."""

    @property
    def wanted(self) -> Wanted:
        """What they are."""

    def __call__(self, number: int) -> Sample:
        """Make a sample: a pure function of its number."""


@dataclass(frozen=True, kw_only=True)
class _Pools:
    """The numbers of the pictures that are for training, and for validation."""

    training: tuple[int, ...]
    validation: tuple[int, ...]

    def pick(self, seed: int, number: int, again: int = 0) -> tuple[int, int]:
        """Return the seed of a sample, and the number of its picture; another one each time."""
        if number < VALIDATION:
            turn = assignment(seed, number, len(self.training)) + again
            return seed, self.training[turn % len(self.training)]
        turn = assignment(VALIDATION_SEED, number - VALIDATION, len(self.validation)) + again
        return VALIDATION_SEED, self.validation[turn % len(self.validation)]


@dataclass(frozen=True, kw_only=True)
class TripletMaker:
    """Makes triplets of a recipe on paintings, at the size that is trained on.

    Attributes
    ----------
    wanted
        What samples are to be.
    recipe, size, fit
        As for `generators.recipes.triplet`.
    paintings, pools
        The clean paintings, and what they are for.
    """

    wanted: Wanted
    recipe: Recipe
    size: Size
    fit: str
    paintings: Gallery
    pools: _Pools

    def __call__(self, number: int) -> Sample:
        """Make a sample."""
        return self.wanted.choose(functools.partial(self._draw, number))

    def _draw(self, number: int, again: int) -> Sample:
        seed, painting = self.pools.pick(self.wanted.seed, number, again)
        number += _ANEW * again
        made = triplet(self.recipe, seed, number, self.paintings[painting], self.size, self.fit)
        return self.wanted.sample(Drawn(made.damaged, made.image, made.labels), seed, number)


@dataclass(frozen=True, kw_only=True)
class RowMaker:
    """Takes the rows of a dataset.

    Attributes
    ----------
    wanted
        What samples are to be.
    images, labels, pools
        The damaged paintings, their labels, and what they are for.
    clean
        The paintings before, to learn to fill; else the damaged ones once more.
    """

    wanted: Wanted
    images: Gallery
    labels: Gallery
    pools: _Pools
    clean: Gallery

    def __call__(self, number: int) -> Sample:
        """Make a sample."""
        return self.wanted.choose(functools.partial(self._draw, number))

    def _draw(self, number: int, again: int) -> Sample:
        seed, row = self.pools.pick(self.wanted.seed, number, again)
        drawn = Drawn(self.images[row], self.clean[row], self.labels[row])
        return self.wanted.sample(drawn, seed, number + _ANEW * again)


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What is learnt from: the maker of samples, and where they come from.

    Attributes
    ----------
    maker
        Makes them.
    digest
        sha256 (hex) over the clean paintings, or the dataset's fingerprint.
    name
        Of the source or the dataset, without its path on this machine.
    recipe
        Name and version.
    training, validation
        How many paintings are for either.
    """

    maker: SampleMaker
    digest: str
    name: str
    recipe: str
    training: int
    validation: int


def from_source(
    spec: str,
    recipe: Recipe,
    wanted: Wanted,
    *,
    size: Size | None = None,
    fit: str = "crop",
    paintings: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Learnt:
    """Prepare to make triplets on the paintings of a source.

    Parameters
    ----------
    spec
        As `craqbench.sources.open_source` takes it.
    recipe, fit
        As for `generators.recipes.triplet`.
    wanted
        What samples are to be.
    size
        (width, height) of the triplets that samples are cut from. None: `triplet_size`.
    paintings, workers, progress
        As for `craqbench.gallery.hang`.

    Raises
    ------
    SourceError
        If the source has fewer than two usable paintings, or cannot be read.
    """
    canvas = (max(512, 2 * wanted.crop), max(384, 2 * wanted.crop))
    source = open_source(spec, size=canvas, seed=VALIDATION_SEED, workers=workers, progress=progress)
    hung = hang(source, paintings, workers=workers, progress=progress)
    maker = TripletMaker(
        wanted=wanted,
        recipe=recipe,
        size=size or triplet_size(recipe, wanted.crop),
        fit=fit,
        paintings=hung.gallery,
        pools=_Pools(training=hung.training, validation=hung.validation),
    )
    return Learnt(
        maker=maker,
        digest=source.fingerprint,
        name=source.name,
        recipe=f"{recipe.name} version {recipe.version}",
        training=len(hung.training),
        validation=len(hung.validation),
    )


def triplet_size(recipe: Recipe, crop: int) -> Size:
    """Return the size of the triplets from which squares of `crop` px are cut.

    A recipe that draws close-ups draws them at training size. Others draw whole paintings only, at the size
    that `craqbench generate` has: any smaller, and their cracks would be too fine to be seen.
    """
    if hasattr(recipe.parameters, "close_ups"):
        return round(crop * ROOM), round(crop * ROOM)
    return max(598, crop), max(375, crop)


def from_dataset(folder: Path, wanted: Wanted, progress: Progress | None = None) -> Learnt:
    """Read a dataset of `craqbench generate`: samples are cut from its rows.

    A tenth of its paintings, and all rows of them, are for validation. Of a dataset with a split "train"
    nothing else is looked at.

    Raises
    ------
    DatasetError
        If it is none, is not complete or has changed, or all its rows are of one painting.
    UsageError
        If it is too large to be held in memory.
    """
    manifest = load_manifest(folder)
    split = TRAIN if TRAIN in manifest["splits"] else None
    total = sum(rows for name, rows in manifest["splits"].items() if split in (None, name))
    width, height = manifest["size"]
    fills = wanted.task == INPAINT
    most = MOST_BYTES // (width * height * (7 if fills else 4))
    if total > most:
        found = f"dataset {str(folder)!r} has {total:,} rows"
        raise UsageError(f"{found}: expected {most:,} at most, they are held in memory")
    _check_files(folder, [item for item in manifest["shards"] if split in (None, item["split"])])
    images, labels = Gallery([(height, width, 3)] * total), Gallery([(height, width)] * total)
    clean = Gallery([(height, width, 3)] * total) if fills else images
    owners = []
    for number, row in enumerate(read_rows(folder, split=split)):
        images[number], labels[number] = row.damaged, row.labels
        if fills:
            clean[number] = row.image
        owners.append(row.painting)
        if progress:
            progress("reading rows", len(owners), total)
    held = _held_names(owners)
    if not held:
        raise DatasetError(f"dataset {str(folder)!r} shows one painting: expected two, one for validation")
    pools = _Pools(
        training=tuple(i for i, owner in enumerate(owners) if owner not in held),
        validation=tuple(i for i, owner in enumerate(owners) if owner in held),
    )
    recipe = manifest["recipe"]
    return Learnt(
        maker=RowMaker(wanted=wanted, images=images, labels=labels, pools=pools, clean=clean),
        digest=str(manifest["fingerprint"]),
        name=folder.resolve().name,
        recipe=f"{recipe['name']} version {recipe['version']}",
        training=len(set(owners)) - len(held),
        validation=len(held),
    )


def _check_files(folder: Path, shards: Sequence[Mapping[str, Any]]) -> None:
    """Refuse files that are others than were made: a run is known by the manifest's word for them."""
    for item in shards:
        path = folder / item["file"]
        if path.is_file() and _digest(path) != item["sha256"]:  # what is missing is told on reading
            raise DatasetError(
                f"{path} has changed since it was made: expected sha256 {item['sha256']}; 'craqbench verify' "
                "lists all faults"
            )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _held_names(owners: Sequence[str]) -> set[str]:
    """Return the paintings that are held out: those whose names have the lowest digests."""
    ranked = sorted(set(owners), key=lambda name: hashlib.sha256(name.encode()).digest())
    return set(ranked[: max(1, round(HELD_OUT * len(ranked)))]) if len(ranked) > 1 else set()
