"""A small dataset on the local hub, for the tests of the hub itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from local_hub import LocalHub

REPO = "lab/cracks"
KIND: dict[str, Any] = {"repo_type": "dataset"}
CARD = "---\ntags:\n- cracks\nlicense: cc0-1.0\n---\n# Cracks\n"


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that nothing compresses."""
    return np.random.default_rng(seed).bytes(size)


@pytest.fixture(name="folder")
def sample_folder(tmp_path: Path) -> Path:
    """Write a small dataset: a card, a table of checksums, three shards."""
    source = tmp_path / "source"
    (source / "data").mkdir(parents=True)
    (source / "README.md").write_text(CARD)
    (source / "checksums.txt").write_text("none\n")
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        (source / "data" / f"{name}.parquet").write_bytes(noise(40_000, seed))
    return source


@pytest.fixture(name="published")
def sample_hub(hub: LocalHub, folder: Path) -> LocalHub:
    """Publish it as version 1.0.0."""
    api = hub.api()
    api.create_repo(REPO, **KIND)
    api.upload_folder(repo_id=REPO, folder_path=folder, **KIND)
    api.create_tag(REPO, tag="v1.0.0", **KIND)
    return hub
