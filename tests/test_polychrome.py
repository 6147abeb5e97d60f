from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

from generators.polychrome import POLYCHROME, PolychromeParameters, expose, losses
from generators.recipes import aged, triplet, with_settings
from generators.triplets import CLASSES, Image, Triplet

SIZE = (300, 220)


def painting() -> Image:
    """Return a smooth picture in saturated colours."""
    coarse = np.random.default_rng(3).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (400, 300), interpolation=cv2.INTER_LINEAR), np.uint8)


def make(index: int = 0, **changed: Any) -> Triplet:
    """Make a triplet with some parameters changed."""
    return triplet(with_settings(POLYCHROME, changed), 0, index, painting(), SIZE)


def test_there_are_three_classes() -> None:
    """Labels are background, craquelure and paint loss, and all three occur in nearly every triplet."""
    assert POLYCHROME.classes == CLASSES
    found = [set(np.unique(make(index).labels)) for index in range(12)]
    assert all(classes <= {0, 1, 2} for classes in found)
    assert sum(classes == {0, 1, 2} for classes in found) >= 10


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
def test_the_lost_share_is_what_was_asked_for(share: float) -> None:
    """Losses cover about their share, some less where they fray; meta says how much it is."""
    made = [make(index, loss=(share, share)) for index in range(8)]
    lost = np.array([(t.labels == 2).mean() for t in made])
    assert lost.mean() == pytest.approx(share, rel=0.35)
    assert [t.meta["loss"] for t in made] == pytest.approx(lost, abs=1e-4)


def test_no_loss_is_craquelure_alone() -> None:
    """Without loss there are two classes."""
    made = make(loss=(0.0, 0.0))
    assert set(np.unique(made.labels)) == {0, 1}
    assert made.meta["loss"] == 0


def test_losses_grow_with_their_size() -> None:
    """Larger losses are fewer in number for the same share."""
    counts = [
        np.mean([ndimage.label(make(i, loss=(0.1, 0.1), loss_size=(s, s)).labels == 2)[1] for i in range(4)])
        for s in (10.0, 60.0)
    ]
    assert counts[0] > 2 * counts[1]


def test_snapping_takes_whole_islands() -> None:
    """Strict losses follow islands: most islands are lost to nearly all or to nearly nothing."""

    def undecided(snapping: float) -> float:
        cracks = np.zeros((200, 200), np.bool_)
        cracks[::20] = cracks[:, ::20] = True
        parameters = PolychromeParameters(
            snapping=(snapping, snapping), loss=(0.3, 0.3), loss_size=(40.0, 40.0)
        )
        lost = losses(cracks, parameters, np.random.default_rng(0))
        shares = lost.reshape(10, 20, 10, 20)[:, 1:, :, 1:].mean(axis=(1, 3))
        return float(((shares > 0.1) & (shares < 0.9)).mean())

    assert undecided(1.0) < 0.6 * undecided(0.0)
    assert undecided(1.0) < 0.25


def test_losses_show_what_lies_below() -> None:
    """Where paint is lost the picture no longer follows the paint: its colour is that of the support."""
    made = make(loss=(0.3, 0.3))
    inner = ndimage.binary_erosion(made.labels == 2, iterations=3)
    assert inner.sum() > 200
    shown = made.damaged[inner].astype(float)
    paint = made.image[inner].astype(float)
    assert shown.std(axis=0).max() < 25
    # Plaster, canvas and wood are warm: red over green over blue.
    red, green, blue = shown.mean(axis=0)
    assert red > green > blue
    assert abs(np.corrcoef(shown.mean(axis=1), paint.mean(axis=1))[0, 1]) < 0.5


def test_the_edge_of_the_paint_casts_a_shadow() -> None:
    """One side of a loss is darker than the support, the other lighter; thin paint shows less of it."""
    image = np.full((60, 60, 3), 120, np.uint8)
    lost = np.zeros((60, 60), np.bool_)
    lost[20:40, 20:40] = True
    below = np.full((60, 60, 3), 120, np.float32)
    thick, thin = (expose(image, lost, below, relief)[..., 0].astype(int) - 120 for relief in (1.0, 0.3))
    first, second = thick[30, 20], thick[30, 39]
    assert first * second < 0
    assert abs(thin[30, 20]) < abs(first)
    assert thick[30, 30] == 0
    assert (thick[:12] == 0).all()


def test_expose_leaves_the_rest_alone() -> None:
    """Without a loss the picture stays as it is, and is not changed in place with one."""
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    before, below = image.copy(), np.zeros((40, 50, 3), np.float32)
    lost = np.zeros((40, 50), np.bool_)
    assert np.array_equal(expose(image, lost, below, 1.0), image)
    lost[10:20, 10:20] = True
    assert not np.array_equal(expose(image, lost, below, 1.0), image)
    assert np.array_equal(image, before)


def test_losses_grow_with_age() -> None:
    """A place once lost stays lost, and there is more of it at every age; the network grows as well."""
    steps = aged(POLYCHROME, 0, 1, painting(), SIZE, ages=5)
    lost = [(t.labels == 2).sum() for t in steps]
    assert lost == sorted(lost)
    assert lost[0] < lost[-1]
    cracked = [t.mask.sum() for t in steps]
    assert cracked == sorted(cracked)


@pytest.mark.parametrize(
    ("name", "value"), [("loss", (0.5, 0.95)), ("snapping", 0.5), ("loss_size", (2.0, 9.0))]
)
def test_wrong_values_are_named(name: str, value: Any) -> None:
    """Parameters are checked when they are set, those of losses too."""
    with pytest.raises(ValueError, match=f"parameter '{name}'"):
        make(**{name: value})
