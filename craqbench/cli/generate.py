"""Turn clean paintings into a dataset of triplets: clean painting I, crack mask M, damaged painting I~.

Run the same command again after an interruption and it goes on where it stopped. The result depends
on the recipe, its parameters, the paintings, --n, --seed, --size, --fit, --split, --codec and
--shard-size, and on nothing else: not on the machine, nor the number of workers.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.cli import choices
from craqbench.cli.parsing import name_value, one_of, some_path, whole
from craqbench.cli.status import show_status
from craqbench.cli.terminal import note, plural, program, spell_bytes, spell_seconds, table, watch
from craqbench.cluster import ENGINES, open_engine
from craqbench.codecs import CODECS
from craqbench.configuration import Config, parse_piece, parse_splits
from craqbench.generation import generate, plan
from craqbench.rows import open_job
from craqbench.status import read_status

if TYPE_CHECKING:
    import argparse

    from craqbench.generation import Plan, Summary
    from craqbench.making import Engine
    from craqbench.sources import Skipped


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--n", type=whole(1), default=1000, metavar="ROWS", help="how many triplets")
    choices.add_recipe_options(parser)
    choices.add_picture_options(parser)
    parser.add_argument(
        "--out", type=some_path, metavar="DIR", help="folder of the dataset (default: craquelure-RECIPE)"
    )
    choices.add_workers(parser)
    parser.add_argument(
        "--shard-size", type=whole(1), metavar="ROWS", help="rows per file (default: chosen by size)"
    )
    parser.add_argument(
        "--shard",
        type=parse_piece,
        default=(0, 1),
        metavar="i/N",
        help="make only every N-th file, from the i-th on (0/N to N-1/N): N machines share the work "
        "(default: every file)",
    )
    parser.add_argument(
        "--split",
        type=parse_splits,
        default=(("train", 1.0),),
        metavar="NAME=FRACTION,...",
        help="such as train=0.9,test=0.1; no painting is in two splits (default: train=1)",
    )
    parser.add_argument(
        "--codec",
        type=one_of(*CODECS),
        default=CODECS[0],
        metavar="|".join(CODECS),
        help="both lossless",
    )
    parser.add_argument(
        "--engine",
        type=one_of(*ENGINES),
        default="process",
        metavar="|".join(ENGINES),
        help="where files are made: by processes of this machine, or by a cluster; the result is the same",
    )
    parser.add_argument(
        "--engine-option",
        dest="engine_options",
        action="append",
        default=[],
        type=name_value,
        metavar="NAME=VALUE",
        help="such as partition=cpu for slurm; an unknown one lists all; may be given several times",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be made, and make nothing")
    parser.add_argument(
        "--status",
        action="store_true",
        help="say how far the dataset in --out is, while others make it or not; --out is enough for it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Generate, or say what would be or has been generated."""
    if arguments.status:
        source = "" if arguments.source == "procedural" else arguments.source
        show_status(read_status(arguments.out or Path(f"craquelure-{arguments.recipe}")), source)
        return 0
    engine = open_engine(arguments.engine, arguments.engine_options)
    config = Config(
        n=arguments.n,
        recipe=choices.read_recipe(arguments),
        source=choices.read_source(arguments),
        size=arguments.size,
        seed=arguments.seed,
        fit=arguments.fit,
        codec=arguments.codec,
        shard_size=arguments.shard_size,
        splits=arguments.split,
    )
    out = arguments.out or Path(f"craquelure-{config.recipe.name}")
    with watch() as progress:
        if arguments.dry_run:
            planned = plan(config, workers=arguments.workers, progress=progress)
        else:
            made = generate(
                config,
                out,
                workers=arguments.workers,
                piece=arguments.shard,
                engine=engine,
                progress=progress,
            )
    if arguments.dry_run:
        _show_plan(planned, out, engine)
    else:
        show_summary(made)
        _say_what_next(made)
    return 0


def _show_plan(planned: Plan, out: Path, engine: Engine | None) -> None:
    warn_of_skipped(planned.source.skipped)
    table(
        ("split", "rows", "paintings", "files"),
        [
            (name, f"{rows:,}", f"{paintings:,}" if paintings else "one per row", f"{shards:,}")
            for name, rows, paintings, shards in planned.splits
        ],
    )
    print(f"\nfolder        {out} (nothing written: this is a dry run)")
    print(
        f"size          about {spell_bytes(planned.bytes)}, by {planned.sampled} rows made for this estimate"
    )
    print(f"time          about {spell_seconds(planned.seconds)}")
    print(f"fingerprint   {planned.fingerprint}")
    if engine:
        print(f"\n{engine.preview(open_job(planned.config, planned.source, out), planned.shards)}")


def show_summary(made: Summary) -> None:
    """Print what was made."""
    warn_of_skipped(made.skipped)
    for line in made.remade:
        note(f"{'to be made' if made.submitted else 'made'} again: {line}")
    print(f"\ndataset       {made.folder}")
    print(f"rows          {made.rows:,} in {plural(made.shards, 'file')}, {spell_bytes(made.bytes)}")
    print(f"made          {_work(made)}")
    print(f"fingerprint   {made.fingerprint}")


def _work(made: Summary) -> str:
    taken = spell_seconds(made.seconds)
    if made.submitted:
        return f"{plural(made.missing, 'file')} submitted {made.submitted}"
    if not made.made:
        return f"nothing new: {plural(made.kept, 'row')} found there and checked in {taken}"
    kept = f"; {made.kept:,} were there already" if made.kept else ""
    return f"{plural(made.made, 'row')} in {taken}, {made.made / made.seconds:,.1f} rows/s{kept}"


def _say_what_next(made: Summary) -> None:
    folder = shlex.quote(str(made.folder))
    if made.complete:
        print(f"\nnext: {program()} verify {folder}")
    elif made.submitted:
        print(f"\nnext: {program()} generate --status --out {folder}")
    else:
        verb = "is" if made.missing == 1 else "are"
        print(f"\n{plural(made.missing, 'file')} {verb} still to come from the other pieces (--shard i/N)")


def warn_of_skipped(skipped: tuple[Skipped, ...], shown: int = 5) -> None:
    """Name the first few images that could not be used."""
    if skipped:
        note(f"{plural(len(skipped), 'image')} skipped (the manifest names them all):")
    for item in skipped[:shown]:
        note(f"  {item.path}: {item.reason}")
    if len(skipped) > shown:
        note(f"  and {len(skipped) - shown:,} more")
