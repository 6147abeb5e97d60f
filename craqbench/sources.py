"""Where clean paintings come from: procedural canvases or a folder; which painting a row uses."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from craqbench.errors import SourceError
from craqbench.folders import FolderSource, open_folder
from craqbench.paintings import Painting, Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from craqbench.engines import Progress
    from generators.triplets import Image, Size

__all__ = [
    "FolderSource",
    "Painting",
    "ProceduralSource",
    "Skipped",
    "Source",
    "assignment",
    "open_source",
    "share_out",
]

CANVAS_SCALE = 1.4
"""Sides of a procedural canvas, in sides of the triplet: recipes that draw at a painting's own size
and then scale down, as paper A does, have something to scale down from."""

_STREAM = 0x50_41_49_4E_54


class Source(Protocol):
    """Clean paintings by number.

    Attributes
    ----------
    kind, name
        "procedural" or "folder", and a name for people, without the path on this machine.
    endless
        Whether every index has a painting of its own; then `paintings` is empty.
    fingerprint
        sha256 (hex) over all that can change a row: file digests, licences, titles.
    paintings
        The usable paintings, sorted by id.
    skipped
        The others, sorted by path.
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
        they are; without it the licence is "unknown".
    size, seed
        (width, height) of the triplets, and the seed: what procedural canvases depend on.
    workers, progress
        A folder is read in full once (stage "reading paintings"), in parallel where it pays.

    Raises
    ------
    SourceError
        If the folder is missing, cannot be read or holds no usable image, or its index is malformed.
    """
    if spec == "procedural":
        return ProceduralSource(seed, size)
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
def _permutation(seed: int, epoch: int, n: int) -> npt.NDArray[np.int64]:
    bits = np.random.PCG64DXSM(np.random.SeedSequence(seed, spawn_key=(_STREAM, epoch, n)))
    return np.random.Generator(bits).permutation(n)


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
