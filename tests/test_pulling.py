"""Pulling: what arrives is what was published, whole and checked, or it does not get its name."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_datasets import (
    FIRST,
    REPO,
    adopted_hub,  # noqa: F401  a fixture
    make_dataset,
    publish_first,
    small_dataset,  # noqa: F401  a fixture
)
from local_hub import (
    STRANGER,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)

from craqbench import cli
from craqbench.dataset import load_manifest
from craqbench.errors import CraqbenchError, DatasetError, StorageError, UsageError
from craqbench.hub import Version
from craqbench.hub_errors import HubError
from craqbench.publishing import publish
from craqbench.pulling import Pulled, pull
from craqbench.verification import verify

pytestmark = client_warnings

KIND: dict[str, Any] = {"repo_type": "dataset"}
SHARD = "data/train-00001-of-00004.parquet"


@pytest.fixture
def published(at_home: LocalHub, dataset: Path) -> LocalHub:
    """Return a hub with version 1.0.0 on it, and nothing logged or in the way."""
    publish_first(dataset)
    at_home.calls.clear()
    return at_home


def pull_first(out: Path, **options: Any) -> Pulled:
    """Pull version 1.0.0."""
    return pull(REPO, FIRST, out, **options)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files under a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def is_pulled(out: Path, dataset: Path) -> bool:
    """Whether a folder holds the dataset, and the stamped texts; and nothing is left beside it."""
    found, expected = contents(out), contents(dataset)
    stamped = ("README.md", "manifest.json")
    same = all(found[name] == data for name, data in expected.items() if name not in stamped)
    return same and found.keys() == expected.keys() and list(out.parent.glob(".*.pull")) == []


# -- what arrives -------------------------------------------------------------------------------------------


def test_pull(published: LocalHub, dataset: Path, tmp_path: Path) -> None:
    """Every file arrives, is sound, and nothing else is left; rows are counted on the way."""
    told: list[tuple[str, int, int]] = []
    pulled = pull_first(tmp_path / "got", progress=lambda *word: told.append(word))
    assert is_pulled(tmp_path / "got", dataset)
    assert verify(tmp_path / "got").ok
    assert pulled.sha == published.repository(REPO).tags["v1.0.0"]
    assert pulled.manifest == load_manifest(tmp_path / "got")
    assert not pulled.was_there
    assert told[0] == ("downloading", 0, 12)
    assert told[-1] == ("downloading", 12, 12)


def test_pull_says_who_made_it(
    published: LocalHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command names the folder, the versions that made the dataset, and how to make a row again."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["pull", f"{REPO}@1.0.0"]) == 0
    out = capsys.readouterr().out
    versions = load_manifest(tmp_path / "cracks-1.0.0")["versions"]
    assert f"made by       craqbench {versions['craqbench']}, numpy {versions['numpy']}" in out
    assert "craqbench regenerate cracks-1.0.0 --row paper-0-0000000" in out
    assert published.repository(REPO).tags["v1.0.0"] in out


def test_versions(published: LocalHub, dataset: Path, tmp_path: Path) -> None:
    """Each version is pulled as it was; without a version it is the highest."""
    later = make_dataset(tmp_path / "later", n=15)
    publish(later, REPO, Version(1, 10, 0))
    publish(make_dataset(tmp_path / "fix", n=9), REPO, Version(1, 9, 0))
    published.api().delete_file("manifest.json", REPO, **KIND)
    pull_first(tmp_path / "old")
    assert is_pulled(tmp_path / "old", dataset)
    assert pull(REPO, None, tmp_path / "new").version == Version(1, 10, 0)
    assert is_pulled(tmp_path / "new", later)


def test_strangers_pull_what_is_public(
    published: LocalHub, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody needs a login to pull a public dataset, and nobody pulls a private one without."""
    monkeypatch.delenv("HF_TOKEN")
    pull_first(tmp_path / "got")
    assert is_pulled(tmp_path / "got", dataset)
    assert not any(call.signed_in for call in published.calls.matching())
    published.repository(REPO).private = True
    with pytest.raises(HubError, match="there is none, or it is private"):
        pull_first(tmp_path / "again")


def test_what_is_there(published: LocalHub, tmp_path: Path) -> None:
    """A folder with this version is checked and nothing is downloaded; a changed file in it is told."""
    pull_first(tmp_path / "got")
    published.calls.clear()
    assert pull_first(tmp_path / "got").was_there
    assert published.calls.count("/resolve/|/large/") == 0
    (tmp_path / "got" / SHARD).write_bytes(b"tampered")
    with pytest.raises(
        DatasetError, match=rf"{SHARD}: has 8 bytes with sha256 .*: expected lab/cracks@1.0.0"
    ):
        pull_first(tmp_path / "got")


@pytest.mark.usefixtures("published")
def test_taken_folders(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with anything else in it is left alone; an empty one is used, unless somebody stands in it."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(DatasetError, match=r"is not empty: expected a new folder, or lab/cracks@1.0.0 in it"):
        pull_first(tmp_path / "full")
    other = shutil.copytree(dataset, tmp_path / "other")
    with pytest.raises(DatasetError, match="holds another dataset: expected a new folder"):
        pull_first(other)
    with pytest.raises(StorageError, match=r"not a directory|Not a directory"):
        pull_first(tmp_path / "full" / "mine.txt")
    (tmp_path / "empty").mkdir()
    pull_first(tmp_path / "empty")
    assert is_pulled(tmp_path / "empty", dataset)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageError, match="is the current folder"):
        pull_first(Path())


# -- what is not as it should be ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [SHARD, "sample.png", "README.md", "manifest.json"])
@pytest.mark.parametrize("longer", [False, True])
def test_tampered_content(published: LocalHub, tmp_path: Path, name: str, *, longer: bool) -> None:
    """A file that was changed behind the Hub's back is found out, and the folder does not get its name."""
    file = published.file(REPO, name, "v1.0.0")
    data = file.read_bytes()
    file.write_bytes(data.replace(b"a", b"aa") if longer else data[:-1] + b"!")
    with pytest.raises(CraqbenchError, match=rf"{name} as the Hub sends it has|Consistency check"):
        pull_first(tmp_path / "got")
    assert not (tmp_path / "got").exists()
    file.write_bytes(data)
    pull_first(tmp_path / "got")


def republish(hub: LocalHub, **files: bytes | None) -> None:
    """Change the tagged commit, as nobody should."""
    api = hub.api()
    for name, data in files.items():
        path = {"shard": SHARD, "manifest": "manifest.json", "sample": "sample.png"}[name]
        if data is None:
            api.delete_file(path, REPO, **KIND)
        else:
            api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=REPO, **KIND)
    api.delete_tag(REPO, tag="v1.0.0", **KIND)
    api.create_tag(REPO, tag="v1.0.0", **KIND)
    hub.calls.clear()


def test_a_moved_tag(published: LocalHub, dataset: Path, tmp_path: Path) -> None:
    """A tag on files that are not those of its manifest is found out before they are downloaded."""
    republish(published, shard=(dataset / SHARD).read_bytes()[:-1] + b"!")
    with pytest.raises(DatasetError, match=rf"{SHARD} on the Hub has .* as its manifest says"):
        pull_first(tmp_path / "got")
    assert published.calls.count("GET /large/") == 0
    republish(published, shard=None)
    with pytest.raises(DatasetError, match=rf"lab/cracks@1.0.0 has no {SHARD}: expected all files"):
        pull_first(tmp_path / "got")
    republish(published, shard=(dataset / SHARD).read_bytes(), sample=None)
    with pytest.raises(DatasetError, match=r"has no sample.png: expected a complete dataset"):
        pull_first(tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_a_hostile_manifest(published: LocalHub, dataset: Path, tmp_path: Path) -> None:
    """A manifest cannot make us write where we should not; one that is not ours is not read."""
    manifest = load_manifest(dataset)
    manifest["shards"][0]["file"] = "../outside.parquet"
    republish(published, manifest=json.dumps(manifest).encode())
    with pytest.raises(DatasetError, match=r"names a file '../outside.parquet': expected such as data/"):
        pull_first(tmp_path / "got")
    for name, value in (("shards", [{}]), ("complete", False), ("rows", 13), ("seed", "0"), ("versions", 1)):
        republish(published, manifest=json.dumps({**load_manifest(dataset), name: value}).encode())
        with pytest.raises(DatasetError, match=r"its manifest.json lacks what each has"):
            pull_first(tmp_path / "got")
    republish(published, manifest=b'{"kind": "something else"}')
    with pytest.raises(
        DatasetError, match=r"lab/cracks@1.0.0 cannot be read by this craqbench: .*not of ours"
    ):
        pull_first(tmp_path / "got")
    republish(published, manifest=None)
    with pytest.raises(DatasetError, match=r"lab/cracks@1.0.0 has no manifest.json: expected a dataset that"):
        pull_first(tmp_path / "got")
    assert {path.name for path in tmp_path.iterdir()} <= {"hub", "home", ".got.pull"}


BAD = {
    "no such repository": ("lab/nothing@1.0.0", "there is none, or it is private"),
    "no such version": ("lab/cracks@2.0.0", "has no version 2.0.0: expected one of 1.0.0"),
    "no version at all": ("lab/empty", "has no version: expected a published dataset"),
    "no semantic version": ("lab/cracks@main", "version 'main': expected MAJOR.MINOR.PATCH"),
    "a malformed name": ("cracks@1.0.0", "repository 'cracks': expected ORG/NAME"),
    "a gated one": ("lab/gated", "it is gated: expected its terms accepted"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(
    name: str,
    published: LocalHub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bad input ends in one message and exit code 2, and leaves nothing behind."""
    reference, words = BAD[name]
    published.add_repository("datasets", "lab/empty")
    gated = published.add_repository("datasets", "lab/gated")
    published.api().create_tag("lab/gated", tag="v1.0.0", **KIND)
    change = published.api().upload_file
    change(path_or_fileobj=b"{}", path_in_repo="manifest.json", repo_id="lab/gated", **KIND)
    gated.tags["v1.0.0"] = gated.branches["main"]
    gated.gated = True
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert cli.main(["pull", reference]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("craqbench: error: ")
    assert len(err.splitlines()) == 1
    assert words in err
    assert not [path for path in (tmp_path / "work").iterdir() if path.name[0] != "."]


def test_unreachable_hub(published: LocalHub, dataset: Path, tmp_path: Path) -> None:
    """A Hub that cannot be reached is told as such, at the start and in the middle."""
    with published.down(), pytest.raises(HubError, match="the connection failed"):
        pull_first(tmp_path / "got")
    published.faults.cut("/large/", nth=2, times=10**6)
    with pytest.raises(HubError, match="the connection failed"):
        pull_first(tmp_path / "got")
    assert not (tmp_path / "got").exists()
    published.faults.clear()
    pull_first(tmp_path / "got")
    assert is_pulled(tmp_path / "got", dataset)


# -- the disk -----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a disk of 96 kB; skip where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a small disk, which only root may")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.usefixtures("published")
def test_full_disk(small_disk: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is told before anything large is downloaded, and when it runs out on the way, too."""
    with pytest.raises(StorageError, match=r"the disk has [\d,]+ bytes left: expected [\d,]+ for the rest"):
        pull_first(small_disk / "got")
    with monkeypatch.context() as patch:
        room = shutil.disk_usage(dataset)
        patch.setattr("shutil.disk_usage", lambda _: room)
        with pytest.raises(StorageError, match="No space left on device: expected free space"):
            pull_first(small_disk / "got")
    assert [path.name for path in small_disk.iterdir()] == [".got.pull"]
    subprocess.run(["mount", "-o", "remount,size=8M", str(small_disk)], check=True)
    pull_first(small_disk / "got")
    assert is_pulled(small_disk / "got", dataset)


def test_what_an_earlier_run_left(published: LocalHub, dataset: Path, tmp_path: Path) -> None:
    """Sound files of an earlier run are not downloaded again; damaged ones are, and others are removed."""
    part = tmp_path / ".got.pull"
    shutil.copytree(dataset / "data", part / "data")
    (part / SHARD).write_bytes(b"half")
    (part / "data" / "train-00000-of-00009.parquet").write_bytes(b"of another version")
    halves = part / ".cache" / "huggingface" / "download" / "data"
    halves.mkdir(parents=True)
    (halves / "x.incomplete").write_bytes(b"half")
    pull_first(tmp_path / "got")
    assert is_pulled(tmp_path / "got", dataset)
    assert published.calls.count("GET /large/") == 2, "the damaged shard and the sample"


def test_two_at_once(published: LocalHub, tmp_path: Path) -> None:
    """A second pull into the same folder does not disturb the first."""
    if sys.platform == "win32":
        pytest.skip("no locks of this kind")
    fcntl = pytest.importorskip("fcntl")
    part = tmp_path / ".got.pull"
    part.mkdir()
    handle = os.open(part, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(StorageError, match="is in use by another pull"):
        pull_first(tmp_path / "got")
    assert published.calls.count("/resolve/") == 0
    os.close(handle)
    pull_first(tmp_path / "got")


# -- interruptions ------------------------------------------------------------------------------------------


def test_cut_anywhere(published: LocalHub, dataset: Path, tmp_path: Path) -> None:
    """The connection is lost for good at twelve points: a second run ends it, and takes only what lacks."""
    pull_first(tmp_path / "clean")
    count = published.calls.count()
    rng = random.Random(0)  # noqa: S311  no secret
    for point in rng.sample(range(1, count + 1), 12):
        out = tmp_path / f"got-{point}"
        published.calls.clear()
        places: Any = rng.choice(("before", "processed", "download"))
        published.faults.cut(nth=point, times=10**6, where=places, after=rng.randrange(1, 3000))
        with pytest.raises(HubError, match="run the same command again"):
            pull_first(out)
        assert not out.exists()
        there = {path for path in contents(out.with_name(f".{out.name}.pull")) if ".cache" not in path}
        published.faults.clear()
        published.calls.clear()
        pull_first(out)
        assert is_pulled(out, dataset)
        fetched = published.calls.matching("GET .*/(large|resolve)/.*")
        asked = [call for call in fetched if call.status == 200]
        assert len(asked) == 7 - len(there), "files that were there came again"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_hub(published: LocalHub, dataset: Path, tmp_path: Path, status: int) -> None:
    """Errors that pass, at every kind of request, are outlived in one run."""
    kinds = (
        "GET /api/datasets/lab/cracks$",
        "/refs",
        "/revision/",
        "/tree/",
        "HEAD",
        "GET .*/resolve/",
        "/large/",
    )
    faults = [published.faults.answer(status, kind, times=2) for kind in kinds]
    pull_first(tmp_path / "got")
    assert is_pulled(tmp_path / "got", dataset)
    assert all(fault.exhausted for fault in faults)


def test_ctrl_c(
    published: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends with 130, says how to go on, and what has arrived is not downloaded again."""
    calls: list[str] = []

    def press(self: Any, repository: str, name: str, **options: Any) -> str:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(name)
        path: str = download(self, repository, name, **options)
        return path

    download = published.api().hf_hub_download.__func__  # type: ignore[attr-defined]
    line = ["pull", f"{REPO}@1.0.0", "--out", str(tmp_path / "got")]
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.HfApi.hf_hub_download", press)
        assert cli.main(line) == 130
    assert "got is not there yet; what has arrived is kept" in capsys.readouterr().err
    published.calls.clear()
    assert cli.main(line) == 0
    assert published.calls.count("GET /large/") == 3
