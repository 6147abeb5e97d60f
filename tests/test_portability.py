from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from generators.portability import coarse, plain_opencv

ROOT = Path(__file__).resolve().parents[1]

ROWS = """
import hashlib
import numpy as np
from generators.recipes import RECIPES, triplet, with_settings
small, large = (np.random.default_rng(0).integers(0, 256, (s, s, 3)).astype(np.uint8) for s in (150, 400))
dusty = {"dusty": with_settings(RECIPES["mixed"], {"close_ups": 1.0, "dusty_share": 1.0})}
for name, recipe in {**RECIPES, **dusty}.items():
    for index in range({"mixed": 8, "dusty": 4}.get(name, 2)):
        made = triplet(recipe, 0, index, (small, large)[index % 2], (433, 301))
        arrays = made.image, made.labels, made.damaged
        print(name, index, *(hashlib.sha256(array.tobytes()).hexdigest() for array in arrays))
"""

NUMPY_SIMD = " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", ()))
OPENCV_SIMD = ",".join(
    word[1:] for word in cv2.getCPUFeaturesLine().split() if word.startswith("*") and not word.endswith("?")
)
NO_SIMD = {
    "NPY_DISABLE_CPU_FEATURES": NUMPY_SIMD,
    "OPENCV_CPU_DISABLE": OPENCV_SIMD,
    "OPENBLAS_CORETYPE": "Nehalem",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-FMA4,-AVX",
}


@pytest.fixture(scope="module")
def rows_here() -> str:
    """Return the digests of some triplets of each recipe on this machine."""
    return rows({})


def rows(environment: dict[str, str]) -> str:
    """Digest the same triplets in a fresh process with other processor features."""
    done = subprocess.run(
        [sys.executable, "-c", ROWS],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param(NO_SIMD, id="oldest processor"),
        pytest.param({**NO_SIMD, "OPENCV_IPP": "disabled"}, id="oldest processor without IPP"),
        pytest.param({"OPENCV_IPP": "sse42"}, id="IPP of an old processor"),
    ],
)
def test_other_processors_make_the_same_bytes(environment: dict[str, str], rows_here: str) -> None:
    """Whatever vector instructions NumPy, OpenCV, IPP and libm can choose from, no byte changes."""
    there = rows(environment)
    assert there.splitlines() == rows_here.splitlines()
    assert len(there.splitlines()) >= 8


def test_ipp_is_off_inside_and_as_before_outside() -> None:
    """The switch is thrown back, also after a fault."""
    before = cv2.ipp.useIPP()
    with plain_opencv():
        assert not cv2.ipp.useIPP()
    assert cv2.ipp.useIPP() == before
    with pytest.raises(ZeroDivisionError), plain_opencv():
        raise ZeroDivisionError
    assert cv2.ipp.useIPP() == before


def test_coarse_factors_need_no_rounding() -> None:
    """A level times a coarse factor, and the sum of two such, are exact in float32."""
    levels = np.arange(256, dtype=np.float32)
    for factor in (coarse(0.13), coarse(1.77), coarse(-1.2)):
        single = levels * np.float32(factor)
        assert np.array_equal(single, levels.astype(np.float64) * factor)
        exact = levels[:, None].astype(np.float64) * factor + levels * (1 - factor)
        assert np.array_equal(single[:, None] + levels * np.float32(1 - factor), exact)
    assert coarse(0.5) == 0.5
    assert abs(coarse(0.777) - 0.777) <= 1 / 128
