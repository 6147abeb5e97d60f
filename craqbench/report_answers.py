"""Answers of methods as they lie beside results, read back and compared with what was scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from craqbench.evaluation_records import digest_of_answer
from craqbench.results import ImageFacts, Result, ResultError

__all__ = ["Found", "read_answer"]

Answer = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Found:
    """A result, and the folder that it lies in."""

    result: Result
    folder: Path

    def reason(self, name: str) -> str:
        """Return why the method failed on an image."""
        return next(failure.reason for failure in self.result.failures if failure.image == name)


def read_answer(path: Path, image: ImageFacts, decode: Callable[[bytes], Answer]) -> Answer:
    """Read an answer, and make sure that it is the one that was scored.

    Raises
    ------
    ResultError
        If it is gone, broken, or another.
    """
    try:
        answer = decode(path.read_bytes())
    except OSError as error:
        hint = "expected the prediction beside its result; --worst 0 makes a report without pictures"
        raise ResultError(f"{path}: {error.strerror or error}: {hint}") from error
    except ValueError as error:
        raise ResultError(f"{path}: {error}: expected the prediction that was scored") from error
    expected, got = image.prediction_sha256, digest_of_answer(answer)
    if got != expected:
        raise ResultError(
            f"{path}: expected the prediction that was scored, sha256 {expected[:12]}. Got {got[:12]}"
        )
    return answer
