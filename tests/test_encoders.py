"""Weights of ImageNet where they can be had, and our ResNet-50 beside torchvision's."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from hub_datasets import adopted_hub  # noqa: F401  a fixture
from local_hub import (
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)
from safetensors.torch import save_file
from torch.nn import functional

from baselines import encoders, res_unet
from baselines.encoders import with_imagenet
from baselines.normalisation import as_imagenet, luminance, standardised
from baselines.res_unet import ResNet50, ResUNet

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torchvision = pytest.importorskip("torchvision")

pytestmark = client_warnings


def test_resnet_is_torchvisions() -> None:
    """Our ResNet-50 has torchvision's tensors, but for the classifier, and computes the same features."""
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50().eval()
    ours = ResNet50().eval()
    state = {name: t for name, t in theirs.state_dict().items() if not name.startswith("fc.")}
    ours.load_state_dict(state)
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        x = functional.max_pool2d(functional.relu(theirs.bn1(theirs.conv1(images))), 3, 2, 1)
        expected = theirs.layer4(theirs.layer3(theirs.layer2(theirs.layer1(x))))
        features = ours(images)
    assert torch.allclose(features[-1], expected, atol=1e-4 * float(expected.abs().max()))
    assert [f.shape[1:] for f in features] == [
        (64, 32, 48),
        (256, 16, 24),
        (512, 8, 12),
        (1024, 4, 6),
        (2048, 2, 3),
    ]


@pytest.fixture(name="published")
def published_resnet(at_home: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalHub:
    """Put a narrow ResNet-50 with a classifier where the network looks for ImageNet's."""
    torch.manual_seed(7)
    state = {**ResNet50(8).state_dict(), "fc.weight": torch.zeros(1000, 256)}
    save_file(state, tmp_path / "model.safetensors")
    api = at_home.api()
    api.create_repo("lab/resnet")
    made = api.upload_file(
        repo_id="lab/resnet", path_or_fileobj=tmp_path / "model.safetensors", path_in_repo="model.safetensors"
    )
    monkeypatch.setattr(res_unet, "REPOSITORY", "lab/resnet")
    monkeypatch.setattr(res_unet, "REVISION", made.oid)
    monkeypatch.setattr("baselines.weight_hub._PAUSE", 0.0)
    return at_home


@pytest.mark.usefixtures("published")
def test_imagenet_from_the_hub() -> None:
    """A ResNet-50 of the Hub goes into paper C's network, whose encoder then is frozen at first."""
    network = ResUNet(base="imagenet", width=8)
    assert network.pretrained == "imagenet"
    torch.manual_seed(7)
    assert torch.equal(network.encoder.conv1.weight, ResNet50(8).conv1.weight)
    assert sum(p.numel() for p in network.frozen_first()) == sum(
        p.numel() for p in network.encoder.parameters()
    )


def test_out_of_reach(published: LocalHub) -> None:
    """Without the Hub, weights are random, a warning tells, and the network remembers; a copy will do."""
    told = r"cannot be had from the Hub \(.*refused\): the encoder begins with random ones"
    with published.down(), pytest.warns(UserWarning, match=told):
        network = ResUNet(base="imagenet", width=8)
    assert network.pretrained == "random"
    assert network.frozen_first() == []
    ResUNet(base="imagenet", width=8)
    with published.down():
        assert ResUNet(base="imagenet", width=8).pretrained == "imagenet"


def test_bases() -> None:
    """No base is random without any ado; a base of another kind is refused."""
    assert with_imagenet(None, lambda trained: trained) == (False, "random")
    with pytest.raises(ValueError, match="base 'nvidia/mit-b0': expected 'imagenet'"):
        with_imagenet("nvidia/mit-b0", lambda trained: trained)
    assert encoders.fill_encoder(torch.nn.Linear(1, 1), None) == "random"


def test_colours_as_imagenet_has_them() -> None:
    """The mean colour of ImageNet becomes zero, a deviation more becomes one."""
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[None, :, None, None]
    assert torch.allclose(as_imagenet(mean + deviation), torch.ones(1, 3, 1, 1), atol=1e-6)
    assert float(luminance(torch.ones(1, 3, 1, 1))) == pytest.approx(1.0)


def test_local_statistics() -> None:
    """In the middle of a cell, they are those of the window around it, cut off at the picture's edges."""
    image = torch.rand(1, 2, 72, 56, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    _, deviation = standardised(image, 3)
    for row, column in ((4, 3), (0, 0), (8, 6)):
        inside = image[..., max(0, row - 1) * 8 : row * 8 + 16, max(0, column - 1) * 8 : column * 8 + 16]
        variance = inside.var((2, 3), unbiased=False).mean() + (1.5 / 255) ** 2
        middle = deviation[0, 0, row * 8 + 3 : row * 8 + 5, column * 8 + 3 : column * 8 + 5].mean()
        assert float(middle) == pytest.approx(float(variance) ** 0.5, rel=5e-3)


def test_contrast_is_bounded() -> None:
    """A lone spark does not exceed 8 deviations."""
    image = torch.zeros(1, 1, 64, 64)
    image[..., 30, 30] = 1
    found, _ = standardised(image, 5)
    assert float(found.max()) == 8
    assert float(found.min()) >= -8
