"""Detectors that were trained: a network of `baselines.architectures`, weights, and how it is run.

They are made without torch being imported before; where it is missing, they say how to get it.

>>> from baselines.registry import get_detector
>>> get_detector("craqnet", flips=4, device="cpu")  # doctest: +SKIP
CraqNet(weights=None, device='cpu', flips=4, precision='bfloat16', tile=1664)
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.architectures import ARCHITECTURES, make_network
from baselines.protocols import ClassScores, Image, Scores
from baselines.tiles import TILE
from baselines.trained import Trained, needs_torch

if TYPE_CHECKING:
    from baselines.inference import Runner
    from baselines.networks import Segmenter

__all__ = [
    "CraqNet",
    "LearnedDetector",
    "McDm",
    "ResUNet",
    "ResUNetSmall",
    "SegFormer",
    "SegFormerLora",
    "UNet",
    "UNetClassic",
    "UNetSmall",
]

OWN_BASE = "craqbench"
"""The base whose encoder comes with this package, so that weights trained upon it may leave it out."""


@dataclass(frozen=True, kw_only=True)
class LearnedDetector(Trained):
    """A network with its weights; a subclass gives it its name and, outside this package, its network.

    Attributes
    ----------
    name
        What tables and cards call it.
    reference
        The paper or page that describes the network.
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

    @classmethod
    def network(cls, **settings: Any) -> Segmenter:
        """Make the network with fresh weights.

        Parameters
        ----------
        settings
            ``classes``, 2 or 3; ``base`` if one is asked for; and the network's own switches.

        Raises
        ------
        ValueError
            If it has no such setting.
        """
        return make_network(cls.name, **settings)

    @property
    def threshold(self) -> float:
        """As the card says: chosen on synthetic cracks."""
        return float(self.facts["threshold"])

    def predict(self, image: Image) -> Scores:
        """Return the probability of a crack: (H, W, 3) uint8 RGB to (H, W) float32 in [0, 1]."""
        scores: Scores = self._runner.run(image)[0]
        return scores

    @property
    def classes(self) -> int:
        """2 (background, crack) or 3 (and paint loss), as the weights were trained."""
        return int(self.facts["classes"])

    def predict_classes(self, image: Image) -> ClassScores:
        """Return the probability of each class, background first: to (classes, H, W) float32 in [0, 1]."""
        found = self._runner.run(image)
        background = np.clip(1 - found.sum(axis=0, keepdims=True), 0, 1)
        return np.concatenate([background, found])

    @cached_property
    def _runner(self) -> Runner:
        """The network with its weights, on its device."""
        import torch  # noqa: PLC0415  seconds, and not everywhere

        from baselines.inference import Runner, best_precision, find_device  # noqa: PLC0415  the same
        from baselines.weights import load_into, load_tensors  # noqa: PLC0415  the same

        if multiprocessing.parent_process() is not None:
            torch.set_num_threads(1)
        device = find_device(self.device)
        facts = self.facts
        settings = {"classes": facts["classes"], **facts["switches"]}
        if facts["base"] == OWN_BASE:  # others lie in the weights themselves
            settings["base"] = OWN_BASE
        with torch.random.fork_rng(devices=[]):  # first weights, drawn to be replaced
            network = self.network(**settings)
        load_into(network, load_tensors(self.path), str(self.path))
        return Runner(
            network=network,
            device=device,
            precision=best_precision(device) if self.precision == "auto" else self.precision,
            flips=self.flips,
            tile=self.tile,
        )


def _detector_of(name: str) -> type[LearnedDetector]:
    """Return the class of a network's detector; it is called as the class of the network is."""
    known = ARCHITECTURES[name]
    module, _, called = known.target.partition(":")
    text = f"{known.summary[0].upper()}{known.summary[1:]}; see `{module}`."
    own = {"name": name, "reference": known.reference, "__doc__": text, "__module__": __name__}
    return type(called, (LearnedDetector,), own)


CraqNet = _detector_of("craqnet")
SegFormerLora = _detector_of("segformer_lora")
SegFormer = _detector_of("segformer")
UNet = _detector_of("unet")
UNetClassic = _detector_of("unet_classic")
UNetSmall = _detector_of("unet_small")
ResUNet = _detector_of("res_unet")
ResUNetSmall = _detector_of("res_unet_small")
McDm = _detector_of("mc_dm")
