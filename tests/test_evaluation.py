"""Evaluation: figures against an independent reading of the predictions, resume, faults, tuning, locks."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from annotated_samples import save
from evaluation_samples import HEIGHT, WIDTH, loaded, one, untimed, write_images
from scipy.ndimage import distance_transform_edt, label
from sklearn.metrics import f1_score  # type: ignore[import-untyped]  # has no types
from tiny import write_paintings

from craqbench import cli, engines, evaluation_summary
from craqbench.annotated import open_set
from craqbench.errors import AnnotationError, StorageError, UsageError
from craqbench.evaluation import Options, evaluate
from craqbench.evaluation_records import locked
from craqbench.evaluation_task import Task
from craqbench.figures import interval_figures
from craqbench.metrics import detection_counts, detection_scores
from craqbench.results import DetectionResult

ROOT = Path(__file__).resolve().parents[1]
DARK = "toy_detectors:Dark"
Array = np.typing.NDArray[np.uint8]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw 100 resamples, not 10,000: what they show is tested elsewhere."""
    few = functools.partial(interval_figures, resamples=100)
    monkeypatch.setattr(evaluation_summary, "interval_figures", few)


@pytest.fixture(name="images", scope="module")
def four_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of four annotated images of two paintings."""
    return write_images(tmp_path_factory.mktemp("set") / "scans")


@pytest.fixture(name="out")
def output(tmp_path: Path) -> Path:
    """Return where results go."""
    return tmp_path / "out"


def pixels(path: Path) -> Array:
    """Return a grey picture as it is."""
    with PIL.Image.open(path) as picture:
        assert picture.mode == "L"
        return np.asarray(picture)


def read_pairs(images: Path, folder: Path) -> list[tuple[Array, Array]]:
    """Return (prediction, mask) of each image, read without craqbench."""
    names = sorted(path.name for path in (images / "masks").iterdir())
    return [(pixels(folder / "predictions" / name), pixels(images / "masks" / name)) for name in names]


def tolerant_f1(pairs: list[tuple[Array, Array]], tau: float) -> float:
    """Return F1@tau of a set by a pair of distance transforms."""
    sums = np.zeros(4)
    for predicted, mask in pairs:
        scored = mask != 128
        found, sought = (predicted == 255) & scored, (mask == 255) & scored
        near = [distance_transform_edt(~m) <= tau if m.any() else m for m in (found, sought)]
        sums += [(found & near[1]).sum(), found.sum(), (sought & near[0]).sum(), sought.sum()]
    precision, recall = sums[0] / sums[1], sums[2] / sums[3]
    return float(2 * precision * recall / (precision + recall))


def test_figures_are_those_of_the_predictions(images: Path, out: Path) -> None:
    """F1, F1@tau, components and digests follow from the prediction files by other means."""
    made = one(DARK, images, out)
    result, pairs = made.result, read_pairs(images, made.path.parent)
    assert all(set(np.unique(p)) == {0, 255} for p, _ in pairs)
    for tau in (1, 2, 4):
        assert result.scores[f"f1@{tau}"].value == pytest.approx(tolerant_f1(pairs, tau))
    scored = [(p[m != 128] == 255, m[m != 128] == 255) for p, m in pairs]
    predicted, annotated = (np.concatenate(part) for part in zip(*scored, strict=True))
    assert result.scores["f1"].value == pytest.approx(f1_score(annotated, predicted))
    assert result.scores["accuracy"].value == pytest.approx((annotated == predicted).mean())
    for image, (p, m) in zip(result.images, pairs, strict=True):
        assert image.counts.components == label((p == 255) & (m != 128), np.ones((3, 3)))[1]
        content = f"{p.shape[0]} {p.shape[1]}\n".encode() + (p == 255).astype(np.uint8).tobytes()
        assert image.prediction_sha256 == hashlib.sha256(content).hexdigest()
    listing = "".join(f"{image.id} {image.prediction_sha256}\n" for image in result.images)
    assert result.predictions_digest == hashlib.sha256(listing.encode()).hexdigest()


def test_figures_are_those_of_the_metrics(images: Path, out: Path) -> None:
    """Every figure is the one that the metrics give for the whole set at once, curves and all."""
    result = one(DARK, images, out).result
    annotated = open_set(f"folder:{images}")
    counts = []
    for item in annotated:
        loaded = annotated.load(item)
        scores = np.asarray(1 - loaded.image.mean(axis=2) / 255, np.float32)
        mask = scores >= 0.55
        counts.append(detection_counts(mask, loaded.mask, ignore=loaded.ignore, scores=scores))
    expected = detection_scores(sum(counts[1:], counts[0]))
    found = {name: score.value for name, score in result.scores.items() if not name.startswith("ois")}
    assert found == pytest.approx(expected)
    assert result.scores["ods@2"].value <= result.scores["ois@2"].value  # type: ignore[operator]


def test_intervals_and_paintings(images: Path, out: Path) -> None:
    """Images of a painting are one unit; intervals hold the figure; groups are figures of their images."""
    result = one(DARK, images, out).result
    assert [(p.painting, p.images) for p in result.paintings] == [("painting 0", 2), ("painting 1", 2)]
    for score in result.scores.values():
        if score.low is not None:
            assert score.low <= (score.value or 0) <= (score.high or 0) + 1e-12
    assert set(result.groups) == {"polarity"}
    dark = evaluate([f"folder:{images},polarity=dark"], [DARK], out)[0].result
    group = result.groups["polarity"]["dark"]
    assert (group.images, group.paintings) == (2, 2)
    assert group.scores["f1@2"] == dark.scores["f1@2"]
    assert dark.set.digest != result.set.digest


def test_a_single_painting_has_no_interval(out: Path, tmp_path: Path) -> None:
    """With one painting there is nothing to resample: no interval is better than one of width 0."""
    result = one(DARK, write_images(tmp_path / "one", 2), out).result
    assert result.set.paintings == 1
    assert all(score.low is None and score.high is None for score in result.scores.values())


def test_files_are_named_by_id(out: Path, tmp_path: Path) -> None:
    """Ids with folders and odd characters get file names of their own; scores are kept where asked for."""
    folder = write_images(tmp_path / "scans", 1)
    for kind in ("images", "masks"):
        (folder / kind / "left wing").mkdir()
        (folder / kind / "0.png").rename(folder / kind / "left wing" / "a%b.png")
    (folder / "manifest.csv").unlink()
    made = one(DARK, folder, out, keep_scores=True)
    (image,) = made.result.images
    assert image.id == "left wing/a%b"
    kept = pixels(made.path.parent / "scores" / f"{image.file}.png")
    predicted = pixels(made.path.parent / "predictions" / f"{image.file}.png")
    assert kept.shape == predicted.shape == (HEIGHT, WIDTH)
    assert ((kept >= 0.55 * 255 - 0.5) == (predicted == 255)).mean() > 0.99


def test_nothing_tells_whose_machine_it_was(images: Path, out: Path) -> None:
    """A result describes the machine without its name; numbers are numbers; the file ends in a line break."""
    data = one(DARK, images, out).path.read_bytes()
    if platform.node() and platform.node() != "localhost":
        assert platform.node().encode() not in data
    content = json.loads(data)
    assert content["hardware"]["cores"] >= 1
    assert isinstance(content["scores"]["f1@2"]["value"], float)
    assert data.endswith(b"}\n")
    assert not any(word in data for word in (b"NaN", b"Infinity"))


def test_workers_change_nothing(images: Path, out: Path, tmp_path: Path) -> None:
    """Two methods and two sets at once on two workers give the bytes of one method, one set, one worker."""
    sets, methods = [f"folder:{images}", "synthetic,n=2"], [DARK, "tophat"]
    together = evaluate(sets, methods, out, Options(workers=2))
    assert [(e.result.set.name, e.result.method.label) for e in together] == [
        (name, method) for name in ("folder", "synthetic") for method in ("dark", "tophat")
    ]
    for made in together:
        chosen = made.result.method.given, made.result.set.given
        (alone,) = evaluate([chosen[1]], [chosen[0]], tmp_path / "alone")
        first, second = untimed(made.path), untimed(alone.path)
        assert first.pop("command") != second.pop("command")
        assert first == second


def test_the_command_makes_it_again(images: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command in a result, run after everything is gone, makes the same result."""
    made = one("toy_detectors:Dark,threshold=0.5", images, out, keep_scores=True)
    before = untimed(made.path)
    shutil.rmtree(out)
    words = shlex.split(made.result.command)
    assert words[:2] == ["craqbench", "evaluate"]
    assert cli.main([*words[1:], "--workers", "1"]) == 0
    assert "dark,threshold=0.5" in capsys.readouterr().out
    assert untimed(made.path) == before


def test_what_is_done_is_not_done_again(images: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run predicts nothing and writes the same bytes, seconds and all."""
    made = one(DARK, images, out)
    before = made.path.read_bytes()
    monkeypatch.setattr(Task, "_do", lambda *_: pytest.fail("done again"))
    assert one(DARK, images, out).path.read_bytes() == before


DAMAGES = {
    "records/1.json": b'{"id": "1", "seconds"',
    "records/2.json": b"",
    "records/3.json": b'{"id": "another"}',
    "predictions/0.png": b"\x89PNG",
}


@pytest.mark.parametrize("name", [*DAMAGES, "records", "predictions", "result.json"])
def test_resume_after_damage(images: Path, out: Path, name: str) -> None:
    """Torn, foreign or missing files are made again, and nothing but the time is different."""
    made = one(DARK, images, out)
    before, path = untimed(made.path), made.path.parent / name
    if name in DAMAGES:
        path.write_bytes(DAMAGES[name])
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert untimed(one(DARK, images, out).path) == before
    assert {p.name for p in (made.path.parent / "predictions").iterdir()} == {f"{i}.png" for i in range(4)}


def test_scores_can_be_asked_for_later(images: Path, out: Path) -> None:
    """Scores that were not kept at first are made by a second run, and the result stays the same."""
    made = one(DARK, images, out)
    before = untimed(made.path)
    again = one(DARK, images, out, keep_scores=True)
    assert len(list((made.path.parent / "scores").iterdir())) == 4
    after = untimed(again.path)
    assert before.pop("command") != after.pop("command")
    assert after == before


def started(*arguments: str) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "craqbench.cli", "evaluate", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def test_resume_after_sigkill(out: Path, tmp_path: Path) -> None:
    """Killed at three random moments, with and without workers: the same result but for the time."""
    images = write_images(tmp_path / "scans", 24)
    arguments = ("--set", f"folder:{images}", "--method", "toy_detectors:Slow", "--out", str(out))
    records = out / "folder-scans" / "slow" / "records"
    rng = np.random.default_rng(0)
    for workers, goal in zip("121", sorted(rng.integers(1, 20, 3)), strict=True):
        process = started(*arguments, "--workers", workers)
        while len(list(records.glob("*.json"))) < goal and process.poll() is None:
            time.sleep(rng.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (out / "folder-scans" / "slow" / "result.json").exists()
    (made,) = evaluate([f"folder:{images}"], ["toy_detectors:Slow"], out)
    result = untimed(made.path)
    shutil.rmtree(out)
    (whole,) = evaluate([f"folder:{images}"], ["toy_detectors:Slow"], out)
    assert untimed(whole.path) == result


FAULTS = {
    "raises": "raised ZeroDivisionError: of the method in two lines",
    "shape": r"expected scores of shape \(72, 97\) and type float32. Got \(97, 72\)",
    "type": "Got .* float64",
    "nan": "Got NaN",
    "range": r"expected scores in \[0, 1\]. Got 1",
    "nothing": "Got NoneType",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_one_image(images: Path, out: Path, fault: str) -> None:
    """The image is named, the others are done, other methods too, and there are no scores to quote."""
    faulty = f"toy_detectors:Faulty,fault={fault}"
    bad, good = (e.result for e in evaluate([f"folder:{images}"], [faulty, DARK], out))
    assert (bad.complete, bad.scores, bad.groups) == (False, {}, {})
    (failure,) = bad.failures
    assert failure.image == "1"
    assert re.search(FAULTS[fault], failure.reason), failure.reason
    assert [image.id for image in bad.images] == ["0", "2", "3"]
    assert [painting.images for painting in bad.paintings] == [1, 2]
    assert good.complete
    assert len(good.images) == 4


def test_a_method_that_kills_its_process(images: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's death is the fault of one method on one image; all else is done."""
    monkeypatch.setattr(engines, "RETRIES", 0)
    killing = "toy_detectors:Faulty,fault=kills"
    bad, good = (e.result for e in evaluate([f"folder:{images}"], [killing, DARK], out, Options(workers=2)))
    (failure,) = bad.failures
    assert (failure.image, failure.reason[:23]) == ("1", "its process was killed,")
    assert [image.id for image in bad.images] == ["0", "2", "3"]
    assert good.complete


def test_failed_images_are_tried_again(images: Path, out: Path) -> None:
    """What failed is tried again by the next run; what was done is kept."""
    made = one("toy_detectors:Faulty", images, out)
    stamp = (made.path.parent / "records" / "0.json").stat().st_mtime_ns
    again = one("toy_detectors:Faulty", images, out)
    assert not again.result.complete
    assert (made.path.parent / "records" / "0.json").stat().st_mtime_ns == stamp


def test_another_method_of_that_name_is_refused(images: Path, out: Path) -> None:
    """Another version is not mixed with what lies there; --fresh replaces it."""
    one(DARK, images, out)
    folder = out / "folder-scans" / "dark"
    identity = json.loads((folder / "evaluation.json").read_text())
    identity["method"]["version"] = "0"
    (folder / "evaluation.json").write_text(json.dumps(identity))
    with pytest.raises(
        UsageError, match=r'dark holds an evaluation with method.version "0", .* has "1": exp'
    ):
        one(DARK, images, out)
    (folder / "predictions" / "stale.png").write_bytes(b"")
    one(DARK, images, out, fresh=True)
    assert {p.name for p in (folder / "predictions").iterdir()} == {f"{i}.png" for i in range(4)}
    one(DARK, images, out)


def test_another_set_of_that_name_is_refused(images: Path, out: Path, tmp_path: Path) -> None:
    """A set that has changed, or another folder of that name, is not mixed with what lies there."""
    one(DARK, images, out)
    other = write_images(tmp_path / "other" / "scans", seed=9)
    with pytest.raises(UsageError, match=r"holds an evaluation with set.digest"):
        one(DARK, other, out)


def test_a_set_that_changes_meanwhile(out: Path, tmp_path: Path) -> None:
    """The run ends and names the file; what was done is kept, and all goes on when the file is back."""
    folder = write_images(tmp_path / "scans")
    mask = folder / "masks" / "2.png"
    data = mask.read_bytes()
    meddling = f"toy_detectors:Meddling,path={mask}"
    with pytest.raises(AnnotationError, match=r"2.png was there when the set was opened, now"):
        one(meddling, folder, out)
    (records,) = out.glob("*/*/records")
    assert {path.name for path in records.iterdir()} == {"0.json", "1.json"}
    assert not list(out.glob("*/*/result.json"))
    mask.write_bytes(data)
    assert one(meddling, folder, out).result.complete


def test_a_folder_in_use(images: Path, out: Path) -> None:
    """Two runs do not write into one folder; the second is told, and other methods may go on."""
    with (
        locked(out / "folder-scans" / "dark"),
        pytest.raises(UsageError, match=r"dark is being written by another 'craqbench evaluate'"),
    ):
        evaluate([f"folder:{images}"], ["none", DARK], out)
    assert one("none", images, out).result.complete
    assert one(DARK, images, out).result.complete


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 64 kB; skip where that is not allowed."""
    where = tmp_path / "disk"
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(where)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {done.stderr.decode().strip()}")
    yield where
    subprocess.run(["umount", where], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """A full disk is one message; with room again the run goes on to the same result."""
    images = write_images(tmp_path / "scans", 8)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(16_000))
    with pytest.raises(StorageError, match=r"No space left on device: expected free space"):
        one(DARK, images, small_disk)
    assert not list(small_disk.rglob("*.part"))
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    resumed = untimed(one(DARK, images, small_disk).path)
    whole = untimed(one(DARK, images, tmp_path / "whole").path)
    assert resumed.pop("command") != whole.pop("command")
    assert resumed == whole


def test_a_file_in_the_way(images: Path, out: Path) -> None:
    """A file where a folder is needed is one message."""
    out.write_bytes(b"")
    with pytest.raises(StorageError, match=r"expected a folder"):
        one(DARK, images, out)


def tuned(method: str, images: Path, on: str, out: Path) -> DetectionResult:
    """Evaluate with a threshold of another set."""
    return one(method, images, out, tune_on=on).result


def test_tuning(images: Path, out: Path, tmp_path: Path) -> None:
    """The threshold is the best on the other set, has its F1 there, and the result says so."""
    other = write_images(tmp_path / "other", seed=50)
    result = tuned(DARK, images, f"folder:{other}", out)
    origin = result.threshold.tuned_on
    assert origin is not None
    assert (result.threshold.origin, origin.spec, origin.images) == ("tuned", "folder:other", 4)
    assert result.method.label == "dark tuned on folder:other"
    assert "--tune-on" in shlex.split(result.command)
    there = loaded(out / "folder-other" / "dark" / "result.json")
    assert origin.digest == there.set.digest
    assert there.threshold.origin == "method"
    best = one(f"{DARK},threshold={result.threshold.value}", other, tmp_path / "best").result
    assert best.scores["f1@2"].value == pytest.approx(origin.f1, abs=1e-9)
    for level in range(20, 250, 10):
        trial = one(f"{DARK},threshold={(level - 0.5) / 255}", other, tmp_path / "trial").result
        assert (trial.scores["f1@2"].value or 0) <= origin.f1 + 1e-12
    untuned = one(DARK, images, out).result
    assert untuned.scores != result.scores


def test_tuning_on_what_is_scored_is_refused(images: Path, out: Path, tmp_path: Path) -> None:
    """The same set, a part of it with the same paintings, and a copy of one image elsewhere are refused."""
    with pytest.raises(UsageError, match=r"is a set that is scored: expected another set"):
        tuned(DARK, images, f"folder:{images}", out)
    with pytest.raises(UsageError, match=r"has 2 paintings of folder:scans, which is scored \(painting 0"):
        tuned(DARK, images, f"folder:{images},polarity=dark", out)
    other = write_images(tmp_path / "other", seed=50)
    with (
        PIL.Image.open(images / "images" / "3.png") as picture,
        PIL.Image.open(images / "masks" / "3.png") as m,
    ):
        copy, mask = np.asarray(picture), np.asarray(m)
    save(other / "images" / "copy.png", copy, compress_level=1)
    save(other / "masks" / "copy.png", np.zeros_like(mask))
    with (other / "manifest.csv").open("a") as file:
        file.write("copy,copy,dark,Dutch\n")
    with pytest.raises(
        UsageError, match=r"has 1 images of folder:scans, which is scored \(3\): expected none"
    ):
        tuned(DARK, images, f"folder:{other}", out)
    assert not out.exists()


def test_tuning_needs_cracks_and_a_method_that_works(images: Path, out: Path, tmp_path: Path) -> None:
    """A set without cracks, and a method that fails on the tuning set, cannot be used to tune."""
    clean = write_paintings(tmp_path / "clean", 2)
    with pytest.raises(UsageError, match=r"'dark' cannot be tuned on clean:clean: .* with annotated cracks"):
        tuned(DARK, images, f"clean:{clean}", out)
    other = write_images(tmp_path / "other", seed=50)
    with pytest.raises(
        UsageError, match=r"'faulty' cannot be tuned on folder:other: it failed on 1 of 4 .*'1'"
    ):
        tuned("toy_detectors:Faulty", images, f"folder:{other}", out)


def test_paintings_without_cracks(out: Path, tmp_path: Path) -> None:
    """On crack-free paintings only false alarms are counted: components per megapixel, and share of px."""
    clean = tmp_path / "clean"
    for number in range(3):
        picture = np.full((100, 80, 3), 220, np.uint8)
        picture[5 : 5 + 4 * number : 4] = 0
        save(clean / f"{number}.png", picture)
    made = evaluate([f"clean:{clean}"], [DARK, "none", "all"], out)
    scores = {e.result.method.label: e.result.scores for e in made}
    assert set(scores["dark"]) == {"false_alarms_per_megapixel", "false_share"}
    assert scores["dark"]["false_alarms_per_megapixel"].value == pytest.approx(3 / 0.024)
    assert scores["dark"]["false_share"].value == pytest.approx(3 * 80 / 24000)
    assert 0.01 < (scores["dark"]["false_share"].high or 0) <= 0.02
    assert scores["none"]["false_share"].value == 0
    assert scores["all"]["false_share"].value == 1
    assert all(e.result.groups == {} for e in made)


def test_three_classes(out: Path, tmp_path: Path) -> None:
    """The matrix has three classes; a crack found in paint loss, which nobody predicts, is a false alarm."""
    folder = tmp_path / "three"
    for number in range(2):
        mask = np.zeros((70, 80), np.uint8)
        mask[5], mask[20:30] = 1, 2
        picture = np.full((70, 80, 3), 220 + number, np.uint8)
        picture[5], picture[20:30] = 0, 0
        save(folder / "images" / f"{number}.png", picture)
        save(folder / "masks" / f"{number}.png", mask)
    result = one(DARK, folder, out).result
    assert result.set.classes == ("background", "craquelure", "paint loss")
    assert result.predicted_classes == 2
    confusion = result.paintings[0].counts.confusion
    assert confusion == ((59 * 80, 0, 0), (0, 80, 0), (0, 800, 0))
    assert result.scores["precision"].value == pytest.approx(80 / 880)
    assert result.scores["recall"].value == 1
    assert result.scores["iou:paint loss"].value == 0
    assert result.scores["mean_iou"].value == pytest.approx((1 + 80 / 880 + 0) / 3)


def test_a_second_annotator(images: Path, out: Path, tmp_path: Path) -> None:
    """A second annotator is scored against the first outside what either ignores, whatever the method."""
    folder = tmp_path / "scans"
    shutil.copytree(images, folder)
    second = pixels(images / "masks" / "1.png").copy()
    second[60:] = 128
    save(folder / "masks_second" / "1.png", second)
    made = evaluate([f"folder:{folder}"], [DARK, "none"], out)
    (counts,) = made[0].result.second
    assert made[1].result.second == made[0].result.second
    assert (counts.id, counts.painting) == ("1", "painting 0")
    first = pixels(images / "masks" / "1.png")
    scored = (first != 128) & (second != 128)
    cracks, others = int((first[scored] == 255).sum()), int((first[scored] == 0).sum())
    assert counts.counts.confusion == ((others, 0), (0, cracks))


def test_devices(images: Path, out: Path, tmp_path: Path) -> None:
    """A method with a device runs in this process, unless the device is the CPU; the result names it."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    method = "toy_detectors:OnDevice,home={}"
    result = one(method.format(here), images, out, workers=2, device="cuda").result
    assert [path.name for path in here.iterdir()] == [f"cuda-{os.getpid()}"]
    assert result.hardware.device == "cuda"
    assert "device" not in result.method.settings
    one(method.format(there), images, out, workers=2, device="cpu")
    assert 1 <= len(list(there.iterdir())) <= 2
    assert f"cpu-{os.getpid()}" not in [path.name for path in there.iterdir()]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no method": ({"methods": []}, "no method: expected one or more"),
    "no set": ({"sets": []}, "no set: expected one or more"),
    "unknown method": ({"methods": ["tophatt"]}, "unknown method 'tophatt'; did you mean tophat"),
    "unknown setting": ({"methods": ["tophat,level2=3"]}, "has no setting 'level2'"),
    "bad value": ({"methods": ["tophat,level=x"]}, "level=x: expected a value like 75"),
    "refused value": ({"methods": ["tophat,level=999"]}, "'level' of method 'tophat' is 999"),
    "bad tuple": ({"methods": ["ridge,scales=1:x"]}, "scales=1:x: expected a value like 1.0:2.0"),
    "no module": ({"methods": ["nowhere.at_all:Class"]}, "cannot be imported"),
    "no detector": ({"methods": ["toy_detectors:darkness"]}, "could not be made"),
    "twice": ({"methods": ["tophat", "tophat"]}, "2 methods would be called 'tophat'"),
    "same label": ({"methods": ["tophat,level=60", "tophat,level=060"]}, "2 methods would be called"),
    "set twice": ({"sets": ["synthetic,n=1", "synthetic,n=1"]}, "2 sets would be called 'synthetic"),
    "unknown set": ({"sets": ["nowhere"]}, "set 'nowhere': expected one of"),
    "device": ({"options": Options(device="tpu")}, "device 'tpu': expected one of auto, cpu, cuda"),
    "useless device": ({"options": Options(device="cuda")}, "none of the methods can use it"),
    "workers": ({"options": Options(workers=0)}, "workers 0: expected 1 or more"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case: str, out: Path) -> None:
    """What cannot be used is refused by name before anything is written."""
    changes, message = BAD[case]
    arguments: dict[str, Any] = {
        "sets": ["synthetic,n=1"],
        "methods": ["tophat"],
        "out": out,
        "options": None,
    }
    with pytest.raises(UsageError, match=message):
        evaluate(**{**arguments, **changes})
    assert not out.exists()


def test_progress(images: Path, out: Path) -> None:
    """Progress counts predictions, in order, from what is done to all."""
    one("none", images, out)
    seen: list[tuple[int, int]] = []

    def watch(stage: str, done: int, total: int) -> None:
        if stage == "evaluating":
            seen.append((done, total))

    evaluate([f"folder:{images}"], ["none", DARK], out, progress=watch)
    assert seen[0] == (4, 8)
    assert seen[-1] == (8, 8)
    assert seen == sorted(seen)


def test_speed_leaves_out_the_first_call(images: Path, out: Path) -> None:
    """Time is of the method's own calls but the first, which warms up; a single call is better than none."""
    speed = one("toy_detectors:Slow", images, out).result.speed
    assert speed.images == 3
    assert speed.pixels == HEIGHT * (3 * WIDTH + 1 + 2 + 3)
    assert 0.15 <= speed.seconds < 3
    assert speed.fps == pytest.approx(3 / speed.seconds)
    assert speed.seconds_per_megapixel == pytest.approx(1e6 * speed.seconds / speed.pixels)


def test_the_real_set(shared: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On real close-ups nothing has F1 0 and Acc 0.915, everything F1@2px 0.367."""
    monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path / "cache"))
    crops = shared / "data" / "real" / "val" / "images"
    assert cli.main(["data", "import", "nga-val", "--from", str(crops)]) == 0
    nothing, everything = (e.result for e in evaluate(["nga-val"], ["none", "all"], out))
    assert nothing.scores["f1"].value == nothing.scores["f1@2"].value == 0
    assert nothing.scores["accuracy"].value == pytest.approx(0.9147, abs=1e-4)
    assert everything.scores["f1@2"].value == pytest.approx(0.3675, abs=1e-4)
    assert set(everything.groups) == {"polarity", "school"}
    assert len(nothing.second) == 4
