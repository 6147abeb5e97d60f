"""Learned inpainters: made by name, fill any picture in tiles, and touch nothing outside the mask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import CARD, picture

from baselines.inpainting import learned
from baselines.inpainting.architectures import INPAINTING, make_inpainting_network
from baselines.inpainting.checks import checked_fill
from baselines.inpainting.learned import LearnedInpainter, checked_tile, fill_in_tiles
from baselines.inpainting.unet import UNetInpaintLarge
from baselines.protocols import Card, Image, Inpainter, Mask
from baselines.weight_files import INPAINT, WeightsError, card_path
from baselines.weights import save_weights

SWITCHES: dict[str, dict[str, Any]] = {
    "unet_inpaint": {"widths": [6, 8, 10]},
    "unet_inpaint_large": {"widths": [4, 6, 8, 10]},
    "unet_inpaint_small": {"widths": [4, 6, 8, 10]},
    "ur_net": {"widths": [6, 8, 10]},
    "partial_conv": {"width": 4, "depth": 4},
    "shift_net": {"width": 4, "depth": 6},
    "gan_unet": {"width": 4, "depth": 6},
}
CLASSES: dict[str, type[LearnedInpainter]] = {
    thing.name: thing
    for thing in vars(learned).values()
    if isinstance(thing, type) and issubclass(thing, LearnedInpainter) and thing is not LearnedInpainter
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write(path: Path, name: str, **changes: Any) -> str:
    """Write random weights of a small network with their card, and return the path."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = make_inpainting_network(name, **SWITCHES[name])
        if isinstance(network, UNetInpaintLarge):  # its last layer begins as zeros
            torch.nn.init.normal_(network.last.weight, std=0.3)
    card = {**CARD, "task": INPAINT, "method": name, "switches": SWITCHES[name], "base": None, **changes}
    save_weights(path, network.state_dict(), card)
    return str(path)


@pytest.fixture(name="weights", scope="module")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return a file of random weights for each name."""
    folder = tmp_path_factory.mktemp("weights")
    return {name: write(folder / f"{name}.safetensors", name) for name in SWITCHES}


def made(name: str, weights: dict[str, str], **settings: Any) -> LearnedInpainter:
    """Return a small inpainter."""
    return CLASSES[name](**{"weights": weights[name], "device": "cpu", "precision": "float32", **settings})


def lines(height: int, width: int, seed: int = 0) -> Mask:
    """Return a mask of some lines."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.bool_)
    mask[rng.integers(0, height)] = True
    mask[:, rng.integers(0, width)] = True
    return mask


# -- what they are ------------------------------------------------------------------------------------------


def test_each_network_has_an_inpainter() -> None:
    """Inpainters and networks go by the same names."""
    assert set(CLASSES) == set(INPAINTING) == set(SWITCHES)


def test_what_it_says_of_itself(weights: dict[str, str]) -> None:
    """Version and card come from the card of the weights; auto is settled."""
    inpainter = CLASSES["unet_inpaint"](weights=weights["unet_inpaint"])
    assert isinstance(inpainter, Inpainter)
    digest = json.loads(card_path(Path(weights["unet_inpaint"])).read_text())["sha256"]
    assert inpainter.version == f"3+{digest[:8]}"
    assert isinstance(inpainter.card, Card)
    assert inpainter.card.weights == digest
    assert inpainter.card.training_data == "synthetic cracks only"
    assert "sec. 2.3" in inpainter.card.reference
    assert inpainter.device in {"cpu", "cuda"}
    assert inpainter.precision in {"float32", "bfloat16"}


def test_making_one_leaves_chance_alone(weights: dict[str, str]) -> None:
    """The first weights, drawn to be replaced, take nothing from anybody's random numbers."""
    before = torch.random.get_rng_state()
    made("gan_unet", weights)
    assert torch.equal(torch.random.get_rng_state(), before)


# -- what they do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("size", [(1, 2), (9, 40), (37, 53), (64, 96)])
def test_fill(name: str, size: tuple[int, int], weights: dict[str, str]) -> None:
    """A picture of any size is filled, the same each time, and nothing else in it changes."""
    inpainter, image, mask = made(name, weights), picture(*size), lines(*size)
    if mask.all():
        mask[0, 0] = False
    before = image.copy(), mask.copy()
    filled = checked_fill(inpainter, image, mask, "drawn")
    np.testing.assert_array_equal(filled, inpainter.fill(image, mask))
    np.testing.assert_array_equal(filled[~mask], image[~mask])
    assert (filled[mask] != image[mask]).any()
    assert all(np.array_equal(now, then) for now, then in zip((image, mask), before, strict=True))


def test_it_is_what_the_network_says(weights: dict[str, str]) -> None:
    """What is in the mask is the network's answer, rounded."""
    inpainter, image, mask = made("ur_net", weights), picture(40, 56), lines(40, 56)
    expected = inpainter._filler(image, mask)
    np.testing.assert_array_equal(inpainter.fill(image, mask)[mask], np.rint(expected[mask]))


@pytest.mark.parametrize("name", SWITCHES)
def test_empty_and_full_masks(name: str, weights: dict[str, str]) -> None:
    """Nothing to fill gives a copy; nothing known is an error, as is a mask of another size."""
    inpainter, image = made(name, weights), picture(20, 30)
    filled = inpainter.fill(image, np.zeros((20, 30), np.bool_))
    np.testing.assert_array_equal(filled, image)
    assert filled is not image
    with pytest.raises(ValueError, match="covers all 600 px"):
        inpainter.fill(image, np.ones((20, 30), np.bool_))
    with pytest.raises(ValueError, match="expected a mask of shape"):
        inpainter.fill(image, np.zeros((20, 31), np.bool_))


@pytest.mark.parametrize("name", ["unet_inpaint", "unet_inpaint_large", "ur_net"])
def test_tiles_agree_with_the_whole(name: str, weights: dict[str, str]) -> None:
    """A U-Net fills the same in tiles and whole."""
    image, mask = picture(390, 450), lines(390, 450)
    whole = made(name, weights, tile=512).fill(image, mask).astype(int)
    tiled = made(name, weights, tile=320).fill(image, mask)
    assert np.abs(tiled - whole).max() <= 1
    assert np.abs(tiled - whole).mean() < 1e-3


@pytest.mark.parametrize("name", ["partial_conv", "shift_net", "gan_unet"])
def test_others_in_tiles(name: str, weights: dict[str, str]) -> None:
    """A network that looks further fills a picture in tiles too, and the same each time."""
    image, mask = picture(330, 400), lines(330, 400)
    filled = checked_fill(made(name, weights, tile=320), image, mask, "drawn")
    np.testing.assert_array_equal(filled, made(name, weights, tile=320).fill(image, mask))


# -- tiles --------------------------------------------------------------------------------------------------


def negative(image: Image, mask: Mask) -> npt.NDArray[np.float32]:
    """Fill with the negative of what is there."""
    assert image.shape[:2] == mask.shape
    return (255 - image).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    share=st.sampled_from([0.0, 1e-4, 0.01, 0.6]),
    stride=st.sampled_from([4, 8, 64]),
    seed=st.integers(0, 9),
)
def test_every_px_is_filled_once(height: int, width: int, share: float, stride: int, seed: int) -> None:
    """Whatever the size and the mask, tiles put together give each masked px its own value."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    mask = rng.random((height, width)) < share
    mask[0, 0] = False
    sides: list[int] = []

    def fill(part: Image, hidden: Mask) -> npt.NDArray[np.float32]:
        sides.extend(part.shape[:2])
        return negative(part, hidden)

    filled = fill_in_tiles(image, mask, fill, tile=320, stride=stride)
    np.testing.assert_array_equal(filled, np.where(mask[..., None], 255 - image, image))
    assert all(32 <= side <= 320 and side % stride == 0 for side in sides)


def test_only_what_is_masked_is_looked_at() -> None:
    """The cost grows with the cracks: tiles without any are left out."""
    asked: list[tuple[int, ...]] = []

    def fill(part: Image, hidden: Mask) -> npt.NDArray[np.float32]:
        asked.append(part.shape)
        return negative(part, hidden)

    image, mask = np.zeros((2000, 3000, 3), np.uint8), np.zeros((2000, 3000), np.bool_)
    mask[40:44, 2900:2990] = True
    fill_in_tiles(image, mask, fill, tile=320, stride=4)
    assert len(asked) == 1
    fill_in_tiles(image, np.zeros_like(mask), fill, tile=320, stride=4)
    assert len(asked) == 1


@pytest.mark.parametrize("tile", [319, 322, 0, True, "512", 512.0])
def test_tiles_that_cannot_be(tile: object) -> None:
    """A tile too small, of another grid, or no number at all is told."""
    with pytest.raises(ValueError, match="expected a multiple of 4 px, at least 320"):
        checked_tile("drawn", tile, 4)
    with pytest.raises(ValueError, match="expected a multiple of 256 px, at least 512"):
        checked_tile("drawn", 320, 256)


# -- weights ------------------------------------------------------------------------------------------------


def test_what_it_needs(weights: dict[str, str], tmp_path: Path) -> None:
    """Weights that are not there, of another method or another size are told, and settings of no use."""
    with pytest.raises(WeightsError, match="there are no weights of 'shift_net' in this package"):
        CLASSES["shift_net"]()
    with pytest.raises(WeightsError, match="are those of 'ur_net': expected weights of 'unet_inpaint'"):
        CLASSES["unet_inpaint"](weights=weights["ur_net"])
    other = write(tmp_path / "other.safetensors", "ur_net", switches={"widths": [6, 8, 12]})
    with pytest.raises(WeightsError, match=r"do not fit URNet: tensor 'down\.2"):
        CLASSES["ur_net"](weights=other)
    for wrong, told in (
        ({"precision": "float16"}, "precision 'float16': expected one of"),
        ({"device": "tpu"}, "device 'tpu': expected"),
        ({"device": 1}, "setting 'device' of method 'ur_net' is 1: expected str"),
        ({"tile": 100}, "setting 'tile' of method 'ur_net' is 100"),
    ):
        with pytest.raises(ValueError, match=told):
            made("ur_net", weights, **wrong)


def test_bfloat16(weights: dict[str, str]) -> None:
    """In half precision a filling is nearly the same."""
    image, mask = picture(40, 56), lines(40, 56)
    exact = made("unet_inpaint", weights).fill(image, mask).astype(int)
    rough = made("unet_inpaint", weights, precision="bfloat16").fill(image, mask)
    assert np.abs(rough - exact).max() <= 3
