from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import canvases
from generators.canvases import CANVAS_VERSION, GENRES, SMALLEST, canvas, numbered_canvas
from generators.triplets import Image, Size, random_stream

Grey = npt.NDArray[np.uint8]

SIZE = (320, 200)
MANY = 30


@pytest.fixture(scope="module")
def many() -> list[Image]:
    """Return the first canvases of a seed."""
    return [numbered_canvas(0, index, SIZE) for index in range(MANY)]


def grey(image: Image) -> Grey:
    """Return the luminance."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def spectral_slope(image: Grey) -> float:
    """Slope of log power over log frequency: 0 for white noise, about -2.6 for photographs of paintings."""
    n = min(image.shape)
    window = np.outer(np.hanning(n), np.hanning(n))
    power = np.abs(np.fft.fft2((image[:n, :n] - image[:n, :n].mean()) * window)) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(n) * n, np.fft.fftfreq(n) * n))
    rings = np.arange(2, n // 4)
    means = [power[(radius >= ring) & (radius < ring + 1)].mean() for ring in rings]
    return float(np.polyfit(np.log(rings), np.log(means), 1)[0])


def dark_network(image: Grey) -> float:
    """Share of the picture that thin dark structures cover which stretch over 0.4 short sides or more."""
    ring = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    thin = cv2.morphologyEx(image, cv2.MORPH_BLACKHAT, ring) > np.maximum(10, 0.15 * image)
    _, _, parts, _ = cv2.connectedComponentsWithStats(thin.astype(np.uint8), connectivity=8)
    extent, fill = parts[1:, 2:4].max(1), parts[1:, 4] / (parts[1:, 2] * parts[1:, 3])
    return float(parts[1:, 4][(extent > 0.4 * min(image.shape)) & (fill < 0.3)].sum() / image.size)


def cracked(image: Image, rng: np.random.Generator) -> Image:
    """Return the picture with a network of thin dark cracks drawn over it."""
    h, w = image.shape[:2]
    plane = cv2.Subdiv2D((0, 0, w, h))
    for x, y in rng.uniform(1, (w - 1, h - 1), (30, 2)).tolist():
        plane.insert((x, y))
    mask = np.zeros((h, w), np.uint8)
    for facet in plane.getVoronoiFacetList([])[0]:
        cv2.polylines(mask, [np.rint(facet).astype(np.int32)], True, (255,), 1)
    return np.where(mask[..., None] > 0, image // 2, image)


@settings(max_examples=12, derandomize=True, deadline=None)
@given(width=st.integers(SMALLEST, 320), height=st.integers(SMALLEST, 320), index=st.integers(0, 2**31))
def test_shape(width: int, height: int, index: int) -> None:
    """A canvas of any size is contiguous 8-bit RGB of that size."""
    image = numbered_canvas(1, index, (width, height))
    assert image.shape == (height, width, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


def test_numbered_is_stream_zero() -> None:
    """Canvas `index` of a seed is drawn from number 0's stream, which no recipe uses."""
    assert np.array_equal(numbered_canvas(4, 9, SIZE), canvas(SIZE, rng=random_stream(4, 0, 9)))


def test_same_stream_same_bytes() -> None:
    """A canvas is a pure function of stream and size, whatever was painted before it."""
    first = numbered_canvas(0, 5, SIZE)
    numbered_canvas(0, 6, (97, 64))
    assert np.array_equal(first, numbered_canvas(0, 5, SIZE))


def test_threads_do_not_matter() -> None:
    """OpenCV's threads change no byte."""
    before = cv2.getNumThreads()
    try:
        painted = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            painted.append([numbered_canvas(0, index, (400, 300)) for index in range(4)])
    finally:
        cv2.setNumThreads(before)
    assert all(np.array_equal(a, b) for a, b in zip(*painted, strict=True))


def test_older_processor_same_bytes() -> None:
    """A processor without the vector instructions of this one paints the same bytes."""
    count, size = 16, (160, 120)
    program = (
        "import hashlib; from generators.canvases import numbered_canvas\n"
        f"for i in range({count}): print(hashlib.sha256(numbered_canvas(2, i, {size}).tobytes()).hexdigest())"
    )
    older = {
        "OPENCV_CPU_DISABLE": "AVX2,FMA3,AVX,FP16",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Nehalem",
        "PYTHONPATH": str(Path(canvases.__file__).parents[1]),
    }
    run = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | older, capture_output=True, text=True, check=True
    )
    here = [hashlib.sha256(numbered_canvas(2, i, size).tobytes()).hexdigest() for i in range(count)]
    assert run.stdout.split() == here


def test_no_two_alike(many: list[Image]) -> None:
    """Canvases of other numbers, and of another seed, are other pictures, not shades of one."""
    for a, b in pairwise([*many, numbered_canvas(1, 0, SIZE)]):
        assert np.abs(a.astype(np.int16) - b).mean() > 6


def test_from_nearly_black_to_light(many: list[Image]) -> None:
    """The canvases' mean luminances spread as wide as those of old paintings."""
    means = np.array([grey(image).mean() for image in many])
    assert means.std() > 20
    assert means.min() < 50
    assert means.max() > 105


def test_warm_and_cool(many: list[Image]) -> None:
    """Old paintings are warm on the whole, and some are not."""
    warmth = np.array([image[..., 0].mean() - image[..., 2].mean() for image in many])
    assert np.median(warmth) > 5
    assert warmth.min() < 5
    assert warmth.max() > 30


def test_neither_flat_nor_noise(many: list[Image]) -> None:
    """Each canvas has tones, and they are spread over the frequencies as in pictures, not as in noise."""
    for image in many:
        assert grey(image).std() > 5
        assert -3.8 < spectral_slope(grey(image)) < -1.7


def test_spectrum_of_real_paintings(many: list[Image], shared: Path) -> None:
    """The median spectral slope is that of real paintings within 0.25."""
    files = sorted((shared / "data" / "paintings").glob("*.jpg"))[::4]
    real = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    small = [
        np.asarray(cv2.resize(p, SIZE, interpolation=cv2.INTER_AREA), np.uint8) for p in real if p is not None
    ]
    slopes = [
        float(np.median([spectral_slope(p) for p in pictures])) for pictures in (map(grey, many), small)
    ]
    assert slopes[0] == pytest.approx(slopes[1], abs=0.25)


def test_no_crack_network(many: list[Image]) -> None:
    """Nothing on a canvas looks like craquelure to a black-hat filter, which sees drawn cracks well."""
    rng = np.random.default_rng(0)
    clean = np.array([dark_network(grey(image)) for image in many])
    broken = np.array([dark_network(grey(cracked(image, rng))) for image in many])
    assert np.median(clean) < 0.25 * np.median(broken)
    assert clean.max() < np.median(broken)


@pytest.mark.parametrize("genre", GENRES, ids=lambda genre: genre.compose.__name__)
@pytest.mark.parametrize("size", [(64, 64), (64, 300), (300, 64), (120, 150)])
def test_every_genre_fits_every_format(
    genre: canvases.Genre, size: Size, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each genre can be painted at the smallest size and in narrow formats, without a warning."""
    monkeypatch.setattr(canvases, "GENRES", (genre,))
    for index in range(3):
        assert canvas(size, rng=random_stream(3, 0, index)).std() > 1


@pytest.mark.parametrize("size", [(63, 64), (640, 12), (0, 0)])
def test_too_small(size: Size) -> None:
    """A size under the smallest is refused with both sizes in the message."""
    with pytest.raises(ValueError, match=rf"at least 64 x 64 px: got {size[0]}x{size[1]}"):
        canvas(size, rng=np.random.default_rng(0))


def test_version() -> None:
    """A change of what is painted raises the version: these are version 1's mean colours."""
    assert CANVAS_VERSION == 1
    means = [numbered_canvas(0, index, SIZE).mean((0, 1)) for index in range(len(VERSION_1))]
    assert np.abs(np.array(means) - VERSION_1).max() < 0.2


VERSION_1 = (
    (98.3, 52.3, 46.0),
    (147.6, 134.9, 107.1),
    (129.0, 113.5, 95.6),
    (52.4, 34.9, 25.6),
    (80.1, 69.7, 57.4),
    (85.3, 71.4, 50.2),
)
