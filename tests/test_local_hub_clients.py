"""`datasets` and the chunked uploads of today's clients work against the local hub."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import numpy as np
import pyarrow as pa
import pytest
from local_hub import (
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401 - a fixture
)
from local_hub_samples import KIND, REPO, noise
from local_hub_xet import unpack

pytestmark = client_warnings


# A stream that Python's end finds alive aborts it now and then (github.com/apache/arrow/issues/45214), so
# this program ends without goodbyes.
LOAD = """
import json, os, sys
import datasets
repo, options = sys.argv[1], json.loads(sys.argv[2])
rows = datasets.load_dataset(repo, **options)
print(json.dumps([[row["id"], row["image"].size, row["image"].getpixel((3, 2))] for row in rows]), flush=True)
os._exit(0)
"""


@pytest.fixture
def pictures(hub: LocalHub, tmp_path: Path) -> list[list[Any]]:
    """Publish six rows with pictures in two shards, tag them, and go on; return the tagged rows."""
    made = np.random.default_rng(3).integers(0, 256, (6, 12, 16, 3)).astype(np.uint8)
    rows = datasets.Features({"id": datasets.Value("int64"), "image": datasets.Image()})
    data = datasets.Dataset.from_dict({"id": range(6), "image": list(made)}, features=rows)
    (tmp_path / "pictures" / "data").mkdir(parents=True)
    for shard in range(2):
        target = tmp_path / "pictures" / "data" / f"train-{shard:05d}-of-00002.parquet"
        data.shard(2, shard).to_parquet(target)
    api = hub.api()
    api.create_repo(REPO, private=True, **KIND)
    api.upload_folder(repo_id=REPO, folder_path=tmp_path / "pictures", **KIND)
    api.create_tag(REPO, tag="v1.0.0", **KIND)
    api.delete_file("data/train-00001-of-00002.parquet", REPO, **KIND)
    return [[i, [16, 12], [int(v) for v in made[i][2, 3]]] for i in range(6)]


def run(
    hub: LocalHub, home: Path, code: str, *arguments: str, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run Python on its own, with the hub for the Hub."""
    environment = {**hub.environment(home, **options), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, env=environment
    )


@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset(hub: LocalHub, pictures: list[list[Any]], tmp_path: Path, *, streaming: bool) -> None:
    """`load_dataset` of a tag gives the rows of that tag, whole or streamed, from nowhere else."""
    options = json.dumps({"split": "train", "revision": "v1.0.0", "streaming": streaming})
    done = run(hub, tmp_path / "home", LOAD, REPO, options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == pictures
    assert not hub.outside


def test_load_dataset_in_this_process(
    hub: LocalHub, pictures: list[list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The libraries of this process can be turned to the hub; the viewer's export is refused at once."""
    hub.adopt(monkeypatch, tmp_path / "home")
    assert huggingface_hub.whoami()["name"] == "writer"
    tagged = datasets.load_dataset(REPO, split="train", revision="v1.0.0", streaming=True)
    assert [row["id"] for row in tagged] == [row[0] for row in pictures]
    del tagged
    gc.collect()  # see LOAD
    assert not hub.outside
    newest = datasets.load_dataset(REPO, split="train")
    assert newest["id"][:] == [row[0] for row in pictures[:3]]
    assert hub.outside
    assert all("//datasets-server." in address for address in hub.outside)
    hub.adopt(monkeypatch, tmp_path / "elsewhere", token=None)
    with pytest.raises(datasets.exceptions.DatasetNotFoundError, match="cannot be accessed"):
        datasets.load_dataset(REPO, revision="v1.0.0")


PUBLISH = """
import sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("lab/cracks", repo_type="dataset", exist_ok=True)
api.upload_folder(repo_id="lab/cracks", repo_type="dataset", folder_path=sys.argv[1])
print(api.snapshot_download("lab/cracks", repo_type="dataset"))
"""


def test_chunks(hub: LocalHub, tmp_path: Path) -> None:
    """Through Xet a second version brings only the chunks that are new, from whichever machine it comes."""
    source = tmp_path / "source"
    source.mkdir()
    shard = source / "a.parquet"
    base, ramp = noise(2_000_000), np.arange(50_000, dtype=np.float32).tobytes()
    sent = []
    for home, content in (
        ("one", base + ramp),
        ("one", base[:900_000] + b"more" * 5_000 + base[900_000:] + ramp),
        ("two", base[:100_000] + b"other" + base[100_000:] + ramp),
    ):
        hub.calls.clear()
        shard.write_bytes(content)
        done = run(hub, tmp_path / home, PUBLISH, str(source), xet=True)
        assert done.returncode == 0, done.stderr
        assert (Path(done.stdout.strip()) / "a.parquet").read_bytes() == content
        sent.append(hub.calls.received("POST /v1/xorbs/"))
    assert hub.calls.count("PUT /large/") == hub.calls.count("GET /large/") == 0
    assert sent[0] > 2_000_000
    assert max(sent[1:]) < 400_000
    plain = hub.api().hf_hub_download(REPO, "a.parquet", cache_dir=tmp_path / "plain", **KIND)
    assert Path(plain).read_bytes() == shard.read_bytes()


def test_chunk_faults(hub: LocalHub, tmp_path: Path) -> None:
    """Through Xet, too, cuts and errors are survived, and what cannot be survived publishes nothing."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.parquet").write_bytes(noise(500_000))
    hub.faults.cut("POST /v1/xorbs", where="upload", after=100_000)
    hub.faults.answer(503, "POST /v1/shards", times=2)
    hub.faults.cut("GET /xorbs", where="download", after=200_000)
    done = run(hub, tmp_path / "home", PUBLISH, str(source), xet=True)
    assert done.returncode == 0, done.stderr
    assert [c.status for c in hub.calls.matching("POST /v1/shards")] == [503, 503, 200]
    (source / "a.parquet").write_bytes(noise(500_000, 1))
    hub.faults.answer(500, "POST /v1/xorbs", times=100)
    assert run(hub, tmp_path / "home", PUBLISH, str(source), xet=True).returncode == 1
    assert len(hub.repository(REPO).commits) == 2


def test_grouped_chunks() -> None:
    """A chunk whose bytes are grouped by their place in fours is put in order again."""
    data = noise(1_003)
    grouped = b"".join(data[start::4] for start in range(4))
    packed = pa.compress(grouped, codec="lz4", asbytes=True)
    head = bytes([0, *len(packed).to_bytes(3, "little"), 2, *len(data).to_bytes(3, "little")])
    assert unpack(head + packed) == data
