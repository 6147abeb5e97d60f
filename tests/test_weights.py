"""Weights: written and read back, refused where they are something else, and named where they do not fit."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import CARD
from torch import Tensor, nn

from baselines.weight_files import (
    CARD_FIELDS,
    SHIPPED,
    card_path,
    digest,
    read_card,
    read_header,
    shipped_weights,
)
from baselines.weights import WeightsError, load_into, load_tensors, load_weights, save_weights

MOST_BYTES = 16_000_000


def network(width: int = 4) -> nn.Sequential:
    """Return a convolution and a norm."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))


def saved(path: Path, **changes: Any) -> Path:
    """Write the network's weights."""
    save_weights(path, network().state_dict(), {**CARD, **changes})
    return path


@pytest.fixture(name="path")
def written(tmp_path: Path) -> Path:
    """Return a file of weights."""
    return saved(tmp_path / "w.safetensors")


# -- there and back -----------------------------------------------------------------------------------------


def test_there_and_back(tmp_path: Path) -> None:
    """Kernels come back to within float16, vectors and whole numbers exactly, the card as it was."""
    before = network().state_dict()
    told = save_weights(tmp_path / "w.safetensors", before, {**CARD, "more": [1, None]})
    after, card = load_weights(tmp_path / "w.safetensors")
    assert after.keys() == before.keys()
    assert card == {**CARD, "more": [1, None], "sha256": told}
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype
        assert torch.equal(after[name], tensor.half().float() if tensor.ndim > 1 else tensor)


def test_stored_as_float16(path: Path) -> None:
    """In the file kernels take two bytes, vectors four."""
    kinds = {name: kind for name, (kind, _) in read_header(path).items()}
    assert kinds["0.weight"] == "F16"
    assert kinds["0.bias"] == kinds["1.running_var"] == "F32"
    assert kinds["1.num_batches_tracked"] == "I64"


def test_exactly_if_asked(tmp_path: Path) -> None:
    """With half=False nothing is rounded."""
    save_weights(tmp_path / "w.safetensors", network().state_dict(), CARD, half=False)
    found = load_tensors(tmp_path / "w.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in network().state_dict().items())


def test_what_float16_cannot_hold(tmp_path: Path) -> None:
    """A kernel with large numbers stays float32."""
    tensors = {"a": torch.full((2, 2), 1e6), "b": torch.zeros(0, 3)}
    save_weights(tmp_path / "w.safetensors", tensors, CARD)
    assert float(load_tensors(tmp_path / "w.safetensors")["a"][0, 0]) == 1e6


def test_views_and_other_types(tmp_path: Path) -> None:
    """Views, shared storages, bfloat16 and float64 are written as plain tensors of their values."""
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"t": base.t(), "same": base, "bf": base.bfloat16(), "double": base[0].double()}
    save_weights(tmp_path / "w.safetensors", tensors, CARD)
    found = load_tensors(tmp_path / "w.safetensors")
    assert all(torch.equal(found[name], tensor.float()) for name, tensor in tensors.items())


def test_same_bytes(path: Path, tmp_path: Path) -> None:
    """The same weights give the same file."""
    assert digest(saved(tmp_path / "again.safetensors")) == digest(path)


# -- what is not written ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_not_finite(tmp_path: Path, value: float) -> None:
    """Weights with NaN or infinity are refused, and nothing is written."""
    tensors = {"a": torch.zeros(2), "b": torch.tensor([[0.0, value]])}
    with pytest.raises(WeightsError, match="tensor 'b' holds NaN or infinity"):
        save_weights(tmp_path / "w.safetensors", tensors, CARD)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", CARD_FIELDS)
def test_a_card_that_lacks_something(tmp_path: Path, name: str) -> None:
    """Every field is asked for by name, and nothing is written without."""
    card = {key: value for key, value in CARD.items() if key != name}
    with pytest.raises(WeightsError, match=f"there is no {name!r}: expected {re.escape(CARD_FIELDS[name])}"):
        save_weights(tmp_path / "w.safetensors", {}, card)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classes", 4),
        ("classes", True),
        ("threshold", 1.5),
        ("threshold", "0.5"),
        ("threshold", math.nan),
        ("steps", -1),
        ("seed", 1.0),
        ("switches", [1]),
        ("base", 3),
        ("command", "  "),
        ("licence", None),
    ],
)
def test_a_card_that_is_wrong(tmp_path: Path, name: str, value: object) -> None:
    """A field of another kind is named with its value."""
    with pytest.raises(WeightsError, match=f"{name!r} is {re.escape(repr(value))}: expected"):
        save_weights(tmp_path / "w.safetensors", {}, {**CARD, name: value})


def test_another_ending(tmp_path: Path) -> None:
    """A file of weights ends in .safetensors."""
    with pytest.raises(WeightsError, match="expected a name that ends in"):
        save_weights(tmp_path / "w.pt", {}, CARD)


def test_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk refuses, what was there stays, and nothing half-written is left."""
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match="cannot be written: No space left"):
        save_weights(path, {"a": torch.zeros(3)}, CARD)
    assert path.read_bytes() == before
    assert {entry.name for entry in path.parent.iterdir()} == {"w.safetensors", "w.json"}


# -- what is not read ---------------------------------------------------------------------------------------


class Trap:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("sprung", "w"))


@pytest.mark.parametrize("how", ["zip", "row", "pickle"])
def test_pickles_are_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A pickle in any wrapping is called one, and nothing in it runs."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.safetensors"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    else:
        torch.save({"a": Trap()}, path, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(WeightsError, match="a pickle, which can run any code when it is opened, and is not"):
        load_weights(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "the pointer of Git LFS"),
        (b"<!DOCTYPE html><html>Not found</html>", "a page of the web"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        (b"hello, I am no weights at all", "no safetensors file"),
        ((1 << 60).to_bytes(8, "little") + b"{}", "no safetensors file"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, what: str) -> None:
    """What is no safetensors file is called what it is."""
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=what):
        load_weights(path)


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there, or a folder, is told with its path."""
    for path in (tmp_path / "w.safetensors", tmp_path):
        with pytest.raises(WeightsError, match=f"weights {re.escape(str(path))} cannot be read: "):
            load_weights(path)


def test_cut_short_anywhere(path: Path) -> None:
    """However much is missing at the end, or added, it is noticed before a tensor is read."""
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            load_tensors(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(WeightsError, match="cut short or added to"):
        load_tensors(path)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(place=st.integers(0, 399), byte=st.integers(0, 255))
def test_a_damaged_header(tmp_path_factory: pytest.TempPathFactory, place: int, byte: int) -> None:
    """Whatever one byte of the header becomes, the file is read or refused, and nothing else happens."""
    folder = tmp_path_factory.getbasetemp() / "damaged"
    path = folder / "w.safetensors"
    data = bytearray((path if path.exists() else saved(path)).read_bytes())
    data[place] = byte
    (folder / "hurt.safetensors").write_bytes(bytes(data))
    try:
        found = load_tensors(folder / "hurt.safetensors")
    except WeightsError:
        return
    assert all(isinstance(tensor, Tensor) for tensor in found.values())


def test_cards_and_weights_belong_together(path: Path, tmp_path: Path) -> None:
    """Weights without a card, with a broken one, or with that of other weights are refused."""
    other = tmp_path / "other.safetensors"
    save_weights(other, {"a": torch.zeros(2)}, CARD)
    card = card_path(path)
    card.write_bytes(card_path(other).read_bytes())
    with pytest.raises(WeightsError, match=f"is that of other weights: expected sha256 {digest(path)}. Got"):
        read_card(path)
    for content, message in (
        ("{", "cannot be read"),
        ("[]", "is list: expected an object"),
        ("{}", "no 'me"),
    ):
        card.write_text(content)
        with pytest.raises(WeightsError, match=message):
            read_card(path)
    card.unlink()
    with pytest.raises(WeightsError, match=r"there is no card w\.json beside them"):
        load_weights(path)


# -- into a network -----------------------------------------------------------------------------------------


def test_into_a_network(path: Path) -> None:
    """Tensors that fit are taken."""
    target = network()
    weight = next(target.parameters())
    expected = weight.half().float()
    nn.init.zeros_(weight)
    load_into(target, load_tensors(path), "w")
    assert torch.equal(weight, expected)


def damaged(tensors: dict[str, Tensor], how: str) -> dict[str, Tensor]:
    """Return tensors that do not fit."""
    changes: dict[str, dict[str, Tensor | None]] = {
        "missing": {"0.bias": None, "1.bias": None},
        "renamed": {"0.weight": None, "conv.weight": tensors["0.weight"]},
        "shape": {"0.weight": torch.zeros(4, 3, 5, 5), "1.weight": torch.zeros(5)},
        "kind": {"1.num_batches_tracked": torch.zeros(())},
        "further": {"2.weight": torch.zeros(7)},
    }
    changed: dict[str, Tensor | None] = {**tensors, **changes[how]}
    return {name: tensor for name, tensor in changed.items() if tensor is not None}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "there is no tensor '0.bias': expected shape (4,)"),
        (
            "renamed",
            "there is no tensor '0.weight': expected shape (4, 3, 3, 3); it has a tensor 'conv.weight'",
        ),
        ("shape", "tensor '0.weight': expected shape (4, 3, 3, 3). Got (4, 3, 5, 5)"),
        ("kind", "tensor '1.num_batches_tracked': expected type torch.int64. Got torch.float32"),
        ("further", "tensor '2.weight' of shape (7,) is not expected"),
    ],
)
def test_the_first_that_does_not_fit(path: Path, how: str, message: str) -> None:
    """The first tensor that does not fit is named with both shapes, and the network stays as it was."""
    target = network()
    weight = nn.init.ones_(next(target.parameters()))
    with pytest.raises(WeightsError, match=re.escape(f"weights w.st do not fit Sequential: {message}")):
        load_into(target, damaged(load_tensors(path), how), "w.st")
    assert torch.equal(weight, torch.ones_like(weight))


# -- what comes with the package ----------------------------------------------------------------------------


def test_shipped_weights_are_small() -> None:
    """All weights of this package together take at most 16 MB, and nothing else lies among them."""
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md"}


def test_shipped_weights_say_how_they_were_made() -> None:
    """Each file of weights has a card with the command that made it, and each card its weights."""
    for path in shipped_weights().values():
        card = read_card(path)
        assert re.search(r"\bcraqbench train\b.*--method\b", card["command"]), path.name
        assert card["licence"] == "Apache-2.0"
        assert json.loads(card_path(path).read_text())["steps"] > 0
    assert {path.stem for path in SHIPPED.glob("*.json")} == set(shipped_weights())
