"""Weights in model repositories of the Hub: fetched once, checked, and refused where they are others."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest
from hub_datasets import adopted_hub  # noqa: F401  a fixture
from huggingface_hub import constants
from learned_samples import CARD
from local_hub import (
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)

from baselines.weight_files import WeightsError, digest, read_card
from baselines.weight_hub import HubReference, find_weights, hub_client, parse_reference
from baselines.weights import save_weights

pytestmark = client_warnings

REPO = "lab/net"
SHA = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines.weight_hub._PAUSE", 0.0)


@pytest.fixture(name="published")
def published_weights(at_home: LocalHub, tmp_path: Path) -> LocalHub:
    """Put weights without any tensors into a model repository, tagged v1.0.0."""
    save_weights(tmp_path / "up" / "craqnet.safetensors", {}, CARD)
    (tmp_path / "up" / "craqnet.bin").write_bytes(b"a pickle")
    api = at_home.api()
    api.create_repo(REPO)
    api.upload_folder(repo_id=REPO, folder_path=tmp_path / "up")
    api.create_tag(REPO, tag="v1.0.0")
    return at_home


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("lab/net@v1.0.0", HubReference("lab/net", "v1.0.0")),
        ("hf://lab/net@main:a/b.safetensors", HubReference("lab/net", "main", "a/b.safetensors")),
        (f"lab/net@0a1b#{SHA}", HubReference("lab/net", "0a1b", "", SHA)),
        (f"lab/net@v1:w.safetensors#{SHA}", HubReference("lab/net", "v1", "w.safetensors", SHA)),
        ("lab/net", None),
        ("lab/net@", None),
        ("net@v1", None),
        ("../lab/net@v1", None),
        ("lab/net@v1#12", None),
        ("runs/best.safetensors", None),
    ],
)
def test_references(text: str, reference: HubReference | None) -> None:
    """ORG/NAME@REVISION, with a file and a digest if wished; all else is none."""
    assert parse_reference(text) == reference
    if reference:
        assert parse_reference(str(reference)) == reference


def test_fetched_once(published: LocalHub, tmp_path: Path) -> None:
    """Weights and card come from the Hub, and from the cache where it is out of reach later."""
    path = find_weights("craqnet", "lab/net@v1.0.0")
    assert read_card(path)["version"] == CARD["version"]
    assert digest(path) == digest(tmp_path / "up" / "craqnet.safetensors")
    with published.down():
        assert find_weights("craqnet", "lab/net@v1.0.0") == path
    named = f"lab/net@v1.0.0:craqnet.safetensors#{digest(path)}"
    assert find_weights("another", named) == path


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("lab/net@v9", "there is no revision 'v9'"),
        ("lab/none@v1", "there is no such repository, or it is private"),
        (
            "lab/net@v1.0.0:other.safetensors",
            "there is no 'other.json' in it: expected ORG/NAME@REVISION:FILE",
        ),
        ("lab/net@v1.0.0:craqnet.bin", "'craqnet.bin' is no safetensors file, and no other is fetched"),
        (f"lab/net@v1.0.0#{SHA}", f"expected sha256 {SHA}. Got "),
    ],
)
@pytest.mark.usefixtures("published")
def test_what_is_not_there(weights: str, message: str) -> None:
    """What the Hub has not, or has otherwise, is told with the reference."""
    with pytest.raises(WeightsError, match=re.escape(message)) as caught:
        find_weights("craqnet", weights)
    assert str(caught.value).startswith(f"weights {weights}: ")


def test_the_hub_is_out_of_reach(published: LocalHub) -> None:
    """Without network and without a copy it is said what would do instead."""
    told = r"the Hub cannot be reached \(.*refused\), and there is no copy here: expected a network"
    with published.down(), pytest.raises(WeightsError, match=told):
        find_weights("craqnet", "lab/net@v1.0.0")
    assert not constants.HF_HUB_OFFLINE


def test_nobody_is_asked_again_and_again(at_home: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without network two requests tell; the client's own attempts, with seconds between, do not begin."""
    asked: list[float] = []
    monkeypatch.setattr("huggingface_hub.utils._http.time", Waits(asked))
    with at_home.down(), pytest.raises(WeightsError, match="cannot be reached"):
        find_weights("craqnet", "lab/net@v1.0.0")
    assert asked == []


class Waits:
    """Stands in for the client's clock, and notes for how long it wants to wait."""

    def __init__(self, asked: list[float]) -> None:
        self._asked = asked
        self.time = time.time

    def sleep(self, seconds: float) -> None:
        """Note."""
        self._asked.append(seconds)


def test_a_hub_that_fails_now_and_then(published: LocalHub) -> None:
    """Where there is a network, the client is as patient as ever."""
    fault = published.faults.answer(503, "HEAD /lab/net/resolve/.*json", times=2)
    assert find_weights("craqnet", "lab/net@v1.0.0").is_file()
    assert fault.struck == 2


def test_an_address_that_nobody_answers_at(at_home: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent and never answered is given up after the client's own time, and the cache is asked."""
    assert at_home.endpoint
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.2)
        with hub_client() as lacking:
            assert constants.HF_HUB_OFFLINE
    assert lacking
    assert not constants.HF_HUB_OFFLINE


def test_offline_by_wish(published: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where HF_HUB_OFFLINE is set, nobody is asked, and the message says why."""
    published.calls.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"cannot be reached \(HF_HUB_OFFLINE is set\)"):
        find_weights("craqnet", "lab/net@v1.0.0")
    assert not published.calls.matching()
    assert constants.HF_HUB_OFFLINE


def test_a_file_comes_first(at_home: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of that name is taken before the Hub is asked; neither is said so."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        WeightsError, match="there is no such file: expected a safetensors file, or ORG/NAME@"
    ):
        find_weights("craqnet", "lab/net")
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "net@v1").write_bytes(b"")
    assert find_weights("craqnet", "lab/net@v1") == Path("lab/net@v1")
    assert not at_home.calls.matching()
