"""Inpainting networks: their layers against plain formulas, what they see, and what moves them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from baselines.inpainting import partial_conv
from baselines.inpainting.architectures import INPAINTING, make_inpainting_network
from baselines.inpainting.gan_unet import GanUNet, PatchCritic
from baselines.inpainting.learned import MARGIN
from baselines.inpainting.networks import Filler, InpaintingNetwork, composed, without_critic
from baselines.inpainting.partial_conv import PartialConvolution, VggFeatures
from baselines.inpainting.shift_net import ShiftNet, guidance, shift
from baselines.inpainting.unet import UNetInpaint, UNetInpaintLarge, URNet, smooth_filling

Array = npt.NDArray[np.float64]

TINY: dict[str, dict[str, Any]] = {
    "unet_inpaint": {"widths": (6, 8, 10)},
    "unet_inpaint_large": {"widths": (4, 6, 8, 10)},
    "unet_inpaint_small": {"widths": (4, 6, 8, 10)},
    "ur_net": {"widths": (6, 8, 10)},
    "partial_conv": {"width": 4, "depth": 4},
    "shift_net": {"width": 4, "depth": 4},
    "gan_unet": {"width": 4, "depth": 4},
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(name: str, **switches: Any) -> InpaintingNetwork:
    """Return a small network with random weights, also where some begin as zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = make_inpainting_network(name, **{**TINY[name], **switches})
        if isinstance(network, UNetInpaintLarge):
            nn.init.normal_(network.last.weight)
        return network


def batch(side: int = 32, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return damaged pictures, undamaged ones, and masks."""
    drawn = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, 3, 4, 4, generator=drawn)
    target = functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    mask = (torch.rand(2, 1, side, side, generator=drawn) < 0.1).float()
    return composed(target, torch.zeros_like(target), mask), target, mask


# -- all of them --------------------------------------------------------------------------------------------


def test_each_can_be_made() -> None:
    """Every name has a network, with a line that describes it; the stand-in says so."""
    assert set(TINY) == set(INPAINTING)
    assert all(0 < len(listed.summary) < 80 for listed in INPAINTING.values())
    assert "stand-in" in INPAINTING["gan_unet"].summary
    for name in TINY:
        assert isinstance(tiny(name), InpaintingNetwork)


def test_what_cannot_be_made() -> None:
    """A wrong name is told with the nearest, a wrong switch with those there are."""
    with pytest.raises(ValueError, match="no network 'shiftnet': did you mean 'shift_net'"):
        make_inpainting_network("shiftnet")
    with pytest.raises(ValueError, match=r"'ur_net' has no switch 'depth': expected one of widths"):
        make_inpainting_network("ur_net", depth=3)
    with pytest.raises(ValueError, match="has no switch 'base'"):
        make_inpainting_network("unet_inpaint", base="imagenet")
    with pytest.raises(ValueError, match="base 'vgg': expected 'imagenet', or none"):
        make_inpainting_network("partial_conv", base="vgg")
    with pytest.raises(ValueError, match="depth 3 of shift_net: expected at least 4"):
        make_inpainting_network("shift_net", depth=3)


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_forward(name: str, share: float) -> None:
    """A picture comes out, in [0, 1], also where nothing or all is masked."""
    network = tiny(name)
    image, _, mask = batch()
    mask = {0.0: torch.zeros_like(mask), 0.1: mask, 1.0: torch.ones_like(mask)}[share]
    for mode in (True, False):
        with torch.no_grad():
            filled = network.train(mode)(image, mask)
        assert filled.shape == image.shape
        assert filled.dtype == torch.float32
        assert mode or 0 <= filled.min() <= filled.max() <= 1
        assert bool(torch.isfinite(filled).all())
        assert 32 % network.stride == 0


@pytest.mark.parametrize("name", TINY)
def test_all_parameters_learn(name: str) -> None:
    """The loss is a number whose gradient reaches every parameter, the critic's too."""
    network = tiny(name).train()
    image, target, mask = batch()
    loss = network.loss(network(image, mask), target, mask)
    assert loss.shape == ()
    loss.backward()  # type: ignore[no-untyped-call]
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert torch.isfinite(parameter.grad).all(), label
        assert parameter.grad.abs().max() > 0, label


@pytest.mark.parametrize("name", TINY)
def test_learning(name: str) -> None:
    """Some steps of Adam bring what is in the mask nearer to the truth."""
    network = tiny(name).train()
    image, target, mask = batch()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    errors = []
    for _ in range(15):
        filled = network(image, mask)
        errors.append(float(((filled - target).abs() * mask).sum().detach()))
        optimiser.zero_grad()
        network.loss(filled, target, mask).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert errors[-1] < 0.8 * errors[0]


@pytest.mark.parametrize("name", TINY)
def test_weights_go_without_critic(name: str) -> None:
    """What is saved is what is needed to fill: a network without its critic answers the same."""
    network, bare = tiny(name).eval(), tiny(name)
    bare.critic = None
    bare.load_state_dict(without_critic(network.state_dict()))
    image, _, mask = batch()
    with torch.inference_mode():
        torch.testing.assert_close(bare.eval()(image, mask), network(image, mask))
    held = len(network.state_dict()) - len(bare.state_dict())
    assert (held > 0) == (name in {"shift_net", "gan_unet"})


@pytest.mark.parametrize("name", ["unet_inpaint_large", "partial_conv", "shift_net"])
def test_damage_is_not_seen(name: str) -> None:
    """What lies in the mask makes no difference to the networks that are not to look at it."""
    network = tiny(name).eval()
    _, target, mask = batch()
    with torch.inference_mode():
        filled = [network(composed(target, torch.full_like(target, v), mask), mask) for v in (0.0, 1.0)]
    torch.testing.assert_close(filled[0], filled[1])


# -- U-Nets -------------------------------------------------------------------------------------------------


def test_paper_b_sizes() -> None:
    """64 x 64 x 3 and a mask become 256 channels at 16 x 16, and a picture of 64 x 64 x 3."""
    network = UNetInpaint().eval()
    assert network.habits.crop == 64
    shapes: list[tuple[int, ...]] = []
    for level in network.down:
        level.register_forward_hook(lambda _, __, found: shapes.append(tuple(found.shape[1:])))
    with torch.inference_mode():
        filled = network(torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
    assert shapes == [(64, 64, 64), (128, 32, 32), (256, 16, 16)]
    assert filled.shape == (1, 3, 64, 64)


def test_mask_channel() -> None:
    """Without its mask channel a U-Net does not look at the mask; with it, it does."""
    image, _, mask = batch()
    for told in (True, False):
        network = tiny("unet_inpaint", mask_channel=told).eval()
        with torch.inference_mode():
            difference = network(image, mask) - network(image, 1 - mask)
        assert bool(difference.abs().max() > 0) == told


@pytest.mark.parametrize(("name", "reach"), [("unet_inpaint", 24), ("unet_inpaint_large", 54)])
def test_reach(name: str, reach: int) -> None:
    """Through the convolutions, a px depends on those that are so far away: less than tiles overlap."""
    network = tiny(name).eval()
    assert isinstance(network, UNetInpaint)
    seen = torch.rand(1, 4, 128, 128, generator=torch.Generator().manual_seed(1)).requires_grad_()
    far = 0
    for place in range(64, 64 + network.stride):
        seen.grad = None
        network._walk(seen)[0, :, place, place].sum().backward()  # type: ignore[no-untyped-call]
        assert seen.grad is not None
        touched = seen.grad[0].abs().sum(0).nonzero() - place
        far = max(far, int(touched.abs().max()))
    assert far <= reach <= MARGIN


def plain_filling(image: Array, mask: Array) -> Array:
    """Return the smooth filling of an image whose sides are a power of two, level by level."""
    levels = [(image * (1 - mask), 1 - mask)]
    while levels[-1][0].shape[-1] > 1:
        levels.append(
            tuple(  # type: ignore[arg-type]
                (part[:, ::2, ::2] + part[:, 1::2, ::2] + part[:, ::2, 1::2] + part[:, 1::2, 1::2]) / 4
                for part in levels[-1]
            )
        )
    filled = levels[-1][0] / levels[-1][1]
    for known, share in levels[-2::-1]:
        side = known.shape[-1]
        centres = np.clip((np.arange(side) + 0.5) / 2 - 0.5, 0, side // 2 - 1)
        below = np.minimum(centres.astype(int), max(0, side // 2 - 2))
        weight = np.zeros((side, side // 2))
        for place, (low, centre) in enumerate(zip(below, centres, strict=True)):
            weight[place, low] += 1 - (centre - low)
            weight[place, min(low + 1, side // 2 - 1)] += centre - low
        filled = known + (1 - share) * (weight @ filled @ weight.T)
    return filled


def test_smooth_filling() -> None:
    """Holes are filled from coarser levels, known px stay, and damage makes no difference."""
    rng = np.random.default_rng(0)
    image, mask = rng.random((3, 16, 16)), (rng.random((1, 16, 16)) < 0.4).astype(np.float64)
    mask[:, 4:12, 4:12] = 1
    seen, hidden = torch.from_numpy(image)[None], torch.from_numpy(mask)[None]
    found = smooth_filling(seen, hidden)
    np.testing.assert_allclose(found[0].numpy(), plain_filling(image, mask), atol=1e-12)
    assert torch.equal(found * (1 - hidden), seen * (1 - hidden))
    torch.testing.assert_close(smooth_filling(seen * (1 - hidden), hidden), found)
    assert not smooth_filling(seen, torch.ones_like(hidden)).any()
    level = torch.full((1, 3, 24, 40), 0.3)
    odd = torch.zeros(1, 1, 24, 40)
    odd[..., 3:20, 7:30] = 1
    torch.testing.assert_close(smooth_filling(level * (1 - odd), odd), level)


def test_large_begins_smooth() -> None:
    """Before it has learnt anything, the larger sibling answers with the smooth filling."""
    network = UNetInpaintLarge(widths=(4, 6, 8, 10)).eval()
    image, _, mask = batch()
    with torch.inference_mode():
        torch.testing.assert_close(network(image, mask), smooth_filling(image, mask))
    with pytest.raises(ValueError, match="expected at least four"):
        UNetInpaintLarge(widths=(4, 6, 8))


def test_residual_blocks() -> None:
    """A level of `ur_net` is ReLU(BN(conv(ReLU(BN(conv(x))))) + BN(conv1(x)))."""
    block = URNet(widths=(6, 8)).down[1].eval()
    x = torch.randn(1, 6, 8, 8, generator=torch.Generator().manual_seed(2))
    state = block.state_dict()

    def normed(x: Tensor, convolution: str, norm: str, padding: int) -> Tensor:
        x = functional.conv2d(x, state[f"{convolution}.weight"], padding=padding)
        return functional.batch_norm(x, torch.zeros(8), torch.ones(8), state[f"{norm}.weight"])

    inner = functional.relu(normed(x, "both.0", "both.1", 1))
    expected = functional.relu(
        normed(inner, "both.3", "both.4", 1) + normed(x, "shortcut.0", "shortcut.1", 0)
    )
    with torch.inference_mode():
        torch.testing.assert_close(block(x), expected)


# -- partial convolutions -----------------------------------------------------------------------------------


def plain_partial(layer: PartialConvolution, x: Array, valid: Array, stride: int) -> tuple[Array, Array]:
    """Return equations 1 and 2 of the paper, px by px."""
    weight, bias = (t.detach().double().numpy() for t in (layer.weight, layer.bias) if t is not None)
    outside, inside, size, _ = weight.shape
    border = ((0, 0), (0, 0), (size // 2, size // 2), (size // 2, size // 2))
    wide, known = np.pad(x * valid, border), np.pad(valid, border)
    height, width = (-(-side // stride) for side in x.shape[2:])
    found, seen = np.zeros((len(x), outside, height, width)), np.zeros((len(x), 1, height, width))
    for n, y, z in np.ndindex(len(x), height, width):
        window = (n, slice(None), slice(y * stride, y * stride + size), slice(z * stride, z * stride + size))
        total = known[window].sum()
        if total > 0:
            seen[n, 0, y, z] = 1
            scale = inside * size * size / total
            found[n, :, y, z] = (weight * wide[window]).sum((1, 2, 3)) * scale + bias
    return found, seen


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (5, 2), (7, 2)])
@pytest.mark.parametrize("alike", [True, False])
def test_partial_convolution(size: int, stride: int, *, alike: bool) -> None:
    """The layer is what the formula says, at borders, in holes, and with masks that differ by channel."""
    rng = np.random.default_rng(size)
    layer = PartialConvolution(4, 3, size, stride)
    x = rng.normal(size=(2, 4, 12, 10))
    valid = (rng.random((2, 4, 12, 10)) < 0.4).astype(np.float64)
    valid[:, :, 2:11, 1:9] = 0
    if alike:
        valid[:] = valid[:, :1]
    found, seen = layer.partial(*(torch.from_numpy(array).float() for array in (x, valid)))
    expected, reached = plain_partial(layer, x, valid, stride)
    np.testing.assert_array_equal(seen.numpy(), reached)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=2e-5)
    assert 0 < reached.mean() <= 1


def test_nothing_is_missing() -> None:
    """Where all is valid, it is a plain convolution inside of the picture."""
    layer = PartialConvolution(3, 5, 5)
    x = torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    found, seen = layer.partial(x, torch.ones_like(x))
    torch.testing.assert_close(found[..., 2:-2, 2:-2], layer(x)[..., 2:-2, 2:-2])
    assert bool((seen == 1).all())


def test_paper_layers() -> None:
    """Kernels, widths and norms are those of the paper's table."""
    with torch.device("meta"):
        network = make_inpainting_network("partial_conv")
    state = network.state_dict()
    widths = [3, 64, 128, 256, 512, 512, 512, 512, 512]
    for level, size in enumerate((7, 5, 5, 3, 3, 3, 3, 3)):
        shape = (widths[level + 1], widths[level], size, size)
        assert tuple(state[f"down.{level}.convolution.weight"].shape) == shape
        assert (f"down.{level}.norm.weight" in state) == (level > 0)
        shape = (widths[level], widths[level + 1] + widths[level], 3, 3)
        assert tuple(state[f"up.{level}.convolution.weight"].shape) == shape
        assert (f"up.{level}.after.0.weight" in state) == (level > 0)
    assert network.stride == 256


def test_vgg_features() -> None:
    """Features are those of torchvision's VGG-16 after its first three poolings, by the same names."""
    from torchvision.models.vgg import cfgs, make_layers  # noqa: PLC0415  seconds

    theirs: nn.Sequential = make_layers(cfgs["D"][:10])
    ours = VggFeatures()
    ours.load_state_dict(nn.ModuleDict({"features": theirs}).state_dict())
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (picture - mean[:, None, None]) / deviation[:, None, None]
    found = ours(picture)
    for number, end in enumerate((5, 10, 17)):
        with torch.no_grad():
            torch.testing.assert_close(found[number], theirs[:end](x))
    assert len(found) == 3
    assert not any(parameter.requires_grad for parameter in ours.parameters())


@contextlib.contextmanager
def no_ping() -> Iterator[str]:
    """Stand in for the look at the Hub."""
    yield ""


def test_with_vgg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With VGG-16 from the Hub all five terms count; it does not learn, and is not saved."""
    file = tmp_path / "model.safetensors"
    save_file({**VggFeatures().state_dict(), "features.24.weight": torch.zeros(2)}, file)
    monkeypatch.setattr(partial_conv, "hub_client", no_ping)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: str(file))
    network = tiny("partial_conv", base="imagenet")
    assert isinstance(network.critic, VggFeatures)
    assert network.pretrained == "random; judged by VGG-16 of ImageNet"
    image, target, mask = batch()
    filled = network(image, mask)
    more, less = (
        network.loss(filled, target, mask).detach(),
        tiny("partial_conv").loss(filled, target, mask),
    )
    assert more > less
    assert not any(name.startswith("critic") for name in without_critic(network.state_dict()))


def test_without_vgg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where VGG-16 cannot be had, a warning tells, and the card will."""

    def refuse(*_: object, **__: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr(partial_conv, "hub_client", no_ping)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    with pytest.warns(UserWarning, match=r"VGG-16 cannot be had from the Hub \(no route\): perceptual and"):
        network = tiny("partial_conv", base="imagenet")
    assert network.critic is None
    assert network.pretrained == "random; no perceptual and no style loss: no VGG-16"


# -- Shift-Net ----------------------------------------------------------------------------------------------


def plain_shift(decoded: Array, encoded: Array, hidden: npt.NDArray[np.bool_]) -> Array:
    """Return the shifted features, place by place, by trying all known places."""
    out = np.zeros(encoded.shape)
    count, _, height, width = encoded.shape
    for n, y, x in np.ndindex(count, height, width):
        best = -2.0
        for v, u in np.ndindex(height, width):
            if hidden[n, 0, y, x] and not hidden[n, 0, v, u]:
                one, other = decoded[n, :, y, x], encoded[n, :, v, u]
                cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
                if cosine > best:
                    best = float(cosine)
                    out[n, :, y, x] = other
    return out


def test_shift() -> None:
    """The shift takes the known place of highest cosine similarity, 0 where all is known or nothing."""
    rng = np.random.default_rng(0)
    decoded, encoded = rng.normal(size=(2, 4, 5, 3, 6))
    hidden = rng.random((4, 1, 3, 6)) < 0.5
    hidden[2], hidden[3] = True, False
    found = shift(*(torch.from_numpy(array) for array in (decoded, encoded, hidden)))
    np.testing.assert_allclose(found.numpy(), plain_shift(decoded, encoded, hidden))
    assert not found[2:].any()
    assert found[:2].any()


def test_shift_hands_gradients_to_the_encoder() -> None:
    """Each time a known feature is taken, its gradient counts once."""
    decoded, encoded = torch.randn(2, 1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    decoded.requires_grad_()
    encoded.requires_grad_()
    hidden = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    hidden[..., 1] = True
    shift(decoded, encoded, hidden).sum().backward()  # type: ignore[no-untyped-call]
    assert decoded.grad is None
    assert encoded.grad is not None
    assert float(encoded.grad.sum()) == 4 * 3
    assert not encoded.grad[..., 1].any()


def test_guidance() -> None:
    """The guidance is the mean square of what differs in the mask."""
    rng = np.random.default_rng(1)
    decoded, wanted = rng.normal(size=(2, 2, 3, 4, 4))
    hidden = rng.random((2, 1, 4, 4)) < 0.3
    found = guidance(*(torch.from_numpy(array) for array in (decoded, wanted, hidden)))
    assert float(found) == pytest.approx((((decoded - wanted) ** 2) * hidden).mean())


def test_shift_net_loss() -> None:
    """The loss is (100 L1 + 0.2 GAN + guidance) / 100 and the critic's; it belongs to the forward before."""
    network = ShiftNet(width=4, depth=4)
    image, target, mask = batch()
    filled = network(image, mask).detach()
    decoded = network._decoded
    assert decoded is not None
    wanted = network.encoder(target * 2 - 1, 3)[-1]
    hidden = functional.max_pool2d(mask, 8) > 0
    assert network.critic is not None
    fake, real = (torch.cat([x, mask], 1) for x in (composed(target, filled, mask), target))
    on_fake, on_real = network.critic(fake), network.critic(real)
    critic = (functional.softplus(on_fake).mean() + functional.softplus(-on_real).mean()) / 2
    expected = (filled - target).abs().mean() + 0.002 * functional.softplus(-on_fake).mean() + critic
    expected = expected + 0.01 * guidance(decoded, wanted, hidden)
    torch.testing.assert_close(network.loss(filled, target, mask), expected)
    with pytest.raises(RuntimeError, match="expected forward before each loss"):
        network.loss(filled, target, mask)


# -- GAN ----------------------------------------------------------------------------------------------------


def test_patches() -> None:
    """An answer of the critic depends on 70 x 70 px, as long as no norm looks further."""
    critic = PatchCritic(2)
    plain = nn.Sequential(*(layer for layer in critic.layers if not isinstance(layer, nn.InstanceNorm2d)))
    picture = torch.rand(1, 4, 160, 160, generator=torch.Generator().manual_seed(0)).requires_grad_()
    answers = plain(picture)
    answers[0, 0, 9, 9].backward()
    assert picture.grad is not None
    touched = picture.grad[0].abs().sum(0).nonzero()
    assert (touched.max(0).values - touched.min(0).values + 1).tolist() == [70, 70]
    assert critic(picture).shape == answers.shape


def test_gan_moves_both_sides_apart() -> None:
    """In one step the generator learns from its own loss, and the critic from its own."""
    network = GanUNet(width=4, depth=4)
    image, target, mask = batch()
    filled = network(image, mask)
    network.loss(filled, target, mask).backward(retain_graph=True)  # type: ignore[no-untyped-call]
    assert network.critic is not None
    fake, real = (torch.cat([x, mask], 1) for x in (composed(target, filled, mask), target))
    ours = list(network.encoder.parameters())
    wanted = (filled - target).abs().mean() + 0.01 * functional.softplus(-network.critic(fake)).mean()
    for parameter, gradient in zip(ours, torch.autograd.grad(wanted, ours, retain_graph=True), strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    theirs = list(network.critic.parameters())
    losses = functional.softplus(network.critic(fake.detach())), functional.softplus(-network.critic(real))
    wanted = (losses[0].mean() + losses[1].mean()) / 2
    for parameter, gradient in zip(theirs, torch.autograd.grad(wanted, theirs), strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


# -- running ------------------------------------------------------------------------------------------------


def test_filler() -> None:
    """A piece of levels comes back as levels, in half precision nearly the same."""
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    mask = np.zeros((32, 48), np.bool_)
    mask[10:12] = True
    cpu, network = torch.device("cpu"), tiny("unet_inpaint")
    exact = Filler(network=network, device=cpu)(image, mask)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        expected = network(tensor, torch.from_numpy(mask)[None, None].float())[0].permute(1, 2, 0) * 255
    np.testing.assert_allclose(exact, expected.numpy(), atol=1e-4)
    rough = Filler(network=network, device=cpu, precision="bfloat16")(image, mask)
    assert rough.dtype == np.float32
    np.testing.assert_allclose(rough, exact, atol=2)


def test_out_of_memory() -> None:
    """Where a piece is too large, a smaller tile is suggested."""

    class Full(nn.Module):
        def forward(self, *_: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("full")

    fill = Filler(network=Full(), device=torch.device("cpu"))
    with pytest.raises(ValueError, match="out of memory on cpu with 8 x 16 px: expected a smaller tile"):
        fill(np.zeros((8, 16, 3), np.uint8), np.zeros((8, 16), np.bool_))
