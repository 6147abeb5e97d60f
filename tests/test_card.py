"""The card: valid YAML, the right licence, a command that makes the dataset again."""

from __future__ import annotations

import io
import shlex
from typing import TYPE_CHECKING, Any

import PIL.Image
import pytest
import yaml
from tiny import three_class_recipe, tiny_config, write_paintings

from craqbench.card import card, command
from craqbench.dataset import load_manifest
from craqbench.generation import generate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small dataset whose paintings have two licences and a broken one among them."""
    folder = tmp_path_factory.mktemp("card")
    paintings = write_paintings(folder / "my paintings")
    (paintings / "broken.jpg").touch()
    (paintings / "index.csv").write_text("file,licence\npainting-0.jpg,CC0-1.0\npainting-1.jpg,CC0-1.0\n")
    config = tiny_config(
        paintings, n=4, recipe=three_class_recipe(lines=2), splits=(("train", 0.5), ("test", 0.5))
    )
    generate(config, folder / "out")
    return folder / "out"


def head(text: str) -> Any:
    """Return the YAML head of a card."""
    return yaml.safe_load(text.split("---\n")[1])


def test_card_is_the_one_on_disk(dataset: Path) -> None:
    """The card is a pure function of the manifest."""
    assert (dataset / "README.md").read_text(encoding="utf-8") == card(load_manifest(dataset))


def test_head(dataset: Path) -> None:
    """The head tells the Hub features, splits, files, size and licence."""
    found = head(card(load_manifest(dataset)))
    assert found["size_categories"] == ["n<1K"]
    assert found["configs"][0]["data_files"][1] == {"split": "test", "path": "data/test-*.parquet"}
    assert {"name": "labels", "dtype": "image"} in found["dataset_info"]["features"]
    assert [split["num_examples"] for split in found["dataset_info"]["splits"]] == [2, 2]
    size = sum(path.stat().st_size for path in (dataset / "data").iterdir())
    assert found["dataset_info"]["dataset_size"] == size
    assert (found["license"], found["license_name"]) == ("other", "mixed")


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC0-1.0", {"license": "cc0-1.0"}),
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("unknown", {"license": "unknown"}),
        ("In copyright", {"license": "other", "license_name": "In copyright"}),
    ],
)
def test_licence_of_all_paintings(licence: str, expected: dict[str, str], dataset: Path) -> None:
    """Where all paintings share a licence, it is the dataset's."""
    manifest = load_manifest(dataset)
    for painting in manifest["source"]["paintings"]:
        painting["licence"] = licence
    found = head(card(manifest))
    assert {key: value for key, value in found.items() if key.startswith("license")} == expected


def test_body(dataset: Path) -> None:
    """The body names paintings, licences, columns, versions, fingerprint and limits."""
    manifest = load_manifest(dataset)
    text = card(manifest)
    for words in (
        "4 triplets of 96 x 64 px",
        "everywhere outside the mask",
        "CC0-1.0 (2), unknown (3)",
        "1 more image was skipped",
        "`labels`",
        manifest["fingerprint"],
        f"pyarrow {manifest['versions']['pyarrow']}",
        "never stretched",
        "](sample.png)",
    ):
        assert words in text
    assert str(dataset.parent) not in text


def test_soft_edges_and_procedural_canvases(dataset: Path) -> None:
    """A card says how far damage reaches, and that canvases are nobody's work."""
    manifest = load_manifest(dataset)
    manifest["recipe"]["soft_edge"] = 3
    manifest["source"] |= {"kind": "procedural", "paintings": [], "skipped": []}
    text = card(manifest)
    assert "farther than 3 px (a soft edge) from the mask" in text
    assert "nobody's work, CC0-1.0" in text
    assert head(text)["license"] == "cc0-1.0"


def test_command(dataset: Path) -> None:
    """The command names every option, with the folder's name alone, and survives a shell."""
    words = shlex.split(command(load_manifest(dataset)))
    options = dict(zip(words[2:-1:2], words[3::2], strict=True))
    assert words[:2] == ["craqbench", "generate"]
    assert options["--source"] == "my paintings"
    assert options["--split"] == "train=0.5,test=0.5"
    assert options["--size"] == "96x64"
    assert "lines=2" in words


def test_sample(dataset: Path) -> None:
    """The sample picture opens, and is wider than three triplet pictures."""
    with PIL.Image.open(io.BytesIO((dataset / "sample.png").read_bytes())) as picture:
        assert picture.width > 3 * 96
