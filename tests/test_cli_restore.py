"""`craqbench restore`: figures, remarks, errors and exit codes."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest
from scan_samples import cracked, pixels, tiff

from craqbench import cli

DARK = ["--method", "restoration_samples:Dark"]


def test_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each painting has its line: size, how much was filled, how long it took; then it is done before."""
    image, mask = cracked(pixels())
    paths = [str(tiff(tmp_path / "a.tif", image)), str(tmp_path / "b.jpg")]
    PIL.Image.fromarray(pixels()).save(paths[1])
    command = ["restore", *paths, *DARK, "--dilate", "0", "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    out, err = capsys.readouterr()
    first, second = out.splitlines()[1:3]
    assert [f"{100 * mask.mean():.2f} %" in first, f"{mask.sum():,}" in first, "0.00 %" in second] == [
        True
    ] * 3
    assert f"2 paintings in {tmp_path / 'out'}" in out
    assert "JPEG, saved again as finely as before" in err
    assert "--lossless writes a TIFF file, where none does (1 painting)" in err
    assert cli.main(command) == 0
    assert capsys.readouterr().out.count("done before") == 2


def test_a_given_mask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a mask no detector is asked, and a pyramid is written if one is asked for."""
    image, mask = cracked(pixels(300, 300))
    PIL.Image.fromarray(image).save(tmp_path / "a.png")
    PIL.Image.fromarray(mask).save(tmp_path / "m.png")
    command = [
        "restore",
        str(tmp_path / "a.png"),
        "--mask",
        str(tmp_path / "m.png"),
        "--fill",
        "mtm",
        "--pyramid",
    ]
    assert cli.main([*command, "--out", str(tmp_path / "out")]) == 0
    assert f"{mask.sum():,}" in capsys.readouterr().out
    assert (tmp_path / "out" / "a-restored.tif").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--mask", "m.png", "--method", "tophat"], "--mask m.png and --method tophat: expected one of them"),
        (["--fill", "nothing"], "unknown inpainter 'nothing'"),
        (["--dilate", "-1"], "got '-1', expected a whole number of at least 0"),
        (["--dilation", "1"], "unknown option '--dilation'; did you mean --dilate"),
        (["--threshold", "7"], "threshold 7: expected a number from 0 to 1"),
    ],
)
def test_bad_options(tmp_path: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be used is one line, and exit code 2."""
    path = tiff(tmp_path / "a.tif", pixels())
    assert cli.main(["restore", str(path), "--out", str(tmp_path / "out"), *more]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1


def test_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A painting that cannot be done is told, those that can are done, and the exit code is 2."""
    tiff(tmp_path / "a.tif", cracked(pixels())[0])
    PIL.Image.fromarray(pixels()).convert("CMYK").save(tmp_path / "b.tif")
    assert cli.main(["restore", str(tmp_path), *DARK, "--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert "1 painting in" in out
    assert "craqbench: error: 1 of 2 paintings failed" in err
    assert "CMYK: expected RGB or grey" in err
    assert (tmp_path / "out" / "a-restored.tif").exists()


def test_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Interrupted, it says so, with exit code 130."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("craqbench.restoration.restore", interrupted)
    assert cli.main(["restore", str(tmp_path)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_jpeg_file_without_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --lossless a TIFF file is written in its place, and that is told."""
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.jpg")
    command = ["restore", str(tmp_path / "a.jpg"), *DARK, "--lossless", "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    assert "written as TIFF, without loss: JPEG would change every px" in capsys.readouterr().err
    assert (tmp_path / "out" / "a-restored.tif").exists()
