"""What all methods with trained weights share: the libraries they need, their weights, and what these say."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from baselines.protocols import Card
from baselines.weight_files import INPAINT, WeightsError, read_card, read_header
from baselines.weight_hub import find_weights

__all__ = ["MissingError", "Trained", "missing_libraries", "needs_torch"]

_NEEDED = ("torch", "safetensors", "transformers", "peft", "segmentation_models_pytorch")
_OPTIONAL = (*_NEEDED, "torchvision", "timm")  # those of the former, too


def missing_libraries() -> list[str]:
    """Return what of the extra ``models`` is not installed, without loading any of it."""
    return [name for name in _NEEDED if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # somebody keeps it from being imported
        return False


class MissingError(ValueError):
    """A library that learned detectors need is not installed, or cannot be loaded."""


@contextlib.contextmanager
def needs_torch(name: str) -> Iterator[None]:
    """Turn a missing library inside into a `MissingError` that says how to install it."""
    try:
        yield
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _OPTIONAL:
            raise
        if isinstance(error, ModuleNotFoundError):
            told = "is not installed: pip install 'craqbench[models]'"
        else:
            told = f"cannot be loaded: {error}"
        raise MissingError(f"method {name!r} needs {library}, which {told}") from error


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A method with its weights; a subclass says what is done with them.

    Attributes
    ----------
    name
        What tables and cards call it.
    reference
        The paper or page that describes the network.
    task
        "inpaint", or nothing for detectors.
    weights
        None for the weights of this package, a safetensors file with its card beside it, or
        ``ORG/NAME@REVISION[:FILE][#SHA256]`` on the Hub.
    """

    name: ClassVar[str] = ""
    reference: ClassVar[str] = "unpublished"
    task: ClassVar[str] = ""

    weights: str | None = None

    @cached_property
    def path(self) -> Path:
        """The file of weights."""
        return find_weights(self.name, self.weights, task=self.task)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the card of the weights says; see `baselines.weight_files.CARD_FIELDS`."""
        read_header(self.path)
        facts = read_card(self.path)
        fills = facts.get("task") == INPAINT
        if fills != (self.task == INPAINT):
            found, wanted = ("an inpainter", "a detector")[:: 1 if fills else -1]
            raise WeightsError(f"weights {self.path} are those of {found}: expected {wanted}'s")
        if facts["method"] != self.name:
            raise WeightsError(
                f"weights {self.path} are those of {facts['method']!r}: expected weights of {self.name!r}"
            )
        return facts

    @property
    def version(self) -> str:
        """That of the weights, and the beginning of their digest."""
        return f"{self.facts['version']}+{self.facts['sha256'][:8]}"

    @property
    def card(self) -> Card:
        """Where the weights come from."""
        return Card(
            training_data=self.facts["data"],
            licence=self.facts["licence"],
            reference=self.reference,
            weights=self.facts["sha256"],
        )
