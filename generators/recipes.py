"""The recipes by name, and the pure function (recipe, seed, index, painting) -> triplet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from generators.craquelure import STYLES
from generators.mixed import MIXED
from generators.paper import PAPER
from generators.polychrome import POLYCHROME
from generators.portability import plain_opencv
from generators.triplets import Image, Recipe, Size, Triplet, random_stream

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (PAPER, *STYLES.values(), MIXED, POLYCHROME)}
"""All recipes by name."""


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe with some of its parameters replaced.

    Raises
    ------
    ValueError
        If a name is not a parameter of the recipe, or a value is not of the parameter's kind.
    """
    known = {
        field.name: getattr(recipe.parameters, field.name) for field in dataclasses.fields(recipe.parameters)
    }
    for name, value in settings.items():
        if name not in known:
            raise ValueError(
                f"recipe {recipe.name!r} has no parameter {name!r}: expected one of {', '.join(known)}"
            )
        if isinstance(known[name], tuple) != isinstance(value, tuple):
            raise ValueError(
                f"parameter {name!r} of recipe {recipe.name!r} got {value!r}: expected like {known[name]!r}"
            )
    return dataclasses.replace(recipe, parameters=dataclasses.replace(recipe.parameters, **settings))


def triplet(recipe: Recipe, seed: int, index: int, painting: Image, size: Size, fit: str = "crop") -> Triplet:
    """Make triplet `index` of a recipe: a pure function of its arguments.

    Parameters
    ----------
    recipe
        One of `RECIPES`, or one made from it by `with_settings`.
    seed, index
        Non-negative; 0 is a seed like any other.
    painting
        (h, w, 3) uint8 RGB, a clean painting at its own size.
    size
        (width, height) of the triplet in px.
    fit
        How the painting fills the picture, see `generators.framing.FITS`.
    """
    with plain_opencv():
        return recipe.draw(
            painting, size, fit, recipe.parameters, rng=random_stream(seed, recipe.number, index)
        )


def aged(
    recipe: Recipe, seed: int, index: int, painting: Image, size: Size, fit: str = "crop", *, ages: int
) -> list[Triplet]:
    """Make one triplet at rising ages: the same network on the same clean painting, as it grows.

    The mask at a later age contains the mask at an earlier one. Arguments as for `triplet`; the last age
    is the triplet itself.

    Raises
    ------
    ValueError
        If the recipe has no parameter "age", or `ages` is below 1.
    """
    if ages < 1:
        raise ValueError(f"got {ages} ages: expected at least 1")
    steps = (with_settings(recipe, {"age": (step + 1) / ages}) for step in range(ages))
    return [triplet(step, seed, index, painting, size, fit) for step in steps]
