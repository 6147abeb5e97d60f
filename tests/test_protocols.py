"""What detectors say of themselves, and which answers can be scored."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.constant import AllCrack, NoCrack
from baselines.protocols import (
    Card,
    ClassDetector,
    Detector,
    Image,
    Inpainter,
    Mask,
    MethodError,
    checked_image,
    checked_predict,
    checked_predict_classes,
    count_classes,
    labels_of,
)

CARD = Card(training_data="none", licence="MIT", reference="a test")
IMAGE: Image = np.full((3, 5, 3), 7, np.uint8)


@dataclass(frozen=True)
class Answering:
    """A detector that answers whatever it is told to."""

    answer: Callable[[Image], Any]
    name: ClassVar[str] = "answering"
    version: ClassVar[str] = "1"
    threshold: ClassVar[float] = 0.5
    card: ClassVar[Card] = CARD

    def predict(self, image: Image) -> Any:
        """Answer."""
        return self.answer(image)


@dataclass(frozen=True)
class Telling(Answering):
    """The same, for each class."""

    classes: Any = 3

    def predict_classes(self, image: Image) -> Any:
        """Answer."""
        return self.answer(image)


def scores(value: float, shape: tuple[int, ...] = (3, 5), dtype: str = "f4") -> npt.NDArray[Any]:
    """Return an array of one value."""
    return np.full(shape, value, dtype)


def with_one(value: float) -> npt.NDArray[np.float32]:
    """Return good scores but for one pixel."""
    answer = np.full((3, 5), 0.5, np.float32)
    answer[1, 2] = value
    return answer


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_good_answers_pass(value: float) -> None:
    """Float32 scores of the image's size in [0, 1], both ends included, are returned as they are."""
    answer = checked_predict(Answering(lambda _: scores(value)), IMAGE, "a")
    assert answer.dtype == np.float32
    assert (answer == np.float32(value)).all()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda: scores(0, (5, 3)), "expected scores of shape (3, 5) and type float32. Got (5, 3) float32"),
        (lambda: scores(0, (3, 5, 1)), "Got (3, 5, 1) float32"),
        (lambda: scores(0, (0, 5)), "Got (0, 5) float32"),
        (lambda: scores(0, dtype="f8"), "Got (3, 5) float64"),
        (lambda: scores(0, dtype="?"), "Got (3, 5) bool"),
        (lambda: [[0.0] * 5] * 3, "Got list"),
        (lambda: None, "Got NoneType"),
        (lambda: with_one(np.nan), "expected scores in [0, 1]. Got NaN at 1 px"),
        (lambda: with_one(np.inf), "expected scores in [0, 1]. Got 0.5 to inf"),
        (lambda: with_one(1.5), "Got 0.5 to 1.5"),
        (lambda: with_one(-0.25), "Got -0.25 to 0.5"),
        (lambda: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda: exit_with(3), "raised SystemExit: 3"),
    ],
)
def test_bad_answers_name_method_and_image(answer: Callable[[], Any], problem: str) -> None:
    """An answer that cannot be scored, or none, is an error with the method's name and the image's id."""
    detector = Answering(lambda _: answer())
    with pytest.raises(MethodError, match=re.escape(problem)) as caught:
        checked_predict(detector, IMAGE, "dutch_0021")
    assert str(caught.value).startswith("method 'answering' on image 'dutch_0021': ")
    assert (caught.value.method, caught.value.image_id) == ("answering", "dutch_0021")


def test_good_answers_for_each_class_pass() -> None:
    """Float32 scores of as many planes as the detector tells classes are returned as they are."""
    answer = np.linspace(0, 1, 45, dtype=np.float32).reshape(3, 3, 5)
    assert checked_predict_classes(Telling(lambda _: answer), IMAGE, "a") is answer


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            lambda: scores(0, (2, 3, 5)),
            "expected scores of shape (3, 3, 5) and type float32. Got (2, 3, 5) float32",
        ),
        (lambda: scores(0, (3, 5)), "Got (3, 5) float32"),
        (lambda: scores(0, (3, 5, 3)), "Got (3, 5, 3) float32"),
        (lambda: scores(1, (3, 5), "u1"), "Got (3, 5) uint8"),
        (lambda: scores(0, (3, 3, 5), "f8"), "Got (3, 3, 5) float64"),
        (lambda: scores(np.nan, (3, 3, 5)), "expected scores in [0, 1]. Got NaN at 45 px"),
        (lambda: scores(-0.5, (3, 3, 5)), "expected scores in [0, 1]. Got -0.5 to -0.5"),
        (lambda: None, "Got NoneType"),
        (lambda: 1 / 0, "raised ZeroDivisionError: division by zero"),
    ],
)
def test_bad_answers_for_each_class(answer: Callable[[], Any], problem: str) -> None:
    """An answer that is not that of as many classes is an error with the method's name and the image's id."""
    with pytest.raises(MethodError, match=re.escape(problem)) as caught:
        checked_predict_classes(Telling(lambda _: answer()), IMAGE, "dutch_0021")
    assert (caught.value.method, caught.value.image_id) == ("answering", "dutch_0021")


def test_how_many_classes() -> None:
    """A detector tells two classes apart unless it has both members and says more."""
    assert count_classes(Answering(lambda _: None)) == count_classes(NoCrack()) == 2
    assert not isinstance(NoCrack(), ClassDetector)
    told = [count_classes(Telling(lambda _: None, classes=n)) for n in (2, 3, np.int64(3))]
    assert told == [2, 3, 3]


@pytest.mark.parametrize("classes", [1, 0, -3, 2.0, "3", None, True, ["a", "b"]])
def test_no_number_of_classes(classes: Any) -> None:
    """What is no whole number from 2 on is quoted."""
    with pytest.raises(ValueError, match=re.escape(f"its classes is {classes!r}, expected a whole number")):
        count_classes(Telling(lambda _: None, classes=classes))


@given(seed=st.integers(0, 10_000), classes=st.integers(2, 5), threshold=st.sampled_from((0, 0.3, 0.5, 1)))
@settings(max_examples=50, derandomize=True, deadline=None)
def test_label_maps(seed: int, classes: int, threshold: float) -> None:
    """Cracks are where their score is high enough; elsewhere is the surest other class, the first of ties."""
    planes = np.asarray(np.random.default_rng(seed).integers(0, 5, (classes, 4, 6)) / 4, np.float32)
    labels = labels_of(planes, threshold)
    assert labels.dtype == np.uint8
    for place in np.ndindex(4, 6):
        found = {number: float(planes[(number, *place)]) for number in range(classes)}
        is_crack = found.pop(1) >= threshold
        assert labels[place] == (1 if is_crack else max(found, key=found.__getitem__))


def exit_with(code: int) -> None:
    """Do what a script would do, and no method should."""
    raise SystemExit(code)


def test_a_stop_is_no_fault_of_the_method() -> None:
    """Ctrl-C is passed on."""

    def stop(_: Image) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checked_predict(Answering(stop), IMAGE, "a")


def test_detectors_work_on_a_copy() -> None:
    """A method that paints into its image spoils nothing for the next one."""

    def paint(image: Image) -> npt.NDArray[np.float32]:
        image[:] = 0
        return np.zeros(image.shape[:2], np.float32)

    image = IMAGE.copy()
    checked_predict(Answering(paint), image, "a")
    assert (image == IMAGE).all()


def test_errors_cross_processes() -> None:
    """An error survives pickling with all it says."""
    error = MethodError("m", "i", "p")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (str(copy), copy.method, copy.image_id, copy.problem) == (str(error), "m", "i", "p")
    assert isinstance(copy, ValueError)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (4, 4, 1), (0, 4, 3), (4, 0, 3)])
def test_no_image(shape: tuple[int, ...]) -> None:
    """What is not RGB of at least one pixel is refused, and nobody's method is blamed."""
    with pytest.raises(ValueError, match=re.escape(f"Got {shape} uint8")) as caught:
        checked_predict(NoCrack(), np.zeros(shape, np.uint8), "a")
    assert not isinstance(caught.value, MethodError)


def test_image_of_another_type() -> None:
    """Float images are refused."""
    image: Any = np.zeros((4, 4, 3), np.float32)
    with pytest.raises(ValueError, match=r"expected an RGB image of shape .* type uint8"):
        checked_image(image)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("training_data", ""),
        ("licence", "  "),
        ("reference", None),
        ("weights", "abc"),
        ("weights", "A" * 64),
    ],
)
def test_incomplete_card(field: str, value: Any) -> None:
    """A card without a text, or with weights that are no digest, cannot be made."""
    card: dict[str, Any] = {"training_data": "none", "licence": "MIT", "reference": "a test", field: value}
    with pytest.raises(ValueError, match=f"{field} of a card is {value!r}"):
        Card(**card)


def test_card_with_weights() -> None:
    """A sha256 is a digest."""
    digest = "0123456789abcdef" * 4
    assert Card(training_data="x", licence="MIT", reference="x", weights=digest).weights == digest


def test_detectors_need_no_base_class() -> None:
    """Whatever has the members is a detector; whatever lacks one is not."""
    detectors: list[Detector] = [NoCrack(), AllCrack(), Answering(lambda _: None)]
    assert all(isinstance(detector, Detector) for detector in detectors)
    assert not isinstance(object(), Detector)


def test_inpainters_need_no_base_class() -> None:
    """Whatever has the members is an inpainter."""

    class Leaving:
        name, version, card = "leaving", "1", CARD

        def fill(self, image: Image, mask: Mask) -> Image:
            return image if mask.any() else image.copy()

    inpainter: Inpainter = Leaving()
    assert isinstance(inpainter, Inpainter)
    assert not isinstance(NoCrack(), Inpainter)


@pytest.mark.parametrize(("detector", "score"), [(NoCrack(), 0.0), (AllCrack(), 1.0)])
def test_sanity_rows(detector: Detector, score: float) -> None:
    """`none` scores 0 everywhere, `all` scores 1."""
    assert (detector.predict(IMAGE) == score).all()
    assert (detector.predict(IMAGE) >= detector.threshold).all() == bool(score)
