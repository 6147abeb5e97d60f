"""The scratch detector of old photographs: its table of tensors, its steps, and checkpoints read unopened."""

from __future__ import annotations

import collections
import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import picture
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from baselines.photo_restoration import PhotoRestoration, convert
from baselines.photo_restoration_network import ScratchNetwork
from baselines.protocols import checked_predict
from baselines.registry import get_detector
from baselines.torch_checkpoints import read_checkpoint
from baselines.weight_files import WeightsError, digest
from baselines.weights import load_into

# -- the table ----------------------------------------------------------------------------------------------


def normed(prefix: str, conv: int, inside: int, outside: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a convolution and the norm behind it."""
    norm = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (outside,))
    return {
        f"{prefix}.{conv}.weight": (outside, inside, 3, 3),
        f"{prefix}.{conv}.bias": (outside,),
        **{f"{prefix}.{conv + 1}.{name}": shape for name, shape in norm.items()},
        f"{prefix}.{conv + 1}.num_batches_tracked": (),
    }


def table() -> dict[str, tuple[int, ...]]:
    """Return all names and shapes, as the reference lists them."""
    shapes: dict[str, tuple[int, ...]] = {"first.1.weight": (64, 1, 7, 7), "first.1.bias": (64,)}
    for i, width in enumerate((64, 128, 256, 512)):
        shapes |= normed(f"down_sample.{i}", 1, width, width)
        shapes[f"down_sample.{i}.4.filt"] = (width, 1, 3, 3)
        shapes |= normed(f"down_path.{i}.block", 1, width, 2 * width)
        shapes |= normed(f"down_path.{i}.block", 5, 2 * width, 2 * width)
    for j, width in enumerate((1024, 512, 256, 128)):
        shapes |= {
            f"up_path.{j}.up.2.weight": (width // 2, width, 3, 3),
            f"up_path.{j}.up.2.bias": (width // 2,),
        }
        shapes |= normed(f"up_path.{j}.conv_block.block", 1, width, width // 2)
        shapes |= normed(f"up_path.{j}.conv_block.block", 5, width // 2, width // 2)
    return shapes | {"last.1.weight": (1, 64, 3, 3), "last.1.bias": (1,)}


@pytest.fixture(name="state", scope="module")
def made_state() -> dict[str, Tensor]:
    """Return a state dict of the table's names and shapes."""
    drawn = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}
    for name, shape in table().items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("filt"):
            line = torch.tensor([1.0, 2.0, 1.0])
            state[name] = (torch.outer(line, line) / 16).expand(shape).contiguous()
        elif name.endswith("running_var"):
            state[name] = torch.rand(shape, generator=drawn) + 0.5
        else:
            fan = max(1, int(np.prod(shape[1:])))
            state[name] = torch.randn(shape, generator=drawn) * (1.7 / fan**0.5 if len(shape) > 1 else 0.1)
    return state


@pytest.fixture(name="weights", scope="module")
def written(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a safetensors file of them."""
    path = tmp_path_factory.mktemp("photo") / "scratches.safetensors"
    save_file(state, path)
    return str(path)


def reference(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Walk through the table with functions alone."""

    def conv(x: Tensor, name: str) -> Tensor:
        weight = state[f"{name}.weight"]
        border = weight.shape[-1] // 2
        padded = functional.pad(x, (border,) * 4, mode="reflect")
        return functional.conv2d(padded, weight, state[f"{name}.bias"])

    def layer(x: Tensor, prefix: str, number: int) -> Tensor:
        at = f"{prefix}.{number + 1}"
        mean, variance = state[f"{at}.running_mean"], state[f"{at}.running_var"]
        x = conv(x, f"{prefix}.{number}")
        x = functional.batch_norm(x, mean, variance, state[f"{at}.weight"], state[f"{at}.bias"])
        return functional.leaky_relu(x, 0.2)

    x = functional.leaky_relu(conv(x, "first.1"), 0.2)
    skips = []
    for i in range(4):
        skips.append(x)
        x = functional.pad(layer(x, f"down_sample.{i}", 1), (1, 1, 1, 1), mode="reflect")
        x = functional.conv2d(x, state[f"down_sample.{i}.4.filt"], stride=2, groups=x.shape[1])
        x = layer(layer(x, f"down_path.{i}.block", 1), f"down_path.{i}.block", 5)
    for j in range(4):
        x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = torch.cat([conv(x, f"up_path.{j}.up.2"), skips.pop()], 1)
        x = layer(layer(x, f"up_path.{j}.conv_block.block", 1), f"up_path.{j}.conv_block.block", 5)
    return conv(x, "last.1")


def test_the_table(state: dict[str, Tensor]) -> None:
    """The network has the table's 156 names and shapes, and 37,626,177 parameters."""
    with torch.device("meta"):
        network = ScratchNetwork()
    assert {name: tuple(t.shape) for name, t in network.state_dict().items()} == table()
    assert len(state) == 156
    assert sum(parameter.numel() for parameter in network.parameters()) == 37_626_177


def test_the_network(state: dict[str, Tensor]) -> None:
    """The network computes what the table describes."""
    network = ScratchNetwork().eval()
    load_into(network, state, "made")
    x = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        found, expected = network(x), reference(state, x)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


# -- the detector -------------------------------------------------------------------------------------------


class Echo(nn.Module):
    """Answers with what it is given, as logits, and keeps the sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture."""
        self.sizes.append(tuple(x.shape[2:]))
        return x


def echo(tmp_path: Path, **options: Any) -> tuple[PhotoRestoration, Echo]:
    """Return a detector with a network that does nothing."""
    network = Echo()
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PhotoRestoration, "_ready", (network, torch.device("cpu")))
        detector = PhotoRestoration(weights=str(path), **options)
    detector.__dict__["_ready"] = (network, torch.device("cpu"))
    return detector, network


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((64, 64), (256, 256)),
        ((1, 1), (256, 256)),
        ((300, 600), (256, 512)),
        ((600, 301), (512, 256)),
        ((1, 90), (256, 1536)),
        ((1, 3000), (256, 4096)),
    ],
)
def test_what_the_network_sees(tmp_path: Path, size: tuple[int, int], seen: tuple[int, int]) -> None:
    """As published, the short side becomes 256 px and the other a multiple of 16."""
    detector, network = echo(tmp_path)
    assert checked_predict(detector, picture(*size), "drawn").shape == size
    assert network.sizes == [seen]


def test_scores_are_those_of_the_grey_picture(tmp_path: Path) -> None:
    """Black is -1 and white is 1 for the network; its logits become probabilities."""
    detector, _ = echo(tmp_path)
    for level in (0, 255):
        scores = detector.predict(np.full((256, 256, 3), level, np.uint8))
        np.testing.assert_allclose(scores, 1 / (1 + np.exp(1 - 2 * level / 255)), atol=1e-6)


def test_variants(tmp_path: Path) -> None:
    """The dark variant sees the negative, both take the larger, and tiles are of 256 px at most."""
    image = picture(300, 520)
    light, dark, both = (echo(tmp_path, polarity=p)[0].predict(image) for p in ("light", "dark", "both"))
    np.testing.assert_allclose(echo(tmp_path)[0].predict(255 - image), dark, atol=1e-6)
    np.testing.assert_array_equal(np.maximum(light, dark), both)
    detector, network = echo(tmp_path, tiled=True)
    grey = (image @ np.array([0.299, 0.587, 0.114])).round()
    scores = detector.predict(image)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(1 - grey / 127.5)), atol=0.01)
    assert len(network.sizes) == 6
    assert max(max(size) for size in network.sizes) <= 256


def test_with_its_network(weights: str) -> None:
    """With all tensors there is an answer, in tiles too, and the card notes the weights."""
    image = picture(40, 72)
    for options in ({}, {"tiled": True}):
        detector = get_detector("photo_restoration", weights=weights, device="cpu", **options)
        scores = checked_predict(detector, image, "drawn")
        assert scores.std() > 0
    assert detector.card.weights == digest(Path(weights))
    assert detector.threshold == 0.4
    assert "MIT" in detector.card.licence


def test_what_it_needs(tmp_path: Path, state: dict[str, Tensor]) -> None:
    """Without weights it says where they are; with others, which tensor does not fit."""
    for weights in (None, "nowhere.pt"):
        with pytest.raises(WeightsError, match=r"FT_Epoch_latest\.pt in global_checkpoints\.zip of https://"):
            get_detector("photo_restoration", weights=weights)
    path = tmp_path / "w.safetensors"
    save_file({"first.1.weight": torch.zeros(64, 3, 7, 7), "first.1.bias": state["first.1.bias"]}, path)
    told = "tensor 'first.1.weight': expected shape (64, 1, 7, 7). Got (64, 3, 7, 7)"
    with pytest.raises(WeightsError, match=re.escape(told)):
        get_detector("photo_restoration", weights=str(path))
    for wrong in ({"polarity": "grey"}, {"tiled": 1}):
        with pytest.raises(ValueError, match="expected light, dark or both, and True or False"):
            get_detector("photo_restoration", weights=str(path), **wrong)


# -- checkpoints --------------------------------------------------------------------------------------------


def checkpoint() -> dict[str, Any]:
    """Return what a training run of old might have saved."""
    base = torch.arange(24.0).reshape(4, 6)
    model = collections.OrderedDict(
        whole=base,
        part=base[1:3, ::2],
        turned=base.t(),
        one=torch.tensor(3),
        half=torch.ones(3).half(),
        double=torch.ones(2, 2).double(),
        flags=torch.tensor([True, False]),
        none=torch.zeros(0, 4),
        parameter=nn.Parameter(torch.full((2,), 0.25)),
    )
    optimiser = {
        "state": {0: {"step": 3, "average": torch.zeros(2)}},
        "groups": [{"lr": 1e-4, "b": (0.9, 1)}],
    }
    return {
        "epoch": 12,
        "model_state": model,
        "optimizer_state": optimiser,
        "loss": None,
        "best": float("inf"),
    }


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_checkpoints_are_read(tmp_path: Path, protocol: int, *, zipped: bool) -> None:
    """Tensors of both layouts come out as torch would load them, views and all."""
    path = tmp_path / "w.pt"
    torch.save(checkpoint(), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(path, "model_state")
    expected = checkpoint()["model_state"]
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor.detach().numpy())
        assert found[name].dtype == tensor.detach().numpy().dtype
    torch.save(dict(expected), path)
    assert read_checkpoint(path, "").keys() == expected.keys()


def test_convert(tmp_path: Path) -> None:
    """A checkpoint becomes safetensors bit for bit."""
    torch.save(checkpoint(), tmp_path / "w.pt")
    told = convert(tmp_path / "w.pt", tmp_path / "w.safetensors")
    assert told == digest(tmp_path / "w.safetensors")
    found = load_file(tmp_path / "w.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in checkpoint()["model_state"].items())


class Trap:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("sprung", "w"))


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_checkpoint_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, zipped: bool
) -> None:
    """Calls in a pickle are not made; tensors beside them are read."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.pt"
    held = {"a": torch.ones(2), "trap": Trap()}
    torch.save({"model_state": held, "more": Trap()}, path, _use_new_zipfile_serialization=zipped)
    assert list(read_checkpoint(path, "model_state")) == ["a"]
    assert not (tmp_path / "sprung").exists()


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    """Other files, other keys and other pickles are told with their path."""
    path = tmp_path / "w.pt"
    torch.save({"state": {}}, path)
    with pytest.raises(WeightsError, match="no dictionary 'model_state' in it: it has 'state'"):
        read_checkpoint(path, "model_state")
    for content in (b"", b"hello", pickle.dumps({"model_state": {}}), b"\x80\x02(K\x01.", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=re.escape(f"weights {path}: no checkpoint of torch, or a ")):
            read_checkpoint(path, "model_state")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(tmp_path / "none.pt", "model_state")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), zipped=st.booleans())
def test_damaged_checkpoints(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, *, zipped: bool
) -> None:
    """Whatever one byte becomes, tensors are read or the file is refused, and nothing else happens."""
    written = io.BytesIO()
    torch.save(
        {"model_state": {"a": torch.ones(3, 2), "b": [1, (2.5, "c")]}},
        written,
        _use_new_zipfile_serialization=zipped,
    )
    data = bytearray(written.getvalue())
    data[place % len(data)] = byte
    path = tmp_path_factory.getbasetemp() / "hurt.pt"
    path.write_bytes(bytes(data))
    try:
        found = read_checkpoint(path, "model_state")
    except WeightsError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())


def test_bombs(tmp_path: Path) -> None:
    """A zip that would grow is refused, and a tensor that claims more than there is."""
    torch.save({"model_state": {"a": torch.zeros(1000)}}, tmp_path / "w.pt")
    with (
        zipfile.ZipFile(tmp_path / "w.pt") as old,
        zipfile.ZipFile(tmp_path / "small.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, old.read(info.filename))
    with pytest.raises(WeightsError, match="it is compressed, which torch never does"):
        read_checkpoint(tmp_path / "small.pt", "model_state")
    wide = torch.zeros(1).expand(1 << 40)
    torch.save({"model_state": {"a": wide}}, tmp_path / "wide.pt")
    with pytest.raises(WeightsError, match="a tensor is larger than its storage"):
        read_checkpoint(tmp_path / "wide.pt", "model_state")
