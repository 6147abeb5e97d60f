"""`craqbench detect`: masks, probabilities and overlays of one's own paintings, and figures that agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from learned_samples import picture, write_weights

from baselines.registry import get_detector
from craqbench import cli
from craqbench.detection import FIGURES, detect, find_images
from craqbench.errors import SourceError, StorageError, UsageError
from craqbench.overlays import COLOURS, best_colour, overlay
from craqbench.paintings import read_painting
from craqbench.storage import write_file


def write(path: Path, height: int = 70, width: int = 90, seed: int = 0) -> Path:
    """Write a painting in the format that the name tells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(picture(height, width, seed)).save(path)
    return path


def drawn(path: Path) -> npt.NDArray[Any]:
    """Read a picture as it is, colours as RGB."""
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found[..., ::-1] if found.ndim == 3 else found


# -- what comes out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "b.jpg", "c.tif", "d.webp"])
def test_pictures(tmp_path: Path, name: str) -> None:
    """Mask, probability and overlay show what the detector says, in any common format."""
    path = write(tmp_path / name)
    found = detect([path], "tophat,polarity=both", tmp_path / "out")
    image, detector = read_painting(path), get_detector("tophat", polarity="both")
    scores = detector.predict(image)
    stem = tmp_path / "out" / path.stem
    mask, levels, over = (drawn(Path(f"{stem}-{kind}.png")) for kind in ("mask", "probability", "overlay"))
    assert [str(mask.dtype), str(levels.dtype), over.shape] == ["uint8", "uint16", image.shape]
    assert set(np.unique(mask)) == {0, 255}
    np.testing.assert_array_equal(mask > 0, scores >= detector.threshold)
    np.testing.assert_allclose(levels / 65535, scores, atol=1e-5)
    np.testing.assert_array_equal(over[mask == 0], image[mask == 0])
    assert {tuple(rgb) for rgb in over[mask > 0].tolist()} == {COLOURS[found.done[0].colour]}


def test_figures(tmp_path: Path) -> None:
    """The file of figures agrees with the pictures, and says what was used."""
    paths = [write(tmp_path / "a.png"), write(tmp_path / "b.png", 64, 100, seed=1)]
    found = detect(paths, "tophat,polarity=both,level=55", tmp_path / "out", threshold=0.5)
    figures = json.loads((tmp_path / "out" / FIGURES).read_text())
    assert figures["method"]["settings"]["level"] == 55
    assert figures["threshold"] == found.threshold == 0.5
    assert [one["image"] for one in figures["images"]] == [str(path) for path in paths]
    for one in figures["images"]:
        mask = drawn(tmp_path / "out" / one["files"]["mask"]) > 0
        assert mask.shape == (one["height"], one["width"])
        assert one["crack_px"] == mask.sum()
        assert one["crack_share"] == pytest.approx(mask.mean())
        pieces, *_ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        assert one["components"] == pieces - 1
    assert figures["failed"] == []


def test_a_learned_method(tmp_path: Path) -> None:
    """Settings reach a learned method, and its weights are noted."""
    weights = write_weights(tmp_path / "w.safetensors")
    path = write(tmp_path / "a.png")
    detect([path], f"craqnet,flips=2,weights={weights}", tmp_path / "out", device="cpu")
    method = json.loads((tmp_path / "out" / FIGURES).read_text())["method"]
    assert method["settings"]["flips"] == 2
    assert len(method["card"]["weights"]) == 64


# -- which paintings ----------------------------------------------------------------------------------------


def test_folders(tmp_path: Path) -> None:
    """Of a folder all images are taken, in order, whatever lies beside them; names tell where they were."""
    for name in ("b.JPG", "sub/deep/c.png", "a.tif", ".hidden.png", ".cache/d.png"):
        write(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("none")
    assert [name for _, name in find_images([tmp_path / "in"])] == ["a", "b", "sub-deep-c"]
    detect([tmp_path / "in"], "none", tmp_path / "out")
    assert (tmp_path / "out" / "sub-deep-c-mask.png").exists()


def test_names(tmp_path: Path) -> None:
    """Paintings that differ in their ending only keep it; the same file given twice is done once."""
    first, second = write(tmp_path / "a.png"), write(tmp_path / "a.jpg")
    found = detect([first, second, first], "none", tmp_path / "out")
    assert [one.files["mask"] for one in found.done] == ["a-png-mask.png", "a-jpg-mask.png"]
    third = write(tmp_path / "other" / "a.png")
    with pytest.raises(UsageError, match=r"would all be called 'a-png': expected one folder each"):
        detect([first, second, third], "none", tmp_path / "out")


def test_nothing_to_do(tmp_path: Path) -> None:
    """No such path, and a folder without images, are told before anything is made."""
    with pytest.raises(UsageError, match="does not exist: expected an image file, or a folder"):
        detect([tmp_path / "none.png"], "none", tmp_path / "out")
    (tmp_path / "in").mkdir()
    with pytest.raises(SourceError, match=r"holds no image: expected files ending in \.jpg"):
        detect([tmp_path / "in"], "none", tmp_path / "out")
    with pytest.raises(SourceError, match="no painting"):
        detect([], "none", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# -- what goes wrong ----------------------------------------------------------------------------------------


def test_failures_stop_nothing(tmp_path: Path) -> None:
    """A broken or tiny file and an image that the method fails on are told; the others are done."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"no picture")
    write(tmp_path / "in" / "b.png", 20, 20)
    write(tmp_path / "in" / "c.png")
    found = detect([tmp_path / "in"], "none", tmp_path / "out")
    assert [Path(one.image).name for one in found.failed] == ["a.png", "b.png"]
    assert "not a JPEG" in found.failed[0].reason
    assert "shorter side below 64 px" in found.failed[1].reason
    assert [Path(one.image).name for one in found.done] == ["c.png"]
    assert len(json.loads(found.path.read_text())["failed"]) == 2
    faulty = detect([tmp_path / "in" / "c.png"], "toy_detectors:Faulty,width=90", tmp_path / "out")
    assert "ZeroDivisionError" in faulty.failed[0].reason


def test_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C what is done is kept and told, and no file is half-written."""
    paths = [write(tmp_path / f"{name}.png") for name in "abc"]

    def interrupted(path: Path, data: bytes) -> None:
        if path.name == "b-overlay.png":
            raise KeyboardInterrupt
        write_file(path, data)

    monkeypatch.setattr("craqbench.detection.write_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        detect(paths, "none", tmp_path / "out")
    figures = json.loads((tmp_path / "out" / FIGURES).read_text())
    assert [one["image"] for one in figures["images"]] == [str(paths[0])]


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    """A place that is no folder is told in words."""
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StorageError, match="cannot write"):
        detect([write(tmp_path / "a.png")], "none", tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "craqnit"], "unknown method 'craqnit'; did you mean craqnet"),
        (["--method", "craqnet,weights=nowhere"], "weights 'nowhere' of 'craqnet': there is no such file"),
        (["--method", "tophat,level=900"], "setting 'level' of method 'tophat' is 900"),
        (["--method", "tophat", "--threshold", "7"], "threshold 7: expected a number from 0 to 1"),
        (["--method", "tophat", "--device", "abacus"], "expected one of auto, cpu, cuda"),
        (["--speed"], "unknown option '--speed'"),
    ],
)
def test_errors_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """What cannot be done is one line, code 2, and leaves nothing."""
    path = write(tmp_path / "a.png")
    code = cli.main(["detect", str(path), "--out", str(tmp_path / "out"), *words])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("craqbench: error: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command shows the share of cracks; if a painting failed, it says which and fails."""
    write(tmp_path / "in" / "a.png")
    assert cli.main(["detect", str(tmp_path / "in"), "--method", "all", "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"a\.png +90 x 70 +100\.00 % +1 ", out)
    assert "1 painting at threshold" in out
    (tmp_path / "in" / "b.png").write_bytes(b"")
    assert cli.main(["detect", str(tmp_path / "in"), "--method", "all", "--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert "a.png" in out
    assert "1 of 2 paintings failed: " in err


# -- overlays -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COLOURS)
def test_a_colour_that_shows(name: str) -> None:
    """On a painting of one of the colours another one is taken, which differs from it by far."""
    image = np.full((80, 60, 3), COLOURS[name], np.uint8)
    assert best_colour(image) != name
    mask = np.zeros((80, 60), bool)
    mask[40] = True
    shown = overlay(image, mask)
    difference = np.abs(shown[40].astype(int) - image[40]).max()
    assert difference > 150
    np.testing.assert_array_equal(shown[~mask], image[~mask])


def test_the_usual_colour() -> None:
    """Ordinary paintings all get the same colour."""
    grey = np.arange(256, dtype=np.uint8)[:, None, None].repeat(64, 1).repeat(3, 2)
    brown = (grey * np.array([0.8, 0.5, 0.3])).astype(np.uint8)
    assert best_colour(grey) == best_colour(brown) == "magenta"
