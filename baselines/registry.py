"""Detectors by name: those of this package, those that installed packages announce, and anybody's class.

>>> get_detector("tophat", polarity="both", level=55).threshold >= 55 / 255
True
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from baselines.protocols import Card, Detector

__all__ = ["GROUP", "Listing", "default_settings", "get_detector", "list_detectors", "settings_of"]

GROUP = "craqbench.methods"
"""The entry point group of other packages; each entry is ``name = "package.module:Class"``."""

MakesDetector = Callable[..., Detector]


@dataclass(frozen=True)
class Listing:
    """A detector that can be had by its name.

    Attributes
    ----------
    name
        What `get_detector` takes.
    summary
        One line.
    target
        ``package.module:Class``; imported only when the detector is asked for.
    """

    name: str
    summary: str
    target: str


BUILT_IN: Mapping[str, Listing] = {
    listing.name: listing
    for listing in (
        Listing(
            "tophat",
            "black or white top-hat, threshold, size filter, dilation (paper A)",
            "baselines.tophat:TopHat",
        ),
        Listing(
            "grassfire",
            "top-hat, then region growing from seeds (Giakoumis et al. 2006, seeds by rule)",
            "baselines.grassfire:Grassfire",
        ),
        Listing(
            "ridge", "multi-scale Hessian ridges of both polarities, hysteresis", "baselines.ridge:Ridge"
        ),
        Listing("none", "sanity row: no crack anywhere", "baselines.constant:NoCrack"),
        Listing("all", "sanity row: cracks everywhere", "baselines.constant:AllCrack"),
    )
}
"""The detectors of this package that need nothing but it."""

LEARNED: Mapping[str, Listing] = {
    listing.name: listing
    for listing in (
        Listing("craqnet", "residual U-Net on local contrast, ours", "baselines.learned:CraqNet"),
        Listing(
            "segformer_lora",
            "SegFormer-B0 with LoRA, guided by the top-hat (paper A)",
            "baselines.learned:SegFormerLora",
        ),
        Listing("segformer", "SegFormer-B0, all of it trained, no guide", "baselines.learned:SegFormer"),
        Listing("unet", "U-Net with a pretrained encoder", "baselines.learned:UNet"),
        Listing("unet_classic", "U-Net of 2015 with 64 channels", "baselines.learned:UNetClassic"),
        Listing("unet_small", "U-Net of at most 0.9 M parameters, ours", "baselines.learned:UNetSmall"),
        Listing("res_unet", "ResNet-50 encoder, U-Net decoder (paper C)", "baselines.learned:ResUNet"),
        Listing(
            "res_unet_small",
            "residual U-Net of at most 0.9 M parameters, our stand-in for res_unet",
            "baselines.learned:ResUNetSmall",
        ),
        Listing("mc_dm", "DeepLabV3+ with MobileNetV2 (paper C)", "baselines.learned:McDm"),
        Listing(
            "photo_restoration",
            "scratch detector of Bringing Old Photos Back to Life; needs its weights",
            "baselines.photo_restoration:PhotoRestoration",
        ),
    )
}
"""Those that need torch (the extra ``models``), and weights."""

_OURS: Mapping[str, Listing] = {**BUILT_IN, **LEARNED}


def list_detectors() -> tuple[Listing, ...]:
    """Return all detectors that have a name: those of this package, then those of others, by name.

    A name of this package is never taken over by another.
    """
    others = [
        Listing(point.name, f"from {_distribution(point)}", point.value)
        for point in sorted(_entry_points(), key=lambda point: point.name)
        if point.name not in _OURS
    ]
    return (*_OURS.values(), *others)


def get_detector(name: str, **settings: Any) -> Detector:
    """Make a detector.

    Parameters
    ----------
    name
        A name that `list_detectors` has, or ``package.module:Class``, where the class (or any callable) makes
        a `Detector`.
    settings
        What its fields, or the arguments of its maker, are set to.

    Raises
    ------
    ValueError
        If there is no such detector (the nearest names are offered), it cannot be imported, it has no such
        setting, it refuses a value, or what is made is no detector. The message names the method.
    """
    make = _maker(name)
    _check_names(name, make, settings)
    try:
        made: object = make(**settings)
    except (Exception, SystemExit) as error:  # other people's code may do anything
        if name in _OURS and isinstance(error, ValueError):
            raise
        raise ValueError(f"method {name!r} could not be made: {type(error).__name__}: {error}") from error
    problem = _problem(made)
    if problem or not isinstance(made, Detector):
        raise ValueError(f"method {name!r} is no detector: {problem}")
    return made


def default_settings(name: str) -> dict[str, Any]:
    """Return the settings of a detector that have defaults, by name; errors as for `get_detector`."""
    parameters = _parameters(_maker(name))
    return {key: p.default for key, p in parameters.items() if p.default is not inspect.Parameter.empty}


def settings_of(detector: Detector) -> dict[str, Any]:
    """Return what a detector is set to, as JSON types, where it is a dataclass; nothing of any other."""
    if not dataclasses.is_dataclass(detector) or isinstance(detector, type):
        return {}
    values = {f.name: getattr(detector, f.name) for f in dataclasses.fields(detector)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _maker(name: str) -> MakesDetector:
    target = _target(name)
    module_name, _, path = target.partition(":")
    try:
        thing: object = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # importing runs other people's code
        raise ValueError(
            f"method {name!r} cannot be imported from {module_name!r}: {type(error).__name__}: {error}; "
            "expected a module of an installed package, or in a folder on PYTHONPATH"
        ) from error
    for part in path.split("."):
        if not hasattr(thing, part):
            hint = _nearest(part, dir(thing)) or ": expected package.module:Class"
            raise ValueError(f"method {name!r}: {module_name!r} has no {path!r}{hint}")
        thing = getattr(thing, part)
    if callable(thing):
        return thing
    raise ValueError(f"method {name!r} is a {type(thing).__name__}: expected a class or a function")


def _target(name: str) -> str:
    """Return ``package.module:Class`` for a name or for such a thing itself."""
    if name in _OURS:
        return _OURS[name].target
    if ":" in name:
        module, _, path = name.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), *path.split("."))):
            raise ValueError(f"method {name!r}: expected package.module:Class")
        return name
    points = [point for point in _entry_points() if point.name == name]
    if len({point.value for point in points}) > 1:
        origins = ", ".join(f"{point.value} ({_distribution(point)})" for point in points)
        raise ValueError(f"method {name!r} is announced by several packages: {origins}; name one of these")
    if points:
        return points[0].value
    known = [listing.name for listing in list_detectors()]
    hint = _nearest(name, known) or f": expected {', '.join(known)} or package.module:Class"
    raise ValueError(f"unknown method {name!r}{hint}")


def _check_names(name: str, make: MakesDetector, settings: Mapping[str, Any]) -> None:
    parameters = _parameters(make)
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    for setting in settings:
        if setting not in parameters:
            expected = f"expected one of {', '.join(parameters)}" if parameters else "it has none"
            raise ValueError(f"method {name!r} has no setting {setting!r}: {expected}")


def _parameters(make: MakesDetector) -> dict[str, inspect.Parameter]:
    """Return what can be set by keyword."""
    by_keyword = {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    }
    try:
        parameters = inspect.signature(make).parameters
    except (TypeError, ValueError):  # what is written in C may have none: anything may be tried
        return {"settings": inspect.Parameter("settings", inspect.Parameter.VAR_KEYWORD)}
    return {name: p for name, p in parameters.items() if p.kind in by_keyword}


def _problem(made: object) -> str:
    """Say what keeps an object from being a detector, or nothing."""
    wanted = ("name", "version", "threshold", "card", "predict")
    lacking = [attribute for attribute in wanted if getattr(made, attribute, None) is None]
    if lacking or not isinstance(made, Detector):
        return f"{type(made).__name__} has no {', '.join(lacking)}"
    for attribute in ("name", "version"):
        value: object = getattr(made, attribute)
        if not (isinstance(value, str) and value):
            return f"its {attribute} is {value!r}, expected some text"
    threshold: object = made.threshold
    if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        return f"its threshold is {threshold!r}, expected a number from 0 to 1"
    card: object = made.card
    if not isinstance(card, Card):
        return f"its card is {card!r}, expected a baselines.protocols.Card"
    predict: object = made.predict
    return "" if callable(predict) else "its predict cannot be called"


def _entry_points() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""
