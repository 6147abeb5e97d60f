"""What holds for every network that has a name."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from baselines.architectures import ARCHITECTURES, make_network
from baselines.networks import Segmenter

LIMITS = {
    "craqnet": (1.5e6, 2.3e6),
    "unet": (24e6, 25e6),
    "unet_classic": (31.0e6, 31.1e6),
    "unet_small": (0.5e6, 0.9e6),
    "res_unet": (40e6, 50e6),
    "res_unet_small": (0.5e6, 0.9e6),
    "mc_dm": (4.3e6, 4.5e6),
    "segformer": (3.7e6, 3.8e6),
    "segformer_lora": (3.8e6, 3.9e6),
}
"""Parameters, from and to."""

TENSORS = {
    "craqnet": "2babdabb084a07f6",
    "unet": "73df15effae4e889",
    "unet_classic": "c31bec356888f099",
    "unet_small": "ca37a5d63605369d",
    "res_unet": "9d45c4fd95ae5a3b",
    "res_unet_small": "a96643bfb513daed",
    "mc_dm": "afbc20d17dab4081",
    "segformer": "a7fdb7ec24fe1298",
    "segformer_lora": "cb899768c5c37aa0",
}
"""Beginning of sha256 over the names and shapes of all tensors: by these names trained weights are found."""

NAMES = sorted(ARCHITECTURES)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Leave the other cores to the other tests, and third parties their deprecations."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        for module in ("timm", "torchvision", "transformers", "peft", "segmentation_models_pytorch"):
            warnings.filterwarnings("ignore", module=rf"{module}(\..*)?")
        yield
    torch.set_num_threads(before)


@cache
def network(name: str, classes: int = 2) -> Segmenter:
    """Return a network in training mode, made once."""
    torch.manual_seed(0)
    return make_network(name, classes=classes).train()


def batch(net: Segmenter, height: int, width: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return images, a target with ignored px, and hints if they are wanted."""
    torch.manual_seed(1)
    images = torch.rand(2, 3, height, width)
    target = torch.randint(-1, net.classes, (2, height, width))
    return images, target, (target == 1).float()[:, None] if net.detector_channel else None


def test_all_are_here() -> None:
    """Each name of the issue has a network, and each network limits."""
    assert set(NAMES) == set(LIMITS)


@pytest.mark.parametrize("name", NAMES)
def test_sizes(name: str) -> None:
    """The number of parameters is what the documentation says."""
    low, high = LIMITS[name]
    assert low <= sum(parameter.numel() for parameter in network(name).parameters()) <= high


@pytest.mark.parametrize("name", NAMES)
def test_names_of_tensors(name: str) -> None:
    """Names and shapes of a state dict stay what they were, or weights of before would fit no more."""
    state = network(name).state_dict()
    told = "\n".join(sorted(f"{key} {tuple(tensor.shape)}" for key, tensor in state.items()))
    assert hashlib.sha256(told.encode()).hexdigest()[:16] == TENSORS[name], told


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_answers_and_gradients(name: str, classes: int) -> None:
    """Odd multiples of the stride give float32 logits of the same size; all that trains gets a gradient."""
    net = network(name, classes)
    net.zero_grad()
    images, target, hint = batch(net, 3 * net.stride, 5 * net.stride)
    logits = net(images, hint)
    assert logits.shape == (2, classes, *images.shape[2:])
    assert logits.dtype == torch.float32
    assert net.classes == classes
    loss = net.loss(logits, target, hint)
    assert loss.shape == ()
    torch.autograd.backward(loss)
    for key, parameter in net.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            assert torch.isfinite(parameter.grad).all(), key
        else:
            assert parameter.grad is None, key


@pytest.mark.parametrize("name", NAMES)
def test_probabilities(name: str) -> None:
    """Probabilities of all classes are float32 and add up to 1, of logits in bf16 too."""
    logits = torch.randn(1, 3, 4, 4, dtype=torch.bfloat16)
    shares = network(name).probabilities(logits)
    assert shares.dtype == torch.float32
    assert torch.allclose(shares.sum(1), torch.ones(1, 4, 4))


@pytest.mark.parametrize("name", NAMES)
def test_seed_and_round_trip(name: str) -> None:
    """The same seed gives the same network; another with its state gives the same answers; bf16 works."""
    torch.manual_seed(0)
    twin = make_network(name)
    torch.manual_seed(5)
    other = make_network(name)
    same = zip(twin.parameters(), network(name).parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in same)
    first = twin.state_dict()
    assert any(not torch.equal(first[key], tensor) for key, tensor in other.state_dict().items())
    other.load_state_dict(first)
    twin.eval()
    other.eval()
    images, _, hint = batch(twin, twin.stride, 2 * twin.stride)
    with torch.no_grad():
        assert torch.equal(twin(images, hint), other(images, hint))
        with torch.autocast("cpu", torch.bfloat16):
            assert twin(images, hint).dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_batch_of_one_dark_image(name: str) -> None:
    """One image that is black everywhere has finite logits."""
    net = network(name).eval()
    images, _, hint = batch(net, net.stride * 2, net.stride * 2)
    with torch.no_grad():
        assert torch.isfinite(net(images[:1] * 0, None if hint is None else hint[:1])).all()
    net.train()


def test_freeze_phase_is_for_encoders_with_a_past() -> None:
    """Nothing is held back in a network whose weights are all random."""
    assert all(network(name).frozen_first() == [] for name in NAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "craknet"}, "no network 'craknet': did you mean 'craqnet'?"),
        ({"name": "zzz"}, "expected one of craqnet, unet"),
        ({"name": "craqnet", "classes": 4}, "got 4 classes: expected 2 or 3"),
        ({"name": "craqnet", "base": "imagenet"}, "no switch 'base': expected one of"),
        ({"name": "segformer_lora", "gide": False}, "no switch 'gide': expected one of .*guide"),
        ({"name": "unet", "base": "elsewhere"}, "base 'elsewhere': expected 'imagenet'"),
    ],
)
def test_faults(arguments: dict[str, object], message: str) -> None:
    """What cannot be made is named, with what could be."""
    with pytest.raises(ValueError, match=message):
        make_network(**arguments)  # type: ignore[arg-type]


def test_nothing_heavy_is_loaded_before_it_is_asked_for() -> None:
    """The list of networks needs no torch; craqnet needs neither transformers, peft nor torchvision."""
    code = (
        "import sys; from baselines.architectures import ARCHITECTURES, make_network\n"
        "assert 'torch' not in sys.modules; make_network('craqnet')\n"
        "print(*{'transformers', 'peft', 'torchvision', 'segmentation_models_pytorch'} & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == ""
