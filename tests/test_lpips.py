"""LPIPS: against loops over the formula, and what is refused of its weights."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from inpainting_references import noisy_image

torch = pytest.importorskip("torch")

from baselines import lpips  # noqa: E402  needs torch
from baselines.lpips import FILES, SMALLEST, Lpips, load_lpips  # noqa: E402  the same
from baselines.weight_files import WeightsError  # noqa: E402  the same

Floats = npt.NDArray[np.float64]
CHANNELS = (64, 192, 384, 256, 256)
SIZES = (11, 5, 3, 3, 3)


@pytest.fixture(name="state", scope="module")
def random_state() -> dict[str, npt.NDArray[np.float32]]:
    """Return tensors of AlexNet's features and of the distance, drawn at random, by their public names."""
    rng = np.random.default_rng(0)
    found = {}
    before = 3
    for layer, (number, channels, size) in enumerate(zip((0, 3, 6, 8, 10), CHANNELS, SIZES, strict=True)):
        spread = np.sqrt(2 / (before * size * size))
        kernel = rng.normal(0, spread, (channels, before, size, size))
        found[f"features.{number}.weight"] = kernel.astype(np.float32)
        found[f"features.{number}.bias"] = rng.normal(0, 0.1, channels).astype(np.float32)
        found[f"lin{layer}.model.1.weight"] = rng.random((1, channels, 1, 1), np.float32)
        before = channels
    return found


@pytest.fixture(name="distance", scope="module")
def made(state: dict[str, npt.NDArray[np.float32]]) -> Lpips:
    """Return the distance with these weights."""
    convolutions = [
        (torch.from_numpy(state[f"features.{n}.weight"]), torch.from_numpy(state[f"features.{n}.bias"]))
        for n in (0, 3, 6, 8, 10)
    ]
    weights = [torch.from_numpy(state[f"lin{n}.model.1.weight"].ravel()) for n in range(5)]
    return Lpips(convolutions, weights)


def slow_convolution(
    x: Floats, kernel: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], stride: int, pad: int
) -> Floats:
    """Return the ReLU of a convolution of (C, H, W), window by window."""
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    size = kernel.shape[-1]
    rows, columns = ((n - size) // stride + 1 for n in padded.shape[1:])
    out = np.empty((len(kernel), rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = padded[:, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, i, j] = np.tensordot(kernel, window, 3) + bias
    return np.maximum(out, 0)


def slow_pool(x: Floats) -> Floats:
    """Return the largest of 3 x 3, every 2 px."""
    rows, columns = ((n - 3) // 2 + 1 for n in x.shape[1:])
    return np.array(
        [
            [[c[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max() for j in range(columns)] for i in range(rows)]
            for c in x
        ]
    )


def slow_layers(image: npt.NDArray[np.uint8], state: dict[str, npt.NDArray[np.float32]]) -> Iterator[Floats]:
    """Yield features of unit length at each place, layer by layer."""
    x = image.transpose(2, 0, 1) / 127.5 - 1
    x = (x - np.array([-0.030, -0.088, -0.188])[:, None, None]) / np.array([0.458, 0.448, 0.450])[
        :, None, None
    ]
    for number, stride, pad in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
        if number in (3, 6):
            x = slow_pool(x)
        x = slow_convolution(
            x, state[f"features.{number}.weight"], state[f"features.{number}.bias"], stride, pad
        )
        yield x / (np.sqrt((x**2).sum(axis=0)) + 1e-10)


def test_the_formula(distance: Lpips, state: dict[str, npt.NDArray[np.float32]]) -> None:
    """Over the whole picture it is the sum over layers of the mean of the weighted squared differences."""
    first, second = noisy_image(41, 52), noisy_image(41, 52, seed=1)
    expected = 0.0
    pairs = zip(slow_layers(first, state), slow_layers(second, state), strict=True)
    for layer, (one, other) in enumerate(pairs):
        weights = state[f"lin{layer}.model.1.weight"].reshape(-1, 1, 1)
        expected += float(((one - other) ** 2 * weights).sum(axis=0).mean())
    assert distance.distances(first, second, [None])[0] == pytest.approx(expected, rel=1e-4, abs=2e-6)


def test_regions(distance: Lpips) -> None:
    """In a region it is the mean of the map there: halves give the whole; an empty one gives nothing."""
    first, second = noisy_image(64, 96), noisy_image(64, 96, seed=1)
    left = np.zeros((64, 96), np.bool_)
    left[:, :48] = True
    whole, *halves = distance.distances(first, second, [np.ones_like(left), left, ~left])
    assert np.mean(halves) == pytest.approx(whole, abs=2e-6)
    assert distance.distances(first, second, [np.zeros_like(left)]) == [pytest.approx(np.nan, nan_ok=True)]
    second[:, 40:] = first[:, 40:]
    near, far = distance.distances(first, second, [left, ~left])
    assert near > 5 * far


@pytest.mark.parametrize("size", [(SMALLEST, SMALLEST), (40, 33)])
def test_equal_pictures(distance: Lpips, size: tuple[int, int]) -> None:
    """Equal pictures have distance 0, others more; both orders are alike."""
    first, second = noisy_image(*size), noisy_image(*size, seed=1)
    assert distance.distances(first, first, [None]) == [0]
    there, back = (distance.distances(*pair, [None])[0] for pair in ((first, second), (second, first)))
    assert there == back > 0


def test_small_pictures(distance: Lpips) -> None:
    """A picture too small for the last layer has no distance."""
    image = noisy_image(SMALLEST - 1, 80)
    assert np.isnan(distance.distances(image, image, [None])).all()


def test_wrong_pictures(distance: Lpips) -> None:
    """Pictures of two sizes, and regions of another, are refused."""
    image = noisy_image(40, 50)
    with pytest.raises(ValueError, match="expected pictures and regions of the reference's size"):
        distance.distances(image[1:], image, [None])
    with pytest.raises(ValueError, match="expected pictures and regions of the reference's size"):
        distance.distances(image, image, [np.ones((40, 51), np.bool_)])


@pytest.fixture(name="folder")
def weights_folder(
    state: dict[str, npt.NDArray[np.float32]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a folder of the two files, in the layouts of the published ones, taken for published."""
    trunk = {name: torch.from_numpy(value) for name, value in state.items() if name.startswith("features")}
    torch.save(trunk, tmp_path / FILES[0].name)
    pairs = [[name, torch.from_numpy(value)] for name, value in state.items() if name.startswith("lin")]
    torch.save(_Pairs(pairs), tmp_path / FILES[1].name, _use_new_zipfile_serialization=False)
    digests = [hashlib.sha256((tmp_path / file.name).read_bytes()).hexdigest() for file in FILES]
    found = tuple(dataclasses.replace(f, sha256=d) for f, d in zip(FILES, digests, strict=True))
    monkeypatch.setattr(lpips, "FILES", found)
    load_lpips.cache_clear()
    return tmp_path


class _Pairs:
    """Pickles as an OrderedDict made of a list of pairs, as Python 2 did."""

    def __init__(self, pairs: list[list[object]]) -> None:
        self.pairs = pairs

    def __reduce__(self) -> tuple[type, tuple[list[list[object]]]]:
        return OrderedDict, (self.pairs,)


def test_weights_are_read(folder: Path, distance: Lpips) -> None:
    """What is read from the files gives the same distances; nothing of them is executed."""
    first, second = noisy_image(40, 50), noisy_image(40, 50, seed=1)
    loaded = load_lpips(folder)
    assert loaded.distances(first, second, [None]) == distance.distances(first, second, [None])
    assert load_lpips(folder) is loaded


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    """The message says which file is missing, and where it comes from under which licence."""
    with pytest.raises(WeightsError, match=r"no alexnet-owt-7be5be79.pth in .*download.pytorch.org.*BSD-3"):
        load_lpips(tmp_path)


def test_other_weights(folder: Path) -> None:
    """A file that is not the published one is refused by its digest."""
    with (folder / FILES[1].name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsError, match=r"alex.pth has sha256 .*: expected .*BSD-2"):
        load_lpips(folder)


def test_broken_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the right digests with other tensors, or none, are refused in one line."""
    path = folder / FILES[1].name
    shutil.copy(folder / FILES[0].name, path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(lpips, "FILES", (lpips.FILES[0], dataclasses.replace(FILES[1], sha256=found)))
    with pytest.raises(WeightsError, match=r"weights .*alex.pth cannot be read") as caught:
        load_lpips(folder)
    assert "\n" not in str(caught.value)
