"""The restoration stage of "Bringing Old Photos Back to Life" (Wan et al., CVPR 2020), with public weights.

It was made for old photographs with scratches, and repaints all of the picture: colours change everywhere,
and of that only what lies in the mask is used here, which may show as a seam. Unlike the authors' program,
which resizes pictures to multiples of 16 px, this one mirrors them into the px that they lack, and looks at
tiles of 320 px (it was trained on 256), as its attention compares each place with all others.

The weights are not ours to ship: the folder `checkpoints/restoration` in the file `global_checkpoints.zip` of
a release of github.com/microsoft/Bringing-Old-Photos-Back-to-Life, with `VAE_A_quality`, `VAE_B_scratch` and
`mapping_scratch`. They are pickles, and are read without unpickling (`baselines.torch_checkpoints`);
`convert` turns them into one safetensors file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt

from baselines.inpainting.public import PublicInpainter
from baselines.protocols import Card
from baselines.torch_checkpoints import read_checkpoint
from baselines.weight_files import WeightsError, digest, write_atomically

if TYPE_CHECKING:
    import torch

__all__ = ["PhotoRestorationFill", "convert"]

_WHERE = (
    "the folder checkpoints/restoration in global_checkpoints.zip of "
    "https://github.com/microsoft/Bringing-Old-Photos-Back-to-Life/releases (MIT)"
)
_PARTS = (
    ("VAE_A_quality/latest_net_G.pth", "netG_A.", "encoder."),
    ("VAE_B_scratch/latest_net_G.pth", "netG_B.", "decoder."),
    ("mapping_scratch/latest_net_mapping_net.pth", "mapping_net.", ""),
)
"""Each file, what its tensors are called here, and with what the names begin of those that are needed."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class PhotoRestorationFill(PublicInpainter):
    """Holes in old photographs, with the public weights: their folder, or a file that `convert` made of it.

    The time grows with the fourth power of `tile`. For attributes and errors see `PublicInpainter`.
    """

    name: ClassVar[str] = "photo_restoration"
    stride: ClassVar[int] = 4

    tile: int = 320

    @cached_property
    def version(self) -> str:
        """That of our code, and the beginning of the weights' digest."""
        return f"1+{self._digest[:8]}"

    @cached_property
    def card(self) -> Card:
        """Where the weights come from; of several files, the digest of their digests."""
        return Card(
            training_data="old photographs, and clean ones with synthetic damage; no painting",
            licence="MIT (code and weights of the authors); own code, Apache-2.0",
            reference="Bringing Old Photos Back to Life, CVPR 2020, https://arxiv.org/abs/2004.09484",
            weights=self._digest,
        )

    @cached_property
    def _files(self) -> list[Path]:
        return _found(self.weights)

    @cached_property
    def _digest(self) -> str:
        digests = [digest(path) for path in self._files]
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    def _network(self) -> torch.nn.Module:
        import torch  # noqa: PLC0415  seconds, and not everywhere

        from baselines.inpainting.photo_restoration_network import RestorationNetwork  # noqa: PLC0415  the same
        from baselines.weights import load_into, load_tensors  # noqa: PLC0415  the same

        with torch.random.fork_rng(devices=[]):  # first weights, drawn to be replaced
            network = RestorationNetwork()
        if len(self._files) == 1:
            tensors = load_tensors(self._files[0])
        else:
            tensors = {name: torch.from_numpy(array) for name, array in _read(self._files).items()}
        load_into(network, tensors, str(self.weights))
        return network


def convert(folder: Path, path: Path) -> str:
    """Write the public weights as one safetensors file, bit for bit, without unpickling them.

    Parameters
    ----------
    folder
        ``checkpoints/restoration``.
    path
        A name that ends in .safetensors.

    Returns
    -------
    sha256 of the new file.

    Raises
    ------
    WeightsError
        If a file is not there or no checkpoint, or the disk refuses.
    """
    from safetensors.numpy import save  # noqa: PLC0415  not everywhere

    write_atomically(path, save(_read(_found(str(folder))), metadata={"format": "pt"}))
    return digest(path)


def _found(weights: str | None) -> list[Path]:
    """Return the files of a setting: the one of safetensors, or the three in the folder."""
    expected = f"expected {_WHERE}, or a safetensors file made of it"
    if not weights:
        raise WeightsError(f"method 'photo_restoration': there is no setting weights: {expected}")
    path = Path(weights)
    if path.is_file() and path.suffix == ".safetensors":
        return [path]
    files = [path / name for name, _, _ in _PARTS]
    for file in files:
        if not file.is_file():
            raise WeightsError(f"method 'photo_restoration': there is no file {str(file)!r}: {expected}")
    return files


def _read(files: list[Path]) -> dict[str, Array]:
    """Return what is needed of the three files, by its names here."""
    tensors: dict[str, Array] = {}
    for file, (_, ours, theirs) in zip(files, _PARTS, strict=True):
        every = read_checkpoint(file, "")
        tensors |= {f"{ours}{name}": array for name, array in every.items() if name.startswith(theirs)}
    return tensors
