"""Evaluation of inpainters: figures from the files by other means, dilation, resume, faults, refusals."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from evaluation_samples import untimed, write_images
from scipy.ndimage import binary_dilation
from skimage.metrics import peak_signal_noise_ratio
from tiny import three_class_recipe, tiny_config, write_paintings

from baselines.registry import get_inpainter
from craqbench import cli, evaluation_summary
from craqbench.annotated import open_set
from craqbench.errors import UsageError
from craqbench.evaluation import Evaluated, InpaintingOptions, evaluate, evaluate_inpainting
from craqbench.evaluation_task import Task
from craqbench.figures import interval_figures
from craqbench.generation import generate
from craqbench.metrics import region_of
from craqbench.metrics.filling import filling_counts
from craqbench.results import InpaintingResult, filling_scores_of, load_result

GREY = "toy_inpainters:Grey"
SIZE = (80, 64)
Array = npt.NDArray[np.uint8]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw 100 resamples, not 10,000: what they show is tested elsewhere."""
    few = functools.partial(interval_figures, resamples=100)
    monkeypatch.setattr(evaluation_summary, "interval_figures", few)


@pytest.fixture(name="dataset", scope="module")
def six_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of six triplets of three classes on three paintings."""
    folder = tmp_path_factory.mktemp("made")
    paintings = write_paintings(folder / "paintings", 3)
    generate(tiny_config(paintings, recipe=three_class_recipe(), n=6, size=SIZE), folder / "set", workers=1)
    return folder / "set"


@pytest.fixture(name="out")
def output(tmp_path: Path) -> Path:
    """Return where results go."""
    return tmp_path / "out"


def one(method: str, dataset: Path, out: Path, **options: Any) -> Evaluated[InpaintingResult]:
    """Evaluate one inpainter on a dataset."""
    (made,) = evaluate_inpainting([f"synthetic:{dataset}"], [method], out, InpaintingOptions(**options))
    return made


def picture(path: Path) -> Array:
    """Return a picture as it is."""
    with PIL.Image.open(path) as opened:
        assert opened.mode == "RGB"
        return np.asarray(opened)


def test_figures_are_those_of_the_files(dataset: Path, out: Path) -> None:
    """PSNR and MAE on the mask, the ring and the whole follow from the filled pictures by other means."""
    made = one(GREY, dataset, out)
    annotated = open_set(f"synthetic:{dataset}")
    errors: dict[str, list[npt.NDArray[np.float64]]] = {"mask": [], "ring": [], "whole": []}
    for item, image in zip(annotated, made.result.images, strict=True):
        loaded = annotated.load(item)
        assert loaded.undamaged is not None
        filled = picture(made.path.parent / "fillings" / f"{image.file}.png")
        mask = loaded.labels > 0
        assert (filled[mask] == 128).all()
        assert (filled[~mask] == loaded.image[~mask]).all()
        off = np.subtract(filled, loaded.undamaged, dtype=np.float64)
        for name, parts in errors.items():
            parts.append(off[region_of(mask, name)].ravel())
        pair = loaded.undamaged[mask], filled[mask]
        expected = float(peak_signal_noise_ratio(*pair))  # type: ignore[no-untyped-call]  # has no types
        assert filling_scores_of(image.counts)["psnr:mask"] == pytest.approx(expected)
        content = f"{filled.shape[0]} {filled.shape[1]}\n".encode() + filled.tobytes()
        assert image.prediction_sha256 == hashlib.sha256(content).hexdigest()
    for name, parts in errors.items():
        all_of = np.concatenate(parts)
        mse = max(float(np.square(all_of).mean()), 255**2 / 1e10)
        assert made.result.scores[f"psnr:{name}"].value == pytest.approx(10 * np.log10(255**2 / mse))
        assert made.result.scores[f"mae:{name}"].value == pytest.approx(np.abs(all_of).mean())
    assert load_result(made.path) == made.result


def test_paint_loss_is_filled_too(dataset: Path, out: Path) -> None:
    """What is to be filled is all damage: of the set's three classes two."""
    made = one(GREY, dataset, out)
    annotated = open_set(f"synthetic:{dataset}")
    loaded = annotated.load(annotated.items[0])
    assert set(np.unique(loaded.labels)) == {0, 1, 2}
    counted = made.result.images[0].counts.errors[0][2]
    assert counted == 3 * np.count_nonzero(loaded.labels)


def test_intervals_paintings_and_groups(dataset: Path, out: Path) -> None:
    """Rows on one painting are one unit; figures lie in their intervals; LPIPS is null and told why."""
    result = one(GREY, dataset, out).result
    assert len(result.paintings) == 3
    assert sum(painting.images for painting in result.paintings) == 6
    score = result.scores["psnr:mask"]
    assert score.low is not None
    assert score.high is not None
    assert score.low <= (score.value or 0) <= score.high
    assert result.scores["lpips:mask"].value is None
    assert result.policies["LPIPS not measured"].startswith("no weights were given")
    assert result.method.kind == "method"
    assert one("mean", dataset, out).result.method.kind == "sanity"


def test_dilation(dataset: Path, out: Path) -> None:
    """The inpainter gets a larger mask, figures are of the true one, and the result and its label say so."""
    made = one(GREY, dataset, out, dilate=2)
    annotated = open_set(f"synthetic:{dataset}")
    loaded = annotated.load(annotated.items[0])
    assert loaded.undamaged is not None
    mask = loaded.labels > 0
    grown = binary_dilation(mask, np.ones((3, 3), np.bool_), iterations=2)
    filled = picture(made.path.parent / "fillings" / f"{annotated.items[0].stem}.png")
    assert (filled[grown] == 128).all()
    assert (filled[~grown] == loaded.image[~grown]).all()
    expected = filling_counts(filled, loaded.undamaged, loaded.image, mask)
    assert made.result.images[0].counts.errors == tuple(map(tuple, expected.errors.tolist()))
    assert (made.result.method.label, made.result.dilations) == ("grey dilated 2", 2)
    assert one(GREY, dataset, out).result.scores["mae:ring"].value == 0
    assert (made.result.scores["mae:ring"].value or 0) > 0
    assert "--dilate 2" in made.result.command


def test_our_fillers_beat_the_sanity_rows(out: Path) -> None:
    """On drawn cracks, paper A's and OpenCV's are nearer to the paint than the damage and the mean colour."""
    names = ["mtm", "diffusion", "telea", "navier_stokes", "none", "mean"]
    made = evaluate_inpainting(["synthetic,n=2"], names, out)
    found = {e.result.method.label: e.result.scores["psnr:mask"].value or 0 for e in made}
    assert max(found["none"], found["mean"]) + 3 < min(found[name] for name in names[:4])
    for one_made in made:
        inpainter = get_inpainter(one_made.result.method.label)
        assert one_made.result.method.version == inpainter.version


def test_detectors_and_inpainters_share_a_folder(dataset: Path, out: Path) -> None:
    """`none` is a detector and an inpainter: their results lie apart, and are told apart when read."""
    made = one("none", dataset, out)
    (other,) = evaluate([f"synthetic:{dataset}"], ["none"], out)
    assert made.path.parent.parent.name == f"{other.path.parent.parent.name}-inpainting"
    tasks = {load_result(path).task for path in out.rglob("result.json")}
    assert tasks == {"detection", "inpainting"}


def test_workers_change_nothing(dataset: Path, out: Path, tmp_path: Path) -> None:
    """Two inpainters on two workers give the bytes of one alone."""
    options = InpaintingOptions(workers=2)
    together = evaluate_inpainting([f"synthetic:{dataset}"], [GREY, "mtm"], out, options)
    for made in together:
        alone = one(made.result.method.given, dataset, tmp_path / "alone")
        first, second = untimed(made.path), untimed(alone.path)
        assert first.pop("command") != second.pop("command")
        assert first == second


def test_the_command_makes_it_again(dataset: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command in a result, run after everything is gone, makes the same result."""
    made = one(f"{GREY},level=90", dataset, out, dilate=1)
    before = untimed(made.path)
    shutil.rmtree(out)
    assert cli.main([*shlex.split(made.result.command)[1:], "--workers", "1"]) == 0
    assert "grey,level=90 dilated 1" in capsys.readouterr().out
    assert untimed(made.path) == before


def test_what_is_done_is_not_done_again(dataset: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run fills nothing and writes the same bytes, seconds and all."""
    made = one(GREY, dataset, out)
    before = made.path.read_bytes()
    monkeypatch.setattr(Task, "_do", lambda *_: pytest.fail("done again"))
    assert one(GREY, dataset, out).path.read_bytes() == before


@pytest.mark.parametrize("damage", ["record", "torn record", "filling", "another filling", "result"])
def test_resume_after_damage(dataset: Path, out: Path, damage: str) -> None:
    """Torn, foreign or missing files are made again, and nothing but the time is different."""
    made = one(GREY, dataset, out)
    before, folder = untimed(made.path), made.path.parent
    files = sorted((folder / "fillings").iterdir())
    records = sorted((folder / "records").iterdir())
    spoil: dict[str, Callable[[], object]] = {
        "record": records[1].unlink,
        "torn record": lambda: records[2].write_bytes(records[2].read_bytes()[:-9]),
        "filling": files[0].unlink,
        "another filling": lambda: shutil.copy(files[1], files[0]),
        "result": made.path.unlink,
    }
    spoil[damage]()
    assert untimed(one(GREY, dataset, out).path) == before
    assert len(list((folder / "fillings").iterdir())) == 6


FAULTS = {
    "raises": "raised ZeroDivisionError: of the method in two lines",
    "outside": r"changed \d+ px outside the mask",
    "shape": r"expected a filling of shape \(64, 80, 3\) and type uint8. Got \(63, 80, 3\) uint8",
    "type": "Got .* float32",
    "nothing": "Got NoneType",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(dataset: Path, out: Path, fault: str) -> None:
    """Images are named, the others are done, other inpainters too, and there are no scores to quote."""
    annotated = open_set(f"synthetic:{dataset}")
    odd = [i.id for i in annotated if np.count_nonzero(annotated.load(i).damage) % 2]
    assert 0 < len(odd) < 6
    methods = [f"toy_inpainters:Faulty,fault={fault}", GREY]
    bad, good = (e.result for e in evaluate_inpainting([f"synthetic:{dataset}"], methods, out))
    assert (bad.complete, bad.scores, bad.groups) == (False, {}, {})
    assert [failure.image for failure in bad.failures] == odd
    assert all(re.search(FAULTS[fault], failure.reason) for failure in bad.failures)
    assert len(bad.images) == 6 - len(odd)
    assert good.complete


def test_a_mask_of_everything(dataset: Path, out: Path) -> None:
    """Where the dilated mask leaves nothing to fill from, the image fails and says why."""
    result = one("mtm", dataset, out, dilate=64).result
    assert len(result.failures) == 6
    assert result.failures[0].reason.startswith("the mask, dilated 64 times, covers all")


def test_images_without_damage(out: Path, tmp_path: Path) -> None:
    """Rows without any crack are filled, kept, and count for nothing; a set of only such has no figures."""
    paintings = write_paintings(tmp_path / "paintings", 2)
    config = tiny_config(paintings, recipe=three_class_recipe(lines=0), n=2, size=SIZE)
    generate(config, tmp_path / "set", workers=1)
    result = one("mtm", tmp_path / "set", out).result
    assert result.complete
    assert all(score.value is None for score in result.scores.values())
    assert load_result(next(out.rglob("result.json"))) == result


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a set of real cracks": ({"sets": ["folder:FOLDER"]}, "without their cracks is not known"),
    "no such inpainter": ({"methods": ["mtn"]}, "unknown inpainter 'mtn'; did you mean mtm?"),
    "a detector": ({"methods": ["tophat"]}, "unknown inpainter 'tophat'"),
    "another's detector": ({"methods": ["toy_detectors:Dark"]}, "is no inpainter: Dark has no fill"),
    "no such setting": ({"methods": ["telea,radios=3"]}, "has no setting 'radios'"),
    "a wrong value": ({"methods": ["telea,radius=x"]}, "expected a value like 3.0"),
    "twice the same": ({"methods": ["mtm", "mtm"]}, "2 methods would be called 'mtm'"),
    "too much dilation": ({"options": InpaintingOptions(dilate=65)}, "65 dilations: expected 0 to 64"),
    "no workers": ({"options": InpaintingOptions(workers=0)}, "workers 0: expected 1 or more"),
    "no weights of LPIPS": (
        {"options": InpaintingOptions(lpips=Path("nowhere"))},
        "there is no alexnet-owt-7be5be79.pth in 'nowhere'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case: str, out: Path, tmp_path: Path) -> None:
    """What cannot be used is refused by name before anything is written."""
    changes, message = BAD[case]
    folder = str(write_images(tmp_path / "scans", 1))
    arguments: dict[str, Any] = {"sets": ["synthetic,n=1"], "methods": ["mtm"], "out": out, "options": None}
    arguments |= {
        key: [v.replace("FOLDER", folder) for v in value] if key == "sets" else value
        for key, value in changes.items()
    }
    if "LPIPS" in case:
        pytest.importorskip("torch")
    with pytest.raises(UsageError, match=re.escape(message)):
        evaluate_inpainting(**arguments)
    assert not out.exists()


def test_dilation_is_not_mixed(dataset: Path, out: Path) -> None:
    """A folder of one dilation is not gone on with under another."""
    made = one(GREY, dataset, out)
    identity = made.path.parent / "evaluation.json"
    content = json.loads(identity.read_text())
    assert (content["task"], content["dilations"]) == ("inpainting", 0)
    content["dilations"] = 1
    identity.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"holds an evaluation with dilations 1, and this one has 0"):
        one(GREY, dataset, out)
