"""A training run in progress: steps, epochs, checkpoints, and what it leaves at the end."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from baselines.checkpoints import pack, unpack
from baselines.schedules import Schedule
from baselines.training import Batch, NotFiniteError, Trainer
from baselines.weight_files import WeightsError, read_card, read_header
from baselines.weights import save_weights
from craqbench.contact_sheet import write_png
from craqbench.errors import CraqbenchError, StorageError, UsageError
from craqbench.evaluation_methods import describe_hardware
from craqbench.storage import remove_leftovers, write_file
from craqbench.training_card import card_of, origin_of, readme
from craqbench.training_feed import Feed, Stack
from craqbench.training_log import Log, prediction_sheet
from craqbench.training_validation import Validated, validate

if TYPE_CHECKING:
    from pathlib import Path

    from baselines.networks import Segmenter
    from craqbench.training_data import Learnt
    from craqbench.training_options import Claim, Execution, TrainingOptions

__all__ = ["Run", "State", "Trained"]

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"

SHOWN = 8
"""Validation pictures in the sheet of each epoch."""

WARMUP = 500
"""Most steps in which the learning rate rises."""

_UNKNOWN = -1.0


@dataclass(frozen=True)
class State:
    """How far a run is.

    Attributes
    ----------
    step, steps
        Done, and in all.
    loss
        Mean of the last steps.
    iou
        Of the last validation; negative before the first.
    rate
        Images per second, of late.
    seconds_left
        At this rate.
    """

    step: int
    steps: int
    loss: float
    iou: float
    rate: float
    seconds_left: float


@dataclass(frozen=True)
class Trained:
    """What came of a run.

    Attributes
    ----------
    weights
        The file of weights; its card lies beside it.
    step, steps
        Done, and planned.
    best
        The validation of the weights that were kept.
    best_step
        When they were kept.
    ended
        Why: "finished", "patience", or "minutes" if there is more to come.
    seconds
        Of training, over all sessions.
    """

    weights: Path
    step: int
    steps: int
    best: Validated
    best_step: int
    ended: str
    seconds: float


def schedule_of(options: TrainingOptions, network: Segmenter) -> Schedule:
    """Return how a network is trained with these options."""
    habits = network.habits
    return Schedule(
        steps=options.steps,
        lr=options.lr or habits.lr,
        final_lr=options.final_lr or habits.final_lr,
        warmup=min(WARMUP, options.steps // 20),
        weight_decay=habits.weight_decay,
        optimiser=habits.optimiser,
        freeze=round(habits.freeze * options.steps),
        seed=options.seed,
    )


class Run:
    """A run; it goes on from the checkpoint in its folder, if there is one.

    Parameters
    ----------
    options
        All settled: none is None that a network has a habit for.
    claim
        Its folder, digest and command.
    learnt, network, name, device
        What is learnt from, by what, what that is called, and where.

    Raises
    ------
    UsageError
        If there is no such device, or the run began with other weights of the encoder and has no checkpoint.
    CraqbenchError
        If there is a checkpoint that cannot be used.
    """

    def __init__(
        self,
        options: TrainingOptions,
        claim: Claim,
        learnt: Learnt,
        network: Segmenter,
        name: str,
        device: str,
    ) -> None:
        self._options, self._claim, self._learnt, self._name = options, claim, learnt, name
        self._settle_origin(network)
        try:
            self._trainer = Trainer(network, schedule_of(options, network), device, options.precision)
        except ValueError as error:
            raise UsageError(str(error)) from error
        self._batch = options.batch or network.habits.batch
        self._seconds = 0.0
        self._recent: list[float] = []
        self._best: Validated | None = None
        self._best_step = 0
        self._iou = _UNKNOWN
        self._ended = ""
        if self._path(CHECKPOINT).exists():
            self._restore()

    def go(self, execution: Execution, report: Callable[[State], None] | None = None) -> Trained:
        """Do what is left of it, and write weights, card and README.

        Raises
        ------
        CraqbenchError
            If the loss is no longer a number, or a worker dies.
        KeyboardInterrupt
            After Ctrl-C, when the step is finished and a checkpoint is written.
        """
        if self._is_complete():
            return self._trained()
        with self._faults_explained():
            return self._go(execution, report)

    def _go(self, execution: Execution, report: Callable[[State], None] | None) -> Trained:
        lead = -(-self._options.validation // self._batch)
        log = Log(self._claim.out, self._trainer.step)
        feed = Feed(self._learnt.maker, self._batch, self._trainer.step, execution.workers, lead)
        with contextlib.closing(log), feed, _interrupts() as interrupted:
            self._validation = [_batch_of(feed.take()) for _ in range(lead)]
            deadline = time.monotonic() + 60 * (execution.minutes or np.inf)
            pace = _Pace(self._batch)
            while self._trainer.step < self._options.steps and not self._ended:
                self._step(feed, log, pace, report)
                if interrupted.is_set():
                    self._save()
                    raise KeyboardInterrupt("a checkpoint is written: run the command again to go on")
                if time.monotonic() > deadline and not self._ended:
                    self._save()
                    break
            return self._finish(log)

    def _step(self, feed: Feed, log: Log, pace: _Pace, report: Callable[[State], None] | None) -> None:
        """Do a step and, where one ends, all that belongs to the end of an epoch."""
        done = self._trainer.learn(_batch_of(feed.take()))
        rate = pace.tick()
        self._seconds += pace.taken
        self._recent.append(done.loss)
        step, steps = self._trainer.step, self._options.steps
        log.step(step, done, rate, self._seconds)
        if step % self._options.steps_per_epoch == 0 or step == steps:
            self._close_epoch(log, pace)
        if report:
            left = (steps - step) * self._batch / rate
            report(State(step, steps, float(np.mean(self._recent or [done.loss])), self._iou, rate, left))

    def _close_epoch(self, log: Log, pace: _Pace) -> None:
        """Validate, keep the weights if they are the best so far, draw, and write a checkpoint."""
        step, options = self._trainer.step, self._options
        validated = validate(self._trainer, self._validation)
        self._iou = validated.iou
        log.epoch(step, float(np.mean(self._recent)), validated, self._seconds)
        self._draw(step, validated)
        if self._best is None or validated.iou > self._best.iou:
            self._best, self._best_step = validated, step
            best = pack(self._trainer.averages(), {"step": step, **validated._asdict()})
            self._write(BEST, best)
        self._recent = []
        if step == options.steps:
            self._ended = "finished"
        elif options.patience and step - self._best_step >= options.patience * options.steps_per_epoch:
            self._ended = "patience"
        self._seconds += pace.rest()
        self._save()
        pace.rest()

    def _draw(self, step: int, validated: Validated) -> None:
        shown = self._validation[: -(-SHOWN // self._batch)]
        scores = np.concatenate([self._trainer.predict(batch)[0][:, 1] for batch in shown])
        images = np.concatenate([batch.images for batch in shown])
        labels = np.concatenate([batch.labels for batch in shown])
        sheet = prediction_sheet(images[:SHOWN], labels[:SHOWN], scores[:SHOWN], validated.threshold)
        write_png(self._path("pictures") / f"step-{step:07d}.png", sheet)

    def _save(self) -> None:
        facts = {
            "digest": self._claim.digest,
            "trainer": self._trainer.facts(),
            "seconds": self._seconds,
            "recent": self._recent,
            "best": None if self._best is None else list(self._best),
            "best_step": self._best_step,
            "iou": self._iou,
            "ended": self._ended,
        }
        self._write(CHECKPOINT, pack(self._trainer.tensors(), facts))

    def _write(self, name: str, data: bytes) -> None:
        remove_leftovers(self._path(name))
        write_file(self._path(name), data)

    def _settle_origin(self, network: Segmenter) -> None:
        """Let a network that goes on say what it said when it began, whatever the Hub gives today."""
        began, now = self._claim.pretrained, origin_of(network)
        if began == now:
            return
        if not self._path(CHECKPOINT).exists():
            raise UsageError(
                f"the run in {str(self._claim.out)!r} began with an encoder of other weights ({began}) than "
                f"there are now ({now}), and has no checkpoint: expected another --out"
            )
        setattr(network, "pretrained", began)  # noqa: B010  only networks with an encoder have it

    def _restore(self) -> None:
        path = self._path(CHECKPOINT)
        tensors, facts = _read(path)
        if facts.get("digest") != self._claim.digest:
            raise CraqbenchError(
                f"checkpoint {path} is of run {facts.get('digest')}: expected {self._claim.digest}"
            )
        try:
            self._trainer.load(tensors, facts["trainer"])
            self._seconds, self._recent = float(facts["seconds"]), list(facts["recent"])
            self._best = None if facts["best"] is None else Validated(*facts["best"])
            self._best_step, self._iou = int(facts["best_step"]), float(facts["iou"])
            self._ended = str(facts["ended"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CraqbenchError(f"checkpoint {path} cannot be used: {error}") from error

    @contextlib.contextmanager
    def _faults_explained(self) -> Iterator[None]:
        """Say what is kept, and what to do, where numbers are none or weights cannot be written."""
        try:
            yield
        except NotFiniteError as error:
            path = self._path(CHECKPOINT)
            kept = (
                f"the last good checkpoint is kept in {path}"
                if path.exists()
                else "there is no checkpoint yet"
            )
            hint = f"expected a smaller learning rate, such as --lr {self._trainer.schedule.lr / 3:.1g}"
            raise CraqbenchError(
                f"{error}: training has stopped, {kept}; {hint}, and another --out"
            ) from error
        except WeightsError as error:
            raise StorageError(f"{error}; run the same command again to write them") from error

    def _path(self, name: str) -> Path:
        return self._claim.out / name

    @property
    def _weights(self) -> Path:
        return self._path(f"{self._name}.safetensors")

    def _is_complete(self) -> bool:
        """Whether all is done, and the weights that lie here are those of the end."""
        if not self._ended:
            return False
        try:
            card = read_card(self._weights)
        except WeightsError:
            return False
        return bool(card["steps"] == self._trainer.step)

    def _finish(self, log: Log) -> Trained:
        """Write the README, the best weights so far and, last of all, their card."""
        if self._best is None:  # it was stopped before its first epoch was over
            self._best, self._best_step = validate(self._trainer, self._validation), self._trainer.step
        else:
            self._trainer.load_average(_read(self._path(BEST))[0])
        run: dict[str, Any] = {
            "method": self._name,
            "command": self._claim.command,
            "run_digest": self._claim.digest,
            "best_step": self._best_step,
            "planned_steps": self._options.steps,
            "seconds": round(self._seconds, 1),
        }
        hardware = describe_hardware(cast("Any", self._trainer))
        card = card_of(self._options, self._learnt, self._trainer, self._best, hardware, run)
        write_file(self._path("README.md"), readme(card, log.epochs.rows).encode())
        save_weights(self._weights, self._trainer.averages(), card)
        return self._trained()

    def _trained(self) -> Trained:
        best = self._best or Validated(0.0, 0.0, 0.0, 0.5)
        ended, steps = self._ended or "minutes", self._options.steps
        return Trained(self._weights, self._trainer.step, steps, best, self._best_step, ended, self._seconds)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        read_header(path)
        return unpack(path)
    except ValueError as error:
        raise CraqbenchError(
            f"{error}; it is no checkpoint of 'craqbench train': remove it to begin the run anew"
        ) from error


def _batch_of(stack: Stack) -> Batch:
    return Batch(stack.images, stack.labels, stack.hints)


class _Pace:
    """Images per second, over the last steps."""

    def __init__(self, batch: int, memory: float = 0.9) -> None:
        self._batch, self._memory = batch, memory
        self._last, self._mean = time.monotonic(), 0.0
        self.taken = 0.0

    def rest(self) -> float:
        """Return the seconds since the last step, and leave them out of the rate."""
        before, self._last = self._last, time.monotonic()
        return self._last - before

    def tick(self) -> float:
        """Note a step, and return the rate."""
        self.taken = max(1e-6, self.rest())
        kept = self._memory if self._mean else 0.0
        self._mean = kept * self._mean + (1 - kept) * self.taken
        return self._batch / self._mean


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Let the first Ctrl-C be noted only; the second one is as ever."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
