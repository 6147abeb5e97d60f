"""What a dataset is to be: its options, its shards, and the fingerprint of options and code."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import math
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import PIL
import PIL.features
import pyarrow as pa

import craqbench
import generators
from craqbench.codecs import CODECS
from craqbench.errors import UsageError
from generators.framing import FITS
from generators.recipes import RECIPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from generators.triplets import Recipe, Size

__all__ = [
    "FORMAT",
    "Config",
    "Shard",
    "fingerprint",
    "parse_piece",
    "parse_size",
    "parse_splits",
    "shards",
    "versions",
]

FORMAT = 1
"""Version of the layout on disk: columns, names, manifest."""

SIDES = (64, 8192)
BIGGEST_SHARD = 500_000_000
BYTES_PER_PX = 3.0
"""Of a row, both pictures together: what shards and row groups are sized by (2.5 is typical)."""

_MAKES_BYTES = ("codecs", "configuration", "paintings", "rows", "shards", "sources")

Splits = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Config:
    """The options of a dataset. Every one of them changes its bytes.

    Attributes
    ----------
    n
        Number of triplets, 1 or more.
    recipe
        One of `generators.recipes.RECIPES`, perhaps with settings.
    source
        See `craqbench.sources.open_source`.
    size
        (width, height) in px, each 64 to 8192.
    seed
        0 to 2^63 - 1.
    fit
        One of `generators.framing.FITS`.
    codec
        One of `craqbench.codecs.CODECS`.
    shard_size
        Most rows in a shard, the unit of going on after an interruption. None: a sixteenth of `n`, but
        at most 250 rows and about 500 MB.
    splits
        (name, fraction) of each; the fractions sum to 1. Rows are dealt out in order.

    Raises
    ------
    UsageError
        If an option has a value that cannot be used.
    """

    n: int
    recipe: Recipe
    source: str = "procedural"
    size: Size = (598, 375)
    seed: int = 0
    fit: str = "crop"
    codec: str = "webp"
    shard_size: int | None = None
    splits: Splits = (("train", 1.0),)

    def __post_init__(self) -> None:
        _expect(self.n >= 1, "n", self.n, "1 or more")
        _expect(0 <= self.seed < 2**63, "seed", self.seed, "0 to 2^63 - 1")
        fine = all(SIDES[0] <= side <= SIDES[1] for side in self.size)
        _expect(fine, "size", f"{self.size[0]}x{self.size[1]}", f"sides of {SIDES[0]} to {SIDES[1]} px")
        _expect(self.fit in FITS, "fit", self.fit, f"one of {', '.join(FITS)}")
        _expect(self.codec in CODECS, "codec", self.codec, f"one of {', '.join(CODECS)}")
        _expect(self.shard_size is None or self.shard_size >= 1, "shard-size", self.shard_size, "1 or more")
        _check_splits(self.splits)
        for name, rows in self.rows_of_splits():
            _expect(rows >= 1, "split", name, f"a larger share: it gets none of n = {self.n} rows")

    @property
    def rows_per_shard(self) -> int:
        """`shard_size`, or the default. It does not depend on the number of workers."""
        if self.shard_size is not None:
            return self.shard_size
        heaviest = int(BIGGEST_SHARD / (BYTES_PER_PX * self.size[0] * self.size[1]))
        return min(250, max(1, heaviest), math.ceil(self.n / 16))

    def rows_of_splits(self) -> list[tuple[str, int]]:
        """Return (name, rows) of each split; the rows sum to `n`."""
        reached = np.cumsum([fraction for _, fraction in self.splits])
        cuts = [0, *(round(float(part) * self.n) for part in reached[:-1]), self.n]
        return [(name, b - a) for (name, _), a, b in zip(self.splits, cuts[:-1], cuts[1:], strict=True)]

    def options(self) -> dict[str, Any]:
        """Return the options as the command line names them, in JSON types, without the source."""
        return {
            "recipe": self.recipe.name,
            "recipe version": self.recipe.version,
            "recipe number": self.recipe.number,
            "set": _changed(self.recipe),
            "n": self.n,
            "seed": self.seed,
            "size": "x".join(map(str, self.size)),
            "fit": self.fit,
            "codec": self.codec,
            "split": dict(self.splits),
            "shard-size": self.rows_per_shard,
        }


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of the dataset: rows ``first`` to ``first + rows - 1``, all of one split."""

    file: str
    split: str
    first: int
    rows: int


def shards(config: Config) -> tuple[Shard, ...]:
    """Return the shards of a dataset; those of a split differ by one row at most."""
    return lay_out(config.rows_of_splits(), config.rows_per_shard)


def lay_out(splits: Iterable[tuple[str, int]], rows_per_shard: int) -> tuple[Shard, ...]:
    """Return the shards of (name, rows) of each split."""
    return tuple(_lay_out(splits, rows_per_shard))


def _lay_out(splits: Iterable[tuple[str, int]], rows_per_shard: int) -> Iterator[Shard]:
    first = 0
    for split, rows in splits:
        count = math.ceil(rows / rows_per_shard)
        for number in range(count):
            size = rows // count + (number < rows % count)
            yield Shard(f"data/{split}-{number:05d}-of-{count:05d}.parquet", split, first, size)
            first += size


def versions() -> dict[str, str]:
    """Return the versions of everything that can change a byte of a shard."""
    return {
        "craqbench": craqbench.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "libjpeg": PIL.features.version("libjpeg_turbo") or PIL.features.version("jpg") or "",
        "libwebp": PIL.features.version("webp") or "",
        "pyarrow": pa.__version__,
    }


def system() -> dict[str, str]:
    """Return what is recorded beside `versions`, but changes no byte."""
    return {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}


def fingerprint(config: Config, source_fingerprint: str) -> str:
    """Return sha256 (hex) over options, source, code and versions: equal fingerprints mean equal bytes."""
    content = [
        FORMAT,
        config.options(),
        config.recipe.settings(),
        source_fingerprint,
        code_digest(config.recipe),
        versions(),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code_digest(recipe: Recipe) -> str:
    """Return sha256 (hex) over the code that makes bytes: generators, files, and the recipe's own."""
    draw: Any = recipe.draw
    while isinstance(draw, functools.partial):
        draw = draw.func
    own = inspect.getsourcefile(draw if inspect.isroutine(draw) else type(draw))
    return _code_digest(Path(own) if own else None)


@functools.cache
def _code_digest(own: Path | None) -> str:
    here, package = Path(__file__).parent, Path(generators.__file__).parent
    files = [*sorted(package.rglob("*.py")), *(here / f"{name}.py" for name in _MAKES_BYTES)]
    if own is not None and own not in files:
        files.append(own)
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def parse_size(text: str) -> Size:
    """Read ``598x375``: (width, height).

    Raises
    ------
    UsageError
        If the text is none.

    Examples
    --------
    >>> parse_size("598x375")
    (598, 375)
    """
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", text.strip())
    if not match:
        raise UsageError(f"size {text!r}: expected WIDTHxHEIGHT in px, such as 598x375")
    return int(match[1]), int(match[2])


def parse_splits(text: str) -> Splits:
    """Read ``train=0.9,test=0.1``, or one name alone.

    Raises
    ------
    UsageError
        If the text is none, a name is used twice, or the fractions do not sum to 1.

    Examples
    --------
    >>> parse_splits("train=0.9,test=0.1")
    (('train', 0.9), ('test', 0.1))
    >>> parse_splits("validation")
    (('validation', 1.0),)
    """
    found = []
    for part in text.split(","):
        name, equals, fraction = part.strip().partition("=")
        try:
            found.append((name.strip(), float(fraction) if equals else 1.0))
        except ValueError:
            message = f"split {text!r}: {fraction!r} is no fraction: expected such as train=0.9,test=0.1"
            raise UsageError(message) from None
    _check_splits(tuple(found))
    return tuple(found)


def parse_piece(text: str) -> tuple[int, int]:
    """Read ``i/N``, counted from 0: piece i of N.

    Raises
    ------
    UsageError
        If the text is none, or i is not below N.

    Examples
    --------
    >>> parse_piece("3/4")
    (3, 4)
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
    if not match:
        raise UsageError(f"shard {text!r}: expected i/N, counted from 0, such as 0/4")
    return check_piece((int(match[1]), int(match[2])))


def check_piece(piece: tuple[int, int]) -> tuple[int, int]:
    """Return the piece, or raise `UsageError` if there is no such piece."""
    number, count = piece
    if not 0 <= number < count:
        expected = f"0/{count} to {count - 1}/{count}" if count > 0 else "i/N, counted from 0, such as 0/4"
        raise UsageError(f"shard {number}/{count}: expected {expected}")
    return piece


def _changed(recipe: Recipe) -> dict[str, Any]:
    """Return the parameters that are not as the registry has them: what ``--set`` must say."""
    known = RECIPES[recipe.name].settings() if recipe.name in RECIPES else {}
    return {name: value for name, value in recipe.settings().items() if known.get(name, ...) != value}


def _check_splits(splits: Splits) -> None:
    shown = ",".join(f"{name}={fraction:g}" for name, fraction in splits)
    names = [name for name, _ in splits]
    for name in names:
        is_name = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None
        _expect(is_name, "split", shown, f"a name of letters and digits, got {name!r}")
    _expect(len(set(names)) == len(names) > 0, "split", shown, "each name once")
    fractions = [fraction for _, fraction in splits]
    good = all(0 < fraction <= 1 for fraction in fractions) and math.isclose(
        sum(fractions), 1.0, abs_tol=1e-9
    )
    _expect(good, "split", shown, "fractions above 0 that sum to 1")


def _expect(condition: bool, option: str, value: object, expected: str) -> None:  # noqa: FBT001  reads well
    if not condition:
        raise UsageError(f"{option} {value}: expected {expected}")
