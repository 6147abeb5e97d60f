"""Paper A's fillers, px by px as the formulas say, in plain Python: slow, and independent of ours."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from baselines.protocols import Image, Mask

Floats = npt.NDArray[np.float64]


def noisy_image(height: int, width: int, seed: int = 0) -> Image:
    """Draw blotches with grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    blotches = np.asarray(cv2.resize(coarse, (width, height)), np.float64)
    return np.clip(blotches + rng.normal(0, 6, blotches.shape), 0, 255).astype(np.uint8)


def crack_mask(height: int, width: int, seed: int = 0) -> Mask:
    """Draw lines of 1 to 6 px from frame to frame, and one along each border; one corner is always known."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(4):
        start, end = rng.integers(0, (width, height), (2, 2)).tolist()
        cv2.line(mask, start, end, 1, int(rng.integers(1, 7)))
    mask[0, width // 2 :] = mask[-1, : width // 2] = mask[height // 2 :, 0] = mask[: height // 2, -1] = 1
    mask[0, 0] = 0
    return mask.view(np.bool_)


def slow_mtm(image: Image, mask: Mask) -> Floats:
    """Fill ring by ring with the mean of the known among the 8 neighbours: (H, W, 3), not rounded."""
    height, width = mask.shape
    now = image.astype(float).tolist()
    waiting = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    while waiting:
        ring = {}
        for y, x in waiting:
            known = [
                now[i][j]
                for i in range(max(y - 1, 0), min(y + 2, height))
                for j in range(max(x - 1, 0), min(x + 2, width))
                if (i, j) not in waiting
            ]
            if known:
                ring[y, x] = [sum(colour[k] for colour in known) / len(known) for k in range(3)]
        for (y, x), colour in ring.items():
            now[y][x] = colour
        waiting -= set(ring)
    return np.array(now)


def slow_diffusion(
    start: npt.NDArray[np.number], mask: Mask, steps: int = 20, rate: float = 0.25, sensitivity: float = 127.0
) -> Floats:
    """Iterate eq. 5 from (H, W, 3) values, where nothing flows through the frame: not rounded."""
    height, width = mask.shape
    cracks = [(int(y), int(x)) for y, x in np.argwhere(mask)]
    channels = []
    for channel in range(3):
        now = start[..., channel].astype(float).tolist()
        for _ in range(steps):
            before = [row[:] for row in now]
            for y, x in cracks:
                flow = 0.0
                for i, j in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if 0 <= i < height and 0 <= j < width:
                        difference = before[i][j] - before[y][x]
                        flow += difference / (1 + (abs(difference) / sensitivity) ** 2)
                now[y][x] = before[y][x] + rate * flow
        channels.append(now)
    return np.stack(channels, axis=-1)
