"""The training step: learning rates, groups, averages, what is kept, and faults."""

from __future__ import annotations

import copy
import errno
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_network import TinyNetwork

from baselines.checkpoints import pack, unpack
from baselines.schedules import Schedule, learning_rate
from baselines.training import (
    Batch,
    NotFiniteError,
    Trainer,
    best_precision,
    find_device,
    is_out_of_memory,
    parameter_groups,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def batch(seed: int = 0, count: int = 2) -> Batch:
    """Return noise with bright lines to find."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 100, (count, 32, 32, 3), dtype=np.uint8)
    labels = np.zeros((count, 32, 32), np.uint8)
    labels[:, ::8] = 1
    images[labels == 1] += 100
    return Batch(images, labels)


def trainer(precision: str = "fp32", seed: int = 0, **changes: float) -> Trainer:
    """Return a trainer of a tiny network."""
    torch.manual_seed(seed)
    schedule = Schedule(**{"steps": 50, "lr": 1e-2, "warmup": 3, **changes})  # type: ignore[arg-type]
    return Trainer(TinyNetwork(), schedule, "cpu", precision)


def test_the_learning_rate_rises_then_follows_a_cosine() -> None:
    """Warm-up is linear, the cosine ends at the final rate, and the two meet."""
    schedule = Schedule(steps=100, lr=0.4, final_lr=0.1, warmup=20)
    rates = [learning_rate(schedule, step) for step in range(101)]
    assert np.allclose(np.diff(rates[:20]), 0.02)
    assert rates[19] == rates[20] == 0.4
    assert all(a > b for a, b in pairwise(rates[20:]))
    assert rates[60] == pytest.approx(0.1 + 0.3 * (1 + math.cos(math.pi / 2)) / 2)
    assert rates[100] == pytest.approx(0.1)


def test_biases_and_norms_do_not_decay() -> None:
    """Only weights of two axes and more are in the group that decays; what is frozen for good is in none."""
    network = TinyNetwork()
    network.last.requires_grad_(False)
    decaying, others = parameter_groups(network, 0.3)
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
    assert [p.shape for p in decaying["params"]] == [network.first.weight.shape]
    assert {id(p) for p in others["params"]} == {
        id(p) for p in (network.first.bias, network.norm.weight, network.norm.bias)
    }


def test_it_learns() -> None:
    """The loss falls on a task that is easy."""
    one = trainer()
    curve = [one.learn(batch(step)).loss for step in range(50)]
    assert np.mean(curve[-5:]) < 0.5 * np.mean(curve[:5])


def test_the_first_step_is_that_of_plain_torch() -> None:
    """A step in float32 equals AdamW as torch has it, gradients clipped to norm 1."""
    one = trainer(warmup=0)
    network = copy.deepcopy(one.network).train()
    plain = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0)
    for group in one._optimiser.param_groups:
        group["weight_decay"] = 0
    seen = batch()
    torch.manual_seed(0)
    images = torch.from_numpy(seen.images).permute(0, 3, 1, 2) / 255
    loss = network.loss(network(images), torch.from_numpy(seen.labels).long())
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    plain.step()
    done = one.learn(seen)
    assert done.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    assert done.gradient == pytest.approx(float(norm), rel=1e-4)
    for ours, theirs in zip(one.network.parameters(), network.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_average_is_a_moving_one() -> None:
    """After each step the average keeps a share of itself, small at first; counters are copied."""
    one = trainer(averaging=0.3)
    expected = {name: value.clone() for name, value in one.network.state_dict().items()}
    for step in range(1, 8):
        one.learn(batch(step))
        kept = min(0.3, (1 + step) / (10 + step))
        for name, value in one.network.state_dict().items():
            real = value.is_floating_point()
            expected[name] = kept * expected[name] + (1 - kept) * value if real else value.clone()
    for name, value in one.averages().items():
        assert torch.allclose(value, expected[name], atol=1e-6), name


def test_frozen_layers_wait() -> None:
    """What `frozen_first` names stays as it is for its phase, and learns thereafter."""
    one = trainer(freeze=2)
    before = one.network.state_dict()["first.weight"].clone()
    one.learn(batch(0))
    one.learn(batch(1))
    assert torch.equal(one.network.state_dict()["first.weight"], before)
    one.learn(batch(2))
    assert not torch.equal(one.network.state_dict()["first.weight"], before)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("optimiser", ["adamw", "adam"])
def test_going_on_is_exact(precision: str, optimiser: str, tmp_path: Path) -> None:
    """From a checkpoint, the same steps come, bit by bit: dropout, norms, optimiser and average included."""
    one = trainer(precision, optimiser=optimiser, freeze=3)  # type: ignore[arg-type]
    for step in range(5):
        one.learn(batch(step))
    path = tmp_path / "kept.safetensors"
    path.write_bytes(pack(one.tensors(), one.facts()))
    other = trainer(precision, seed=7, optimiser=optimiser, freeze=3)  # type: ignore[arg-type]
    other.load(*unpack(path))
    for step in range(5, 10):
        assert one.learn(batch(step)) == other.learn(batch(step))
    ours, theirs = one.tensors(), other.tensors()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_states_of_the_optimiser_lie_as_their_parameters_do(tmp_path: Path) -> None:
    """Checkpoints have rows and columns, networks channels last: sums over both would be slow."""
    one, other = trainer(), trainer()
    one.learn(batch(0))
    path = tmp_path / "kept.safetensors"
    path.write_bytes(pack(one.tensors(), one.facts()))
    other.load(*unpack(path))
    for parameter, state in other._optimiser.state.items():
        assert state["exp_avg"].stride() == parameter.stride()
        assert state["exp_avg_sq"].stride() == parameter.stride()
    assert other.network.first.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_device_of_another_precision_goes_on(tmp_path: Path) -> None:
    """What was begun in float32 goes on in float16, which scales its gradients, and the other way round."""
    path = tmp_path / "kept.safetensors"
    for before, after in (("fp32", "fp16"), ("fp16", "fp32")):
        one, other = trainer(before), trainer(after)
        one.learn(batch(0))
        path.write_bytes(pack(one.tensors(), one.facts()))
        other.load(*unpack(path))
        assert math.isfinite(other.learn(batch(1)).loss)


def test_gradients_that_overflow_in_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step whose scaled gradients overflow is left out; if they do without scaling, the run stops."""
    one = trainer("fp16")
    one.learn(batch(0))
    before = {name: tensor.clone() for name, tensor in one.network.named_parameters()}
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(math.inf))
    for parameter in one.network.parameters():
        parameter.register_hook(lambda gradient: gradient * math.inf)
    assert one.learn(batch(1)).gradient == math.inf
    assert all(torch.equal(before[name], tensor) for name, tensor in one.network.named_parameters())
    for step in range(2, 17):  # each of them halves the scale
        one.learn(batch(step))
    with pytest.raises(NotFiniteError, match="gradient inf in step 18"):
        one.learn(batch(17))


def test_a_checkpoint_of_frozen_layers_can_be_loaded(tmp_path: Path) -> None:
    """In the freeze phase some parameters have no optimiser state yet, and then get it."""
    one, other = trainer(freeze=3), trainer(freeze=3)
    one.learn(batch(0))
    path = tmp_path / "kept.safetensors"
    path.write_bytes(pack(one.tensors(), one.facts()))
    other.load(*unpack(path))
    for step in range(1, 6):
        assert one.learn(batch(step)) == other.learn(batch(step))


def test_ignored_labels_count_nothing() -> None:
    """Px of label 255 have no part in the loss."""
    seen = batch()
    half = seen.labels.copy()
    half[:, 16:] = 255
    wrong = half.copy()
    images = seen.images.copy()
    one, other = trainer(), trainer()
    assert one.learn(Batch(images, half)).loss == other.learn(Batch(images, wrong)).loss
    assert trainer().learn(Batch(images, half)).loss != trainer().learn(seen).loss


def test_a_loss_that_is_no_number_changes_no_weight() -> None:
    """The step raises before anything is updated."""
    torch.manual_seed(0)
    one = Trainer(TinyNetwork(fault="nan", after=1), Schedule(steps=9, lr=0.1), "cpu", "fp32")
    one.learn(batch(0))
    before = one.tensors()
    with pytest.raises(NotFiniteError, match="loss nan in step 2"):
        one.learn(batch(1))
    after = one.tensors()
    same = [torch.equal(before[n], after[n]) for n in before if "norm.running" not in n and "num" not in n]
    assert all(same)


def test_a_weight_that_is_no_number_is_not_kept() -> None:
    """A checkpoint of broken weights is refused, and the tensor named."""
    one = trainer()
    one.network.last.bias.data[0] = math.inf
    with pytest.raises(NotFiniteError, match=r"network\.last\.bias"):
        one.tensors()


def test_predictions_that_are_no_numbers() -> None:
    """The average of a network that has burst is neither validated nor kept."""
    one = trainer()
    one.learn(batch(0))
    next(one.average.parameters()).data.fill_(math.nan)
    with pytest.raises(NotFiniteError, match="loss nan of the averaged network after step 1"):
        one.predict(batch(1))
    with pytest.raises(NotFiniteError, match=r"first\.weight is not finite"):
        one.averages()


def test_predictions_are_the_averages() -> None:
    """Validation sees the averaged network, without dropout, and leaves no trace."""
    one = trainer()
    one.learn(batch(0))
    before = one.tensors()
    first, loss = one.predict(batch(1))
    again, _ = one.predict(batch(1))
    assert first.shape == (2, 2, 32, 32)
    assert first.dtype == np.float32
    assert np.allclose(first.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(first, again)
    assert math.isfinite(loss)
    after = one.tensors()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_memory_errors_are_told_from_others() -> None:
    """What CUDA, the CPU's allocator and Python say when memory runs out is known."""
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    assert is_out_of_memory(RuntimeError("std::bad_alloc"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert not is_out_of_memory(OSError(errno.ENOENT, "No such file"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_devices() -> None:
    """A GPU that is not there is refused; the CPU is always there."""
    assert find_device("cpu").type == "cpu"
    assert best_precision(torch.device("cpu")) in ("bf16", "fp32")
    if not torch.cuda.is_available():
        assert find_device("auto").type == "cpu"
        with pytest.raises(ValueError, match="device 'cuda': torch sees 0 of that kind here"):
            find_device("cuda")


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    """The first tensor that does not fit is named, with both shapes, and nothing is changed."""
    one = trainer()
    path = tmp_path / "kept.safetensors"
    path.write_bytes(pack(one.tensors(), one.facts()))
    other = Trainer(TinyNetwork(3), Schedule(steps=9, lr=0.1), "cpu", "fp32")
    before = {name: tensor.clone() for name, tensor in other.network.state_dict().items()}
    told = r"do not fit TinyNetwork: tensor 'last\.weight': expected shape \(3, 8, 3, 3\). Got \(2, 8, 3, 3\)"
    with pytest.raises(ValueError, match=told):
        other.load(*unpack(path))
    assert all(torch.equal(before[name], tensor) for name, tensor in other.network.state_dict().items())
    (tmp_path / "bad.safetensors").write_bytes(b"\x80\x04")
    with pytest.raises(ValueError, match=r"bad\.safetensors cannot be read"):
        unpack(tmp_path / "bad.safetensors")
