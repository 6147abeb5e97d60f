from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

from generators.framing import FITS
from generators.recipes import RECIPES, aged, triplet, with_settings
from generators.triplets import CLASSES, Image, Recipe, Triplet

SIZE = (180, 120)
AGEING = [name for name, recipe in RECIPES.items() if hasattr(recipe.parameters, "age")]


def painting(width: int = 260, height: int = 190, seed: int = 0) -> Image:
    """Return a picture with slow and fast changes of colour, dark and light."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(smooth + rng.integers(-4, 5, smooth.shape), 0, 255), np.uint8)


def make(name: str, seed: int = 0, index: int = 0, **changed: Any) -> Triplet:
    """Make a small triplet of a recipe."""
    return triplet(with_settings(RECIPES[name], changed), seed, index, painting(), SIZE)


def same(one: Triplet, other: Triplet) -> bool:
    """Tell whether two triplets are equal in all that they have."""
    arrays = zip(
        (one.image, one.labels, one.damaged), (other.image, other.labels, other.damaged), strict=True
    )
    return all(np.array_equal(a, b) for a, b in arrays) and one.meta == other.meta


def assert_contract(made: Triplet, recipe: Recipe, size: tuple[int, int]) -> None:
    """Shapes, types, labels, JSON meta, and the law of the soft edge."""
    shape = size[1], size[0]
    assert made.image.shape == made.damaged.shape == (*shape, 3)
    assert made.labels.shape == shape
    assert made.image.dtype == made.damaged.dtype == made.labels.dtype == np.uint8
    assert made.labels.max() < len(recipe.classes)
    assert made.mask.dtype == np.bool_
    assert json.loads(json.dumps(dict(made.meta))) == dict(made.meta)
    away = ndimage.distance_transform_cdt(~made.mask, metric="chessboard") > recipe.soft_edge
    if not made.mask.any():
        away[:] = True
    assert np.array_equal(made.damaged[away], made.image[away])
    assert not np.shares_memory(made.image, made.damaged)


@pytest.mark.parametrize("size", [(180, 120), (64, 64), (97, 131)])
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("name", RECIPES)
def test_the_contract_holds(name: str, fit: str, size: tuple[int, int]) -> None:
    """For all recipes, fits and sizes the damaged painting is the clean one away from the damage."""
    for index, source in enumerate((painting(), painting(64, 200), painting(40, 40), painting(500, 66))):
        before = source.copy()
        assert_contract(triplet(RECIPES[name], 5, index, source, size, fit), RECIPES[name], size)
        assert np.array_equal(source, before), "the painting was changed in place"


@pytest.mark.parametrize("name", RECIPES)
def test_padding_is_never_cracked(name: str) -> None:
    """Where the picture does not show the painting there is no damage."""
    for index in range(4):
        made = triplet(RECIPES[name], 0, index, painting(300, 100), (150, 150), "pad")
        assert not made.mask[:50].any()
        assert not made.mask[100:].any()
        assert np.array_equal(made.image[:40], made.damaged[:40])


@pytest.mark.parametrize("name", RECIPES)
def test_a_triplet_is_a_pure_function(name: str) -> None:
    """The same arguments give the same triplet, whatever was made in between."""
    first = make(name, 3, 7)
    make(name, 3, 8)
    assert same(first, make(name, 3, 7))


@pytest.mark.parametrize("name", RECIPES)
def test_threads_do_not_matter(name: str) -> None:
    """OpenCV may use one thread or several."""
    before = cv2.getNumThreads()
    try:
        made = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            made.append([triplet(RECIPES[name], 0, i, painting(), (640, 480)) for i in range(2)])
    finally:
        cv2.setNumThreads(before)
    assert all(same(one, other) for one, other in zip(*made, strict=True))


@pytest.mark.parametrize("name", RECIPES)
def test_every_seed_and_index_is_another_triplet(name: str) -> None:
    """Seeds 0 and 1 differ at each index, and indices differ from one another; 0 is a seed like any other."""
    masks = [make(name, seed, index).labels.tobytes() for seed in (0, 1, 2**31) for index in (0, 1, 2, 10**9)]
    cracked = [mask for mask in masks if any(mask)]
    assert len(cracked) >= 10
    assert len(set(cracked)) == len(cracked)


def test_recipes_do_not_share_their_chance() -> None:
    """Two recipes with the same settings draw other networks: the number is part of the stream."""
    dutch = RECIPES["dutch"]
    other = dataclasses.replace(dutch, number=99)
    one, two = (triplet(recipe, 0, 0, painting(), SIZE) for recipe in (dutch, other))
    assert not np.array_equal(one.labels, two.labels)


def test_names_and_numbers_are_unique() -> None:
    """No number is used twice, names are keys, and all texts are there."""
    numbers = [recipe.number for recipe in RECIPES.values()]
    assert len(set(numbers)) == len(numbers)
    assert list(RECIPES) == [recipe.name for recipe in RECIPES.values()]
    for recipe in RECIPES.values():
        assert recipe.version >= 1
        assert recipe.summary
        assert "\n" not in recipe.summary
        assert len(recipe.explanation) > 60
        assert recipe.soft_edge >= 0
        assert recipe.classes == CLASSES[: len(recipe.classes)]


def test_the_numbers_are_those_that_were_given_once() -> None:
    """Numbers enter the stream of chance: they stay for ever."""
    assert {name: recipe.number for name, recipe in RECIPES.items()} == {
        "paper": 1,
        "dutch": 2,
        "flemish": 3,
        "french": 4,
        "german": 5,
        "italian": 6,
        "mixed": 7,
        "polychrome": 8,
    }


@pytest.mark.parametrize("name", RECIPES)
def test_every_parameter_is_explained(name: str) -> None:
    """The docstrings of a recipe's parameters, or of those that they build on, name each of them."""
    parameters = type(RECIPES[name].parameters)
    text = " ".join(base.__doc__ or "" for base in parameters.__mro__[:-1])
    for field in dataclasses.fields(parameters):
        assert field.name in text, field.name


@pytest.mark.parametrize("name", RECIPES)
def test_settings_are_json(name: str) -> None:
    """A recipe's settings survive JSON and give back the recipe."""
    recipe = RECIPES[name]
    stored = json.loads(json.dumps(recipe.settings()))
    assert set(stored) == {field.name for field in dataclasses.fields(recipe.parameters)}
    back = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    assert with_settings(recipe, back) == recipe


def test_settings_change_what_is_drawn_and_nothing_else() -> None:
    """A changed recipe has the new values, keeps the others, and leaves the registry alone."""
    changed = with_settings(RECIPES["dutch"], {"spacing": (20.0, 21.0), "lifted": 1})
    assert changed.parameters.spacing == (20.0, 21.0)
    assert changed.parameters.width == RECIPES["dutch"].parameters.width
    assert RECIPES["dutch"].parameters.spacing != (20.0, 21.0)
    coarse, fine = (triplet(r, 0, 0, painting(), SIZE).mask.mean() for r in (RECIPES["dutch"], changed))
    assert fine > 1.5 * coarse


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"spacin": (1, 2)},
            r"recipe 'dutch' has no parameter 'spacin': expected one of spacing, generations",
        ),
        ({"spacing": 20.0}, r"parameter 'spacing'.* 20.0: expected"),
        ({"lifted": (0.1, 0.2)}, r"parameter 'lifted'.* \(0.1, 0.2\): expected"),
        ({"lifted": 2.0}, r"parameter 'lifted' is 2.0: expected a number from 0 to 1"),
        ({"spacing": (40.0, 20.0)}, r"parameter 'spacing' is \(40.0, 20.0\): expected a range \(low, high\)"),
        ({"age": 0.0}, r"parameter 'age' is 0.0: expected a number from 0.001 to 1"),
        ({"generations": 2.5}, r"parameter 'generations' is 2.5: expected a whole number from 1 to 12"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    """The error has the name, the value, and what was expected."""
    with pytest.raises(ValueError, match=message):
        with_settings(RECIPES["dutch"], settings)


def test_an_unknown_fit_is_refused_by_every_recipe() -> None:
    """No recipe draws on a painting that it was told to frame in a way that is not known."""
    for recipe in RECIPES.values():
        for index in range(4):
            with pytest.raises(ValueError, match="unknown fit 'squeeze'"):
                triplet(recipe, 0, index, painting(), SIZE, "squeeze")


@pytest.mark.parametrize("name", AGEING)
@pytest.mark.parametrize("index", range(3))
def test_damage_grows_with_age(name: str, index: int) -> None:
    """Masks are nested, the clean painting stays the same, and the last age is the triplet itself."""
    steps = aged(RECIPES[name], 0, index, painting(), SIZE, ages=5)
    assert len(steps) == 5
    for young, old in pairwise(steps):
        assert not (young.mask & ~old.mask).any()
        assert not ((young.labels == 2) & (old.labels != 2)).any()
        assert np.array_equal(young.image, old.image)
    assert same(steps[-1], triplet(RECIPES[name], 0, index, painting(), SIZE))
    for step in steps:
        assert_contract(step, RECIPES[name], SIZE)
    assert steps[0].mask.sum() < steps[-1].mask.sum() or not steps[-1].mask.any()


def test_ages_follow_from_the_recipe() -> None:
    """All recipes but the published one age; the number of ages has to be one at least."""
    assert set(AGEING) == set(RECIPES) - {"paper"}
    with pytest.raises(ValueError, match="recipe 'paper' has no parameter 'age'"):
        aged(RECIPES["paper"], 0, 0, painting(), SIZE, ages=3)
    with pytest.raises(ValueError, match="got 0 ages: expected at least 1"):
        aged(RECIPES["dutch"], 0, 0, painting(), SIZE, ages=0)
    (only,) = aged(RECIPES["dutch"], 0, 0, painting(), SIZE, ages=1)
    assert same(only, triplet(RECIPES["dutch"], 0, 0, painting(), SIZE))
