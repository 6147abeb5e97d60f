"""The local hub answers the real client as the Hub does."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfFileSystem
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from local_hub import (
    READER,
    STRANGER,
    WRITER,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401 - a fixture
)
from local_hub_repositories import Entry, git_id, tree_ids
from local_hub_samples import CARD, KIND, REPO, noise, sample_folder, sample_hub  # noqa: F401 - fixtures

pytestmark = client_warnings


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    """Return the status that made the client raise."""
    return error.value.response.status_code


def test_whoami(hub: LocalHub) -> None:
    """A token's owner, organisations and right are told; a false one and none are refused."""
    about = hub.api().whoami()
    assert (about["name"], about["orgs"][0]["name"]) == ("writer", "lab")
    assert about["auth"]["accessToken"]["role"] == "write"
    assert hub.api(READER).whoami()["auth"]["accessToken"]["role"] == "read"
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        hub.api("hf_false").whoami()


def test_create_repository(hub: LocalHub) -> None:
    """A repository is made once, with a first commit; a second time is a conflict or, if so wanted, fine."""
    api = hub.api()
    url = api.create_repo(REPO, private=True, **KIND)
    assert (url.repo_id, url.repo_type, str(url)) == (REPO, "dataset", f"{hub.endpoint}/datasets/{REPO}")
    with pytest.raises(HfHubHTTPError) as conflict:
        api.create_repo(REPO, **KIND)
    assert status(conflict) == 409
    assert api.create_repo(REPO, exist_ok=True, **KIND).repo_id == REPO
    assert api.list_repo_files(REPO, **KIND) == [".gitattributes"]
    assert api.dataset_info(REPO).private
    assert api.create_repo("mine").repo_id == "writer/mine"
    api.delete_repo(REPO, **KIND)
    assert not api.repo_exists(REPO, **KIND)


def test_upload_folder(published: LocalHub, folder: Path) -> None:
    """Files arrive whole; data go to the large storage, each once; text goes to git."""
    tree: dict[str, Any] = {f.path: f for f in published.api().list_repo_tree(REPO, recursive=True, **KIND)}
    assert set(tree) == {".gitattributes", "README.md", "checksums.txt", "data"} | {
        f"data/{n}.parquet" for n in "abc"
    }
    data = (folder / "data" / "a.parquet").read_bytes()
    assert tree["data/a.parquet"].lfs.sha256 == hashlib.sha256(data).hexdigest()
    assert tree["data/a.parquet"].size == tree["data/a.parquet"].lfs.size == 40_000
    assert tree["README.md"].lfs is None
    assert published.file(REPO, "data/b.parquet").read_bytes() == (folder / "data" / "b.parquet").read_bytes()
    assert published.calls.count("PUT /large/") == published.calls.count("POST /verify") == 3
    assert published.calls.received("PUT /large/") == 120_000


def test_repository_info(published: LocalHub) -> None:
    """Repository info has the commit, tags and front matter of the card, files with sizes if wanted."""
    info: Any = published.api().dataset_info(REPO, revision="v1.0.0", files_metadata=True)
    assert info.sha == published.repository(REPO).tags["v1.0.0"]
    assert info.tags == ["cracks"]
    assert info.card_data["license"] == "cc0-1.0"
    sizes = {s.rfilename: (s.size, s.lfs is not None) for s in info.siblings}
    assert sizes["data/a.parquet"] == (40_000, True)
    assert sizes["README.md"] == (len(CARD), False)
    assert published.api().dataset_info(REPO, expand=["sha"]).siblings is None


def test_unchanged_files_are_not_sent_again(published: LocalHub, folder: Path) -> None:
    """A second version asks for new contents only, and a moved file asks for none."""
    shutil.move(folder / "data" / "a.parquet", folder / "data" / "moved.parquet")
    (folder / "data" / "d.parquet").write_bytes(noise(7_000, 4))
    published.calls.clear()
    published.api().upload_folder(repo_id=REPO, folder_path=folder, delete_patterns="*", **KIND)
    assert published.calls.received("PUT /large/") == 7_000
    files = set(published.api().list_repo_files(REPO, **KIND))
    assert "data/moved.parquet" in files
    assert "data/a.parquet" not in files
    published.calls.clear()
    published.api().upload_folder(repo_id=REPO, folder_path=folder, **KIND)
    assert published.calls.count("commit/main") == published.calls.count("PUT ") == 0


def test_multipart_upload(tmp_path: Path, hub: LocalHub) -> None:
    """A file above the limit comes in parts and is joined."""
    hub.part_size = 30_000
    hub.api().create_repo(REPO, **KIND)
    (tmp_path / "a.parquet").write_bytes(noise(100_000))
    hub.api().upload_file(
        path_or_fileobj=tmp_path / "a.parquet", path_in_repo="a.parquet", repo_id=REPO, **KIND
    )
    assert [c.received for c in hub.calls.matching("PUT /parts/")] == [30_000, 30_000, 30_000, 10_000]
    assert hub.file(REPO, "a.parquet").read_bytes() == noise(100_000)
    assert not list((hub.folder / "parts").iterdir())


def test_commit_of_several_operations(published: LocalHub) -> None:
    """A commit adds, replaces and deletes at once, or does nothing if any of it is impossible."""
    api = published.api()
    changes: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationDelete("data/"),
        CommitOperationDelete("checksums.txt"),
        CommitOperationAdd("new/x.bin", noise(3_000)),
    ]
    api.create_commit(REPO, changes, commit_message="Change", commit_description="All.", **KIND)
    assert set(api.list_repo_files(REPO, **KIND)) == {".gitattributes", "README.md", "new/x.bin"}
    impossible: list[Any] = [CommitOperationAdd("y.txt", b"y"), CommitOperationDelete("nowhere.txt")]
    with pytest.raises(EntryNotFoundError, match="doesn't exist"):
        api.create_commit(REPO, impossible, commit_message="No", **KIND)
    assert not api.file_exists(REPO, "y.txt", **KIND)
    first, *_ = api.list_repo_commits(REPO, **KIND)
    assert (first.title, first.message, first.authors) == ("Change", "All.", ["writer"])
    assert len(api.list_repo_commits(REPO, **KIND)) == 3


def test_parent_commit(published: LocalHub) -> None:
    """A commit upon a state that is no more is refused."""
    api = published.api()
    old = api.dataset_info(REPO).sha
    upload = {"repo_id": REPO, "parent_commit": old, **KIND}
    api.upload_file(path_or_fileobj=b"1", path_in_repo="one.txt", **upload)
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as stale:
        api.upload_file(path_or_fileobj=b"2", path_in_repo="two.txt", **upload)
    assert status(stale) == 412


def test_commit_without_content(published: LocalHub) -> None:
    """A commit that points to a large file which never came is refused."""
    operation = CommitOperationAdd("x.bin", noise(100, 9))
    operation._upload_mode, operation._is_uploaded = "lfs", True
    with pytest.raises(BadRequestError, match="LFS pointer pointed to a file that does not exist"):
        published.api().create_commit(REPO, [operation], commit_message="Hollow", **KIND)


def test_card_is_checked(hub: LocalHub) -> None:
    """A card whose front matter is not YAML is refused before anything else is sent."""
    hub.api().create_repo(REPO, **KIND)
    with pytest.raises(ValueError, match="Invalid metadata"):
        hub.api().upload_file(
            path_or_fileobj=b"---\na: [1\n---\n", path_in_repo="README.md", repo_id=REPO, **KIND
        )
    assert hub.calls.count("preupload") == 0


def test_tags(published: LocalHub) -> None:
    """A tag stays where it was set, cannot be set twice, and can be removed."""
    api = published.api()
    tagged = api.dataset_info(REPO).sha
    api.upload_file(path_or_fileobj=b"1", path_in_repo="one.txt", repo_id=REPO, **KIND)
    api.create_tag(REPO, tag="v1.1.0", **KIND)
    with pytest.raises(HfHubHTTPError) as conflict:
        api.create_tag(REPO, tag="v1.0.0", **KIND)
    assert status(conflict) == 409
    api.create_tag(REPO, tag="v1.0.0", exist_ok=True, **KIND)
    tags = {t.name: t.target_commit for t in api.list_repo_refs(REPO, **KIND).tags}
    assert tags["v1.0.0"] == tagged != tags["v1.1.0"]
    api.delete_tag(REPO, tag="v1.1.0", **KIND)
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(REPO, tag="v1.1.0", **KIND)
    with pytest.raises(RevisionNotFoundError):
        api.create_tag(REPO, tag="v9", revision="nowhere", **KIND)
    assert api.list_repo_files(REPO, revision=tagged[:8], **KIND) == api.list_repo_files(
        REPO, revision="refs/tags/v1.0.0", **KIND
    )


def test_odd_names(hub: LocalHub, tmp_path: Path) -> None:
    """Names of files with spaces, accents and marks come back as they were, in git and in the storage."""
    hub.api().create_repo(REPO, **KIND)
    names = ["a b/ü & c#?%.txt", "a b/ü+%20.bin"]
    for name in names:
        data = name.encode()
        hub.api().upload_file(path_or_fileobj=data, path_in_repo=name, repo_id=REPO, **KIND)
    root = Path(hub.api().snapshot_download(REPO, cache_dir=tmp_path / "cache", **KIND))
    assert [(root / name).read_text() for name in names] == names
    assert {f.path for f in hub.api().list_repo_tree(REPO, "a b", **KIND)} == set(names)


def test_branches(published: LocalHub) -> None:
    """A branch goes its own way."""
    api = published.api()
    api.create_branch(REPO, branch="next/try", revision="v1.0.0", **KIND)
    api.upload_file(path_or_fileobj=b"1", path_in_repo="one.txt", repo_id=REPO, revision="next/try", **KIND)
    assert api.file_exists(REPO, "one.txt", revision="next/try", **KIND)
    assert not api.file_exists(REPO, "one.txt", **KIND)
    api.delete_branch(REPO, branch="next/try", **KIND)
    assert [b.name for b in api.list_repo_refs(REPO, **KIND).branches] == ["main"]


def test_listings(published: LocalHub) -> None:
    """Listings come in pages, of one folder or of all, with the last commit of each file if wanted."""
    api, published.page_size = published.api(), 2
    api.upload_file(path_or_fileobj=b"1", path_in_repo="data/one.txt", repo_id=REPO, **KIND)
    published.calls.clear()
    assert len(list(api.list_repo_tree(REPO, recursive=True, **KIND))) == 8
    assert published.calls.count("GET .*/tree/main") == 4
    top = [f.path for f in api.list_repo_tree(REPO, **KIND)]
    assert top == [".gitattributes", "README.md", "checksums.txt", "data"]
    files: list[Any] = list(api.list_repo_tree(REPO, "data", expand=True, **KIND))
    inside = {f.path: f.last_commit.title for f in files}
    assert inside["data/one.txt"] == "Upload data/one.txt with huggingface_hub"
    assert inside["data/a.parquet"] == "Upload folder using huggingface_hub"
    wanted = ["data", "README.md", "nowhere"]
    assert [type(f).__name__ for f in api.get_paths_info(REPO, wanted, expand=True, **KIND)] == [
        "RepoFolder",
        "RepoFile",
    ]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(REPO, "nowhere", **KIND))
    assert len(api.list_repo_commits(REPO, **KIND)) == 3


def test_download(published: LocalHub, folder: Path, tmp_path: Path) -> None:
    """A snapshot of a tag is what was published, and is downloaded once; what is not there says so."""
    api = published.api(READER)
    published.api().delete_file("data/a.parquet", REPO, **KIND)
    cache = {"cache_dir": tmp_path / "cache", **KIND}
    snapshot = Path(api.snapshot_download(REPO, revision="v1.0.0", **cache))
    for path in (p for p in folder.rglob("*") if p.is_file()):
        assert (snapshot / path.relative_to(folder)).read_bytes() == path.read_bytes()
    published.calls.clear()
    one = api.hf_hub_download(REPO, "data/a.parquet", revision="v1.0.0", **cache)
    assert Path(one).read_bytes() == noise(40_000, 1)
    assert published.calls.sent("GET /large/") == 0
    for missing in ("data/a.parquet", "größe/naïve name.txt"):
        with pytest.raises(EntryNotFoundError):
            api.hf_hub_download(REPO, missing, **cache)
    with pytest.raises(RevisionNotFoundError):
        api.snapshot_download(REPO, revision="v2.0.0", **cache)
    with pytest.raises(RepositoryNotFoundError):
        api.snapshot_download("lab/nothing", **cache)


def test_file_system(published: LocalHub) -> None:
    """The file system lists, and reads parts of a file without the rest."""
    files = HfFileSystem(endpoint=published.endpoint, token=READER, skip_instance_cache=True)
    root = f"datasets/{REPO}@v1.0.0"
    assert len(files.glob(f"{root}/data/*.parquet")) == 3
    with files.open(f"{root}/data/b.parquet", block_size=1_000) as file:
        file.seek(39_000)
        assert file.read(500) == noise(40_000, 2)[39_000:39_500]
    assert published.calls.sent("GET /large/") <= 2_000


@pytest.mark.parametrize("token", [False, STRANGER])
def test_private_repository(published: LocalHub, token: str | Literal[False], tmp_path: Path) -> None:
    """Who may not see a repository is told that it is not there."""
    published.api().update_repo_settings(REPO, private=True, **KIND)
    api = published.api(token)
    for ask in (
        lambda: api.dataset_info(REPO),
        lambda: api.list_repo_files(REPO, **KIND),
        lambda: api.hf_hub_download(REPO, "README.md", cache_dir=tmp_path, **KIND),
        lambda: api.upload_file(path_or_fileobj=b"", path_in_repo="x", repo_id=REPO, **KIND),
    ):
        with pytest.raises(RepositoryNotFoundError):
            ask()
    assert published.api(READER).dataset_info(REPO).private


def test_gated_repository(published: LocalHub, tmp_path: Path) -> None:
    """A gated repository is seen by all, and read by members."""
    published.api().update_repo_settings(REPO, gated="manual", **KIND)
    stranger = published.api(STRANGER)
    assert stranger.dataset_info(REPO).gated == "manual"
    with pytest.raises(GatedRepoError):
        stranger.hf_hub_download(REPO, "README.md", cache_dir=tmp_path, **KIND)
    with pytest.raises(GatedRepoError):
        stranger.auth_check(REPO, **KIND)
    published.api(READER).auth_check(REPO, **KIND)


@pytest.mark.parametrize("token", [READER, STRANGER])
def test_no_right_to_write(published: LocalHub, token: str) -> None:
    """Who may only read changes nothing: 403, and the reason."""
    api = published.api(token)
    for ask in (
        lambda: api.create_repo("lab/other", **KIND),
        lambda: api.upload_file(path_or_fileobj=b"", path_in_repo="x", repo_id=REPO, **KIND),
        lambda: api.create_tag(REPO, tag="v2.0.0", **KIND),
        lambda: api.delete_repo(REPO, **KIND),
        lambda: api.auth_check(REPO, write=True, **KIND),
    ):
        with pytest.raises(HfHubHTTPError, match=r"rights|Forbidden") as refused:
            ask()
        assert status(refused) == 403
    assert api.dataset_info(REPO).id == REPO


def test_no_login(published: LocalHub) -> None:
    """Without a token a public repository is read, and nothing is written: 401."""
    api = published.api(token=False)
    assert api.dataset_info(REPO).id == REPO
    for ask in (
        lambda: api.create_repo("lab/other", **KIND),
        lambda: api.create_tag(REPO, tag="v2.0.0", **KIND),
    ):
        with pytest.raises(HfHubHTTPError) as refused:
            ask()
        assert status(refused) == 401


def test_storage_is_strict(published: LocalHub) -> None:
    """The storage wants its signature and no token beside it, and the content that was announced."""
    sha = hashlib.sha256(b"right").hexdigest()
    url = published.sign(f"/large/{sha}")
    with httpx2.Client() as client:
        assert client.put(url, content=b"wrong").status_code == 400
        assert client.put(url, content=b"right", headers={"Authorization": "Bearer x"}).status_code == 400
        assert client.put(url.split("?")[0], content=b"right").status_code == 403
        assert client.put(url, content=b"right").status_code == 200
        assert client.get(url, headers={"Range": "bytes=-2"}).content == b"ht"
        assert client.get(url, headers={"Range": "bytes=9-"}).status_code == 416
    assert sorted(c.status for c in published.calls.matching(sha)) == [200, 206, 400, 400, 403, 416]


def test_tokens_do_not_reach_the_storage(published: LocalHub, tmp_path: Path) -> None:
    """Every request to the storage comes without a token, every one to the hub with it."""
    published.api().snapshot_download(REPO, cache_dir=tmp_path / "cache", **KIND)
    assert {c.signed_in for c in published.calls.matching("/large/")} == {False}
    assert {c.signed_in for c in published.calls.matching(" /(api|datasets)/")} == {True}
    assert WRITER not in repr(published.calls.matching())


def test_tampering(published: LocalHub, tmp_path: Path) -> None:
    """A file changed behind the hub's back is served as it is, under the hash that it had."""
    path = published.file(REPO, "data/a.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    found = published.api().hf_hub_download(REPO, "data/a.parquet", cache_dir=tmp_path / "cache", **KIND)
    assert Path(found).read_bytes().endswith(b"!")


def test_concurrent_commits(hub: LocalHub) -> None:
    """Commits at the same moment all arrive, one after another."""
    hub.api().create_repo(REPO, **KIND)

    def upload(number: int) -> None:
        data = noise(2_000, number)
        hub.api().upload_file(path_or_fileobj=data, path_in_repo=f"{number}.bin", repo_id=REPO, **KIND)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(upload, range(24)))
    assert len(hub.api().list_repo_files(REPO, **KIND)) == 25
    assert len(hub.repository(REPO).history("main")) == 25
    assert all(hub.file(REPO, f"{n}.bin").read_bytes() == noise(2_000, n) for n in range(24))


@pytest.mark.skipif(not shutil.which("git"), reason="needs git to compare with")
def test_identifiers_are_those_of_git(tmp_path: Path) -> None:
    """Blobs and trees have the identifiers that git gives them, also where names sort oddly."""
    names = ["a.txt", "a/b", "a-b/c", "a0", "d/e/f", "d/e.g", "ü/ß"]
    files = {}
    for number, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(10, number))
        files[name] = Entry(git_id("blob", path.read_bytes()), 10)
    git = ["git", "-C", str(tmp_path)]
    for command in (["init", "-q"], ["add", "-f", "."]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    tree = subprocess.run([*git, "write-tree"], check=True, capture_output=True, text=True).stdout.strip()
    assert tree_ids(files)[""] == tree
