"""Train a network on synthetic cracks, made while it learns: to find them, or to fill them.

A run is a folder. It is known again by the digest of its options, paintings and code; after an interruption
of any kind it goes on from its last checkpoint, and does the very same steps.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2

from baselines.architectures import make_network
from baselines.inpainting.architectures import make_inpainting_network
from baselines.inpainting.learned import LearnedInpainter
from baselines.learned import LearnedDetector
from baselines.networks import Segmenter
from baselines.trained import needs_torch
from baselines.training import Network, is_out_of_memory, seed_weights, use_threads
from craqbench.errors import CraqbenchError, UsageError
from craqbench.evaluation_methods import describe_hardware
from craqbench.training_card import origin_of
from craqbench.training_data import Learnt, Wanted, from_dataset, from_source
from craqbench.training_options import INPAINT, Execution, TrainingOptions, claim_run
from craqbench.training_run import Run, State, Trained
from craqbench.training_tasks import TASKS

if TYPE_CHECKING:
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
    threads = execution.threads or describe_hardware(cast("Any", None)).cores
    use_threads(threads)
    cv2.setNumThreads(1)
    name, network = _make(options)
    options = _settled(options, network)
    learnt = _open_data(options, max(threads, execution.workers), network, progress)
    told = {"command": execution.command, "pretrained": origin_of(network)}
    code = _code_of(network, TASKS[options.task].network)
    claimed = claim_run(out, options, learnt.digest, code, **told)
    with claimed as claim, _memory_explained(options):
        return Run(options, claim, learnt, network, name, execution.device).go(execution, report)


def _make(options: TrainingOptions) -> tuple[str, Network]:
    """Return what the network is called, and the network."""
    fills = options.task == INPAINT
    settings = {**({} if fills else {"classes": options.classes}), **options.switches}
    if options.base is not None:
        settings["base"] = options.base
    try:
        with needs_torch(options.method):
            own = _own_class(options.method, TASKS[options.task].own) if ":" in options.method else None
            seed_weights(options.seed)
            if own is not None:
                return own.name, own.network(**settings)
            make = make_inpainting_network if fills else make_network
            return options.method, make(options.method, **settings)
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error


def _own_class(
    method: str, kind: type[LearnedDetector | LearnedInpainter]
) -> type[LearnedDetector | LearnedInpainter]:
    """Return the class that ``package.module:Class`` names, of this kind."""
    module, _, called = method.partition(":")
    try:
        found: object = getattr(importlib.import_module(module), called)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"method {method!r} cannot be imported: {error}: expected package.module:Class, of an installed "
            "package or in a folder on PYTHONPATH"
        ) from error
    if isinstance(found, type) and issubclass(found, kind) and found.name:
        return found
    expected = f"{kind.__module__}.{kind.__name__}"
    raise UsageError(f"method {method!r}: expected a subclass of {expected} with a name")


def _code_of(network: Network, base: type[Network]) -> list[Path]:
    """Return the files that define a network: its class's, and those of what it is derived from."""
    kinds = type(network).__mro__
    own = kinds[: kinds.index(base)]
    found = [inspect.getsourcefile(kind) for kind in own]
    return [Path(file) for file in dict.fromkeys(found) if file]


def _settled(options: TrainingOptions, network: Network) -> TrainingOptions:
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
    options: TrainingOptions, processes: int, network: Network, progress: Progress | None
) -> Learnt:
    wanted = Wanted(
        seed=options.seed,
        crop=options.crop or 0,
        classes=options.classes,
        hinted=isinstance(network, Segmenter) and network.detector_channel,
        task=options.task,
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
        workers=processes,
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
