"""Publishing weights: one version of one detector, complete or not at all, and used by its reference."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hub_datasets import adopted_hub  # noqa: F401  a fixture
from learned_samples import picture, write_weights
from local_hub import (
    READER,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)

from baselines.registry import get_detector
from baselines.weight_files import card_path, digest
from craqbench import cli
from craqbench.errors import UsageError
from craqbench.hub import Version
from craqbench.hub_errors import HubError
from craqbench.weights_publishing import publish_weights

pytestmark = client_warnings

REPO = "lab/net"
FIRST, NEXT = Version(1, 0, 0), Version(1, 1, 0)


@pytest.fixture(name="weights")
def tiny_weights(tmp_path: Path) -> Path:
    """Write random weights under the name that a run gives them, with a README of curves."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "README.md").write_text("# of the run\n\n## Curves\n\n| step | loss |\n")
    return write_weights(tmp_path / "run" / "craqnet.safetensors")


def text_of(hub: LocalHub, path: str) -> str:
    """Return a file of the model repository."""
    repository = hub.repository(REPO, "models")
    return hub.contents.path(repository.commit_of("v1.0.0").files[path]).read_text()


def test_publish_and_use(at_home: LocalHub, weights: Path) -> None:
    """One commit and a tag; whoever has the reference has the same detector."""
    before = {path: path.read_bytes() for path in weights.parent.iterdir()}
    done = publish_weights(weights, REPO, FIRST)
    repository = at_home.repository(REPO, "models")
    assert repository.tags == {"v1.0.0": done.sha}
    assert [commit.title for commit in repository.history("main")] == ["Version 1.0.0", "initial commit"]
    assert set(done.sent) == {"craqnet.safetensors", "craqnet.json", "README.md"}
    assert (done.created, done.private, done.kept) == (True, False, ())
    assert done.url == f"{at_home.endpoint}/{REPO}/tree/v1.0.0"
    assert str(done.reference) == f"{REPO}@v1.0.0#{digest(weights)}"
    assert before == {path: path.read_bytes() for path in weights.parent.iterdir()}
    image = picture(40, 50)
    ours = get_detector("craqnet", weights=str(weights), device="cpu")
    theirs = get_detector("craqnet", weights=str(done.reference), device="cpu")
    np.testing.assert_array_equal(ours.predict(image), theirs.predict(image))
    assert theirs.version == ours.version


def test_the_card(at_home: LocalHub, weights: Path) -> None:
    """The model card says how to use the weights, how they were made, and shows the run's curves."""
    publish_weights(weights, REPO, FIRST)
    told = text_of(at_home, "README.md")
    for words in (
        "license: apache-2.0\nlibrary_name: craqbench\n",
        "--method craqnet,weights=lab/net@v1.0.0",
        "craqbench train --method craqnet --steps 1",
        "Trained on: synthetic cracks only.",
        digest(weights),
        "## Curves\n\n| step | loss |",
    ):
        assert words in told
    info = at_home.api().model_info(REPO)
    assert "craquelure" in (info.tags or [])
    published = json.loads(text_of(at_home, "craqnet.json"))["published"]
    assert published == {"repository": REPO, "version": "1.0.0"}


def test_dry_run(at_home: LocalHub, weights: Path) -> None:
    """A dry run checks and tells, and leaves no repository."""
    done = publish_weights(weights, REPO, FIRST, dry_run=True)
    assert done.sha == ""
    assert len(done.sent) == 3
    assert ("models", REPO) not in at_home.repositories


def test_versions_are_never_changed(at_home: LocalHub, weights: Path, tmp_path: Path) -> None:
    """Neither a version nor weights are published twice; new ones under a new version are."""
    publish_weights(weights, REPO, FIRST)
    with pytest.raises(HubError, match=r"has version 1\.0\.0 already, with these weights"):
        publish_weights(weights, REPO, NEXT)
    (tmp_path / "new").mkdir()
    other = write_weights(tmp_path / "new" / "craqnet.safetensors", seed=1)
    with pytest.raises(HubError, match=r"has version 1\.0\.0 already, with other weights"):
        publish_weights(other, REPO, FIRST)
    publish_weights(other, REPO, NEXT)
    assert set(at_home.repository(REPO, "models").tags) == {"v1.0.0", "v1.1.0"}


def test_after_an_interruption(at_home: LocalHub, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed, but not tagged, is tagged by the same command."""
    with monkeypatch.context() as patch:
        patch.setattr("craqbench.hub.Repository.tag", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            publish_weights(weights, REPO, FIRST)
    assert not at_home.repository(REPO, "models").tags
    done = publish_weights(weights, REPO, FIRST)
    assert (done.sent, len(done.kept), done.bytes) == ((), 3, 0)
    assert at_home.repository(REPO, "models").tags == {"v1.0.0": done.sha}


def test_other_peoples_repositories(at_home: LocalHub, weights: Path) -> None:
    """A repository that holds something else is left alone."""
    api = at_home.api()
    api.create_repo(REPO)
    api.upload_file(path_or_fileobj=b"x", path_in_repo="other.safetensors", repo_id=REPO)
    with pytest.raises(HubError, match=r"holds other things \(other\.safetensors\)"):
        publish_weights(weights, REPO, FIRST)
    with pytest.raises(HubError, match="the login may create it under"):
        publish_weights(weights, "strangers/net", FIRST)


def test_public_stays_public(at_home: LocalHub, weights: Path) -> None:
    """A public repository is not taken for a private one."""
    at_home.api().create_repo(REPO)
    with pytest.raises(HubError, match="is public: expected a private one"):
        publish_weights(weights, REPO, FIRST, private=True)


def test_who_may(hub: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path) -> None:
    """Whoever may not write is told before anything is sent."""
    hub.add_repository("models", REPO)
    hub.adopt(monkeypatch, tmp_path / "home", token=READER)
    with pytest.raises(HubError, match="no right to do this"):
        publish_weights(weights, REPO, FIRST)


def test_what_is_no_weights(weights: Path, tmp_path: Path) -> None:
    """A pickle, a lone file and a card of others are refused before the Hub is asked."""
    (tmp_path / "w.safetensors").write_bytes(b"\x80\x04.")
    for path, message in (
        (tmp_path / "w.safetensors", "this is a pickle"),
        (tmp_path / "none.safetensors", "cannot be read"),
    ):
        with pytest.raises(UsageError, match=message):
            publish_weights(path, REPO, FIRST)
    card_path(weights).unlink()
    with pytest.raises(UsageError, match="there is no card"):
        publish_weights(weights, REPO, FIRST)


def test_command(at_home: LocalHub, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command tells what it would send, sends it, and says what to do with it."""
    words = ["publish-weights", str(weights), "--repo", REPO, "--version", "1.0.0"]
    assert cli.main([*words, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "nothing sent: this is a dry run" in out
    assert re.search(r"to send +3 files", out)
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert "detect PAINTING --method craqnet,weights=lab/net@v1.0.0" in out
    assert digest(weights) in out
    assert cli.main(words) == 2
    assert "craqbench: error: 'lab/net' on" in capsys.readouterr().err
    assert list(at_home.repository(REPO, "models").tags) == ["v1.0.0"]
