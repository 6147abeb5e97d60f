"""Publish a dataset as a version of a dataset repository on the Hugging Face Hub.

The dataset is verified first. Uploads resume: run the same command again after an interruption. The tag of
the version, such as v1.0.0, is set last, when the Hub's own hashes say that all is there; a version that
exists is never changed. Who you are is the business of the Hub's own login: hf auth login, or HF_TOKEN.

The Hub stores what two versions share once. A version with more rows costs hardly more than those rows if
it was generated with the same --seed and --shard-size, and both --n are multiples of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craqbench.cli.choices import add_workers
from craqbench.cli.parsing import some_path
from craqbench.cli.terminal import plural, program, spell_bytes, watch
from craqbench.hub import parse_repository, parse_version
from craqbench.publishing import publish

if TYPE_CHECKING:
    import argparse

    from craqbench.publishing import Publication


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "folder", type=some_path, metavar="DIR", help="a dataset that `craqbench generate` made"
    )
    parser.add_argument(
        "--repo", required=True, type=parse_repository, metavar="ORG/NAME", help="created if there is none"
    )
    parser.add_argument(
        "--version", required=True, type=parse_version, metavar="1.0.0", help="a new semantic version"
    )
    parser.add_argument(
        "--private",
        action="store_true",
        help="create a private repository; refuse one that is there and public",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, say what would be sent, and send nothing"
    )
    add_workers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish, or say what would be published."""
    with watch() as progress:
        done = publish(
            arguments.folder,
            arguments.repo,
            arguments.version,
            private=arguments.private,
            dry_run=arguments.dry_run,
            workers=arguments.workers,
            progress=progress,
        )
    _show(done, dry_run=arguments.dry_run)
    return 0


def _show(done: Publication, *, dry_run: bool) -> None:
    state = [*(["new"] if done.created else []), "private" if done.private else "public"]
    print(f"\nrepository    {done.repository} ({', '.join(state)})")
    print(f"version       {done.version}, tag {done.version.tag}")
    print(f"rows          {done.rows:,}")
    sent, removed = ("to send", "to remove") if dry_run else ("sent", "removed")
    print(f"{sent:13} {plural(len(done.sent), 'file')}, {spell_bytes(done.bytes)}")
    if done.kept:
        print(f"there before  {plural(len(done.kept), 'file')}")
    if done.removed:
        print(f"{removed:13} {plural(len(done.removed), 'file')} of an older version")
    if done.strange:
        print(f"left alone    {', '.join(done.strange)}: not of the dataset")
    if dry_run:
        print("\nnothing sent: this is a dry run")
    else:
        print(f"page          {done.url}")
        print(f"\nnext: {program()} pull {done.repository}@{done.version}")
