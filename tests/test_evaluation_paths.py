"""Files among a method's settings: told by name and digest, never by their folder."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import Any

import pytest
from evaluation_samples import one, untimed, write_images

from craqbench.comparison import compare
from craqbench.errors import UsageError
from craqbench.evaluation import evaluate
from craqbench.evaluation_paths import from_here, named, short, told

METHOD = "toy_detectors:Reading,file={}"


@pytest.fixture(name="file")
def weights(tmp_path: Path) -> Path:
    """Return a file in a folder with a telling name."""
    return written(tmp_path / "home of jane" / "best.weights", "one")


def written(path: Path, content: str) -> Path:
    """Write a file and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    "value",
    [
        *("light", "org/name@v1:file", "org/name", "v1.5", "", "nowhere.bin", "a\0b", "x/" * 3000, "y" * 300),
        *(1, 2.5, None, True),
    ],
)
def test_what_is_no_file_stays(value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words, names of the Hub, numbers and texts too long for a file are told as they are."""
    (tmp_path / "light").touch()
    monkeypatch.chdir(tmp_path)
    assert told(value) == value
    assert short(value) == str(value)
    assert named(f"m,a={value}", [("a", value)]) == f"m,a={value}"


def test_tuples_are_written_as_typed() -> None:
    """Several values have colons between them."""
    assert short((1.0, 2.5)) == "1.0:2.5"


def test_a_file_is_told_by_name_and_digest(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it lies and however its path is written, a file is its name and its contents."""
    digest = hashlib.sha256(b"one").hexdigest()
    assert told(str(file)) == f"best.weights#{digest}"
    assert short(str(file)) == f"best#{digest[:8]}"
    monkeypatch.chdir(file.parent)
    assert told("best.weights") == told("./best.weights") == told(file) == f"best.weights#{digest}"


def test_folders_are_told_apart(tmp_path: Path) -> None:
    """Two folders of one name, there or not, have two labels, without their paths."""
    (tmp_path / "a" / "model").mkdir(parents=True)
    labels = {short(str(tmp_path / parent / "model")) for parent in ("a", "b")}
    assert len(labels) == 2
    assert all(label.startswith("model#") and len(label) == 14 for label in labels)


def test_a_command_names_files_from_here(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files under this folder are written as seen from it, others as they were typed."""
    text, settings = f"m,a=1,file={file}", [("a", 1), ("file", str(file))]
    assert from_here(text, settings) == text
    monkeypatch.chdir(file.parents[1])
    assert from_here(text, settings) == "m,a=1,file=home of jane/best.weights"
    assert named(text, settings) == "m,a=1,file=best.weights"


def test_a_result_tells_no_path(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Label, settings and what was typed have no folder; the command finds the file again."""
    images = write_images(tmp_path / "home of jane" / "scans", 2)
    monkeypatch.chdir(file.parents[1])
    (made,) = evaluate([f"folder:{images}"], [METHOD.format(file)], Path("out"))
    method = made.result.method
    assert method.label == f"reading,file=best#{hashlib.sha256(b'one').hexdigest()[:8]}"
    assert method.given == "toy_detectors:Reading,file=best.weights"
    assert "jane" not in method.model_dump_json()
    assert shlex.split(made.result.command)[3] == "toy_detectors:Reading,file=home of jane/best.weights"


def test_two_files_are_two_results(file: Path, tmp_path: Path) -> None:
    """Files of one name with other contents stand side by side: in a run, on disk and in a table."""
    images, out = write_images(tmp_path / "scans", 2), tmp_path / "out"
    other = written(tmp_path / "second" / "best.weights", "two")
    methods = [METHOD.format(path) for path in (file, other)]
    made = evaluate([f"folder:{images}"], methods, out)
    assert len({one.path for one in made}) == 2
    assert len({row.label for row in compare([one.result for one in made]).rows}) == 2


def test_a_file_that_has_moved_is_the_same(file: Path, tmp_path: Path) -> None:
    """The same contents elsewhere are the same method: what is done is kept; twice in a run it is refused."""
    images, out = write_images(tmp_path / "scans", 2), tmp_path / "out"
    first = untimed(one(METHOD.format(file), images, out).path)
    copy = written(tmp_path / "elsewhere" / "best.weights", "one")
    again = untimed(one(METHOD.format(copy), images, out).path)
    assert first.pop("command") != again.pop("command")
    assert first == again
    with pytest.raises(UsageError, match="2 methods would be called"):
        evaluate([f"folder:{images}"], [METHOD.format(path) for path in (file, copy)], out)
