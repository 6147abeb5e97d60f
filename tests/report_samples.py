"""Results to write reports of: simple detectors on a few images, with names that could do harm."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
from annotated_samples import write_set

from baselines.protocols import Card
from craqbench.evaluation import evaluate

__all__ = ["EVIL", "Dark", "Faulty", "write_results"]

EVIL = "<script>document.title='broken'</script>\"'&"
"""A value that is a script where a page does not escape it."""

MANIFEST = f"""id,painting,school,polarity
0,first,Dutch,dark
1,first,Dutch,light
2,second,Flemish,dark
3,third,"{EVIL.replace('"', '""')}",
"""

CARD = Card(training_data=f"nothing {EVIL}", licence="Apache-2.0", reference="https://example.org/?a=1&b=<2>")


@dataclasses.dataclass(frozen=True)
class Dark:
    """Cracks are what is darkest."""

    share: float = 0.3
    name: str = "dark"
    version: str = "1"
    threshold: float = 0.5
    card: Card = CARD

    def predict(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Score a pixel by how dark it is among all."""
        grey = image.mean(axis=2)
        limit = float(np.quantile(grey, self.share))
        return np.asarray(np.clip(0.5 + (limit - grey) / 255, 0, 1), np.float32)


@dataclasses.dataclass(frozen=True)
class Faulty(Dark):
    """Can do nothing."""

    name: str = "faulty"

    def predict(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Fail."""
        raise RuntimeError(f"cannot do {image.shape} {EVIL}")


def write_results(folder: Path, *methods: str) -> Path:
    """Evaluate methods on four images of a folder set and return the folder of results."""
    images = write_set(folder / "set", 4)
    (images / "manifest.csv").write_text(MANIFEST, "utf-8")
    evaluate([f"folder:{images}"], methods or ("report_samples:Dark", "none"), folder / "results")
    return folder / "results"
