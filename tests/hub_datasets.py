"""A small dataset, published to the local hub, for the tests of publishing, pulling and regenerating."""

from __future__ import annotations

import hashlib
import types
from pathlib import Path
from typing import Any

import pytest
from local_hub import LocalHub

from craqbench.configuration import Config
from craqbench.dataset import load_manifest
from craqbench.generation import generate
from craqbench.hub import Version
from craqbench.publishing import Publication, publish
from generators.recipes import RECIPES, with_settings

REPO = "lab/cracks"
FIRST = Version(1, 0, 0)


def make_dataset(folder: Path, **options: Any) -> Path:
    """Make a dataset of 12 small rows in 4 shards of one split, as the command would."""
    recipe = with_settings(RECIPES["paper"], {"n_curves": (3, 5)})
    defaults: dict[str, Any] = {"n": 12, "recipe": recipe, "size": (96, 64), "shard_size": 3}
    generate(Config(**{**defaults, **options}), folder)
    return folder


@pytest.fixture(scope="session", name="dataset")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset on procedural canvases; tests must not change it."""
    return make_dataset(tmp_path_factory.mktemp("published") / "set")


@pytest.fixture(name="at_home")
def adopted_hub(hub: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalHub:
    """Return a local hub that this process takes for the Hub, and nobody waits."""
    hub.adopt(monkeypatch, tmp_path / "home")
    hurry(monkeypatch)
    return hub


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of ours wait before it tries again."""
    impatient = types.SimpleNamespace(sleep=lambda _: None)
    monkeypatch.setattr("craqbench.hub_errors.time", impatient)
    monkeypatch.setattr("craqbench.uploading.time", impatient)


def publish_first(dataset: Path, **options: Any) -> Publication:
    """Publish as version 1.0.0."""
    return publish(dataset, REPO, FIRST, **options)


def is_whole(hub: LocalHub, dataset: Path, revision: str) -> bool:
    """Whether a commit holds exactly a dataset's shards, by content, and its sample, card and manifest."""
    files = hub.repository(REPO).commit_of(revision).files
    shards = {item["file"]: item["sha256"] for item in load_manifest(dataset)["shards"]}
    found = {
        path: hashlib.sha256(hub.contents.path(entry).read_bytes()).hexdigest()
        for path, entry in files.items()
        if path.startswith("data/")
    }
    return found == shards and files.keys() >= {"README.md", "manifest.json", "sample.png"}
