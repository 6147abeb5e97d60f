from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from craqbench.graphs import PUBLISHED_POLICY
from craqbench.morphology import Morphology, morphology, summarise
from craqbench.real_styles import REAL_STYLES
from generators.craquelure import STYLES, crack, draw_habit, draw_look
from generators.framing import whole
from generators.triplets import Image, random_stream

MASKS = 50
SIDE = 800
"""Side of a patch of the real graphs in px."""


def medians(style: str) -> pd.Series[float]:
    """Median of each measure over masks of a style."""
    clean = np.full((SIDE, SIDE, 3), 150, np.uint8)
    return summarise(measure(style, index, clean) for index in range(MASKS))["median"]


def measure(style: str, index: int, clean: Image) -> Morphology:
    """Measure one mask: network and raster only, as neither paint nor canvas matters here."""
    recipe, size = STYLES[style], (SIDE, SIDE)
    rng = random_stream(0, recipe.number, index)
    habit, look = draw_habit(recipe.parameters, rng), draw_look(recipe.parameters, clean, rng)
    _, drawing = crack(whole(size, size, "crop"), habit, look, 1.0, rng)
    return morphology(drawing.mask, policy=PUBLISHED_POLICY)


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_like_the_real_one(style: str) -> None:
    """Over 50 masks junctions, dead ends, directions and islands are those of real networks of the style."""
    got, real = medians(style), REAL_STYLES[style]
    assert got.t_share >= 0.60
    assert got.y_share <= 0.10
    assert 0.06 <= got.x_of_junctions <= 0.15
    assert got.end_share == pytest.approx(real["end_share"], rel=0.25)
    assert got.anisotropy == pytest.approx(real["anisotropy"], rel=0.25)
    assert 0.7 <= got.island_cv <= 1.1
    assert np.isfinite(got).all()
