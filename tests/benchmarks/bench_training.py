"""A step of `craqbench train` beside the same step on a batch that is held in memory, in turns.

    python tests/benchmarks/bench_training.py [METHOD [WORKERS [THREADS [STEPS]]]]

Wanted: at most 1.25 times as long on two CPU cores.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from baselines.architectures import make_network
from baselines.schedules import Schedule
from baselines.training import Batch, Trainer, use_threads
from craqbench.training_data import Wanted, from_source
from craqbench.training_feed import AHEAD, Feed, Stack
from generators.recipes import RECIPES

PAINTINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "paintings"
ROUNDS = 5


def main() -> None:
    """Print milliseconds of a step, made and held, and their ratio."""
    given = dict(enumerate(sys.argv[1:]))
    cores = len(os.sched_getaffinity(0))
    method, workers = given.get(0, "craqnet"), int(given.get(1, cores))
    threads, steps = int(given.get(2, cores)), int(given.get(3, 12))
    use_threads(threads)
    network = make_network(method)
    source = str(PAINTINGS) if PAINTINGS.is_dir() else "procedural"
    wanted = Wanted(seed=0, crop=256, hinted=network.detector_channel)
    learnt = from_source(source, RECIPES["mixed"], wanted, workers=cores)
    started = time.perf_counter()
    for number in range(16):
        learnt.maker(number)
    making = (time.perf_counter() - started) / 16
    trainer = Trainer(network, Schedule(steps=100_000, lr=1e-4), "cpu")
    made, held = list[float](), list[float]()
    with Feed(learnt.maker, 8, 0, workers) as feed:
        kept = _batch(feed.take())
        for _ in range(ROUNDS):
            # What lies ready was made for free: steps count from where the workers must keep up.
            for _ in range(AHEAD + 1):
                trainer.learn(_batch(feed.take()))
            made += [_timed(lambda: trainer.learn(_batch(feed.take()))) for _ in range(steps)]
            time.sleep(2 * AHEAD * 8 * making / workers)  # until the ring is full and the workers rest
            held += [_timed(lambda: trainer.learn(kept)) for _ in range(steps)]
    with_feed, without = statistics.mean(made), statistics.mean(held)
    told = f"{method}, {threads} threads, {workers} workers, {trainer.precision}"
    print(f"{told}: a triplet takes {1000 * making:.1f} ms, a step of 8")
    print(f"  {1000 * with_feed:.0f} ms on triplets made meanwhile, {1000 * without:.0f} ms on held ones")
    print(f"ratio {with_feed / without:.3f}")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _batch(stack: Stack) -> Batch:
    return Batch(stack.images, stack.labels, stack.hints)


if __name__ == "__main__":
    main()
