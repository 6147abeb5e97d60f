"""Methods by name: those of this package, those that installed packages announce, and anybody's class.

>>> get_detector("tophat", polarity="both", level=55).threshold >= 55 / 255
True
>>> get_inpainter("diffusion", steps=40).steps
40
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

from baselines.protocols import Card, Detector, Inpainter, Method

__all__ = [
    "DETECTORS",
    "GROUP",
    "INPAINTERS",
    "Family",
    "Listing",
    "default_settings",
    "get_detector",
    "get_inpainter",
    "list_detectors",
    "list_inpainters",
    "settings_of",
]

GROUP = "craqbench.methods"
"""The entry point group of other packages' detectors; each entry is ``name = "package.module:Class"``."""


@dataclass(frozen=True)
class Listing:
    """A method that can be had by its name.

    Attributes
    ----------
    name
        What `get_detector` or `get_inpainter` takes.
    summary
        One line.
    target
        ``package.module:Class``; imported only when the method is asked for.
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

FILLERS: Mapping[str, Listing] = {
    listing.name: listing
    for listing in (
        Listing(
            "mtm", "modified trimmed mean, from the edge inwards (paper A)", "baselines.inpainting.mtm:Mtm"
        ),
        Listing("diffusion", "anisotropic diffusion (paper A)", "baselines.inpainting.diffusion:Diffusion"),
        Listing("telea", "OpenCV: fast marching (Telea 2004)", "baselines.inpainting.opencv:Telea"),
        Listing(
            "navier_stokes",
            "OpenCV: Navier-Stokes (Bertalmio et al. 2001)",
            "baselines.inpainting.opencv:NavierStokes",
        ),
    )
}
"""The inpainters of this package that need nothing but it."""

LEARNED_FILLERS: Mapping[str, Listing] = {
    listing.name: listing
    for listing in (
        Listing("unet_inpaint", "U-Net of paper B", "baselines.inpainting.learned:UNetInpaint"),
        Listing(
            "unet_inpaint_large",
            "U-Net of paper B, larger, ours",
            "baselines.inpainting.learned:UNetInpaintLarge",
        ),
        Listing(
            "unet_inpaint_small",
            "the larger one with fewer channels, ours",
            "baselines.inpainting.learned:UNetInpaintSmall",
        ),
        Listing("ur_net", "U-Net of paper B with residual blocks", "baselines.inpainting.learned:URNet"),
        Listing("partial_conv", "U-Net of partial convolutions", "baselines.inpainting.learned:PartialConv"),
        Listing(
            "shift_net", "U-Net with a shift layer (Dunhuang murals)", "baselines.inpainting.learned:ShiftNet"
        ),
        Listing(
            "gan_unet",
            "U-Net with a critic, a stand-in in the manner of pix2pix",
            "baselines.inpainting.learned:GanUNet",
        ),
        Listing("lama", "LaMa; needs its weights", "baselines.inpainting.lama:Lama"),
        Listing(
            "photo_restoration",
            "restoration stage of Bringing Old Photos Back to Life; needs its weights",
            "baselines.inpainting.photo_restoration:PhotoRestorationFill",
        ),
    )
}
"""Inpainters that need torch (the extra ``models``), and weights."""

SANITY_FILLERS: Mapping[str, Listing] = {
    listing.name: listing
    for listing in (
        Listing("none", "sanity row: the damage is left", "baselines.inpainting.constant:Unfilled"),
        Listing("mean", "sanity row: the picture's mean colour", "baselines.inpainting.constant:MeanColour"),
    )
}
"""Those that do not look at the cracks: to be scored beside the others, not to be restored with."""


@dataclass(frozen=True)
class Family:
    """Methods that do the same kind of work, and can be had by name.

    Attributes
    ----------
    kind
        What one of them is called.
    word
        What a name of one is called in messages.
    group
        The entry point group in which other packages announce theirs.
    members
        What one of them has; the last is what it does.
    ours
        Those of this package; none of their names is ever taken over by another.
    """

    kind: str
    word: str
    group: str
    members: tuple[str, ...]
    ours: Mapping[str, Listing]

    def listings(self) -> tuple[Listing, ...]:
        """Return all that have a name: those of this package, then those of others, by name."""
        others = [
            Listing(point.name, f"from {_distribution(point)}", point.value)
            for point in sorted(self._entry_points(), key=lambda point: point.name)
            if point.name not in self.ours
        ]
        return (*self.ours.values(), *others)

    def make(self, name: str, settings: Mapping[str, Any]) -> Any:
        """Make one; see `get_detector`."""
        maker = self.maker(name)
        _check_names(name, maker, settings)
        try:
            made: object = maker(**settings)
        except (Exception, SystemExit) as error:  # other people's code may do anything
            if name in self.ours and isinstance(error, ValueError):
                raise
            raise ValueError(f"method {name!r} could not be made: {type(error).__name__}: {error}") from error
        if problem := _problem(made, self.members):
            raise ValueError(f"method {name!r} is no {self.kind}: {problem}")
        return made

    def maker(self, name: str) -> Callable[..., Method]:
        """Return what makes one: the class, or whatever the name leads to."""
        module_name, _, path = self._target(name).partition(":")
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

    def _target(self, name: str) -> str:
        """Return ``package.module:Class`` for a name or for such a thing itself."""
        if name in self.ours:
            return self.ours[name].target
        if ":" in name:
            module, _, path = name.partition(":")
            if not all(part.isidentifier() for part in (*module.split("."), *path.split("."))):
                raise ValueError(f"method {name!r}: expected package.module:Class")
            return name
        points = [point for point in self._entry_points() if point.name == name]
        if len({point.value for point in points}) > 1:
            origins = ", ".join(f"{point.value} ({_distribution(point)})" for point in points)
            raise ValueError(
                f"method {name!r} is announced by several packages: {origins}; name one of these"
            )
        if points:
            return points[0].value
        known = [listing.name for listing in self.listings()]
        hint = _nearest(name, known) or f": expected {', '.join(known)} or package.module:Class"
        raise ValueError(f"unknown {self.word} {name!r}{hint}")

    def _entry_points(self) -> Iterable[EntryPoint]:
        return entry_points(group=self.group)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _is_card(value: Any) -> bool:
    return isinstance(value, Card)


_SAID: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "some text"),
    "version": (_is_text, "some text"),
    "card": (_is_card, "a baselines.protocols.Card"),
    "threshold": (_is_share, "a number from 0 to 1"),
}
"""What methods say of themselves: what fits, and that in words."""

DETECTORS = Family(
    kind="detector",
    word="method",
    group=GROUP,
    ours={**BUILT_IN, **LEARNED},
    members=("name", "version", "threshold", "card", "predict"),
)
INPAINTERS = Family(
    kind="inpainter",
    word="inpainter",
    group="craqbench.inpainters",
    ours={**FILLERS, **LEARNED_FILLERS, **SANITY_FILLERS},
    members=("name", "version", "card", "fill"),
)


def list_detectors() -> tuple[Listing, ...]:
    """Return all detectors that have a name: those of this package, then those of others, by name."""
    return DETECTORS.listings()


def list_inpainters() -> tuple[Listing, ...]:
    """Return all inpainters that have a name: those of this package, then those of others, by name."""
    return INPAINTERS.listings()


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
    made: Detector = DETECTORS.make(name, settings)
    return made


def get_inpainter(name: str, **settings: Any) -> Inpainter:
    """Make an inpainter, of a name that `list_inpainters` has or of ``package.module:Class``.

    Parameters and errors are as for `get_detector`.
    """
    made: Inpainter = INPAINTERS.make(name, settings)
    return made


def default_settings(name: str, family: Family = DETECTORS) -> dict[str, Any]:
    """Return the settings of a method that have defaults, by name; errors as for `get_detector`."""
    parameters = _parameters(family.maker(name))
    return {key: p.default for key, p in parameters.items() if p.default is not inspect.Parameter.empty}


def settings_of(method: Method) -> dict[str, Any]:
    """Return what a method is set to, as JSON types, where it is a dataclass; nothing of any other."""
    if not dataclasses.is_dataclass(method) or isinstance(method, type):
        return {}
    values = {f.name: getattr(method, f.name) for f in dataclasses.fields(method)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _check_names(name: str, make: Callable[..., Method], settings: Mapping[str, Any]) -> None:
    parameters = _parameters(make)
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    for setting in settings:
        if setting not in parameters:
            expected = f"expected one of {', '.join(parameters)}" if parameters else "it has none"
            raise ValueError(f"method {name!r} has no setting {setting!r}: {expected}")


def _parameters(make: Callable[..., Method]) -> dict[str, inspect.Parameter]:
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


def _problem(made: object, members: tuple[str, ...]) -> str:
    """Say what keeps an object from being a method, or nothing."""
    lacking = [member for member in members if getattr(made, member, None) is None]
    if lacking:
        return f"{type(made).__name__} has no {', '.join(lacking)}"
    *said, act = members
    for member in said:
        fits, expected = _SAID[member]
        value: object = getattr(made, member)
        if not fits(value):
            return f"its {member} is {value!r}, expected {expected}"
    return "" if callable(getattr(made, act)) else f"its {act} cannot be called"


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""
