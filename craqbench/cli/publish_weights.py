"""Publish trained weights as a version of a model repository on the Hugging Face Hub.

FILE is what `craqbench train` wrote: a safetensors file with its card beside it. Others then use it with
`--method METHOD,weights=ORG/NAME@v1.0.0`. A version that exists is never changed. Who you are is the business
of the Hub's own login: hf auth login, or HF_TOKEN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craqbench.cli.parsing import some_path
from craqbench.cli.terminal import plural, program, spell_bytes
from craqbench.hub import parse_repository, parse_version
from craqbench.weights_publishing import publish_weights

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("file", type=some_path, metavar="FILE", help="a file of weights, *.safetensors")
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


def run(arguments: argparse.Namespace) -> int:
    """Publish, or say what would be published."""
    done = publish_weights(
        arguments.file,
        arguments.repo,
        arguments.version,
        private=arguments.private,
        dry_run=arguments.dry_run,
    )
    state = [*(["new"] if done.created else []), "private" if done.private else "public"]
    print(f"repository    {done.reference.repository} ({', '.join(state)})")
    print(f"version       {arguments.version}, tag {done.reference.revision}")
    print(f"sha256        {done.reference.sha256}")
    told = "to send" if arguments.dry_run else "sent"
    print(f"{told:13} {plural(len(done.sent), 'file')}, {spell_bytes(done.bytes)}")
    if arguments.dry_run:
        print("\nnothing sent: this is a dry run")
        return 0
    print(f"page          {done.url}")
    use = f"{done.method},weights={done.reference.repository}@{done.reference.revision}"
    print(f"\nnext: {program()} detect PAINTING --method {use}")
    return 0
