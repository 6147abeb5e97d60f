"""Draw a contact sheet: I, M and I~ side by side, of a recipe or of a dataset on disk.

With --ages K, one painting with the same network of cracks at K ages.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from craqbench import contact_sheet
from craqbench.cli import choices
from craqbench.cli.parsing import some_path, whole
from craqbench.cli.terminal import watch
from craqbench.configuration import Config
from craqbench.dataset import load_manifest, read_rows
from craqbench.errors import DatasetError, UsageError
from craqbench.sources import draw, open_source
from generators import recipes
from generators.triplets import Triplet

if TYPE_CHECKING:
    import argparse

    from craqbench.sources import Drawn, Source
    from generators.triplets import Image, Recipe

MOST = 200
"""Triplets on one sheet: beyond, the picture is too large for most viewers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=some_path,
        metavar="DIR",
        help="draw rows of this dataset instead of new triplets",
    )
    choices.add_recipe_options(parser)
    choices.add_picture_options(parser)
    parser.add_argument("--n", type=whole(1), default=8, metavar="N", help="how many triplets")
    parser.add_argument(
        "--first", type=whole(0), default=0, metavar="INDEX", help="index of the first triplet"
    )
    parser.add_argument(
        "--ages", type=whole(2), metavar="K", help="one painting at K ages of the same network"
    )
    parser.add_argument(
        "--out", type=some_path, metavar="FILE.png", help="the picture (default: preview-RECIPE.png)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Draw the sheet and say where it lies."""
    _check(arguments)
    if arguments.folder is not None:
        name = arguments.folder.resolve().name
        sheet = dataset_sheet(arguments.folder, arguments.n, arguments.first)
    else:
        recipe = choices.read_recipe(arguments)
        name, sheet = recipe.name, _recipe_sheet(arguments, recipe)
    out = arguments.out or Path(f"preview-{name}.png")
    contact_sheet.write_png(out, sheet)
    print(f"{out}: {sheet.shape[1]} x {sheet.shape[0]} px")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.out is not None and arguments.out.suffix.lower() != ".png":
        raise UsageError(f"argument --out: got {str(arguments.out)!r}, expected a name that ends in .png")
    if max(arguments.n, arguments.ages or 0) > MOST:
        raise UsageError(f"argument --n or --ages: expected at most {MOST} on a sheet")
    if arguments.folder is not None and arguments.ages:
        raise UsageError("argument --ages: a dataset has no ages: expected --ages without DIR")


def dataset_sheet(folder: Path, n: int, first: int = 0) -> Image:
    """Compose rows `first` to ``first + n - 1`` of a dataset.

    Raises
    ------
    DatasetError
        If there is no such row, or it cannot be read.
    """
    manifest = load_manifest(folder)
    rows = list(islice(read_rows(folder, limit=first + n), first, None))
    if not rows:
        raise DatasetError(f"dataset {str(folder)!r} has {manifest['rows']:,} rows: --first is beyond")
    triplets = [Triplet(row.image, row.labels, row.damaged, row.meta) for row in rows]
    recipe, seed = manifest["recipe"], manifest["seed"]
    where = f"{recipe['name']} · seed {seed} · index"
    captions = [_caption(f"{where} {row.index}", t, row.title) for row, t in zip(rows, triplets, strict=True)]
    title = f"{_title(recipe['name'], recipe['version'], seed)} · dataset: {folder.resolve().name}"
    return contact_sheet.triplet_sheet(triplets, captions, title)


def _recipe_sheet(arguments: argparse.Namespace, recipe: Recipe) -> Image:
    if arguments.ages and "age" not in recipe.settings():
        raise UsageError(f"argument --ages: recipe {recipe.name!r} does not age")
    last = arguments.first + arguments.n
    config = Config(
        last, recipe, choices.read_source(arguments), arguments.size, arguments.seed, arguments.fit
    )
    with watch() as progress:
        source = open_source(config.source, size=config.size, seed=config.seed, progress=progress)
    title = f"{_title(recipe.name, recipe.version, config.seed)} · source: {source.name}"
    if arguments.ages:
        return _ages_sheet(config, source, arguments.first, arguments.ages, title)
    triplets, captions = [], []
    for index in range(arguments.first, last):
        drawn = _draw(config, source, index)
        t = recipes.triplet(recipe, config.seed, index, drawn.image, config.size, config.fit)
        where = f"{recipe.name} · seed {config.seed} · index {index}"
        triplets.append(t)
        captions.append(_caption(where, t, source.provenance(drawn.number).title))
    return contact_sheet.triplet_sheet(triplets, captions, title)


def _ages_sheet(config: Config, source: Source, index: int, ages: int, title: str) -> Image:
    painting = _draw(config, source, index).image
    aged = recipes.aged(config.recipe, config.seed, index, painting, config.size, config.fit, ages=ages)
    captions = [_caption(f"age {k} of {ages}", t, "") for k, t in enumerate(aged, 1)]
    return contact_sheet.ages_sheet(aged, captions, f"{title} · index {index}")


def _draw(config: Config, source: Source, index: int) -> Drawn:
    """Read the painting that row `index` of a generated dataset with one split is made of."""
    return draw(source, config.seed, index, np.arange(len(source)))


def _title(recipe: str, version: int, seed: int) -> str:
    return f"Recipe {recipe}, version {version} · seed {seed}"


def _caption(where: str, triplet: Triplet, title: str) -> str:
    damage = f"{100 * triplet.mask.mean():.1f} % damaged" if triplet.mask.any() else "no cracks"
    drawn = [str(triplet.meta.get(key, "")) for key in ("style", "polarity")] if triplet.mask.any() else []
    return " · ".join(part for part in (where, damage, *drawn, title) if part)
