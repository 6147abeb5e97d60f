"""The scratch detector of "Bringing Old Photos Back to Life" (Wan et al., CVPR 2020), with public weights.

It was made for old photographs: the picture is turned grey and shrunk to a short side of 256 px, and light
scratches are found better than dark ones. Two variants go beyond what was published, and are called so:
``tiled=True`` looks at tiles of 256 px of the picture as it is, and ``polarity="dark"`` at its negative.

The weights are not ours to ship: `checkpoints/detection/FT_Epoch_latest.pt` in the file
`global_checkpoints.zip` of a release of github.com/microsoft/Bringing-Old-Photos-Back-to-Life. That is a
pickle, and is read without unpickling (`baselines.torch_checkpoints`); `convert` turns it into safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from baselines.protocols import Card, Image, Scores, checked_image
from baselines.settings import one_of
from baselines.tiles import round_up, spans
from baselines.torch_checkpoints import read_checkpoint
from baselines.trained import needs_torch
from baselines.weight_files import WeightsError, digest, given_file

if TYPE_CHECKING:
    import torch

    from baselines.photo_restoration_network import ScratchNetwork

__all__ = ["PhotoRestoration", "convert"]

_WHERE = (
    "checkpoints/detection/FT_Epoch_latest.pt in global_checkpoints.zip of "
    "https://github.com/microsoft/Bringing-Old-Photos-Back-to-Life/releases"
)
_KEY = "model_state"
_SIDE = 256
_STRIDE = 16
_LONGEST = 16
"""Longest over shortest side of what the network is given: a narrower strip is squeezed."""

Grey = npt.NDArray[np.uint8]
"""(H, W) uint8."""


@dataclass(frozen=True, kw_only=True)
class PhotoRestoration:
    """Scratches of old photographs.

    Attributes
    ----------
    weights
        The public checkpoint, or a safetensors file of the same tensors (`convert` makes one).
    tiled
        False as published; True looks at overlapping tiles of 256 px at full resolution.
    polarity
        "light" as published; "dark" looks at the negative; "both" takes the larger score.
    device
        "auto", "cpu", "cuda" or "cuda:NUMBER"; afterwards the one that is used.

    Raises
    ------
    MissingError
        If torch is not installed.
    WeightsError
        If there are no weights, or they are not of this network; the first that does not fit is named.
    """

    name: ClassVar[str] = "photo_restoration"
    version: ClassVar[str] = "1"
    threshold: ClassVar[float] = 0.4

    weights: str | None = None
    tiled: bool = False
    polarity: str = field(default="light", metadata=one_of("light", "dark", "both"))
    device: str = "auto"

    def __post_init__(self) -> None:
        """Check the settings, and that the weights fit."""
        if self.polarity not in {"light", "dark", "both"} or not isinstance(self.tiled, bool):
            raise ValueError(
                f"settings polarity={self.polarity!r}, tiled={self.tiled!r} of method {self.name!r}: "
                "expected light, dark or both, and True or False"
            )
        _ = self._path
        with needs_torch(self.name):
            _, device = self._ready
        object.__setattr__(self, "device", str(device))

    @cached_property
    def card(self) -> Card:
        """Where the weights come from."""
        return Card(
            training_data="old photographs with scratches marked by hand, and synthetic ones; no painting",
            licence="MIT (code and weights of the authors); own code, Apache-2.0",
            reference="Bringing Old Photos Back to Life, CVPR 2020, https://arxiv.org/abs/2004.09484",
            weights=digest(self._path),
        )

    def predict(self, image: Image) -> Scores:
        """Return the probability of a scratch: (H, W, 3) uint8 RGB to (H, W) float32 in [0, 1]."""
        checked_image(image)
        negatives = {"light": (False,), "dark": (True,), "both": (False, True)}[self.polarity]
        look = self._in_tiles if self.tiled else self._whole
        scores = [look(255 - image if negative else image) for negative in negatives]
        return np.asarray(np.maximum.reduce(scores), np.float32)

    def _whole(self, image: Image) -> Scores:
        """Do as the authors do: sides to multiples of 16, grey, short side to 256."""
        height, width = image.shape[:2]
        rows, columns = (max(_STRIDE, round(side / _STRIDE) * _STRIDE) for side in (height, width))
        picture = Pictures.fromarray(image)
        if (columns, rows) != picture.size:
            picture = picture.resize((columns, rows), Pictures.Resampling.BICUBIC)
        scores = self._scores(np.asarray(picture.convert("L")), _shown(rows, columns))
        nearest = cv2.INTER_NEAREST
        full = cv2.resize(scores, (columns, rows), interpolation=nearest)
        return np.asarray(cv2.resize(full, (width, height), interpolation=nearest), np.float32)

    def _in_tiles(self, image: Image) -> Scores:
        """Look at tiles of 256 px that overlap."""
        height, width = image.shape[:2]
        grey = np.asarray(Pictures.fromarray(image).convert("L"))
        rows, columns = (max(2 * _STRIDE, round_up(side, _STRIDE)) for side in (height, width))
        padded = np.pad(grey, ((0, rows - height), (0, columns - width)), mode="reflect")
        total = np.zeros((rows, columns), np.float32)
        for down, across, weights in _tiles(rows, columns):
            total[down, across] += weights * self._scores(padded[down, across], None)
        return np.ascontiguousarray(total[:height, :width].clip(0, 1))

    def _scores(self, grey: Grey, size: tuple[int, int] | None) -> Scores:
        """Run the network on a grey picture, shrunk or enlarged to a size."""
        import torch  # noqa: PLC0415  seconds, and not everywhere

        network, device = self._ready
        with torch.inference_mode():
            seen = torch.from_numpy(np.array(grey)).to(device)[None, None].float() / 127.5 - 1
            if size is not None:
                seen = torch.nn.functional.interpolate(seen, size, mode="bilinear", align_corners=False)
            found: Scores = torch.sigmoid(network(seen))[0, 0].cpu().numpy()
        return found

    @cached_property
    def _path(self) -> Path:
        return given_file(self.name, self.weights, _WHERE)

    @cached_property
    def _ready(self) -> tuple[ScratchNetwork, torch.device]:
        """The network with its weights, and its device."""
        import torch  # noqa: PLC0415  seconds, and not everywhere

        from baselines.inference import find_device  # noqa: PLC0415  the same
        from baselines.photo_restoration_network import ScratchNetwork  # noqa: PLC0415  the same
        from baselines.weights import load_into, load_tensors  # noqa: PLC0415  the same

        device = find_device(self.device)
        with torch.random.fork_rng(devices=[]):  # first weights, drawn to be replaced
            network = ScratchNetwork()
        if self._path.suffix == ".safetensors":
            tensors = load_tensors(self._path)
        else:
            tensors = {n: torch.from_numpy(a) for n, a in read_checkpoint(self._path, _KEY).items()}
        load_into(network, tensors, str(self._path))
        return network.to(device).eval().requires_grad_(False), device


def convert(checkpoint: Path, path: Path) -> str:
    """Write the public checkpoint as safetensors, bit for bit, without unpickling it.

    Parameters
    ----------
    checkpoint
        ``FT_Epoch_latest.pt``.
    path
        A name that ends in .safetensors.

    Returns
    -------
    sha256 of the new file.

    Raises
    ------
    WeightsError
        If it is no such checkpoint, or the disk refuses.
    """
    from safetensors.numpy import save  # noqa: PLC0415  not everywhere

    from baselines.weight_files import write_atomically  # noqa: PLC0415  used here only

    tensors = read_checkpoint(checkpoint, _KEY)
    if not tensors:
        raise WeightsError(f"weights {checkpoint}: {_KEY!r} holds no tensors")
    write_atomically(path, save(tensors, metadata={"from_sha256": digest(checkpoint)}))
    return digest(path)


def _shown(height: int, width: int) -> tuple[int, int]:
    """Return the size that the network sees: the short side 256, the other a multiple of 16."""
    scale = _SIDE / min(height, width)
    longest = _SIDE * _LONGEST
    rows, columns = (min(longest, round(side * scale / _STRIDE) * _STRIDE) for side in (height, width))
    return rows, columns


def _tiles(rows: int, columns: int) -> Iterator[tuple[slice, slice, Scores]]:
    """Yield where each tile lies, and how much each px of it counts."""
    down, across = (
        spans(side, _SIDE, _STRIDE, margin=_STRIDE, blend=2 * _STRIDE) for side in (rows, columns)
    )
    for vertical, fade_down in down:
        for horizontal, fade_across in across:
            yield vertical, horizontal, np.outer(fade_down, fade_across)
