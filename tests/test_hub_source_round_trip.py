"""Paintings of the Hub become a published dataset; elsewhere, later, any row of it is made again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hub_datasets import REPO as PUBLISHED
from hub_datasets import is_whole
from hub_paintings import CARD, PICTURES, SOURCE, Shelf, rows_of, small_wikiart  # noqa: F401  one is a fixture
from local_hub import client_warnings, local_hub  # noqa: F401  one is a fixture

from craqbench import cli
from craqbench.dataset import load_manifest
from craqbench.shards import PICTURES as CELLS
from craqbench.shards import read_cells

pytestmark = client_warnings

LINE = ["generate", "--n", "9", "--recipe", "paper", "--size", "96x64", "--shard-size", "4", "--workers", "1"]


def another_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go on where nothing has been downloaded; return where paintings will be."""
    monkeypatch.setenv("CRAQBENCH_CACHE", str(folder / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
    return folder / "cache" / "hub" / "blocks"


def test_round_trip(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Generated, published, pulled elsewhere, and one row made again: the same bytes, by one download."""
    made, got, row = tmp_path / "made", tmp_path / "elsewhere" / "got", tmp_path / "row"
    assert cli.main([*LINE, "--source", f"{SOURCE}?genre=portrait", "--out", str(made)]) == 0
    publish = ["publish", str(made), "--repo", PUBLISHED, "--version", "1.0.0", "--workers", "1"]
    assert cli.main(publish) == 0
    assert is_whole(shelf.hub, made, "v1.0.0")
    expected = [cells for item in load_manifest(made)["shards"] for cells in read_cells(made / item["file"])]
    shutil.rmtree(made)
    shelf.put(
        {name: cells[::-1] for name, cells in rows_of(PICTURES).items()},
        card=CARD.replace("cc-by-4.0", "mit"),
    )
    blocks = another_machine(tmp_path / "elsewhere", monkeypatch)
    assert cli.main(["pull", f"{PUBLISHED}@1.0.0", "--out", str(got)]) == 0
    assert not blocks.exists()
    chosen = expected[5]
    assert chosen["licence"] == "cc-by-4.0"
    assert cli.main(["regenerate", str(got), "--row", chosen["id"], "--out", str(row)]) == 0
    assert "are those in data/" in capsys.readouterr().out
    for name in (name for name in CELLS if name in chosen):
        (path,) = row.glob(f"{chosen['id']}-{name}.*")
        assert path.read_bytes() == chosen[name]
    texts = json.loads((row / f"{chosen['id']}.json").read_text())
    assert texts == {name: cell for name, cell in chosen.items() if name not in CELLS}
    assert len(list(blocks.glob("*.arrow"))) == 1
