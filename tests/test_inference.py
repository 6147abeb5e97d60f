"""Networks on images of any size: whole, in tiles, mirrored, on any device there is."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import Small, picture, small
from torch import Tensor

from baselines import inference
from baselines.inference import FLIPS, Runner, best_precision, find_device, hint_of
from baselines.tiles import MARGIN, TILE, least_tile, spans

CPU = torch.device("cpu")


def runner(network: Small | None = None, **options: Any) -> Runner:
    """Return a runner on the CPU."""
    return Runner(network=network or small(), device=CPU, **options)


class Watched(Small):
    """Keeps what it was given."""

    def __init__(self, **switches: Any) -> None:
        super().__init__(**switches)
        self.seen: list[tuple[Tensor, Tensor | None]] = []

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits."""
        self.seen.append((image, hint))
        return super().forward(image, hint)


# -- tiles --------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data(), stride=st.sampled_from([1, 4, 8, 16, 32]))
def test_tiles_cover_a_side(data: st.DataObject, stride: int) -> None:
    """Tiles lie on the grid, are short enough, overlap by their margins at least, and weigh 1 in all."""
    tile = data.draw(st.integers(least_tile(stride), 2000))
    side = stride * data.draw(st.integers(1, 6000 // stride))
    found = spans(side, tile, stride)
    total = np.zeros(side)
    for where, weights in found:
        assert where.start % stride == where.stop % stride == 0
        assert weights.shape == (where.stop - where.start,)
        assert weights.size <= max(tile, stride)
        assert weights.min() >= 0
        total[where] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)
    for (one, before), (other, after) in itertools.pairwise(found):
        assert one.stop - other.start >= 2 * MARGIN
        assert not before[-MARGIN:].any()
        assert not after[:MARGIN].any()
    assert len(found) == 1 or side > tile


def test_hardly_more_than_the_image() -> None:
    """A picture of 3,000 px is computed with less than a quarter more px than it has."""
    lengths = [where.stop - where.start for where, _ in spans(3008, TILE, 32)]
    assert (sum(lengths) / 3008) ** 2 < 1.23


# -- any size -----------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None, derandomize=True)
@given(height=st.integers(1, 70), width=st.integers(1, 70), flips=st.sampled_from(FLIPS))
def test_any_size(height: int, width: int, flips: int) -> None:
    """Images of any height and width give float32 probabilities of that size, and are left as they are."""
    image = picture(height, width)
    before = image.copy()
    found = runner(flips=flips).run(image)
    assert found.shape == (1, height, width)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("size", [(3000, 700), (700, 3000), (1111, 1234)])
def test_whole_and_tiled(size: tuple[int, int]) -> None:
    """A large image gives the same answer whole and in tiles."""
    image = picture(*size)
    whole = runner(tile=4096).run(image)
    assert whole.std() > 0.03
    for tile in (600, 777, 1600):
        np.testing.assert_allclose(runner(tile=tile).run(image), whole, atol=1e-4)


def test_whole_and_tiled_with_all_there_is() -> None:
    """The same with three classes, flips and a detector's map, which is made of the whole image."""
    image = picture(900, 640)
    network = small(classes=3, detector_channel=True)
    whole = runner(network, flips=8).run(image)
    assert whole.shape == (2, 900, 640)
    np.testing.assert_allclose(runner(network, flips=8, tile=600).run(image), whole, atol=1e-4)


def test_memory_is_bounded() -> None:
    """No tile that a network is given is larger than asked."""
    network = Watched()
    runner(network, tile=600).run(picture(1500, 900))
    assert len(network.seen) > 4
    assert max(side for image, _ in network.seen for side in image.shape[2:]) <= 600


def test_what_a_network_is_given() -> None:
    """RGB in [0, 1] and the map of the top-hat on the grid, mirrored into what is lacking."""
    network = Watched(detector_channel=True)
    image = picture(29, 30)
    runner(network).run(image)
    seen, hint = network.seen[0]
    assert seen.shape == (1, 3, 32, 32)
    assert hint is not None
    assert hint.shape == (1, 1, 32, 32)
    expected = np.pad(image, ((0, 3), (0, 2), (0, 0)), mode="reflect")
    np.testing.assert_allclose(seen[0].permute(1, 2, 0).numpy(), expected / 255, atol=1e-6)
    np.testing.assert_array_equal(hint[0, 0, :29, :30].numpy() > 0, hint_of(image))
    assert hint_of(image).any()


# -- views --------------------------------------------------------------------------------------------------


def test_views_are_turned_back() -> None:
    """Eight different views, each of which is undone."""
    tensor = torch.arange(12.0).reshape(1, 1, 3, 4)
    views = [inference._turned(tensor, view) for view in range(8)]
    assert len({tuple(view.reshape(-1).tolist()) + tuple(view.shape) for view in views}) == 8
    assert all(torch.equal(inference._turned_back(v, number), tensor) for number, v in enumerate(views))


def test_flips_are_an_average() -> None:
    """With flips the answer is the mean over the views, and does not care how the image is turned."""
    image = picture(48, 64)
    network = small()
    alone = runner(copy.deepcopy(network))
    found = runner(network, flips=4).run(image)
    axes: tuple[tuple[int, ...], ...] = ((), (1,), (0,), (0, 1))
    views = [
        np.flip(alone.run(np.ascontiguousarray(np.flip(image, a))), tuple(n + 1 for n in a)) for a in axes
    ]
    np.testing.assert_allclose(found, np.mean(views, axis=0), atol=1e-5)
    every = runner(network, flips=8)
    turned = every.run(np.ascontiguousarray(image.transpose(1, 0, 2)[::-1]))
    np.testing.assert_allclose(turned, every.run(image).transpose(0, 2, 1)[:, ::-1], atol=1e-5)
    assert not np.allclose(found, alone.run(image), atol=1e-2)


# -- precision, device, repeatability -----------------------------------------------------------------------


def test_bfloat16_is_near() -> None:
    """Half the precision changes little, and the answer is float32 all the same."""
    image = picture(64, 64)
    exact, near = runner().run(image), runner(precision="bfloat16").run(image)
    assert near.dtype == np.float32
    assert 0 < np.abs(exact - near).mean() < 0.02


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_again(precision: str) -> None:
    """An image gives the same bits whatever came before, and the network learns nothing meanwhile."""
    network = small()
    before = copy.deepcopy(network.state_dict())
    one = runner(network, precision=precision, flips=2)
    first = one.run(picture(60, 90))
    one.run(picture(33, 20, seed=1))
    np.testing.assert_array_equal(one.run(picture(60, 90)), first)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_devices() -> None:
    """What there is is found; what there is not is refused with what was expected."""
    assert find_device("cpu") == CPU
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for wrong in ("", "tpu", "meta", "cuda:x", "mps"):
        with pytest.raises(ValueError, match="expected auto, cpu, cuda or cuda:NUMBER"):
            find_device(wrong)
    with pytest.raises(ValueError, match=r"torch sees \d of that kind here"):
        find_device("cuda:99")


def test_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 is taken where the processor computes with it, float32 elsewhere."""
    for able, precision in (
        ({"amx_bf16": True}, "bfloat16"),
        ({"avx512_bf16": True}, "bfloat16"),
        ({"avx512_f": True, "avx512_bf16": False}, "float32"),
        ({}, "float32"),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert best_precision(CPU) == precision


# -- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flips": 3}, "flips 3: expected one of 1, 2, 4, 8"),
        ({"precision": "float16"}, "precision 'float16': expected float32 or bfloat16"),
        ({"tile": 100}, "tile 100: expected at least 576 px"),
    ],
)
def test_settings_are_checked(options: dict[str, Any], message: str) -> None:
    """A setting that cannot be used is named with what was expected."""
    with pytest.raises(ValueError, match=message):
        runner(**options)


def test_no_image() -> None:
    """What is no image is refused."""
    with pytest.raises(ValueError, match="expected an RGB image"):
        runner().run(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        MemoryError(),
    ],
    ids=["GPU", "CPU", "NumPy"],
)
def test_out_of_memory(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory runs out, on a device or here, the message says what to change, and how far."""

    def greedy(*_: object) -> Tensor:
        raise error

    monkeypatch.setattr(Small, "forward", greedy)
    told = "out of memory on cpu with tiles of 1664 px: expected a smaller tile .setting tile, 576 at least"
    with pytest.raises(ValueError, match=told):
        runner().run(picture(20, 20))


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of a network is not taken for want of memory."""

    def broken(*_: object) -> Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(Small, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        runner().run(picture(20, 20))
