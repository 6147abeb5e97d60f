"""Training of inpainters: the samples, what a run leaves, how it goes on, and what is refused."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures
from tiny_inpainting import TinyFiller, filling_options, train
from tiny_network import paintings
from tiny_runs import assert_same_run, kill_between_checkpoints, losses

from baselines.inpainting.architectures import INPAINTING
from baselines.inpainting.checks import checked_fill
from baselines.registry import get_detector, get_inpainter
from baselines.schedules import Schedule
from baselines.training import Batch, Trainer
from baselines.weight_files import WeightsError, checked_card
from baselines.weight_hub import find_weights
from baselines.weights import load_weights
from craqbench import cli, training
from craqbench.augmentation import Augmentation
from craqbench.configuration import Config
from craqbench.errors import CraqbenchError, UsageError
from craqbench.generation import generate
from craqbench.metrics import mae, psnr
from craqbench.training_card import readme
from craqbench.training_data import VALIDATION, RowMaker, from_dataset, from_source
from craqbench.training_feed import Feed, make_stack
from craqbench.training_log import filling_sheet
from craqbench.training_options import INPAINT, Execution, options_of_run
from craqbench.training_pairs import GROWN, augment_pair
from craqbench.training_samples import LEAST, MOST, TRIES, Sample, Wanted
from craqbench.training_validation import Filled, fillings, peers, validate_filling
from generators.recipes import RECIPES
from generators.triplets import Image, random_stream

ROOT = Path(__file__).resolve().parents[1]
HERE = Execution(workers=0, threads=1, device="cpu", command="craqbench train --task inpaint --method tiny")
WANTED = Wanted(seed=5, crop=64, task=INPAINT)
STILL = Augmentation(
    rescaled=0, toned=0, darkened=0, inverted=0, blurred=0, sharpened=0, coarsened=0, noisy=0, compressed=0
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(name="source", scope="module")
def folder_of_paintings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of paintings."""
    return paintings(tmp_path_factory.mktemp("source") / "small")


@pytest.fixture(scope="module")
def unbroken(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing has interrupted."""
    out = tmp_path_factory.mktemp("unbroken") / "run"
    train(filling_options(source), out, HERE)
    return out


def damaged_pair(seed: int, side: int = 90) -> tuple[Image, Image, npt.NDArray[np.uint8]]:
    """Return a picture with a dark bar, the same without, and labels."""
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, 256, (side, side + 7, 3), dtype=np.uint8)
    labels = np.zeros((side, side + 7), np.uint8)
    labels[side // 3 : side // 3 + 9] = 1
    labels[:, side // 2 : side // 2 + 5] = 2
    return np.where(labels[..., None] > 0, np.uint8(3), clean), clean, labels


# -- samples ------------------------------------------------------------------------------------------------


@settings(max_examples=40, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_pairs_move_together(seed: int) -> None:
    """Cut and turned, a picture equals its damaged one but for the mask, in which classes do not matter."""
    damaged, clean, mask = augment_pair(*damaged_pair(seed), 64, STILL, rng=random_stream(seed, 1, 0))
    assert damaged.shape == clean.shape == (64, 64, 3)
    assert damaged.dtype == clean.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) <= {0, 1}
    np.testing.assert_array_equal(damaged[mask == 0], clean[mask == 0])
    assert (damaged[mask == 1] != clean[mask == 1]).any()


@settings(max_examples=40, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_tones_change_by_one_table(seed: int) -> None:
    """Contrast, gamma, cast, darkness and inversion leave equal what was; noise is the same px by px."""
    how = Augmentation(rescaled=0, toned=1, darkened=0.5, inverted=0.5, blurred=0, sharpened=0, coarsened=0)
    how = Augmentation(**{**vars(how), "noisy": 0.0, "compressed": 0.0})
    damaged, clean, mask = augment_pair(*damaged_pair(seed), 64, how, rng=random_stream(seed, 1, 0))
    np.testing.assert_array_equal(damaged[mask == 0], clean[mask == 0])
    noisy = Augmentation(**{**vars(STILL), "noisy": 1.0})
    damaged, clean, mask = augment_pair(*damaged_pair(seed), 64, noisy, rng=random_stream(seed, 1, 0))
    np.testing.assert_array_equal(damaged[mask == 0], clean[mask == 0])


def test_masks_are_grown_by_so_much() -> None:
    """As the table says, and not by chance of anything else: seen on a damage of one px."""
    clean = np.full((64, 64, 3), 90, np.uint8)
    labels = np.zeros((64, 64), np.uint8)
    labels[30, 30] = 1
    sides = []
    for number in range(400):
        mask = augment_pair(clean, clean, labels, 64, STILL, rng=random_stream(0, 1, number))[2]
        sides.append(round(np.sqrt(mask.sum())))
    counts = {(side - 1) // 2: sides.count(side) / 400 for side in set(sides)}
    assert counts == pytest.approx({grown: GROWN.count(grown) / len(GROWN) for grown in GROWN}, abs=0.08)


def test_samples_for_filling(source: Path) -> None:
    """Damaged, undamaged and mask; each is a function of its number, and has enough to fill."""
    maker = from_source(str(source), RECIPES["mixed"], WANTED).maker
    shares = []
    for number in (*range(20), VALIDATION):
        sample = maker(number)
        assert tuple(part.shape for part in sample) == WANTED.shapes
        assert all(np.array_equal(a, b) for a, b in zip(sample, maker(number), strict=True))
        shares.append(sample.hint.mean())
    assert min(shares) >= LEAST
    assert max(shares) <= MOST
    assert not np.array_equal(maker(0).image, maker(VALIDATION).image)


def test_samples_with_too_little_to_fill_are_drawn_anew() -> None:
    """Until one has enough; of those that are tried the nearest is kept; detectors get the first."""

    def sample(share: float) -> Sample:
        hint = np.zeros((100, 100), np.uint8)
        hint[: round(100 * share)] = 1
        return Sample(np.zeros((100, 100, 3), np.uint8), hint, hint)

    asked: list[int] = []

    def draw(again: int) -> Sample:
        asked.append(again)
        return sample([0.0, 0.9, 0.3, 0.2][again])

    assert WANTED.choose(draw).hint.mean() == 0.3
    assert asked == [0, 1, 2]
    best = WANTED.choose(lambda again: sample(1 - again / 100))
    assert best.hint.mean() == pytest.approx(1 - (TRIES - 1) / 100)
    assert Wanted(seed=5, crop=64).choose(draw).hint.mean() == 0


def test_rows_for_filling(source: Path, tmp_path: Path) -> None:
    """A dataset gives the same kind of samples; its undamaged pictures take memory only where wanted."""
    generate(Config(n=12, recipe=RECIPES["paper"], source=str(source), size=(96, 80)), tmp_path / "data")
    found = from_dataset(tmp_path / "data", WANTED).maker
    sample = found(0)
    assert tuple(part.shape for part in sample) == WANTED.shapes
    assert sample.hint.mean() >= LEAST
    assert (sample.image != sample.labels).any()
    plain = from_dataset(tmp_path / "data", Wanted(seed=5, crop=64)).maker
    assert isinstance(plain, RowMaker)
    assert plain.clean is plain.images


def test_workers_make_the_same_batches(source: Path) -> None:
    """The ring of memory holds pictures, pictures and masks."""
    maker = from_source(str(source), RECIPES["mixed"], WANTED).maker
    with Feed(maker, 2, 1, workers=1, lead=1) as feed:
        taken = [feed.take() for _ in range(3)]
    numbers = [[VALIDATION, VALIDATION + 1], [2, 3], [4, 5]]
    for stack, expected in zip(taken, numbers, strict=True):
        made = make_stack(maker, expected)
        assert all(np.array_equal(a, b) for a, b in zip(stack, made, strict=True))


# -- scores -------------------------------------------------------------------------------------------------


def batch(seed: int = 0, count: int = 3) -> Batch:
    """Return noise with a black bar in it."""
    rng = np.random.default_rng(seed)
    clean = rng.integers(60, 200, (count, 32, 32, 3), dtype=np.uint8)
    masks = np.zeros((count, 32, 32), np.uint8)
    masks[:, 10:13] = 1
    return Batch(np.where(masks[..., None] > 0, np.uint8(0), clean), clean, masks)


def trainer(**switches: Any) -> Trainer:
    """Return a trainer of the tiny network."""
    torch.manual_seed(0)
    return Trainer(TinyFiller(**switches), Schedule(steps=50, lr=1e-2), "cpu", "fp32")


def scores_of(filled: Image, clean: Image, masks: Any) -> dict[str, Any]:
    """Return what the metrics say of pictures one below the other."""
    filled, clean = (pictures.reshape(-1, *pictures.shape[2:]) for pictures in (filled, clean))
    region = (masks > 0).reshape(-1, masks.shape[-1])
    return {
        name: pytest.approx(score(filled, clean, region)) for name, score in (("mae", mae), ("psnr", psnr))
    }


def test_the_figures_are_those_of_the_metrics() -> None:
    """MAE and PSNR in the masks of all pictures together, of what is rounded to a picture."""
    one, batches = trainer(), [batch(0), batch(1, 2)]
    found = validate_filling(one, batches)
    filled = np.concatenate([fillings(part, one.predict(part)[0]) for part in batches])
    clean, masks = (np.concatenate([part[index] for part in batches]) for index in (1, 2))
    assert found._asdict() == {"loss": found.loss, **scores_of(filled, clean, masks)}
    assert found.loss == pytest.approx(np.mean([one.predict(part)[1] for part in batches]))
    assert Filled(0, 3, 20).merit > Filled(0, 4, 30).merit


def test_peers_are_scored_on_the_same_pictures() -> None:
    """`telea` and `diffusion`, by the metrics; a picture of which nothing is known stays as it is."""
    seen = batch()
    seen.hints[2] = 1  # type: ignore[index]
    found = peers([seen])
    for name, scores in found.items():
        filled = seen.images.copy()
        for number in (0, 1):
            mask = seen.hints[number] > 0  # type: ignore[index]
            filled[number] = get_inpainter(name).fill(seen.images[number], mask)
        assert scores == scores_of(filled, seen.labels, seen.hints)
    assert set(found) == {"telea", "diffusion"}


def test_figures_without_anything_to_fill() -> None:
    """No mask anywhere gives figures all the same."""
    seen = batch()
    seen.hints[:] = 0  # type: ignore[index]
    assert peers([seen])["telea"] == {"mae": 0, "psnr": pytest.approx(108.13, abs=0.01)}


def test_nothing_outside_the_mask_is_filled() -> None:
    """What is drawn and scored is the damaged picture there."""
    seen = batch()
    filled = fillings(seen, trainer().predict(seen)[0])
    assert (filled[seen.hints == 0] == seen.images[seen.hints == 0]).all()
    assert (filled[seen.hints == 1] != seen.images[seen.hints == 1]).any()


def test_it_learns() -> None:
    """The loss falls, and the critic is averaged and kept in checkpoints like the rest."""
    one = trainer()
    curve = [one.learn(batch(step)).loss for step in range(40)]
    assert np.mean(curve[-5:]) < np.mean(curve[:5])
    assert {"network.critic.weight", "average.critic.weight", "optimiser.exp_avg/critic.weight"} <= set(
        one.tensors()
    )


def test_the_sheet_shows_what_differs() -> None:
    """Columns: damaged, mask, filled, undamaged, and the difference about middle grey."""
    seen = batch()
    filled = seen.labels.copy()
    filled[:, 11] += 5
    sheet = filling_sheet(seen.images, np.asarray(seen.hints), filled, seen.labels)
    assert sheet.shape == (3 * 36 - 4, 5 * 36 - 4, 3)
    parts = [sheet[:32, 36 * n : 36 * n + 32] for n in range(5)]
    np.testing.assert_array_equal(parts[0], seen.images[0])
    np.testing.assert_array_equal(parts[1][..., 0], np.asarray(seen.hints)[0] * 255)
    np.testing.assert_array_equal(parts[2], filled[0])
    np.testing.assert_array_equal(parts[3], seen.labels[0])
    assert set(np.unique(parts[4][11])) == {128 + 4 * 5}
    assert set(np.unique(parts[4][:11])) == {128}


# -- runs ---------------------------------------------------------------------------------------------------


def test_a_run_leaves_all_that_is_promised(unbroken: Path) -> None:
    """Weights without the critic, a card of an inpainter, a README with the peers, tables and pictures."""
    tensors, card = load_weights(unbroken / "tiny.safetensors")
    assert tensors.keys() == {n for n in TinyFiller().state_dict() if not n.startswith("critic.")}
    assert (card["task"], card["steps"], card["recipe"]) == ("inpaint", 12, "mixed version 1")
    assert not {"classes", "threshold", "validation_iou"} & card.keys()
    assert "classes" not in card["options"]
    assert set(card["validation_peers"]) == {"telea", "diffusion"}
    with (unbroken / "epochs.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == [
        "step",
        "loss",
        "validation_loss",
        "validation_mae",
        "validation_psnr",
        "seconds",
    ]
    best = min(rows, key=lambda row: float(row["validation_mae"]))
    assert (card["best_step"], card["validation_mae"]) == (int(best["step"]), float(best["validation_mae"]))
    told = (unbroken / "README.md").read_text()
    assert "pipeline_tag: image-to-image" in told
    assert re.search(rf"\| `tiny` \| {card['validation_psnr']:.2f} \| {card['validation_mae']:.2f} \|", told)
    assert "| `telea` | " in told
    assert (
        "| step | loss | validation loss | validation MAE | validation PSNR |\n|---|---|---|---|---|" in told
    )
    with Pictures.open(unbroken / "pictures" / "step-0000012.png") as picture:
        assert picture.size == (5 * 68 - 4, 4 * 68 - 4)
    assert list((unbroken / "tensorboard").iterdir())


def test_sigkill_changes_nothing(unbroken: Path, source: Path, tmp_path: Path) -> None:
    """A run that was killed between two checkpoints goes on to the loss curve of an unbroken one."""
    out = tmp_path / "run"
    kill_between_checkpoints("tiny_inpainting.py", out, source)
    train(options_of_run(out), out, HERE)
    assert_same_run(unbroken, out)


def test_workers_and_sessions_change_nothing(unbroken: Path, source: Path, tmp_path: Path) -> None:
    """A run in two sessions, the second with a worker, is the unbroken one; once done, it is left alone."""
    out = tmp_path / "run"
    short = Execution(workers=0, threads=1, device="cpu", minutes=1e-9)
    first = train(filling_options(source), out, short)
    assert (first.ended, first.step, set(first.peers)) == ("minutes", 1, {"telea", "diffusion"})
    done = train(filling_options(source), out, Execution(workers=1, threads=1, device="cpu"))
    assert_same_run(unbroken, out)
    assert train(filling_options(source), out, HERE) == done


def test_faults_are_those_of_any_run(source: Path, tmp_path: Path) -> None:
    """A loss that is no number, memory that runs out: what is kept, and what to do."""
    for fault, told in {
        "nan": r"loss nan in step 2: .*no checkpoint yet; .*--lr 0\.001",
        "memory": r"out of memory at 6 x 64 x 64 px: .*--batch 3",
    }.items():
        chosen = filling_options(source, batch=6, switches={"fault": fault, "after": 1})
        with pytest.raises(CraqbenchError, match=told):
            train(chosen, tmp_path / fault, HERE)


def test_an_inpainter_of_ones_own(unbroken: Path, source: Path, tmp_path: Path) -> None:
    """``--method package.module:Class`` trains a network from outside this package, which then fills."""
    out, chosen = tmp_path / "run", filling_options(source, method="tiny_inpainting:TinyInpainter")
    trained = training.train(chosen, out, HERE)
    assert_same_run(unbroken, out)
    inpainter = get_inpainter(chosen.method, weights=str(trained.weights), device="cpu")
    image, mask = np.full((70, 90, 3), 128, np.uint8), np.zeros((70, 90), np.bool_)
    mask[30:33] = True
    assert (checked_fill(inpainter, image, mask, "grey")[~mask] == 128).all()
    assert (inpainter.name, inpainter.card.reference) == ("tiny", "unpublished")
    with pytest.raises(ValueError, match="are those of an inpainter: expected a detector's"):
        get_detector("tiny_network:TinyDetector", weights=str(trained.weights))
    with pytest.raises(UsageError, match=r"subclass of baselines\.inpainting\.learned\.LearnedInpainter"):
        training.train(filling_options(source, method="tiny_network:TinyDetector"), tmp_path / "no", HERE)


def test_other_code_of_filling_is_another_run(unbroken: Path) -> None:
    """The options say what for, and old runs without a task are those of detectors."""
    found = options_of_run(unbroken)
    assert found.task == INPAINT
    old = json.loads((unbroken / "run.json").read_text())["options"]
    del old["task"]
    assert type(found).of_json(old).task == "detect"


@pytest.mark.parametrize(
    ("method", "switches"),
    [
        ("unet_inpaint", {"widths": [4, 6, 8]}),
        ("unet_inpaint_large", {"widths": [4, 6, 8, 10]}),
        ("unet_inpaint_small", {"widths": [4, 6, 8, 10]}),
        ("ur_net", {"widths": [4, 6, 8]}),
        ("partial_conv", {"width": 4, "depth": 4}),
        ("shift_net", {"width": 4, "depth": 4}),
        ("gan_unet", {"width": 4, "depth": 4}),
    ],
)
def test_each_network_is_trained_and_fills(
    method: str, switches: dict[str, Any], source: Path, tmp_path: Path
) -> None:
    """From the first step to a filling by its name, critics and perceptual losses included."""
    small = {"switches": switches, "batch": 2, "crop": 64, "steps": 2, "validation": 2}
    trained = training.train(filling_options(source, method=method, **small), tmp_path / "run", HERE)
    assert np.isfinite(list(losses(tmp_path / "run").values())).all()
    inpainter = get_inpainter(method, weights=str(trained.weights), device="cpu")
    image, mask = np.full((70, 90, 3), 128, np.uint8), np.zeros((70, 90), np.bool_)
    mask[30:33] = True
    assert (checked_fill(inpainter, image, mask, "grey")[~mask] == 128).all()
    assert inpainter.card.reference == INPAINTING[method].reference


# -- the command, cards -------------------------------------------------------------------------------------


def test_the_command_trains(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures of the network and its peers are printed, and the next command to type; paper B's ablation."""
    out = str(tmp_path / "run")
    small = ("--steps", "1", "--batch", "1", "--crop", "64", "--validation", "1", "--no-mask-channel")
    here = ("--workers", "0", "--threads", "1", "--device", "cpu", "--out", out, "--source", str(source))
    assert cli.main(["train", "--task", "inpaint", "--method", "unet_inpaint", *small, *here]) == 0
    told = capsys.readouterr()
    assert re.search(r"validation +PSNR [\d.]+ dB, MAE [\d.]+ of 255 in the masks", told.out)
    assert re.search(r"telea +PSNR [\d.]+ dB, MAE [\d.]+, the same pictures", told.out)
    assert "restore PAINTING --mask MASK --fill unet_inpaint,weights=" in told.out
    assert "MAE " in told.err
    assert load_weights(tmp_path / "run" / "unet_inpaint.safetensors")[1]["switches"] == {
        "mask_channel": False
    }


def test_the_command_refuses_what_makes_no_sense(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 2, one message, and nothing is begun."""
    monkeypatch.chdir(tmp_path)
    fill = ("--task", "inpaint")
    for arguments, told in {
        fill: "--method: expected the name of a network, such as unet_inpaint",
        ("--task", "restore"): "expected one of detect, inpaint",
        (*fill, "--method", "craqnet"): "network 'craqnet' is not for --task inpaint: expected --task detect",
        ("--method", "ur_net"): "network 'ur_net' is not for --task detect: expected --task inpaint",
        (*fill, "--method", "shift_nett"): "did you mean shift_net?",
        (*fill, "--method", "ur_net", "--classes", "2"): "--classes is of no use with --task inpaint",
        (*fill, "--method", "ur_net", "--no-lora"): "--no-lora is of no use with --task inpaint",
        ("--method", "craqnet", "--no-mask-channel"): "--no-mask-channel is of no use with --task detect",
        (*fill, "--method", "ur_net", "--no-mask-channel"): "has no switch 'mask_channel'",
        (*fill, "--method", "ur_net", "--base", "imagenet"): "has no switch 'base'",
        (*fill, "--method", "gan_unet", "--crop", "128"): "crop 128: expected a multiple of 256 px",
    }.items():
        assert cli.main(["train", *arguments]) == 2
        error = capsys.readouterr().err
        assert told in error
        assert error.startswith("craqbench: error: ")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_there() -> None:
    """The message has the command that makes some."""
    with pytest.raises(WeightsError, match="craqbench train --task inpaint --method ur_net --out DIR"):
        find_weights("ur_net", None, task=INPAINT)


def test_cards_of_inpainters_have_no_threshold(unbroken: Path) -> None:
    """Those of detectors still need one, and the weights of one are not taken for the other."""
    card = load_weights(unbroken / "tiny.safetensors")[1]
    assert checked_card(card, "x")["task"] == "inpaint"
    with pytest.raises(WeightsError, match="there is no 'classes'"):
        checked_card({name: value for name, value in card.items() if name != "task"}, "x")
    with pytest.raises(WeightsError, match="there is no 'data'"):
        checked_card({name: value for name, value in card.items() if name != "data"}, "x")


def test_a_readme_without_peers(unbroken: Path) -> None:
    """A card that lacks them has no table of them."""
    card = load_weights(unbroken / "tiny.safetensors")[1]
    assert "Beside others" in readme(card, [])
    assert "Beside others" not in readme({**card, "validation_peers": {}}, [])
