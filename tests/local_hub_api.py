"""What the local hub answers under ``/api`` and at ``resolve``: accounts, repositories, commits, files."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import yaml
from local_hub_http import Answer, Ask, Refusal, Routes, as_json
from local_hub_repositories import Change, Commit, Entry, Repository, folders_of, tree_ids, upload_mode
from local_hub_storage import batch, sliced, verify

if TYPE_CHECKING:
    from local_hub import LocalHub

HUB = Routes()
REPO = "/api/{kind}/{org}/{name}"


def repository(hub: LocalHub, ask: Ask, *, write: bool = False) -> Repository:
    """Return the repository that a path names, or refuse as the Hub does to such an asker."""
    account = hub.account(ask)
    found = hub.repositories.get((ask.names["kind"], f"{ask.names['org']}/{ask.names['name']}"))
    if found is None or (found.private and not (account and account.may_read(found.organisation))):
        raise Refusal(404 if account else 401, "Repository not found", "RepoNotFound")
    if write and account is None:
        raise Refusal(401, "Invalid username or password.")
    if write and account and not account.may_write(found.organisation):
        raise Refusal(403, "Forbidden: you must use a write token to upload to a repository.")
    return found


def opened(hub: LocalHub, ask: Ask) -> Repository:
    """Return the repository whose files may be read."""
    found = repository(hub, ask)
    account = hub.account(ask)
    if found.gated and not (account and account.may_read(found.organisation)):
        raise Refusal(
            403 if account else 401, f"Access to {found.label} {found.name} is restricted.", "GatedRepo"
        )
    return found


@HUB("GET", "/api/whoami-v2")
def whoami(hub: LocalHub, ask: Ask) -> Answer:
    """Say whose token it is and what it may."""
    account = hub.account(ask)
    if account is None:
        raise Refusal(401, "Invalid username or password.")
    orgs = [{"type": "org", "id": o, "name": o, "roleInOrg": role} for o, role in account.orgs.items()]
    token = {"displayName": "local", "role": account.role, "createdAt": "2026-01-01T00:00:00.000Z"}
    about = {"type": "user", "id": account.name, "name": account.name, "fullname": account.name, "orgs": orgs}
    return as_json({**about, "auth": {"type": "access_token", "accessToken": token}})


@HUB("POST", "/api/repos/create")
def create(hub: LocalHub, ask: Ask) -> Answer:
    """Create a repository with a first commit, as the Hub does."""
    wanted = ask.json()
    kind, name = _named(hub, ask, wanted)
    private = wanted.get("private") or wanted.get("visibility") == "private"
    url = {"url": f"{hub.endpoint}/{Repository(kind, name).web_path}", "name": name}
    with hub.lock:
        if (kind, name) in hub.repositories:
            raise Refusal(409, f"You already created this {kind[:-1]} repo: {name}", body=url)
        hub.add_repository(kind, name, private=bool(private))
    return as_json(url)


@HUB("DELETE", "/api/repos/delete")
def delete(hub: LocalHub, ask: Ask) -> Answer:
    """Remove a repository."""
    with hub.lock:
        if hub.repositories.pop(_named(hub, ask, ask.json()), None) is None:
            raise Refusal(404, "Repository not found", "RepoNotFound")
    return as_json({})


def _named(hub: LocalHub, ask: Ask, wanted: Mapping[str, Any]) -> tuple[str, str]:
    account = hub.account(ask)
    if account is None:
        raise Refusal(401, "Invalid username or password.")
    kind, org = f"{wanted.get('type') or 'model'}s", wanted.get("organization") or account.name
    if not account.may_write(org):
        raise Refusal(403, f'You don\'t have the rights to create a {kind[:-1]} under the namespace "{org}"')
    return kind, f"{org}/{wanted['name']}"


@HUB("POST", "/api/validate-yaml")
def validate_yaml(hub: LocalHub, ask: Ask) -> Answer:  # noqa: ARG001 - all endpoints are called alike
    """Check the front matter of a card: YAML it must be."""
    try:
        card_of(ask.json()["content"])
    except yaml.YAMLError as error:
        return as_json({"errors": [{"message": str(error)}], "warnings": []}, 400)
    return as_json({"errors": [], "warnings": []})


def card_of(text: str) -> dict[str, Any]:
    """Return the front matter of a card, {} if it has none."""
    parts = text.split("---\n", 2)
    front = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else {}
    return front if isinstance(front, dict) else {}


@HUB("GET", REPO)
@HUB("GET", f"{REPO}/revision/{{revision}}")
def info(hub: LocalHub, ask: Ask) -> Answer:
    """Describe a repository at a revision."""
    repo = repository(hub, ask)
    commit = repo.commit_of(ask.names.get("revision", "main"))
    readme = commit.files.get("README.md")
    card = card_of(hub.contents.path(readme).read_text()) if readme else {}
    about = {
        "id": repo.name,
        "author": repo.organisation,
        "sha": commit.oid,
        "lastModified": commit.date,
        "createdAt": repo.history("main")[-1].date,
        "private": repo.private,
        "gated": "manual" if repo.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [str(tag) for tag in card.get("tags", [])],
        "cardData": card,
        "siblings": [_sibling(p, e, blobs=ask.flag("blobs")) for p, e in sorted(commit.files.items())],
        "usedStorage": sum(entry.size for entry in commit.files.values()),
    }
    wanted = ask.query.get("expand") or ask.query.get("expand[]")
    return as_json({key: about[key] for key in ("id", *wanted) if key in about} if wanted else about)


def _sibling(path: str, entry: Entry, *, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": path}
    lfs = {"size": entry.size, "sha256": entry.sha256, "pointerSize": entry.pointer_size}
    plain = {"rfilename": path, "size": entry.size, "blobId": entry.blob}
    return {**plain, "lfs": lfs} if entry.sha256 else plain


@HUB("GET", f"{REPO}/auth-check")
def auth_check(hub: LocalHub, ask: Ask) -> Answer:
    """Answer whether files may be read."""
    opened(hub, ask)
    return as_json({})


@HUB("GET", f"{REPO}/auth-check/write")
def auth_check_write(hub: LocalHub, ask: Ask) -> Answer:
    """Answer whether files may be written."""
    repository(hub, ask, write=True)
    return as_json({})


@HUB("PUT", f"{REPO}/settings")
def settings(hub: LocalHub, ask: Ask) -> Answer:
    """Change who sees a repository."""
    repo, wanted = repository(hub, ask, write=True), ask.json()
    if "private" in wanted or "visibility" in wanted:
        repo.private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
    if "gated" in wanted:
        repo.gated = bool(wanted["gated"])
    return as_json({})


@HUB("GET", f"{REPO}/refs")
def refs(hub: LocalHub, ask: Ask) -> Answer:
    """List branches and tags."""
    repo = repository(hub, ask)
    branches = _refs("refs/heads/", repo.branches)
    tags = _refs("refs/tags/", repo.tags)
    return as_json({"branches": branches, "tags": tags, "converts": [], "pullRequests": []})


def _refs(prefix: str, names: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": n, "ref": prefix + n, "targetCommit": oid} for n, oid in names.items()]


@HUB("POST", f"{REPO}/tag/{{revision}}")
def add_tag(hub: LocalHub, ask: Ask) -> Answer:
    """Name a commit for good."""
    repo, tag = repository(hub, ask, write=True), ask.json()["tag"]
    return _add_name(repo, repo.tags, tag, repo.commit_of(ask.names["revision"]), "Tag")


@HUB("POST", f"{REPO}/branch/{{branch}}")
def add_branch(hub: LocalHub, ask: Ask) -> Answer:
    """Start a branch."""
    repo, branch = repository(hub, ask, write=True), ask.names["branch"]
    start = (ask.json() if ask.body else {}).get("startingPoint", "main")
    return _add_name(repo, repo.branches, branch, repo.commit_of(start), "Reference")


def _add_name(repo: Repository, names: dict[str, str], name: str, commit: Commit, what: str) -> Answer:
    with repo.lock:
        if name in names:
            raise Refusal(409, f"{what} already exists: {name}")
        names[name] = commit.oid
    return as_json({})


@HUB("DELETE", f"{REPO}/tag/{{ref}}")
def delete_tag(hub: LocalHub, ask: Ask) -> Answer:
    """Remove a tag."""
    return _remove_name(repository(hub, ask, write=True).tags, ask.names["ref"])


@HUB("DELETE", f"{REPO}/branch/{{ref}}")
def delete_branch(hub: LocalHub, ask: Ask) -> Answer:
    """Remove a branch other than main."""
    if ask.names["ref"] == "main":
        raise Refusal(403, "Cannot delete the main branch")
    return _remove_name(repository(hub, ask, write=True).branches, ask.names["ref"])


def _remove_name(names: dict[str, str], name: str) -> Answer:
    if names.pop(name, None) is None:
        raise Refusal(404, f"Invalid rev id: {name}", "RevisionNotFound")
    return as_json({})


@HUB("GET", f"{REPO}/commits/{{revision}}")
def commits(hub: LocalHub, ask: Ask) -> Answer:
    """List commits, newest first."""
    history = repository(hub, ask).history(ask.names["revision"])
    found = [
        {"id": c.oid, "title": c.title, "message": c.message, "date": c.date, "authors": [{"user": c.author}]}
        for c in history
    ]
    return _page(hub, ask, found, hub.page_size)


@HUB("GET", f"{REPO}/tree/{{revision}}")
@HUB("GET", f"{REPO}/tree/{{revision}}/{{path*}}")
def tree(hub: LocalHub, ask: Ask) -> Answer:
    """List a folder, page by page."""
    repo, folder = repository(hub, ask), ask.names.get("path", "").strip("/")
    commit = repo.commit_of(ask.names["revision"])
    if folder not in folders_of(commit.files):
        raise Refusal(404, f'"{folder}" does not exist on "{ask.names["revision"]}"', "EntryNotFound")
    start = f"{folder}/" if folder else ""
    paths = [
        p for p in sorted({*commit.files, *folders_of(commit.files)}) if p.startswith(start) and p != folder
    ]
    if not ask.flag("recursive"):
        paths = [p for p in paths if "/" not in p[len(start) :]]
    expand = ask.flag("expand")
    found = _describe(hub, repo, commit, paths, expand=expand)
    return _page(hub, ask, found, min(50, hub.page_size) if expand else hub.page_size)


@HUB("POST", f"{REPO}/paths-info/{{revision}}")
def paths_info(hub: LocalHub, ask: Ask) -> Answer:
    """Describe some paths; those that are not there are left out."""
    repo = repository(hub, ask)
    commit = repo.commit_of(ask.names["revision"])
    if "json" in ask.headers.get("content-type", ""):
        wanted, expand = ask.json()["paths"], bool(ask.json().get("expand"))
    else:
        form = parse_qs(ask.body.decode())
        wanted, expand = form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
    known = {*commit.files, *folders_of(commit.files)} - {""}
    return as_json(_describe(hub, repo, commit, [p for p in wanted if p in known], expand=expand))


def _describe(
    hub: LocalHub, repo: Repository, commit: Commit, paths: Iterable[str], *, expand: bool
) -> list[dict[str, Any]]:
    trees = tree_ids(commit.files)
    found: list[dict[str, Any]] = []
    for path in paths:
        entry = commit.files.get(path)
        if entry is None:
            found.append({"type": "directory", "oid": trees[path], "size": 0, "path": path})
        else:
            found.append({"type": "file", "oid": entry.blob, "size": entry.size, "path": path})
        if entry and entry.sha256:
            lfs = {"oid": entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}
            found[-1] |= {"lfs": lfs, **hub.xet.described(entry.sha256)}
        if expand:
            last = repo.last_change(commit.oid, path)
            found[-1]["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.date}
    return found


def _page(hub: LocalHub, ask: Ask, found: list[dict[str, Any]], size: int) -> Answer:
    start = int(ask.query.get("cursor", ["0"])[0])
    headers = {}
    if start + size < len(found):
        query = urlencode({**ask.query, "cursor": [start + size]}, doseq=True)
        headers["Link"] = f'<{hub.endpoint}{ask.path}?{query}>; rel="next"'
    return as_json(found[start : start + size], headers=headers)


@HUB("POST", f"{REPO}/preupload/{{revision}}")
def preupload(hub: LocalHub, ask: Ask) -> Answer:
    """Say which files go to the large storage, and what lies at their paths now."""
    repo = repository(hub, ask, write=True)
    commit = repo.commit_of(ask.names["revision"])
    attributes = commit.files.get(".gitattributes")
    rules = hub.contents.path(attributes).read_text() if attributes else ""
    found = []
    for file in ask.json()["files"]:
        mode = upload_mode(file["path"], file["size"], base64.b64decode(file["sample"]), rules)
        old = commit.files.get(file["path"])
        oid = {"oid": old.sha256 or old.blob} if old else {}
        found.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, **oid})
    return as_json({"files": found})


@HUB("POST", f"{REPO}/commit/{{revision}}")
def add_commit(hub: LocalHub, ask: Ask) -> Answer:
    """Add a commit to a branch."""
    repo, account = repository(hub, ask, write=True), hub.account(ask)
    if ask.flag("create_pr"):
        raise Refusal(501, "The local hub has no pull requests")
    lines = [json.loads(line) for line in ask.body.splitlines()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    changes = [_change(hub, line["key"], line["value"]) for line in lines if line["key"] != "header"]
    branch = ask.names["revision"].removeprefix("refs/heads/")
    assert account
    commit = repo.add_commit(
        branch, changes, header["summary"], header["description"], account.name, header.get("parentCommit")
    )
    url = f"{hub.endpoint}/{repo.web_path}/commit/{commit.oid}"
    return as_json({"success": True, "commitOid": commit.oid, "commitUrl": url, "hookOutput": ""})


def _change(hub: LocalHub, key: str, value: Mapping[str, Any]) -> Change:
    path = value["path"]
    if key in {"deletedFile", "deletedFolder"}:
        return Change("delete folder" if key == "deletedFolder" else "delete file", path)
    if key == "file":
        return Change("add", path, hub.contents.add(base64.b64decode(value["content"])))
    if key != "lfsFile":
        raise Refusal(400, f"Unknown operation: {key}")
    content = hub.contents.large(value["oid"])
    if not content.exists():
        why = "Your push was rejected because an LFS pointer pointed to a file that does not exist."
        raise Refusal(400, f"{why} Offending file: - {path}")
    return Change("add", path, Entry.large(value["oid"], content.stat().st_size))


@HUB("GET", "/{kind}/{org}/{name}/resolve/{revision}/{path*}")
@HUB("GET", "/{org}/{name}/resolve/{revision}/{path*}")
def resolve(hub: LocalHub, ask: Ask) -> Answer:
    """Give a small file, or point to where a large one lies."""
    repo = opened(hub, _with_kind(ask))
    commit = repo.commit_of(ask.names["revision"])
    entry = commit.files.get(ask.names["path"])
    told = {"X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
    if entry is None:
        raise Refusal(404, "Entry not found", "EntryNotFound", headers=told)
    if entry.sha256 is None:
        return sliced(hub.contents.path(entry), ask, {**told, "ETag": f'"{entry.blob}"'})
    told |= {"X-Linked-Size": str(entry.size), "X-Linked-Etag": f'"{entry.sha256}"'}
    told |= hub.xet.linked(entry.sha256, f"{hub.endpoint}/api/{repo.kind}/{repo.name}", commit.oid)
    return Answer(302, b"", {**told, "Location": hub.sign(f"/large/{entry.sha256}")})


@HUB("POST", "/{kind}/{org}/{name}.git/info/lfs/objects/batch")
@HUB("POST", "/{org}/{name}.git/info/lfs/objects/batch")
def lfs_batch(hub: LocalHub, ask: Ask) -> Answer:
    """Say how large files are to be uploaded."""
    repository(hub, _with_kind(ask), write=True)
    return batch(hub, ask)


@HUB("POST", "/verify")
def lfs_verify(hub: LocalHub, ask: Ask) -> Answer:
    """Confirm that a large file has arrived."""
    if hub.account(ask) is None:
        raise Refusal(401, "Invalid username or password.")
    return verify(hub, ask)


@HUB("GET", f"{REPO}/xet-{{scope}}-token/{{revision}}")
def xet_token(hub: LocalHub, ask: Ask) -> Answer:
    """Give a token for the chunk storage."""
    scope = ask.names["scope"]
    repo = repository(hub, ask, write=True) if scope == "write" else opened(hub, ask)
    repo.commit_of(ask.names["revision"])
    return hub.xet.token(scope)


def _with_kind(ask: Ask) -> Ask:
    return replace(ask, names={"kind": "models", **ask.names})
