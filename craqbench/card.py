"""The dataset card: what a dataset is, whose paintings it is made from, how to load and to remake it."""

from __future__ import annotations

import collections
import io
import re
import shlex
from typing import TYPE_CHECKING, Any

import PIL.Image
import yaml

from craqbench.contact_sheet import triplet_sheet
from craqbench.dataset import decode_row
from craqbench.shards import PICTURES, columns, features, read_cells
from generators.triplets import Triplet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["card", "sample"]

_HUB_LICENCES = {
    "cc0-1.0": "cc0-1.0",
    "cc-by-4.0": "cc-by-4.0",
    "cc-by-sa-4.0": "cc-by-sa-4.0",
    "cc-by-nc-4.0": "cc-by-nc-4.0",
    "cc-by-3.0": "cc-by-3.0",
    "pddl-1.0": "pddl",
    "apache-2.0": "apache-2.0",
    "mit": "mit",
}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_COLUMNS = {
    "id": "recipe, seed and index",
    "image": "clean painting I, RGB",
    "mask": "crack mask M, one bit per px, white where damaged",
    "damaged": "damaged painting I~, RGB",
    "labels": "class of each px, 8-bit grey: 0 background, 1 craquelure, 2 paint loss; mask = labels > 0",
    "recipe": "name of the recipe",
    "recipe_version": "goes up when any output of the recipe changes",
    "seed": "of the dataset",
    "index": "number of the row in the whole dataset, all splits together",
    "painting": "id of the clean painting",
    "title": "its title",
    "artist": "its artist",
    "licence": "its licence",
    "source": "where it comes from",
    "meta": "what was drawn, as JSON",
}


def card(manifest: Mapping[str, Any]) -> str:
    """Return the card (Markdown with a YAML head for the Hub): a pure function of a complete manifest.

    Of a manifest that `craqbench.publishing` has stamped it tells repository and version, too.
    """
    head = yaml.safe_dump(_head(manifest), sort_keys=False, allow_unicode=True, width=100)
    parts = (_intro, _loading, _table, _provenance, _remaking, _limits, _citation)
    return f"---\n{head}---\n\n" + "\n".join(part(manifest) for part in parts)


def sample(folder: Path, manifest: Mapping[str, Any], rows: int = 3) -> bytes:
    """Return a PNG of the first rows of a finished dataset: I, M, I~ side by side."""
    first = manifest["shards"][0]
    triplets, captions = [], []
    for _, cells in zip(range(rows), read_cells(folder / first["file"]), strict=False):
        row = decode_row(cells, first["split"])
        triplets.append(Triplet(row.image, row.labels, row.damaged, row.meta))
        captions.append(f"{row.id}   {row.title or row.painting}")
    out = io.BytesIO()
    PIL.Image.fromarray(triplet_sheet(triplets, captions)).save(out, "PNG")
    return out.getvalue()


def _head(manifest: Mapping[str, Any]) -> dict[str, Any]:
    tasks = ["image-segmentation", "image-to-image"]
    tags = ["craquelure", "crack-segmentation", "virtual-restoration", "paintings", "synthetic"]
    splits = manifest["splits"]
    return {
        **_licence(manifest),
        "pretty_name": _title(manifest),
        "task_categories": tasks,
        "annotations_creators": ["machine-generated"],
        "size_categories": [next((name for most, name in _SIZES if manifest["rows"] < most), "n>1M")],
        "tags": tags,
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits],
            }
        ],
        "dataset_info": {
            "features": [_yaml_feature(name) for name in columns(manifest["recipe"]["classes"])],
            "splits": [_yaml_split(manifest, split, rows) for split, rows in splits.items()],
            "download_size": _bytes(manifest),
            "dataset_size": _bytes(manifest),
        },
    }


def _yaml_feature(name: str) -> dict[str, str]:
    dtype = "image" if name in PICTURES else features([name])[name]["dtype"]
    return {"name": name, "dtype": dtype}


def _yaml_split(manifest: Mapping[str, Any], split: str, rows: int) -> dict[str, Any]:
    return {"name": split, "num_bytes": _bytes(manifest, split), "num_examples": rows}


def _licences(manifest: Mapping[str, Any]) -> collections.Counter[str]:
    paintings = manifest["source"]["paintings"]
    if "licences" in manifest["source"]:
        return collections.Counter(manifest["source"]["licences"])
    return collections.Counter([painting["licence"] for painting in paintings] or ["CC0-1.0"])


def _licence(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the licence keys: the paintings' own where all share one, for a row contains its painting."""
    licences = _licences(manifest)
    if len(licences) > 1:
        return {"license": "other", "license_name": "mixed", "license_link": "README.md"}
    (name,) = licences
    known = _HUB_LICENCES.get(name.lower())
    if known:
        return {"license": known}
    return {"license": "unknown"} if name == "unknown" else {"license": "other", "license_name": name}


def _intro(manifest: Mapping[str, Any]) -> str:
    recipe, (width, height) = manifest["recipe"], manifest["size"]
    published = manifest.get("published")
    version = f"Version {published['version']} of `{published['repository']}`.\n" if published else ""
    return f"""# {_title(manifest)}

{version}{manifest["rows"]:,} triplets of {width} x {height} px: a clean painting I, a crack mask M,
and the painting with those cracks, I~. The cracks are synthetic, so every mask is exact.
Recipe `{recipe["name"]}`, version {recipe["version"]}: {recipe["summary"]}

![Three rows: clean painting, mask, damaged painting](sample.png)
"""


def _loading(manifest: Mapping[str, Any]) -> str:
    split, published = next(iter(manifest["splits"])), manifest.get("published")
    where = '"PATH OR NAME OF THIS DATASET"'
    if published:
        where = f'"{published["repository"]}", revision="v{published["version"]}"'
    return f"""## How to load

```python
import datasets

rows = datasets.load_dataset({where}, split="{split}")
rows[0]["image"], rows[0]["mask"], rows[0]["damaged"]
```

No code of this dataset runs. Pictures are stored without loss.
"""


def _table(manifest: Mapping[str, Any]) -> str:
    edge, names = manifest["recipe"]["soft_edge"], columns(manifest["recipe"]["classes"])
    where = f"farther than {edge} px (a soft edge) from the mask" if edge else "outside the mask"
    table = "\n".join(f"| `{name}` | {_COLUMNS[name]} |" for name in names)
    splits = ", ".join(f"{split} {rows:,}" for split, rows in manifest["splits"].items())
    return f"""## Columns

| column | content |
|---|---|
{table}

`damaged` equals `image`, bit for bit, everywhere {where}.
Rows by split: {splits}. No painting is in two splits.
"""


def _provenance(manifest: Mapping[str, Any]) -> str:
    source = manifest["source"]
    procedural = "The clean paintings are procedural canvases, painted by craqbench: nobody's work, CC0-1.0."
    others = {"folder": _of_folder, "hub": _of_hub}
    text = procedural if source["kind"] == "procedural" else others[source["kind"]](manifest)
    return f"""## Provenance and licence

{text}
Each row names its painting and the painting's licence, which holds for the row's pictures too.
"""


def _of_folder(manifest: Mapping[str, Any]) -> str:
    source = manifest["source"]
    number = len(source["skipped"])
    skipped = f"{number:,} more image{'s were' if number > 1 else ' was'} skipped, for reasons given there."
    return f"""The clean paintings are {len(source["paintings"]):,} images of the folder `{source["name"]}`.
Licences: {_shares(manifest)}. `manifest.json` lists each painting with title, licence, origin and sha256.
{skipped if number else "No image was skipped."}"""


def _of_hub(manifest: Mapping[str, Any]) -> str:
    source = manifest["source"]
    filters = [f"{name} {' or '.join(values)}" for name, values in source["filters"].items()]
    chosen = f", with {' and '.join(filters)}" if filters else ""
    number = len(source["skipped"])
    were = (
        f"{number:,} image{'s' if number > 1 else ''} found unusable and replaced, as `manifest.json` tells."
    )
    return f"""The clean paintings are {source["images"]:,} images of the dataset `{source["repository"]}`
on the Hugging Face Hub at commit `{source["revision"]}`:
split `{source["split"]}`, column `{source["column"]}`{chosen}.
Licences: {_shares(manifest)}. Column `painting` names the row of each, counted from 0, without filters.
{were if number else "None was found unusable."}"""


def _shares(manifest: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in sorted(_licences(manifest).items()))


def _remaking(manifest: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    return f"""## How to make it again

```
{command(manifest)}
```

On any number of workers or machines, every shard comes out with the sha256 in `manifest.json`, with
{versions}.
Fingerprint of options and code: `{manifest["fingerprint"]}`.

{_checking(manifest)}
"""


def _checking(manifest: Mapping[str, Any]) -> str:
    published = manifest.get("published")
    pull = ""
    if published:
        reference = f"{published['repository']}@{published['version']}"
        pull = f"`craqbench pull {reference}` downloads this version and checks every hash.\n"
    row = f"{manifest['recipe']['name']}-{manifest['seed']}-{0:07d}"
    return f"""{pull}`craqbench verify DIR` checks files, rows and masks.
`craqbench regenerate DIR --row {row}` makes any one row again, with the same bytes."""


def _limits(manifest: Mapping[str, Any]) -> str:
    fit = {
        "crop": "Paintings are scaled to cover the picture and cut, never stretched.",
        "pad": "Paintings are scaled to fit; the rest is filled by reflection, where nothing is cracked.",
        "stretch": "Paintings are stretched to the size of the picture: their proportions are not kept.",
    }[manifest["fit"]]
    return f"""## Known limits

- The cracks are drawn, not photographed: a score on this dataset is no score on real paintings.
- A painting that has cracks of its own shows them in `image` too, where `mask` says there are none.
- {fit}
- The same painting occurs in several rows, with other cracks, where there are more rows than paintings.
"""


def _citation(manifest: Mapping[str, Any]) -> str:
    published = manifest.get("published")
    if not published:
        return ""
    repository, version = published["repository"], published["version"]
    key = re.sub(r"[^A-Za-z0-9]+", "-", f"{repository}-{version}")
    is_theirs = manifest["recipe"]["name"] == "paper"
    paper = "The generator is that of https://arxiv.org/abs/2602.12742: cite it, too.\n" if is_theirs else ""
    return f"""## Citation

```bibtex
@misc{{{key},
  title = {{{_title(manifest)}}},
  author = {{{{{repository.split("/")[0]}}}}},
  howpublished = {{\\url{{https://huggingface.co/datasets/{repository}/tree/v{version}}}}},
  note = {{Version {version}, made with craqbench {manifest["versions"]["craqbench"]}}},
}}
```

A version never changes: tag `v{version}` and the sha256 of each file in `manifest.json` say what was used.
{paper}"""


def command(manifest: Mapping[str, Any]) -> str:
    """Return the command that makes the dataset again, on a folder of the same paintings."""
    options = manifest["options"]
    words = ["craqbench", "generate"]
    for name in ("n", "recipe", "source", "size", "seed", "fit", "codec", "shard-size"):
        words += [f"--{name}", str(options[name])]
    words += ["--split", ",".join(f"{name}={fraction!r}" for name, fraction in options["split"].items())]
    for name, value in options["set"].items():
        words += ["--set", f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"]
    return shlex.join(words)


def _title(manifest: Mapping[str, Any]) -> str:
    return f"Synthetic craquelure, recipe {manifest['recipe']['name']}, seed {manifest['seed']}"


def _bytes(manifest: Mapping[str, Any], split: str | None = None) -> int:
    return sum(shard["bytes"] for shard in manifest["shards"] if split in (None, shard["split"]))
