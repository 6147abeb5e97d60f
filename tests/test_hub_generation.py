"""Datasets made from paintings of the Hub: the same bytes everywhere, with few downloads."""

from __future__ import annotations

import collections
import hashlib
import io
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
from hub_paintings import (
    PICTURES,
    REPO,
    SOURCE,
    Shelf,
    manifest_of,
    rows_of,
    small_wikiart,  # noqa: F401  a fixture
)
from hypothesis import given, settings
from hypothesis import strategies as st
from local_hub import (
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)
from tiny import SIZE, tiny_config

from craqbench.cli import main
from craqbench.dataset import read_rows
from craqbench.errors import DatasetError, SourceError, StorageError
from craqbench.generation import generate
from craqbench.paintings import decode_painting
from craqbench.planning import plan
from craqbench.regeneration import regenerate
from craqbench.rows import pools_of
from craqbench.sources import MOST_TRIES, candidates, draw, open_source
from craqbench.verification import verify
from generators.recipes import RECIPES

if TYPE_CHECKING:
    import numpy.typing as npt

pytestmark = client_warnings

QUIET = settings(max_examples=60, deadline=None, derandomize=True)

Numbers = list[int]


def digests(folder: Path) -> dict[str, str]:
    """Return sha256 of every shard of a dataset."""
    paths = sorted((folder / "data").iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def numbers_of(folder: Path) -> Numbers:
    """Return which row of the repository each row of a dataset is made of."""
    return [int(row.painting.partition("#")[2]) for row in read_rows(folder)]


# --- which row uses which painting ------------------------------------------------------------------


@st.composite
def pools(draw_from: st.DrawFn) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draw numbers of paintings, and where blocks of all paintings begin; some may be empty in the pool."""
    sizes = draw_from(st.lists(st.integers(1, 6), min_size=1, max_size=8))
    starts = np.cumsum([0, *sizes[:-1]])
    chosen = draw_from(st.sets(st.integers(0, sum(sizes) - 1), min_size=1))
    return np.array(sorted(chosen)), starts


@QUIET
@given(made=pools(), seed=st.integers(0, 2**62), epoch=st.integers(0, 3))
def test_epochs_use_each_painting_once(made: Any, seed: int, epoch: int) -> None:
    """A run of as many rows as paintings uses each once, and finishes a block before the next begins."""
    pool, blocks = made
    first = [next(candidates(seed, epoch * len(pool) + i, pool, blocks)) for i in range(len(pool))]
    assert sorted(first) == pool.tolist()
    visited = (np.searchsorted(blocks, first, side="right") - 1).tolist()
    runs = [block for i, block in enumerate(visited) if i == 0 or visited[i - 1] != block]
    assert len(runs) == len(set(runs))


@QUIET
@given(made=pools(), seed=st.integers(0, 2**62), data=st.data())
def test_next_choices_are_those_of_the_next_rows(made: Any, seed: int, data: st.DataObject) -> None:
    """The candidates of a row are the first choices of it and the rows after it in the epoch, in a ring."""
    pool, blocks = made
    index = data.draw(st.integers(0, 3 * len(pool) - 1))
    first = index - index % len(pool)
    ring = [next(candidates(seed, first + i, pool, blocks)) for i in range(len(pool))]
    turned = ring[index - first :] + ring[: index - first]
    assert list(candidates(seed, index, pool, blocks)) == turned


def test_orders_differ() -> None:
    """Epochs and seeds have orders of their own, of blocks and inside them."""
    pool, blocks = np.arange(60), np.arange(0, 60, 10)
    orders = [
        [next(candidates(seed, first + i, pool, blocks)) for i in range(60)]
        for seed, first in ((0, 0), (0, 60), (1, 0))
    ]
    assert len({tuple(order) for order in orders}) == 3
    assert len({tuple(number // 10 for number in order) for order in orders}) == 3


def test_splits_go_through_the_same_blocks() -> None:
    """The n-th blocks of two splits are the same: what one has fetched serves the other."""
    blocks = np.arange(0, 100, 10)
    train, test = np.arange(100)[np.arange(100) % 10 != 0], np.arange(0, 100, 10)
    of_test = [next(candidates(3, i, test, blocks)) // 10 for i in range(10)]
    of_train = [next(candidates(3, i, train, blocks)) // 10 for i in range(0, 90, 9)]
    assert of_test == of_train


@pytest.mark.usefixtures("shelf")
def test_splits_do_not_depend_on_the_commit(shelf: Shelf) -> None:
    """A commit that changes no file of pictures leaves each in its split."""
    config = tiny_config(SOURCE, splits=(("train", 0.7), ("test", 0.3)))
    before = pools_of(config, open_source(SOURCE, size=SIZE))
    (shelf.folder / "README.md").write_text("---\nlicense: mit\n---\n")
    shelf.publish()
    after = pools_of(config, open_source(SOURCE, size=SIZE))
    assert all(np.array_equal(before[name], after[name]) for name in ("train", "test"))
    assert sorted(np.concatenate(list(after.values()))) == list(range(22))


# --- the same bytes ---------------------------------------------------------------------------------


def test_dataset(shelf: Shelf, tmp_path: Path) -> None:
    """Rows are made of the paintings they name; the dataset is sound, pinned, and says whose it is."""
    generate(tiny_config(SOURCE), tmp_path / "out")
    rows = list(read_rows(tmp_path / "out"))
    assert sorted(numbers_of(tmp_path / "out")[:22]) == list(range(22))
    source = open_source(SOURCE, size=SIZE)
    for row in rows:
        number = int(row.painting.partition("#")[2])
        assert (row.licence, row.source) == ("cc-by-4.0", SOURCE)
        assert row.artist == source.provenance(number).artist
        assert "passed_over" not in row.meta
    assert verify(tmp_path / "out").ok
    manifest = manifest_of(tmp_path / "out")
    sha = shelf.hub.repository(REPO).branches["main"]
    assert manifest["options"]["source"] == f"hf://{REPO}@{sha}?column=image&split=train"
    told = manifest["source"]
    assert (told["kind"], told["revision"], told["images"], told["skipped"]) == ("hub", sha, 22, [])
    assert told["licences"] == {"cc-by-4.0": 22}
    card = (tmp_path / "out/README.md").read_text()
    assert "license: cc-by-4.0" in card
    assert f"22 images of the dataset `{REPO}`" in card
    assert sha in card


def test_workers_and_machines_agree(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker, two, and pieces on machines of their own make the same bytes, also after main has moved."""
    options: dict[str, Any] = {"splits": (("train", 0.75), ("test", 0.25)), "shard_size": 4, "n": 40}
    generate(tiny_config(SOURCE, **options), tmp_path / "one")
    pinned = manifest_of(tmp_path / "one")["options"]["source"]
    used = {
        split: {row.painting for row in read_rows(tmp_path / "one", split=split)}
        for split in ("train", "test")
    }
    assert not used["train"] & used["test"]
    monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path / "two workers"))
    generate(tiny_config(SOURCE, **options), tmp_path / "two", workers=2)
    assert (tmp_path / "two/manifest.json").read_bytes() == (tmp_path / "one/manifest.json").read_bytes()
    (shelf.folder / "README.md").write_text("moved")
    shelf.publish()
    for i in range(3):
        monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path / f"machine {i}"))
        generate(tiny_config(pinned, **options), tmp_path / "pieces", piece=(i, 3))
    assert digests(tmp_path / "one") == digests(tmp_path / "two") == digests(tmp_path / "pieces")
    assert (tmp_path / "pieces/manifest.json").read_bytes() == (tmp_path / "one/manifest.json").read_bytes()


def test_a_row_made_again(shelf: Shelf, tmp_path: Path) -> None:
    """One row is made again from the manifest alone, wherever the branch is by now."""
    generate(tiny_config(SOURCE, recipe=RECIPES["paper"], n=4), tmp_path / "out")
    (shelf.folder / "README.md").write_text("moved")
    shelf.publish()
    made = regenerate(tmp_path / "out", "2")
    assert made.cells["painting"] == list(read_rows(tmp_path / "out"))[2].painting


def test_moved_branch_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    """A dataset begun at one commit does not go on at another; the message names both."""
    generate(tiny_config(SOURCE), tmp_path / "out", piece=(0, 2))
    before = manifest_of(tmp_path / "out")["options"]["source"]
    (shelf.folder / "README.md").write_text("moved")
    shelf.publish()
    with pytest.raises(DatasetError, match="another configuration") as caught:
        generate(tiny_config(SOURCE), tmp_path / "out")
    assert f"--source: {before} there, hf://{REPO}@" in str(caught.value)
    assert generate(tiny_config(before), tmp_path / "out").complete


def test_few_downloads(shelf: Shelf, tmp_path: Path) -> None:
    """Shards of a dataset smaller than the repository fetch few row groups, each once."""
    generate(tiny_config(SOURCE, n=8), tmp_path / "out")
    blocks = list((tmp_path / "home/cache/hub/blocks").glob("*.arrow"))
    assert len(blocks) in (2, 3)
    shelf.hub.calls.clear()
    generate(tiny_config(SOURCE, n=8), tmp_path / "again")
    assert shelf.hub.calls.sent("GET /large/") == 0


def test_dry_run_fetches_one_row_group(shelf: Shelf, tmp_path: Path) -> None:
    """An estimate does not download half a repository."""
    planned = plan(tiny_config(SOURCE, n=22))
    assert shelf.hub.repositories
    assert [entry[2] for entry in planned.splits] == [22]
    assert len(list((tmp_path / "home/cache/hub/blocks").glob("*.arrow"))) <= 2


def test_bounded_cache(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for two of six row groups the bytes are the same, and there are never more than fit."""
    generate(tiny_config(SOURCE), tmp_path / "large")
    blocks = tmp_path / "small/hub/blocks"
    group = open_source(SOURCE, size=SIZE).index.groups[0]  # type: ignore[attr-defined]
    limit = 2 * group.unpacked + 8000
    monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path / "small"))
    monkeypatch.setenv("CRAQBENCH_CACHE_GB", repr(limit / 1e9))
    most = 0

    def look(*_: object) -> None:
        nonlocal most
        most = max(most, sum(path.stat().st_size for path in blocks.glob("*")) if blocks.exists() else 0)

    generate(tiny_config(SOURCE), tmp_path / "out", progress=look)
    assert digests(tmp_path / "out") == digests(tmp_path / "large")
    assert 0 < most <= limit
    monkeypatch.setenv("CRAQBENCH_CACHE_GB", "1e-6")
    monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path / "none"))
    with pytest.raises(StorageError, match=r"--cache-gb 1e-06: too small"):
        generate(tiny_config(SOURCE), tmp_path / "never")
    assert shelf.hub.repositories


def test_equal_pictures_count_each(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet keeps equal pictures once, the cache does not: it is within its bound all the same."""
    shelf.put(rows_of(PICTURES[:1] * 40), files=1, group=10)
    limit = 15 * len(PICTURES[0])
    monkeypatch.setenv("CRAQBENCH_CACHE_GB", repr(limit / 1e9))
    source = open_source(SOURCE, size=SIZE)
    for number in range(0, 40, 5):
        assert np.array_equal(source.painting(number), decode_painting(PICTURES[0]))
        files = list((tmp_path / "home/cache/hub/blocks").iterdir())
        assert [path.suffix for path in files] == [".arrow"]
        assert 10 * len(PICTURES[0]) < sum(path.stat().st_size for path in files) <= limit


# --- unusable pictures ------------------------------------------------------------------------------


def small() -> bytes:
    """Return a picture that is too small."""
    out = io.BytesIO()
    PIL.Image.new("RGB", (20, 200)).save(out, "PNG")
    return out.getvalue()


UNUSABLE: dict[int, tuple[bytes | None, str]] = {
    2: (None, "no image in this row"),
    5: (b"not a picture", "not a JPEG"),
    6: (PICTURES[6][:900], "broken image"),
    13: (small(), "20 x 200 px"),
}


@pytest.fixture(name="flawed")
def flawed_shelf(shelf: Shelf) -> Shelf:
    """Publish the paintings again, four of them spoilt."""
    shelf.put(rows_of([UNUSABLE.get(i, (data,))[0] for i, data in enumerate(PICTURES)]))
    return shelf


@pytest.mark.usefixtures("flawed")
def test_unusable_pictures_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next candidate stands in, alike on every machine; rows and manifest say for what, and why."""
    summary = generate(tiny_config(SOURCE, n=22), tmp_path / "one")
    rows = list(read_rows(tmp_path / "one"))
    used = collections.Counter(numbers_of(tmp_path / "one"))
    assert not used.keys() & UNUSABLE.keys()
    assert sorted(used) == [number for number in range(22) if number not in UNUSABLE]
    passed = [item for row in rows for item in row.meta.get("passed_over", [])]
    assert sorted({int(item["path"].partition("#")[2]) for item in passed}) == sorted(UNUSABLE)
    manifest = manifest_of(tmp_path / "one")
    skipped = {int(item["path"].partition("#")[2]): item["reason"] for item in manifest["source"]["skipped"]}
    assert all(reason in skipped[number] for number, (_, reason) in UNUSABLE.items())
    assert [item.path for item in summary.skipped] == [item["path"] for item in manifest["source"]["skipped"]]
    assert "4 images found unusable and replaced" in (tmp_path / "one/README.md").read_text()
    assert verify(tmp_path / "one").ok
    for i in range(2):
        monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path / f"machine {i}"))
        last = generate(tiny_config(SOURCE, n=22), tmp_path / "pieces", piece=(1 - i, 2))
    assert digests(tmp_path / "pieces") == digests(tmp_path / "one")
    assert (tmp_path / "pieces/manifest.json").read_bytes() == (tmp_path / "one/manifest.json").read_bytes()
    assert last.skipped == summary.skipped


@pytest.mark.usefixtures("flawed")
def test_who_stands_in(tmp_path: Path) -> None:
    """A stand-in is the first choice of the next row in the epoch whose first choice can be used."""
    source, pool = open_source(SOURCE, size=SIZE), np.arange(22)
    first = [next(candidates(0, i, pool, source.blocks)) for i in range(22)]
    for index, number in enumerate(first):
        drawn = draw(source, 0, index, pool)
        usable = next(n for n in first[index:] + first[:index] if n not in UNUSABLE)
        assert drawn.number == usable
        assert bool(drawn.passed_over) == (number in UNUSABLE)
    assert (tmp_path / "home/cache/hub").is_dir()


def test_no_usable_picture(shelf: Shelf, tmp_path: Path) -> None:
    """A column of thumbnails is an error that quotes one, after a bounded number of tries."""
    shelf.put(rows_of([small()] * (MOST_TRIES + 6)), files=1, group=10)
    source = open_source(SOURCE, size=SIZE)
    message = rf"{MOST_TRIES} paintings in a row cannot be used, such as {REPO}@\w+#\d+: 20 x 200 px"
    with pytest.raises(SourceError, match=message):
        draw(source, 0, 0, np.arange(len(source)))
    assert not (tmp_path / "out").exists()


# --- the command ------------------------------------------------------------------------------------


def test_command(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The command on the card makes the same dataset; --cache-gb bounds the cache and changes nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRAQBENCH_CACHE_GB", "1")  # restored at the end
    options = ["--n", "6", "--recipe", "paper", "--size", "96x64", "--workers", "1", "--out", "first"]
    source = f"{SOURCE}?style=Baroque&style=Early Renaissance"
    assert main(["generate", "--source", source, "--cache-gb", "0.001", *options]) == 0
    assert os.environ["CRAQBENCH_CACHE_GB"] == "0.001"
    card = (tmp_path / "first/README.md").read_text()
    command = shlex.split(next(line for line in card.splitlines() if line.startswith("craqbench generate")))
    (shelf.folder / "more.txt").write_text("moved")
    shelf.publish()
    assert main([*command[1:], "--out", "second", "--workers", "1"]) == 0
    assert digests(tmp_path / "first") == digests(tmp_path / "second")
    kept = [json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("first", "second")]
    assert kept[0] == kept[1]
    assert kept[0]["source"]["filters"] == {"style": ["Baroque", "Early Renaissance"]}
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "hf://lab/nothing"], "there is none, or it is private"),
        (["--source", "hf://lab/wikiart?style"], "expected COLUMN=VALUE"),
        (["--source", f"{SOURCE}@v7"], "no revision 'v7'"),
        (["--cache-gb", "0"], "got '0', expected GB, such as 20"),
    ],
)
@pytest.mark.usefixtures("shelf")
def test_command_says_what_is_wrong(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """What the user can mend is one message and exit code 2; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    assert main(["generate", *arguments, "--out", "out"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_preview(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A contact sheet shows the paintings that the rows of a dataset get."""
    monkeypatch.chdir(tmp_path)
    options = "--n 2 --size 96x64 --recipe paper --out sheet.png"
    assert main(["preview", "--source", SOURCE, *options.split()]) == 0
    assert "sheet.png" in capsys.readouterr().out
    assert shelf.hub.calls.count("GET /large/")
    assert decode_painting((tmp_path / "sheet.png").read_bytes()).shape[2] == 3
