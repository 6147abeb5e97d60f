"""What a detector costs beside the bare forward pass of its network, whole and in tiles; and GPU frames.

    python tests/benchmarks/bench_inference.py [METHOD] [DEVICE] [LARGEST SIZE]

The network has random weights, which cost as much as others. Bare pass and detector take turns, several
times, and the least of each counts. On the CPU it is CPU time: other work on the machine counts little.
Wanted: at most 1.15 x for what is run whole. What is larger than a tile is compared with one pass over all of
it; what the overlaps of the tiles cost is then part of the ratio. On a GPU, frames of 512 x 512 px per second
follow, which paper C gives as 37.57 for its Res-UNet on a GTX 1080 Ti.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from baselines.architectures import make_network
from baselines.inference import Runner, best_precision, find_device
from baselines.protocols import Image

SIZES = (512, 1024, 1600, 3000)
REPEATS = 3


def draw(side: int) -> Image:
    """Draw noise."""
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def bare(runner: Runner, side: int) -> Callable[[], object]:
    """Return one forward pass over an image that is on the device already, in the layout that suits it."""
    stride = runner.network.stride
    side = -(-side // stride) * stride
    image = torch.rand(1, 3, side, side, device=runner.device).contiguous(memory_format=torch.channels_last)
    hint = torch.ones(1, 1, side, side, device=runner.device) if runner.network.detector_channel else None

    def run() -> object:
        enabled = runner.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast(runner.device.type, torch.bfloat16, enabled=enabled):
            return runner.network(image, hint)

    return run


def seconds(runner: Runner, work: Callable[[], object]) -> float:
    """Return how long it takes: CPU time of all threads, or time on the wall until a GPU is done."""
    if runner.device.type == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize(runner.device)
    start = time.perf_counter()
    work()
    torch.cuda.synchronize(runner.device)
    return time.perf_counter() - start


def report(runner: Runner, side: int) -> None:
    """Print the cost of both, in turns."""
    image, passes = draw(side), bare(runner, side)
    works: tuple[Callable[[], object], ...] = (passes, lambda: runner.run(image))
    for work in works:
        work()
    found = np.array([[seconds(runner, work) for work in works] for _ in range(REPEATS)])
    alone, whole = found.min(axis=0)
    kind = "in tiles" if side > runner.tile else "whole"
    print(
        f"{side:5} px {kind:8}  bare {alone:8.4f} s  detector {whole:8.4f} s  {whole / alone:.3f} x",
        flush=True,
    )
    if runner.device.type == "cuda" and side == 512:
        print(f"         {1 / whole:.1f} frames of 512 x 512 px per second, bare {1 / alone:.1f}")


def main(method: str = "craqnet", device: str = "auto", largest: str = "3000") -> None:
    """Measure and print."""
    where = find_device(device)
    if where.type == "cpu":
        torch.set_num_threads(1)
    for precision in dict.fromkeys((best_precision(where), "float32")):
        runner = Runner(network=make_network(method), device=where, precision=precision)
        name = torch.cuda.get_device_name(where) if where.type == "cuda" else "CPU, 1 thread"
        print(f"{method}, {precision}, {name}, torch {torch.__version__}")
        for side in SIZES[: SIZES.index(int(largest)) + 1]:
            report(runner, side)


if __name__ == "__main__":
    main(*sys.argv[1:])
