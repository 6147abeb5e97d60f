"""Where clean paintings come from: procedural canvases, a folder or the Hub; which painting a row uses."""

from __future__ import annotations

import functools
import hashlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from craqbench.errors import SourceError
from craqbench.folders import FolderSource, open_folder
from craqbench.hub_spec import SCHEME
from craqbench.paintings import Painting, Skipped, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from craqbench.engines import Progress
    from generators.triplets import Image, Size

__all__ = [
    "Drawn",
    "FolderSource",
    "Painting",
    "ProceduralSource",
    "Skipped",
    "Source",
    "assignment",
    "candidates",
    "draw",
    "open_source",
    "share_out",
]

CANVAS_SCALE = 1.4
"""Sides of a procedural canvas, in sides of the triplet: recipes that draw at a painting's own size
and then scale down, as paper A does, have something to scale down from."""

MOST_TRIES = 64
"""So many unusable images in a row mean that a source holds no paintings."""

_STREAM = 0x50_41_49_4E_54


class Source(Protocol):
    """Clean paintings by number.

    Attributes
    ----------
    kind, name
        "procedural", "folder" or "hub", and a name for people, without the path on this machine.
    endless
        Whether every index has a painting of its own; then `paintings` is empty.
    fingerprint
        sha256 (hex) over all that can change a row: file digests, licences, titles.
    paintings
        The usable paintings, sorted by id; none if they are not looked at before they are used.
    skipped
        The others, sorted by path.
    blocks
        Numbers of the first paintings of those that are fetched together, ascending; none if each
        painting is read alone.
    facts
        What the manifest says of the source beyond the above.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102  see the class
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def endless(self) -> bool: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def paintings(self) -> tuple[Painting, ...]: ...  # noqa: D102
    @property
    def skipped(self) -> tuple[Skipped, ...]: ...  # noqa: D102
    @property
    def blocks(self) -> npt.NDArray[np.int64]: ...  # noqa: D102
    @property
    def facts(self) -> Mapping[str, Any]: ...  # noqa: D102

    def __len__(self) -> int:
        """Return the number of paintings; 0 for an endless source."""

    def provenance(self, index: int) -> Painting:
        """Return what is known of a painting."""

    def painting(self, index: int) -> Image:
        """Return its pixels: (h, w, 3) uint8 RGB."""


def open_source(
    spec: str, *, size: Size, seed: int = 0, workers: int = 1, progress: Progress | None = None
) -> Source:
    """Open a source of clean paintings.

    Parameters
    ----------
    spec
        "procedural", or the path of a folder of images (searched with its subfolders). An ``index.csv``
        in the folder (columns ``file`` and any of ``title, artist, licence, source, sha256``) says whose
        they are; without it the licence is "unknown". Or ``hf://ORG/NAME[@REVISION][?COLUMN=VALUE&...]``,
        a dataset repository of the Hub: `craqbench.hub_spec.parse_hub`.
    size, seed
        (width, height) of the triplets, and the seed: what procedural canvases depend on.
    workers, progress
        A folder is read in full once (stage "reading paintings"), in parallel where it pays.

    Raises
    ------
    SourceError
        If the folder is missing, cannot be read or holds no usable image, or its index is malformed;
        if there is no such repository, or the Hub cannot be reached.
    """
    if spec == "procedural":
        return ProceduralSource(seed, size)
    if spec.startswith(SCHEME):
        from craqbench.hub_source import open_hub  # noqa: PLC0415  other sources need no Hub

        return open_hub(spec, progress)
    return open_folder(spec, workers, progress)


def assignment(seed: int, index: int, n: int) -> int:
    """Return which of `n` paintings row `index` uses: a pure function.

    Each run of `n` rows uses every painting once, in an order of its own.

    >>> sorted(assignment(0, index, 5) for index in range(5, 10))
    [0, 1, 2, 3, 4]
    """
    epoch, position = divmod(index, n)
    return int(_permutation(seed, epoch, n)[position])


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, n: int, *block: int) -> npt.NDArray[np.int64]:
    bits = np.random.PCG64DXSM(np.random.SeedSequence(seed, spawn_key=(_STREAM, epoch, n, *block)))
    return np.random.Generator(bits).permutation(n)


def candidates(
    seed: int, index: int, pool: npt.NDArray[np.int64], blocks: npt.NDArray[np.int64]
) -> Iterator[int]:
    """Yield the numbers of the paintings that row `index` may use, the first choice first: a pure function.

    Where paintings are read one by one (no blocks) there is one choice, see `assignment`. Where they come
    in blocks, each run of ``len(pool)`` rows, an epoch, goes through the blocks in an order of its own and
    uses every painting of a block once, in an order of its own, before it goes on to the next. So nearby
    rows need few blocks; all splits go through the blocks in the same order, and need the same ones. The
    next choices are those of the rows that follow, and after the last row of the epoch the first.

    Parameters
    ----------
    seed, index
        Of the dataset, and of the row in its split.
    pool
        Numbers of the paintings of the split, ascending.
    blocks
        Number of the first painting of each block, ascending from 0.
    """
    if not len(blocks):
        yield int(pool[assignment(seed, index, len(pool))])
        return
    epoch, position = divmod(index, len(pool))
    order = _permutation(seed, epoch, len(blocks))
    ends = np.append(pool.searchsorted(blocks), len(pool))
    reached = np.cumsum((ends[1:] - ends[:-1])[order])
    turn = int(reached.searchsorted(position, side="right"))
    skipped = position - (int(reached[turn - 1]) if turn else 0)
    for step in range(len(order) + 1):
        block = int(order[(turn + step) % len(order)])
        members = pool[ends[block] : ends[block + 1]]
        inside = _permutation(seed, epoch, len(members), block)
        part = slice(skipped if step == 0 else 0, skipped if step == len(order) else None)
        yield from members[inside[part]].tolist()


class Drawn(NamedTuple):
    """A painting for a row.

    Attributes
    ----------
    number
        Of the painting in its source.
    image
        (h, w, 3) uint8 RGB.
    passed_over
        What it stands in for: the candidates before it, and why they cannot be used.
    """

    number: int
    image: Image
    passed_over: tuple[Skipped, ...]


def draw(source: Source, seed: int, index: int, pool: npt.NDArray[np.int64]) -> Drawn:
    """Read the painting of a row: the first of its `candidates` that can be used.

    Raises
    ------
    SourceError
        If `MOST_TRIES` candidates in a row cannot be used, or the painting cannot be had now.
    """
    if source.endless:
        return Drawn(index, source.painting(index), ())
    passed: list[Skipped] = []
    for number in itertools.islice(candidates(seed, index, pool, source.blocks), MOST_TRIES):
        try:
            return Drawn(number, source.painting(number), tuple(passed))
        except UnusableError as error:
            passed.append(Skipped(source.provenance(number).id, str(error)))
    found = f"source {source.name!r}: {len(passed)} paintings in a row cannot be used"
    raise SourceError(f"{found}, such as {passed[0].path}: {passed[0].reason}")


def share_out(paintings: Sequence[Painting], fractions: Sequence[float]) -> list[list[int]]:
    """Divide paintings among splits: the numbers of the paintings of each, ascending.

    No painting is in two splits, and each split has one at least. Which split a painting falls into
    depends on its bytes (the rank of its sha256), not on its name nor on any seed.

    Raises
    ------
    SourceError
        If there are fewer paintings than splits.
    """
    total, parts = len(paintings), len(fractions)
    if total < parts:
        raise SourceError(
            f"{total} usable paintings for {parts} splits: expected one painting per split at least"
        )
    ranked = sorted(range(total), key=lambda number: (paintings[number].sha256, number))
    cuts = [0]
    for part, reached in enumerate(np.cumsum(fractions)[:-1], start=1):
        cuts.append(min(max(round(float(reached) * total), cuts[-1] + 1), total - parts + part))
    return [sorted(ranked[a:b]) for a, b in zip(cuts, [*cuts[1:], total], strict=True)]


@dataclass(frozen=True)
class ProceduralSource:
    """Canvases by `generators.canvases`, one for each index, `CANVAS_SCALE` times the size."""

    seed: int
    size: Size
    kind: str = "procedural"
    name: str = "procedural"
    endless: bool = True
    paintings: tuple[Painting, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) over what canvases depend on; their code is in the dataset's own fingerprint."""
        return hashlib.sha256(f"procedural {self.seed} {self.canvas_size}".encode()).hexdigest()

    @property
    def blocks(self) -> npt.NDArray[np.int64]:
        """None: each canvas is painted alone."""
        return np.zeros(0, np.int64)

    @property
    def facts(self) -> dict[str, Any]:
        """Nothing more."""
        return {}

    @property
    def canvas_size(self) -> Size:
        """(width, height) of a canvas in px."""
        return round(self.size[0] * CANVAS_SCALE), round(self.size[1] * CANVAS_SCALE)

    def __len__(self) -> int:
        return 0

    def provenance(self, index: int) -> Painting:
        """Return the record of a canvas: nobody's work, CC0."""
        name = f"procedural-{self.seed}-{index:07d}"
        return Painting(name, f"Procedural canvas {index}", "craqbench", "CC0-1.0", "craqbench", "")

    def painting(self, index: int) -> Image:
        """Paint canvas `index`."""
        from generators.canvases import numbered_canvas  # noqa: PLC0415  a folder of paintings needs no painter

        return numbered_canvas(self.seed, index, self.canvas_size)
