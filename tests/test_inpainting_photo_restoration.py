"""The restoration stage of old photographs: its table of tensors, its steps, and its files."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from learned_samples import picture
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from baselines.inpainting import photo_restoration_network
from baselines.inpainting.checks import checked_fill
from baselines.inpainting.photo_restoration import PhotoRestorationFill, convert
from baselines.inpainting.photo_restoration_network import RestorationNetwork
from baselines.protocols import Inpainter, Mask
from baselines.weight_files import WeightsError, digest

SMALL = 2

Shapes = dict[str, tuple[int, ...]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# -- the table ----------------------------------------------------------------------------------------------


def convolution(name: str, *shape: int) -> Shapes:
    """Return the shapes of a convolution with its bias; a transposed one has its channels exchanged."""
    return {f"{name}.weight": shape, f"{name}.bias": (shape[0],)}


def block(name: str, width: int) -> Shapes:
    """Return the shapes of a residual block."""
    return {
        **convolution(f"{name}.conv_block.1", width, width, 3, 3),
        **convolution(f"{name}.conv_block.5", width, width, 3, 3),
    }


def table(width: int = 64) -> Shapes:
    """Return all names and shapes that are used, as the public files have them."""
    shapes = convolution("netG_A.encoder.1", width, 3, 7, 7)
    for number in (4, 7):
        shapes |= convolution(f"netG_A.encoder.{number}", width, width, 4, 4)
        shapes |= convolution(f"netG_B.decoder.{number}", width, width, 4, 4)
    for number in range(4):
        shapes |= block(f"netG_A.encoder.{10 + number}", width) | block(f"netG_B.decoder.{number}", width)
    shapes |= convolution("netG_B.decoder.11", 3, width, 7, 7)
    wide = 8 * width
    for number, (inside, outside) in enumerate(((1, 2), (2, 4), (4, 8), (8, 8))):
        shapes |= convolution(f"mapping_net.before_NL.{3 * number}", outside * width, inside * width, 3, 3)
    for name in ("g", "W", "theta", "phi"):
        shapes |= convolution(f"mapping_net.NL.{name}", wide, wide, 1, 1)
    for number in range(3):
        shapes |= block(f"mapping_net.NL.res_block.{number}", wide)
    for number in range(6):
        shapes |= block(f"mapping_net.after_NL.{number}", wide)
    for number, (inside, outside) in enumerate(((8, 8), (8, 4), (4, 2), (2, 1))):
        shapes |= convolution(f"mapping_net.after_NL.{6 + 3 * number}", outside * width, inside * width, 3, 3)
    return shapes


@pytest.fixture(name="state", scope="module")
def made_state() -> dict[str, Tensor]:
    """Return tensors of the table, narrowed."""
    chance = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=chance) * (1.5 / max(1, int(np.prod(shape[1:]))) ** 0.5)
        for name, shape in table(SMALL).items()
    }


@pytest.fixture(name="narrow")
def narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make networks narrow."""
    monkeypatch.setattr(photo_restoration_network, "WIDTH", SMALL)


@pytest.fixture(name="folder", scope="module")
def written(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder like that of the public weights, with what is not needed too."""
    folder = tmp_path_factory.mktemp("restoration")
    parts = {
        "VAE_A_quality/latest_net_G.pth": ("netG_A.", {"decoder.0.weight": torch.ones(2)}),
        "VAE_B_scratch/latest_net_G.pth": ("netG_B.", {"encoder.0.weight": torch.ones(2)}),
        "mapping_scratch/latest_net_mapping_net.pth": ("mapping_net.", {}),
    }
    for number, (name, (prefix, more)) in enumerate(parts.items()):
        (folder / name).parent.mkdir()
        own = {n.removeprefix(prefix): tensor for n, tensor in state.items() if n.startswith(prefix)}
        held = collections.OrderedDict({**own, **more})
        torch.save(held, folder / name, _use_new_zipfile_serialization=bool(number))
    return folder


def test_the_table() -> None:
    """The network has the names and shapes of the public files."""
    with torch.device("meta"):
        state = RestorationNetwork().state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == table()


# -- the network --------------------------------------------------------------------------------------------


def norm(x: Tensor) -> Tensor:
    """Return an instance norm."""
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


class Walk:
    """Walks through the table with functions alone, and through attention as the authors wrote it down."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def conv(self, x: Tensor, name: str, stride: int = 1, padding: int = 1) -> Tensor:
        """Return a convolution."""
        return functional.conv2d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], stride, padding)

    def mirrored(self, x: Tensor, name: str, border: int = 1) -> Tensor:
        """Return a convolution of what is mirrored at the border."""
        return self.conv(functional.pad(x, (border,) * 4, mode="reflect"), name, padding=0)

    def active(self, x: Tensor, name: str, numbers: tuple[int, ...], stride: int = 1) -> Tensor:
        """Return what convolutions, each with norm and ReLU, make of it."""
        for number in numbers:
            x = functional.relu(norm(self.conv(x, f"{name}.{number}", stride)))
        return x

    def blocks(self, x: Tensor, name: str, numbers: range) -> Tensor:
        """Return what residual blocks make of it."""
        for number in numbers:
            inner = functional.relu(norm(self.mirrored(x, f"{name}.{number}.conv_block.1")))
            x = x + norm(self.mirrored(inner, f"{name}.{number}.conv_block.5"))
        return x

    def elsewhere(self, x: Tensor, mask: Tensor, name: str) -> Tensor:
        """Return what the non-local block makes of it."""
        size, count = x.shape[2:], x.shape[2] * x.shape[3]
        theta, phi, g = (
            self.conv(x, f"{name}.{part}", padding=0).flatten(2) for part in ("theta", "phi", "g")
        )
        weights = torch.softmax(theta.transpose(1, 2) @ phi, 2)
        shrunk = functional.interpolate(mask, size, mode="bilinear", align_corners=False)
        known = (shrunk == 0).float() * functional.interpolate(1 - mask, size)
        weights = functional.normalize(weights * known.view(-1, 1, count), p=1, dim=2)
        y = (weights @ g.transpose(1, 2)).transpose(1, 2).reshape(x.shape)
        y = self.blocks(self.conv(y, f"{name}.W", padding=0), f"{name}.res_block", range(3))
        return known * x + (1 - known) * y

    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture."""
        x = self.mirrored((image * 2 - 1) * (1 - mask) + mask, "netG_A.encoder.1", 3)
        x = self.active(functional.relu(norm(x)), "netG_A.encoder", (4, 7), 2)
        x = self.blocks(x, "netG_A.encoder", range(10, 14))
        x = self.elsewhere(self.active(x, "mapping_net.before_NL", (0, 3, 6, 9)), mask, "mapping_net.NL")
        x = self.blocks(x, "mapping_net.after_NL", range(6))
        x = self.conv(self.active(x, "mapping_net.after_NL", (6, 9, 12)), "mapping_net.after_NL.15")
        x = self.blocks(x, "netG_B.decoder", range(4))
        for name in ("netG_B.decoder.4", "netG_B.decoder.7"):
            weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
            x = functional.relu(norm(functional.conv_transpose2d(x, weight, bias, 2, 1)))
        return (torch.tanh(self.mirrored(x, "netG_B.decoder.11", 3)) + 1) / 2


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.usefixtures("narrow")
def test_the_network(state: dict[str, Tensor], share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network computes what the table describes, also where nothing or all is masked."""
    network = RestorationNetwork().eval()
    network.load_state_dict(state)
    chance = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, 32, 48, generator=chance)
    mask = (torch.rand(2, 1, 32, 48, generator=chance) < share).float()
    monkeypatch.setattr(photo_restoration_network, "_AT_ONCE", 40)
    with torch.inference_mode():
        found, expected = network(image, mask), Walk(state)(image, mask)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=2e-3)


# -- the inpainter ------------------------------------------------------------------------------------------


def lines(height: int, width: int) -> Mask:
    """Return a mask of some lines."""
    mask = np.zeros((height, width), np.bool_)
    mask[height // 2 :: 9, 1:] = True
    return mask


@pytest.fixture(name="made")
def made_inpainter(folder: Path, narrow: None) -> PhotoRestorationFill:
    """Return an inpainter with these weights."""
    del narrow
    return PhotoRestorationFill(weights=str(folder), device="cpu")


@pytest.mark.parametrize("size", [(1, 3), (30, 41), (64, 48)])
def test_fill(made: PhotoRestorationFill, size: tuple[int, int]) -> None:
    """A picture of any size is filled in its mask, and nowhere else."""
    image, mask = picture(*size), lines(*size)
    filled = checked_fill(made, image, mask, "drawn")
    assert (filled[mask] != image[mask]).any()
    assert isinstance(made, Inpainter)


def test_convert(made: PhotoRestorationFill, folder: Path, state: dict[str, Tensor], tmp_path: Path) -> None:
    """The three files become one, bit for bit, that fills alike."""
    path = tmp_path / "restoration.safetensors"
    assert convert(folder, path) == digest(path)
    found = load_file(path)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())
    image, mask = picture(30, 41), lines(30, 41)
    again = PhotoRestorationFill(weights=str(path), device="cpu")
    np.testing.assert_array_equal(again.fill(image, mask), made.fill(image, mask))
    assert again.card.weights == digest(path)


def test_what_it_says_of_itself(made: PhotoRestorationFill) -> None:
    """The digest of all files is on the card, and the licence."""
    assert made.card.weights is not None
    assert made.version == f"1+{made.card.weights[:8]}"
    assert "MIT" in made.card.licence
    assert made.device == "cpu"


@pytest.mark.usefixtures("narrow")
def test_what_it_needs(folder: Path, state: dict[str, Tensor], tmp_path: Path) -> None:
    """Without weights it says where they are; a file that is not there or does not fit is named."""
    where = "expected the folder checkpoints/restoration in global_checkpoints.zip of https://"
    with pytest.raises(WeightsError, match=f"there is no setting weights: {where}"):
        PhotoRestorationFill()
    missing = re.escape(str(tmp_path / "VAE_A_quality" / "latest_net_G.pth"))
    with pytest.raises(WeightsError, match=f"there is no file '{missing}': {where}"):
        PhotoRestorationFill(weights=str(tmp_path))
    for name in ("VAE_A_quality", "VAE_B_scratch", "mapping_scratch"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "VAE_A_quality").unlink()
    (tmp_path / "VAE_A_quality").mkdir()
    torch.save({"encoder.1.weight": torch.ones(1)}, tmp_path / "VAE_A_quality" / "latest_net_G.pth")
    told = (
        r"do not fit RestorationNetwork: tensor 'netG_A\.encoder\.1\.weight': expected shape \(2, 3, 7, 7\)"
    )
    with pytest.raises(WeightsError, match=told):
        PhotoRestorationFill(weights=str(tmp_path))
    with pytest.raises(ValueError, match="setting 'tile' of method 'photo_restoration' is 100"):
        PhotoRestorationFill(weights=str(folder), tile=100)
    assert len(state) == len(table(SMALL))
