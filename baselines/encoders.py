"""Weights that encoders start from: ImageNet's through the Hub, or this package's own.

A base is asked for by name: "imagenet" for the networks of convolutions, which fall back on random weights
where the Hub is out of reach; for SegFormer's encoder "nvidia/mit-b0" or any repository like it, or
"craqbench", which do not fall back.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.weight_files import WeightsError, digest, shipped_weights
from baselines.weight_hub import first_line, hub_client

__all__ = ["IMAGENET", "OWN_BASE", "OWN_FILE", "RANDOM", "encoder_weights", "fill_encoder", "with_imagenet"]

IMAGENET = "imagenet"
"""The base of which `with_imagenet` knows."""

OWN_BASE = "craqbench"
"""The base that comes with this package, a MiT-B0 trained on synthetic cracks."""

OWN_FILE = "segformer"
"""The shipped weights that it is the encoder of."""

_OWN_PREFIX = "model.segformer."

RANDOM = "random"
"""What a network says of itself whose weights were not trained before."""

Made = TypeVar("Made")

_HEADS = ("classifier.", "decode_head.")


def with_imagenet(base: str | None, make: Callable[[bool], Made]) -> tuple[Made, str]:
    """Make something with ImageNet's weights if they are wanted and can be had, with random ones otherwise.

    Parameters
    ----------
    base
        "imagenet" or None.
    make
        Makes it; told whether with ImageNet's weights.

    Returns
    -------
    What was made, and "imagenet" or "random". Of wanted weights that could not be had, a warning tells.

    Raises
    ------
    ValueError
        If `base` is something else.
    """
    if base is None:
        return make(False), RANDOM
    if base != IMAGENET:
        raise ValueError(f"base {base!r}: expected {IMAGENET!r}, or none for random weights")
    lacking = ""
    try:
        with hub_client() as lacking:
            return make(True), IMAGENET
    except Exception as error:  # noqa: BLE001  whatever the Hub's client raises when it is out of reach
        reason = lacking or first_line(error)
        warnings.warn(
            f"weights of ImageNet cannot be had from the Hub ({reason}): the encoder begins with random ones",
            stacklevel=3,
        )
        return make(False), RANDOM


def fill_encoder(encoder: nn.Module, base: str | None) -> str:
    """Load a base into a MiT-B0; what of its input goes beyond red, green and blue starts at zero.

    Returns
    -------
    Where the weights come from, for the card; "random" without a base.

    Raises
    ------
    WeightsError
        As `encoder_weights`, or if the base is no MiT-B0; the first tensor that does not fit is named.
    """
    if base is None:
        return RANDOM
    tensors, origin = encoder_weights(base)
    fitted: dict[str, Tensor] = {}
    for name, tensor in encoder.state_dict().items():
        if name not in tensors:
            raise WeightsError(f"base {base!r} has no tensor {name!r}: expected the encoder of a MiT-B0")
        fitted[name] = _widened(tensors[name].float(), tensor)
        if fitted[name].shape != tensor.shape:
            raise WeightsError(
                f"base {base!r}, tensor {name!r}: expected shape {tuple(tensor.shape)}. "
                f"Got {tuple(tensors[name].shape)}"
            )
    encoder.load_state_dict(fitted)
    return origin


def encoder_weights(base: str) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a MiT-B0 encoder, and where they come from.

    Parameters
    ----------
    base
        "craqbench": the encoder of the `segformer` of this package, trained on synthetic cracks; a file of
        weights of another `segformer` of ours; a repository of the Hub such as "nvidia/mit-b0" (ImageNet), or
        a folder with the same files.

    Raises
    ------
    WeightsError
        If the package has none, the Hub cannot be reached, or what it has is no such encoder.
    """
    if Path(base).suffix == ".safetensors":
        return _own_encoder(Path(base)), f"sha256:{digest(Path(base))}"
    if base != OWN_BASE:
        path, origin = _base_file(base)
        return _as_now(_tensors(path), base), origin
    own = shipped_weights().get(OWN_FILE)
    if own is None:
        raise WeightsError(
            f"base {base!r}: this copy of craqbench has no file {OWN_FILE}.safetensors among its weights: "
            "expected 'nvidia/mit-b0', from the Hub, or none, to start from random weights"
        )
    return _own_encoder(own), f"{base} sha256:{digest(own)}"


def _own_encoder(path: Path) -> dict[str, Tensor]:
    """Return the encoder's tensors from the weights of a `segformer` of ours."""
    tensors = _tensors(path)
    return {n.removeprefix(_OWN_PREFIX): t for n, t in tensors.items() if n.startswith(_OWN_PREFIX)}


def _base_file(base: str) -> tuple[Path, str]:
    """Return the file of weights of a folder or repository, and what to call it on a card."""
    names = ("model.safetensors", "pytorch_model.bin")
    if Path(base).is_dir():
        for name in names:
            if (Path(base) / name).is_file():
                return Path(base) / name, base
        raise WeightsError(f"base {base!r}: expected one of {', '.join(names)} in this folder")
    lacking = ""
    try:
        with hub_client() as lacking:
            path = _first_of(base, names)
    except Exception as error:  # whatever the client raises: no network, no such name, a server that failed
        raise WeightsError(
            f"base {base!r} cannot be had from the Hub ({lacking or first_line(error)}): expected a network, "
            f"a folder with its files, or --base {OWN_BASE}, the encoder that comes with this package"
        ) from error
    return path, f"{base}@{path.parent.name}"


def _first_of(repository: str, names: Sequence[str]) -> Path:
    """Return the first of several files that a repository has."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  only if it is asked for
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError  # noqa: PLC0415  the same

    for name in names:
        try:
            return Path(hf_hub_download(repository, name))
        except LocalEntryNotFoundError:  # it is not known what there is
            raise
        except EntryNotFoundError as error:
            missing = error
    raise missing


def _tensors(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors of a file; of torch's own format too, without unpickling."""
    if path.suffix == ".safetensors":
        from baselines.weights import load_tensors  # noqa: PLC0415  needs safetensors, random weights do not

        return load_tensors(path)
    from baselines.torch_checkpoints import read_checkpoint  # noqa: PLC0415  rarely needed

    return {name: torch.from_numpy(array.copy()) for name, array in read_checkpoint(path, "").items()}


def _as_now(tensors: Mapping[str, Tensor], base: str) -> dict[str, Tensor]:
    """Return an encoder's tensors by the names of today's transformers, which knows those of before."""
    from transformers import SegformerConfig, SegformerModel  # noqa: PLC0415  seconds of imports

    bare = {name: tensor for name, tensor in tensors.items() if not name.startswith(_HEADS)}
    try:
        with torch.random.fork_rng(devices=[]), _quiet_loader():
            model, told = SegformerModel.from_pretrained(
                None, config=SegformerConfig(), state_dict=bare, output_loading_info=True
            )
    except RuntimeError as error:  # shapes that do not fit
        raise WeightsError(f"base {base!r} is no encoder of a MiT-B0: {first_line(error)}") from error
    state = dict(model.state_dict())
    missing = [name for name in state if name in told["missing_keys"]]
    if missing:
        raise WeightsError(f"base {base!r} has no tensor {missing[0]!r}: expected the encoder of a MiT-B0")
    return state


@contextlib.contextmanager
def _quiet_loader() -> Iterator[None]:
    """Keep the bars and the report of transformers from the terminal."""
    from transformers.utils import logging as told  # noqa: PLC0415  as in _as_now

    level, bars = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity_error()
    told.disable_progress_bar()
    try:
        yield
    finally:
        told.set_verbosity(level)
        if bars:
            told.enable_progress_bar()


def _widened(tensor: Tensor, like: Tensor) -> Tensor:
    """Return a kernel with further input channels of zeros, if `like` has more."""
    if tensor.ndim != 4 or tensor.shape[1] >= like.shape[1]:
        return tensor
    return functional.pad(tensor, (0, 0, 0, 0, 0, like.shape[1] - tensor.shape[1]))
