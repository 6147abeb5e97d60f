"""Detectors that were trained: a network of `baselines.architectures`, weights, and how it is run.

They are made without torch being imported before; where it is missing, they say how to get it.

>>> from baselines.registry import get_detector
>>> get_detector("craqnet", flips=4, device="cpu")  # doctest: +SKIP
CraqNet(weights=None, device='cpu', flips=4, precision='bfloat16', tile=1664)
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from baselines.protocols import Card, Image, Scores
from baselines.tiles import TILE
from baselines.tophat import Levels
from baselines.weight_files import WeightsError, read_card, read_header
from baselines.weight_hub import find_weights

if TYPE_CHECKING:
    from baselines.inference import Runner

__all__ = [
    "CraqNet",
    "LearnedDetector",
    "McDm",
    "MissingError",
    "ResUNet",
    "ResUNetSmall",
    "SegFormer",
    "SegFormerLora",
    "UNet",
    "UNetClassic",
    "UNetSmall",
    "needs_torch",
]

OWN_BASE = "craqbench"
"""The base whose encoder comes with this package, so that weights trained upon it may leave it out."""

_OPTIONAL = (
    "torch",
    "torchvision",
    "safetensors",
    "transformers",
    "peft",
    "segmentation_models_pytorch",
    "timm",
)


class MissingError(ValueError):
    """A library that learned detectors need is not installed."""


@contextlib.contextmanager
def needs_torch(name: str) -> Iterator[None]:
    """Turn a missing library inside into a `MissingError` that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _OPTIONAL:
            raise
        raise MissingError(
            f"method {name!r} needs {library}, which is not installed: pip install 'craqbench[models]'"
        ) from error


@dataclass(frozen=True, kw_only=True)
class LearnedDetector:
    """A network with its weights; a subclass gives it its name.

    Attributes
    ----------
    weights
        None for the weights of this package, a safetensors file with its card beside it, or
        ``ORG/NAME@REVISION[:FILE][#SHA256]`` on the Hub.
    device
        "auto" (a GPU if torch sees one), "cpu", "cuda" or "cuda:NUMBER"; afterwards the one that is used.
    flips
        How many mirror images are averaged: 1, 2, 4, or 8 with transposed ones. Each costs a pass.
    precision
        "auto", "float32" or "bfloat16"; afterwards the one that is used. "auto" is bfloat16 where the device
        computes with it natively.
    tile
        Larger images are tiled, px; a smaller one needs less memory.

    Raises
    ------
    MissingError
        If torch, or a library of this network, is not installed.
    WeightsError
        If there are no such weights, or they do not fit.
    ValueError
        If a setting cannot be used.

    Notes
    -----
    Scores are probabilities of the class crack. Torch's number of threads is the caller's business; only in a
    worker process, of which there are as many as cores, it is set to 1.
    """

    name: ClassVar[str] = ""

    weights: str | None = None
    device: str = "auto"
    flips: int = 1
    precision: str = "auto"
    tile: int = TILE

    def __post_init__(self) -> None:
        """Find the weights, check that they fit, and settle on device and precision."""
        for setting, kind in (("device", str), ("precision", str), ("flips", int), ("tile", int)):
            value = getattr(self, setting)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ValueError(  # noqa: TRY004  as of all detectors' settings
                    f"setting {setting!r} of method {self.name!r} is {value!r}: expected {kind.__name__}"
                )
        _ = self.facts
        with needs_torch(self.name):
            runner = self._runner
        object.__setattr__(self, "device", str(runner.device))
        object.__setattr__(self, "precision", runner.precision)

    @cached_property
    def path(self) -> Path:
        """The file of weights."""
        return find_weights(self.name, self.weights)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the card of the weights says; see `baselines.weight_files.CARD_FIELDS`."""
        read_header(self.path)
        facts = read_card(self.path)
        if facts["method"] != self.name:
            raise WeightsError(
                f"weights {self.path} are those of {facts['method']!r}: expected weights of {self.name!r}"
            )
        return facts

    @property
    def version(self) -> str:
        """That of the weights, and the beginning of their digest."""
        return f"{self.facts['version']}+{self.facts['sha256'][:8]}"

    @property
    def threshold(self) -> float:
        """As the card says: chosen on synthetic cracks."""
        return float(self.facts["threshold"])

    @property
    def card(self) -> Card:
        """Where the weights come from."""
        from baselines.architectures import ARCHITECTURES  # noqa: PLC0415  loads nothing, but knows networks

        return Card(
            training_data=self.facts["data"],
            licence=self.facts["licence"],
            reference=ARCHITECTURES[self.name].reference,
            weights=self.facts["sha256"],
        )

    def predict(self, image: Image) -> Scores:
        """Return the probability of a crack: (H, W, 3) uint8 RGB to (H, W) float32 in [0, 1]."""
        scores: Scores = self._runner.run(image)[0]
        return scores

    def predict_classes(self, image: Image) -> Levels:
        """Return the most probable class of each px: 0 background, 1 crack, 2 paint loss; (H, W) uint8."""
        found = self._runner.run(image)
        background = 1 - found.sum(axis=0, keepdims=True)
        return np.asarray(np.concatenate([background, found]).argmax(axis=0), np.uint8)

    @cached_property
    def _runner(self) -> Runner:
        """The network with its weights, on its device."""
        import torch  # noqa: PLC0415  seconds, and not everywhere

        from baselines.architectures import make_network  # noqa: PLC0415  the same
        from baselines.inference import Runner, best_precision, find_device  # noqa: PLC0415  the same
        from baselines.weights import load_into, load_tensors  # noqa: PLC0415  the same

        if multiprocessing.parent_process() is not None:
            torch.set_num_threads(1)
        device = find_device(self.device)
        facts = self.facts
        base = facts["base"] if facts["base"] == OWN_BASE else None  # others lie in the weights themselves
        with torch.random.fork_rng(devices=[]):  # first weights, drawn to be replaced
            network = make_network(self.name, classes=facts["classes"], base=base, **facts["switches"])
        load_into(network, load_tensors(self.path), str(self.path))
        return Runner(
            network=network,
            device=device,
            precision=best_precision(device) if self.precision == "auto" else self.precision,
            flips=self.flips,
            tile=self.tile,
        )


class CraqNet(LearnedDetector):
    """Our own detector, see `baselines.craqnet`."""

    name: ClassVar[str] = "craqnet"


class SegFormerLora(LearnedDetector):
    """Paper A's refiner, see `baselines.segformer_lora`."""

    name: ClassVar[str] = "segformer_lora"


class SegFormer(LearnedDetector):
    """The same network, all of it trained and without a guide, see `baselines.segformer`."""

    name: ClassVar[str] = "segformer"


class UNet(LearnedDetector):
    """A U-Net with a pretrained encoder, see `baselines.unet`."""

    name: ClassVar[str] = "unet"


class UNetClassic(LearnedDetector):
    """The U-Net of 2015, 64 channels, see `baselines.unet`."""

    name: ClassVar[str] = "unet_classic"


class UNetSmall(LearnedDetector):
    """A U-Net that fits into this package, see `baselines.unet`."""

    name: ClassVar[str] = "unet_small"


class ResUNet(LearnedDetector):
    """Paper C's network, see `baselines.res_unet`."""

    name: ClassVar[str] = "res_unet"


class ResUNetSmall(LearnedDetector):
    """Our own small stand-in for it, see `baselines.res_unet`."""

    name: ClassVar[str] = "res_unet_small"


class McDm(LearnedDetector):
    """Paper C's rival, DeepLabV3+ with MobileNetV2, see `baselines.mc_dm`."""

    name: ClassVar[str] = "mc_dm"
