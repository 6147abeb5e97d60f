"""Publishing: what is published is what was made; nothing is half-published, and nothing twice."""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import huggingface_hub
import numpy as np
import pytest
import yaml
from hub_datasets import (
    FIRST,
    REPO,
    adopted_hub,  # noqa: F401  a fixture
    hurry,
    is_whole,
    make_dataset,
    publish_first,
    small_dataset,  # noqa: F401  a fixture
)
from local_hub import (
    READER,
    WRITER,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)

from craqbench import cli
from craqbench.card import card
from craqbench.dataset import load_manifest, read_rows
from craqbench.errors import CraqbenchError, DatasetError
from craqbench.hub import Version
from craqbench.hub_errors import HubError
from craqbench.publishing import publish, stamped
from craqbench.verification import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = client_warnings

KIND: dict[str, Any] = {"repo_type": "dataset"}
NEXT = Version(1, 1, 0)
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the dataset with three rows more."""
    return make_dataset(tmp_path_factory.mktemp("larger") / "set", n=15)


# -- what is published --------------------------------------------------------------------------------------


def test_publish(at_home: LocalHub, dataset: Path) -> None:
    """A version is one commit upon the first one, tagged, and holds the dataset's files."""
    done = publish_first(dataset)
    repository = at_home.repository(REPO)
    assert is_whole(at_home, dataset, "v1.0.0")
    assert repository.tags == {"v1.0.0": done.sha}
    assert [commit.title for commit in repository.history("main")] == ["Version 1.0.0", "initial commit"]
    assert (done.created, done.private, done.rows, done.kept, done.removed) == (True, False, 12, (), ())
    assert len(done.sent) == 7
    assert done.url == f"{at_home.endpoint}/datasets/{REPO}/tree/v1.0.0"


def test_card_and_manifest_say_what_they_are(at_home: LocalHub, dataset: Path) -> None:
    """On the Hub card and manifest carry repository and version; in the folder nothing changes."""
    before = {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()}
    publish_first(dataset)
    manifest = json.loads(at_home.file(REPO, "manifest.json").read_bytes())
    assert manifest["published"] == {"repository": REPO, "version": "1.0.0"}
    assert {**manifest, "published": None} == {**load_manifest(dataset), "published": None}
    text = at_home.file(REPO, "README.md").read_text()
    for words in (
        "Version 1.0.0 of `lab/cracks`",
        'load_dataset("lab/cracks", revision="v1.0.0", split="train")',
        "`craqbench pull lab/cracks@1.0.0`",
        "`craqbench regenerate DIR --row paper-0-0000000`",
        "craqbench generate --n 12 --recipe paper",
        "](sample.png)",
        "@misc{lab-cracks-1-0-0,",
        "https://arxiv.org/abs/2602.12742",
    ):
        assert words in text
    assert before == {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()}


def test_the_hub_understands_the_card(at_home: LocalHub, dataset: Path) -> None:
    """Licence, size, tasks, tags, features and files are where the Hub looks for them."""
    publish_first(dataset)
    info: Any = at_home.api().dataset_info(REPO)
    head = info.card_data.to_dict()
    assert head["license"] == "cc0-1.0"
    assert head["size_categories"] == ["n<1K"]
    assert head["task_categories"] == ["image-segmentation", "image-to-image"]
    assert "craquelure" in info.tags
    assert head["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-*.parquet"}]
    assert {"name": "mask", "dtype": "image"} in head["dataset_info"]["features"]


def test_stamp(dataset: Path) -> None:
    """A manifest that was published elsewhere is stamped anew; the rest and its order stay."""
    manifest = load_manifest(dataset)
    once = stamped(manifest, REPO, FIRST)
    assert stamped(once, "lab/other", NEXT)["published"] == {"repository": "lab/other", "version": "1.1.0"}
    assert [name for name in once if name != "published"] == list(manifest)
    assert list(once).index("published") == 3


@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset(at_home: LocalHub, dataset: Path, *, streaming: bool) -> None:
    """`load_dataset` of the tag gives every row as it is on the disk, whole or streamed."""
    publish_first(dataset)
    at_home.api().delete_file("data/train-00000-of-00004.parquet", REPO, **KIND)
    loaded = datasets.load_dataset(REPO, split="train", revision="v1.0.0", streaming=streaming)
    count = 0
    for found, row in zip(loaded, read_rows(dataset), strict=True):
        assert found["id"] == row.id
        assert found["meta"] == json.dumps(
            row.meta, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        for name, picture in (("image", row.image), ("mask", row.mask), ("damaged", row.damaged)):
            assert (np.asarray(found[name]) == picture).all()
        count += 1
    assert count == 12
    del loaded
    gc.collect()  # a stream that Python's end finds alive aborts it now and then


# -- versions -----------------------------------------------------------------------------------------------


def test_next_version(at_home: LocalHub, dataset: Path, larger: Path) -> None:
    """The next version replaces the files on the main branch and leaves the tagged ones alone."""
    publish_first(dataset)
    done = publish(larger, REPO, NEXT)
    assert is_whole(at_home, dataset, "v1.0.0")
    assert is_whole(at_home, larger, "v1.1.0")
    assert is_whole(at_home, larger, "main")
    assert len(done.removed) == 4
    assert not done.created
    assert len(at_home.repository(REPO).history("main")) == 3


def test_a_version_that_exists_is_refused(at_home: LocalHub, dataset: Path, larger: Path) -> None:
    """A version never changes; the message tells whether it holds the same rows."""
    publish_first(dataset)
    with pytest.raises(
        HubError, match=r"has version 1.0.0 already, with exactly these rows: nothing was left"
    ):
        publish_first(dataset)
    with pytest.raises(HubError, match=r"has version 1.0.0 already, with other rows; expected a new version"):
        publish_first(larger)
    assert len(at_home.repository(REPO).commits) == 2


def test_equal_content_is_told(at_home: LocalHub, dataset: Path) -> None:
    """A version whose rows another one has is refused, with that one's name."""
    publish_first(dataset)
    with pytest.raises(HubError, match=r"version 1.1.0 would have the same rows as version 1.0.0, byte for"):
        publish(dataset, REPO, NEXT)
    assert list(at_home.repository(REPO).tags) == ["v1.0.0"]


def test_dry_run(at_home: LocalHub, dataset: Path, larger: Path) -> None:
    """A dry run checks everything and changes nothing."""
    planned = publish_first(dataset, dry_run=True)
    assert (len(planned.sent), planned.sha) == (7, "")
    assert not at_home.repositories
    publish_first(dataset)
    at_home.calls.clear()
    again = publish(larger, REPO, NEXT, dry_run=True)
    assert (len(again.sent), again.kept, len(again.removed)) == (7, ("sample.png",), 4)
    assert at_home.calls.count("^(POST|PUT|DELETE)") == 0


def test_dry_run_of_the_command(
    at_home: LocalHub, dataset: Path, larger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says what it would do, and that it did nothing."""
    line = ["--repo", REPO, "--workers", "1", "--version"]
    assert cli.main(["publish", str(dataset), *line, "1.0.0"]) == 0
    out = capsys.readouterr().out
    assert (
        "repository    lab/cracks (new, public)\nversion       1.0.0, tag v1.0.0\nrows          12\n" in out
    )
    assert "sent          7 files, " in out
    assert "next: craqbench pull lab/cracks@1.0.0" in out
    assert cli.main(["publish", str(larger), *line, "1.1.0", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "to send       7 files, " in out
    assert "to remove     4 files of an older version" in out
    assert "nothing sent: this is a dry run" in out
    assert list(at_home.repository(REPO).tags) == ["v1.0.0"]


def test_private(at_home: LocalHub, dataset: Path, larger: Path) -> None:
    """--private makes a private repository, and refuses a public one before anything is sent."""
    assert publish_first(dataset, private=True).private
    assert at_home.repository(REPO).private
    at_home.repository(REPO).private = False
    with pytest.raises(HubError, match="is public: expected a private one for --private"):
        publish(larger, REPO, NEXT, private=True)
    assert len(at_home.repository(REPO).commits) == 2


# -- what stands in the way ---------------------------------------------------------------------------------


def test_faults_are_found_first(at_home: LocalHub, dataset: Path, tmp_path: Path) -> None:
    """A dataset with a fault is not published, nor is one that is not complete."""
    broken = shutil.copytree(dataset, tmp_path / "broken")
    shard = broken / "data" / "train-00001-of-00004.parquet"
    shard.write_bytes(shard.read_bytes()[:-1] + b"!")
    with pytest.raises(DatasetError, match=r"has faults, nothing published: data/train-00001"):
        publish_first(broken)
    manifest = {**load_manifest(dataset), "complete": False, "shards": []}
    (broken / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match="is not complete"):
        publish_first(broken)
    assert not at_home.repositories


def test_other_peoples_files(at_home: LocalHub, dataset: Path, larger: Path, tmp_path: Path) -> None:
    """A repository of something else is left alone; beside a dataset of ours other files may stay."""
    api = at_home.api()
    api.create_repo(REPO, **KIND)
    api.upload_file(path_or_fileobj=b"1", path_in_repo="model.txt", repo_id=REPO, **KIND)
    with pytest.raises(HubError, match=r"holds other things \(model.txt\): expected a new one"):
        publish_first(dataset)
    api.delete_file("model.txt", REPO, **KIND)
    api.upload_file(path_or_fileobj=b"# Soon", path_in_repo="README.md", repo_id=REPO, **KIND)
    publish_first(dataset)
    api.upload_file(path_or_fileobj=b"1", path_in_repo="LICENSE", repo_id=REPO, **KIND)
    assert publish(larger, REPO, NEXT).strange == ("LICENSE",)
    assert "LICENSE" in at_home.repository(REPO).commit_of("main").files
    api.upload_file(path_or_fileobj=b"1", path_in_repo="data/mine.csv", repo_id=REPO, **KIND)
    with pytest.raises(HubError, match=r"holds other things \(data/mine.csv\)"):
        publish(make_dataset(tmp_path / "third", n=3), REPO, Version(2, 0, 0))


def test_a_file_that_changes_meanwhile(
    at_home: LocalHub, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not what was verified is not committed."""
    folder = shutil.copytree(dataset, tmp_path / "set")

    def verify_and_change(*arguments: Any, **options: Any) -> Any:
        report = verify(*arguments, **options)
        shard = folder / "data" / "train-00000-of-00004.parquet"
        shard.write_bytes(shard.read_bytes()[:-1] + b"!")
        return report

    monkeypatch.setattr("craqbench.publishing.verify", verify_and_change)
    with pytest.raises(DatasetError, match="has changed since it was verified"):
        publish_first(folder)
    assert len(at_home.repository(REPO).commits) == 1
    assert not at_home.repository(REPO).tags


BAD = {
    "no login": (("lab/cracks", "1.0.0"), None, "nobody is logged in: expected a login: hf auth login"),
    "a false login": (("lab/cracks", "1.0.0"), "hf_false", "the login is not valid"),
    "no right to create": (("other/cracks", "1.0.0"), WRITER, "may not create it under 'other'"),
    "no right to write": (("lab/there", "1.0.0"), READER, "no right to do this"),
    "no semantic version": (("lab/cracks", "1.0"), WRITER, "version '1.0': expected MAJOR.MINOR.PATCH"),
    "a malformed name": (("lab/cr acks", "1.0.0"), WRITER, "repository 'lab/cr acks': expected ORG/NAME"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(
    name: str,
    at_home: LocalHub,
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bad input ends in one message and exit code 2, and nothing is sent."""
    (repository, version), token, words = BAD[name]
    at_home.add_repository("datasets", "lab/there")
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    line = ["publish", str(dataset), "--repo", repository, "--version", version, "--workers", "1"]
    assert cli.main(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("craqbench: error: ")
    assert len(err.splitlines()) == 1
    assert words in err
    assert at_home.calls.count("^(POST|PUT|DELETE)") == 0


def test_unreachable_hub(at_home: LocalHub, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Hub that cannot be reached is told as such."""
    line = ["publish", str(dataset), "--repo", REPO, "--version", "1.0.0", "--workers", "1"]
    with at_home.down():
        assert cli.main(line) == 2
    assert "the connection failed" in capsys.readouterr().err
    assert cli.main(line) == 0


@pytest.mark.usefixtures("at_home")
def test_credentials_stay_at_home(dataset: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The token is in no output, no file of the repository, and no file of the dataset."""
    line = ["publish", str(dataset), "--repo", REPO, "--version", "1.0.0", "--workers", "1"]
    assert [cli.main(line), cli.main(line)] == [0, 2]
    assert WRITER not in "".join(capsys.readouterr())
    for path in (*tmp_path.rglob("*"), *dataset.rglob("*")):
        assert not path.is_file() or WRITER.encode() not in path.read_bytes(), path


def test_chunks(hub: LocalHub, tmp_path: Path) -> None:
    """As users have it, through chunks: a version with more rows, from another machine, sends just those."""
    size: Any = (400, 300)
    for name, rows, version in (("one", 12, "1.0.0"), ("two", 15, "1.1.0")):
        folder = make_dataset(tmp_path / name, n=rows, size=size)
        hub.calls.clear()
        run(hub, tmp_path / f"home-{name}", "publish", str(folder), "--repo", REPO, "--version", version)
        assert is_whole(hub, folder, f"v{version}")
    assert hub.calls.count("PUT /large/") == 0
    everything = sum(item["bytes"] for item in load_manifest(tmp_path / "two")["shards"])
    assert hub.calls.received("POST /v1/xorbs/") < 0.35 * everything  # a fifth of the rows is new
    run(hub, tmp_path / "home-three", "pull", f"{REPO}@1.1.0", "--out", str(tmp_path / "got"))
    for row, found in zip(read_rows(tmp_path / "two"), read_rows(tmp_path / "got"), strict=True):
        assert (row.id, row.meta) == (found.id, found.meta)
        assert (row.damaged == found.damaged).all()
    assert not hub.outside


def run(hub: LocalHub, home: Path, *arguments: str) -> None:
    """Run a command on its own; it must succeed and keep its token to itself."""
    done = subprocess.run(
        [sys.executable, "-m", "craqbench.cli", *arguments],
        env={**hub.environment(home, xet=True), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert WRITER not in done.stdout + done.stderr


# -- interruptions ------------------------------------------------------------------------------------------

PLACES = ("before", "upload", "processed", "download")


def fresh_hubs(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[LocalHub]:
    """Yield a new local hub as often as wanted, adopted by this process."""
    number = 0
    while True:
        with LocalHub(folder / f"hub-{number}") as hub:
            hub.adopt(monkeypatch, folder / f"home-{number}")
            hurry(monkeypatch)
            yield hub
            huggingface_hub.close_session()
        assert not hub.errors
        number += 1


def test_cut_anywhere(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is lost for good at twelve points: a second run ends it; nothing is lost or twice."""
    hubs = fresh_hubs(monkeypatch, tmp_path)
    clean = next(hubs)
    publish_first(dataset)
    lines = [call.line for call in clean.calls.matching()]
    last = [next(n for n, line in enumerate(lines, 1) if word in line) for word in ("/commit/", "/tag/")]
    rng = random.Random(0)  # noqa: S311  no secret
    points = last + rng.sample(sorted(set(range(1, len(lines))) - set(last)), 10)
    for point in points:
        hub = next(hubs)
        hub.faults.cut(nth=point, times=10**6, where=rng.choice(PLACES), after=rng.randrange(1, 3000))  # type: ignore[arg-type]
        with pytest.raises(CraqbenchError, match="run the same command again"):
            publish_first(dataset)
        tagged = bool(hub.repositories) and bool(hub.repository(REPO).tags)
        assert not tagged or is_whole(hub, dataset, "v1.0.0")
        hub.faults.clear()
        if tagged:
            with pytest.raises(HubError, match="nothing was left to do"):
                publish_first(dataset)
        else:
            publish_first(dataset)
        assert is_whole(hub, dataset, "v1.0.0")
        assert list(hub.repository(REPO).tags) == ["v1.0.0"]
        assert len(hub.repository(REPO).history("main")) == 2
        whole = [call.line for call in hub.calls.matching("PUT /large/") if call.status == 200]
        assert len(set(whole)) == len(whole), "a file was sent twice"
    hubs.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_hub(at_home: LocalHub, dataset: Path, status: int) -> None:
    """Errors that pass, at every kind of request, are outlived in one run."""
    kinds = (
        "whoami", "GET /api/datasets/lab/cracks", "repos/create", "/tree/", "/preupload/", "objects/batch",
        "PUT /large/", "/commit/", "/tag/", "/revision/",
    )  # fmt: skip
    faults = [at_home.faults.answer(status, kind, nth=1, times=2) for kind in kinds]
    publish_first(dataset)
    assert is_whole(at_home, dataset, "v1.0.0")
    assert len(at_home.repository(REPO).history("main")) == 2
    assert all(fault.exhausted for fault in faults)


def test_ctrl_c(at_home: LocalHub, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Ctrl-C ends with 130 and says how to go on."""

    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    line = ["publish", str(dataset), "--repo", REPO, "--version", "1.0.0", "--workers", "1"]
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.HfApi.create_commit", press)
        assert cli.main(line) == 130
    assert "version 1.0.0 of lab/cracks has no tag yet" in capsys.readouterr().err
    assert not at_home.repository(REPO).tags
    assert cli.main(line) == 0


def test_the_head_is_yaml(dataset: Path) -> None:
    """The card that is published begins with YAML, whatever names repository and version have."""
    text = card(stamped(load_manifest(dataset), "lab/a_b.c-d", Version(10, 20, 30)))
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "cc0-1.0"
    assert "@misc{lab-a-b-c-d-10-20-30," in text
