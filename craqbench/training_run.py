"""A training run in progress: steps, epochs, checkpoints, and what it leaves at the end."""

from __future__ import annotations

import contextlib
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
from craqbench.training_log import Log
from craqbench.training_session import Pace, interrupts
from craqbench.training_tasks import TASKS

if TYPE_CHECKING:
    from pathlib import Path

    from baselines.training import Network
    from craqbench.training_data import Learnt
    from craqbench.training_options import Claim, Execution, TrainingOptions
    from craqbench.training_tasks import Figures
    from craqbench.training_validation import Peers

__all__ = ["Run", "State", "Trained"]

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"

SHOWN = 8
"""Validation pictures in the sheet of each epoch."""

WARMUP = 500
"""Most steps in which the learning rate rises."""


@dataclass(frozen=True)
class State:
    """How far a run is.

    Attributes
    ----------
    step, steps
        Done, and in all.
    loss
        Mean of the last steps.
    told
        What the last validation gave, in words; empty before the first.
    rate
        Images per second, of late.
    seconds_left
        At this rate.
    """

    step: int
    steps: int
    loss: float
    told: str
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
    peers
        What others make of the pictures for validation; see `craqbench.training_validation.peers`.
    """

    weights: Path
    step: int
    steps: int
    best: Figures
    best_step: int
    ended: str
    seconds: float
    peers: Peers


def schedule_of(options: TrainingOptions, network: Network) -> Schedule:
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
        network: Network,
        name: str,
        device: str,
    ) -> None:
        self._options, self._claim, self._learnt, self._name = options, claim, learnt, name
        self._task = TASKS[options.task]
        self._settle_origin(network)
        try:
            self._trainer = Trainer(network, schedule_of(options, network), device, options.precision)
        except ValueError as error:
            raise UsageError(str(error)) from error
        self._batch = options.batch or network.habits.batch
        self._seconds = 0.0
        self._recent: list[float] = []
        self._best: Figures | None = None
        self._best_step = 0
        self._told = ""
        self._ended = ""
        self._peers: Peers = {}
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
        if self._best is not None and self._is_complete():
            return self._trained(self._best)
        with self._faults_explained():
            return self._go(execution, report)

    def _go(self, execution: Execution, report: Callable[[State], None] | None) -> Trained:
        lead = -(-self._options.validation // self._batch)
        log = Log(self._claim.out, self._trainer.step, self._task.figures._fields)
        feed = Feed(self._learnt.maker, self._batch, self._trainer.step, execution.workers, lead)
        with contextlib.closing(log), feed, interrupts() as interrupted:
            self._validation = [_batch_of(feed.take()) for _ in range(lead)]
            deadline = time.monotonic() + 60 * (execution.minutes or np.inf)
            pace = Pace(self._batch)
            while self._trainer.step < self._options.steps and not self._ended:
                self._step(feed, log, pace, report)
                if interrupted.is_set():
                    self._save()
                    raise KeyboardInterrupt("a checkpoint is written: run the command again to go on")
                if time.monotonic() > deadline and not self._ended:
                    self._save()
                    break
            return self._finish(log)

    def _step(self, feed: Feed, log: Log, pace: Pace, report: Callable[[State], None] | None) -> None:
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
            report(State(step, steps, float(np.mean(self._recent or [done.loss])), self._told, rate, left))

    def _close_epoch(self, log: Log, pace: Pace) -> None:
        """Validate, keep the weights if they are the best so far, draw, and write a checkpoint."""
        step, options = self._trainer.step, self._options
        validated = self._task.validate(self._trainer, self._validation)
        self._told = str(validated)
        log.epoch(step, float(np.mean(self._recent)), validated, self._seconds)
        self._draw(step, validated)
        if self._best is None or validated.merit > self._best.merit:
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

    def _draw(self, step: int, validated: Figures) -> None:
        batches = self._validation[: -(-SHOWN // self._batch)]
        found = np.concatenate([self._trainer.predict(batch)[0] for batch in batches])
        sheet = self._task.sheet(_joined(batches, SHOWN), found[:SHOWN], validated)
        write_png(self._path("pictures") / f"step-{step:07d}.png", sheet)

    def _save(self) -> None:
        facts = {
            "digest": self._claim.digest,
            "trainer": self._trainer.facts(),
            "seconds": self._seconds,
            "recent": self._recent,
            "best": None if self._best is None else list(self._best),
            "best_step": self._best_step,
            "told": self._told,
            "ended": self._ended,
        }
        self._write(CHECKPOINT, pack(self._trainer.tensors(), facts))

    def _write(self, name: str, data: bytes) -> None:
        remove_leftovers(self._path(name))
        write_file(self._path(name), data)

    def _settle_origin(self, network: Network) -> None:
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
            self._best = None if facts["best"] is None else self._task.figures(*facts["best"])
            self._best_step, self._told = int(facts["best_step"]), str(facts["told"])
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
        self._peers = card.get("validation_peers", {})
        return bool(card["steps"] == self._trainer.step)

    def _finish(self, log: Log) -> Trained:
        """Write the README, the best weights so far and, last of all, their card."""
        if self._best is None:  # it was stopped before its first epoch was over
            self._best = self._task.validate(self._trainer, self._validation)
            self._best_step = self._trainer.step
        else:
            self._trainer.load_average(_read(self._path(BEST))[0])
        self._peers = self._task.peers(self._validation)
        run: dict[str, Any] = {
            "method": self._name,
            "command": self._claim.command,
            "run_digest": self._claim.digest,
            "best_step": self._best_step,
            "planned_steps": self._options.steps,
            "seconds": round(self._seconds, 1),
        }
        hardware = describe_hardware(cast("Any", self._trainer))
        card = card_of(self._options, self._learnt, self._trainer, (self._best, self._peers), hardware, run)
        write_file(self._path("README.md"), readme(card, log.epochs.rows).encode())
        save_weights(self._weights, self._task.kept(self._trainer.averages()), card)
        return self._trained(self._best)

    def _trained(self, best: Figures) -> Trained:
        return Trained(
            weights=self._weights,
            step=self._trainer.step,
            steps=self._options.steps,
            best=best,
            best_step=self._best_step,
            ended=self._ended or "minutes",
            seconds=self._seconds,
            peers=self._peers,
        )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        read_header(path)
        return unpack(path)
    except ValueError as error:
        raise CraqbenchError(
            f"{error}; it is no checkpoint of 'craqbench train': remove it to begin the run anew"
        ) from error


def _joined(batches: list[Batch], most: int) -> Batch:
    """Return the first so many pictures of some batches as one."""
    images, labels = (np.concatenate([batch[part] for batch in batches])[:most] for part in (0, 1))
    hints = [batch.hints for batch in batches if batch.hints is not None]
    return Batch(images, labels, np.concatenate(hints)[:most] if hints else None)


def _batch_of(stack: Stack) -> Batch:
    return Batch(stack.images, stack.labels, stack.hints)
