"""`nga-val`: masks that ship, images that are fetched from a web server or imported; all checked."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from annotated_samples import Web, crack_mask, save, web_server

from craqbench import downloads, nga
from craqbench.annotated import open_set
from craqbench.annotated_files import decode_values
from craqbench.annotations import digest_of_pixels
from craqbench.downloads import cache_folder, download
from craqbench.errors import AnnotationError, UsageError
from craqbench.nga import Shipped, fetch, import_images, missing, open_nga

ANNOTATED = Path(nga.__file__).parent / "annotated_data"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the cache of the user out of the tests, and do not wait between tries."""
    monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(nga.BASE_VARIABLE, raising=False)
    monkeypatch.setattr(downloads, "PAUSE", 0.001)


def digest(data: bytes) -> str:
    """Return sha256 (hex)."""
    return hashlib.sha256(data).hexdigest()


def source_file(number: int) -> bytes:
    """Return a PNG with alpha, larger than the part that is annotated."""
    pixels = np.random.default_rng(number).integers(0, 256, (270, 300, 4)).astype(np.uint8)
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def cut(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the part that is annotated, alpha dropped."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)[:256, :256, :3]


@pytest.fixture
def shipped(tmp_path: Path) -> Shipped:
    """Return masks and a manifest of three sources, the first with a second annotator, and no images."""
    folder = tmp_path / "shipped"
    rows = []
    for number in range(3):
        name, source = f"dutch_{number}", source_file(number)
        mask = save(folder / "masks" / f"{name}.png", crack_mask(number, (256, 256)))
        second = (
            save(folder / "masks_second" / f"{name}.png", crack_mask(9, (256, 256))) if number == 0 else None
        )
        rows.append(
            {
                "id": name,
                "school": "Dutch",
                "polarity": ("dark", "light")[number % 2],
                "second_annotator": str(int(second is not None)),
                "source_path": f"tmp/Cracks/Dutch{number}.png",
                "sha256_source": digest(source),
                "sha256_pixels": digest(cut(source).tobytes()),
                "sha256_mask": digest(mask.read_bytes()),
                "sha256_mask_second": digest(second.read_bytes()) if second else "",
            }
        )
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return Shipped(folder, tmp_path / "images")


FILES = {f"tmp/Cracks/Dutch{number}.png": source_file(number) for number in range(3)}


@pytest.fixture(name="web")
def sources() -> object:
    """Serve the three sources."""
    with web_server(dict(FILES)) as web:
        yield web


def test_what_ships(shared: Path) -> None:
    """Masks and the manifest ship as they were made, with digests of the pixels of the images."""
    original = shared / "data" / "real" / "val"
    rows = Shipped.here().rows()
    with (original / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            shown = rows.pop(row["id"])
            assert {name: shown[name] for name in row} == row
            image = original / "images" / f"{row['id']}.png"
            assert digest(image.read_bytes()) == row["sha256_image"]
            with PIL.Image.open(image) as picture:
                assert digest_of_pixels(np.asarray(picture)) == shown["sha256_pixels"]
            assert shown["licence"] == "CC0-1.0"
    assert not rows
    for kind in ("masks", "masks_second"):
        names = {path.name for path in (original / kind).iterdir()}
        assert names == {path.name for path in (ANNOTATED / "nga-val" / kind).iterdir()}
        for name in names:
            mine, theirs = (folder / kind / name for folder in (ANNOTATED / "nga-val", original))
            assert mine.read_bytes() == theirs.read_bytes()


def test_nothing_else_ships() -> None:
    """The folder of annotations holds masks, a manifest and a licence, all of masks' size and values."""
    files = [path for path in ANNOTATED.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".png", ".csv", ".md"}
    pictures = [path for path in files if path.suffix == ".png"]
    assert len(pictures) == 24
    for path in pictures:
        values = decode_values(path.read_bytes())
        assert values.shape == (256, 256)
        assert set(np.unique(values)) == {0, 128, 255}
    assert "CC0-1.0" in (ANNOTATED / "README.md").read_text()
    assert nga.COMMIT in (ANNOTATED / "README.md").read_text()


def test_the_real_crops(shared: Path) -> None:
    """The real crops are imported, and say what their manifest says of them."""
    folder = shared / "data" / "real" / "val" / "images"
    assert import_images(folder) == 20
    found = open_set("nga-val")
    assert found.values("school") == {"Dutch": 10, "Flemish": 10}
    assert found.values("polarity") == {"dark": 9, "light": 11}
    rows = Shipped.here().rows()
    for item in found:
        one, row = found.load(item), rows[item.id]
        assert (one.second is not None) == (row["second_annotator"] == "1")
        assert round(float(one.mask.mean()), 4) == float(row["crack_fraction"])
        assert round(float(one.ignore.mean()), 4) == float(row["ignore_fraction"])
        with PIL.Image.open(folder / f"{item.id}.png") as picture:
            assert (np.asarray(picture) == one.image).all()
    assert found.digest == open_set("nga-val").digest


def test_fetch(shipped: Shipped, web: Web) -> None:
    """Each source is downloaded once, cut, and kept; what is here is not asked for again."""
    calls: list[tuple[str, int, int]] = []
    count = fetch(shipped, base=f"{web.address}/", progress=lambda *call: calls.append(call))
    assert count == 3
    assert web.asked == list(FILES)
    assert calls[0] == ("downloading images", 0, 3)
    assert calls[-1] == ("downloading images", 3, 3)
    found = open_nga(shipped)
    for item, data in zip(found, FILES.values(), strict=True):
        assert (found.load(item).image == cut(data)).all()
    assert found.load("dutch_0").second is not None
    assert found.load("dutch_1").second is None
    shipped.image("dutch_1").unlink()
    assert fetch(shipped, base=web.address) == 1
    assert web.asked[3:] == ["tmp/Cracks/Dutch1.png"]


def test_fetch_from_a_mirror(shipped: Shipped, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment can name a mirror."""
    monkeypatch.setenv(nga.BASE_VARIABLE, web.address)
    assert fetch(shipped) == 3


def test_the_pinned_address() -> None:
    """The default address is the pinned commit."""
    assert nga.BASE.endswith("/seoho926/art-forgery-craquelure/8db7b2e91f479446f38bb798a2c9484c7205330a")


@pytest.mark.parametrize("faults", [[503, 500], ["cut", "cut"], [429, "cut", 502]])
def test_passing_faults_are_survived(shipped: Shipped, web: Web, faults: list[int | str]) -> None:
    """Busy servers and cut connections are tried again."""
    web.faults["tmp/Cracks/Dutch1.png"] = list(faults)
    assert fetch(shipped, base=web.address) == 3
    assert web.asked.count("tmp/Cracks/Dutch1.png") == len(faults) + 1


def test_lasting_faults_keep_what_is_done(shipped: Shipped, web: Web) -> None:
    """A server that stays busy is given up; what arrived is kept, and the next call goes on there."""
    web.faults["tmp/Cracks/Dutch1.png"] = [503] * 4
    with pytest.raises(AnnotationError, match=r"cannot download .*Dutch1.png: 503 .*\(tried 4 times\)"):
        fetch(shipped, base=web.address)
    assert missing(shipped) == ["dutch_1", "dutch_2"]
    with pytest.raises(AnnotationError, match="set nga-val: 2 of 3 images are not here: run 'craqbench data"):
        open_nga(shipped)
    assert fetch(shipped, base=web.address) == 2
    assert web.asked.count("tmp/Cracks/Dutch0.png") == 1


def test_absent_files_are_not_asked_for_twice(shipped: Shipped) -> None:
    """What is not there will not come by asking."""
    with web_server({}) as web:
        with pytest.raises(AnnotationError, match=r"404 .*\(tried 1 times\)"):
            fetch(shipped, base=web.address)
        assert len(web.asked) == 1


def test_no_server(shipped: Shipped) -> None:
    """A server that is not there is named."""
    with web_server({}) as web:
        address = web.address
    with pytest.raises(AnnotationError, match=rf"cannot download {address}/.*\(tried 4 times\)"):
        fetch(shipped, base=address)


def test_other_addresses(tmp_path: Path) -> None:
    """Only the web is asked: no file of this machine, and nothing endless."""
    with pytest.raises(UsageError, match="address 'file:///etc/passwd': expected http:// or https://"):
        download("file:///etc/passwd")
    with web_server({"big": bytes(1000)}) as web:
        assert download(f"{web.address}/big", most_bytes=1000) == bytes(1000)
        with pytest.raises(AnnotationError, match="has more than 999 bytes"):
            download(f"{web.address}/big", most_bytes=999)
    assert not list(tmp_path.iterdir())


def test_a_changed_source(shipped: Shipped) -> None:
    """A source that is not the annotated file is refused and not kept."""
    with (
        web_server({**FILES, "tmp/Cracks/Dutch0.png": source_file(7)}) as web,
        pytest.raises(AnnotationError, match=r"Dutch0.png has sha256 \w{64}: expected \w{64}"),
    ):
        fetch(shipped, base=web.address)
    assert missing(shipped) == ["dutch_0", "dutch_1", "dutch_2"]
    assert not shipped.images.exists()


def test_import_of_crops_and_clones(shipped: Shipped, tmp_path: Path) -> None:
    """Crops by id, however encoded, are taken as well as a clone of the source, or its files alone."""
    for number, data in enumerate(FILES.values()):
        save(tmp_path / "crops" / "images" / f"dutch_{number}.png", cut(data), compress_level=1)
        for folder in ("clone/tmp/Cracks", "loose"):
            path = tmp_path / folder / f"Dutch{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    digests = set()
    for folder in ("crops", "crops/images", "clone", "loose"):
        shutil.rmtree(shipped.images, ignore_errors=True)
        assert import_images(tmp_path / folder, shipped) == 3
        found = open_nga(shipped)
        assert (found.load("dutch_2").image == cut(FILES["tmp/Cracks/Dutch2.png"])).all()
        digests.add(found.digest)
    assert len(digests) == 1


def test_import_of_other_images(shipped: Shipped, tmp_path: Path) -> None:
    """Images that are missing, broken, too small or changed by one value are named; good ones are kept."""
    folder = tmp_path / "crops"
    wrong = cut(FILES["tmp/Cracks/Dutch0.png"]).copy()
    wrong[200, 100, 1] ^= 1
    save(folder / "dutch_0.png", wrong)
    save(folder / "dutch_1.png", cut(FILES["tmp/Cracks/Dutch1.png"]))
    with pytest.raises(AnnotationError) as caught:
        import_images(folder, shipped)
    message = str(caught.value)
    assert "2 of 3 images of nga-val failed" in message
    assert "dutch_0.png: its first 256 x 256 px have sha256" in message
    assert "no dutch_2.png and no tmp/Cracks/Dutch2.png" in message
    assert missing(shipped) == ["dutch_0", "dutch_2"]
    save(folder / "dutch_0.png", wrong[:99])
    (folder / "dutch_2.png").write_bytes(b"rubbish")
    with pytest.raises(AnnotationError, match=r"RGB, 256 x 99 px: expected RGB or RGBA.*no sound PNG"):
        import_images(folder, shipped)
    with pytest.raises(AnnotationError, match=r"'.*none' does not exist: expected the images of nga-val"):
        import_images(tmp_path / "none", shipped)


def test_tampered_cache(shipped: Shipped, web: Web) -> None:
    """An image or a mask that is not the annotated one is found when it is loaded."""
    fetch(shipped, base=web.address)
    found = open_nga(shipped)
    path = shipped.image("dutch_0")
    pixels = found.load("dutch_0").image.copy()
    pixels[0, 0, 0] ^= 1
    save(path, pixels)
    with pytest.raises(
        AnnotationError, match=r"dutch_0.png: pixels with sha256 \w{64}: expected .* remove the"
    ):
        found.load("dutch_0")
    path.write_bytes(b"")
    with pytest.raises(AnnotationError, match=r"dutch_0.png: .*: expected|dutch_0.png: no PNG"):
        found.load("dutch_0")
    path.unlink()
    with pytest.raises(AnnotationError, match=r"dutch_0.png: No such file or directory: run 'craqbench data"):
        found.load("dutch_0")
    save(shipped.folder / "masks" / "dutch_1.png", crack_mask(5, (256, 256)))
    with pytest.raises(AnnotationError, match=r"masks/dutch_1.png has changed"):
        found.load("dutch_1")


def test_cache_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache is where the user says, or where the platform keeps caches."""
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("CRAQBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/xdg")
    monkeypatch.setenv("LOCALAPPDATA", "/var/local")
    monkeypatch.setenv("HOME", "/home/someone")
    found = {}
    for platform in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        found[platform] = cache_folder().as_posix()
    assert found == {
        "linux": "/var/xdg/craqbench",
        "darwin": "/home/someone/Library/Caches/craqbench",
        "win32": "/var/local/craqbench/Cache",
    }


def test_the_wheel_takes_the_annotations(tmp_path: Path) -> None:
    """A wheel holds every file of the annotations, and no image beside the masks."""
    pytest.importorskip("hatchling", reason="needs the build backend, which an installed package does not")
    root = ANNOTATED.parents[1]
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    files = {path.relative_to(root).as_posix() for path in ANNOTATED.rglob("*") if path.is_file()}
    assert files <= names
    pictures = {name for name in names if name.startswith("craqbench/") and name.endswith((".png", ".jpg"))}
    assert pictures == {name for name in files if "/masks" in name}
