"""What can be filled, and which answers are fillings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from baselines.inpainting.checks import checked_fill, checked_mask, painted
from baselines.protocols import Card, Image, Inpainter, Mask, MethodError

IMAGE: Image = np.full((3, 5, 3), 7, np.uint8)
MASK: Mask = np.arange(15).reshape(3, 5) == 6


@dataclass(frozen=True)
class Answering:
    """An inpainter that answers whatever it is told to."""

    answer: Callable[[Image, Mask], Any]
    name: ClassVar[str] = "answering"
    version: ClassVar[str] = "1"
    card: ClassVar[Card] = Card(training_data="none", licence="MIT", reference="a test")

    def fill(self, image: Image, mask: Mask) -> Any:
        """Answer."""
        return self.answer(image, mask)


def changed(*places: tuple[int, int]) -> Image:
    """Return the image with other px."""
    image = IMAGE.copy()
    for y, x in places:
        image[y, x, 1] = 9
    return image


def leave(*_: object) -> None:
    """Leave as a script does."""
    raise SystemExit(3)


def test_fillings_pass() -> None:
    """What changes px of the mask, or none, is returned as it is."""
    for filling in (changed((1, 1)), IMAGE.copy()):
        assert checked_fill(Answering(lambda *_, f=filling: f), IMAGE, MASK, "a") is filling


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda *_: changed((1, 1), (1, 2), (0, 0)), "changed 2 px outside the mask"),
        (
            lambda *_: IMAGE[:, :4],
            "expected a filling of shape (3, 5, 3) and type uint8. Got (3, 4, 3) uint8",
        ),
        (lambda *_: IMAGE.astype(np.float32), "Got (3, 5, 3) float32"),
        (lambda *_: None, "Got NoneType"),
        (lambda *_: IMAGE.tolist(), "Got list"),
        (lambda *_: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (leave, "raised SystemExit: 3"),
    ],
)
def test_others_do_not(answer: Callable[[Image, Mask], Any], problem: str) -> None:
    """Anything else is an error that names the method, the image, and what is wrong."""
    with pytest.raises(MethodError, match=re.escape(problem)) as caught:
        checked_fill(Answering(answer), IMAGE, MASK, "crop 3")
    assert str(caught.value).startswith("method 'answering' on image 'crop 3': ")


def test_works_on_copies() -> None:
    """An inpainter that paints into what it is given is caught, and spoils nothing."""
    image, mask = IMAGE.copy(), MASK.copy()

    def paint(image: Image, mask: Mask) -> Image:
        image[:], mask[:] = 0, True
        return image

    with pytest.raises(MethodError, match="changed 14 px outside the mask"):
        checked_fill(Answering(paint), image, mask, "a")
    assert (image == IMAGE).all()
    assert (mask == MASK).all()


WRONG: list[tuple[Any, Any, str]] = [
    (IMAGE[..., 0], MASK, "expected an RGB image"),
    (IMAGE / 255, MASK, "expected an RGB image"),
    (IMAGE, MASK[:2], "expected a mask of shape (3, 5) and type bool. Got (2, 5) bool"),
    (IMAGE, MASK.T, "Got (5, 3) bool"),
    (IMAGE, MASK[..., None], "Got (3, 5, 1) bool"),
    (IMAGE, MASK.view(np.uint8), "Got (3, 5) uint8"),
    (
        IMAGE,
        ~np.zeros((3, 5), np.bool_),
        "the mask covers all 15 px of the image: expected at least one known",
    ),
]


@pytest.mark.parametrize(("image", "mask", "message"), WRONG)
def test_what_cannot_be_filled(image: Any, mask: Any, message: str) -> None:
    """An image or mask that is none, or a mask of everything, is a ValueError and not the method's fault."""
    method: Inpainter = Answering(lambda image, _: image)
    for check in (lambda: checked_mask(mask, image), lambda: checked_fill(method, image, mask, "a")):
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            check()
        assert not isinstance(caught.value, MethodError)


def test_values_are_painted_into_a_copy() -> None:
    """Values go where the mask is, in raster order, rounded with halves to even; the image stays."""
    mask = MASK | MASK[::-1, ::-1]
    filled = painted(IMAGE, mask, np.array([[1.5, 2.5, 254.9], [0.4, 7.0, 9.6]]))
    assert filled[mask].tolist() == [[2, 2, 255], [0, 7, 10]]
    assert (filled[~mask] == IMAGE[~mask]).all()
    assert (IMAGE == 7).all()
