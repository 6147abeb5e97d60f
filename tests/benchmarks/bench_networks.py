"""What a step of training costs: time of a processor beside craqnet's, and memory, for each network.

    python tests/benchmarks/bench_networks.py [NETWORK ...]

Each network has a process of its own, with one thread, the batch and crop that it is used to, and a craqnet
before it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import warnings

import numpy as np

STEPS = 3


def main() -> None:
    """Print a table."""
    print(f"{'network':16} {'parameters':>10} {'time':>6} {'MB of a step':>12}")
    for name in sys.argv[1:] or _networks():
        _, least, _ = _measured("craqnet")
        parameters, seconds, memory = _measured(name)
        print(f"{name:16} {parameters / 1e6:8.1f} M {seconds / least:6.1f} {memory / 1e6:12.0f}", flush=True)


def _networks() -> list[str]:
    from baselines.architectures import ARCHITECTURES  # noqa: PLC0415  a child needs one of them

    return list(ARCHITECTURES)


def _measured(name: str) -> tuple[float, float, float]:
    """Return parameters, seconds and bytes, measured in a process of its own."""
    line = [sys.executable, __file__, "--measure", name]
    told = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()[-3:]
    return float(told[0]), float(told[1]), float(told[2])


def measure(name: str) -> None:
    """Print parameters, the seconds of the quickest step, and the bytes that steps took."""
    warnings.simplefilter("ignore")
    from baselines.architectures import make_network  # noqa: PLC0415  not in the parent
    from baselines.schedules import Schedule  # noqa: PLC0415  the same
    from baselines.training import Batch, Trainer, use_threads  # noqa: PLC0415  the same

    use_threads(1)
    network = make_network(name)
    shape = (network.habits.batch, network.habits.crop, network.habits.crop)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    labels = (rng.random(shape) < 0.05).astype(np.uint8)
    batch = Batch(images, labels, labels if network.detector_channel else None)
    trainer = Trainer(network, Schedule(steps=100, lr=1e-4), "cpu")
    before, taken = _peak(), []
    for _ in range(STEPS):
        started = time.process_time()
        trainer.learn(batch)
        taken.append(time.process_time() - started)
    print(sum(p.numel() for p in network.parameters()), min(taken), _peak() - before)


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2])
    else:
        os.environ["OMP_NUM_THREADS"] = "1"
        main()
