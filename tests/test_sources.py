"""Sources of clean paintings: folders, canvases, and which row uses which painting."""

from __future__ import annotations

import collections
import csv
import hashlib
import os
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import SIZE, smooth_picture, write_paintings

from craqbench.errors import SourceError
from craqbench.sources import Painting, assignment, open_source, share_out

if TYPE_CHECKING:
    from pathlib import Path

QUIET = settings(max_examples=50, deadline=None, derandomize=True)


def write_index(folder: Path, rows: list[dict[str, str]]) -> None:
    """Write an index.csv."""
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@QUIET
@given(seed=st.integers(0, 2**62), n=st.integers(1, 40), epoch=st.integers(0, 5))
def test_each_epoch_uses_every_painting_once(seed: int, n: int, epoch: int) -> None:
    """Any n rows from a multiple of n on use n paintings once each."""
    assert sorted(assignment(seed, epoch * n + i, n) for i in range(n)) == list(range(n))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    """The order changes with the epoch and with the seed, and is the same when asked again."""
    orders = [
        [assignment(seed, first + i, 30) for i in range(30)] for seed, first in ((0, 0), (0, 30), (1, 0))
    ]
    assert len({tuple(order) for order in orders}) == 3
    assert orders[0] == [assignment(0, i, 30) for i in range(30)]


@QUIET
@given(total=st.integers(3, 200), parts=st.sampled_from([(1.0,), (0.9, 0.1), (0.98, 0.01, 0.01)]))
def test_splits_share_no_painting(total: int, parts: tuple[float, ...]) -> None:
    """Every painting is in one split; each split has one at least, and about its fraction."""
    paintings = [
        Painting(str(i), "", "", "", "", hashlib.sha256(bytes([i])).hexdigest()) for i in range(total)
    ]
    shares = share_out(paintings, parts)
    assert sorted(number for share in shares for number in share) == list(range(total))
    assert all(
        share and abs(len(share) - part * total) <= len(parts)
        for share, part in zip(shares, parts, strict=True)
    )


def test_split_of_a_painting_depends_on_its_bytes() -> None:
    """Renaming and reordering paintings leaves each in its split."""
    digests = [hashlib.sha256(bytes([i])).hexdigest() for i in range(20)]
    forwards = [Painting(f"a{i}", "", "", "", "", digest) for i, digest in enumerate(digests)]
    backwards = [Painting(f"b{i}", "", "", "", "", digest) for i, digest in enumerate(reversed(digests))]
    first, second = (
        [{paintings[number].sha256 for number in share} for share in share_out(paintings, (0.7, 0.3))]
        for paintings in (forwards, backwards)
    )
    assert first == second


def test_too_few_paintings_for_the_splits() -> None:
    """Fewer paintings than splits is an error that says so."""
    with pytest.raises(SourceError, match="1 usable paintings for 2 splits"):
        share_out([Painting("a", "", "", "", "", "0")], (0.5, 0.5))


def test_folder(tmp_path: Path) -> None:
    """A folder is searched in depth and sorted by path; endings may be in capitals."""
    write_paintings(tmp_path / "b", 2)
    PIL.Image.fromarray(smooth_picture(9)).save(tmp_path / "A.PNG")
    write_paintings(tmp_path / ".hidden", 1)
    (tmp_path / "notes.txt").write_text("no image")
    source = open_source(str(tmp_path), size=SIZE)
    assert [painting.id for painting in source.paintings] == ["A.PNG", "b/painting-0.jpg", "b/painting-1.jpg"]
    assert (source.kind, source.name, source.endless, len(source)) == ("folder", tmp_path.name, False, 3)
    assert np.array_equal(source.painting(0), smooth_picture(9))
    assert source.provenance(0).licence == source.provenance(0).source == "unknown"
    assert source.provenance(0).sha256 == hashlib.sha256((tmp_path / "A.PNG").read_bytes()).hexdigest()
    assert source.skipped == ()


def test_unusable_images_are_skipped_and_named(tmp_path: Path) -> None:
    """Broken, small, unreadable and repeated images are skipped, each with its reason, in order."""
    write_paintings(tmp_path, 2)
    whole = (tmp_path / "painting-0.jpg").read_bytes()
    (tmp_path / "broken.jpg").write_bytes(whole[:900])
    (tmp_path / "copy.jpg").write_bytes(whole)
    (tmp_path / "empty.webp").write_bytes(b"")
    (tmp_path / "gone.tif").symlink_to(tmp_path / "nowhere")
    PIL.Image.new("RGB", (63, 200)).save(tmp_path / "small.png")
    source = open_source(str(tmp_path), size=SIZE)
    assert [painting.id for painting in source.paintings] == ["copy.jpg", "painting-1.jpg"]
    reasons = {item.path: item.reason for item in source.skipped}
    assert list(reasons) == ["broken.jpg", "empty.webp", "gone.tif", "painting-0.jpg", "small.png"]
    assert "truncated" in reasons["broken.jpg"]
    assert "No such file" in reasons["gone.tif"]
    assert reasons["painting-0.jpg"] == "a copy of copy.jpg"
    assert "63 x 200" in reasons["small.png"]
    assert str(tmp_path) not in str(reasons)


def test_scan_does_not_depend_on_workers(tmp_path: Path) -> None:
    """One process and two find the same paintings, and report progress to the end."""
    write_paintings(tmp_path, 70)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    seen: list[tuple[str, int, int]] = []
    one = open_source(str(tmp_path), size=SIZE)
    two = open_source(str(tmp_path), size=SIZE, workers=2, progress=lambda *args: seen.append(args))
    assert one == two
    assert seen[0] == ("reading paintings", 0, 71)
    assert seen[-1] == ("reading paintings", 71, 71)


def test_index_gives_titles_and_licences(tmp_path: Path) -> None:
    """What index.csv says of a file travels with it; files that it does not name are unknown."""
    write_paintings(tmp_path, 2)
    digest = hashlib.sha256((tmp_path / "painting-0.jpg").read_bytes()).hexdigest()
    row = {
        "file": "painting-0.jpg",
        "title": "Näher am See",
        "artist": "",
        "licence": "CC0-1.0",
        "sha256": digest.upper(),
    }
    write_index(tmp_path, [row])
    source = open_source(str(tmp_path), size=SIZE)
    first, second = source.paintings
    assert (first.title, first.artist, first.licence, first.source) == (
        "Näher am See",
        "",
        "CC0-1.0",
        "unknown",
    )
    assert (second.title, second.licence) == ("", "unknown")


def test_index_that_contradicts_the_folder(tmp_path: Path) -> None:
    """A file that is not the one whose licence was given is skipped, and so is one that is missing."""
    write_paintings(tmp_path, 2)
    write_index(
        tmp_path, [{"file": "painting-0.jpg", "sha256": "0" * 64}, {"file": "lost.jpg", "sha256": ""}]
    )
    source = open_source(str(tmp_path), size=SIZE)
    assert [painting.id for painting in source.paintings] == ["painting-1.jpg"]
    reasons = {item.path: item.reason for item in source.skipped}
    assert reasons["lost.jpg"] == "listed in index.csv, but not there"
    assert "is not the one in index.csv" in reasons["painting-0.jpg"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("title\nx\n", "expected a column 'file'"),
        ("", "expected a column 'file'"),
        ("file,title\na.jpg\n", "line 2: expected 2 cells"),
        ("file,title\na.jpg,b,c\n", "line 2: expected 2 cells"),
        ('file,title\n"a.jpg"x,b\n', "cannot be read"),
    ],
)
def test_malformed_index(tmp_path: Path, text: str, reason: str) -> None:
    """A malformed index.csv is an error that names the place."""
    write_paintings(tmp_path, 1)
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(SourceError, match=reason):
        open_source(str(tmp_path), size=SIZE)


def test_fingerprint_follows_what_can_change_a_row(tmp_path: Path) -> None:
    """Another licence or another file is another fingerprint; another place on the disk is not."""
    here = write_paintings(tmp_path / "here", 2)
    there = write_paintings(tmp_path / "there", 2)
    before = open_source(str(here), size=SIZE).fingerprint
    assert open_source(str(there), size=SIZE).fingerprint == before
    write_index(there, [{"file": "painting-0.jpg", "licence": "CC0-1.0"}])
    write_paintings(here, 3)
    after = {open_source(str(folder), size=SIZE).fingerprint for folder in (here, there)}
    assert len(after | {before}) == 3


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    """A source that is missing, a file, empty or full of rubbish is an error that names it."""
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "rubbish").mkdir()
    for number in range(5):
        (tmp_path / "rubbish" / f"{number}.jpg").write_text("no image")
    for name, reason in {
        "missing": "does not exist: expected 'procedural' or a folder",
        "file": "is a file",
        "empty": "holds no image: expected files ending in .jpg",
        "rubbish": r"holds no usable image .*0\.jpg: not a JPEG.*and 2 more",
    }.items():
        with pytest.raises(SourceError, match=reason):
            open_source(str(tmp_path / name), size=SIZE)


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be listed is an error that names it (simulated: root may list any)."""

    def refuse(path: os.PathLike[str]) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match=f"{tmp_path}: Permission denied"):
        open_source(str(tmp_path), size=SIZE)


def test_a_painting_that_changes_is_noticed(tmp_path: Path) -> None:
    """A file that was replaced or removed after the scan stops the work: rows would not be reproducible."""
    write_paintings(tmp_path, 2)
    source = open_source(str(tmp_path), size=SIZE)
    PIL.Image.fromarray(smooth_picture(30)).save(tmp_path / "painting-0.jpg")
    (tmp_path / "painting-1.jpg").unlink()
    with pytest.raises(SourceError, match="has changed since the start"):
        source.painting(0)
    with pytest.raises(SourceError, match="was there at the start, now: No such file"):
        source.painting(1)


def test_procedural_source() -> None:
    """Canvases are numbered without end, larger than the triplet, reproducible, and free of any licence."""
    source = open_source("procedural", size=(100, 70), seed=3)
    assert (source.endless, len(source), source.paintings, source.skipped) == (True, 0, (), ())
    assert source.painting(5).shape == (98, 140, 3)
    assert np.array_equal(source.painting(5), open_source("procedural", size=(100, 70), seed=3).painting(5))
    assert not np.array_equal(source.painting(5), source.painting(6))
    assert source.provenance(5).id == "procedural-3-0000005"
    assert source.provenance(5).licence == "CC0-1.0"
    others = [
        open_source("procedural", size=size, seed=seed) for size, seed in (((100, 70), 4), ((200, 70), 3))
    ]
    assert len({other.fingerprint for other in [source, *others]}) == 3


def test_reference_paintings(shared: Path, tmp_path: Path) -> None:
    """Paintings of the reference data are usable, CC0, and as their index says."""
    folder = shared / "data" / "paintings"
    (tmp_path / "index.csv").write_bytes((folder / "index.csv").read_bytes())
    for path in sorted(folder.glob("*.jpg"))[:10]:
        (tmp_path / path.name).symlink_to(path)
    source = open_source(str(tmp_path), size=SIZE)
    assert len(source) == 10
    assert collections.Counter(painting.licence for painting in source.paintings) == {"CC0-1.0": 10}
    assert {item.reason for item in source.skipped} == {"listed in index.csv, but not there"}
