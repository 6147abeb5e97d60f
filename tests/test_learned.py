"""Learned detectors: made by name, run like all others, and clear about what they lack."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_samples import one, write_images
from learned_samples import CARD, picture, write_weights

from baselines.protocols import Card, ClassDetector, checked_predict, checked_predict_classes
from baselines.registry import BUILT_IN, LEARNED, default_settings, get_detector, list_detectors, settings_of
from baselines.weight_files import SHIPPED, WeightsError, card_path, shipped_weights
from generators.recipes import RECIPES, triplet

ROOT = Path(__file__).resolve().parents[1]
NAMES = tuple(name for name in LEARNED if name != "photo_restoration")


@pytest.fixture(name="weights", scope="module")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a file of random weights."""
    return str(write_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors"))


def tiny(weights: str, **settings: Any) -> Any:
    """Return a tiny craqnet."""
    return get_detector("craqnet", weights=weights, device="cpu", **settings)


# -- what they are ------------------------------------------------------------------------------------------


def test_all_are_listed() -> None:
    """The learned detectors are listed after the classical ones, each with a line, and not made for it."""
    listed = [listing.name for listing in list_detectors()]
    assert listed[: len(BUILT_IN) + len(LEARNED)] == [*BUILT_IN, *LEARNED]
    wanted = {"craqnet", "segformer_lora", "segformer", "unet", "unet_small", "res_unet", "mc_dm"}
    assert wanted <= set(LEARNED)


@pytest.mark.parametrize("name", NAMES)
def test_each_has_the_same_settings(name: str) -> None:
    """Every learned detector takes weights, device, flips, precision and tile."""
    expected = {"weights": None, "device": "auto", "flips": 1, "precision": "auto", "tile": 1664}
    assert default_settings(name) == expected


def test_each_has_a_network() -> None:
    """Each learned detector is that of a network of its name."""
    from baselines.architectures import ARCHITECTURES  # noqa: PLC0415  of the module that is built beside this one

    assert set(NAMES) == set(ARCHITECTURES)


def test_what_it_says_of_itself(weights: str) -> None:
    """Name, version, threshold and card come from the card of the weights."""
    detector = tiny(weights, precision="float32")
    digest = json.loads(card_path(Path(weights)).read_text())["sha256"]
    assert detector.name == "craqnet"
    assert detector.version == f"3+{digest[:8]}"
    assert detector.threshold == 0.5
    assert isinstance(detector.card, Card)
    assert detector.card.weights == digest
    assert detector.card.training_data == "synthetic cracks only"
    expected = {"weights": weights, "device": "cpu", "flips": 1, "precision": "float32", "tile": 1664}
    assert settings_of(detector) == expected


def test_auto_is_settled(weights: str) -> None:
    """Afterwards device and precision are those that are used: a result shall say them."""
    settings = settings_of(get_detector("craqnet", weights=weights))
    assert settings["device"] in {"cpu", "cuda"}
    assert settings["precision"] in {"float32", "bfloat16"}


# -- what they do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (37, 1), (64, 96), (97, 130)])
def test_predict(weights: str, size: tuple[int, int]) -> None:
    """An image of any size is answered with scores that can be scored, the same each time."""
    detector, image = tiny(weights), picture(*size)
    scores = checked_predict(detector, image, "drawn")
    np.testing.assert_array_equal(detector.predict(image), scores)


def test_predict_classes(weights: str, tmp_path: Path) -> None:
    """All classes' probabilities add up to one, and that of cracks is the score; two classes or three."""
    image = picture(40, 56)
    for classes, path in ((2, weights), (3, str(write_weights(tmp_path / "three.safetensors", classes=3)))):
        detector = tiny(path, precision="float32")
        assert isinstance(detector, ClassDetector)
        assert detector.classes == classes
        found = checked_predict_classes(detector, image, "drawn")
        assert found.shape == (classes, *image.shape[:2])
        np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)
        np.testing.assert_array_equal(found[1], detector.predict(image))


def test_making_one_leaves_chance_alone(weights: str) -> None:
    """The first weights, drawn to be replaced, take nothing from anybody's random numbers."""
    import torch  # noqa: PLC0415  where it is needed

    before = torch.random.get_rng_state()
    tiny(weights)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_evaluate(weights: str, tmp_path: Path) -> None:
    """`craqbench evaluate` takes a learned detector like any other: same result here and in a worker."""
    images = write_images(tmp_path / "scans", 2)
    method = f"craqnet,precision=float32,weights={weights}"
    here = one(method, images, tmp_path / "here", device="auto").result
    there = one(method, images, tmp_path / "there", device="cpu", workers=2).result
    assert here.complete
    assert here.method.settings["precision"] == "float32"
    assert here.method.card.weights == tiny(weights).card.weights
    if here.hardware.device == "cpu":
        assert here.predictions_digest == there.predictions_digest


# -- what they lack -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": "nowhere"}, "weights 'nowhere' of 'craqnet': there is no such file"),
        ({"flips": 3}, "flips 3: expected one of 1, 2, 4, 8"),
        ({"flips": True}, "setting 'flips' of method 'craqnet' is True: expected int"),
        ({"tile": 64.0}, "setting 'tile' of method 'craqnet' is 64.0: expected int"),
        ({"precision": "half"}, "precision 'half': expected float32 or bfloat16"),
        ({"device": "abacus"}, "device 'abacus': expected auto, cpu, cuda or cuda:NUMBER"),
        ({"speed": 1}, "method 'craqnet' has no setting 'speed': expected one of weights, device, flips"),
    ],
)
def test_settings_are_checked(weights: str, settings: dict[str, Any], message: str) -> None:
    """A setting that cannot be used is named with what was expected."""
    with pytest.raises(ValueError, match=re.escape(message)):
        get_detector("craqnet", **{"weights": weights, "device": "cpu", **settings})


def test_weights_of_another_method(weights: str) -> None:
    """Weights of one network are not taken for another's."""
    with pytest.raises(WeightsError, match="are those of 'craqnet': expected weights of 'unet_small'"):
        get_detector("unet_small", weights=weights)


def test_weights_of_another_shape(tmp_path: Path) -> None:
    """Weights that do not fit are refused with the first tensor that does not, before any image is seen."""
    path = write_weights(tmp_path / "w.safetensors")
    card = json.loads(card_path(path).read_text())
    card["switches"]["widths"] = [4, 8, 8, 8, 16]
    card_path(path).write_text(json.dumps(card))
    with pytest.raises(WeightsError, match=r"do not fit CraqNet: .*tensor '.*expected.*\(16, "):
        tiny(str(path))


def test_no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where none come with the package, it is said how to get or train them."""
    monkeypatch.setattr("baselines.weight_files.SHIPPED", tmp_path)
    told = r"no weights of 'craqnet' in this package: .*ORG/NAME@REVISION.*craqbench train --method craqnet "
    with pytest.raises(WeightsError, match=told):
        get_detector("craqnet")


@pytest.mark.parametrize("name", [name for name in NAMES if (SHIPPED / f"{name}.safetensors").exists()])
def test_shipped_weights_find_something(name: str) -> None:
    """Weights of this package make a detector that answers, and no constant."""
    assert name in shipped_weights()
    detector = get_detector(name, device="cpu")
    scores = checked_predict(detector, picture(96, 128), "drawn")
    assert scores.std() > 0


@pytest.mark.parametrize(
    "size", [(1088, 320), pytest.param((3000, 3000), marks=pytest.mark.long)], ids=["strip", "3000 px"]
)
def test_shipped_craqnet_whole_and_tiled(size: tuple[int, int]) -> None:
    """What craqnet has learnt finds drawn cracks, and the same ones within 1e-3 whole and in tiles."""
    ground = (0.8 * np.array([150, 130, 100]) + 0.2 * picture(*size)).astype(np.uint8)
    drawn = triplet(RECIPES["dutch"], seed=0, index=0, painting=ground, size=size[::-1])
    whole, tiled = (
        get_detector("craqnet", device="cpu", precision="float32", tile=tile).predict(drawn.damaged)
        for tile in (max(size), max(640, max(size) // 2))
    )
    assert whole[drawn.mask].mean() > 0.5 > 10 * whole[~drawn.mask].mean()
    np.testing.assert_allclose(tiled, whole, atol=1e-3)


# -- without torch ------------------------------------------------------------------------------------------

BLOCKED = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "safetensors", "transformers", "peft"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def without_torch(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code where torch is not installed."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED + code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_without_torch(weights: str) -> None:
    """Where torch is not installed, all is listed, and asking for a learned detector says how to get it."""
    code = """
from baselines.registry import LEARNED, default_settings, get_detector, list_detectors
list_detectors()
for name in LEARNED:
    default_settings(name)
for name in ("craqnet", "photo_restoration"):
    try:
        get_detector(name, weights=sys.argv[1])
    except ValueError as error:
        print(error)
"""
    result = without_torch(code, weights)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"method {name!r} needs torch, which is not installed: pip install 'craqbench[models]'"
        for name in ("craqnet", "photo_restoration")
    ]


def test_commands_without_torch(weights: str, tmp_path: Path) -> None:
    """Commands say it in one line and exit with 2; classical detectors go on working."""
    code = "from craqbench.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["--set", "synthetic,n=1", "--workers", "1", "--out", str(tmp_path / "results")]
    result = without_torch(code, "evaluate", "--method", f"craqnet,weights={weights}", *words)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].endswith("pip install 'craqbench[models]'")
    assert "Traceback" not in result.stderr
    assert without_torch(code, "evaluate", "--method", "tophat", *words).returncode == 0
    for command in ("detect", "publish-weights"):
        assert without_torch(code, command, "--help").returncode == 0


def test_listing_and_describing_load_no_torch() -> None:
    """Neither the table of detectors nor their settings import torch."""
    code = """
import sys
from baselines.registry import LEARNED, default_settings
for name in LEARNED:
    default_settings(name)
print("torch" in sys.modules)
"""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert result.stdout.strip() == "False"


def test_the_sample_card_is_complete() -> None:
    """The card that these tests use names what every card names."""
    from baselines.weight_files import CARD_FIELDS  # noqa: PLC0415  for this test alone

    assert set(CARD) == set(CARD_FIELDS)
