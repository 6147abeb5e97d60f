"""Our own detector: what it sees, how far it sees, and that it learns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.craqnet import CraqNet, local_contrast
from generators.canvases import numbered_canvas
from generators.recipes import RECIPES, triplet


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pictures(seed: int = 0, *, size: int = 64) -> Tensor:
    """Return (2, 3, size, size) of smooth random colours with a line."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, 3, 5, 5, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)
    images[..., size // 2, :] *= 0.5
    return images


def roused(**settings: tuple[int, ...]) -> CraqNet:
    """Return a network whose every path carries something, in evaluation mode."""
    torch.manual_seed(0)
    net = CraqNet(**settings)  # type: ignore[arg-type]
    for parameter in net.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.0)
    return net.eval()


def test_negatives_look_alike() -> None:
    """A negative image gives the negative contrast and the same amplitudes."""
    images = pictures()
    seen, other = local_contrast(images), local_contrast(1 - images)
    assert seen.shape == (2, 6, 64, 64)
    assert torch.allclose(seen[:, :4], -other[:, :4], atol=1e-3)
    assert torch.allclose(seen[:, 4:], other[:, 4:], atol=1e-3)


def test_dark_passages_look_like_bright_ones() -> None:
    """A tenth of the light, or other light altogether, hardly changes the contrast that is seen."""
    images = pictures()
    seen = local_contrast(images)[:, :4]
    dim = local_contrast(images * 0.2 + 0.01)[:, :4]
    assert float((seen - dim).abs().mean()) < 0.05 * float(seen.abs().mean())


def test_flat_paint_stays_quiet() -> None:
    """Rounding noise on flat paint stays well below one."""
    noise = torch.randint(0, 2, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0)) / 255
    seen = local_contrast(0.2 + noise)
    assert float(seen[:, :4].std()) < 0.4


def test_training_shows_negatives() -> None:
    """In training some samples are their negatives, by torch's seed; in use none is."""
    net = CraqNet()
    image = pictures()[:1].expand(8, -1, -1, -1)
    found = []
    net.fine.register_forward_hook(lambda _, inputs, __: found.append(inputs[0][:, :4]))
    torch.manual_seed(0)
    net.train()(image)
    net.eval()(image)
    signs = {float(sample.flatten() @ found[1][0].flatten()) > 0 for sample in found[0]}
    assert signs == {True, False}
    assert all(torch.equal(sample, found[1][0]) for sample in found[1])


@pytest.mark.parametrize(("distance", "seen"), [(100, True), (272, False)])
def test_it_sees_far_but_not_everything(distance: int, *, seen: bool) -> None:
    """A pixel's answer depends on what is 100 px away and more, and not on what is 272 px away."""
    net = roused(widths=(4, 4, 4, 4, 4), blocks=(1, 2, 2, 2))
    size = 608
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    other = 1 - image
    inside = slice(size // 2 - distance, size // 2 + distance)
    other[..., inside, inside] = image[..., inside, inside]
    with torch.no_grad():
        answers = [net(x)[..., size // 2, size // 2] for x in (image, other)]
    assert torch.equal(*answers) != seen


def test_parts_agree_with_the_whole() -> None:
    """Where no edge is in sight, a part cut at multiples of the stride answers as the whole does."""
    net = roused(widths=(4, 4, 4, 4, 4))
    whole = torch.rand(1, 3, 640, 640, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        all_of_it, part = net(whole), net(whole[..., 32:608, 32:608])
    assert torch.allclose(all_of_it[..., 304:336, 304:336], part[..., 272:304, 272:304], atol=1e-4)


@pytest.mark.parametrize("dark", [1.0, 0.08])
def test_it_learns_two_triplets(dark: float) -> None:
    """Twenty steps are enough to know a few cracks by heart, in nearly black paint too."""
    torch.manual_seed(0)
    found = (
        triplet(RECIPES["mixed"], 0, index, numbered_canvas(0, index, (96, 96)), (64, 64))
        for index in range(40)
    )
    made = [made for made in found if made.mask.mean() > 0.02][:2]
    assert len(made) == 2
    images = torch.from_numpy(np.stack([m.damaged for m in made])).permute(0, 3, 1, 2) / 255 * dark
    target = torch.from_numpy(np.stack([m.mask for m in made])).long()
    net = CraqNet(widths=(8, 16, 24, 32, 32), blocks=(1, 1, 1, 1))
    optimiser = torch.optim.AdamW(net.parameters(), lr=5e-3)
    losses = []
    for _ in range(20):
        loss = net.loss(net(images), target)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]
