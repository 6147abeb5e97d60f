"""What every detector of this package does, and what each is worth on real cracks.

A new detector is tested here by its line in the registry alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from baselines.protocols import Card, Detector, Image, Mask, checked_predict
from baselines.registry import BUILT_IN, get_detector, settings_of
from craqbench.metrics import DetectionCounts, detection_counts, detection_scores

NAMES = tuple(BUILT_IN)
SIZES = ((1, 1), (1, 2), (2, 1), (1, 40), (37, 1), (3, 3), (4, 5), (17, 31), (63, 257), (130, 129))

made = cache(get_detector)
every = pytest.mark.parametrize("name", NAMES)


def noise(height: int, width: int, seed: int = 0) -> Image:
    """Draw blotches with grain and a few lines."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    image = np.asarray(cv2.resize(coarse, (width, height)), np.uint8)
    for _ in range(3):
        start, end = rng.integers(0, (width, height), (2, 2)).tolist()
        cv2.line(image, start, end, rng.integers(0, 256, 3).tolist(), 2)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


@every
@pytest.mark.parametrize("size", SIZES)
def test_any_size(name: str, size: tuple[int, int]) -> None:
    """Images of any height and width are answered with float32 scores of that size in [0, 1]."""
    assert checked_predict(made(name), noise(*size), "noise").shape == size


@every
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    image=arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)), fill=st.just(9)
    )
)
def test_any_content(name: str, image: Image) -> None:
    """Whatever an image shows, the answer can be scored."""
    checked_predict(made(name), image, "drawn")


@every
def test_same_answer_every_time(name: str) -> None:
    """The same image has the same scores, whatever came before, and wherever in memory it lies."""
    image = noise(30, 30)
    first = made(name).predict(image).tobytes()
    made(name).predict(noise(50, 70, seed=1))
    assert get_detector(name).predict(image).tobytes() == first
    in_the_way = []
    for size in range(1, 100, 2):
        in_the_way.append(np.zeros(size, np.float32))
        assert made(name).predict(image.copy()).tobytes() == first


@every
def test_same_answer_on_any_number_of_threads(name: str) -> None:
    """Scores do not depend on how many threads OpenCV has."""
    before = cv2.getNumThreads()
    image = noise(200, 300)
    answers = set()
    try:
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            answers.add(made(name).predict(image).tobytes())
    finally:
        cv2.setNumThreads(before)
    assert len(answers) == 1


@every
def test_image_stays_as_it_is(name: str) -> None:
    """A detector does not paint into the image that it is given, nor needs to."""
    image = noise(40, 50)
    before = image.copy()
    image.flags.writeable = False
    made(name).predict(image)
    assert (image == before).all()


@every
def test_views(name: str) -> None:
    """A window, a mirror image or a transposed image is scored as its copy is."""
    image = noise(70, 90)
    for view in (image[5:60, 10:77], image[:, ::-1], image.transpose(1, 0, 2), image[..., ::-1]):
        expected = made(name).predict(np.ascontiguousarray(view))
        assert made(name).predict(view).tobytes() == expected.tobytes()


@every
def test_scores_are_a_new_array(name: str) -> None:
    """What is done to one answer does not change the next."""
    image = noise(30, 30)
    first = made(name).predict(image)
    expected = first.copy()
    first[:] = 0.123
    assert (made(name).predict(image) == expected).all()


@every
def test_mask_survives_storing(name: str) -> None:
    """Scores that are rounded to 255ths, as a PNG stores them, have the same mask at the same threshold."""
    detector = made(name)
    for seed in range(4):
        scores = detector.predict(noise(90, 110, seed))
        stored, threshold = np.rint(scores * 255), round(detector.threshold * 255)
        assert ((stored >= threshold) == (scores >= detector.threshold)).all()
        assert ((scores >= detector.threshold) == (scores >= np.float64(detector.threshold))).all()


@every
@pytest.mark.parametrize("value", [0, 1, 127, 255])
def test_uniform_paint(name: str, value: int) -> None:
    """Paint of one colour has no crack, whatever `all` says."""
    detector = made(name)
    found = detector.predict(np.full((40, 50, 3), value, np.uint8)) >= detector.threshold
    assert found.any() == (name == "all")


@every
@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))]
)
def test_no_image(name: str, image: Any) -> None:
    """Grey images, images with alpha and float images are refused."""
    with pytest.raises(ValueError, match="expected an RGB image"):
        made(name).predict(image)


@every
def test_card(name: str) -> None:
    """A detector has a version, a threshold in (0, 1], and a complete card; all that is JSON."""
    detector = made(name)
    assert isinstance(detector, Detector)
    assert isinstance(detector.card, Card)
    assert detector.version
    assert 0 < detector.threshold <= 1
    told = {"card": asdict(detector.card), "threshold": detector.threshold, "settings": settings_of(detector)}
    assert json.loads(json.dumps(told)) == told


CASES = tuple(name for name in NAMES if name not in {"none", "all"})


@pytest.mark.parametrize("name", CASES)
def test_finds_a_crack(name: str) -> None:
    """A dark line on light paint is found over its whole length, and nothing far from it."""
    image = np.full((80, 120, 3), 170, np.uint8)
    line = np.zeros((80, 120), np.uint8)
    cv2.polylines(line, [np.array([[10, 15], [50, 30], [110, 70]], np.int32)], False, 1, 2)
    image[line > 0] = 60
    detector = made(name)
    found = detector.predict(image) >= detector.threshold
    assert found[line > 0].mean() > 0.9
    near = cv2.dilate(line, np.ones((7, 7), np.uint8)) > 0
    assert not (found & ~near).any()


def crops(shared: Path) -> list[tuple[Image, Mask, Mask]]:
    """Read the 20 annotated crops: image, cracks, ignored."""
    folder = shared / "data" / "real" / "val"
    read = []
    for path in sorted((folder / "masks").glob("*.png")):
        image = np.asarray(cv2.imread(str(folder / "images" / path.name)), np.uint8)[..., ::-1]
        labels = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        read.append((image, labels == 255, labels == 128))
    assert len(read) == 20
    return read


def real_counts(detector: Detector, shared: Path) -> DetectionCounts:
    """Count what a detector finds on the crops, added up."""
    counts = [
        detection_counts(detector.predict(image) >= detector.threshold, truth, ignore=ignore)
        for image, truth, ignore in crops(shared)
    ]
    return sum(counts[1:], counts[0])


TABLE = [
    # name, settings, F1@2px, F1, IoU, accuracy
    # The first two were found before there was this code, and without the dilation.
    ("tophat", {"dilations": 0}, (0.534, 0.288, 0.168, 0.919)),
    ("tophat", {"dilations": 0, "polarity": "both", "level": 55}, (0.736, 0.512, 0.344, 0.894)),
    ("tophat", {}, (0.598, 0.355, 0.216, 0.889)),
    ("tophat", {"normalised": False}, (0.187, 0.151, 0.081, 0.913)),
    ("grassfire", {}, (0.735, 0.610, 0.438, 0.945)),
    ("ridge", {}, (0.856, 0.723, 0.567, 0.955)),
    ("none", {}, (0.0, 0.0, 0.0, 0.9147)),
    ("all", {}, (0.3675, 0.1572, 0.0853, 0.0853)),
]


@pytest.mark.parametrize(("name", "given", "figures"), TABLE)
def test_real_cracks(shared: Path, name: str, given: dict[str, Any], figures: tuple[float, ...]) -> None:
    """What each detector is worth on 20 annotated close-ups, none of which it was tuned on."""
    scores = detection_scores(real_counts(get_detector(name, **given), shared))
    found = [scores[figure] for figure in ("f1@2", "f1", "iou", "accuracy")]
    assert found == pytest.approx(figures, abs=1e-3)
