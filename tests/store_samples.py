"""Stores for tests: submissions that need no pictures, and what holds of a store whatever has happened."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from submission_samples import as_json, metadata, small_board

from leaderboard.store import Store, create_store, folder_of
from leaderboard.store_records import LOG, SUBMISSIONS, Accepted, Settings
from leaderboard.submission import METADATA, PREDICTIONS, Checked, Parcel, Received
from leaderboard.submission_metadata import read_metadata

SIZE = 3_000
"""Bytes of predictions."""

GENEROUS = Settings(per_day=1000, per_quarter=1000)


def new_store(address: object, settings: Settings | None = None) -> Store:
    """Create a store with the small board."""
    store = create_store(str(address), settings)
    store.add_board(small_board())
    return store


def submission(folder: Path, name: str) -> tuple[Parcel, Checked]:
    """Write a submission that passes for one that was checked; its predictions are those of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    told = as_json(metadata(method=f"method {name}"))
    digest = hashlib.sha256(name.encode()).hexdigest()
    contents = {METADATA: told, PREDICTIONS: (digest.encode() * SIZE)[:SIZE]}
    files = {}
    for file, data in contents.items():
        (folder / file).write_bytes(data)
        files[file] = Received(folder / file, len(data), hashlib.sha256(data).hexdigest())
    return Parcel(folder, files), Checked(read_metadata(told), digest)


def check_store(store: Store) -> tuple[Accepted, ...]:
    """Return what a store has accepted; fail if anything is torn, lost, twice, or out of order."""
    log = store.accepted()
    assert [one.number for one in log] == [*range(1, len(log) + 1)]
    assert len({one.entry for one in log}) == len(log)
    assert len({one.digest for one in log}) == len(log)
    for one in log:
        for name, facts in one.files.items():
            data = store.files.read(f"{folder_of(one.entry)}/{name}")
            assert data is not None
            assert (len(data), hashlib.sha256(data).hexdigest()) == (facts.size, facts.sha256)
    for path in [*store.files.names(LOG), *store.files.names(SUBMISSIONS)]:
        if path.endswith(".json"):
            json.loads(store.files.read(path) or b"")
    return log
