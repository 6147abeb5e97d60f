"""DetectionResult files: what is written is read, and what contradicts itself is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_samples import (
    drawn_counts,
    drawn_inpainting,
    drawn_method,
    drawn_result,
    drawn_set,
    failed,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_cases import draw

from craqbench.metrics import detection_counts, detection_scores
from craqbench.results import (
    DetectionResult,
    Failure,
    InpaintingResult,
    ResultError,
    Score,
    Threshold,
    added,
    find_results,
    load_result,
    result_bytes,
    save_result,
    scores_of,
)


@pytest.fixture(name="result", scope="module")
def drawn() -> DetectionResult:
    """Return a result on drawn masks."""
    return drawn_result("sample", right=0.7)


def test_what_is_saved_is_loaded(result: DetectionResult, tmp_path: Path) -> None:
    """A result comes back equal, and is written the same again."""
    path = tmp_path / "deep" / "result.json"
    save_result(path, result)
    assert load_result(path) == result
    assert result_bytes(load_result(path)) == path.read_bytes()


def test_rows_of_numbers_take_one_line(result: DetectionResult) -> None:
    """The file is for people, too: no number stands alone in a line of an array, and no digit is lost."""
    text = result_bytes(result).decode()
    assert not re.search(r"^\s*[\d.]+,?$", text, re.MULTILINE)
    assert json.loads(text) == result.model_dump(mode="json")


@given(text=st.text(min_size=1, max_size=60))
@settings(max_examples=25, derandomize=True, deadline=None)
def test_any_text_survives(text: str) -> None:
    """Brackets, line breaks, quotes and all other characters in names come back as they were."""
    text = text.encode("utf-8", "replace").decode()
    odd = drawn_result("x", paintings=2, command=f"[\n1,  2\n] {text}", method=drawn_method(text))
    assert DetectionResult.model_validate_json(result_bytes(odd)) == odd


def test_null_is_what_is_not_defined(result: DetectionResult) -> None:
    """NaN and infinity become null, and are refused as such."""
    assert Score.of(type("I", (), {"value": np.nan, "low": -np.inf, "high": 1.0})()) == Score(
        value=None, low=None, high=1.0
    )
    text = result_bytes(result).decode()
    for word in ("NaN", "Infinity", "1e999"):
        with pytest.raises(ValueError, match=r"finite|valid"):
            DetectionResult.model_validate_json(re.sub(r'"seconds": [\d.]+', f'"seconds": {word}', text))


def test_counts_give_the_scores_of_the_metrics() -> None:
    """Counts in a file are those of the metrics, alone and added."""
    masks = [(draw("lines", (40, 50), k), draw("lines", (40, 50), k + 9)) for k in range(3)]
    counts = [drawn_counts(*pair) for pair in masks]
    arrays = [detection_counts(*pair) for pair in masks]
    assert scores_of(counts[0]) == detection_scores(arrays[0])
    assert scores_of(added(counts)) == detection_scores(arrays[0] + arrays[1] + arrays[2])
    assert added(counts).components == 3


def test_an_incomplete_result(result: DetectionResult, tmp_path: Path) -> None:
    """A result with failures has no scores, and is read like any other."""
    save_result(tmp_path / "result.json", failed(result))
    assert load_result(tmp_path / "result.json").failures[0].image == "image 5"


def test_older_files_are_read(result: DetectionResult, tmp_path: Path) -> None:
    """A file from before label maps and accelerators is that of a method that predicted cracks only."""
    older = result.model_dump(mode="json")
    del older["predicted_classes"], older["hardware"]["accelerator"]
    (tmp_path / "result.json").write_text(json.dumps(older))
    assert load_result(tmp_path / "result.json") == result
    assert result.predicted_classes == 2


def test_label_maps(tmp_path: Path) -> None:
    """A result of three classes has figures of each, and is read as it was written."""
    whole = drawn_result("maps", classes=3, predicted_classes=3)
    save_result(tmp_path / "result.json", whole)
    assert load_result(tmp_path / "result.json") == whole
    half = 10 * 96 / (20 * 96)
    assert whole.scores["iou:paint loss"].value == pytest.approx(half)
    assert drawn_result("cracks", classes=3).scores["iou:paint loss"].value == 0


def edited(result: DetectionResult, edit: Callable[[dict[str, Any]], object]) -> str:
    """Return a result's JSON after an edit by hand."""
    content = result.model_dump(mode="json")
    edit(content)
    return json.dumps(content)


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another field": (lambda c: c.update(rank=1), "rank: Extra inputs are not permitted"),
    "a field missing": (lambda c: c.pop("policies"), "policies: Field required"),
    "another format": (lambda c: c.update(format=2), "format: Input should be 1. Got 2"),
    "text for a number": (lambda c: c["speed"].update(pixels="1"), "speed.pixels: .*valid integer"),
    "a better score": (
        lambda c: c["scores"]["f1@2"].update(value=0.99),
        r"scores.f1@2 is 0.99: its counts give 0\.",
    ),
    "a score less": (lambda c: c["scores"].pop("cldice"), r"scores.cldice is None: its counts give 0\."),
    "a better painting": (
        lambda c: c["paintings"][0]["counts"].update(cldice=[9, 9, 9, 9]),
        "expected the counts of 'painting 00' to be the sum of its images'",
    ),
    "a painting more": (lambda c: c["paintings"].append(c["paintings"][0]), "paintings: expected those"),
    "a painting less": (lambda c: c["paintings"].pop(), "paintings: expected those of the images"),
    "an image less": (lambda c: c["images"].pop(), "expected each of 6 images once, done or failed"),
    "an image twice": (lambda c: c["images"].append(c["images"][0]), "expected each of 6 images once"),
    "complete with failures": (
        lambda c: c.update(failures=[{"image": c["images"].pop()["id"], "reason": "x"}]),
        "complete: expected true with no failures",
    ),
    "negative counts": (
        lambda c: c["images"][0]["counts"].update(components=-1),
        "greater than or equal to 0",
    ),
    "huge counts": (lambda c: c["images"][0]["counts"].update(components=10**30), "images.0.counts"),
    "a matrix not square": (
        lambda c: c["images"][0]["counts"].update(confusion=[[1, 2], [3]]),
        "confusion: expected as many columns as rows",
    ),
    "a class more": (
        lambda c: c["set"].update(classes=["a", "b", "c"]),
        "expected a confusion matrix of 3 classes",
    ),
    "other tolerances": (lambda c: c.update(taus=[0, 1, 2, 3]), r"taus: expected \(0"),
    "a class that is not there": (
        lambda c: c.update(predicted_classes=3),
        "predicted_classes: expected 2, or all 2 of the set. Got 3",
    ),
    "no digest": (lambda c: c.update(predictions_digest="abc"), "predictions_digest: String should match"),
}


@pytest.mark.parametrize("case", EDITS)
def test_edited_files_are_refused(result: DetectionResult, tmp_path: Path, case: str) -> None:
    """The message names the file, the field and what was expected, in one line."""
    edit, message = EDITS[case]
    path = tmp_path / "result.json"
    path.write_text(edited(result, edit))
    with pytest.raises(ResultError, match=message) as caught:
        load_result(path)
    assert str(caught.value).startswith(f"result {path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


INPAINTING_EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a better score": (
        lambda c: c["scores"]["psnr:mask"].update(value=60.0),
        r"scores.psnr:mask is 60.0: its counts give 2\d\.",
    ),
    "a better mean": (lambda c: c["scores"]["ssim:mask"].update(value=1.0), "scores.ssim:mask is 1.0: its"),
    "a better painting": (
        lambda c: c["paintings"][0]["counts"]["errors"].__setitem__(0, [0, 0, 9]),
        "expected the counts of 'painting 00' to be the sum of its images'",
    ),
    "a row less": (lambda c: c["images"][0]["counts"]["errors"].pop(), "images.0.counts.errors: .*7"),
    "a fourth number": (
        lambda c: c["images"][0]["counts"]["errors"][0].append(1),
        "images.0.counts.errors.0: .*3",
    ),
    "negative errors": (
        lambda c: c["images"][0]["counts"]["errors"].__setitem__(0, [-1, 0, 9]),
        "greater than or equal to 0",
    ),
    "an image less": (lambda c: c["images"].pop(), "expected each of 12 images once, done or failed"),
    "a threshold": (lambda c: c.update(threshold=0.5), "threshold: Extra inputs are not permitted"),
    "another task": (
        lambda c: c.update(task="detection"),
        "dilations: Extra inputs|threshold: Field required",
    ),
    "negative dilation": (lambda c: c.update(dilations=-1), "dilations: .*greater than or equal to 0"),
}


@pytest.mark.parametrize("case", INPAINTING_EDITS)
def test_edited_files_of_inpainters_are_refused(tmp_path: Path, case: str) -> None:
    """A result of an inpainter is checked like one of a detector."""
    edit, message = INPAINTING_EDITS[case]
    path = tmp_path / "result.json"
    content = drawn_inpainting("sample").model_dump(mode="json")
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=message) as caught:
        load_result(path)
    assert "\n" not in str(caught.value)


def test_results_of_inpainters(tmp_path: Path) -> None:
    """A result of an inpainter comes back equal, of its own kind, and ranks by PSNR on the mask."""
    result = drawn_inpainting("sample", off=np.arange(12))
    save_result(tmp_path / "result.json", result)
    found = load_result(tmp_path / "result.json")
    assert found == result
    assert isinstance(found, InpaintingResult)
    assert (found.ranking, found.told()) == ("psnr:mask", {"dilations": 0})
    assert found.scores["lpips:mask"].value is None
    assert found.images[-1].counts.errors[0] == (0, 0, 0)


def test_classes_that_were_not_predicted(tmp_path: Path) -> None:
    """Counts of a class that a result says was never predicted are refused."""
    maps = drawn_result("maps", classes=3, predicted_classes=3)
    (tmp_path / "result.json").write_text(edited(maps, lambda c: c.update(predicted_classes=2)))
    with pytest.raises(ResultError, match="no predicted px of other than the first 2 classes"):
        load_result(tmp_path / "result.json")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"format": 1}'])
def test_what_is_no_result_is_refused(tmp_path: Path, data: bytes) -> None:
    """Anything else in a file is one message."""
    path = tmp_path / "result.json"
    path.write_bytes(data)
    with pytest.raises(ResultError, match=r"result .*result.json: "):
        load_result(path)


def test_an_absent_file(tmp_path: Path) -> None:
    """A file that is not there is one message."""
    with pytest.raises(ResultError, match="No such file"):
        load_result(tmp_path / "result.json")


def test_finding_results(tmp_path: Path) -> None:
    """Files are taken as they are, folders are searched; none twice, in order."""
    paths = [tmp_path / "b" / "x" / "result.json", tmp_path / "a" / "result.json", tmp_path / "own.json"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert find_results([tmp_path / "own.json", tmp_path]) == [paths[2], paths[1], paths[0]]
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ResultError, match=r"empty holds no result.json: expected a folder of 'craqbench eval"
    ):
        find_results([tmp_path / "empty"])


def test_parts_cannot_be_changed(result: DetectionResult) -> None:
    """A result is a value: its parts are frozen."""
    with pytest.raises(ValueError, match="frozen"):
        result.threshold.value = 0.1
    assert Threshold(value=0.5, origin="method") == result.threshold
    assert drawn_set(6) == result.set
    assert Failure(image="a", reason="b").image == "a"
