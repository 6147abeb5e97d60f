"""The public page of a leaderboard, and its interface for programs.

| what | where |
|---|---|
| the last table and queue, read in the background | `app_tables`, `app_files` |
| what all pages have, and what is seen of an entry | `app_page`, `app_figures` |
| the table, sorted and filtered, and its picture | `app_table`, `app_columns`, `app_scatter` |
| pages of an entry, the queue, the rules | `app_entry`, `app_about` |
| the form, by Gradio | `app_form` |
| pictures of public images | `app_pictures` |
| for programs | `app_api`, `app_upload` |
| whose submission, checked and kept | `app_login`, `app_desk` |
| all of it as one web application | `app_server`, `app_guard` |

It holds no labels, keeps nothing on a disk, and shows what `leaderboard.ranking` publishes. On a laptop it
listens on the loopback, and whoever sits there is the operator; on a Space of the Hugging Face Hub accounts
are those of the Hub.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.errors import CraqbenchError, UsageError
from leaderboard.store import Store, open_store
from leaderboard.store_accounts import login

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["SPACE", "create_app", "serve"]

SPACE = "SPACE_ID"
"""Environment variable that is there on a Space."""

_NEEDED = ("gradio", "fastapi", "uvicorn")


def create_app(
    store: Store,
    *,
    operator: str = "",
    images: Path | None = None,
    seconds: float = 5.0,
    at_once: int | None = None,
    form: bool = True,
) -> FastAPI:
    """Return the web application.

    Parameters
    ----------
    store
        What it shows, and where submissions go.
    operator
        Who sits at this machine: everybody who reaches it is that account, so it must be reached on the
        loopback only. Empty: accounts of the Hugging Face Hub.
    images
        A folder of public images; where their annotations lie beside them, entries have pictures, see
        `leaderboard.app_pictures`.
    seconds
        How old a table may be before the next one is read.
    at_once
        Submissions that are checked at the same time, each in up to 400 MB; by default half as many as there
        are processors, so that readers do not wait for them.
    form
        Whether there is a form, besides the interface for programs.

    Raises
    ------
    UsageError
        If a package of the extra ``space`` is not installed, or the images are no public ones.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"the page needs {', '.join(missing)}: pip install 'craqbench[space]'")
    # The page's modules stand on an extra.
    from craqbench.annotated_folder import MASKS  # noqa: PLC0415
    from leaderboard.app_desk import Desk  # noqa: PLC0415
    from leaderboard.app_files import remembering  # noqa: PLC0415
    from leaderboard.app_form import add_form  # noqa: PLC0415
    from leaderboard.app_login import HubLogin, Operator  # noqa: PLC0415
    from leaderboard.app_pictures import Pictures  # noqa: PLC0415
    from leaderboard.app_server import Site, make_app  # noqa: PLC0415
    from leaderboard.app_tables import Tables, take_snapshot  # noqa: PLC0415

    store = remembering(store)
    tables = Tables(lambda: take_snapshot(store), seconds=seconds)
    with contextlib.suppress(CraqbenchError):  # pages say so, until the store can be read
        tables.get()
    site = Site(
        store=store,
        tables=tables,
        desk=Desk(store, tables.boards, at_once=at_once or max(1, (os.cpu_count() or 2) // 2)),
        login=Operator(operator) if operator else HubLogin(),
        pictures=Pictures(images, store) if images and (images / MASKS).is_dir() else None,
        hosts=("localhost", "127.0.0.1", "::1") if operator else (),
    )
    return make_app(site, add_form if form else None)


def serve(
    store: str | Store,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    operator: str | None = None,
    images: Path | None = None,
    seconds: float = 5.0,
) -> None:
    """Serve the page until it is interrupted.

    Parameters
    ----------
    store
        What it shows, or its address.
    host, port
        Where it listens.
    operator
        Who sits at this machine; by default who is logged in there, and nobody on a Space.
    images, seconds
        See `create_app`.

    Raises
    ------
    UsageError
        If it would let strangers be the operator, or cannot listen there.
    """
    from leaderboard.app_login import is_loopback  # noqa: PLC0415  needs nothing, but is for the page only

    on_space = bool(os.environ.get(SPACE))
    if operator is None:
        operator = "" if on_space else login(str(store))
    if operator and not is_loopback(host):
        raise UsageError(
            f"host {host!r}: whoever reaches it would be the operator {operator!r}: expected 127.0.0.1"
        )
    if not operator and not on_space:
        raise UsageError("no operator: expected a name, or a Space of the Hugging Face Hub")
    _check_port(host, port)
    opened = open_store(store) if isinstance(store, str) else store
    app = create_app(opened, operator=operator, images=images, seconds=seconds)
    import uvicorn  # noqa: PLC0415  an extra

    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=20,
        limit_concurrency=1000,
        proxy_headers=on_space,
        forwarded_allow_ips="*" if on_space else None,
    )


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except (OSError, OverflowError) as error:
            told = getattr(error, "strerror", None) or error
            raise UsageError(
                f"cannot listen on {host} port {port}: {told}: expected a free --port"
            ) from error
