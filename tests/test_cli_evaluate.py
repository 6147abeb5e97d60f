"""`craqbench evaluate` and `craqbench compare`, as a user types them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from evaluation_samples import write_images

from craqbench import cli

ROOT = Path(__file__).resolve().parents[1]
Run = tuple[int, str, str]


@pytest.fixture(name="run")
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that runs a command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: object) -> Run:
        workers = ["--workers", "1"] if name == "evaluate" and "--workers" not in arguments else []
        code = cli.main([name, *map(str, arguments), *workers])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_on_a_fresh_machine(run: Any) -> None:
    """With no network and no files: a table, results, and the line that shows the table again."""
    methods = [word for name in ("tophat", "ridge", "none", "all") for word in ("--method", name)]
    code, out, err = run("evaluate", "--set", "synthetic,n=3", *methods)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["rank", "method", "F1@2px"]
    assert [line for line in lines if "none (sanity)" in line]
    assert "craqbench compare results/synthetic-n-3" in out
    assert "3 images of 3 paintings" in err
    code, again, _ = run("compare", "results/synthetic-n-3")
    assert code == 0
    assert again == out[: len(again)]
    for form, start in {"markdown": "| rank |", "csv": "rank,", "latex": "% ", "json": "{"}.items():
        code, text, _ = run("compare", "results", "--format", form)
        assert (code, text[: len(start)]) == (0, start)
    assert (
        run("compare", "results", "--sort", "method", "--format", "csv")[1].splitlines()[1].split(",")[1]
        == "all"
    )


def test_several_sets(run: Any, tmp_path: Path) -> None:
    """Each set has a table of its own; results of two sets are not compared."""
    images = write_images(tmp_path / "scans")
    code, out, _ = run("evaluate", "--set", "synthetic,n=2", "--set", f"folder:{images}", "--method", "none")
    assert code == 0
    assert out.count("rank") == 2
    code, out, err = run("compare", "results")
    assert (code, out) == (2, "")
    assert "cannot compare results of different sets: expected one. Got " in err


def test_failures_are_told_and_fail(run: Any, tmp_path: Path) -> None:
    """A method that fails is told by name and image, the table is shown, and the command fails."""
    images = write_images(tmp_path / "scans")
    code, out, err = run(
        "evaluate", "--set", f"folder:{images}", "--method", "toy_detectors:Faulty", "--method", "none"
    )
    assert code == 2
    assert "faulty (incomplete)" in out
    assert "faulty on folder:scans, image '1': raised ZeroDivisionError: of the method in two lines\n" in err
    assert err.endswith(
        "craqbench: error: faulty on folder:scans failed on 1 of 4 images: expected all: an incomplete "
        "result has no scores\n"
    )
    assert "Traceback" not in err


def test_tuning(run: Any, tmp_path: Path) -> None:
    """A tuned threshold is in the label, the note and the result."""
    images = write_images(tmp_path / "scans")
    code, out, err = run(
        "evaluate",
        "--set",
        f"folder:{images}",
        "--tune-on",
        "synthetic,n=2",
        "--method",
        "toy_detectors:Dark",
    )
    assert code == 0
    assert "dark tuned on synthetic,n=2" in out
    assert "Thresholds tuned on another set: dark tuned on synthetic,n=2." in err
    (path,) = Path("results").glob("folder-scans/*/result.json")
    assert json.loads(path.read_text())["threshold"]["tuned_on"]["spec"] == "synthetic,n=2"
    rows = list(csv.DictReader(io.StringIO(run("compare", path, "--format", "csv")[1])))
    assert rows[0]["tuned_on"] == "synthetic,n=2"


BAD = {
    "--set synthetic": "the following arguments are required: --method",
    "--method none": "the following arguments are required: --set",
    "--method nome --set synthetic,n=1": "unknown method 'nome'; did you mean none?",
    "--method none --set syntetic": "set 'syntetic': expected one of synthetic",
    "--method none --set folder:nowhere": "'nowhere'",
    "--method none --set synthetic,n=1 --device gpu": "got 'gpu', expected one of auto, cpu, cuda",
    "--method none --set synthetic,n=1 --tune-on synthetic,n=1": "is a set that is scored",
    "--method none --set synthetic,n=1 --out": "expected one argument",
    "--method none --set synthetic,n=1 --dilate 1": "argument --dilate: it is about fillings",
    "--method none --set synthetic,n=1 --lpips x": "argument --lpips: it is about fillings",
    "--method none --set synthetic,n=1 --task fill": "got 'fill', expected one of detect, inpaint",
    "--method none --set synthetic,n=1 --worker 2": "unknown option '--worker'; did you mean --workers",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_lines(run: Any, line: str) -> None:
    """A line that cannot be run is one message that says what was expected."""
    code, out, err = run("evaluate", *line.split())
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"craqbench: error: .*{re.escape(BAD[line])}.*\n", err), err


def test_inpainters(run: Any) -> None:
    """With no network and no files: a table of inpainters, who is best by crack width, and a report."""
    methods = [word for name in ("mtm", "telea", "none", "mean") for word in ("--method", name)]
    code, out, err = run("evaluate", "--task", "inpaint", "--set", "synthetic,n=2", *methods)
    assert code == 0
    assert out.splitlines()[0].split()[:4] == ["rank", "method", "PSNR", "mask"]
    assert "none (sanity)" in out
    assert "craqbench compare results/synthetic-n-2-inpainting" in out
    assert "Best where cracks are 1.5-3px wide: " in err
    code, again, _ = run("compare", "results/synthetic-n-2-inpainting")
    assert (code, again) == (0, out[: len(again)])
    code, out, _ = run("report", "results", "--workers", 1)
    assert (code, out[:32]) == (0, "report.html: 4 results on 1 set,")


BAD_FILLINGS = {
    "--method tophat --set synthetic,n=1": "unknown inpainter 'tophat'",
    "--method mtm --set nga-val --scores": "argument --scores: inpainters have no scores",
    "--method mtm --set synthetic,n=1 --tune-on nga-val": "argument --tune-on: inpainters have no scores",
    "--method mtm --set synthetic,n=1 --dilate -1": "got '-1', expected a whole number of at least 0",
    "--method mtm --set synthetic,n=1 --dilate 99": "99 dilations: expected 0 to 64",
    "--method mtm --set folder:nowhere": "'nowhere'",
}


@pytest.mark.parametrize("line", BAD_FILLINGS)
def test_bad_lines_of_inpainters(run: Any, line: str) -> None:
    """A line that cannot be run is one message that says what was expected."""
    code, out, err = run("evaluate", "--task", "inpaint", *line.split())
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"craqbench: error: .*{re.escape(BAD_FILLINGS[line])}.*\n", err), err


def test_bad_comparisons(run: Any, tmp_path: Path) -> None:
    """Absent, broken and unknown are one message each."""
    (tmp_path / "result.json").write_text("{}")
    assert "No such file" in run("compare", "nowhere.json")[2]
    code, _, err = run("compare", tmp_path)
    assert code == 2
    assert "result.json: format: Field required (and" in err
    assert "expected one of table, markdown, csv, latex, json" in run("compare", ".", "--format", "html")[2]


def test_another_process_is_told_to_wait(run: Any, tmp_path: Path) -> None:
    """Of two commands on one folder at a time, the second says so and leaves the first alone."""
    images = write_images(tmp_path / "scans", 2)
    line = ["--set", f"folder:{images}", "--method", "toy_detectors:Slow,pause=60", "--workers", "1"]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    first = subprocess.Popen(
        [sys.executable, "-m", "craqbench.cli", "evaluate", *line], env={**os.environ, "PYTHONPATH": path}
    )
    try:
        while not list(Path("results").glob("folder-scans/*/evaluation.json")):
            assert first.poll() is None
            time.sleep(0.02)
        code, out, err = run("evaluate", *line)
        assert (code, out) == (2, "")
        assert "slow-pause-60.0 is being written by another 'craqbench evaluate'" in err
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
