"""Download a version of a published dataset, and check every hash in its manifest.

Files arrive in a hidden folder beside DIR, which gets its name when all is there and sound. Run the same
command again after an interruption: files that are complete are not downloaded twice.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from craqbench.cli.parsing import some_path
from craqbench.cli.terminal import plural, program, spell_bytes, watch
from craqbench.hub import parse_reference
from craqbench.pulling import pull

if TYPE_CHECKING:
    import argparse

    from craqbench.pulling import Pulled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "reference",
        type=parse_reference,
        metavar="ORG/NAME@1.0.0",
        help="repository and version; without a version, the highest",
    )
    parser.add_argument(
        "--out", type=some_path, metavar="DIR", help="a new or empty folder (default: NAME-1.0.0)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Pull, and say what came."""
    repository, version = arguments.reference
    with watch() as progress:
        pulled = pull(repository, version, arguments.out, progress=progress)
    _show(pulled)
    return 0


def _show(pulled: Pulled) -> None:
    manifest, folder = pulled.manifest, shlex.quote(str(pulled.folder))
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    state = "was there already, and every hash is right" if pulled.was_there else "every hash is right"
    print(f"\ndataset       {pulled.folder}")
    print(f"version       {pulled.version} of {pulled.repository}, commit {pulled.sha}")
    print(f"rows          {manifest['rows']:,} in {plural(len(manifest['shards']), 'file')}")
    print(f"size          {spell_bytes(pulled.bytes)}; {state}")
    print(f"made by       {versions}")
    row = f"{manifest['recipe']['name']}-{manifest['seed']}-0000000"
    print(f"\nnext: {program()} verify {folder}")
    print(f"any row again: {program()} regenerate {folder} --row {row}")
