"""A dataset repository as a source of paintings, read by the real clients from a local hub."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import huggingface_hub
import numpy as np
import pyarrow as pa
import pytest
from hub_paintings import (
    ARTISTS,
    PICTURES,
    REPO,
    SCHEMA,
    SOURCE,
    Shelf,
    picture,
    rows_of,
    small_wikiart,  # noqa: F401  a fixture
    use,
)
from local_hub import (
    READER,
    STRANGER,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)
from tiny import SIZE, tiny_config

from craqbench.engines import StoppedError
from craqbench.errors import SourceError, StorageError
from craqbench.generation import generate
from craqbench.hub_client import read_range
from craqbench.paintings import decode_painting
from craqbench.sources import open_source

if TYPE_CHECKING:
    from craqbench.sources import Source

pytestmark = client_warnings


def opened(spec: str = SOURCE) -> Source:
    """Open a source."""
    return open_source(spec, size=SIZE)


def ids(source: Source) -> list[int]:
    """Return the rows of the repository that a source has."""
    return [int(source.provenance(number).id.partition("#")[2]) for number in range(len(source))]


def cached(tmp_path: Path) -> list[Path]:
    """Return what lies in the cache, locks aside."""
    return [path for path in sorted((tmp_path / "home/cache/hub/blocks").iterdir()) if path.is_file()]


# --- what a source is -------------------------------------------------------------------------------


def test_paintings(shelf: Shelf) -> None:
    """Row n of the source is row n of `load_dataset`, with artist, licence, and an id that never moves."""
    sha = shelf.hub.repository(REPO).branches["main"]
    source = opened()
    assert (source.kind, source.endless, len(source)) == ("hub", False, 22)
    assert (source.paintings, source.skipped) == ((), ())
    assert source.name == f"hf://{REPO}@{sha}?column=image&split=train"
    rows = datasets.load_dataset(REPO, split="train", revision=sha)
    for number, row in enumerate(rows):
        known = source.provenance(number)
        assert known.id == f"{REPO}@{sha}#{number}"
        assert (known.artist, known.title) == (ARTISTS[row["artist"]], "")
        assert (known.licence, known.source) == ("cc-by-4.0", SOURCE)
        assert np.array_equal(source.painting(number), np.asarray(row["image"]))


def test_only_what_is_used_is_fetched(shelf: Shelf, tmp_path: Path) -> None:
    """Opening reads footers and small columns; a painting brings its row group, and that once."""
    source = opened()
    # A file of this size is all footer: what ends within 64 kB of its end comes with it.
    before = shelf.hub.calls.count("GET /large/")
    source.painting(0)
    assert shelf.hub.calls.count("GET /large/") == before + 2  # the column and the footer
    for number in (1, 2, 3, 0):
        source.painting(number)
    assert shelf.hub.calls.count("GET /large/") == before + 2
    source.painting(4)
    assert shelf.hub.calls.count("GET /large/") == before + 4
    assert len(cached(tmp_path)) == 2


@pytest.mark.usefixtures("shelf")
def test_filters(tmp_path: Path) -> None:
    """Of one column any of the values, of several columns each; class labels by name; ids as without."""
    style = [number % 4 % 3 for number in range(22)]
    assert ids(opened(f"{SOURCE}?style=Baroque")) == [n for n in range(22) if style[n] == 0]
    two = opened(f"{SOURCE}?style=Impressionism&style=Early Renaissance")
    assert ids(two) == [n for n in range(22) if style[n] in (1, 2)]
    both = opened(f"{SOURCE}?style=Baroque&artist=claude-monet&genre=portrait")
    assert ids(both) == [n for n in range(22) if style[n] == 0 and n % 3 == 0 and n % 2 == 1]
    assert np.array_equal(both.painting(0), decode_painting(PICTURES[ids(both)[0]]))
    assert cached(tmp_path)[0].stat().st_size < 2 * len(PICTURES[0])  # the block has one picture of four
    assert both.facts["filters"] == {"artist": ["claude-monet"], "genre": ["portrait"], "style": ["Baroque"]}
    assert opened(f"{SOURCE}?style=Baroque&genre=portrait").fingerprint != both.fingerprint


def test_titles_licences_and_plain_values(shelf: Shelf) -> None:
    """Titles and licences of the rows are taken where there are some; texts, numbers and truths filter."""
    schema = pa.schema(
        [("image", SCHEMA.arrow_schema.field("image").type), ("title", pa.string()), ("license", pa.string()),
         ("year", pa.int32()), ("signed", pa.bool_())],
    )  # fmt: skip
    columns = {
        "image": rows_of(PICTURES[:4])["image"],
        "title": ["Näher am See", None, "B", "B"],
        "license": ["CC0-1.0", None, "", "CC0-1.0"],
        "year": [1888, 1888, None, 1901],
        "signed": [True, False, True, None],
    }
    shelf.put(columns, schema, files=1)
    source = opened(f"{SOURCE}?column=image&year=1888&year=1901")
    told = [(p.title, p.artist, p.licence) for p in map(source.provenance, range(len(source)))]
    assert told == [("Näher am See", "", "CC0-1.0"), ("", "", "cc-by-4.0"), ("B", "", "CC0-1.0")]
    assert source.facts["licences"] == {"CC0-1.0": 2, "cc-by-4.0": 1}
    assert ids(opened(f"{SOURCE}?column=image&signed=true&title=B")) == [2]
    assert ids(opened(f"{SOURCE}?column=image&title=Näher%20am See")) == [0]


def test_schema_by_card_only(shelf: Shelf) -> None:
    """Where files do not say what their columns mean, the card does."""
    features = "".join(
        f"  - name: {name}\n    dtype:\n      class_label:\n        names:\n"
        + "".join(f"          '{n}': {label}\n" for n, label in enumerate(SCHEMA[name].names))
        for name in ("artist", "genre", "style")
    )
    card = f"---\ndataset_info:\n  features:\n  - name: image\n    dtype: image\n{features}---\n"
    shelf.put(rows_of(PICTURES[:8]), SCHEMA.arrow_schema.remove_metadata(), files=1, card=card)
    source = opened(f"{SOURCE}?style=Baroque")
    assert ids(source) == [0, 3, 4, 7]
    assert source.provenance(0).artist == "claude-monet"
    assert source.provenance(0).licence == "unknown"


def test_splits_configurations_and_columns(shelf: Shelf) -> None:
    """Split, configuration and column are those asked for; by default "train", or the only split."""
    features = datasets.Features({"before": datasets.Image(), "after": datasets.Image()})
    two = {"before": rows_of(PICTURES[:2])["image"], "after": rows_of(PICTURES[2:4])["image"]}
    other = Shelf(shelf.hub, shelf.folder.with_name("other"), "lab/other")
    listed = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: {split}\n    path: {name}/*.parquet\n"
        for name, split in (("plain", "test"), ("cleaned", "validation"))
    )
    card = f"---\nconfigs:\n{listed}license: other\nlicense_name: house\n---\n"
    other.put(two, features.arrow_schema, files=1, pattern="cleaned/{}-{}.parquet", card=card)
    other.put(rows_of(PICTURES[5:9]), files=2, pattern="plain/{}-{}.parquet", card=card, keep=True)
    with pytest.raises(SourceError, match="Config name is missing"):
        opened("hf://lab/other")
    assert len(opened("hf://lab/other?config=plain")) == 4
    with pytest.raises(SourceError, match=r"several columns of images: expected column=before\|after"):
        opened("hf://lab/other?config=cleaned")
    source = opened("hf://lab/other?config=cleaned&column=after&split=validation")
    assert np.array_equal(source.painting(1), decode_painting(PICTURES[3]))
    assert source.provenance(0).licence == "house"
    assert "config=cleaned" in source.name


# --- the revision -----------------------------------------------------------------------------------


def test_pinned(shelf: Shelf) -> None:
    """The name of a source means the same after the repository has changed."""
    shelf.hub.api().create_tag(REPO, tag="v1", repo_type="dataset")
    first, tagged = opened(), opened(f"{SOURCE}@v1")
    assert tagged.fingerprint == first.fingerprint == opened(first.name).fingerprint
    shelf.put(rows_of([picture(99), *PICTURES[1:]]))
    newer = opened()
    assert newer.fingerprint != first.fingerprint
    again = [opened(name) for name in (first.name, f"{SOURCE}@v1", f"{SOURCE}@{first.facts['revision']}")]
    assert {source.fingerprint for source in again} == {first.fingerprint}
    assert np.array_equal(again[0].painting(0), decode_painting(PICTURES[0]))
    assert np.array_equal(newer.painting(0), decode_painting(picture(99)))


def test_warm_cache_needs_no_hub(shelf: Shelf) -> None:
    """What was used before is there without a network; a branch then means what it meant the last time."""
    source = opened(f"{SOURCE}?style=Baroque")
    pictures = [source.painting(number) for number in range(len(source))]
    with shelf.hub.down():
        for name in (source.name, f"{SOURCE}?style=Baroque"):
            again = opened(name)
            assert again.fingerprint == source.fingerprint
            for number, expected in enumerate(pictures):
                assert np.array_equal(again.painting(number), expected)
        with pytest.raises(SourceError, match="the Hub cannot be reached"):
            opened(f"{SOURCE}?style=Impressionism")


def test_offline_mode(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE is obeyed: nothing is asked, and what is not there is said to be missing."""
    source = opened()
    source.painting(0)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    shelf.hub.calls.clear()
    again = opened()
    assert np.array_equal(again.painting(0), source.painting(0))
    with pytest.raises(SourceError, match="HF_HUB_OFFLINE is set"):
        again.painting(20)
    assert shelf.hub.calls.count() == 0
    monkeypatch.undo()
    huggingface_hub.close_session()


# --- what cannot be used ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hf://lab/nothing", "there is none, or it is private"),
        ("hf://lab/.git", "expected hf://ORG/NAME"),
        (f"{SOURCE}@v9", "has no revision 'v9'"),
        (f"{SOURCE}@{'0' * 40}", "has no revision '0000"),
        (f"{SOURCE}?split=test", "split 'test': expected split=train"),
        (f"{SOURCE}?config=large", "BuilderConfig 'large' not found"),
        (f"{SOURCE}?column=picture", "has no column 'picture': expected one of image"),
        (f"{SOURCE}?column=artist", "column 'artist' is int64: expected images, stored as bytes"),
        (f"{SOURCE}?styl=Baroque", "has no column 'styl' of texts or numbers; did you mean style?"),
        (f"{SOURCE}?image=x", "has no column 'image' of texts or numbers"),
        (f"{SOURCE}?style=baroque", "style 'baroque' is none of its classes; did you mean Baroque?"),
        (f"{SOURCE}?style=Rococo", "expected one of Baroque, Impressionism, Early Renaissance"),
        (f"{SOURCE}?style=Baroque&artist=rembrandt&genre=x", "genre 'x' is none of its classes"),
    ],
)
def test_what_is_not_there(shelf: Shelf, spec: str, message: str) -> None:
    """One message says what is missing, and what there is instead."""
    assert shelf.hub.repositories
    with pytest.raises(SourceError) as caught:
        opened(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_row_fits(shelf: Shelf) -> None:
    """Filters that leave nothing are an error, each alone or all together."""
    columns = rows_of(PICTURES[:3])
    shelf.put({**columns, "style": [0, 0, 0]}, files=1)
    with pytest.raises(SourceError, match="has no row with style Impressionism: expected one of Baroque"):
        opened(f"{SOURCE}?style=Impressionism")
    with pytest.raises(SourceError, match="none of 3 rows fits artist rembrandt, genre landscape"):
        opened(f"{SOURCE}?genre=landscape&artist=rembrandt")


def test_no_paintings_in_the_repository(shelf: Shelf) -> None:
    """A repository without Parquet files, or without images, says what was expected."""
    loose = Shelf(shelf.hub, shelf.folder.with_name("loose"), "lab/loose")
    loose.folder.mkdir()
    (loose.folder / "one.jpg").write_bytes(PICTURES[0])
    loose.publish()
    with pytest.raises(SourceError, match=r"no Parquet files: .*@refs/convert/parquet"):
        opened("hf://lab/loose")
    shelf.hub.api().create_repo("lab/empty", repo_type="dataset")
    with pytest.raises(SourceError, match=r"lab/empty.*expected Parquet files"):
        opened("hf://lab/empty")
    texts = Shelf(shelf.hub, shelf.folder.with_name("texts"), "lab/texts")
    texts.put({"name": ["a", "b"]}, pa.schema([("name", pa.string())]), files=1)
    with pytest.raises(SourceError, match="no column of images among name: expected one, or column=NAME"):
        opened("hf://lab/texts")


def test_rights(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A gated or private repository is open to whoever the Hub's login lets in, and says so to others."""
    api = shelf.hub.api()
    api.update_repo_settings(REPO, gated="manual", repo_type="dataset")
    use(shelf.hub, monkeypatch, tmp_path / "stranger", token=STRANGER)
    with pytest.raises(SourceError, match="is gated: accept its terms there, and log in: hf auth login"):
        opened()
    use(shelf.hub, monkeypatch, tmp_path / "nobody", token=None)
    with pytest.raises(SourceError, match="gated"):
        opened()
    api.update_repo_settings(REPO, gated=False, private=True, repo_type="dataset")
    with pytest.raises(SourceError, match=r"there is none, or it is private.*hf auth login"):
        opened()
    use(shelf.hub, monkeypatch, tmp_path / "reader", token=READER)
    assert opened().painting(0).shape == (90, 120, 3)


def test_tokens_stay_where_they_are(shelf: Shelf, tmp_path: Path) -> None:
    """Neither dataset nor cache hold the token that the paintings were read with."""
    shelf.hub.api().update_repo_settings(REPO, private=True, repo_type="dataset")
    generate(tiny_config(SOURCE, n=3), tmp_path / "out")
    token = os.environ["HF_TOKEN"].encode()
    held = [
        path for folder in ("out", "home/cache") for path in (tmp_path / folder).rglob("*") if path.is_file()
    ]
    assert len(held) > 5
    assert not [path for path in held if token in path.read_bytes()]


def test_unreachable(shelf: Shelf) -> None:
    """With the Hub down and nothing in the cache, one message says so."""
    with (
        shelf.hub.down(),
        pytest.raises(SourceError, match=r"the Hub cannot be reached .* expected a network"),
    ):
        opened()


# --- a connection that breaks -----------------------------------------------------------------------


def test_files_that_differ(shelf: Shelf) -> None:
    """A file without a column that the first one has, and that is needed, is named."""
    few = SCHEMA.arrow_schema.remove(2)
    columns = {name: values for name, values in rows_of(PICTURES[:2]).items() if name != "genre"}
    shelf.put(columns, few, files=1, pattern="data/train-00003-of-00003.parquet", keep=True)
    assert len(opened()) == 24
    with pytest.raises(
        SourceError, match=r"train-00003.*no column 'genre': expected the columns of the split's"
    ):
        opened(f"{SOURCE}?genre=portrait")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_hub(shelf: Shelf, status: int) -> None:
    """Wherever the Hub says "later", the same is asked again."""
    faults = [
        shelf.hub.faults.answer(status, "GET /api/datasets/", times=2),
        shelf.hub.faults.answer(status, "GET .*/resolve/.*README"),
        shelf.hub.faults.answer(status, "POST .*/paths-info"),
        shelf.hub.faults.answer(status, "GET .*/resolve/.*parquet", nth=2, times=2),
        shelf.hub.faults.answer(status, "GET /large/", nth=4),
    ]
    source = opened()
    assert np.array_equal(source.painting(21), decode_painting(PICTURES[21]))
    assert all(fault.exhausted for fault in faults)


def test_hub_that_stays_busy(shelf: Shelf) -> None:
    """A Hub that says "later" for ever is reported, and so is one that refuses."""
    shelf.hub.faults.answer(503, "GET /api/datasets", times=100)
    with pytest.raises(SourceError, match="the Hub answered 503: it may pass, run the command again"):
        opened()
    shelf.hub.faults.clear()
    source = opened()
    shelf.hub.faults.answer(403, "GET .*/resolve/.*parquet", times=100)
    with pytest.raises(SourceError, match="the Hub answered 403: expected the right to read it"):
        source.painting(0)


@pytest.mark.parametrize("where", ["before", "download"])
def test_cut_connection(shelf: Shelf, where: Any) -> None:
    """A cut in the middle of anything is met by asking again."""
    fault = shelf.hub.faults.cut("GET /(api|large|datasets)", nth=1, times=1, where=where, after=10)
    source = opened()
    later = shelf.hub.faults.cut("GET /large/", where=where, after=1000)
    assert np.array_equal(source.painting(5), decode_painting(PICTURES[5]))
    assert fault.struck == later.struck == 1


def test_interrupted_download_goes_on(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has arrived before an end is not asked for again, by whichever process comes next."""
    source = opened()
    monkeypatch.setattr("craqbench.hub_source.PIECE", 500)
    monkeypatch.setattr("craqbench.hub_source._AT_ONCE", 2)
    shelf.hub.calls.clear()
    shelf.hub.faults.answer(403, "GET .*/resolve/", nth=7, times=100)
    with pytest.raises(SourceError, match="403"):
        source.painting(0)
    (part,) = cached(tmp_path)
    assert part.suffix == ".part"
    assert part.stat().st_size == 3000
    shelf.hub.faults.clear()
    shelf.hub.calls.clear()
    assert np.array_equal(opened(source.name).painting(0), decode_painting(PICTURES[0]))
    pieces = [call.sent for call in shelf.hub.calls.matching("GET /large/") if call.sent <= 500]
    size = source.index.groups[0].stop - source.index.groups[0].start  # type: ignore[attr-defined]
    assert sum(pieces) == size - 3000
    assert [path.suffix for path in cached(tmp_path)] == [".arrow"]


def test_footer_that_cannot_be_had(shelf: Shelf) -> None:
    """A Hub that refuses after the pictures have come is reported as such; they are not asked for again."""
    source = opened()
    shelf.hub.faults.answer(403, "GET .*/resolve/", nth=2, times=100)
    with pytest.raises(SourceError, match="the Hub answered 403"):
        source.painting(0)
    shelf.hub.faults.clear()
    shelf.hub.calls.clear()
    assert np.array_equal(source.painting(0), decode_painting(PICTURES[0]))
    assert shelf.hub.calls.count("GET /large/") == 1


@pytest.mark.usefixtures("shelf")
def test_stop_during_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is asked to stop does so between two pieces; what it has stays."""
    source, stop = opened(), threading.Event()
    monkeypatch.setattr("craqbench.hub_source.PIECE", 500)
    monkeypatch.setattr("craqbench.engines._Worker.stop", stop, raising=False)

    def read_and_stop(repository: str, sha: str, path: str, start: int, end: int) -> bytes:
        stop.set()
        return read_range(repository, sha, path, start, end)

    monkeypatch.setattr("craqbench.hub_source.read_range", read_and_stop)
    with pytest.raises(StoppedError):
        source.painting(0)
    assert [path.stat().st_size for path in cached(tmp_path)] == [2000]
    stop.clear()
    monkeypatch.setattr("craqbench.hub_source.read_range", read_range)
    assert np.array_equal(source.painting(0), decode_painting(PICTURES[0]))


@pytest.mark.usefixtures("shelf")
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full during a download is one clear error; what has arrived is used later."""
    source, sync = opened(), os.fsync

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="No space left on device: expected"):
        source.painting(0)
    monkeypatch.setattr(os, "fsync", sync)
    assert [path.suffix for path in cached(tmp_path)] == [".part"]
    assert np.array_equal(source.painting(0), decode_painting(PICTURES[0]))


@pytest.mark.usefixtures("shelf")
def test_damaged_download(tmp_path: Path) -> None:
    """Bytes that are no Parquet are reported and thrown away; the next run fetches them anew."""
    source = opened()
    group = source.index.groups[0]  # type: ignore[attr-defined]
    part = tmp_path / "home/cache/hub/blocks"
    part.mkdir()
    source.painting(0)
    (block,) = cached(tmp_path)
    block.unlink()
    block.with_suffix(".part").write_bytes(b"\x07" * (group.stop - group.start))
    again = opened()
    with pytest.raises(
        SourceError, match=r"train-00000-of-00003.parquet of dataset .* cannot be read: .* again"
    ):
        again.painting(0)
    assert np.array_equal(again.painting(0), decode_painting(PICTURES[0]))
    block = cached(tmp_path)[0]
    block.write_bytes(block.read_bytes()[:-200])
    assert np.array_equal(opened().painting(0), decode_painting(PICTURES[0]))


def test_file_that_is_no_parquet(shelf: Shelf) -> None:
    """A broken file in the repository is named."""
    (shelf.folder / "data/train-00001-of-00003.parquet").write_bytes(b"PAR1" * 100)
    shelf.publish()
    with pytest.raises(SourceError, match=r"train-00001-of-00003.parquet of dataset .* is no sound Parquet"):
        opened()
