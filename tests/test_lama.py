"""LaMa: its table of tensors, its steps, and archives of TorchScript that are read without running them."""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import picture
from torch import Tensor, nn
from torch.nn import functional

from baselines.inpainting import lama
from baselines.inpainting.checks import checked_fill
from baselines.inpainting.lama import Lama, convert
from baselines.inpainting.lama_network import LamaNetwork
from baselines.inpainting.torchscript import is_script, read_script
from baselines.protocols import Inpainter
from baselines.weight_files import WeightsError, digest

WIDTH, BLOCKS = 2, 2


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# -- the table ----------------------------------------------------------------------------------------------


def norm(prefix: str, width: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a norm."""
    shapes = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (width,))
    return {**{f"{prefix}.{name}": s for name, s in shapes.items()}, f"{prefix}.num_batches_tracked": ()}


def fourier(prefix: str, width: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a Fourier convolution with its norms."""
    near, far = width // 4, 3 * width // 4
    half = far // 2
    return {
        f"{prefix}.ffc.convl2l.weight": (near, near, 3, 3),
        f"{prefix}.ffc.convl2g.weight": (far, near, 3, 3),
        f"{prefix}.ffc.convg2l.weight": (near, far, 3, 3),
        f"{prefix}.ffc.convg2g.conv1.0.weight": (half, far, 1, 1),
        **norm(f"{prefix}.ffc.convg2g.conv1.1", half),
        f"{prefix}.ffc.convg2g.fu.conv_layer.weight": (2 * half, 2 * half, 1, 1),
        **norm(f"{prefix}.ffc.convg2g.fu.bn", 2 * half),
        f"{prefix}.ffc.convg2g.conv2.weight": (far, half, 1, 1),
        **norm(f"{prefix}.bn_l", near),
        **norm(f"{prefix}.bn_g", far),
    }


def table(width: int = 64, blocks: int = 18) -> dict[str, tuple[int, ...]]:
    """Return all names and shapes of the public generator."""
    shapes: dict[str, tuple[int, ...]] = {"model.1.ffc.convl2l.weight": (width, 4, 7, 7)}
    shapes |= norm("model.1.bn_l", width)
    for number in (2, 3):
        inside = width << number - 2
        shapes[f"model.{number}.ffc.convl2l.weight"] = (2 * inside, inside, 3, 3)
        shapes |= norm(f"model.{number}.bn_l", 2 * inside)
    shapes["model.4.ffc.convl2l.weight"] = (2 * width, 4 * width, 3, 3)
    shapes["model.4.ffc.convl2g.weight"] = (6 * width, 4 * width, 3, 3)
    shapes |= {**norm("model.4.bn_l", 2 * width), **norm("model.4.bn_g", 6 * width)}
    for block in range(5, 5 + blocks):
        shapes |= fourier(f"model.{block}.conv1", 8 * width) | fourier(f"model.{block}.conv2", 8 * width)
    for number in range(3):
        at, inside = blocks + 6 + 3 * number, 8 * width >> number
        shapes[f"model.{at}.weight"] = (inside, inside // 2, 3, 3)
        shapes[f"model.{at}.bias"] = (inside // 2,)
        shapes |= norm(f"model.{at + 1}", inside // 2)
    shapes[f"model.{blocks + 16}.weight"] = (3, width, 7, 7)
    shapes[f"model.{blocks + 16}.bias"] = (3,)
    return shapes


def drawn(seed: int = 0) -> dict[str, Tensor]:
    """Return tensors of the names and shapes of a small generator."""
    chance = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for name, shape in table(WIDTH, BLOCKS).items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(5)
        elif name.endswith(("running_var", "bn.weight")):
            state[name] = torch.rand(shape, generator=chance) + 0.5
        else:
            fan = max(1, int(np.prod(shape[1:])))
            state[name] = torch.randn(shape, generator=chance) * (1.5 / fan**0.5 if len(shape) > 1 else 0.3)
    return state


def network() -> LamaNetwork:
    """Return a small generator with these tensors."""
    made = LamaNetwork(width=WIDTH, blocks=BLOCKS)
    made.load_state_dict(drawn())
    return made.eval()


def test_the_table() -> None:
    """The network has the 989 names and shapes of big-lama, of 51,057,179 numbers."""
    with torch.device("meta"):
        state = LamaNetwork().state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == table()
    assert len(state) == 989
    assert sum(tensor.numel() for tensor in state.values()) == 51_057_179


# -- the network --------------------------------------------------------------------------------------------


class Walk:
    """Walks through the table with functions alone; Fourier transforms are NumPy's."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        """Return a convolution, mirrored at the border."""
        weight = self.state[f"{name}.weight"]
        padded = functional.pad(x, (weight.shape[-1] // 2,) * 4, mode="reflect")
        return functional.conv2d(padded, weight, self.state.get(f"{name}.bias"), stride)

    def active(self, x: Tensor, name: str) -> Tensor:
        """Return norm and ReLU."""
        mean, variance, scale, shift = (
            self.state[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.relu((x - mean) / (variance + 1e-5).sqrt() * scale + shift)

    def spectral(self, x: Tensor, name: str) -> Tensor:
        """Return the Fourier unit beside its shortcut."""
        narrow = self.active(self.conv(x, f"{name}.conv1.0"), f"{name}.conv1.1")
        spectrum = np.fft.rfft2(narrow.double().numpy(), norm="ortho")
        planes = np.zeros((len(x), 2 * narrow.shape[1], *spectrum.shape[2:]))
        planes[:, 0::2], planes[:, 1::2] = spectrum.real, spectrum.imag
        mixed = self.active(
            self.conv(torch.from_numpy(planes).float(), f"{name}.fu.conv_layer"), f"{name}.fu.bn"
        )
        values = mixed[:, 0::2].numpy() + 1j * mixed[:, 1::2].numpy()
        size = (x.shape[2], x.shape[3])
        back = torch.from_numpy(np.fft.irfft2(values, size, norm="ortho")).float()
        return self.conv(narrow + back, f"{name}.conv2")

    def fourier(self, parts: tuple[Tensor, Tensor], name: str) -> tuple[Tensor, Tensor]:
        """Return a Fourier convolution with norm and ReLU."""
        near, far = parts
        local = self.conv(near, f"{name}.ffc.convl2l") + self.conv(far, f"{name}.ffc.convg2l")
        wide = self.conv(near, f"{name}.ffc.convl2g") + self.spectral(far, f"{name}.ffc.convg2g")
        return self.active(local, f"{name}.bn_l"), self.active(wide, f"{name}.bn_g")

    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture."""
        x = torch.cat([image * (1 - mask), mask], 1)
        for number in (1, 2, 3):
            x = self.conv(x, f"model.{number}.ffc.convl2l", 1 if number == 1 else 2)
            x = self.active(x, f"model.{number}.bn_l")
        near = self.active(self.conv(x, "model.4.ffc.convl2l", 2), "model.4.bn_l")
        far = self.active(self.conv(x, "model.4.ffc.convl2g", 2), "model.4.bn_g")
        for block in range(5, 5 + BLOCKS):
            changed = self.fourier(self.fourier((near, far), f"model.{block}.conv1"), f"model.{block}.conv2")
            near, far = near + changed[0], far + changed[1]
        x = torch.cat([near, far], 1)
        for at in range(BLOCKS + 6, BLOCKS + 15, 3):
            weight, bias = self.state[f"model.{at}.weight"], self.state[f"model.{at}.bias"]
            x = functional.conv_transpose2d(x, weight, bias, 2, 1, output_padding=1)
            x = self.active(x, f"model.{at + 1}")
        return torch.sigmoid(self.conv(x, f"model.{BLOCKS + 16}"))


def test_the_network() -> None:
    """The network computes what the table describes."""
    chance = torch.Generator().manual_seed(1)
    image, mask = torch.rand(2, 3, 24, 40, generator=chance), torch.zeros(2, 1, 24, 40)
    mask[..., 5:9, 10:30] = 1
    with torch.inference_mode():
        found, expected = network()(image, mask), Walk(drawn())(image, mask)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_damage_is_not_seen() -> None:
    """What lies in the mask makes no difference."""
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:9] = 1
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        made = network()
        torch.testing.assert_close(made(image, mask), made(torch.where(mask > 0, 0.7, image), mask))


# -- archives -----------------------------------------------------------------------------------------------


class Training(nn.Module):
    """Holds a generator as the authors' training module does."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("other", torch.ones(3))

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the batch with the filled picture."""
        return {**batch, "inpainted": self.generator(batch["image"], batch["mask"])}


class Wrapper(nn.Module):
    """Is what the authors trace."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the filled picture."""
        found: Tensor = self.model({"image": image, "mask": mask})["inpainted"]
        return found


@pytest.fixture(name="archive", scope="module")
def traced_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a TorchScript archive of a small LaMa, made as the authors made theirs."""
    path = tmp_path_factory.mktemp("lama") / "tiny-lama.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
        traced = torch.jit.trace(Wrapper(Training(network())), example, strict=False)  # type: ignore[no-untyped-call]
        traced.save(str(path))
    return path


@pytest.fixture(name="checkpoint", scope="module")
def lightning_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint as PyTorch Lightning writes it, with things beside the tensors."""
    path = tmp_path_factory.mktemp("lama") / "best.ckpt"
    state = {f"generator.{name}": tensor for name, tensor in drawn().items()}
    more = {"val_evaluator.scores.weight": torch.ones(2)}
    torch.save({"epoch": 39, "state_dict": {**state, **more}, "callbacks": {Path: {"best": 0.5}}}, path)
    return path


def test_archives_are_read(archive: Path) -> None:
    """All parameters and buffers of an archive come out by their names."""
    found = read_script(archive)
    expected = {f"model.generator.{name}": tensor for name, tensor in drawn().items()}
    expected["model.other"] = torch.ones(3)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_what_is_an_archive(archive: Path, checkpoint: Path, tmp_path: Path) -> None:
    """A checkpoint is a zip too, but has no code."""
    assert is_script(archive)
    assert not is_script(checkpoint)
    assert not is_script(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    assert not is_script(tmp_path / "text.pt")
    with pytest.raises(WeightsError, match="no TorchScript archive, or a broken one"):
        read_script(tmp_path / "text.pt")
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        read_script(tmp_path / "none.pt")


class Trap:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("sprung", "w"))


def write_archive(path: Path, content: bytes, *, method: int = zipfile.ZIP_STORED) -> Path:
    """Write a zip with a pickle and code."""
    with zipfile.ZipFile(path, "w", method) as made:
        made.writestr("a/data.pkl", content)
        made.writestr("a/code/__torch__.py", "open('sprung', 'w')")
    return path


def test_nothing_in_an_archive_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither calls in the pickle nor the code are executed."""
    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "trap.pt", pickle.dumps({"trap": Trap()}, 2))
    assert read_script(tmp_path / "trap.pt") == {}
    with pytest.raises(WeightsError, match="there is no generator in it"):
        Lama(weights="trap.pt")
    assert not (tmp_path / "sprung").exists()


def test_archives_that_go_in_circles(tmp_path: Path) -> None:
    """A module that lies in itself is refused, as is what is compressed."""
    circle = b"\x80\x02c__torch__\nModule\n)\x81q\x00}X\x04\x00\x00\x00selfh\x00sb."
    with pytest.raises(WeightsError, match="its modules lie in one another"):
        read_script(write_archive(tmp_path / "circle.pt", circle))
    with pytest.raises(WeightsError, match=r"data\.pkl is compressed"):
        read_script(write_archive(tmp_path / "small.pt", circle, method=zipfile.ZIP_DEFLATED))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_damaged_archives(tmp_path_factory: pytest.TempPathFactory, place: int, byte: int) -> None:
    """Whatever one byte becomes, tensors are read or the file is refused, and nothing else happens."""
    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 2, 2))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, held)
    data = bytearray(held.getvalue())
    data[place % len(data)] = byte
    path = tmp_path_factory.getbasetemp() / "hurt.pt"
    path.write_bytes(bytes(data))
    try:
        found = read_script(path)
    except WeightsError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())


# -- the inpainter ------------------------------------------------------------------------------------------


def lines(height: int, width: int) -> npt.NDArray[np.bool_]:
    """Return a mask of some lines."""
    mask = np.zeros((height, width), np.bool_)
    mask[height // 2 :: 9, 1:] = True
    return mask


@pytest.mark.parametrize("size", [(1, 3), (30, 41), (64, 48)])
def test_fill(archive: Path, size: tuple[int, int]) -> None:
    """A picture of any size is filled in its mask, and nowhere else."""
    inpainter, image, mask = Lama(weights=str(archive), device="cpu"), picture(*size), lines(*size)
    filled = checked_fill(inpainter, image, mask, "drawn")
    assert (filled[mask] != image[mask]).any()
    assert isinstance(inpainter, Inpainter)


def test_all_forms_fill_alike(archive: Path, checkpoint: Path, tmp_path: Path) -> None:
    """The archive, the checkpoint and what either is converted to give the same filling."""
    image, mask = picture(40, 56), lines(40, 56)
    expected = Lama(weights=str(archive), device="cpu").fill(image, mask)
    for number, source in enumerate((archive, checkpoint)):
        new = tmp_path / f"{number}.safetensors"
        assert convert(source, new) == digest(new)
        for path in (source, new):
            np.testing.assert_array_equal(Lama(weights=str(path), device="cpu").fill(image, mask), expected)


def test_what_it_says_of_itself(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest of the file is on the card; what it was trained on only if it is the published one."""
    inpainter = Lama(weights=str(archive), device="cpu")
    found = digest(archive)
    assert inpainter.version == f"1+{found[:8]}"
    assert inpainter.card.weights == found
    assert inpainter.card.training_data == "not known: not the published file big-lama.pt"
    monkeypatch.setattr(lama, "PUBLISHED", found)
    assert Lama(weights=str(archive), device="cpu").card.training_data.startswith("Places Challenge")
    assert "Apache-2.0" in inpainter.card.licence


def test_what_it_needs(tmp_path: Path) -> None:
    """Without weights it says where they are and under which licence; others are told."""
    for weights in (None, "nowhere.pt"):
        with pytest.raises(WeightsError, match=r"expected the file big-lama\.pt from https://.*Apache-2\.0"):
            Lama(weights=weights)
    torch.save({"state_dict": {"generator.first": torch.ones(1)}}, tmp_path / "w.ckpt")
    with pytest.raises(WeightsError, match=r"not of LaMa: there is no tensor 'model\.1\.ffc"):
        Lama(weights=str(tmp_path / "w.ckpt"))
    state = {f"generator.{name}": tensor for name, tensor in drawn().items()}
    state["generator.model.34.weight"] = torch.ones(1)
    torch.save({"state_dict": state}, tmp_path / "w.ckpt")
    told = "do not fit LamaNetwork: tensor 'model.34.weight' of shape (1,) is not expected"
    with pytest.raises(WeightsError, match=re.escape(told)):
        Lama(weights=str(tmp_path / "w.ckpt"))
    with pytest.raises(ValueError, match="setting 'tile' of method 'lama' is 100"):
        Lama(weights=str(tmp_path / "w.ckpt"), tile=100)
