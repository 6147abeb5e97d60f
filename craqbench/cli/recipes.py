"""List the recipes; with a NAME, explain that one and all its parameters."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from craqbench.cli.choices import explained_parameters, find_recipe
from craqbench.cli.terminal import table
from generators.recipes import RECIPES

if TYPE_CHECKING:
    import argparse

    from generators.triplets import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a recipe to explain")


def run(arguments: argparse.Namespace) -> int:
    """Print the list, or one recipe."""
    if arguments.name is None:
        table(
            ("recipe", "version", "what it draws"),
            [(recipe.name, f"v{recipe.version}", recipe.summary) for recipe in RECIPES.values()],
        )
        print("\ncraqbench recipes NAME explains one; craqbench preview --recipe NAME draws it.")
    else:
        _explain(find_recipe(arguments.name))
    return 0


def _explain(recipe: Recipe) -> None:
    edge = "exactly" if recipe.soft_edge == 0 else f"farther than {recipe.soft_edge} px"
    print(f"{recipe.name}, version {recipe.version}: {recipe.summary}\n")
    print(_wrapped(recipe.explanation))
    print(f"\nclasses: {', '.join(recipe.classes)}")
    print(f"I~ equals I {edge} outside the mask\n")
    print("parameters, with their defaults and bounds, as --set NAME=VALUE takes them:\n")
    for name, default, bounds, text in explained_parameters(recipe):
        print(f"  {name}={default}" + (f"   ({bounds})" if bounds else ""))
        if text:
            print(_wrapped(text, "      "))


def _wrapped(text: str, indent: str = "") -> str:
    width = min(shutil.get_terminal_size().columns, 100)
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        textwrap.fill(" ".join(p.split()), width, initial_indent=indent, subsequent_indent=indent)
        for p in paragraphs
    )
