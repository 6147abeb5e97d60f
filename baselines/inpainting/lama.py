"""`lama`: LaMa (Suvorov et al., WACV 2022), with its public weights; our own code, none of theirs is run.

The weights are not ours to ship. Two forms of big-lama are public: `big-lama.pt`, a TorchScript archive, and
`big-lama/models/best.ckpt`, a checkpoint of PyTorch Lightning. Both hold code or pickles: only their tensors
are read (`baselines.inpainting.torchscript`, `baselines.torch_checkpoints`). `convert` turns either into
safetensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from baselines.inpainting.public import PublicInpainter
from baselines.inpainting.torchscript import is_script, read_script
from baselines.protocols import Card
from baselines.torch_checkpoints import read_checkpoint
from baselines.weight_files import WeightsError, digest, given_file, write_atomically

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

__all__ = ["PUBLISHED", "Lama", "convert"]

PUBLISHED = "344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9"
"""sha256 of `big-lama.pt`, 205,669,692 bytes, as several who use it have published it."""

_WHERE = (
    "big-lama.pt from https://github.com/Sanster/models/releases/tag/add_big_lama "
    f"(sha256 {PUBLISHED[:12]}...), or models/best.ckpt of big-lama from https://github.com/advimman/lama; "
    "Apache-2.0"
)
_OWNER = re.compile(r".*?generator\.")
_FIRST = "model.1.ffc.convl2l.weight"


@dataclass(frozen=True, kw_only=True)
class Lama(PublicInpainter):
    """LaMa's large masks, with its public weights: a TorchScript archive, a checkpoint, or safetensors.

    A Fourier unit sees all of a tile: fillings are defined by the tiles. For attributes and errors see
    `PublicInpainter`.
    """

    name: ClassVar[str] = "lama"
    stride: ClassVar[int] = 8

    @cached_property
    def version(self) -> str:
        """That of our code, and the beginning of the weights' digest."""
        return f"1+{digest(self._files[0])[:8]}"

    @cached_property
    def card(self) -> Card:
        """Where the weights come from; what they were trained on is known of the published file alone."""
        found = digest(self._files[0])
        known = "Places Challenge (photographs); no painting"
        return Card(
            training_data=known if found == PUBLISHED else "not known: not the published file big-lama.pt",
            licence="Apache-2.0 (the authors' weights); own code, Apache-2.0",
            reference="Resolution-robust Large Mask Inpainting with Fourier Convolutions, WACV 2022, "
            "https://arxiv.org/abs/2109.07161",
            weights=found,
        )

    @cached_property
    def _files(self) -> list[Path]:
        return [given_file(self.name, self.weights, _WHERE)]

    def _network(self) -> torch.nn.Module:
        import torch  # noqa: PLC0415  seconds, and not everywhere

        from baselines.inpainting.lama_network import LamaNetwork  # noqa: PLC0415  the same
        from baselines.weights import load_into  # noqa: PLC0415  the same

        path = self._files[0]
        tensors = {name: torch.from_numpy(array) for name, array in _read(path).items()}
        width, blocks = _size(tensors, path)
        with torch.random.fork_rng(devices=[]):  # first weights, drawn to be replaced
            network = LamaNetwork(width=width, blocks=blocks)
        load_into(network, _counted(tensors, network.state_dict()), str(path))
        return network


def convert(checkpoint: Path, path: Path) -> str:
    """Write public weights as safetensors, bit for bit, without executing anything in them.

    Parameters
    ----------
    checkpoint
        ``big-lama.pt`` or ``best.ckpt``.
    path
        A name that ends in .safetensors.

    Returns
    -------
    sha256 of the new file.

    Raises
    ------
    WeightsError
        If it is neither, or the disk refuses.
    """
    from safetensors.numpy import save  # noqa: PLC0415  not everywhere

    tensors = _read(checkpoint)
    write_atomically(path, save(tensors, metadata={"from_sha256": digest(checkpoint)}))
    return digest(path)


def _read(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Return the generator's tensors by their names in it."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file  # noqa: PLC0415  not everywhere

        from baselines.weight_files import read_header  # noqa: PLC0415  used here only

        read_header(path)
        return dict(load_file(path))
    every = read_script(path) if is_script(path) else read_checkpoint(path, "state_dict")
    tensors = {_OWNER.sub("", name, count=1): array for name, array in every.items() if _OWNER.match(name)}
    if not tensors:
        raise WeightsError(f"weights {path}: there is no generator in it: expected the file {_WHERE}")
    return tensors


def _size(tensors: Mapping[str, torch.Tensor], path: Path) -> tuple[int, int]:
    """Return the width and the number of blocks of a LaMa with these tensors."""
    if _FIRST not in tensors or tensors[_FIRST].ndim != 4:
        raise WeightsError(f"weights {path} are not of LaMa: there is no tensor {_FIRST!r}")
    blocks = sum(name.endswith(".conv1.ffc.convl2l.weight") for name in tensors)
    return int(tensors[_FIRST].shape[0]), blocks


def _counted(
    tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return tensors with the norms' counters of batches, which some archives leave out and nothing uses."""
    counters = {name: tensor for name, tensor in expected.items() if name.endswith("num_batches_tracked")}
    return {**counters, **tensors}
