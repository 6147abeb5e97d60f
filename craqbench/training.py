"""Train a detector on synthetic cracks, made while it learns.

A run is a folder. It is known again by the digest of its options, paintings and code; after an interruption
of any kind it goes on from its last checkpoint, and does the very same steps.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2

from baselines.architectures import make_network
from baselines.training import is_out_of_memory, seed_weights, use_threads
from craqbench.errors import CraqbenchError, UsageError
from craqbench.evaluation_methods import describe_hardware
from craqbench.training_data import Learnt, Wanted, from_dataset, from_source
from craqbench.training_options import Execution, TrainingOptions, claim_run
from craqbench.training_run import Run, State, Trained

if TYPE_CHECKING:
    from baselines.networks import Segmenter
    from craqbench.engines import Progress

__all__ = ["State", "Trained", "train"]


def train(
    options: TrainingOptions,
    out: Path,
    execution: Execution | None = None,
    *,
    report: Callable[[State], None] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train, or go on, or find that all is done.

    Parameters
    ----------
    options
        What is trained, on what.
    out
        Folder of the run.
    execution
        How it is done.
    report
        Called after each step.
    progress
        Called while paintings are read.

    Raises
    ------
    UsageError
        If an option cannot be used, or the folder is that of another run or in use.
    CraqbenchError
        If the loss is no longer a number, memory runs out, or a worker dies.
    KeyboardInterrupt
        After Ctrl-C, when the step is finished and a checkpoint is written.
    """
    execution = execution or Execution()
    use_threads(execution.threads or describe_hardware(cast("Any", None)).cores)
    cv2.setNumThreads(1)
    network = _make(options)
    options = _settled(options, network)
    learnt = _open_data(options, execution, network, progress)
    claimed = claim_run(out, options, learnt.digest, _code_of(network), execution.command)
    with claimed as claim, _memory_explained(options):
        return Run(options, claim, learnt, network, execution.device).go(execution, report)


def _make(options: TrainingOptions) -> Segmenter:
    seed_weights(options.seed)
    try:
        return make_network(options.method, classes=options.classes, base=options.base, **options.switches)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _code_of(network: Segmenter) -> list[Path]:
    """Return the file that defines a network."""
    source = inspect.getsourcefile(type(network))
    return [Path(source)] if source else []


def _settled(options: TrainingOptions, network: Segmenter) -> TrainingOptions:
    """Fill in what was left to the network, and check what only it can tell."""
    habits = network.habits
    crop = options.crop or habits.crop
    if crop % network.stride:
        raise UsageError(f"crop {crop}: expected a multiple of {network.stride} px for {options.method}")
    return replace(
        options,
        crop=crop,
        batch=options.batch or habits.batch,
        lr=options.lr or habits.lr,
        final_lr=options.final_lr or habits.final_lr,
        epoch=min(options.steps, options.steps_per_epoch),
    )


def _open_data(
    options: TrainingOptions, execution: Execution, network: Segmenter, progress: Progress | None
) -> Learnt:
    wanted = Wanted(
        seed=options.seed,
        crop=options.crop or 0,
        classes=options.classes,
        hinted=network.detector_channel,
    )
    if options.data is not None:
        return from_dataset(Path(options.data), wanted, progress)
    return from_source(
        options.source,
        options.recipe,
        wanted,
        size=options.size,
        fit=options.fit,
        paintings=options.paintings,
        workers=max(1, execution.workers),
        progress=progress,
    )


@contextlib.contextmanager
def _memory_explained(options: TrainingOptions) -> Iterator[None]:
    """Suggest a batch size where memory runs out."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        batch = options.batch or 1
        hint = f"--batch {batch // 2}" if batch > 1 else f"a --crop below {options.crop}"
        told = f"out of memory at {batch} x {options.crop} x {options.crop} px"
        raise CraqbenchError(
            f"{told}: expected a smaller batch, such as {hint}, and another --out"
        ) from error
