"""Detectors and inpainters by name, by ``module:Class`` and by entry point."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from baselines.inpainting.diffusion import Diffusion
from baselines.registry import (
    BUILT_IN,
    FILLERS,
    GROUP,
    INPAINTERS,
    LEARNED_FILLERS,
    SANITY_FILLERS,
    Listing,
    default_settings,
    get_detector,
    get_inpainter,
    list_detectors,
    list_inpainters,
    settings_of,
)
from baselines.ridge import Ridge
from baselines.tophat import TopHat

ROOT = Path(__file__).resolve().parents[1]

GUEST = """
import numpy as np
from baselines.protocols import Card

NUMBER = 3


class Guest:
    name, version, threshold = "guest", "2.1", 0.5
    card = Card(training_data="none", licence="MIT", reference="a test")

    def __init__(self, level=0.25, *, mode="plain"):
        if level > 1:
            raise RuntimeError("too high")
        self.level, self.mode = level, mode

    def predict(self, image):
        return np.full(image.shape[:2], self.level, np.float32)


class Filler:
    name, version = "filler", "0.3"
    card = Guest.card

    def __init__(self, depth=4):
        self.depth = depth

    def fill(self, image, mask):
        return image.copy()


class Rooms:
    Inner = Guest


def any_setting(**settings):
    guest = Guest()
    guest.settings = settings
    return guest


def leaves():
    raise SystemExit(2)


def altered(attribute, value=None):
    guest = Guest()
    setattr(guest, attribute, value)
    return guest


def nothing():
    return object()
"""

Install = Callable[..., None]


@pytest.fixture
def guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a module with somebody's methods where Python finds it, and return its name."""
    name = f"guests_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(GUEST)
    (tmp_path / f"{name}_broken.py").write_text("import a_library_that_is_not_here")
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.fixture
def install(tmp_path: Path, guests: str) -> Install:
    """Return a function that announces methods as an installed package does."""

    def announce(package: str, group: str = GROUP, **points: str) -> None:
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {value.replace('GUESTS', guests)}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))

    return announce


def test_all_names_of_this_package() -> None:
    """Each listed name makes a detector of that very name, with a summary in one line."""
    listed = [listing for listing in list_detectors() if listing.name in BUILT_IN]
    assert {"tophat", "grassfire", "ridge", "none", "all"} <= {listing.name for listing in listed}
    for listing in listed:
        assert get_detector(listing.name).name == listing.name
        assert listing.summary
        assert "\n" not in listing.summary


def test_settings_reach_the_detector() -> None:
    """Settings replace defaults, and are told again as JSON types."""
    detector = get_detector("tophat", polarity="both", level=55)
    assert detector == TopHat(polarity="both", level=55)
    assert settings_of(detector)["level"] == 55
    assert settings_of(get_detector("ridge", scales=(1.0, 3.0)))["scales"] == [1.0, 3.0]
    assert settings_of(get_detector("ridge", **settings_of(Ridge()))) == settings_of(Ridge())
    assert settings_of(get_detector("none")) == {}


def test_default_settings() -> None:
    """A method tells what can be set, and to what it is set."""
    assert default_settings("tophat") == settings_of(TopHat())
    assert default_settings("none") == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tophta", "unknown method 'tophta'; did you mean tophat?"),
        ("unet9", "unknown method 'unet9'"),
        ("xyzzy", "unknown method 'xyzzy': expected tophat, grassfire, ridge, none, all"),
        ("", "unknown method ''"),
        ("a module:Class", "method 'a module:Class': expected package.module:Class"),
        (":Class", "method ':Class': expected package.module:Class"),
        ("baselines.tophat:", "method 'baselines.tophat:': expected package.module:Class"),
        ("baselines.nowhere:Class", "cannot be imported from 'baselines.nowhere': ModuleNotFoundError"),
        ("baselines.tophat:TopHut", "'baselines.tophat' has no 'TopHut'; did you mean TopHat"),
        ("baselines.tophat:Zzz", "'baselines.tophat' has no 'Zzz': expected package.module:Class"),
        ("baselines.registry:GROUP", "is a str: expected a class or a function"),
    ],
)
def test_unknown_methods(name: str, message: str) -> None:
    """A method that is not there is an error that offers the nearest."""
    with pytest.raises(ValueError, match=re.escape(message)):
        get_detector(name)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        (
            "tophat",
            {"levle": 3},
            "method 'tophat' has no setting 'levle': expected one of polarity, element,",
        ),
        ("none", {"level": 3}, "method 'none' has no setting 'level': it has none"),
        (
            "tophat",
            {"level": 255},
            "setting 'level' of method 'tophat' is 255: expected a whole number from 0",
        ),
        ("tophat", {"level": 7.5}, "is 7.5: expected a whole number from 0 to 254"),
        ("tophat", {"level": True}, "is True: expected a whole number"),
        ("tophat", {"level": "75"}, "is '75': expected a whole number"),
        ("tophat", {"polarity": "black"}, "is 'black': expected dark or light or both"),
        ("tophat", {"normalised": 1}, "is 1: expected True or False"),
        ("ridge", {"low": float("nan")}, "is nan: expected a number from 0.001 to 100"),
        ("ridge", {"scales": ()}, "is (): expected some numbers, each a number from 0.3 to 50"),
        ("ridge", {"scales": 2.0}, "is 2.0: expected some numbers"),
        ("ridge", {"scales": (1.0, 99.0)}, "is (1.0, 99.0): expected some numbers, each a number from 0.3"),
        ("ridge", {"low": 2.0}, "setting 'high' of method 'ridge' is 0.9: expected at least 'low', 2.0"),
        (
            "grassfire",
            {"seed_level": 3},
            "setting 'seed_level' of method 'grassfire' is 3: expected at least",
        ),
    ],
)
def test_wrong_settings(name: str, settings: dict[str, Any], message: str) -> None:
    """An unknown setting, or a value out of bounds, is named beside what was expected."""
    with pytest.raises(ValueError, match=re.escape(message)):
        get_detector(name, **settings)


def test_somebodys_class(guests: str) -> None:
    """Anybody's class is a method, with its own settings, also inside another class."""
    guest = get_detector(f"{guests}:Guest", level=0.5, mode="other")
    assert (guest.name, guest.version) == ("guest", "2.1")
    assert get_detector(f"{guests}:Rooms.Inner").name == "guest"
    assert default_settings(f"{guests}:Guest") == {"level": 0.25, "mode": "plain"}
    assert settings_of(guest) == {}


def test_a_maker_that_takes_anything(guests: str) -> None:
    """A function that takes any keyword gets any setting."""
    made: Any = get_detector(f"{guests}:any_setting", one=1, two="2")
    assert made.settings == {"one": 1, "two": "2"}


@pytest.mark.parametrize(
    ("target", "settings", "message"),
    [
        ("GUESTS:Guest", {"levels": 1}, "has no setting 'levels': expected one of level, mode"),
        ("GUESTS:Guest", {"level": 2}, "could not be made: RuntimeError: too high"),
        ("GUESTS:leaves", {}, "could not be made: SystemExit: 2"),
        ("GUESTS:altered", {}, "could not be made: TypeError"),
        ("GUESTS:NUMBER", {}, "is a int: expected a class or a function"),
        ("GUESTS:nothing", {}, "is no detector: object has no name, version, threshold, card, predict"),
        ("GUESTS:altered", {"attribute": "name"}, "is no detector: Guest has no name"),
        ("GUESTS:altered", {"attribute": "name", "value": 7}, "its name is 7, expected some text"),
        ("GUESTS:altered", {"attribute": "version", "value": 1.0}, "its version is 1.0, expected some text"),
        (
            "GUESTS:altered",
            {"attribute": "threshold", "value": 127},
            "its threshold is 127, expected a number",
        ),
        (
            "GUESTS:altered",
            {"attribute": "card", "value": "MIT"},
            "its card is 'MIT', expected a baselines.prot",
        ),
        ("GUESTS:altered", {"attribute": "predict", "value": 3}, "its predict cannot be called"),
        ("GUESTS_broken:Guest", {}, "ModuleNotFoundError: No module named 'a_library_that_is_not_here'"),
        ("builtins:dict", {}, "is no detector: dict has no name"),
    ],
)
def test_somebodys_faults(guests: str, target: str, settings: dict[str, Any], message: str) -> None:
    """What is wrong with somebody's method is said in one line that names it."""
    name = target.replace("GUESTS", guests)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        get_detector(name, **settings)
    assert f"method {name!r}" in str(caught.value)


def test_announced_methods(install: Install, guests: str) -> None:
    """A method that an installed package announces is listed after ours, and made by its name."""
    install("gallery", guest="GUESTS:Guest", zebra="GUESTS:any_setting")
    ours, others = list_detectors()[: len(BUILT_IN)], list_detectors()[len(BUILT_IN) :]
    assert ours == tuple(BUILT_IN.values())
    assert Listing("guest", "from gallery 1.0", f"{guests}:Guest") in others
    assert get_detector("guest", level=0.125).name == "guest"
    with pytest.raises(ValueError, match=r"unknown method 'gust'; did you mean guest\?"):
        get_detector("gust")


def test_our_names_cannot_be_taken(install: Install) -> None:
    """A package that announces a name of ours does not get it."""
    install("gallery", tophat="GUESTS:Guest")
    assert isinstance(get_detector("tophat"), TopHat)
    assert [listing.name for listing in list_detectors()].count("tophat") == 1


def test_a_name_announced_twice(install: Install) -> None:
    """Where two packages announce the same name, neither is taken silently."""
    install("gallery", guest="GUESTS:Guest")
    install("museum", guest="GUESTS:any_setting")
    with pytest.raises(ValueError, match=r"'guest' is announced by several packages: .*\(museum 1.0\)"):
        get_detector("guest")


def test_a_broken_package_spoils_no_list(install: Install) -> None:
    """What cannot be imported is listed, and fails only when asked for."""
    install("ruin", ruin="GUESTS_broken:Guest")
    assert "ruin" in [listing.name for listing in list_detectors()]
    with pytest.raises(ValueError, match="method 'ruin' cannot be imported"):
        get_detector("ruin")


# -- inpainters, by the same machinery ----------------------------------------------------------------------


def test_all_inpainters_of_this_package() -> None:
    """Each name makes an inpainter of that very name; those with weights are listed after the others."""
    listed = list_inpainters()
    assert {"mtm", "diffusion", "telea", "navier_stokes"} <= set(FILLERS)
    assert [listing.name for listing in listed][: len(INPAINTERS.ours)] == [
        *FILLERS,
        *LEARNED_FILLERS,
        *SANITY_FILLERS,
    ]
    assert all(get_inpainter(name).name == name for name in (*FILLERS, *SANITY_FILLERS))
    assert all(listing.summary and "\n" not in listing.summary for listing in listed)


def test_settings_of_inpainters() -> None:
    """Settings reach an inpainter, and are told again; defaults are told by name."""
    assert get_inpainter("diffusion", steps=7) == Diffusion(steps=7)
    assert settings_of(get_inpainter("diffusion", steps=7)) == {**settings_of(Diffusion()), "steps": 7}
    assert default_settings("diffusion", INPAINTERS) == settings_of(Diffusion())
    assert default_settings("mtm", INPAINTERS) == {}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("diffusio", {}, "unknown inpainter 'diffusio'; did you mean diffusion?"),
        ("xyzzy", {}, "unknown inpainter 'xyzzy': expected mtm, diffusion, telea, navier_stokes"),
        ("tophat", {}, "unknown inpainter 'tophat': expected mtm, diffusion"),
        ("diffusion", {"step": 3}, "method 'diffusion' has no setting 'step': expected one of steps, rate,"),
        ("mtm", {"radius": 3}, "method 'mtm' has no setting 'radius': it has none"),
        ("baselines.tophat:TopHat", {}, "'baselines.tophat:TopHat' is no inpainter: TopHat has no fill"),
        ("GUESTS:Guest", {}, "is no inpainter: Guest has no fill"),
        ("GUESTS:nothing", {}, "is no inpainter: object has no name, version, card, fill"),
        ("GUESTS:Filler", {"deep": 3}, "has no setting 'deep': expected one of depth"),
    ],
)
def test_wrong_inpainters(guests: str, name: str, settings: dict[str, Any], message: str) -> None:
    """An inpainter that is not there, has no such setting, or is a detector, is said to be so."""
    with pytest.raises(ValueError, match=re.escape(message)):
        get_inpainter(name.replace("GUESTS", guests), **settings)


def test_somebodys_inpainter(guests: str) -> None:
    """Anybody's class is an inpainter if it fills; no threshold is asked of it. It is no detector."""
    made: Any = get_inpainter(f"{guests}:Filler", depth=2)
    assert (made.name, made.depth) == ("filler", 2)
    with pytest.raises(ValueError, match="is no detector: Filler has no threshold, predict"):
        get_detector(f"{guests}:Filler")


def test_families_are_announced_apart(install: Install, guests: str) -> None:
    """The same name can be announced for a detector and for an inpainter, and is listed with its own kind."""
    install("gallery", guest="GUESTS:Guest")
    install("museum", "craqbench.inpainters", guest="GUESTS:Filler", filler="GUESTS:Filler")
    assert get_detector("guest").name == "guest"
    assert get_inpainter("guest").name == "filler"
    assert Listing("filler", "from museum 1.0", f"{guests}:Filler") in list_inpainters()
    assert "filler" not in [listing.name for listing in list_detectors()]


def test_listing_imports_no_method() -> None:
    """The tables of methods load neither OpenCV nor torch."""
    code = "import sys, baselines.registry as r; r.list_detectors(); r.list_inpainters(); print(*sys.modules)"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert not {"cv2", "torch", "scipy", "skimage", "baselines.tophat", "baselines.inpainting.mtm"} & set(
        result.stdout.split()
    )
