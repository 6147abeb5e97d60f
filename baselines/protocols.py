"""What a detector and an inpainter are, and the check that what a detector answers can be scored.

A detector answers with scores of the crack class. One that tells craquelure from paint loss may also answer
with scores of each class, see `ClassDetector`; `labels_of` makes label maps of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = [
    "Card",
    "ClassDetector",
    "ClassScores",
    "Detector",
    "Image",
    "Inpainter",
    "Labels",
    "Mask",
    "MethodError",
    "Scores",
    "checked_image",
    "checked_predict",
    "checked_predict_classes",
    "count_classes",
    "labels_of",
]

Image = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, 0-255."""

Mask = npt.NDArray[np.bool_]
"""(H, W) bool, True in cracks."""

Scores = npt.NDArray[np.float32]
"""(H, W) float32 in [0, 1]: how sure a detector is of a crack."""

ClassScores = npt.NDArray[np.float32]
"""(C, H, W) float32 in [0, 1]: how sure a detector is of each class: background, crack, paint loss, ..."""

Labels = npt.NDArray[np.uint8]
"""(H, W) uint8 class numbers: 0 background, 1 crack, 2 paint loss, ..."""

_CRACK = 1


@dataclass(frozen=True, kw_only=True)
class Card:
    """Where a method comes from: it goes into every result.

    Attributes
    ----------
    training_data
        What it was trained on, or what its parameters were chosen on; "none" is an answer.
    licence
        Of the code and, where there are any, of the weights.
    reference
        The paper or page that describes it.
    weights
        sha256 of the weights, 64 hexadecimal digits; None for a method without any.

    Raises
    ------
    ValueError
        If a text is empty, or `weights` is no such digest.
    """

    training_data: str
    licence: str
    reference: str
    weights: str | None = None

    def __post_init__(self) -> None:
        """Check all fields."""
        for name in ("training_data", "licence", "reference"):
            text = getattr(self, name)
            if not (isinstance(text, str) and text.strip()):
                raise ValueError(f"{name} of a card is {text!r}: expected some text")
        if self.weights is not None and not re.fullmatch(r"[0-9a-f]{64}", self.weights):
            raise ValueError(
                f"weights of a card is {self.weights!r}: expected a sha256 in hexadecimal, or None"
            )


class Method(Protocol):
    """What detectors and inpainters say of themselves.

    Attributes
    ----------
    name
        Short, in lower case, as tables show it.
    version
        Changes whenever any answer changes.
    card
        Where it comes from.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def card(self) -> Card: ...


@runtime_checkable
class Detector(Method, Protocol):
    """Anything that finds cracks. A class of its own needs no base class, only these members.

    Attributes
    ----------
    threshold
        In [0, 1]: a pixel is a crack where its score is at least this. Fixed before anything is scored.
    """

    @property
    def threshold(self) -> float:
        """The score from which on a pixel is a crack."""

    def predict(self, image: Image) -> Scores:
        """Score every pixel.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB of any H and W from 1 px on; a detector that needs tiles makes them itself.
            It is left as it is.

        Returns
        -------
        (H, W) float32 in [0, 1]; the same for the same image, whatever came before.
        """


@runtime_checkable
class ClassDetector(Detector, Protocol):
    """A detector that can tell further classes from cracks; any detector may have these two members.

    Where only cracks are asked for, `predict` is called, and where all classes are, `predict_classes` in its
    place: never both for one image.
    """

    @property
    def classes(self) -> int:
        """How many classes it tells apart, background included; of 2 only `predict` is asked."""

    def predict_classes(self, image: Image) -> ClassScores:
        """Score every pixel for each class.

        Parameters
        ----------
        image
            As for `predict`.

        Returns
        -------
        (classes, H, W) float32 in [0, 1], such as probabilities; [1] is what `predict` answers.
        """


@runtime_checkable
class Inpainter(Method, Protocol):
    """Anything that fills cracks."""

    def fill(self, image: Image, mask: Mask) -> Image:
        """Fill the pixels of a mask.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB. It is left as it is.
        mask
            (H, W) bool, True where to fill.

        Returns
        -------
        (H, W, 3) uint8 RGB, bit-identical to `image` outside the mask.
        """


class MethodError(ValueError):
    """A method that failed on an image, or gave an answer that cannot be scored.

    Attributes
    ----------
    method, image_id, problem
        Which method, on which image, and what was wrong.
    """

    def __init__(self, method: str, image_id: str, problem: str) -> None:
        super().__init__(method, image_id, problem)
        self.method, self.image_id, self.problem = method, image_id, problem

    def __str__(self) -> str:
        return f"method {self.method!r} on image {self.image_id!r}: {self.problem}"


def checked_image(image: Image) -> Image:
    """Return `image` if it is one.

    Raises
    ------
    ValueError
        If it is not (H, W, 3) uint8 of at least one pixel.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected an RGB image of shape (H, W, 3) and type uint8. Got {_form(image)}")
    return image


def count_classes(detector: Detector) -> int:
    """Return how many classes a detector tells apart: 2 for all but a `ClassDetector` that tells more.

    Raises
    ------
    ValueError
        If its ``classes`` is no whole number from 2 on.
    """
    if not isinstance(detector, ClassDetector):
        return 2
    count: object = detector.classes
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 2:
        raise ValueError(f"its classes is {count!r}, expected a whole number from 2 on")
    return int(count)


def checked_predict(detector: Detector, image: Image, image_id: str) -> Scores:
    """Return what a detector answers, if it can be scored; the detector works on a copy of the image.

    Parameters
    ----------
    detector
        Of whatever origin.
    image
        (H, W, 3) uint8 RGB.
    image_id
        What the image is called in the error.

    Raises
    ------
    MethodError
        If the detector raises, or answers with anything but (H, W) float32 in [0, 1].
    ValueError
        If `image` is none: that is not the detector's fault.
    """
    return _checked(detector.predict, detector.name, image, image_id, ())


def checked_predict_classes(detector: ClassDetector, image: Image, image_id: str) -> ClassScores:
    """Return a detector's scores of each class, as `checked_predict` those of cracks.

    Raises
    ------
    MethodError
        If the detector raises, or answers with anything but (its classes, H, W) float32 in [0, 1].
    ValueError
        If `image` is none.
    """
    return _checked(detector.predict_classes, detector.name, image, image_id, (detector.classes,))


def labels_of(scores: ClassScores, threshold: float) -> Labels:
    """Return which class each pixel is: a crack where that score is at least the threshold, as in any set.

    Elsewhere it is the class with the highest score but the cracks', the first one of equal scores. Cracks
    are thus the same pixels as those of `Detector.predict`, at any threshold. The most probable class (as in
    paper C) differs where a crack is more probable than each other class, but not as probable as the
    threshold, or the other way round.

    Parameters
    ----------
    scores
        (C, H, W) float32.
    threshold
        In [0, 1].

    Returns
    -------
    (H, W) uint8 : 0 ... C - 1.

    Examples
    --------
    >>> scores = np.array([[0.4, 0.1, 0.3], [0.5, 0.6, 0.3], [0.1, 0.3, 0.4]], np.float32)
    >>> labels_of(scores[:, None], 0.5), labels_of(scores[:, None], 0.55)
    (array([[1, 1, 2]], dtype=uint8), array([[0, 1, 2]], dtype=uint8))
    """
    best = scores[0].copy()
    labels = np.zeros(best.shape, np.uint8)
    for number in range(_CRACK + 1, len(scores)):
        labels[scores[number] > best] = number
        np.maximum(best, scores[number], out=best)
    labels[scores[_CRACK] >= threshold] = _CRACK
    return labels


def _checked(
    ask: Callable[[Image], object], method: str, image: Image, image_id: str, planes: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Ask on a copy of an image, and return the answer if it is (`planes`, H, W) float32 in [0, 1]."""
    copy = checked_image(image).copy()
    try:
        answer = ask(copy)
    except (Exception, SystemExit) as error:  # other people's code: whatever it does, the run goes on
        raise MethodError(method, image_id, f"raised {type(error).__name__}: {error}") from error
    problem = _problem(answer, (*planes, *image.shape[:2]))
    if problem or not isinstance(answer, np.ndarray):
        raise MethodError(method, image_id, problem)
    return answer


def _problem(answer: object, shape: tuple[int, ...]) -> str:
    """Say why an answer cannot be scored, or nothing."""
    if not isinstance(answer, np.ndarray) or answer.shape != shape or answer.dtype != np.float32:
        return f"expected scores of shape {shape} and type float32. Got {_form(answer)}"
    low, high = answer.min(), answer.max()
    if np.isnan(low):
        return f"expected scores in [0, 1]. Got NaN at {np.count_nonzero(np.isnan(answer))} px"
    return "" if low >= 0 and high <= 1 else f"expected scores in [0, 1]. Got {low:g} to {high:g}"


def _form(thing: object) -> str:
    return f"{thing.shape} {thing.dtype}" if isinstance(thing, np.ndarray) else type(thing).__name__
