"""Publish trained weights as a version of a model repository on the Hugging Face Hub.

A repository holds one detector: ``METHOD.safetensors``, its card ``METHOD.json``, and a model card made from
that. One commit brings all three, and a tag names it once the Hub's own hashes say that they are there; the
same command goes on after an interruption.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError

from baselines.weight_files import INPAINT, WeightsError, read_card, read_header
from baselines.weight_hub import HubReference
from craqbench.errors import UsageError
from craqbench.hub import Piece, Repository, Version
from craqbench.hub_errors import HubError, may_pass
from craqbench.storage import on_disk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from craqbench.hub import Head

__all__ = ["WeightsPublication", "model_card", "publish_weights"]

_README = "README.md"
_ATTEMPTS = 3


@dataclass(frozen=True)
class WeightsPublication:
    """What `publish_weights` did, or in a dry run would do.

    Attributes
    ----------
    method
        The detector.
    reference
        What its setting ``weights`` takes: ``ORG/NAME@vVERSION#SHA256``.
    url
        Of the page of the tag.
    sha
        The commit that is tagged; empty in a dry run.
    created, private
        Whether the repository is new, and whether strangers are kept out.
    sent, kept
        Files that the commit brought, and that were there already.
    bytes
        Of the files that were sent.
    """

    method: str
    reference: HubReference
    url: str
    sha: str
    created: bool
    private: bool
    sent: tuple[str, ...]
    kept: tuple[str, ...]
    bytes: int


def publish_weights(
    path: Path, repository: str, version: Version, *, private: bool = False, dry_run: bool = False
) -> WeightsPublication:
    """Publish a file of weights with its card.

    Parameters
    ----------
    path
        A safetensors file as `craqbench train` wrote it, its card beside it. Nothing of it is changed.
    repository
        ORG/NAME of a model repository; created if there is none.
    version
        Must be new, and so must be the weights.
    private
        Create a private repository; one that is there must be private.
    dry_run
        Check everything, and send nothing.

    Raises
    ------
    UsageError
        If the file is none, or its card is not complete or that of another file.
    HubError
        If nobody is logged in, may not write, the version or the weights are published already, the
        repository holds other things, or the Hub cannot be reached.
    """
    target = Repository(repository, "model")
    try:
        read_header(path)
        card = {**read_card(path), "published": {"repository": repository, "version": str(version)}}
    except WeightsError as error:
        raise UsageError(str(error)) from error
    reference = HubReference(repository, version.tag, sha256=str(card["sha256"]))
    pieces = _pieces(path, card, reference)
    head = _look(target, version, pieces, private=private)
    missing = pieces if head is None else _missing(target, head.sha, pieces)
    sha = ""
    if not dry_run:
        if head is None:
            target.create(private=private)
        sha = _bring(target, pieces, f"Version {version}")
        target.tag(version, sha)
    return WeightsPublication(
        method=card["method"],
        reference=reference,
        url=f"{target.url}/tree/{version.tag}",
        sha=sha,
        created=head is None,
        private=head.private if head else private,
        sent=tuple(piece.path for piece in missing),
        kept=tuple(piece.path for piece in pieces if piece not in missing),
        bytes=sum(piece.size for piece in missing),
    )


def _pieces(path: Path, card: Mapping[str, Any], reference: HubReference) -> list[Piece]:
    """Return the three files: weights, card, model card."""
    method = card["method"]
    curves = path.with_name(_README)
    with on_disk(path):
        weights = Piece(f"{method}.safetensors", path, path.stat().st_size, card["sha256"])
        told = curves.read_text(encoding="utf-8") if curves.is_file() else ""
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    return [
        weights,
        Piece.of(f"{method}.json", text.encode()),
        Piece.of(_README, model_card(card, reference, told).encode()),
    ]


def _look(target: Repository, version: Version, pieces: Sequence[Piece], *, private: bool) -> Head | None:
    """Check all that the Hub can say against publishing."""
    owners = target.login()
    head = target.head()
    if head is None:
        if target.name.split("/")[0] not in owners:
            names = ", ".join(sorted(owners))
            raise HubError(f"{target}: there is none, and the login may create it under {names} only")
        return None
    target.check_writable()
    if private and not head.private:
        raise HubError(f"{target} is public: expected a private one for --private")
    ours = {".gitattributes", *(piece.path for piece in pieces)}
    strange = sorted(target.files(head.sha).keys() - ours)
    if strange:
        raise HubError(
            f"{target} holds other things ({', '.join(strange[:3])}): expected a new one, or one of "
            f"{pieces[0].path} alone"
        )
    for known in target.versions():
        same = pieces[0].is_in(target.files(known.tag))
        if known == version or same:
            what = "these weights" if same else "other weights"
            raise HubError(f"{target} has version {known} already, with {what}: expected new ones of both")
    return head


def _missing(target: Repository, revision: str, pieces: Sequence[Piece]) -> list[Piece]:
    files = target.files(revision)
    return [piece for piece in pieces if not piece.is_in(files)]


def _bring(target: Repository, pieces: Sequence[Piece], title: str) -> str:
    """Make the main branch hold these files, and return the commit that does, by the Hub's own hashes."""
    for attempt in range(_ATTEMPTS):
        head = target.head()
        if head is None:
            raise HubError(f"{target} was there a moment ago: expected that nobody removes it")
        missing = _missing(target, head.sha, pieces)
        if not missing:
            return head.sha
        files = [CommitOperationAdd(piece.path, piece.data) for piece in missing]
        with target.explained():
            try:
                target.api.create_commit(
                    target.name, files, commit_message=title, repo_type=target.kind, parent_commit=head.sha
                )
            except (HfHubHTTPError, httpx2.TransportError) as error:
                if attempt == _ATTEMPTS - 1 or not may_pass(error):
                    raise
    raise HubError(f"{target} changes while {title!r} is brought there: expected one publisher")


def model_card(card: Mapping[str, Any], reference: HubReference, run: str = "") -> str:
    """Return the README of a model repository.

    Parameters
    ----------
    card
        Of the weights.
    reference
        What they are called on the Hub.
    run
        README of the training run, whose section of curves is taken over.
    """
    method = card["method"]
    use = f"{method},weights={reference.repository}@{reference.revision}"
    plain = {name: value for name, value in card.items() if not isinstance(value, dict | list)}
    facts = "\n".join(f"| {name} | {_cell(value)} |" for name, value in plain.items() if name != "command")
    curves = re.search(r"^## (Beside others|Curves)\n.*", run, re.MULTILINE | re.DOTALL)
    fills = card.get("task") == INPAINT
    tag, done = ("image-to-image", "filled") if fills else ("image-segmentation", "found")
    first = (
        f"craqbench restore painting.jpg --mask mask.png --fill {use} --out restored"
        if fills
        else f"craqbench detect painting.jpg --method {use} --out cracks\n"
        f"craqbench evaluate --set nga-val --method {use}"
    )
    return (
        f"""---
license: {str(card["licence"]).lower()}
library_name: craqbench
pipeline_tag: {tag}
tags: [craquelure, cracks, paintings, conservation, synthetic-data, {method}]
---

# {reference.repository}: cracks in paintings, {done} by `{method}`

Version {reference.revision.removeprefix("v")}. Trained on: {card["data"]}.

```sh
pip install 'craqbench[models]'
{first}
```

To insist on exactly these weights, name their digest: `{use}#{reference.sha256}`. The file is safetensors:
nothing in it can run.

## How it was made

```sh
{card["command"]}
```

| | |
|---|---|
{facts}

{curves[0] if curves else ""}""".rstrip()
        + "\n"
    )


def _cell(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)
    return " ".join(text.replace("|", "\\|").split())
