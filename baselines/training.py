"""A training step, and all that it carries from one to the next.

AdamW or Adam, warm-up and cosine, gradients clipped, mixed precision, and a moving average of the weights,
which is what is validated and saved. A step draws from random streams of its own (dropout), seeded by the
run's seed and the number of the step: a run that goes on from a checkpoint does the same steps as one that
was never interrupted.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from baselines import inference
from baselines.inference import find_device, is_out_of_memory
from baselines.inpainting.networks import InpaintingNetwork
from baselines.networks import Segmenter
from baselines.schedules import Schedule, learning_rate
from baselines.weights import load_into

__all__ = [
    "PRECISIONS",
    "Batch",
    "Network",
    "NotFiniteError",
    "Step",
    "Trainer",
    "best_precision",
    "find_device",
    "is_out_of_memory",
    "parameter_groups",
    "seed_weights",
    "use_threads",
]

PRECISIONS = ("auto", "bf16", "fp16", "fp32")
"""What the forward pass is computed in; weights, losses and updates are float32 in all of them."""

CLIP = 1.0
"""Gradients are scaled down to this norm."""

Network = Segmenter | InpaintingNetwork
"""What is trained: both are called alike, and have a loss of their own."""

IGNORED = 255
"""The label of px that no loss counts."""

LEAST_SCALE = 1.0
"""If gradients in float16 overflow although they are scaled by no more than this, they are no numbers."""

_SEEDS = 2**63 - 1


class NotFiniteError(ArithmeticError):
    """A loss, a gradient or a weight is no longer a number."""


class Batch(NamedTuple):
    """Pictures to learn from.

    Attributes
    ----------
    images
        (N, H, W, 3) uint8 RGB.
    labels
        (N, H, W) uint8 class numbers, of which `IGNORED` is not counted; or (N, H, W, 3) uint8 RGB, the
        pictures without damage, to learn to fill.
    hints
        (N, H, W) uint8, 0 or 1: the map of a detector, None where there is no channel for it; or the mask.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    hints: npt.NDArray[np.uint8] | None = None


class Step(NamedTuple):
    """What came of a step: its loss, the norm of its gradients before clipping, and its learning rate."""

    loss: float
    gradient: float
    lr: float


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return what is trained as two groups of an optimiser: biases and norms do not decay."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def use_threads(threads: int) -> None:
    """Let torch compute on so many cores of the processor."""
    torch.set_num_threads(threads)


def seed_weights(seed: int) -> None:
    """Make the first weights of networks that are to be made depend on a seed alone."""
    torch.manual_seed(seed)


def best_precision(device: torch.device) -> str:
    """Return the quickest of `PRECISIONS` that a device computes in by itself."""
    if inference.best_precision(device) == "bfloat16":
        return "bf16"
    return "fp16" if device.type == "cuda" else "fp32"


class Trainer:
    """A network, its optimiser and its moving average, step by step.

    Parameters
    ----------
    network
        Is moved to the device, and trained in place.
    schedule
        How.
    device
        Where: "auto", "cpu" or "cuda".
    precision
        One of `PRECISIONS`.

    Raises
    ------
    ValueError
        If there is no such device.

    Attributes
    ----------
    average
        A copy of the network with the averaged weights, in evaluation mode.
    step
        How many steps are done.
    """

    def __init__(
        self, network: Network, schedule: Schedule, device: str = "auto", precision: str = "auto"
    ) -> None:
        self.schedule, self.device = schedule, find_device(device)
        self.precision = best_precision(self.device) if precision == "auto" else precision
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: Network = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.step = 0
        groups = parameter_groups(network, schedule.weight_decay)
        self._trained = [parameter for group in groups for parameter in group["params"]]
        self._names = _names_of(network, self._trained)
        self._optimiser = _optimiser(groups, schedule)
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        trained = {id(parameter) for parameter in self._trained}
        self._held = [parameter for parameter in network.frozen_first() if id(parameter) in trained]
        self._moving = _moving_pairs(self.network, self.average, self._trained)

    @property
    def platform(self) -> dict[str, str]:
        """What it is computed by, in words."""
        is_gpu = self.device.type == "cuda"
        device = torch.cuda.get_device_name(self.device) if is_gpu else "CPU"
        return {"device": device, "precision": self.precision, "torch": torch.__version__}

    def load_average(self, tensors: Mapping[str, Tensor]) -> None:
        """Put weights, such as `averages` returned, into the average."""
        self.average.load_state_dict(dict(tensors))

    def learn(self, batch: Batch) -> Step:
        """Do a step.

        Raises
        ------
        NotFiniteError
            If loss or gradient are not finite; the weights stay as they were before the step.

        Notes
        -----
        A GPU is waited for once, when all gradients are on their way: loss and norm come home together.
        """
        torch.manual_seed((self.schedule.seed * 1_000_003 + self.step) % _SEEDS)
        self._hold()
        lr = learning_rate(self.schedule, self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = lr
        self.network.train()
        self._optimiser.zero_grad(set_to_none=True)
        images, wanted, hints = self._tensors_of(batch)
        with self._autocast():
            answer = self.network(images, hints)
        loss = self.network.loss(answer.float(), wanted, hints)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimiser)
        clipped = nn.utils.clip_grad_norm_(self._trained, CLIP)
        value, norm = torch.stack([loss.detach(), clipped]).tolist()
        self._check(value, norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.step += 1
        self._move_average()
        return Step(value, norm, lr)

    @torch.inference_mode()
    def predict(self, batch: Batch) -> tuple[npt.NDArray[np.float32], float]:
        """Return what the average finds, and its loss.

        (N, classes, H, W) float32 probabilities; of an `InpaintingNetwork`, (N, 3, H, W) float32 in [0, 1].

        Raises
        ------
        NotFiniteError
            If there is anything among them that is no number.
        """
        images, wanted, hints = self._tensors_of(batch)
        with self._autocast():
            answer = self.average(images, hints)
        loss = float(self.average.loss(answer.float(), wanted, hints))
        found: npt.NDArray[np.float32] = _scored(self.average, answer).cpu().numpy()
        if not (math.isfinite(loss) and np.isfinite(found).all()):
            raise NotFiniteError(f"loss {loss} of the averaged network after step {self.step}")
        return found, loss

    def averages(self) -> dict[str, Tensor]:
        """Return the averaged network's state dict, on the CPU.

        Raises
        ------
        NotFiniteError
            If a weight is not finite.
        """
        found = self.average.state_dict()
        check_finite(found)
        return _at_home(found)

    def tensors(self) -> dict[str, Tensor]:
        """Return all that a run needs to go on, beside `facts`; on the CPU.

        Raises
        ------
        NotFiniteError
            If a weight is not finite.
        """
        found = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        found |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for name, state in zip(self._names, self._optimiser_states(), strict=True):
            found |= {f"optimiser.{key}/{name}": value for key, value in state.items()}
        check_finite(found)
        return _at_home(found)

    def facts(self) -> dict[str, Any]:
        """Return the rest of what a run needs to go on, as JSON types."""
        return {"step": self.step, "scaler": self._scaler.state_dict()}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from what `tensors` and `facts` returned.

        Raises
        ------
        ValueError
            If they are those of another network; the first tensor that does not fit is named.
        KeyError
            If a fact is missing.
        """
        load_into(self.network, _below(tensors, "network."), "of the network")
        load_into(self.average, _below(tensors, "average."), "of the average")
        state: dict[int, dict[str, Tensor]] = {}
        for path, value in _below(tensors, "optimiser.").items():
            key, _, name = path.partition("/")
            number = self._names.index(name)
            state.setdefault(number, {})[key] = _laid_out(value, self._trained[number])
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": state, "param_groups": groups})
        if facts["scaler"]:  # empty if there was nothing to scale on the device of before
            self._scaler.load_state_dict(dict(facts["scaler"]))
        self.step = int(facts["step"])

    def _optimiser_states(self) -> list[dict[str, Tensor]]:
        return [dict(self._optimiser.state.get(parameter, {})) for parameter in self._trained]

    def _tensors_of(self, batch: Batch) -> tuple[Tensor, Tensor, Any]:
        hints = None if batch.hints is None else self._moved(batch.hints)[:, None].float()
        return self._pictures(batch.images), self._wanted(batch.labels), hints

    def _wanted(self, labels: npt.NDArray[np.uint8]) -> Tensor:
        if labels.ndim == 4:
            return self._pictures(labels)
        return (classes := self._moved(labels).long()).masked_fill_(classes == IGNORED, -1)

    def _pictures(self, images: npt.NDArray[np.uint8]) -> Tensor:
        return self._moved(images).permute(0, 3, 1, 2).float().div_(255)

    def _moved(self, array: npt.NDArray[np.uint8]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            # The copy in pinned memory is torch's own, which it does not use again before it has travelled.
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor

    @contextlib.contextmanager
    def _autocast(self) -> Iterator[None]:
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        with torch.autocast(self.device.type, dtype=kind, enabled=kind is not None):
            yield

    def _hold(self) -> None:
        """Keep the first layers as they are until the freeze phase is over."""
        for parameter in self._held:
            parameter.requires_grad_(self.step >= self.schedule.freeze)

    def _check(self, loss: float, norm: float) -> None:
        """Refuse what is no number; but scaled gradients may overflow: the scaler leaves such a step out."""
        if not math.isfinite(loss):
            raise NotFiniteError(f"loss {loss} in step {self.step + 1}")
        if math.isfinite(norm) or (self._scaler.is_enabled() and self._scaler.get_scale() > LEAST_SCALE):
            return
        raise NotFiniteError(f"gradient {norm} in step {self.step + 1}")

    @torch.no_grad()
    def _move_average(self) -> None:
        """Move the average towards the weights: quickly at first, as the first ones are worth little."""
        kept = min(self.schedule.averaging, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self._moving.averages, self._moving.values, 1 - kept)
        for average, value in zip(self._moving.counters, self._moving.counted, strict=True):
            average.copy_(value)


def _scored(network: Network, answer: Tensor) -> Tensor:
    """Return what of a network's answer is looked at."""
    return (
        answer.float().clamp(0, 1)
        if isinstance(network, InpaintingNetwork)
        else network.probabilities(answer)
    )


class _Moving(NamedTuple):
    """What is averaged, and what is copied (counters)."""

    averages: list[Tensor]
    values: list[Tensor]
    counters: list[Tensor]
    counted: list[Tensor]


def _moving_pairs(network: nn.Module, average: nn.Module, trained: list[nn.Parameter]) -> _Moving:
    changing = {id(parameter) for parameter in trained} | {id(buffer) for buffer in network.buffers()}
    pairs = [
        (theirs.data, ours.data)
        for theirs, ours in zip(_all_tensors(average), _all_tensors(network), strict=True)
        if id(ours) in changing
    ]
    real = [pair for pair in pairs if pair[0].is_floating_point()]
    whole = [pair for pair in pairs if not pair[0].is_floating_point()]
    return _Moving([a for a, _ in real], [v for _, v in real], [a for a, _ in whole], [v for _, v in whole])


def _all_tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _names_of(network: nn.Module, parameters: list[nn.Parameter]) -> list[str]:
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return [names[id(parameter)] for parameter in parameters]


def _optimiser(groups: list[dict[str, Any]], schedule: Schedule) -> torch.optim.Optimizer:
    if schedule.optimiser == "adam":
        return torch.optim.Adam([{**group, "weight_decay": 0.0} for group in groups], lr=schedule.lr)
    return torch.optim.AdamW(groups, lr=schedule.lr)


def _at_home(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors to the CPU, in rows and columns."""
    return {
        name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }


def _laid_out(value: Tensor, like: Tensor) -> Tensor:
    """Return a state of the optimiser in the order in memory of its parameter: sums over both are quick.

    Checkpoints have rows and columns, networks here have channels last.
    """
    return torch.empty_like(like, device=value.device).copy_(value) if value.shape == like.shape else value


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise `NotFiniteError`, which names the first tensor that is not finite."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise NotFiniteError(f"{name} is not finite")
