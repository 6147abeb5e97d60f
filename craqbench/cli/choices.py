"""Options that several commands share: which recipe, with which parameters, on which paintings."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import math
import os
import re
from typing import TYPE_CHECKING, Any

from craqbench.cli.parsing import name_value, nearest, one_of, some_text, whole
from craqbench.configuration import parse_size
from craqbench.errors import UsageError
from craqbench.hub_cache import CACHE_GB, DEFAULT_GB
from generators.framing import FITS
from generators.recipes import RECIPES, with_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generators.triplets import Recipe

__all__ = [
    "add_picture_options",
    "add_recipe_options",
    "add_workers",
    "explained_parameters",
    "find_recipe",
    "read_recipe",
    "read_source",
]


def add_recipe_options(parser: argparse.ArgumentParser, recipe: str = "mixed") -> None:
    """Add ``--recipe`` and ``--set``."""
    parser.add_argument(
        "--recipe", default=recipe, metavar="NAME", help="a name that `craqbench recipes` lists"
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        type=name_value,
        metavar="NAME=VALUE",
        help="a parameter of the recipe, as `craqbench recipes NAME` shows them; a pair is written LOW,HIGH; "
        "may be given several times",
    )


def add_picture_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--source``, ``--cache-gb``, ``--size``, ``--fit`` and ``--seed``."""
    parser.add_argument(
        "--source",
        type=some_text,
        default="procedural",
        metavar="procedural|FOLDER|hf://...",
        help="clean paintings: drawn by craqbench itself; the image files under a folder; or a dataset of "
        "the Hub, hf://ORG/NAME[@REVISION][?COLUMN=VALUE&...], such as 'hf://huggan/wikiart?style=Baroque'",
    )
    parser.add_argument(
        "--cache-gb",
        type=_gigabytes,
        metavar="GB",
        help="room for pictures of the Hub, in the folder that CRAQBENCH_CACHE names; it changes no result "
        f"(default: CRAQBENCH_CACHE_GB, or {DEFAULT_GB:g})",
    )
    parser.add_argument(
        "--size", type=parse_size, default=(598, 375), metavar="WIDTHxHEIGHT", help="of each picture, in px"
    )
    parser.add_argument(
        "--fit",
        type=one_of(*FITS),
        default="crop",
        metavar="|".join(FITS),
        help="how a painting of another shape fills the size: cut what stands over, mirror its edges "
        "into the rest, or distort it",
    )
    parser.add_argument("--seed", type=whole(0), default=0, help="another seed, another dataset")


def _gigabytes(text: str) -> str:
    try:
        good = 0 < float(text) < math.inf
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected GB, such as {DEFAULT_GB:g}")
    return text


def read_source(arguments: argparse.Namespace) -> str:
    """Return ``--source``, and let the processes to come know of ``--cache-gb``."""
    if arguments.cache_gb:
        os.environ[CACHE_GB] = arguments.cache_gb
    return str(arguments.source)


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``."""
    parser.add_argument(
        "--workers",
        type=whole(1),
        default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        metavar="N",
        help="processes; the result is the same for any number",
    )


def find_recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises
    ------
    UsageError
        If there is none; the message offers the nearest names.
    """
    if name not in RECIPES:
        hint = nearest(name, RECIPES) or f"; expected one of {', '.join(RECIPES)}"
        raise UsageError(f"unknown recipe {name!r}{hint} (see craqbench recipes)")
    return RECIPES[name]


def read_recipe(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe that ``--recipe`` and ``--set`` ask for.

    Raises
    ------
    UsageError
        If the recipe or a parameter is unknown, or a value is not of the parameter's kind or range.
    """
    recipe = find_recipe(arguments.recipe)
    defaults = _parameters(recipe)
    settings = {name: _read_setting(recipe, defaults, name, text) for name, text in arguments.settings}
    try:
        return with_settings(recipe, settings) if settings else recipe
    except ValueError as error:
        raise UsageError(f"--set: {error}") from error


def _read_setting(recipe: Recipe, defaults: Mapping[str, Any], name: str, text: str) -> Any:
    if name not in defaults:
        hint = nearest(name, defaults) or f"; expected one of {', '.join(defaults)}"
        where = f"(see craqbench recipes {recipe.name})"
        raise UsageError(
            f"--set {name}={text}: recipe {recipe.name!r} has no parameter {name!r}{hint} {where}"
        )
    try:
        return _read_like(defaults[name], text)
    except ValueError as error:
        example = _written(defaults[name])
        raise UsageError(f"--set {name}={text}: expected a value like the default, {example}") from error


def _read_like(default: Any, text: str) -> Any:
    """Read a value of the default's kind; a tuple's values are separated by commas."""
    if isinstance(default, tuple):
        parts = [part.strip() for part in text.strip("()[] ").split(",")]
        if len(parts) != len(default):
            raise ValueError(text)
        return tuple(_read_like(kind, part) for kind, part in zip(default, parts, strict=True))
    if isinstance(default, bool):
        return {"true": True, "yes": True, "false": False, "no": False}[_checked(text.lower())]
    if isinstance(default, (int, float)):
        return type(default)(text)
    return text


def _checked(text: str) -> str:
    if text not in ("true", "yes", "false", "no"):
        raise ValueError(text)
    return text


def _written(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _parameters(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe's parameters and their values, in the order of their definition."""
    fields = dataclasses.fields(recipe.parameters)
    return {field.name: getattr(recipe.parameters, field.name) for field in fields}


def explained_parameters(recipe: Recipe) -> list[tuple[str, str, str, str]]:
    """Return (name, default as ``--set`` takes it, bounds, what the docstring says) of each parameter."""
    told: dict[str, str] = {}
    for kind in reversed(type(recipe.parameters).__mro__):
        told |= _numpydoc_entries(inspect.getdoc(kind) or "")
    bounds = {field.name: _bounds(field) for field in dataclasses.fields(recipe.parameters)}
    return [
        (name, _written(value), bounds[name], told.get(name, ""))
        for name, value in _parameters(recipe).items()
    ]


def _bounds(field: dataclasses.Field[Any]) -> str:
    low, high = field.metadata.get("low"), field.metadata.get("high")
    return "" if low is None or high is None else f"{low:g} to {high:g}"


def _numpydoc_entries(docstring: str) -> dict[str, str]:
    """Return name -> text of the entries ``name, other : kind`` followed by indented lines."""
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in docstring.splitlines():
        heading = re.fullmatch(r"(\w+(?:, \w+)*)(?:\s*:.*)?", line)
        if heading:
            names = heading[1].split(", ")
        elif line.startswith("    ") and names:
            for name in names:
                entries[name] = f"{entries.get(name, '')} {line.strip()}".strip()
        elif line.strip():
            names = []
    return entries
