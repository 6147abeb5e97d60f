"""What a result says of versions, devices and precision."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from evaluation_samples import one, write_images
from toy_detectors import Dark, OnDevice

from baselines.registry import get_detector
from craqbench.evaluation_methods import describe_hardware, describe_versions

ROOT = Path(__file__).resolve().parents[1]

ALONE = """
import sys
from baselines.registry import get_detector
from craqbench.evaluation_methods import describe_versions
versions = describe_versions(get_detector("tophat"))
print("torch" in versions, "torch" in sys.modules)
"""


def test_torch_is_not_loaded_to_be_told() -> None:
    """The versions of a method without torch are told without importing it."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["False", "False"]


def test_versions_of_what_a_method_runs_on(tmp_path: Path) -> None:
    """Torch is told of learned methods and of those that hold a module of it; of others not."""
    import torch  # noqa: PLC0415  seconds, for the tests that need it
    from learned_samples import write_weights  # noqa: PLC0415  the same

    learned = get_detector("craqnet", weights=str(write_weights(tmp_path / "w.safetensors")), device="cpu")
    holding: Any = Dark()
    holding.network = torch.nn.Conv2d(3, 1, 1)
    for detector in (learned, holding):
        assert describe_versions(detector)["torch"] == torch.__version__
    for detector in (get_detector("tophat"), Dark(), OnDevice()):
        assert "torch" not in describe_versions(detector)
    assert {"numpy", "scipy", "opencv", "python"} <= set(describe_versions(learned))


def test_what_a_learned_method_really_used(tmp_path: Path) -> None:
    """A result tells the device and the precision that "auto" turned out to be, and torch."""
    from learned_samples import write_weights  # noqa: PLC0415  as above

    from baselines.inference import best_precision, find_device  # noqa: PLC0415  as above

    method = f"craqnet,weights={write_weights(tmp_path / 'w.safetensors')}"
    result = one(method, write_images(tmp_path / "scans", 2), tmp_path / "out").result
    device = find_device("auto")
    assert result.hardware.device == str(device)
    assert result.method.settings["precision"] == best_precision(device)
    assert "torch" in result.versions


def test_the_model_of_a_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch sees a GPU and the method is on it, its model is told; else nothing."""
    cuda = SimpleNamespace(is_available=lambda: True, get_device_name=lambda device: f"Model of {device}")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert describe_hardware(OnDevice(device="cuda:1")).accelerator == "Model of cuda:1"
    assert describe_hardware(OnDevice(device="cpu")).accelerator is None
    assert describe_hardware(Dark()).accelerator is None
    cuda.is_available = lambda: False
    assert describe_hardware(OnDevice(device="cuda")).accelerator is None
