"""SegFormer and paper A's refiner: adapters where they belong, bases, switches."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_datasets import adopted_hub  # noqa: F401  a fixture
from local_hub import (
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)
from safetensors.torch import save_file
from torch import Tensor, nn

from baselines import encoders
from baselines.encoders import encoder_weights
from baselines.losses import masked_hybrid
from baselines.segformer import SegFormer, mit_b0
from baselines.segformer_lora import SegFormerLora, adapter_targets
from baselines.weight_files import digest

pytestmark = client_warnings

PROJECTIONS = {"q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Use one thread, and leave third parties their deprecations."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        for module in ("transformers", "peft", "huggingface_hub"):
            warnings.filterwarnings("ignore", module=rf"{module}(\..*)?")
        yield
    torch.set_num_threads(before)


@pytest.fixture
def own_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship an encoder, as the package does."""
    torch.manual_seed(3)
    path = tmp_path / f"{encoders.OWN_FILE}.safetensors"
    save_file(SegFormer().state_dict(), path)
    monkeypatch.setattr(encoders, "shipped_weights", lambda: {encoders.OWN_FILE: path})
    return path


def images(count: int = 1) -> tuple[Tensor, Tensor]:
    """Return images and a map."""
    generator = torch.Generator().manual_seed(0)
    return (
        torch.rand(count, 3, 64, 96, generator=generator),
        (torch.rand(count, 1, 64, 96, generator=generator) > 0.7).float(),
    )


def adapted(network: nn.Module) -> dict[str, Any]:
    """Return the layers that carry an adapter, by name."""
    return {name: module for name, module in network.named_modules() if hasattr(module, "lora_A")}


def test_every_projection_carries_an_adapter() -> None:
    """All 48 projections of attention and feed-forward, and the entrance of the map: nothing else."""
    layers = adapted(SegFormerLora())
    ends = [name.rpartition(".")[2] for name in layers]
    assert {end for end in ends if end != "proj"} == PROJECTIONS
    assert len(layers) == 8 * len(PROJECTIONS) + 1
    assert [name for name in layers if name.endswith(".proj")] == [
        "model.segformer.stages.0.patch_embeddings.proj"
    ]


def test_adapters_are_those_of_the_paper() -> None:
    """Rank 8, alpha 16, dropout 0.1; the product starts at zero."""
    for layer in adapted(SegFormerLora()).values():
        assert layer.r["default"] == 8
        assert layer.scaling["default"] == 16 / 8
        assert layer.lora_dropout["default"].p == 0.1
        assert not layer.lora_B["default"].weight.any()


def test_only_adapters_and_head_train() -> None:
    """What has a gradient switched on is an adapter or in the decode head, all of them."""
    network = SegFormerLora()
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    expected = {
        name
        for name, _ in network.named_parameters()
        if ".lora_A." in name or ".lora_B." in name or name.startswith("model.decode_head.")
    }
    assert trained == expected
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) < 0.6e6


def test_a_step_leaves_the_base_as_it_is() -> None:
    """After a step of the optimiser, what is frozen has not changed by a bit, and all else has."""
    torch.manual_seed(0)
    network = SegFormerLora().train()
    before = copy.deepcopy(network.state_dict())
    picture, hint = images(2)
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    for _ in range(2):  # the first moves only B, which is zero at first
        loss = network.loss(network(picture, hint), (hint[:, 0] > 0).long(), hint)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name]) != parameter.requires_grad, name


def test_targets_come_from_the_model() -> None:
    """Names follow the model: three channels need no adapter at the entrance."""
    targets = adapter_targets(mit_b0(2, channels=3).segformer)
    assert len(targets) == 48
    assert {target.rpartition(".")[2] for target in targets} == PROJECTIONS


def test_switches() -> None:
    """Each ingredient of the ablation can be left out by itself."""
    picture, hint = images()
    target = torch.randint(-1, 2, (1, 64, 96), generator=torch.Generator().manual_seed(1))
    logits = torch.randn(1, 2, 64, 96, generator=torch.Generator().manual_seed(2))
    for switch, beta, gamma in (("guide", 0.01, 0.0), ("mask_loss", 1.0, 1.0)):
        network = SegFormerLora(**{switch: False})  # type: ignore[arg-type]
        found = network.loss(logits, target, hint)
        assert found == masked_hybrid(logits, target, hint, beta=beta, gamma=gamma)
    bare = SegFormerLora(lora=False, guide=False, mask_loss=False, detector_channel=False)
    assert not bare.detector_channel
    assert not adapted(bare)
    assert all(parameter.requires_grad for parameter in bare.parameters())
    assert torch.isfinite(bare.loss(bare(picture), target))
    three = SegFormerLora(detector_channel=False)
    assert three.detector_channel  # by its loss
    assert three.channels == 3
    assert three.eval()(picture, hint).equal(three(picture))


def test_a_map_that_is_missed() -> None:
    """Without the map that it looks at, the network says so."""
    picture, _ = images()
    with pytest.raises(ValueError, match="segformer_lora got no hint: expected a detector's map"):
        SegFormerLora()(picture)


def test_the_fourth_channel_starts_at_zero(own_base: Path) -> None:
    """With a base, the map changes nothing at first, and can be learnt."""
    assert own_base.is_file()
    network = SegFormerLora(base="craqbench").eval()
    picture, hint = images()
    assert torch.equal(network(picture, hint), network(picture, hint * 0))
    entrance = network.model.segformer.stages[0].patch_embeddings.proj
    assert not entrance.weight[:, 3].any()
    nn.init.ones_(entrance.lora_B["default"].weight)
    assert not torch.equal(network(picture, hint), network(picture, hint * 0))


def test_own_base_is_loaded_and_not_stored_again(own_base: Path) -> None:
    """The base's encoder is in the network but not in its state, which another network can take over."""
    network = SegFormerLora(base="craqbench").eval()
    assert network.pretrained == f"craqbench sha256:{digest(own_base)}"
    state = network.state_dict()
    size = sum(tensor.numel() for tensor in state.values())
    assert size < 0.6e6
    assert all("lora_" in k or k.startswith("model.decode_head.") or k == "base_sha256" for k in state)
    torch.manual_seed(9)
    other = copy.deepcopy(SegFormerLora(base="craqbench")).eval()
    picture, hint = images()
    assert not torch.equal(other(picture, hint), network(picture, hint))
    other.load_state_dict(state)
    assert torch.equal(other(picture, hint), network(picture, hint))


def test_adapters_of_another_base(own_base: Path) -> None:
    """Adapters that were trained on another encoder are refused."""
    state = SegFormerLora(base="craqbench").state_dict()
    torch.manual_seed(8)
    save_file(SegFormer().state_dict(), own_base)
    with pytest.raises(
        ValueError, match=r"trained on the base with sha256 [0-9a-f]{64}: expected [0-9a-f]{64}"
    ):
        SegFormerLora(base="craqbench").load_state_dict(state)


def test_segformer_takes_the_same_base(own_base: Path) -> None:
    """The fully trained network starts from it too, and keeps all of its tensors."""
    network = SegFormer(base="craqbench")
    assert network.pretrained == f"craqbench sha256:{digest(own_base)}"
    stored, _ = encoder_weights("craqbench")
    state = network.model.segformer.state_dict()
    assert state.keys() == stored.keys()
    assert all(torch.equal(state[name], stored[name]) for name in stored)
    assert all(parameter.requires_grad for parameter in network.parameters())


@cache
def classifier() -> dict[str, Tensor]:
    """Return the tensors of a classifier, by the names that nvidia/mit-b0 has."""
    from transformers import (  # noqa: PLC0415  seconds, for few tests only
        SegformerConfig,
        SegformerForImageClassification,
    )

    torch.manual_seed(4)
    state = SegformerForImageClassification(SegformerConfig(num_labels=7)).state_dict()
    found = {}
    for name, tensor in state.items():
        old = name
        for pattern, before in OLD_NAMES:
            old = re.sub(pattern, before, old)
        found[old] = tensor
    return found


OLD_NAMES = (
    (r"stages\.(\d)\.patch_embeddings", r"encoder.patch_embeddings.\1"),
    (r"stages\.(\d)\.blocks", r"encoder.block.\1"),
    (r"stages\.(\d)\.layer_norm", r"encoder.layer_norm.\1"),
    (r"attention\.sequence_reduction\.sequence_reduction", "attention.self.sr"),
    (r"attention\.sequence_reduction\.layer_norm", "attention.self.layer_norm"),
    (r"attention\.q_proj", "attention.self.query"),
    (r"attention\.k_proj", "attention.self.key"),
    (r"attention\.v_proj", "attention.self.value"),
    (r"attention\.o_proj", "attention.output.dense"),
    (r"mlp\.fc(\d)", r"mlp.dense\1"),
    (r"mlp\.dwconv", "mlp.dwconv"),
    (r"layernorm_before", "layer_norm_1"),
    (r"layernorm_after", "layer_norm_2"),
)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_like_the_hub(tmp_path: Path, name: str) -> None:
    """A base in the form of nvidia/mit-b0, with its names of old, is loaded; its classifier is left out."""
    old = classifier()
    assert "segformer.encoder.block.3.1.mlp.dense2.weight" in old
    if name.endswith("bin"):
        torch.save(old, tmp_path / name)
    else:
        save_file(old, tmp_path / name)
    network = SegFormerLora(base=str(tmp_path))
    assert network.pretrained == str(tmp_path)
    loaded = network.model.segformer.stages[3].blocks[1].mlp.fc2.base_layer.weight
    assert torch.equal(loaded, old["segformer.encoder.block.3.1.mlp.dense2.weight"])
    assert len(network.state_dict()) > 200


def test_a_folder_without_an_encoder(tmp_path: Path) -> None:
    """What lacks a tensor, or has none at all, is no base."""
    with pytest.raises(
        ValueError, match=r"expected one of model\.safetensors, pytorch_model\.bin in this folder"
    ):
        SegFormer(base=str(tmp_path))
    state = dict(classifier())
    state.pop("segformer.encoder.layer_norm.2.bias")
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(
        ValueError, match=r"has no tensor 'stages\.2\.layer_norm\.bias': expected the encoder"
    ):
        SegFormer(base=str(tmp_path))


def test_no_hub(at_home: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the Hub, the base that needs none is offered."""
    monkeypatch.setattr("baselines.weight_hub._PAUSE", 0.0)
    told = r"'nvidia/mit-b0' cannot be had from the Hub \(.*refused\).*--base craqbench"
    with at_home.down(), pytest.raises(ValueError, match=told):
        SegFormerLora(base="nvidia/mit-b0")


@pytest.mark.parametrize("names", [["pytorch_model.bin"], ["pytorch_model.bin", "model.safetensors"]])
def test_a_repository_of_the_hub(at_home: LocalHub, tmp_path: Path, names: list[str]) -> None:
    """A safetensors file is preferred to the older format; the commit goes to the card."""
    (tmp_path / "up").mkdir()
    torch.save({} if len(names) > 1 else classifier(), tmp_path / "up" / names[0])
    if len(names) > 1:
        save_file(classifier(), tmp_path / "up" / names[1])
    api = at_home.api()
    api.create_repo("lab/mit")
    made = api.upload_folder(repo_id="lab/mit", folder_path=tmp_path / "up")
    assert SegFormer(base="lab/mit").pretrained == f"lab/mit@{made.oid}"


def test_no_own_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the package without the encoder says what else there is."""
    monkeypatch.setattr(encoders, "shipped_weights", dict)
    with pytest.raises(
        ValueError, match=r"no file segformer\.safetensors among its weights: expected 'nvidia"
    ):
        SegFormerLora(base="craqbench")


def test_another_network_as_base(own_base: Path) -> None:
    """An encoder of other shape is refused by its first tensor that does not fit."""
    state = SegFormer().state_dict()
    first = next(iter(state))
    told = first.removeprefix("model.segformer.")
    save_file({**state, first: torch.zeros(7, 3, 7, 7)}, own_base)
    with pytest.raises(
        ValueError, match=rf"tensor '{told}': expected shape \(32, 3, 7, 7\). Got \(7, 3, 7, 7\)"
    ):
        SegFormer(base="craqbench")
    save_file({name: state[name] for name in list(state)[1:]}, own_base)
    with pytest.raises(ValueError, match=f"has no tensor '{told}': expected the encoder of a MiT-B0"):
        SegFormer(base="craqbench")
