"""The local hub fails where it is told to, and closes cleanly."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub.errors import (
    LocalEntryNotFoundError,
)
from local_hub import (
    WRITER,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401 - a fixture
    without_waiting,
)
from local_hub_samples import CARD, KIND, REPO, noise, sample_folder, sample_hub  # noqa: F401 - fixtures

pytestmark = client_warnings


def test_interrupted_download_is_resumed(
    published: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a cut in mid-file the client asks for the rest only, and gets it."""
    without_waiting(monkeypatch)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1_000)
    fault = published.faults.cut("GET /large/", where="download", after=30_000)
    path = published.api().hf_hub_download(REPO, "data/a.parquet", cache_dir=tmp_path / "cache", **KIND)
    assert Path(path).read_bytes() == noise(40_000, 1)
    assert fault.struck == 1
    assert [(c.status, c.sent, c.fault) for c in published.calls.matching("GET /large/")] == [
        (200, 30_000, True),
        (206, 10_000, False),
    ]


@pytest.mark.parametrize(
    ("pattern", "where", "after", "calls"),
    [
        ("POST .*/preupload/", "before", 0, 2),
        ("POST .*/objects/batch", "processed", 0, 2),
        ("PUT /large/", "before", 0, 4),
        ("PUT /large/", "upload", 10_000, 4),
        ("PUT /large/", "processed", 0, 4),
        ("POST /verify", "download", 1, 4),
    ],
)
def test_upload_survives_cuts(
    hub: LocalHub,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    where: Any,
    after: int,
    calls: int,
) -> None:
    """Wherever the connection is cut on the way of an upload, the client tries again and all arrives once."""
    without_waiting(monkeypatch)
    hub.api().create_repo(REPO, **KIND)
    fault = hub.faults.cut(pattern, where=where, after=after)
    hub.api().upload_folder(repo_id=REPO, folder_path=folder, **KIND)
    assert fault.struck == 1
    assert hub.calls.count(pattern) == calls
    assert len(hub.repository(REPO).commits) == 2
    assert hub.file(REPO, "data/a.parquet").read_bytes() == noise(40_000, 1)


def test_lost_answer(published: LocalHub) -> None:
    """A commit whose answer is lost has happened, which the client cannot know."""
    fault = published.faults.cut("POST .*/commit/", where="processed")
    upload = {"path_or_fileobj": b"1", "path_in_repo": "one.txt", "repo_id": REPO, **KIND}
    with pytest.raises(httpx2.RemoteProtocolError):
        published.api().upload_file(**upload)
    assert fault.exhausted
    assert published.file(REPO, "one.txt").read_bytes() == b"1"
    published.api().upload_file(**upload)
    assert published.calls.count("POST .*/commit/") == 2


@pytest.mark.parametrize(("code", "retry_after"), [(429, 0), (429, 1), (500, None), (503, None)])
def test_error_answers(
    published: LocalHub,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    retry_after: int | None,
) -> None:
    """The next n matching calls are answered with an error and nothing done; then all is well."""
    without_waiting(monkeypatch)
    (folder / "data" / "a.parquet").write_bytes(noise(40_000, 8))
    fault = published.faults.answer(code, "PUT /large/", times=3, retry_after=retry_after)
    published.calls.clear()
    published.api().upload_folder(repo_id=REPO, folder_path=folder, **KIND)
    assert [c.status for c in published.calls.matching("PUT /large/")] == [code] * 3 + [200]
    assert fault.exhausted
    assert published.calls.received("PUT /large/") == 160_000


def test_kth_call(published: LocalHub) -> None:
    """A fault may wait for the k-th call of all, and is forgotten on demand."""
    api = published.api()
    fault = published.faults.cut(nth=3)
    assert api.dataset_info(REPO).sha == api.dataset_info(REPO).sha
    with pytest.raises(httpx2.RemoteProtocolError):
        api.dataset_info(REPO)
    assert (fault.seen, fault.struck) == (3, 1)
    published.faults.answer(500, times=10)
    published.faults.clear()
    assert api.dataset_info(REPO).id == REPO


def test_unreachable_hub(published: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that is down refuses connections; when it is up again it has kept all, at the same address."""
    without_waiting(monkeypatch)
    api, endpoint = published.api(), published.endpoint
    with published.down():
        with pytest.raises(httpx2.ConnectError):
            api.dataset_info(REPO)
        with pytest.raises(LocalEntryNotFoundError):
            api.hf_hub_download(REPO, "README.md", cache_dir=tmp_path / "cache", **KIND)
    assert published.endpoint == endpoint
    assert Path(api.hf_hub_download(REPO, "README.md", cache_dir=tmp_path, **KIND)).read_text() == CARD


def test_closing(tmp_path: Path) -> None:
    """Closing ends all threads and connections, idle ones too, and frees the ports."""
    before = threading.active_count()
    hub = LocalHub(tmp_path / "hub")
    with httpx2.Client() as client:
        assert client.get(f"{hub.endpoint}/api/whoami-v2").status_code == 401
        assert threading.active_count() > before
        hub.stop()
        assert threading.active_count() == before
        with pytest.raises(httpx2.TransportError):
            client.get(f"{hub.endpoint}/api/whoami-v2")


def test_own_errors_are_kept(hub: LocalHub) -> None:
    """What the hub does not know is listed; what it fails in is an error 500 with its traceback kept."""
    with httpx2.Client(headers={"Authorization": f"Bearer {WRITER}"}) as client:
        assert client.get(f"{hub.endpoint}/api/nothing").status_code == 404
        assert client.post(f"{hub.endpoint}/api/repos/create", content=b"no json").status_code == 500
    assert hub.unknown == ["GET /api/nothing"]
    assert "JSONDecodeError" in hub.errors.pop()
