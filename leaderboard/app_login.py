"""Who is asking: on a laptop the operator, who alone can; on a Space an account of the Hugging Face Hub.

A program sends a token of the Hub, which is shown to the Hub and to nobody else, is kept by its digest for a
few minutes, and needs no permission whatsoever.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError

from craqbench.errors import CraqbenchError
from craqbench.hub_errors import HubError, explained, patiently, status_of

__all__ = ["HubLogin", "Login", "LoginError", "Operator", "is_loopback", "whoami"]

_TOKEN = re.compile(r"Bearer (hf_[A-Za-z0-9_]{8,200})", re.ASCII)
_SECONDS, _REFUSED_SECONDS, _KEPT = 300.0, 60.0, 1000
_UNAUTHORISED = (401, 403)


class LoginError(CraqbenchError):
    """Nobody, or nobody who is known."""


class Login(Protocol):
    """How a leaderboard knows who is asking.

    Attributes
    ----------
    operator
        Whoever sits at this machine; empty on a Space.
    """

    operator: str

    def of_program(self, authorization: str) -> str:
        """Return the account of a request by its header, or raise `LoginError` or `HubError`. May block."""


class Operator:
    """On a laptop: whoever reaches the loopback sits there."""

    def __init__(self, name: str) -> None:
        self.operator = name

    def of_program(self, authorization: str) -> str:  # noqa: ARG002  the protocol's
        """Return the operator; a token is not looked at."""
        return self.operator


class HubLogin:
    """On a Space: the account of a token.

    Parameters
    ----------
    ask
        Returns the account of a token; raises `LoginError` if there is none.
    """

    operator = ""

    def __init__(self, ask: Callable[[str], str] | None = None) -> None:
        self._ask = ask or whoami
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def of_program(self, authorization: str) -> str:
        """Return an account, asking the Hub once in a few minutes."""
        found = _TOKEN.fullmatch(authorization)
        if not found:
            raise LoginError("expected a token of the Hugging Face Hub, as 'Authorization: Bearer hf_...'")
        digest = hashlib.sha256(found[1].encode()).hexdigest()
        with self._lock:
            until, account = self._known.get(digest, (0.0, ""))
        if until < time.monotonic():
            account = self._asked(found[1])
            self._keep(digest, account)
        if not account:
            raise LoginError("the Hugging Face Hub does not know this token: expected one of a person")
        return account

    def _asked(self, token: str) -> str:
        try:
            return self._ask(token)
        except LoginError:
            return ""

    def _keep(self, digest: str, account: str) -> None:
        seconds = _SECONDS if account else _REFUSED_SECONDS
        with self._lock:
            self._known[digest] = (time.monotonic() + seconds, account)
            self._known.move_to_end(digest)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)


def whoami(token: str) -> str:
    """Return whose token it is.

    Raises
    ------
    LoginError
        If the Hub does not know it, or it is no person's.
    HubError
        If the Hub cannot be reached.
    """
    api = huggingface_hub.HfApi(token=token)
    try:
        with explained(api.endpoint):
            told = patiently(api.whoami)
    except HubError as error:
        cause = error.__cause__
        if isinstance(cause, HfHubHTTPError) and status_of(cause) in _UNAUTHORISED:
            raise LoginError("the Hub does not know this token") from None
        raise
    if told.get("type") != "user":
        raise LoginError("this token is no person's")
    return str(told["name"])


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, and nobody else reaches it there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
