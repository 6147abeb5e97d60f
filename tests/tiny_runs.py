"""What tests of training share: runs that are killed, and runs that are compared."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from baselines.checkpoints import unpack
from baselines.weights import load_weights

__all__ = ["assert_same_run", "kill_between_checkpoints", "losses"]

ROOT = Path(__file__).resolve().parents[1]


def losses(out: Path) -> dict[int, float]:
    """Return the loss curve of a run: step -> loss."""
    with (out / "steps.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["step"] for row in rows}) == len(rows), "a step is listed twice"
    return {int(row["step"]): float(row["loss"]) for row in rows}


def assert_same_run(one: Path, other: Path) -> None:
    """Both runs took the same steps, to 1e-6, and ended with the same weights."""
    ours, theirs = losses(one), losses(other)
    assert ours.keys() == theirs.keys()
    assert max(abs(ours[step] - theirs[step]) for step in ours) <= 1e-6
    first, second = (load_weights(out / "tiny.safetensors")[0] for out in (one, other))
    assert first.keys() == second.keys()
    for name in first:
        assert torch.allclose(first[name], second[name], atol=1e-6), name


def kill_between_checkpoints(script: str, out: Path, source: Path) -> None:
    """Run a script of tests until six of twelve steps are done, and kill it: a checkpoint is left."""
    command = [sys.executable, str(ROOT / "tests" / script), str(out), str(source), "{}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while _rows(out) < 6 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "tiny.safetensors").exists()
    assert unpack(out / "checkpoint.safetensors")[1]["trainer"]["step"] in (4, 8)


def _rows(out: Path) -> int:
    path = out / "steps.csv"
    return path.read_text().count("\n") - 1 if path.exists() else 0
