"""How far a dataset is: from its files alone, at any moment, whoever makes it."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

import pytest
from tiny import tiny_config, tiny_recipe, write_paintings

from craqbench import cli
from craqbench.configuration import shards
from craqbench.dataset import load_manifest
from craqbench.errors import DatasetError
from craqbench.generation import generate
from craqbench.making import NOTES
from craqbench.status import read_status

FILES = [f"data/train-{number:05d}-of-00008.parquet" for number in range(8)]


@pytest.fixture
def paintings(tmp_path: Path) -> Path:
    """Return a folder of five paintings."""
    return write_paintings(tmp_path / "paintings")


@pytest.fixture
def dataset(paintings: Path, tmp_path: Path) -> Path:
    """Return the tiny dataset."""
    generate(tiny_config(paintings), tmp_path / "out")
    return tmp_path / "out"


def test_a_finished_dataset(dataset: Path) -> None:
    """All is finished and complete; the sizes are those of the files."""
    status = read_status(dataset)
    assert (status.complete, status.rows, status.missing) == (True, 24, ())
    assert dict(status.finished) == {file: (dataset / file).stat().st_size for file in FILES}
    assert (dict(status.damaged), status.unfinished, dict(status.failed)) == ({}, (), {})


@pytest.mark.parametrize("options", [{}, {"splits": (("train", 0.6), ("test", 0.4)), "n": 23}])
def test_the_layout_is_read_from_the_manifest(
    options: dict[str, object], paintings: Path, tmp_path: Path
) -> None:
    """The shards of a dataset are known from its manifest alone, and those of other pieces are missing."""
    config = tiny_config(paintings, **options)
    generate(config, tmp_path / "out", piece=(1, 3))
    status = read_status(tmp_path / "out")
    assert status.layout == shards(config)
    assert set(status.finished) == {shard.file for shard in shards(config)[1::3]}
    assert status.missing == tuple(shard for n, shard in enumerate(shards(config)) if n % 3 != 1)
    assert status.rows == sum(shard.rows for shard in shards(config)[1::3])
    assert not status.complete


def test_what_is_wrong_with_shards(dataset: Path, paintings: Path, tmp_path: Path) -> None:
    """Truncated, emptied, swapped, foreign and changed shards are told apart; nothing is touched."""
    generate(tiny_config(paintings, seed=1), tmp_path / "other")
    os.truncate(dataset / FILES[0], 5000)
    (dataset / FILES[1]).write_bytes(b"")
    (dataset / FILES[2]).write_bytes((dataset / FILES[3]).read_bytes())
    (dataset / FILES[4]).write_bytes((tmp_path / "other" / FILES[4]).read_bytes())
    (dataset / FILES[5]).unlink()
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*")}
    status = read_status(dataset)
    assert list(status.damaged) == [FILES[0], FILES[1], FILES[2], FILES[4]]
    told = list(status.damaged.values())
    assert "not a readable Parquet file" in told[0]
    assert "not a readable Parquet file" in told[1]
    assert "another shard under this name" in told[2] or "bytes, where the manifest says" in told[2]
    assert "bytes, where the manifest says" in told[3] or "another configuration" in told[3]
    assert [shard.file for shard in status.missing] == [FILES[5]]
    assert (status.rows, status.complete) == (9, False)
    assert before == {path: path.stat().st_mtime_ns for path in dataset.rglob("*")}


def test_work_in_progress(dataset: Path) -> None:
    """Temporary files are listed, the latest first, with their size and age; so are failures."""
    for number, age in ((3, 5000), (5, 3)):
        (dataset / FILES[number]).unlink()
        part = dataset / "data" / f".{Path(FILES[number]).name}.0a1b2c3d.part"
        part.write_bytes(bytes(100 * number))
        os.utime(part, (time.time() - age, time.time() - age))
    (dataset / NOTES / "failures").mkdir(parents=True)
    for number in (3, 4):
        (dataset / NOTES / "failures" / f"{number:05d}").write_text("a reason")
    status = read_status(dataset)
    assert [(item.file, item.bytes) for item in status.unfinished] == [(FILES[5], 500), (FILES[3], 300)]
    assert [round(item.age, -2) for item in status.unfinished] == [0, 5000]
    assert status.failed == {FILES[3]: "a reason"}


def test_while_it_is_made(paintings: Path, tmp_path: Path) -> None:
    """At every row of a run the status can be read, and it never goes back."""
    seen: list[int] = []

    def look(stage: str, *_: int) -> None:
        if stage == "making triplets":
            seen.append(read_status(tmp_path / "out").rows)

    generate(tiny_config(paintings), tmp_path / "out", progress=look)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 24 - 3)


def test_no_dataset(tmp_path: Path) -> None:
    """A folder that is missing, or is no dataset, is an error."""
    with pytest.raises(DatasetError, match="does not exist: expected a folder of 'craqbench generate'"):
        read_status(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="is no craqbench dataset"):
        read_status(tmp_path)


# --- the command --------------------------------------------------------------------------------


def test_status_of_a_finished_dataset(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is enough; verify is what comes next."""
    assert cli.main(["generate", "--out", str(dataset), "--status"]) == 0
    out, err = capsys.readouterr()
    size = sum((dataset / file).stat().st_size for file in FILES)
    assert out.splitlines() == [
        f"dataset       {dataset}: recipe tiny, 96x64, seed 0, source paintings",
        f"finished      8 of 8 files, 24 of 24 rows, {size / 1000:.3g} kB",
        "missing       0",
        "in progress   0",
        f"fingerprint   {load_manifest(dataset)['fingerprint']}",
        "",
        f"next: craqbench verify {dataset}",
    ]
    assert err == ""


def test_the_command_that_goes_on(
    paintings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status shows a command that, typed, completes the dataset; its source can be given again."""
    monkeypatch.chdir(tmp_path)
    line = ["generate", "--n", "12", "--recipe", "paper", "--set", "n_curves=8,12", "--size", "96x64"]
    line += ["--source", str(paintings), "--out", "my set", "--workers", "1"]
    assert cli.main([*line, "--shard", "0/2"]) == 0
    capsys.readouterr()
    assert cli.main(["generate", "--out", "my set", "--status", "--source", str(paintings)]) == 0
    out, _ = capsys.readouterr()
    assert "\nfinished      6 of 12 files, 6 of 12 rows, " in out
    last = out.splitlines()[-1]
    assert last.endswith("--out 'my set'")
    words = shlex.split(last.removeprefix("next: craqbench "))
    assert cli.main(words) == 0
    assert read_status(Path("my set")).complete


def test_what_the_command_names(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Damaged and failed shards are named, a few of them; dead temporary files are told of on stderr."""
    for file in FILES[:7]:
        os.truncate(dataset / file, 1000)
    (dataset / FILES[7]).unlink()
    (dataset / NOTES / "failures").mkdir(parents=True)
    (dataset / NOTES / "failures" / "00007").write_text("SourceError: gone")
    for name, age in (("aaaaaaaa", 3), ("bbbbbbbb", 9999)):
        part = dataset / "data" / f".{Path(FILES[7]).name}.{name}.part"
        part.touch()
        os.utime(part, (time.time() - age, time.time() - age))
    assert cli.main(["generate", "--out", str(dataset), "--status"]) == 0
    out, err = capsys.readouterr()
    assert "\nin progress   1, the last of them changed " in out
    assert "\ndamaged       7\n  data/train-00000-of-00008.parquet: not a readable" in out
    assert "\n  and 2 more\nfailed        1\n  data/train-00007-of-00008.parquet: SourceError: gone\n" in out
    assert err.startswith("1 temporary file has not changed for 10:00 or more")


def test_recipes_of_others(tmp_path: Path) -> None:
    """A dataset of a recipe that is not in the registry has a status like any other."""
    write_paintings(tmp_path / "paintings")
    generate(tiny_config(tmp_path / "paintings", recipe=tiny_recipe(lines=5)), tmp_path / "out")
    assert read_status(tmp_path / "out").complete
