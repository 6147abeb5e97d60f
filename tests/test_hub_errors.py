"""What passes is tried again, and no more; what does not is told in words."""

from __future__ import annotations

import contextlib
import errno
import logging
import types
from collections.abc import Callable

import httpx2
import huggingface_hub.utils
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils.tqdm import are_progress_bars_disabled

from craqbench.errors import DatasetError
from craqbench.hub_errors import HubError, explained, may_pass, patiently


def answer(
    status: int, kind: type[HfHubHTTPError] = HfHubHTTPError, headers: dict[str, str] | None = None
) -> HfHubHTTPError:
    """Return what the client raises for an answer."""
    request = httpx2.Request("GET", "http://hub/api")
    return kind("told\nmore", response=httpx2.Response(status, headers=headers, request=request))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list of waits, none of which is waited for."""
    waited: list[float] = []
    monkeypatch.setattr("craqbench.hub_errors.time", types.SimpleNamespace(sleep=waited.append))
    return waited


def failing(*errors: Exception) -> Callable[[], str]:
    """Return a request that fails so often."""
    left = list(errors)

    def ask() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return ask


def test_patience(waits: list[float]) -> None:
    """Lost connections and busy servers are tried again, longer each time, as long as the Hub asks for."""
    assert patiently(failing(httpx2.ConnectError("no"), answer(503))) == "done"
    assert waits == [0.5, 2.0]
    assert patiently(
        failing(answer(429, headers={"Retry-After": "7"}), answer(429, headers={"Retry-After": "soon"}))
    )
    assert waits[2:] == [7.0, 2.0]
    assert patiently(failing(answer(429, headers={"Retry-After": "999999"})))
    assert waits[4:] == [300.0]


def test_patience_ends(waits: list[float]) -> None:
    """After the last attempt the error is raised; what cannot pass is raised at once."""
    with pytest.raises(HfHubHTTPError):
        patiently(failing(*[answer(500)] * 4))
    assert len(waits) == 3
    with pytest.raises(RepositoryNotFoundError):
        patiently(failing(answer(404, RepositoryNotFoundError)))
    assert len(waits) == 3
    assert not may_pass(answer(403))


MEANINGS = [
    (LocalTokenNotFoundError("no token"), "nobody is logged in: expected a login: hf auth login"),
    (OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE is set"),
    (answer(403, GatedRepoError), "it is gated: expected its terms accepted"),
    (answer(404, RepositoryNotFoundError), "there is none, or it is private"),
    (answer(401), "the login is not valid"),
    (answer(403, headers={"X-Error-Message": "read only token"}), r"no right to do this \(read only token\)"),
    (answer(429), "too many requests: .* run the same command again"),
    (answer(502), "the Hub failed, status 502: .* run the same command again"),
    (answer(422), "the Hub refused, status 422: told$"),
    (httpx2.ReadTimeout("slow"), r"the connection failed \(slow\): expected a network"),
    (RuntimeError("chunks: lost\nmore"), "chunks: lost: .* run the same command again"),
    (OSError("Consistency check failed: 3 of 4 bytes"), "Consistency check failed"),
]


@pytest.mark.parametrize(("error", "meaning"), MEANINGS)
def test_meanings(error: Exception, meaning: str) -> None:
    """Each error of the client becomes one sentence that names the repository and what is expected."""
    with pytest.raises(HubError, match=rf"^lab/cracks.*{meaning}"), explained("lab/cracks"):
        raise error


def caused(error: Exception, cause: Exception) -> Exception:
    """Return an error as it is when it was raised while another was handled."""
    error.__context__ = cause
    return error


def test_causes_are_found() -> None:
    """What the client wraps into a vaguer error is told all the same."""
    with pytest.raises(HubError, match="status 503"), explained("lab/cracks"):
        raise caused(LocalEntryNotFoundError("somehow"), answer(503))


def test_errors_of_the_disk_stay() -> None:
    """A full disk is no error of the Hub, even when it is met after a lost connection, or told in words."""
    with pytest.raises(OSError, match="full") as plain, explained("lab/cracks"):
        raise caused(OSError(errno.ENOSPC, "full"), httpx2.ConnectError("lost"))
    assert plain.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space") as told, explained("lab/cracks"):
        raise RuntimeError("IO Error: No space left on device (os error 28)")
    assert told.value.errno == errno.ENOSPC


def test_other_errors_stay() -> None:
    """Our own errors and bugs pass unchanged."""
    for error in (DatasetError("ours"), ZeroDivisionError("a bug")):
        with pytest.raises(type(error), match=str(error)), explained("lab/cracks"):
            raise error


def test_the_client_is_quiet_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside, the client shows neither bars nor warnings; afterwards it is as before."""
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "level", logging.WARNING)
    before = are_progress_bars_disabled(), huggingface_hub.utils.logging.get_verbosity()
    with explained("lab/cracks"):
        assert are_progress_bars_disabled()
        assert huggingface_hub.utils.logging.get_verbosity() > before[1]
    assert (are_progress_bars_disabled(), huggingface_hub.utils.logging.get_verbosity()) == before


def test_the_client_is_quiet_until_the_last_has_left() -> None:
    """Two threads that overlap leave the client as it was before the first."""
    before = are_progress_bars_disabled(), huggingface_hub.utils.logging.get_verbosity()
    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        first.enter_context(explained("lab/one"))
        second.enter_context(explained("lab/two"))
        first.close()
        assert are_progress_bars_disabled()
    assert (are_progress_bars_disabled(), huggingface_hub.utils.logging.get_verbosity()) == before
