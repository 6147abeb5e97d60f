"""The demo's detectors, all that come with weights where they can run; and the painting that it restores."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from learned_samples import write_weights

from baselines import trained
from baselines.inpainting.diffusion import Diffusion
from craqbench.cli import demo
from craqbench.configuration import Config
from craqbench.dataset import read_rows
from craqbench.generation import generate
from generators.recipes import RECIPES, with_settings


@pytest.fixture(autouse=True)
def _shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ship two detectors, and an encoder that is none."""
    for name in ("craqnet", "segformer_lora", "mit_b0_craqbench"):
        write_weights(tmp_path / f"{name}.safetensors")
    monkeypatch.setattr("baselines.weight_files.SHIPPED", tmp_path)


def test_all_that_come_with_weights() -> None:
    """Where the extra is installed, each learned detector of this package that has weights takes part."""
    assert demo._learned() == (("craqnet", "segformer_lora"), "")


def test_none_where_a_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what is left out, for want of what, and how to get it."""
    found = importlib.util.find_spec

    def absent(name: str) -> Any:
        return None if name == "peft" else found(name)

    monkeypatch.setattr(importlib.util, "find_spec", absent)
    assert trained.missing_libraries() == ["peft"]
    methods, told = demo._learned()
    assert methods == ()
    assert told.startswith("Left out: craqnet, segformer_lora, ")
    assert "for want of peft. To have them: pip install 'craqbench[models]'" in told
    assert "\n" not in told


def test_nothing_is_said_where_nothing_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the package without weights leaves nothing out."""
    monkeypatch.setattr("baselines.weight_files.SHIPPED", tmp_path / "nothing")
    assert demo._learned() == ((), "")


def test_a_painting_is_restored(tmp_path: Path) -> None:
    """One of 6 % cracks or so is filled under its true mask, grown by a px; so it is a second time."""
    dataset = tmp_path / "dataset"
    recipe = with_settings(RECIPES["paper"], {"n_curves": (1, 9)})
    generate(Config(n=4, size=(192, 128), recipe=recipe), dataset, workers=1)
    row = min(read_rows(dataset), key=lambda row: abs(row.mask.mean() - demo.TYPICAL))
    for _ in range(2):
        page = demo._restore(dataset, tmp_path / "restored")
        assert page == tmp_path / "restored" / "painting-before-after.html"
    with PIL.Image.open(tmp_path / "restored" / "painting-restored.png") as picture:
        after = np.asarray(picture)
    grown = cv2.dilate(row.mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    np.testing.assert_array_equal(after, Diffusion().fill(row.damaged, grown))
    assert grown.any()
