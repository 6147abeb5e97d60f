"""The demo's detectors: all that come with weights where they can run, and a line about them where not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from learned_samples import write_weights

from baselines import learned
from craqbench.cli import demo


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
    assert learned.missing_libraries() == ["peft"]
    methods, told = demo._learned()
    assert methods == ()
    assert told.startswith("Left out: craqnet, segformer_lora, ")
    assert "for want of peft. To have them: pip install 'craqbench[models]'" in told
    assert "\n" not in told


def test_nothing_is_said_where_nothing_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the package without weights leaves nothing out."""
    monkeypatch.setattr("baselines.weight_files.SHIPPED", tmp_path / "nothing")
    assert demo._learned() == ((), "")
