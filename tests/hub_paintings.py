"""A small dataset of paintings on the local hub, in the schema of huggan/wikiart."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_hub import LocalHub
from tiny import smooth_picture

REPO = "lab/wikiart"
SOURCE = f"hf://{REPO}"
CARD = "---\nlicense: cc-by-4.0\n---\n# Paintings\n"
ARTISTS = ["claude-monet", "rembrandt", "unknown"]
GENRES = ["landscape", "portrait"]
STYLES = ["Baroque", "Impressionism", "Early Renaissance"]
SCHEMA = datasets.Features(
    {
        "image": datasets.Image(),
        "artist": datasets.ClassLabel(names=ARTISTS),
        "genre": datasets.ClassLabel(names=GENRES),
        "style": datasets.ClassLabel(names=STYLES),
    }
)


def picture(number: int) -> bytes:
    """Return a small painting as a JPEG file, another for each number."""
    out = io.BytesIO()
    PIL.Image.fromarray(smooth_picture(number)).save(out, "JPEG", quality=95)
    return out.getvalue()


def rows_of(pictures: Sequence[bytes | None]) -> dict[str, list[Any]]:
    """Return the columns of a table with these pictures."""
    count = len(pictures)
    return {
        "image": [None if data is None else {"bytes": data, "path": None} for data in pictures],
        "artist": [number % 3 for number in range(count)],
        "genre": [number % 2 for number in range(count)],
        "style": [number % 4 % 3 for number in range(count)],
    }


@dataclass
class Shelf:
    """A repository on the local hub, filled by commits of whole folders."""

    hub: LocalHub
    folder: Path
    name: str = REPO

    def put(
        self,
        columns: dict[str, list[Any]],
        schema: pa.Schema | None = None,
        *,
        files: int = 3,
        group: int = 4,
        pattern: str = "data/train-{:05d}-of-{:05d}.parquet",
        card: str = CARD,
        keep: bool = False,
    ) -> str:
        """Write rows into Parquet files, publish them, and return the commit; old ones go unless kept."""
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        table = pa.Table.from_pydict(columns, schema or SCHEMA.arrow_schema)
        share = -(-table.num_rows // files)
        for number in range(files):
            path = self.folder / pattern.format(number, files)
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table.slice(number * share, share), path, row_group_size=group)
        (self.folder / "README.md").write_text(card)
        return self.publish()

    def publish(self) -> str:
        """Publish what is in the folder, and return the commit."""
        api = self.hub.api()
        api.create_repo(self.name, repo_type="dataset", exist_ok=True)
        made = api.upload_folder(
            repo_id=self.name, repo_type="dataset", folder_path=self.folder, delete_patterns="*"
        )
        return str(made.oid)


def use(hub: LocalHub, monkeypatch: pytest.MonkeyPatch, home: Path, **account: Any) -> None:
    """Make it the Hub of this process and of those that it starts, with fresh caches; never wait."""
    for name, value in hub.environment(home, **account).items():
        monkeypatch.setenv(name, value)
    hub.adopt(monkeypatch, home, **account)
    monkeypatch.setenv("CRAQBENCH_CACHE", str(home / "cache"))
    monkeypatch.delenv("CRAQBENCH_CACHE_GB", raising=False)
    monkeypatch.setattr("craqbench.hub_errors.WAITS", (0.0, 0.0, 0.0))


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of a dataset."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return manifest


PICTURES = [picture(number) for number in range(22)]


@pytest.fixture(name="shelf")
def small_wikiart(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Publish 22 paintings: three files of 8, 8 and 6 rows, in row groups of four."""
    use(hub, monkeypatch, tmp_path / "home")
    shelf = Shelf(hub, tmp_path / "shelf")
    shelf.put(rows_of(PICTURES))
    hub.calls.clear()
    return shelf
