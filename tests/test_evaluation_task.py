"""Sets with three classes: label maps against an independent reading, faults, resume, and one call each."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from evaluation_samples import one, untimed, write_classes, write_images
from sklearn.metrics import (  # type: ignore[import-untyped]  # has no types
    confusion_matrix,
    f1_score,
    jaccard_score,
)
from toy_detectors import Coloured

from craqbench import evaluation_summary
from craqbench.errors import UsageError
from craqbench.evaluation import evaluate
from craqbench.figures import interval_figures

Array = npt.NDArray[np.uint8]
COLOURED, DARK = "toy_detectors:Coloured", "toy_detectors:Dark"


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw 100 resamples, not 10,000, and forget who was asked what."""
    few = functools.partial(interval_figures, resamples=100)
    monkeypatch.setattr(evaluation_summary, "interval_figures", few)
    Coloured.asked.clear()


@pytest.fixture(name="images", scope="module")
def three_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three images annotated with three classes."""
    return write_classes(tmp_path_factory.mktemp("set") / "three")


@pytest.fixture(name="out")
def output(tmp_path: Path) -> Path:
    """Return where results go."""
    return tmp_path / "out"


def pictures(folder: Path) -> list[Array]:
    """Return the grey pictures of a folder as they are."""
    found = []
    for path in sorted(folder.glob("*.png")):
        with PIL.Image.open(path) as picture:
            assert picture.mode == "L"
            found.append(np.asarray(picture))
    return found


def test_label_maps_are_scored(images: Path, out: Path) -> None:
    """Matrix, IoU and F1 of each class, MIoU and digests follow from the prediction files by other means."""
    made = one(COLOURED, images, out)
    result, maps = made.result, pictures(made.path.parent / "predictions")
    truths = pictures(images / "masks")
    assert {number for found in maps for number in np.unique(found)} == {0, 1, 2}
    predicted, annotated = (
        np.concatenate([part[truth != 128] for part, truth in zip(parts, truths, strict=True)])
        for parts in (maps, truths)
    )
    counted = sum(np.array(painting.counts.confusion) for painting in result.paintings)
    assert np.array_equal(counted, confusion_matrix(annotated, predicted))
    ious, f1s = (score(annotated, predicted, average=None) for score in (jaccard_score, f1_score))
    assert 0.1 < ious[1] < 0.9
    assert 0.1 < ious[2] < 0.9
    expected = {
        "iou": ious[1],
        "f1": f1s[1],
        "f1@0": f1s[1],
        "iou:paint loss": ious[2],
        "f1:paint loss": f1s[2],
        "mean_iou": ious.mean(),
        "accuracy": (predicted == annotated).mean(),
    }
    assert {name: result.scores[name].value for name in expected} == pytest.approx(expected)
    for image, found in zip(result.images, maps, strict=True):
        content = f"{found.shape[0]} {found.shape[1]}\n".encode() + found.tobytes()
        assert image.prediction_sha256 == hashlib.sha256(content).hexdigest()
    assert result.predicted_classes == 3
    assert "label maps" in result.policies


def test_one_call_for_each_image(images: Path, out: Path, tmp_path: Path) -> None:
    """All classes come of one call, which is the one that is timed; of two classes only cracks are asked."""
    result = one(COLOURED, images, out).result
    assert Coloured.asked == ["predict_classes"] * 3
    assert (result.speed.images, result.speed.seconds > 0) == (2, True)
    Coloured.asked.clear()
    one(COLOURED, write_images(tmp_path / "two", 2), out)
    assert Coloured.asked == ["predict"] * 2


def test_cracks_are_the_same_on_any_set(images: Path, out: Path, tmp_path: Path) -> None:
    """With the paint loss annotated as background, all figures of the crack class are the same."""
    two = tmp_path / "two"
    shutil.copytree(images / "images", two / "images")
    (two / "masks").mkdir()
    for path in (images / "masks").iterdir():
        with PIL.Image.open(path) as picture:
            mask = np.asarray(picture)
        PIL.Image.fromarray(np.where(mask == 2, 0, mask)).save(two / "masks" / path.name)
    three, cracks = (one(COLOURED, folder, out).result for folder in (images, two))
    assert (three.predicted_classes, cracks.predicted_classes) == (3, 2)
    names = (
        "f1@2",
        "f1",
        "iou",
        "precision@2",
        "recall@2",
        "cldice",
        "ap@2",
        "ods@2",
        "ois@2",
        "beta0_error",
    )
    assert {n: three.scores[n] for n in names} == {n: cracks.scores[n] for n in names}
    assert not any("paint loss" in name for name in cracks.scores)


@pytest.mark.parametrize("method", [DARK, f"{COLOURED},classes=2", f"{COLOURED},classes=4"])
def test_others_predict_cracks_only(images: Path, out: Path, method: str) -> None:
    """A detector of two classes, or of more than the set's, is scored by its cracks; the result says so."""
    made = one(method, images, out)
    assert made.result.predicted_classes == 2
    assert "label maps" not in made.result.policies
    assert {n for p in pictures(made.path.parent / "predictions") for n in np.unique(p)} == {0, 255}
    assert made.result.scores["iou:paint loss"].value == 0
    assert all(row[2] == 0 for image in made.result.images for row in image.counts.confusion)
    assert "predict_classes" not in Coloured.asked


def test_the_threshold_decides_cracks(images: Path, out: Path) -> None:
    """A higher threshold takes px from the cracks of a label map, and gives them to other classes."""
    low, high = (one(f"{COLOURED},threshold={t}", images, out / str(t)) for t in (0.1, 0.9))
    for before, after in zip(
        *(pictures(made.path.parent / "predictions") for made in (low, high)), strict=True
    ):
        assert (before == 1).sum() > (after == 1).sum() > 0
        assert np.isin(after[before != after], (0, 2)).all()
        assert (before[before != after] == 1).all()


def test_tuning_on_label_maps(images: Path, out: Path, tmp_path: Path) -> None:
    """A tuned threshold holds for label maps as for cracks alone."""
    result = one(COLOURED, images, out, tune_on=f"folder:{write_images(tmp_path / 'tuning', 2)}").result
    same = one(f"{COLOURED},threshold={result.threshold.value}", images, tmp_path / "again").result
    assert result.predictions_digest == same.predictions_digest
    assert result.predicted_classes == 3


FAULTS = {
    "raises": "raised ZeroDivisionError: of the method in two lines",
    "label map": r"expected scores of shape \(3, 70, 81\) and type float32. Got \(70, 81\) uint8",
    "planes": r"Got \(2, 70, 81\) float32",
    "shape": r"Got \(70, 81, 3\) float32",
    "type": "Got .* float64",
    "nan": "Got NaN at",
    "range": r"expected scores in \[0, 1\]. Got -",
    "nothing": "Got NoneType",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_classes_of_one_image(images: Path, out: Path, fault: str) -> None:
    """The image is named, the others are done, other methods too, and there are no scores to quote."""
    bad, good = (e.result for e in evaluate([f"folder:{images}"], [f"{COLOURED},fault={fault}", DARK], out))
    (failure,) = bad.failures
    assert failure.image == "1"
    assert re.search(FAULTS[fault], failure.reason), failure.reason
    assert [image.id for image in bad.images] == ["0", "2"]
    assert bad.scores == {}
    assert good.complete


def test_no_number_of_classes(images: Path, out: Path) -> None:
    """A detector that says that it tells one class apart is refused before anything is written."""
    with pytest.raises(UsageError, match=r"Coloured' is no detector: its classes is 1, expected a whole num"):
        one(f"{COLOURED},classes=1", images, out)
    assert not out.exists()


DAMAGES: dict[str, bytes | None] = {
    "records/1.json": b"{",
    "predictions/0.png": b"\x89PNG",
    "predictions/2.png": None,
    "result.json": None,
}


@pytest.mark.parametrize("name", DAMAGES)
def test_label_maps_are_resumed(images: Path, out: Path, name: str) -> None:
    """What is torn or gone is made again, and nothing but the time is different."""
    made = one(COLOURED, images, out)
    before, path, damage = untimed(made.path), made.path.parent / name, DAMAGES[name]
    Coloured.asked.clear()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    assert untimed(one(COLOURED, images, out).path) == before
    assert len(Coloured.asked) == int(name != "result.json")


def test_label_maps_are_not_mixed_with_cracks(images: Path, out: Path) -> None:
    """A folder that was begun when only cracks were predicted is not gone on with in label maps."""
    path = one(COLOURED, images, out).path.with_name("evaluation.json")
    identity = json.loads(path.read_text())
    del identity["policies"]["label maps"]
    path.write_text(json.dumps(identity))
    with pytest.raises(UsageError, match=r"holds an evaluation with policies.label maps null, and this one"):
        one(COLOURED, images, out)


def test_all_devices_are_told(images: Path, out: Path, tmp_path: Path) -> None:
    """Gone on with on another device, a result names both; done before, it names what it was done on."""

    def device(wanted: str) -> str:
        return one(
            f"toy_detectors:OnDevice,home={tmp_path}", images, out, device=wanted
        ).result.hardware.device

    assert device("cuda") == "cuda"
    assert device("cpu") == "cuda"
    (record,) = out.glob("*/*/records/1.json")
    record.unlink()
    assert device("cpu") == "cpu, cuda"
