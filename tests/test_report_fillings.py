"""The report of inpainters: its tables, its pictures px by px, and what it refuses."""

from __future__ import annotations

import base64
import functools
import io
import re
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from html_pages import Page
from PIL import Image as Pictures
from tiny import smooth_picture, tiny_config, tiny_recipe, write_paintings

from craqbench import evaluation_summary
from craqbench.annotated import open_set
from craqbench.evaluation import InpaintingOptions, evaluate, evaluate_inpainting
from craqbench.figures import interval_figures
from craqbench.generation import generate
from craqbench.report import write_report
from craqbench.report_fillings import GAIN, difference, window_of
from craqbench.results import ResultError, filling_scores_of, find_results, load_result

Array = npt.NDArray[np.uint8]
METHODS = ("mtm", "toy_inpainters:Faulty", "none")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a dataset of six rows, and results of three inpainters and a detector."""
    home = tmp_path_factory.mktemp("report")
    generate(
        tiny_config(write_paintings(home / "paintings", 3), recipe=tiny_recipe(), n=6),
        home / "set",
        workers=1,
    )
    spec = [f"synthetic:{home / 'set'}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            evaluation_summary, "interval_figures", functools.partial(interval_figures, resamples=100)
        )
        evaluate_inpainting(spec, METHODS, home / "results")
        evaluate_inpainting(spec, ["mtm"], home / "results", InpaintingOptions(dilate=1))
        evaluate(spec, ["none"], home / "detected")
    return home


@pytest.fixture(scope="module")
def parsed(folder: Path) -> Page:
    """Return the page of the inpainters."""
    write_report([folder / "results"], folder / "report.html", command="craqbench report <it>")
    return Page((folder / "report.html").read_text("utf-8"))


def pixels(address: str) -> Array:
    """Return the px of a ``data:`` address."""
    kind, _, data = address.partition(",")
    assert kind == "data:image/webp;base64"
    with Pictures.open(io.BytesIO(base64.b64decode(data))) as picture:
        return np.asarray(picture)


def laid(over: Array, ground: Array) -> Array:
    """Return a layer, (H, W, 4), laid over a picture."""
    assert set(np.unique(over[..., 3])) <= {0, 255}
    return np.where(over[..., 3:] == 255, over[..., :3], ground)


def test_page(parsed: Page) -> None:
    """The page is sound, says what it is about, and asks for nothing."""
    assert parsed.unclosed == []
    assert parsed.all("h1")[0][1] == "Crack filling on synthetic:set"
    policy = parsed.all("meta", **{"http-equiv": "Content-Security-Policy"})[0][0]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert all((found["src"] or "").startswith("data:image/webp") for found, _ in parsed.all("img"))
    assert all(found.get("alt") for found, _ in parsed.all("img"))


def test_tables(folder: Path, parsed: Page) -> None:
    """Each result has a row with its figures, and one by crack width, where who leads is bold."""
    heads = [told.strip() for _, told in parsed.all("th", scope="row")]
    assert set(heads) == {"mtm", "mtm dilated 1", "faulty", "none"}
    assert heads.count("faulty") == 2
    result = load_result(folder / "results" / "synthetic-set-inpainting" / "mtm" / "result.json")
    cells = [told for _, told in parsed.all("td")]
    assert f"{result.scores['psnr:mask'].value:.2f}" in cells
    captions = [told for _, told in parsed.all("caption")]
    assert any(told.startswith("PSNR in dB by local crack width") for told in captions)
    entropy = result.scores["entropy:damaged"].value
    assert any(f"entropy is {entropy:.3f} damaged" in told for told in captions)
    bold = [told for _, told in parsed.all("strong")]
    assert any(re.fullmatch(r"\d+\.\d+", told) for told in bold)
    assert "LPIPS" not in " ".join(told for _, told in parsed.all("th"))


def test_pictures_are_those_that_were_scored(folder: Path, parsed: Page) -> None:
    """Layers over the damaged picture give the undamaged one, and each filling, px by px."""
    opened = open_set(f"synthetic:{folder / 'set'}")
    crops = {
        told: match[1]
        for (found, _), (_, told) in zip(parsed.all("article"), parsed.all("h4"), strict=True)
        if (match := re.match(r"--crop:url\((.*?)\)", found["style"] or ""))
    }
    seen = {found["alt"] or "": found["src"] or "" for found, _ in parsed.all("img")}
    assert set(crops) == {item.id for item in opened}
    for item in opened:
        one = opened.load(item)
        assert one.undamaged is not None
        assert (pixels(crops[item.id]) == one.image).all()
        undamaged = laid(pixels(seen[f"{item.id} without its damage"]), one.image)
        assert (undamaged == one.undamaged).all()
        filled = laid(pixels(seen[f"mtm on {item.id}, filled"]), one.image)
        path = folder / "results" / "synthetic-set-inpainting" / "mtm" / "fillings" / f"{item.stem}.png"
        with Pictures.open(path) as picture:
            assert (filled == np.asarray(picture)).all()


def test_worst_first(folder: Path, parsed: Page) -> None:
    """Images are ordered by the mean PSNR on the mask of methods that look; a failure counts 0."""
    results = [load_result(path) for path in find_results([folder / "results"])]
    scores: dict[str, list[float]] = {}
    for result in results:
        if result.method.kind == "method":
            for image in result.images:
                value = filling_scores_of(image.counts)["psnr:mask"]  # type: ignore[arg-type]  # of inpainters
                scores.setdefault(image.id, []).append(value)
            for failure in result.failures:
                scores.setdefault(failure.image, []).append(0)
    expected = sorted(scores, key=lambda name: float(np.mean(scores[name])))
    assert [told for _, told in parsed.all("h4")] == expected


def test_failures_and_dilation_are_told(parsed: Page) -> None:
    """A failed image says why in place of pictures; a dilated mask is told in table and facts."""
    assert any("raised ZeroDivisionError" in told for _, told in parsed.all("figcaption"))
    assert "dilated 1 time" in [told for _, told in parsed.all("dd")]
    assert "dilated 1" in [told for _, told in parsed.all("td")]


def test_both_tasks_on_one_page(folder: Path, tmp_path: Path) -> None:
    """Detectors and inpainters on one set have a section each, with introductions to both."""
    written = write_report([folder / "results", folder / "detected"], tmp_path / "both.html")
    assert (written.sets, written.results) == (2, 5)
    page = Page((tmp_path / "both.html").read_text("utf-8"))
    assert {told for _, told in page.all("h2")} == {"synthetic:set", "synthetic:set, cracks filled"}
    text = (tmp_path / "both.html").read_text("utf-8")
    assert "Detectors are ranked by" in text
    assert "Inpainters are ranked by" in text


def test_another_filling_is_refused(folder: Path, tmp_path: Path) -> None:
    """A filling that is not the one that was scored is no evidence; nor is a missing or a broken one."""
    copy = tmp_path / "mtm"
    shutil.copytree(folder / "results" / "synthetic-set-inpainting" / "mtm", copy)
    first, second, *_ = sorted((copy / "fillings").iterdir())
    data = first.read_bytes()
    for change, message in (
        (second.read_bytes(), "expected the prediction that was scored, sha256"),
        (data[: len(data) // 2], "expected the prediction that was scored"),
        (None, "expected the prediction beside its result"),
    ):
        first.unlink()
        if change is not None:
            first.write_bytes(change)
        with pytest.raises(ResultError, match=message):
            write_report([copy], tmp_path / "report.html")
        first.write_bytes(data)
    write_report([copy], tmp_path / "report.html", worst=0)


def test_window() -> None:
    """Of a large picture the window with the largest error is shown, of a small one all."""
    undamaged = smooth_picture(0, (90, 70))
    filled = undamaged.copy()
    filled[50:60, 70:85] ^= 128
    rows, columns = window_of([filled, undamaged], undamaged, 40)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (40, 40)
    assert rows.start <= 50
    assert rows.stop >= 60
    assert columns.start <= 70
    assert columns.stop >= 85
    assert window_of([filled], undamaged, 100) == (slice(0, 70), slice(0, 90))
    assert window_of([undamaged], undamaged, 80) == (slice(0, 70), slice(0, 80))


def test_difference() -> None:
    """Grey is right; what is darker is darker than grey, twice as much; what is equal is left out."""
    undamaged = np.full((4, 5, 3), 100, np.uint8)
    filled = undamaged.copy()
    filled[1, 2] = 90, 100, 130
    filled[3, 3] = 0, 255, 100
    where = (filled != undamaged).any(axis=2)
    layer = pixels(difference(filled, undamaged, np.asarray(where)))
    assert layer[1, 2].tolist() == [128 - 10 * GAIN, 128, 128 + 30 * GAIN, 255]
    assert layer[3, 3].tolist() == [0, 255, 128, 255]
    assert np.count_nonzero(layer[..., 3]) == 2
