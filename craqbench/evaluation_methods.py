"""Methods as ``--method`` names them, and what a result says of a method and of the machine."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import inspect
import json
import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

import craqbench
from baselines.protocols import Detector, Inpainter, Method, count_classes
from baselines.registry import (
    DETECTORS,
    INPAINTERS,
    Family,
    default_settings,
    get_detector,
    get_inpainter,
    settings_of,
)
from craqbench.errors import UsageError
from craqbench.evaluation_paths import named, short, told
from craqbench.results import CardInfo, Hardware, MethodInfo

__all__ = [
    "DEVICES",
    "MethodSpec",
    "describe_hardware",
    "describe_method",
    "describe_versions",
    "device_of",
    "make_detector",
    "make_inpainter",
    "parse_method",
    "takes_device",
]

DEVICES = ("auto", "cpu", "cuda")
SANITY = {DETECTORS.kind: ("none", "all"), INPAINTERS.kind: ("none", "mean")}
"""Methods that do not look at the image, or at the cracks in it."""

_FAMILIES = {family.kind: family for family in (DETECTORS, INPAINTERS)}

_SETTING = re.compile(r",([A-Za-z_]\w*)=([^,]*)$")
_DEVICE = "device"
_LIBRARIES = ("numpy", "scipy", "scikit-image")
_TORCH = "torch"


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """A method and its settings; cheap to send to a worker.

    Attributes
    ----------
    name
        A name of `baselines.registry`, or ``package.module:Class``.
    settings
        (name, value) of the settings that were given.
    given
        What was typed.
    kind
        Of the family it belongs to, see `baselines.registry.Family`.
    """

    name: str
    settings: tuple[tuple[str, Any], ...] = ()
    given: str = ""
    kind: str = DETECTORS.kind


def parse_method(text: str, family: Family = DETECTORS) -> MethodSpec:
    """Read ``NAME[,SETTING=VALUE ...]``; the values of a tuple are separated by colons.

    Parameters
    ----------
    text
        What was typed.
    family
        Detectors or inpainters.

    Raises
    ------
    UsageError
        If there is no such method or setting, or a value is not of the setting's kind.

    Examples
    --------
    >>> parse_method("ridge,scales=1:2.5").settings
    (('scales', (1.0, 2.5)),)
    """
    rest, found = text.strip(), list[tuple[str, str]]()
    while match := _SETTING.search(rest):
        rest = rest[: match.start()]
        found.append((match[1], match[2].strip()))
    try:
        defaults = default_settings(rest, family)
    except ValueError as error:
        raise UsageError(str(error)) from error
    values = {name: _read(text, name, value, defaults.get(name)) for name, value in reversed(found)}
    return MethodSpec(rest, tuple(values.items()), text.strip(), family.kind)


def _read(text: str, name: str, value: str, default: Any) -> Any:
    try:
        return _read_like(default, value)
    except ValueError as error:
        written = ":".join(map(str, default)) if isinstance(default, tuple) else default
        raise UsageError(f"method {text!r}: {name}={value}: expected a value like {written}") from error


def _read_like(default: Any, value: str) -> Any:
    """Read a value of the default's kind, or guess where there is no default."""
    if isinstance(default, tuple) and default:
        return tuple(_read_like(default[0], part) for part in value.split(":"))
    if isinstance(default, bool):
        if value.lower() not in ("true", "false"):
            raise ValueError(value)
        return value.lower() == "true"
    if isinstance(default, int | float):
        return type(default)(value)
    if isinstance(default, str):
        return value
    try:
        guessed = json.loads(value)
    except ValueError:
        return value
    return guessed if isinstance(guessed, bool | int | float) else value


def takes_device(spec: MethodSpec) -> bool:
    """Whether a method has a setting ``device``."""
    return _DEVICE in default_settings(spec.name, _FAMILIES[spec.kind])


def _settings(spec: MethodSpec, device: str) -> dict[str, Any]:
    """Return the settings that were given, and ``device`` for a method that has it, unless it was given."""
    return {**({_DEVICE: device} if takes_device(spec) else {}), **dict(spec.settings)}


def make_inpainter(spec: MethodSpec, device: str) -> Inpainter:
    """Make an inpainter; ``device`` goes to those that have such a setting, unless it was given.

    Raises
    ------
    ValueError
        See `baselines.registry.get_inpainter`.
    """
    return get_inpainter(spec.name, **_settings(spec, device))


def make_detector(spec: MethodSpec, device: str) -> Detector:
    """Make a detector; ``device`` goes to those that have such a setting, unless it was given.

    Raises
    ------
    ValueError
        See `baselines.registry.get_detector`, and `baselines.protocols.count_classes`.
    """
    detector = get_detector(spec.name, **_settings(spec, device))
    try:
        count_classes(detector)
    except ValueError as error:
        raise ValueError(f"method {spec.name!r} is no detector: {error}") from error
    return detector


def describe_method(spec: MethodSpec, method: Method) -> MethodInfo:
    """Return what a result says of a method; of files among its settings no paths."""
    card = method.card
    given = {name: value for name, value in spec.settings if name != _DEVICE}
    settings = {k: v for k, v in {**given, **settings_of(method)}.items() if k != _DEVICE}
    return MethodInfo(
        label=",".join([method.name, *(f"{name}={short(value)}" for name, value in given.items())]),
        name=method.name,
        version=method.version,
        given=named(spec.given or spec.name, spec.settings),
        settings=_as_json({name: told(value) for name, value in settings.items()}),
        card=CardInfo(
            training_data=card.training_data,
            licence=card.licence,
            reference=card.reference,
            weights=card.weights,
        ),
        source_sha256=_source_digest(method),
        kind="sanity" if spec.name in SANITY[spec.kind] else "method",
    )


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON has them; what it has not, as text."""
    text = json.dumps(dict(settings), default=str)
    found: dict[str, Any] = json.loads(text, parse_constant=str)  # NaN and infinity
    return found


def _source_digest(method: Method) -> str | None:
    """Digest the file that defines a method: its author may forget to raise the version."""
    try:
        file = inspect.getsourcefile(type(method))
        return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else None
    except (OSError, TypeError):
        return None


def describe_versions(method: Method) -> dict[str, str]:
    """Return the versions of what a method's figures may depend on; of torch only if it runs on it."""
    return {
        "craqbench": craqbench.__version__,
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        **{name: importlib.metadata.version(name) for name in _LIBRARIES},
        **({_TORCH: str(sys.modules[_TORCH].__version__)} if _runs_on_torch(method) else {}),
    }


def _runs_on_torch(method: Method) -> bool:
    """Whether torch, or a module that has imported it, made the class of a method or of what it holds.

    That torch is loaded says nothing: another method of the same run may have loaded it.
    """
    if _TORCH not in sys.modules:
        return False
    held = getattr(method, "__dict__", {}).values()
    things = [method, *(one for value in held for one in (value if isinstance(value, tuple) else (value,)))]
    modules = {kind.__module__ for thing in things for kind in type(thing).__mro__}
    return any(
        name.partition(".")[0] == _TORCH or _TORCH in vars(sys.modules.get(name, object)) for name in modules
    )


def device_of(method: Method) -> str:
    """Return what a method runs on, as it says itself."""
    return str(getattr(method, _DEVICE, "cpu")) or "unknown"


def describe_hardware(method: Method) -> Hardware:
    """Return what this machine is, without a name that could tell whose it is."""
    device = device_of(method)
    return Hardware(
        cpu=_cpu(),
        cores=_cores(),
        memory_gb=_memory_gb(),
        system=platform.system() or "unknown",
        machine=platform.machine() or "unknown",
        device=device,
        accelerator=_accelerator(device),
    )


def _accelerator(device: str) -> str | None:
    """Return the model of a GPU that torch runs on; whoever is on one has loaded torch."""
    torch = sys.modules.get(_TORCH)
    if torch is None or not device.startswith("cuda") or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name(device))


@functools.cache
def _cpu() -> str:
    """Return the model of the processor, in words."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _memory_gb() -> int | None:
    """Return the memory in GB (10^9 bytes), where the system tells."""
    try:
        return max(1, round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9))
    except (AttributeError, OSError, ValueError):
        return None
