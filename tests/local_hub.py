"""A local server that speaks the Hugging Face Hub's HTTP protocol, for tests with the real clients.

    with LocalHub(folder) as hub:
        api = hub.api()                                   # the real HfApi, with a token that may write
        api.create_repo("lab/cracks", repo_type="dataset")
        fault = hub.faults.cut("PUT /large/", nth=2, where="upload", after=1000)
        ...
        assert fault.struck == 1
        assert hub.calls.received("PUT /large/") < 10_000
        subprocess.run(..., env=hub.environment(tmp_path))  # any program that uses the Hub, in isolation

As on the Hub, contents of large files lie on a second origin. By default tests use LFS there, because a
plain log of objects is what most of them count; with ``xet=True`` clients cut files into chunks instead.
What differs from the Hub: no pull requests, discussions, buckets or ``.gitignore``; an anonymous request
for a repository that is not there carries "RepoNotFound", since clients infer it for https addresses only;
small files are not redirected to a cache; hashes of chunks are not recomputed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
import traceback
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import huggingface_hub
import local_hub_xet
import pytest
from local_hub_api import HUB
from local_hub_faults import Calls, Faults
from local_hub_http import Answer, Ask, Refusal, Routes, Site
from local_hub_repositories import ATTRIBUTES, Change, Contents, Repository
from local_hub_storage import STORAGE

if TYPE_CHECKING:
    from types import TracebackType

ORG = "lab"
WRITER, READER, STRANGER = "hf_localwriter", "hf_localreader", "hf_localstranger"
"""Tokens: of a member of `ORG` who may write; of one who may only read; of someone else."""


@dataclass(frozen=True)
class Account:
    """Someone with a token; `role` is the token's right, `orgs` those of the owner in organisations."""

    name: str
    role: Literal["read", "write"]
    orgs: Mapping[str, str] = field(default_factory=dict)

    def may_read(self, organisation: str) -> bool:
        """Return whether private things are seen."""
        return organisation == self.name or organisation in self.orgs

    def may_write(self, organisation: str) -> bool:
        """Return whether things are changed."""
        owner = organisation == self.name or self.orgs.get(organisation) == "write"
        return self.role == "write" and owner


ACCOUNTS = {
    WRITER: Account("writer", "write", {ORG: "write"}),
    READER: Account("reader", "read", {ORG: "read"}),
    STRANGER: Account("stranger", "write"),
}


class LocalHub:
    """A Hub in a folder, on two ports of the loopback, until it is closed.

    Parameters
    ----------
    folder
        Where contents are kept; made if absent.
    page_size
        Entries in one page of a listing.
    part_size
        Bytes from which an LFS upload is in several parts, and of each part.

    Attributes
    ----------
    calls, faults
        The log of requests, and faults on demand.
    accounts
        Token -> account; tests may add to it.
    repositories
        (kind, ORG/NAME) -> repository.
    unknown, outside
        Requests for which the hub has no answer; those that clients addressed to other hosts.
    errors
        Tracebacks of the hub's own faults: the fixture fails a test that leaves some.
    """

    def __init__(self, folder: Path, *, page_size: int = 1000, part_size: int = 50 << 20) -> None:
        self.folder, self.page_size, self.part_size = folder, page_size, part_size
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "parts").mkdir()
        self.contents = Contents(folder)
        self.xet = local_hub_xet.Xet(self)
        self.calls, self.faults = Calls(), Faults()
        self.lock = threading.RLock()
        self.accounts: dict[str, Account] = dict(ACCOUNTS)
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.unknown: list[str] = []
        self.outside: list[str] = []
        self.errors: list[str] = []
        self._secret = secrets.token_hex(8)
        self._sites: list[Site] = []
        self._ports = (0, 0)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after a stop, at the same addresses as before."""
        self._sites = [Site(self, r, p) for r, p in zip((HUB, STORAGE), self._ports, strict=True)]
        self._ports = (self._sites[0].server_port, self._sites[1].server_port)

    def stop(self) -> None:
        """Cut all connections and listen no more; what is stored remains."""
        while self._sites:
            self._sites.pop().close()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Be unreachable for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @property
    def endpoint(self) -> str:
        """What clients take for https://huggingface.co."""
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def storage(self) -> str:
        """The origin of large contents."""
        return f"http://127.0.0.1:{self._ports[1]}"

    def api(self, token: str | Literal[False] = WRITER) -> huggingface_hub.HfApi:
        """Return the real client; `token` False for an anonymous one."""
        return huggingface_hub.HfApi(endpoint=self.endpoint, token=token)

    def environment(self, home: Path, token: str | None = WRITER, *, xet: bool = False) -> dict[str, str]:
        """Return the environment of a process for which this is the Hub, and there is no other host.

        Caches and settings go into `home`. Requests to any other host come here as to a proxy and are
        refused at once (see `outside`).
        """
        foreign = ("HF_", "HUGGING")
        kept = {n: v for n, v in os.environ.items() if not n.startswith(foreign) and "proxy" not in n.lower()}
        return {
            **kept,
            **self._proxies(),
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_XET": "0" if xet else "1",
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "20ms",
            **({"HF_TOKEN": token} if token else {}),
        }

    def adopt(self, monkeypatch: pytest.MonkeyPatch, home: Path, token: str | None = WRITER) -> None:
        """Make this the Hub of `huggingface_hub` and `datasets` in this process, with caches in `home`.

        For code that asks the libraries which Hub there is. Retries do not wait, the token is in the
        environment, and files go through LFS.
        """
        huggingface_hub.close_session()
        for name, value in self._proxies().items():
            monkeypatch.setenv(name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        settings = {
            "huggingface_hub.constants.ENDPOINT": self.endpoint,
            "huggingface_hub.hf_api.api.endpoint": self.endpoint,  # of the functions outside classes
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE": (
                f"{self.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
            ),
            "huggingface_hub.constants.HF_HUB_DISABLE_XET": True,
            "huggingface_hub.constants.HF_HUB_CACHE": str(home / "hub"),
            "huggingface_hub.constants.HF_TOKEN_PATH": str(home / "token"),
            "huggingface_hub.constants.AGENT_HARNESSES_PATH": str(home / "agents.json"),
            "datasets.config.HF_UPDATE_DOWNLOAD_COUNTS": False,
            "datasets.config.HF_ENDPOINT": self.endpoint,
            "datasets.config.HUB_DATASETS_URL": (
                f"{self.endpoint}/datasets/{{repo_id}}/resolve/{{revision}}/{{path}}"
            ),
            "datasets.config.HF_DATASETS_CACHE": home / "datasets",
            "datasets.config.DOWNLOADED_DATASETS_PATH": home / "datasets" / "downloads",
            "datasets.config.EXTRACTED_DATASETS_PATH": home / "datasets" / "extracted",
        }
        for name, setting in settings.items():
            monkeypatch.setattr(name, setting)
        without_waiting(monkeypatch)

    def _proxies(self) -> dict[str, str]:
        found = {"http_proxy": self.endpoint, "https_proxy": self.endpoint, "no_proxy": "127.0.0.1"}
        return {name: value for n, value in found.items() for name in (n, n.upper())}

    def repository(self, name: str, kind: str = "datasets") -> Repository:
        """Return a repository, to look at its commits, branches and tags."""
        return self.repositories[kind, name]

    def add_repository(self, kind: str, name: str, *, private: bool = False) -> Repository:
        """Make a repository with the first commit that the Hub gives it."""
        made = Repository(kind, name, private)
        attributes = Change("add", ".gitattributes", self.contents.add(ATTRIBUTES.encode()))
        made.add_commit("main", [attributes], "initial commit", "", "system", None)
        self.repositories[kind, name] = made
        return made

    def file(self, name: str, path: str, revision: str = "main") -> Path:
        """Return where the content of a dataset's file lies, to look at it or to tamper with it."""
        return self.contents.path(self.repository(name).commit_of(revision).files[path])

    def account(self, ask: Ask) -> Account | None:
        """Return who asks; None if nobody says who."""
        if ask.token is None:
            return None
        if ask.token not in self.accounts:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return self.accounts[ask.token]

    def signature(self, path: str) -> str:
        """Return what proves that the hub gave out an address."""
        return hashlib.sha256(f"{self._secret}{path}".encode()).hexdigest()[:16]

    def sign(self, path: str) -> str:
        """Return an address on the storage origin that needs no token."""
        return f"{self.storage}{path}?signature={self.signature(path)}"

    def answer(self, routes: Routes, ask: Ask) -> Answer:
        """Answer a request; a fault of the hub itself is an error 500 and kept in `errors`."""
        found = routes.find(ask.method, ask.path)
        if found is None:
            self.unknown.append(f"{ask.method} {ask.path}")
            return Refusal(404, f"The local hub knows no {ask.method} {ask.path}").answer()
        endpoint, names = found
        try:
            return endpoint(self, Ask(ask.method, ask.path, ask.query, ask.headers, ask.body, names))
        except Refusal as refusal:
            return refusal.answer()
        except Exception:  # noqa: BLE001 - whatever it is, the test shall see it
            self.errors.append(traceback.format_exc())
            return Refusal(500, "The local hub failed").answer()

    def answer_stranger(self, address: str) -> Answer:
        """Refuse a request that is addressed to another host."""
        self.outside.append(address)
        return Refusal(404, f"There is no network beyond the local hub: {address}").answer()


client_warnings = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")
"""For the ``pytestmark`` of tests that upload: huggingface_hub 2.4 sends LFS files in a deprecated way."""


def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client retry in this process at once, and not after seconds."""
    impatient = types.SimpleNamespace(sleep=lambda _: None, time=time.time)
    monkeypatch.setattr("huggingface_hub.utils._http.time", impatient)
    monkeypatch.setattr("huggingface_hub.file_download.time", impatient)


@pytest.fixture(name="hub")
def local_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """Run a local hub, with LFS rather than Xet for clients in this process; fail if it failed.

    A test file imports it: ``from local_hub import local_hub  # noqa: F401`` and takes it as `hub`.
    """
    for name in ("XET", "PROGRESS_BARS", "TELEMETRY"):
        monkeypatch.setattr(f"huggingface_hub.constants.HF_HUB_DISABLE_{name}", True)
    with LocalHub(tmp_path / "hub") as hub:
        yield hub
        huggingface_hub.close_session()
    assert not hub.errors, hub.errors[0]
