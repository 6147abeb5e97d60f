"""Whose submission it is where nobody logs in to a page: in a folder, or in a store on the Hub."""

from __future__ import annotations

import getpass
import re

from leaderboard.store import HUB, account_on_hub

__all__ = ["login"]


def login(address: str) -> str:
    """Return whose login this is, on the Hub or on this machine, as far as accounts may be called that.

    Parameters
    ----------
    address
        Of the store.

    Raises
    ------
    HubError
        If nobody is logged in on the Hub, or it cannot be reached.
    """
    name = account_on_hub() if address.startswith(HUB) else _user()
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:64] or "somebody"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may have no name for its user
        return ""
