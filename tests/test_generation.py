"""Generation: the same bytes whatever happens, and nothing lost or half-written whatever fails."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny import SIZE, three_class_recipe, tiny_config, tiny_recipe, write_paintings

from craqbench import making
from craqbench.configuration import Config, shards
from craqbench.dataset import load_manifest, read_rows
from craqbench.errors import CraqbenchError, DatasetError, SourceError, StorageError, UsageError
from craqbench.generation import Interrupted, generate, plan
from craqbench.rows import make_row
from craqbench.shards import check_shard
from craqbench.sources import open_source
from generators.recipes import triplet

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent


def digests(folder: Path) -> dict[str, str]:
    """Return sha256 of every shard of a dataset."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "data").iterdir())
    }


def names_in(folder: Path) -> list[str]:
    """Return the names of everything in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of five paintings and a broken one."""
    folder = write_paintings(tmp_path_factory.mktemp("source") / "paintings")
    (folder / "broken.png").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def reference(paintings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny dataset, made by one process in one go."""
    folder = tmp_path_factory.mktemp("reference") / "out"
    generate(tiny_config(paintings), folder)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 160 kB; skip where that is not allowed."""
    where = tmp_path / "disk"
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(where)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {done.stderr.decode().strip()}")
    yield where
    subprocess.run(["umount", where], check=True)


def test_rows_are_the_recipe_s_triplets(reference: Path, paintings: Path) -> None:
    """Each row is the triplet of its index, on the painting it names; each epoch uses every painting."""
    source = open_source(str(paintings), size=SIZE)
    names = [painting.id for painting in source.paintings]
    rows = list(read_rows(reference))
    for row in rows:
        made = triplet(tiny_recipe(), 0, row.index, source.painting(names.index(row.painting)), SIZE)
        assert np.array_equal(row.image, made.image)
        assert np.array_equal(row.damaged, made.damaged)
        assert np.array_equal(row.labels, made.labels)
        assert row.meta == made.meta
    assert all(sorted(row.painting for row in rows[i : i + 5]) == names for i in range(0, 20, 5))


def test_summary(paintings: Path, tmp_path: Path) -> None:
    """The summary counts what was made, and names what was skipped."""
    summary = generate(tiny_config(paintings), tmp_path / "out")
    assert (summary.complete, summary.rows, summary.made, summary.kept) == (True, 24, 24, 0)
    assert (summary.shards, summary.missing, summary.remade) == (8, 0, ())
    assert [item.path for item in summary.skipped] == ["broken.png"]
    assert summary.bytes == sum(path.stat().st_size for path in (tmp_path / "out/data").iterdir())
    assert load_manifest(tmp_path / "out")["source"]["skipped"][0]["path"] == "broken.png"
    assert names_in(tmp_path / "out") == ["README.md", "data", "manifest.json", "sample.png"]


def test_four_workers_make_the_same_bytes(reference: Path, paintings: Path, tmp_path: Path) -> None:
    """One worker and four make the same shards, manifest and card; progress runs to the end."""
    seen: list[tuple[str, int, int]] = []
    generate(tiny_config(paintings), tmp_path / "out", workers=4, progress=lambda *args: seen.append(args))
    assert digests(tmp_path / "out") == digests(reference)
    for name in ("manifest.json", "README.md", "sample.png"):
        assert (tmp_path / "out" / name).read_bytes() == (reference / name).read_bytes()
    assert seen[-1] == ("making triplets", 24, 24)
    assert list(dict.fromkeys(stage for stage, _, _ in seen)) == ["reading paintings", "making triplets"]


def test_pieces_in_one_folder(reference: Path, paintings: Path, tmp_path: Path) -> None:
    """Pieces made one after another make the same dataset; the last one completes it."""
    done = [generate(tiny_config(paintings), tmp_path / "out", piece=(i, 3)) for i in (2, 0, 1)]
    assert [part.complete for part in done] == [False, False, True]
    assert [part.missing for part in done] == [6, 3, 0]
    assert [part.made for part in done] == [6, 9, 9]
    assert digests(tmp_path / "out") == digests(reference)
    assert (tmp_path / "out/manifest.json").read_bytes() == (reference / "manifest.json").read_bytes()


def test_pieces_read_each_other_once(
    paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the piece that finds all shards reads those of the others, and a damaged one is missing."""
    read: list[str] = []

    def check(path: Path, *arguments: Any) -> Any:
        read.append(path.name)
        return check_shard(path, *arguments)

    monkeypatch.setattr("craqbench.generation.check_shard", check)
    sizes = [generate(tiny_config(paintings), tmp_path / "out", piece=(i, 4)).bytes for i in (0, 1, 2)]
    assert (read, sizes) == ([], sorted(sizes))
    os.truncate(tmp_path / "out" / shards(tiny_config(paintings))[1].file, 1000)
    last = generate(tiny_config(paintings), tmp_path / "out", piece=(3, 4))
    assert (last.complete, last.missing, len(read)) == (False, 1, 6)
    assert generate(tiny_config(paintings), tmp_path / "out", piece=(1, 4)).complete


def test_pieces_made_elsewhere_and_gathered(reference: Path, paintings: Path, tmp_path: Path) -> None:
    """Pieces gathered in one folder are completed by the plain command, which makes nothing."""
    for i in range(2):
        generate(tiny_config(paintings), tmp_path / str(i), piece=(i, 2))
    for path in (tmp_path / "1/data").iterdir():
        path.rename(tmp_path / "0/data" / path.name)
    done = generate(tiny_config(paintings), tmp_path / "0")
    assert (done.complete, done.made, done.kept) == (True, 0, 24)
    assert digests(tmp_path / "0") == digests(reference)


def test_pieces_at_the_same_time(reference: Path, paintings: Path, tmp_path: Path) -> None:
    """Pieces at once in one folder, and the whole command beside them, do not hinder each other."""
    pieces = [start(paintings, tmp_path / "out", piece=f"({i}, 2)") for i in (0, 1)]
    pieces.append(start(paintings, tmp_path / "out"))
    for process in pieces:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert digests(tmp_path / "out") == digests(reference)
    assert (tmp_path / "out/manifest.json").read_bytes() == (reference / "manifest.json").read_bytes()


def test_seed_zero_is_a_seed(reference: Path, paintings: Path, tmp_path: Path) -> None:
    """Seed 0 and seed 1 differ in every shard."""
    generate(tiny_config(paintings, seed=1), tmp_path / "out")
    assert not set(digests(tmp_path / "out").values()) & set(digests(reference).values())


def test_shard_size_changes_files_but_no_row(reference: Path, paintings: Path, tmp_path: Path) -> None:
    """Another shard size holds the same rows in other files."""
    generate(tiny_config(paintings, shard_size=24), tmp_path / "out")
    assert len(digests(tmp_path / "out")) == 1
    for mine, theirs in zip(read_rows(tmp_path / "out"), read_rows(reference), strict=True):
        assert np.array_equal(mine.damaged, theirs.damaged)


@pytest.mark.parametrize("codec", ["webp", "png"])
def test_codecs_hold_the_same_pixels(codec: str, reference: Path, paintings: Path, tmp_path: Path) -> None:
    """Whatever the codec, the pictures are the same."""
    generate(tiny_config(paintings, codec=codec, n=3), tmp_path / "out")
    for mine, theirs in zip(read_rows(tmp_path / "out"), read_rows(reference), strict=False):
        assert np.array_equal(mine.damaged, theirs.damaged)
        assert np.array_equal(mine.image, theirs.image)


def test_splits_share_no_painting(paintings: Path, tmp_path: Path) -> None:
    """Rows are dealt out in order, and paintings of one split occur in no other."""
    generate(tiny_config(paintings, splits=(("train", 0.5), ("test", 0.5))), tmp_path / "out")
    rows = list(read_rows(tmp_path / "out"))
    used = {split: {row.painting for row in rows if row.split == split} for split in ("train", "test")}
    assert not used["train"] & used["test"]
    assert len(used["train"] | used["test"]) == 5


def test_procedural_canvases(tmp_path: Path) -> None:
    """Without any painting, every row has a canvas of its own."""
    generate(Config(3, tiny_recipe(), size=SIZE), tmp_path / "out")
    rows = list(read_rows(tmp_path / "out"))
    assert [row.painting for row in rows] == [f"procedural-0-{i:07d}" for i in range(3)]
    assert {row.licence for row in rows} == {"CC0-1.0"}


# --- going on after an interruption -------------------------------------------------------------

SCRIPT = """
import sys
from pathlib import Path
from tiny import tiny_config, tiny_recipe
from craqbench.generation import generate
if __name__ == "__main__":
    config = tiny_config(sys.argv[1], recipe=tiny_recipe(pause={pause}))
    print("started", flush=True)
    generate(config, Path(sys.argv[2]), workers={workers}, piece={piece})
"""


def start(
    paintings: Path, out: Path, *, workers: int = 1, piece: str = "(0, 1)", pause: float = 0.0
) -> subprocess.Popen[str]:
    """Start a generation in another process."""
    script = SCRIPT.format(workers=workers, piece=piece, pause=pause)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(paintings), str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
    )


def shards_in(folder: Path) -> int:
    """Count finished shards."""
    return len(list((folder / "data").glob("*.parquet")))


@pytest.mark.parametrize("workers", [1, 2])
def test_sigkill_at_three_random_moments(workers: int, paintings: Path, tmp_path: Path) -> None:
    """Killed three times at random and run again, the dataset is what one go would have made."""
    config = tiny_config(paintings, recipe=tiny_recipe(pause=0.03))
    generate(config, tmp_path / "reference")
    rng, out = np.random.default_rng(workers), tmp_path / "out"
    for kill in range(3):
        process = start(paintings, out, workers=workers, pause=0.03)
        while shards_in(out) <= kill and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        _, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, errors
    done = generate(config, out)
    assert done.complete
    assert done.kept >= 9
    assert digests(out) == digests(tmp_path / "reference")
    assert names_in(out) == ["README.md", "data", "manifest.json", "sample.png"]


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c(workers: int, paintings: Path, tmp_path: Path) -> None:
    """Ctrl-C leaves finished shards and no temporary file, and says how to go on."""
    out = tmp_path / "out"
    process = start(paintings, out, workers=workers, pause=0.03)
    while not shards_in(out) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    match = re.search(
        r"Interrupted: stopped: (\d) of 8 shards \((\d+) of 24 rows\) are finished in .*go on", errors
    )
    assert match, errors
    assert int(match[1]) == shards_in(out) == len(names_in(out / "data"))
    assert int(match[2]) == 3 * int(match[1])


def test_interrupted_is_a_keyboard_interrupt(
    paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who catches `KeyboardInterrupt` catches it, and who catches `Exception` does not."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "make_row", interrupt)
    with pytest.raises(Interrupted, match="stopped: 0 of 8 shards"), contextlib.suppress(Exception):
        generate(tiny_config(paintings), tmp_path / "out")
    assert issubclass(Interrupted, KeyboardInterrupt)


def test_running_again_makes_nothing(reference: Path, paintings: Path) -> None:
    """The same command on a finished dataset reads it and changes nothing."""
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (reference / "data").iterdir()}
    stages: list[str] = []
    done = generate(
        tiny_config(paintings), reference, workers=2, progress=lambda stage, *_: stages.append(stage)
    )
    assert (done.complete, done.made, done.kept, done.remade) == (True, 0, 24, ())
    assert "checking shards" in stages
    assert before == {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (reference / "data").iterdir()
    }


def test_damaged_shards_are_made_again(reference: Path, paintings: Path, tmp_path: Path) -> None:
    """Truncated, emptied, flipped and swapped shards are found, reported, and made again; leftovers go."""
    out = tmp_path / "out"
    generate(tiny_config(paintings), out)
    files = sorted((out / "data").iterdir())
    os.truncate(files[0], 5000)
    files[1].write_bytes(b"")
    data = bytearray(files[2].read_bytes())
    data[3000] ^= 1
    files[2].write_bytes(data)
    files[3].write_bytes(files[4].read_bytes())
    files[5].unlink()
    (out / "data" / f".{files[6].name}.00ff.part").touch()
    done = generate(tiny_config(paintings), out)
    assert (done.complete, done.made, done.kept) == (True, 15, 9)
    assert [line.split(":")[0] for line in done.remade] == [f"data/{path.name}" for path in files[:4]]
    assert digests(out) == digests(reference)


def test_a_recorded_shard_that_was_replaced_is_made_again(
    reference: Path, paintings: Path, tmp_path: Path
) -> None:
    """A shard that is sound in itself, but not the one in the manifest, is made again."""
    out = tmp_path / "out"
    generate(tiny_config(paintings), out)
    path = out / "data/train-00002-of-00008.parquet"
    data = bytearray(path.read_bytes())
    # A letter of the name of the writer in the footer: no reader of rows looks at it.
    place = data.rindex(b"parquet-cpp-arrow")
    data[place] ^= 0x20
    path.write_bytes(data)
    done = generate(tiny_config(paintings), out)
    assert done.remade == ("data/train-00002-of-00008.parquet: its sha256 is not the one in the manifest",)
    assert digests(out) == digests(reference)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"seed": 1}, "--seed: 0 there, 1 now"),
        ({"n": 30}, "--n: 24 there, 30 now"),
        ({"recipe": tiny_recipe(lines=9)}, "--set lines: 3 there, 9 now"),
        ({"recipe": three_class_recipe()}, "--recipe: tiny there, tiny3 now"),
        ({"recipe": dataclasses.replace(tiny_recipe(), version=2)}, "recipe version: 1 there, 2 now"),
        ({"fit": "pad"}, "--fit: crop there, pad now"),
        ({"codec": "png"}, "--codec: webp there, png now"),
        ({"shard_size": 6}, "--shard-size: 3 there, 6 now"),
        ({"splits": (("train", 0.5), ("test", 0.5))}, "--split: train=1 there, train=0.5,test=0.5 now"),
        ({"size": (64, 64)}, "--size: 96x64 there, 64x64 now"),
    ],
)
def test_other_options_are_refused(
    changed: dict[str, Any], line: str, reference: Path, paintings: Path
) -> None:
    """Another configuration is refused with both fingerprints and the option that differs."""
    with pytest.raises(DatasetError) as caught:
        generate(tiny_config(paintings, **changed), reference)
    message = str(caught.value)
    assert line in message
    assert f"fingerprint there: {load_manifest(reference)['fingerprint']}" in message
    assert re.search(r"fingerprint now:   [0-9a-f]{64}", message)


def test_other_paintings_and_versions_are_refused(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paintings: Path
) -> None:
    """Another source and another version of a library are refused by name."""
    with pytest.raises(DatasetError, match=r"--source \(digest of its paintings\): \w+ there, \w+ now"):
        generate(tiny_config(write_paintings(tmp_path / "others", 4)), reference)
    monkeypatch.setattr(np, "__version__", "9.9.9")
    with pytest.raises(DatasetError, match=r"version of numpy: [\d.]+ there, 9.9.9 now"):
        generate(tiny_config(paintings), reference)


def test_strange_folders_are_refused(reference: Path, paintings: Path, tmp_path: Path) -> None:
    """A folder with other files is left alone."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(DatasetError, match=r"is not empty \(thesis\.tex\): expected a new folder"):
        generate(tiny_config(paintings), tmp_path)
    assert names_in(tmp_path) == ["thesis.tex"]
    stranger = reference / "data/train-00000-of-00001.parquet"
    stranger.touch()
    with pytest.raises(DatasetError, match=r"data/train-00000-of-00001\.parquet in .*expected none but"):
        generate(tiny_config(paintings), reference)
    stranger.unlink()


def test_foreign_shards_are_refused(paintings: Path, tmp_path: Path) -> None:
    """A shard of another seed under the right name is refused, not silently replaced."""
    generate(tiny_config(paintings), tmp_path / "a")
    generate(tiny_config(paintings, seed=1), tmp_path / "b")
    name = "data/train-00001-of-00008.parquet"
    (tmp_path / "b" / name).replace(tmp_path / "a" / name)
    with pytest.raises(DatasetError, match="is of another configuration or code version: its fingerprint is"):
        generate(tiny_config(paintings), tmp_path / "a")


def test_usage(paintings: Path, tmp_path: Path) -> None:
    """Pieces and workers that cannot be are refused before anything is written."""
    config = tiny_config(paintings)
    with pytest.raises(UsageError, match="shard 0/9: the dataset has 8 shards: expected at most 8 pieces"):
        generate(config, tmp_path / "out", piece=(0, 9))
    with pytest.raises(UsageError, match="shard 2/2: expected 0/2 to 1/2"):
        generate(config, tmp_path / "out", piece=(2, 2))
    with pytest.raises(UsageError, match="workers 0"):
        generate(config, tmp_path / "out", workers=0)
    with pytest.raises(SourceError, match="5 usable paintings for 6 splits"):
        generate(tiny_config(paintings, splits=tuple((f"s{i}", 1 / 6) for i in range(6))), tmp_path / "out")
    with pytest.raises(SourceError, match="does not exist"):
        generate(tiny_config(tmp_path / "nowhere"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- what fails ---------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_in_a_row_stops_no_other_shard(workers: int, paintings: Path, tmp_path: Path) -> None:
    """Shards with a fault are named with row and reason, after all others are made; no half is left."""
    config = tiny_config(paintings, recipe=tiny_recipe(failing=0))
    told: list[tuple[str, int, int]] = []
    with pytest.raises(CraqbenchError) as caught:
        generate(config, tmp_path / "out", workers=workers, progress=lambda *args: told.append(args))
    message = str(caught.value).splitlines()
    assert message[0].startswith("2 of 8 shards could not be made; what else was to do is finished in ")
    assert [line.split(":")[0] for line in message[1:-1]] == [
        "  shard 2 (data/train-00002-of-00008.parquet)",
        "  shard 7 (data/train-00007-of-00008.parquet)",
    ]
    assert all(
        re.search(
            r": ZeroDivisionError: a fault in a recipe \(in row \d+, painting painting-\d\.jpg\)$", line
        )
        for line in message[1:-1]
    )
    assert message[-1] == "run the same command again to make just what is missing"
    assert "in draw_lines" in caught.value.__notes__[0]
    assert shards_in(tmp_path / "out") == len(names_in(tmp_path / "out/data")) == 6
    assert told[-1] == ("making triplets", 18, 24)


def test_a_fault_that_passes(
    reference: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that is gone at the third try leaves no trace; one that lasts is made good by the next run."""
    real, left = make_row, [2]

    def stumble(job: Any, split: str, index: int) -> Any:
        if index == 4 and left[0]:
            left[0] -= 1
            raise OSError(errno.EIO, "the network disk is away")
        return real(job, split, index)

    monkeypatch.setattr(making, "make_row", stumble)
    done = generate(tiny_config(paintings), tmp_path / "out")
    assert (done.complete, done.made) == (True, 24)
    assert digests(tmp_path / "out") == digests(reference)
    left[0] = 3
    with pytest.raises(
        CraqbenchError, match=r"1 of 8 .*\n  shard 1 .*: row 4 could not be read: .*disk is away"
    ):
        generate(tiny_config(paintings), tmp_path / "other")
    done = generate(tiny_config(paintings), tmp_path / "other")
    assert (done.complete, done.made, done.kept) == (True, 3, 21)
    assert digests(tmp_path / "other") == digests(reference)


def test_a_killed_worker(paintings: Path, tmp_path: Path) -> None:
    """Shards whose worker is killed at every try are named; all others are made, and nothing else is left."""
    config = tiny_config(paintings, recipe=tiny_recipe(killer=0))
    with pytest.raises(CraqbenchError) as caught:
        generate(config, tmp_path / "out", workers=2)
    assert re.findall(
        r"shard (\d) .*: its process was killed, most often because memory", str(caught.value)
    ) == [
        "2",
        "7",
    ]
    assert shards_in(tmp_path / "out") == len(names_in(tmp_path / "out/data")) == 6


def test_out_is_a_file(paintings: Path, tmp_path: Path) -> None:
    """A file where the folder should be is an error."""
    (tmp_path / "out").touch()
    with pytest.raises(StorageError, match=r"cannot write .*out: Not a directory"):
        generate(tiny_config(paintings), tmp_path / "out")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_disk_trouble(number: int, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails in the sixth shard, five are kept, nothing is half-written, and it can go on."""
    out, real = tmp_path / "out", os.fsync
    generate(tiny_config(paintings), tmp_path / "other")

    def fail(file: int) -> None:
        if shards_in(out) == 5:
            raise OSError(number, os.strerror(number))
        real(file)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=f"cannot write .*{os.strerror(number)}: expected"):
        generate(tiny_config(paintings), out)
    assert len(names_in(out / "data")) == 5
    monkeypatch.setattr(os, "fsync", real)
    assert generate(tiny_config(paintings), out).kept == 15
    assert digests(out) == digests(tmp_path / "other")


@pytest.mark.parametrize("workers", [1, 2])
def test_full_disk(workers: int, small_disk: Path, paintings: Path) -> None:
    """On a disk that is really full, finished shards are kept and sound, and no half of one is there."""
    out = small_disk / "out"
    with pytest.raises(
        StorageError, match="No space left on device: expected free space; what is finished is kept"
    ):
        generate(tiny_config(paintings), out, workers=workers)
    assert 0 < shards_in(out) < 8
    assert all(path.suffix == ".parquet" for path in (out / "data").iterdir())
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    done = generate(tiny_config(paintings), out)
    assert (done.complete, done.remade) == (True, ())


def test_read_only_disk(small_disk: Path, paintings: Path) -> None:
    """A read-only disk is one clear error, at the start and when going on."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StorageError, match="Read-only file system: expected a disk that can be written to"):
        generate(tiny_config(paintings), small_disk / "out")


# --- planning -----------------------------------------------------------------------------------


def test_plan(paintings: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan writes nothing, lays out the shards that are made, and its size is near the truth."""
    monkeypatch.chdir(tmp_path)
    planned = plan(tiny_config(paintings), samples=24)
    assert names_in(tmp_path) == []
    assert [Path(shard.file).name for shard in planned.shards] == list(digests(reference))
    assert planned.fingerprint == load_manifest(reference)["fingerprint"]
    assert planned.splits == (("train", 24, 5, 8),)
    assert planned.sampled == 24
    assert planned.seconds > 0
    truth = sum(path.stat().st_size for path in (reference / "data").iterdir())
    assert abs(planned.bytes - truth) < 0.25 * truth


def test_plan_of_splits(paintings: Path) -> None:
    """A plan shows rows, paintings and shards of each split."""
    planned = plan(tiny_config(paintings, splits=(("train", 0.75), ("test", 0.25))), samples=2)
    assert planned.splits == (("train", 18, 4, 6), ("test", 6, 1, 2))
    assert planned.sampled == 2
    assert shards(planned.config) == planned.shards
