from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from generators.craquelure import (
    HABIT,
    LOOK,
    STYLES,
    NetworkParameters,
    crack,
    draw_dark,
    draw_flip,
    draw_habit,
    draw_light,
    draw_look,
)
from generators.framing import whole
from generators.recipes import triplet, with_settings
from generators.triplets import Image, Triplet

SIZE = (320, 240)


def rng(seed: int = 0) -> np.random.Generator:
    """Return a stream."""
    return np.random.default_rng(seed)


def paint(level: int, size: tuple[int, int] = SIZE) -> Image:
    """Return paint of one grey."""
    return np.full((size[1], size[0], 3), level, np.uint8)


def make(style: str, index: int = 0, level: int = 150, **changed: object) -> Triplet:
    """Crack a grey picture."""
    return triplet(with_settings(STYLES[style], changed), 0, index, paint(level), SIZE)


@pytest.mark.parametrize("style", STYLES)
def test_all_that_is_drawn_lies_in_its_range(style: str) -> None:
    """Habits and looks take their values from the style's parameters."""
    parameters: NetworkParameters = STYLES[style].parameters
    for seed in range(20):
        habit, look = draw_habit(parameters, rng(seed)), draw_look(parameters, paint(99), rng(seed))
        for names, drawn in ((("spacing", *HABIT), habit), (("width", *LOOK), look)):
            for name in names:
                low, high = getattr(parameters, name)
                assert low - 1e-9 <= getattr(drawn, name) <= high + 1e-9, name
        assert habit.generations == parameters.generations
        assert 0 <= habit.direction <= np.pi


def test_every_parameter_is_used() -> None:
    """Each parameter is part of a habit or of a look, or is one of those that `draw` itself uses."""
    names = {field.name for field in dataclasses.fields(NetworkParameters)}
    assert names == {*HABIT, *LOOK, "spacing", "generations", "width", "lifted", "age"}


@pytest.mark.parametrize("style", STYLES)
def test_cracks_change_the_painting_where_the_mask_says(style: str) -> None:
    """A style cracks a few per cent of the picture, and cracks can be seen."""
    for index in range(3):
        made = make(style, index)
        assert 0.005 < made.mask.mean() < 0.25
        change = np.abs(made.damaged.astype(int) - made.image)[made.mask].max(axis=1)
        assert np.median(change) > 15
        assert (change > 3).mean() > 0.9


@pytest.mark.parametrize("style", STYLES)
def test_meta_tells_what_was_drawn(style: str) -> None:
    """Meta has the number of cracks, spacing, width, flip and age, as plain numbers."""
    made, parameters = make(style, age=0.5), STYLES[style].parameters
    assert set(made.meta) == {"cracks", "spacing", "width", "flip", "age"}
    assert made.meta["age"] == 0.5
    assert made.meta["cracks"] > 5
    low, high = parameters.spacing
    assert low - 0.01 <= made.meta["spacing"] <= high + 0.01


def test_light_paint_mostly_cracks_dark_and_dark_paint_mostly_light() -> None:
    """Both polarities occur on both, in the shares that `draw_flip` documents."""
    light = np.mean([draw_flip(150.0, rng(s)) > 150 for s in range(200)])
    on_dark = np.mean([draw_flip(30.0, rng(s)) > 45 for s in range(400)])
    on_light = np.mean([draw_flip(120.0, rng(s)) > 45 for s in range(400)])
    assert light == 0
    assert 0.75 < on_dark < 0.95
    assert 0.1 < on_light < 0.3


def test_colours_of_cracks_are_those_of_dirt_and_dust() -> None:
    """Dark cracks are darker than the paint and not bluer; light ones are lighter and seldom bluer."""
    dark, light = (np.array([draw(rng(s)) for s in range(300)]) for draw in (draw_dark, draw_light))
    assert ((dark > 0) & (dark < 1)).all()
    assert (dark[:, 0] >= dark[:, 2]).all()
    assert (light > 0).all()
    assert (light[:, 0] >= light[:, 2]).mean() > 0.8


def test_padding_stays_whole() -> None:
    """A network grows over the whole picture and is kept only where the painting is."""
    frame = whole((300, 100), (150, 150), "pad")
    habit, look = draw_habit(NetworkParameters(), rng()), draw_look(NetworkParameters(), paint(99), rng())
    network, drawing = crack(frame, habit, look, 1.0, rng())
    y = network.points[:, 1]
    assert y.min() < 40
    assert y.max() > 110
    assert not drawing.mask[~frame.inside()].any()
    assert not drawing.opacity[~frame.inside()].any()


def test_lifted_edges_are_a_share() -> None:
    """With `lifted` 1 all looks are lifted, with 0 none."""
    for share in (0.0, 1.0):
        parameters = NetworkParameters(lifted=share)
        assert {draw_look(parameters, paint(99), rng(s)).lift > 0 for s in range(20)} == {share > 0}


def test_an_earlier_age_is_the_same_network_with_less_of_it() -> None:
    """At half its age a network covers less, and primaries come first."""
    young, old = make("dutch", age=0.4), make("dutch", age=1.0)
    assert 0.02 < young.mask.sum() / old.mask.sum() < 0.9
    assert not (young.mask & ~old.mask).any()


def test_french_cracks_are_the_farthest_apart_and_the_most_curved() -> None:
    """French networks have the largest spacing and the strongest bends of all styles."""
    for name in ("spacing", "bend"):
        means = {style: np.mean(getattr(recipe.parameters, name)) for style, recipe in STYLES.items()}
        assert max(means, key=lambda style: means[style]) == "french", name
