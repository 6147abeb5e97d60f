"""Where weights are: in this package, in a file, or in a model repository of the Hub."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from baselines.weight_files import WeightsError, digest, shipped_weights

__all__ = ["HubReference", "fetch", "find_weights", "first_line", "hub_client", "parse_reference"]

_PAUSE = 1.0
"""Seconds between the two signs of life that the Hub is asked for."""


@dataclass(frozen=True, slots=True)
class HubReference:
    """Weights in a model repository of the Hub.

    Attributes
    ----------
    repository
        ORG/NAME.
    revision
        Commit, tag or branch.
    file
        The safetensors file in it; empty for METHOD.safetensors.
    sha256
        What the file must have; empty if nothing is said.
    """

    repository: str
    revision: str
    file: str = ""
    sha256: str = ""

    def __str__(self) -> str:
        file = f":{self.file}" if self.file else ""
        return f"{self.repository}@{self.revision}{file}" + (f"#{self.sha256}" if self.sha256 else "")


_FORM = re.compile(
    r"(?:hf://)?(?P<repository>[\w][\w.-]*/[\w][\w.-]*)@(?P<revision>[^:#\s@]+)(?::(?P<file>[^#\s]+))?"
    r"(?:#(?P<sha256>[0-9a-f]{64}))?",
    re.ASCII,
)


def parse_reference(text: str) -> HubReference | None:
    """Read ``ORG/NAME@REVISION[:FILE][#SHA256]``; None if the text is something else, such as a path.

    Examples
    --------
    >>> parse_reference("craqbench/craqnet@v1:craqnet.safetensors").revision
    'v1'
    >>> parse_reference("runs/best.safetensors") is None
    True
    """
    match = _FORM.fullmatch(text)
    return HubReference(**{name: part or "" for name, part in match.groupdict().items()}) if match else None


def find_weights(method: str, weights: str | None, *, task: str = "") -> Path:
    """Return the file of weights of a method; from the Hub it is fetched once and kept in its cache.

    Parameters
    ----------
    method
        Name of the detector or inpainter.
    weights
        None for those that come with this package, a path, or ``ORG/NAME@REVISION[:FILE][#SHA256]``.
    task
        The ``--task`` with which ``craqbench train`` makes such weights; empty for the usual one.

    Raises
    ------
    WeightsError
        If there are none, or the Hub cannot be reached.
    """
    if weights is None:
        path = shipped_weights().get(method)
        if path is None:
            train = f"craqbench train{f' --task {task}' if task else ''} --method {method} --out DIR"
            raise WeightsError(
                f"there are no weights of {method!r} in this package: expected a setting weights (a file, or "
                f"ORG/NAME@REVISION on the Hub), or your own: {train}"
            )
        return path
    if Path(weights).is_file():
        return Path(weights)
    reference = parse_reference(weights)
    if reference is None:
        raise WeightsError(
            f"weights {weights!r} of {method!r}: there is no such file: expected a safetensors file, or "
            "ORG/NAME@REVISION[:FILE] on the Hub"
        )
    return fetch(reference, method)


def fetch(reference: HubReference, method: str) -> Path:
    """Return the file that a reference names, with its card beside it, from the Hub or its cache.

    Raises
    ------
    WeightsError
        If the Hub cannot be reached, has no such thing, or the file is another than the reference says.
    """
    name = reference.file or f"{method}.safetensors"
    if not name.endswith(".safetensors"):
        raise WeightsError(f"weights {reference}: {name!r} is no safetensors file, and no other is fetched")
    _ask(reference, name.removesuffix(".safetensors") + ".json")
    path = _ask(reference, name)
    found = digest(path)
    if reference.sha256 not in {"", found}:
        raise WeightsError(f"weights {reference}: expected sha256 {reference.sha256}. Got {found}")
    return path


def _ask(reference: HubReference, name: str) -> Path:
    """Return a file of a model repository."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  seconds of imports that most never need
    from huggingface_hub.errors import (  # noqa: PLC0415  the same
        EntryNotFoundError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    where, lacking = f"weights {reference}: ", ""
    try:
        with hub_client() as lacking:
            return Path(hf_hub_download(reference.repository, name, revision=reference.revision))
    except LocalEntryNotFoundError as error:
        raise WeightsError(
            f"{where}the Hub cannot be reached ({lacking or first_line(error)}), and there is no copy here: "
            "expected a network, a path to a safetensors file, or no setting weights, for those of this "
            "package"
        ) from error
    except RevisionNotFoundError as error:
        raise WeightsError(f"{where}there is no revision {reference.revision!r}") from error
    except EntryNotFoundError as error:
        raise WeightsError(f"{where}there is no {name!r} in it: expected ORG/NAME@REVISION:FILE") from error
    except RepositoryNotFoundError as error:
        raise WeightsError(
            f"{where}there is no such repository, or it is private and the login may not see it"
        ) from error
    except Exception as error:  # whatever the client raises: a bad name, a proxy, a server that failed
        raise WeightsError(f"{where}the Hub did not give {name!r}: {first_line(error)}") from error


@contextlib.contextmanager
def hub_client() -> Iterator[str]:
    """Keep the Hub's client from telling the terminal of each attempt, and from waiting for no network.

    By itself it tries for half a minute, or for minutes behind a wall that swallows what is sent, before it
    says that there is no connection. Here the Hub is asked for a sign of life first. Without one the client
    is set to what HF_HUB_OFFLINE does: what lies in its cache is served, and all else fails at once. With
    one it is as patient as ever: a network that is slow, or a Hub that fails now and then, does no harm.

    Yields
    ------
    Why the Hub is out of reach; nothing if it is not.
    """
    from huggingface_hub import constants  # noqa: PLC0415  as in _ask
    from huggingface_hub.utils import logging as client_log  # noqa: PLC0415  the same

    level, offline = client_log.get_verbosity(), constants.HF_HUB_OFFLINE
    client_log.set_verbosity(logging.ERROR)
    try:
        lacking = "HF_HUB_OFFLINE is set" if offline else _out_of_reach(constants.HF_HUB_ETAG_TIMEOUT)
        constants.HF_HUB_OFFLINE = bool(lacking)
        yield lacking
    finally:
        constants.HF_HUB_OFFLINE = offline
        client_log.set_verbosity(level)


def _out_of_reach(seconds: float) -> str:
    """Say why nothing is heard of the Hub, or nothing if an answer comes, whichever it is.

    Parameters
    ----------
    seconds
        Wait so long in all: a name that nobody resolves, or an address that nobody answers at, may take
        longer, and cannot be interrupted.
    """
    told: list[str] = []
    asking = threading.Thread(target=lambda: told.append(_ping(seconds)), daemon=True)
    asking.start()
    asking.join(seconds)
    return told[0] if told else f"no answer within {seconds:g} s, HF_HUB_ETAG_TIMEOUT"


def _ping(seconds: float) -> str:
    """Ask once and, as a network may be about to come up, once more."""
    from huggingface_hub import constants, get_session  # noqa: PLC0415  as in _ask

    reason = ""
    for pause in (_PAUSE, 0):
        try:
            get_session().head(constants.ENDPOINT, timeout=seconds, follow_redirects=False)
        except Exception as error:  # noqa: BLE001  of the network, of a proxy, of a certificate
            reason = first_line(error)
            time.sleep(pause)
        else:
            return ""
    return reason


def first_line(error: BaseException) -> str:
    """Return what an error says first, or what it is called."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
