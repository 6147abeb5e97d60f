"""Where weights are: in this package, in a file, or in a model repository of the Hub."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from baselines.weight_files import WeightsError, digest, shipped_weights

__all__ = ["HubReference", "fetch", "find_weights", "parse_reference"]


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


def find_weights(method: str, weights: str | None) -> Path:
    """Return the file of weights of a detector; from the Hub it is fetched once and kept in its cache.

    Parameters
    ----------
    method
        Name of the detector.
    weights
        None for those that come with this package, a path, or ``ORG/NAME@REVISION[:FILE][#SHA256]``.

    Raises
    ------
    WeightsError
        If there are none, or the Hub cannot be reached.
    """
    if weights is None:
        path = shipped_weights().get(method)
        if path is None:
            raise WeightsError(
                f"there are no weights of {method!r} in this package: expected a setting weights (a file, or "
                f"ORG/NAME@REVISION on the Hub), or your own: craqbench train --method {method} --out DIR"
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

    where = f"weights {reference}: "
    try:
        with _quiet_client():
            return Path(hf_hub_download(reference.repository, name, revision=reference.revision))
    except LocalEntryNotFoundError as error:
        raise WeightsError(
            f"{where}the Hub cannot be reached, and there is no copy here: expected a network, a path to a "
            "safetensors file, or no setting weights, for those of this package"
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
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WeightsError(f"{where}the Hub did not give {name!r}: {reason}") from error


@contextlib.contextmanager
def _quiet_client() -> Iterator[None]:
    """Keep the client's accounts of each new attempt from the terminal."""
    from huggingface_hub.utils import logging as client_log  # noqa: PLC0415  as in _ask

    level = client_log.get_verbosity()
    client_log.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        client_log.set_verbosity(level)
