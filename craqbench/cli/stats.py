"""Measure the cracks of a dataset, or of a folder of mask images, beside those of real paintings.

The real values are of 360 craquelure photographs in five styles, and of annotated close-ups. In mask
images white is crack, 128 is unknown and left out; class numbers 0, 1 and 2 are understood, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image as Pictures

from craqbench.cli.choices import add_workers
from craqbench.cli.parsing import some_path, whole
from craqbench.cli.terminal import table, watch
from craqbench.codecs import decode_mask
from craqbench.dataset import MANIFEST, load_manifest
from craqbench.engines import run as run_tasks
from craqbench.errors import DatasetError
from craqbench.graphs import PUBLISHED_POLICY
from craqbench.morphology import Morphology, anisotropy_at, morphology, summarise
from craqbench.real_styles import REAL_RANGES, REAL_STYLES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import pandas as pd

    from craqbench.engines import Beat
    from craqbench.graphs import GraphPolicy
    from generators.triplets import Mask

IGNORED = 128
"""Grey value of px where nothing is known."""

MEASURES = (
    ("crack_fraction", "crack area, share of the picture", "%"),
    ("skeleton_density", "crack length per area, px / px2", ".3f"),
    ("width_median", "crack width, median, px", ".1f"),
    ("width_p95", "crack width, 95th percentile, px", ".1f"),
    ("end_share", "dead ends, share of nodes", "%"),
    ("three_way_share", "3-way junctions, share of nodes", "%"),
    ("t_share", "T, share of 3-way junctions", "%"),
    ("y_share", "Y, share of 3-way junctions", "%"),
    ("x_of_junctions", "X, share of junctions", "%"),
    ("link_length", "link length, px", ".1f"),
    ("link_length_cv", "link length, std / mean", ".2f"),
    ("island_cv", "island area, std / mean", ".2f"),
    ("anisotropy", "orientation, anisotropy", ".2f"),
)
"""Name in `Morphology`, for people, and how it is written."""


@dataclass(frozen=True, slots=True)
class _Shard:
    """Rows of a shard that are measured."""

    path: Path
    rows: tuple[int, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "folder", type=some_path, metavar="DIR", help="a dataset that `craqbench generate` made, or PNG masks"
    )
    parser.add_argument(
        "--sample",
        type=whole(1),
        default=500,
        metavar="N",
        help="measure N masks, evenly spread, or all if fewer",
    )
    parser.add_argument(
        "--as-published",
        action="store_true",
        help="prune and count as the code behind the published statistics did: for masks of about 800x800 px",
    )
    add_workers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the table."""
    policy = PUBLISHED_POLICY if arguments.as_published else None
    is_dataset = (arguments.folder / MANIFEST).exists()
    style = load_manifest(arguments.folder)["recipe"]["name"] if is_dataset else ""
    chosen = (
        _shards(arguments.folder, arguments.sample)
        if is_dataset
        else _files(arguments.folder, arguments.sample)
    )
    measured = _measure(chosen, policy, arguments.workers)
    cracked = [one for one in measured if one.crack_fraction > 0]
    bare = len(measured) - len(cracked)
    print(f"{arguments.folder}: {len(measured):,} masks measured, {bare:,} of them without any crack")
    if not cracked:
        return 0
    _print(cracked, style)
    return 0


def _measure(items: Sequence[Path | _Shard], policy: GraphPolicy | None, workers: int) -> list[Morphology]:
    total = sum(len(item.rows) if isinstance(item, _Shard) else 1 for item in items)
    with watch() as progress:
        progress("measuring", 0, total)
        parts = run_tasks(
            _Task(policy), items, workers=workers, on_beat=lambda done: progress("measuring", done, total)
        )
    return [one for part in parts for one in part]


@dataclass(frozen=True)
class _Task:
    """Measures the masks of one item; travels to the workers."""

    policy: GraphPolicy | None

    def __call__(self, item: Path | _Shard, beat: Beat) -> list[Morphology]:
        measured = []
        for mask, ignore in _masks_of_shard(item) if isinstance(item, _Shard) else [_mask_of_file(item)]:
            measured.append(morphology(mask, ignore=ignore, policy=self.policy))
            beat()
        return measured


def _shards(folder: Path, sample: int) -> list[Path | _Shard]:
    """Choose rows of a dataset, evenly spread."""
    records = load_manifest(folder)["shards"]
    if not records:
        raise DatasetError(
            f"dataset {str(folder)!r} is not complete: run its 'craqbench generate' again to go on"
        )
    chosen = _spread(sum(record["rows"] for record in records), sample)
    shards: list[Path | _Shard] = []
    first = 0
    for record in records:
        rows = tuple(int(row) - first for row in chosen if first <= row < first + record["rows"])
        shards += [_Shard(folder / record["file"], rows)] if rows else []
        first += record["rows"]
    return shards


def _files(folder: Path, sample: int) -> list[Path | _Shard]:
    if not folder.is_dir():
        raise DatasetError(f"{str(folder)!r} is no folder: expected a dataset, or a folder of PNG masks")
    files = sorted(folder.rglob("*.png"))
    if not files:
        raise DatasetError(
            f"{str(folder)!r} holds no {MANIFEST} and no PNG: expected a dataset, or PNG masks"
        )
    return [files[number] for number in _spread(len(files), sample)]


def _spread(total: int, sample: int) -> list[int]:
    count = min(total, sample)
    return [int((2 * k + 1) * total // (2 * count)) for k in range(count)]


def _masks_of_shard(shard: _Shard) -> list[tuple[Mask, None]]:
    """Read masks only: the pictures beside them are a hundred times larger."""
    try:
        column = pq.read_table(shard.path, columns=["mask"])["mask"]
        return [(decode_mask(column[row].as_py()["bytes"]), None) for row in shard.rows]
    except (OSError, ValueError, KeyError, IndexError, TypeError, pa.ArrowException) as error:
        message = f"{shard.path} cannot be read: {error}: 'craqbench verify' lists all faults"
        raise DatasetError(message) from error


def _mask_of_file(path: Path) -> tuple[Mask, Mask]:
    try:
        with Pictures.open(path, formats=("PNG",)) as picture:
            grey = np.asarray(picture.convert("L"))
    except (OSError, SyntaxError, Pictures.DecompressionBombError) as error:
        raise DatasetError(f"mask {path} cannot be read: {error}") from error
    if grey.max() <= 2:
        return grey > 0, np.zeros(grey.shape, np.bool_)
    return grey > IGNORED, grey == IGNORED


def _print(measured: Sequence[Morphology], style: str) -> None:
    summary = summarise(measured)
    styles = [style] if style in REAL_STYLES else list(REAL_STYLES)
    rows = []
    for name, label, form in MEASURES:
        here = _anisotropy(summary, styles) if name == "anisotropy" else float(summary["pooled"][name])
        low, high, slack = _real(name, styles)
        digits = 3 if form == "%" else int(form[1])
        seen = round(here, digits)  # what is printed is what is judged
        verdict = "below" if seen < low * (1 - slack) else "above" if seen > high * (1 + slack) else ""
        real = _written(low, form) if low == high else f"{_written(low, form)} to {_written(high, form)}"
        spread = "" if name == "anisotropy" else _written(float(summary["std"][name]), form)
        rows.append((label, _written(here, form), spread, real, verdict))
    table(("measure", "here", "std", f"real, {styles[0] if len(styles) == 1 else 'all styles'}", ""), rows)
    print("here: over all nodes or links; std: from mask to mask; below, above: outside the real range,")
    print("or more than 25 % off a style's own value")


def _anisotropy(summary: pd.DataFrame, styles: Sequence[str]) -> float:
    """Return the anisotropy that as many links would show as the real patches have: it grows with few."""
    floor = float(np.median([REAL_STYLES[style]["anisotropy_floor"] for style in styles]))
    return anisotropy_at(float(summary["pooled"]["anisotropy_excess"]), 36 / floor**2)


def _real(name: str, styles: Sequence[str]) -> tuple[float, float, float]:
    """Return the lowest and highest real value, and how far off is still near."""
    if name not in REAL_STYLES[styles[0]]:
        return (*REAL_RANGES[name], 0.0)
    values = [REAL_STYLES[style][name] for style in styles]
    return min(values), max(values), 0.25 if len(styles) == 1 else 0.0


def _written(value: float, form: str) -> str:
    if not np.isfinite(value):
        return "-"
    return f"{100 * value:.1f} %" if form == "%" else f"{value:{form}}"
