"""A training run: what it leaves, and how it goes on after whatever has stopped it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_paintings import (
    PICTURES,
    SOURCE,
    Shelf,
    rows_of,
    small_wikiart,  # noqa: F401  a fixture
)
from local_hub import client_warnings, local_hub  # noqa: F401  a fixture
from PIL import Image as Pictures
from tiny_network import TinyNetwork, options, paintings, train
from tiny_runs import assert_same_run, kill_between_checkpoints, losses

from baselines.checkpoints import unpack
from baselines.protocols import checked_predict
from baselines.registry import get_detector
from baselines.weight_files import WeightsError
from baselines.weights import load_weights
from craqbench import cli, training
from craqbench.configuration import Config
from craqbench.errors import CraqbenchError, StorageError, UsageError
from craqbench.generation import generate
from craqbench.training_options import Execution, options_of_run
from craqbench.training_run import State
from generators.recipes import RECIPES

pytestmark = client_warnings

ROOT = Path(__file__).resolve().parents[1]
HERE = Execution(workers=0, threads=1, device="cpu", command="craqbench train --method tiny")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of paintings."""
    return paintings(tmp_path_factory.mktemp("source") / "small")


@pytest.fixture(scope="module")
def unbroken(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing has interrupted."""
    out = tmp_path_factory.mktemp("unbroken") / "run"
    train(options(source), out, HERE)
    return out


def test_a_run_leaves_all_that_is_promised(unbroken: Path) -> None:
    """Weights with a card, a README, tables, a picture of each epoch, TensorBoard's log, a checkpoint."""
    tensors, card = load_weights(unbroken / "tiny.safetensors")
    assert tensors.keys() == TinyNetwork().state_dict().keys()
    assert card["command"] == "craqbench train --method tiny"
    assert (card["steps"], card["seed"], card["recipe"]) == (12, 0, "mixed version 1")
    assert card["source"] == "small"
    assert re.fullmatch(r"[0-9a-f]{64}", card["data_digest"])
    readme = (unbroken / "README.md").read_text()
    assert "craqbench train --method tiny" in readme
    assert "no real annotation" in readme
    assert "license: apache-2.0" in readme
    assert len(losses(unbroken)) == 12
    with (unbroken / "epochs.csv").open() as lines:
        assert [row["step"] for row in csv.DictReader(lines)] == ["4", "8", "12"]
    pictures = sorted((unbroken / "pictures").iterdir())
    assert [picture.name for picture in pictures] == [f"step-{step:07d}.png" for step in (4, 8, 12)]
    with Pictures.open(pictures[0]) as picture:
        assert picture.size == (4 * 68 - 4, 4 * 68 - 4)
    assert list((unbroken / "tensorboard").iterdir())


def test_nothing_is_pickled(unbroken: Path) -> None:
    """All tensors lie in safetensors files, the rest in JSON, CSV and text."""
    known = {".safetensors", ".json", ".csv", ".md", ".png", ""}
    files = [path for path in unbroken.rglob("*") if path.is_file() and path.parent.name != "tensorboard"]
    assert {path.suffix for path in files} <= known


def test_the_kept_weights_are_those_of_the_best_validation(unbroken: Path) -> None:
    """The card's IoU and threshold are the best row's of the table."""
    _, card = load_weights(unbroken / "tiny.safetensors")
    with (unbroken / "epochs.csv").open() as lines:
        best = max(csv.DictReader(lines), key=lambda row: float(row["validation_iou"]))
    assert card["best_step"] == int(best["step"])
    assert card["validation_iou"] == float(best["validation_iou"])
    assert card["threshold"] == float(best["threshold"])


def test_a_finished_run_is_left_as_it_is(unbroken: Path, source: Path) -> None:
    """The same command once more finds that all is done."""
    files = [path for path in unbroken.rglob("[!.]*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    again = train(options(source), unbroken, HERE)
    assert again.ended == "finished"
    assert before == {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize("fault", ["stale", "no card", "full"])
def test_weights_of_the_end_are_written_again(
    fault: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed, or had no room, between its last checkpoint and its card writes all of it."""
    out, chosen = tmp_path / "run", options(source, steps=2)
    first = train(chosen, out, Execution(workers=0, threads=1, device="cpu", minutes=1e-9))
    early = [path.read_bytes() for path in (first.weights, first.weights.with_suffix(".json"))]
    with monkeypatch.context() as faulty:
        if fault == "full":

            def full(*_: object) -> None:
                raise WeightsError("weights cannot be written: No space left on device")

            faulty.setattr("craqbench.training_run.save_weights", full)
            with pytest.raises(StorageError, match="No space left on device; run the same command again"):
                train(chosen, out, HERE)
        else:
            train(chosen, out, HERE)
    if fault == "stale":
        for path, content in zip((first.weights, first.weights.with_suffix(".json")), early, strict=True):
            path.write_bytes(content)
    elif fault == "no card":
        first.weights.with_suffix(".json").unlink()
    trained = train(chosen, out, HERE)
    assert load_weights(trained.weights)[1]["steps"] == 2


def test_sigkill_changes_nothing(unbroken: Path, source: Path, tmp_path: Path) -> None:
    """A run that was killed between two checkpoints goes on to the loss curve of an unbroken one."""
    out = tmp_path / "run"
    kill_between_checkpoints("tiny_network.py", out, source)
    train(options(source), out, HERE)
    assert_same_run(unbroken, out)


def test_ctrl_c_finishes_the_step_and_writes_a_checkpoint(
    unbroken: Path, source: Path, tmp_path: Path
) -> None:
    """After Ctrl-C in the middle of an epoch the run goes on from that very step."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")

    def interrupt(state: State) -> None:
        if state.step == 6:
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt, match="run the command again"):
        train(options(source), out, HERE, report=interrupt)
    assert unpack(out / "checkpoint.safetensors")[1]["trainer"]["step"] == 6
    train(options(source), out, HERE)
    assert_same_run(unbroken, out)


def test_minutes_end_a_session_cleanly(unbroken: Path, source: Path, tmp_path: Path) -> None:
    """When time is up there are weights; another session goes on to the same curve."""
    out = tmp_path / "run"
    short = Execution(workers=0, threads=1, device="cpu", minutes=1e-9)
    first = train(options(source), out, short)
    assert (first.ended, first.step) == ("minutes", 1)
    assert load_weights(first.weights)[1]["steps"] == 1
    assert train(options(source), out, short).step == 2
    assert train(options(source), out, HERE).ended == "finished"
    assert_same_run(unbroken, out)


def test_the_number_of_workers_changes_nothing(unbroken: Path, source: Path, tmp_path: Path) -> None:
    """Two worker processes make the samples that the main process would."""
    out = tmp_path / "run"
    train(options(source), out, Execution(workers=2, threads=1, device="cpu"))
    assert_same_run(unbroken, out)


def test_another_seed_is_another_run(unbroken: Path, source: Path, tmp_path: Path) -> None:
    """Samples, first weights and dropout depend on the seed."""
    train(options(source, seed=1, steps=1), tmp_path / "run", HERE)
    assert losses(tmp_path / "run")[1] != losses(unbroken)[1]


def test_a_folder_of_another_run_is_refused(unbroken: Path, source: Path) -> None:
    """Each difference is named, and nothing is changed."""
    with pytest.raises(UsageError, match=r"--lr: 0\.003 there, 0\.5 now"):
        train(options(source, lr=0.5), unbroken, HERE)


def test_a_folder_of_strangers_is_refused(source: Path, tmp_path: Path) -> None:
    """A folder that holds other files is no place for a run."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"not empty \(thesis\.tex\)"):
        train(options(source), tmp_path, HERE)


def test_one_process_at_a_time(source: Path, tmp_path: Path) -> None:
    """A second process that would train in the same folder is turned away."""

    def intrude(state: State) -> None:
        if state.step == 1:
            with pytest.raises(UsageError, match="another process trains"):
                train(options(source, steps=2), tmp_path / "run", HERE)

    train(options(source, steps=2), tmp_path / "run", HERE, report=intrude)


def test_a_loss_that_is_no_number_stops_the_run(source: Path, tmp_path: Path) -> None:
    """The last good checkpoint is kept, named and finite, and a learning rate is suggested."""
    out = tmp_path / "run"
    chosen = options(source, switches={"fault": "nan", "after": 5})
    with pytest.raises(CraqbenchError, match=r"loss nan in step 6: .*checkpoint is kept in .*--lr 0\.001"):
        train(chosen, out, HERE)
    tensors, facts = unpack(out / "checkpoint.safetensors")
    assert facts["trainer"]["step"] == 4
    assert all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point())


def test_weights_that_burst_are_not_kept(source: Path, tmp_path: Path) -> None:
    """Where a step is finite and what it leads to is not, neither weights nor checkpoint are written."""
    out = tmp_path / "run"
    with pytest.raises(CraqbenchError, match=r"of the averaged network after step 1: .*no checkpoint yet; "):
        train(options(source, epoch=1, lr=1e36), out, HERE)
    assert not list(out.glob("*.safetensors"))


def test_memory_that_really_runs_out(source: Path, tmp_path: Path) -> None:
    """A process that may not have more memory says which batch was too much, and leaves with code 2."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("only Linux tells how much memory a process uses")
    line = ("train", "--method", "tiny", "--source", str(source), "--batch", "256", "--validation", "1")
    here = ("--threads", "1", "--device", "cpu", "--workers", "1", "--out", str(tmp_path / "run"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *line, *here],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    told = (
        "craqbench: error: out of memory at 256 x 64 x 64 px: expected a smaller batch, such as --batch 128"
    )
    assert told in done.stderr
    assert done.returncode == 2


LIMITED = """
import resource, sys
from unittest import mock
import baselines.architectures
import baselines.training, craqbench.cli.train, craqbench.training
import torch._dynamo
from craqbench import cli, training
from craqbench.training_run import Run
from tiny_network import tiny_network

def limited(self, *arguments, go=Run.go):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 150_000_000,) * 2)
    return go(self, *arguments)

if __name__ == "__main__":
    Run.go = limited
    craqbench.training.make_network = tiny_network
    with mock.patch.dict(baselines.architectures.ARCHITECTURES, {"tiny": None}):
        sys.exit(cli.main(sys.argv[1:]))
"""
"""Trains with 150 MB more than there are before the first step."""


def test_memory_that_runs_out_suggests_a_batch(source: Path, tmp_path: Path) -> None:
    """The message names the size that was too much, and half of it."""
    chosen = options(source, batch=6, switches={"fault": "memory"})
    with pytest.raises(CraqbenchError, match=r"out of memory at 6 x 64 x 64 px: .*--batch 3"):
        train(chosen, tmp_path / "run", HERE)


def test_patience_ends_a_run(source: Path, tmp_path: Path) -> None:
    """Without a better validation the run ends; its weights are the best ones."""
    trained = train(options(source, steps=400, epoch=1, patience=2, lr=1e-9), tmp_path / "run", HERE)
    assert trained.ended == "patience"
    assert trained.step == trained.best_step + 2 < 400
    assert train(options(source, steps=400, epoch=1, patience=2, lr=1e-9), tmp_path / "run", HERE) == trained


def test_a_broken_checkpoint_is_named(source: Path, tmp_path: Path) -> None:
    """A checkpoint that cannot be read is no reason to begin anew in silence."""
    out = tmp_path / "run"
    train(options(source, steps=2), out, HERE)
    (out / "checkpoint.safetensors").write_bytes(b"nothing of ours")
    with pytest.raises(
        CraqbenchError, match=r"checkpoint\.safetensors: this is no safetensors file.*remove it"
    ):
        train(options(source, steps=2), out, HERE)
    torch.save({"a": torch.zeros(2)}, out / "checkpoint.safetensors")
    with pytest.raises(CraqbenchError, match=r"holds a pickle, which can run any code .* is not opened"):
        train(options(source, steps=2), out, HERE)


def test_crops_must_fit_the_network(source: Path, tmp_path: Path) -> None:
    """The network's stride divides the crop."""
    with pytest.raises(UsageError, match="crop 70: expected a multiple of 8"):
        train(options(source, crop=70), tmp_path / "run", HERE)


@pytest.mark.parametrize("changes", [{"classes": 3}, {"switches": {"hinted": True}}])
def test_three_classes_and_hints(changes: dict[str, Any], source: Path, tmp_path: Path) -> None:
    """Networks of three classes and those that see a detector's map are trained alike."""
    recipe = RECIPES["polychrome"]
    trained = train(options(source, steps=2, recipe=recipe, size=(96, 96), **changes), tmp_path / "run", HERE)
    assert np.isfinite(list(losses(tmp_path / "run").values())).all()
    assert trained.weights.exists()


def test_a_dataset_serves_as_well(source: Path, tmp_path: Path) -> None:
    """With ``--data`` the samples are cut from the rows of a dataset, and its recipe is on the card."""
    generate(Config(n=8, recipe=RECIPES["paper"], source=str(source), size=(96, 80)), tmp_path / "data")
    trained = train(options(source, steps=2, data=str(tmp_path / "data")), tmp_path / "run", HERE)
    card = load_weights(trained.weights)[1]
    assert card["recipe"].startswith("paper version")
    assert card["options"]["data"] == str(tmp_path / "data")
    assert not {"source", "recipe", "set"} & card["options"].keys()


def test_paintings_of_the_hub_serve_as_well(shelf: Shelf, tmp_path: Path) -> None:
    """A run on paintings of the Hub names their commit, and goes on with it though there are new ones."""
    chosen = replace(options(tmp_path, steps=3, paintings=6), source=SOURCE)
    train(chosen, tmp_path / "run", Execution(workers=0, threads=1, device="cpu", minutes=1e-9))
    done = train(chosen, tmp_path / "run", HERE)
    assert done.step == 3
    assert re.match(rf"{SOURCE}@[0-9a-f]{{40}}", load_weights(done.weights)[1]["source"])
    shelf.put(rows_of(PICTURES[1:]))
    with pytest.raises(UsageError, match=r"data \(digest\): "):
        train(chosen, tmp_path / "run", HERE)


def test_the_card_says_where_the_encoder_began(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what it was when the run began, though the Hub may be out of reach when it goes on."""
    out = tmp_path / "run"
    monkeypatch.setattr(TinyNetwork, "pretrained", "imagenet", raising=False)
    train(options(source, steps=2), out, Execution(workers=0, threads=1, device="cpu", minutes=1e-9))
    monkeypatch.setattr(TinyNetwork, "pretrained", "random")
    trained = train(options(source, steps=2), out, HERE)
    assert load_weights(trained.weights)[1]["pretrained"] == "imagenet"
    assert "| first weights of the encoder | imagenet |" in (out / "README.md").read_text()
    (out / "checkpoint.safetensors").unlink()
    with pytest.raises(UsageError, match=r"an encoder of other weights \(imagenet\) than .* now \(random\)"):
        train(options(source, steps=2), out, HERE)


def test_a_network_without_a_past_is_random(unbroken: Path) -> None:
    """Card and README say so."""
    assert load_weights(unbroken / "tiny.safetensors")[1]["pretrained"] == "random"
    assert "| first weights of the encoder | random |" in (unbroken / "README.md").read_text()


def test_a_network_of_ones_own(unbroken: Path, source: Path, tmp_path: Path) -> None:
    """``--method package.module:Class`` trains, goes on with and uses a network from outside this package."""
    chosen = options(source, method="tiny_network:TinyDetector")
    out = tmp_path / "run"
    training.train(chosen, out, Execution(workers=0, threads=1, device="cpu", minutes=1e-9))
    trained = training.train(options_of_run(out), out, HERE)
    assert_same_run(unbroken, out)
    detector = get_detector(chosen.method, weights=str(trained.weights), device="cpu")
    image = np.full((70, 90, 3), 128, np.uint8)
    assert checked_predict(detector, image, "grey").shape == (70, 90)
    assert (detector.name, detector.card.reference) == ("tiny", "unpublished")


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("nowhere:Net", "cannot be imported: No module named 'nowhere': expected package.module:Class"),
        ("tiny_network:Nothing", "cannot be imported: module 'tiny_network' has no attribute 'Nothing'"),
        ("tiny_network:TinyNetwork", "expected a subclass of baselines.learned.LearnedDetector with a name"),
    ],
)
def test_what_is_no_network(method: str, told: str, source: Path, tmp_path: Path) -> None:
    """What cannot be trained is named, with what was expected."""
    with pytest.raises(UsageError, match=re.escape(told)):
        training.train(options(source, method=method), tmp_path / "run", HERE)
    with pytest.raises(UsageError, match="unexpected keyword argument 'base'"):
        training.train(options(source, method="tiny_network:TinyDetector", base="x"), tmp_path / "run", HERE)


def test_options_travel_through_the_folder(unbroken: Path, source: Path) -> None:
    """What --resume reads is what the run was begun with."""
    found = options_of_run(unbroken)
    assert found.recipe == RECIPES["mixed"]
    assert found.as_json() | {"batch": None, "crop": None, "lr": None, "final_lr": None} == options(
        source
    ).as_json() | {"batch": None, "crop": None, "lr": None, "final_lr": None}


def test_resume_takes_the_options_of_the_run(
    unbroken: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--resume DIR`` alone goes on with a run."""
    from tiny_network import tiny_network  # noqa: PLC0415

    out = tmp_path / "run"
    train(options(source), out, Execution(workers=0, threads=1, device="cpu", minutes=1e-9))
    monkeypatch.setattr("craqbench.training.make_network", tiny_network)
    assert (
        cli.main(["train", "--resume", str(out), "--workers", "0", "--threads", "1", "--device", "cpu"]) == 0
    )
    assert_same_run(unbroken, out)


def test_the_command_trains(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Our own network, by the command line: weights that can be loaded, and the next command to type."""
    out = str(tmp_path / "run")
    small = ("--steps", "1", "--batch", "1", "--crop", "64", "--validation", "1", "--set", "age=0.5")
    here = ("--workers", "1", "--threads", "1", "--device", "cpu", "--cache-gb", "1")
    line = ("train", "--method", "craqnet", "--source", str(source), "--out", out, *small, *here)
    assert cli.main(line) == 0
    told = capsys.readouterr()
    assert "1 of 1: all steps done" in told.out
    assert "evaluate --set nga-val --method craqnet,weights=" in told.out
    assert "training: 1 of 1 steps" in told.err
    _, card = load_weights(tmp_path / "run" / "craqnet.safetensors")
    assert card["options"]["set"]["age"] == 0.5


def test_the_command_reports_faults_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a user can mend ends in exit code 2 and one message."""
    monkeypatch.chdir(tmp_path)
    for arguments, told in {
        ("--method", "craqnett"): "did you mean craqnet?",
        (): "--method: expected the name of a network",
        ("--method", "craqnet", "--lr", "2"): "got '2', expected a number above 0, 1 at most",
        ("--method", "craqnet", "--minutes", "soon"): "got 'soon', expected a number above 0",
        ("--method", "craqnet", "--source", "nowhere"): "'nowhere' does not exist",
        ("--method", "craqnet", "--data", "nowhere"): "'nowhere' does not exist",
        ("--method", "craqnet", "--no-lora"): "no switch 'lora'",
        ("--resume", "nowhere"): "'nowhere' holds no run",
    }.items():
        assert cli.main(["train", *arguments]) == 2
        error = capsys.readouterr().err
        assert told in error
        assert error.startswith("craqbench: error: ")


def test_torch_is_asked_for_where_it_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without torch the command says what to install."""
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("craqbench.training", "craqbench.training_run", "baselines.training"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert cli.main(["train", "--method", "craqnet"]) == 2
    assert "training needs torch: pip install 'craqbench[models]'" in capsys.readouterr().err


def test_the_run_file_is_json(unbroken: Path) -> None:
    """The options, digests and versions of a run can be read by anyone."""
    found = json.loads((unbroken / "run.json").read_text())
    assert found["options"]["lr"] == 3e-3
    assert found["command"] == "craqbench train --method tiny"
