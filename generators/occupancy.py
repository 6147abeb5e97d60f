"""The paint while cracks grow in it: which crack lies where, and how far it is to the nearest one."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from generators.networks import MARGIN, Flags, Floats, Ints, Network
from generators.triplets import Size


class Strands(NamedTuple):
    """Grown paths: x, y, birth and taken are (n, S + 1), the last point being the one that was met."""

    x: Floats
    y: Floats
    taken: Flags
    birth: Floats
    crack: Ints
    dead: Flags
    generation: int


class Ground:
    """What is known of the paint so far: for each px, the point of a crack that lies on or beside it."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.width, self.height = size[0] + 2 * MARGIN, size[1] + 2 * MARGIN
        self.owner = np.zeros(self.height * self.width, np.int32)  # 1 + number of the point, 0: whole paint
        self.stamp = np.full(self.height * self.width, -1, np.int32)  # scratch, always left at -1
        self.distance = np.zeros((0, 0), np.float32)
        self.points = np.zeros((0, 2), np.float32)
        self.birth: list[Floats] = []
        self.lengths: list[Ints] = []
        self.generation: list[Ints] = []
        self.crack: list[Ints] = []
        self.dead: list[Flags] = []

    def cells(self, x: Floats, y: Floats) -> Ints:
        """Return the flat px numbers of points, the outermost px standing in for all beyond."""
        column = np.minimum(np.maximum(x.astype(np.int64) + MARGIN, 1), self.width - 2)
        row = np.minimum(np.maximum(y.astype(np.int64) + MARGIN, 1), self.height - 2)
        return row * self.width + column

    def inside(self, x: Floats, y: Floats) -> Flags:
        """Tell whether points lie in the picture or its margin."""
        w, h = self.size
        return (x > -MARGIN) & (y > -MARGIN) & (x < w + MARGIN) & (y < h + MARGIN)

    def around(self, cells: Ints) -> Ints:
        """Return the 3 x 3 px around each cell, (9, ...)."""
        steps = (np.arange(-1, 2)[:, None] * self.width + np.arange(-1, 2)).ravel()
        return steps.reshape(9, *[1] * cells.ndim) + cells

    def survey(self) -> None:
        """Measure the distance to the nearest crack at every second px; cracks are 3 px wide here."""
        whole = (self.owner.reshape(self.height, self.width)[::2, ::2] == 0).view(np.uint8)
        if not len(self.points):
            self.distance = np.full(whole.shape, np.float32(1e4))
        else:
            distance = cv2.distanceTransform(np.ascontiguousarray(whole), cv2.DIST_L2, 3)
            self.distance = 2 * np.asarray(distance, np.float32)

    def nearest(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Distance to the nearest crack in px, and the heading to it (over some px: there are creases)."""
        bottom, right = self.distance.shape[0] - 1, self.distance.shape[1] - 1
        column, row = (
            np.minimum(np.maximum((a.astype(np.int64) + MARGIN) >> 1, 0), last)
            for a, last in ((x, right), (y, bottom))
        )
        d = self.distance
        dx = d[row, np.minimum(column + 2, right)] - d[row, np.maximum(column - 2, 0)]
        dy = d[np.minimum(row + 2, bottom), column] - d[np.maximum(row - 2, 0), column]
        return d[row, column], np.arctan2(-dy, -dx, dtype=np.float64).astype(np.float32)

    def cracks(self) -> int:
        """Return a number that no crack has yet."""
        return 1 + max((int(c.max(initial=0)) for c in self.crack), default=0)

    def add(self, strands: Strands) -> None:
        """Take in grown strands."""
        points = np.stack([strands.x[strands.taken], strands.y[strands.taken]], axis=1)
        count = len(self.points)
        numbers = np.arange(count + 1, count + 1 + len(points), dtype=np.int32)
        around = self.around(self.cells(points[:, 0], points[:, 1]))
        owner = self.owner[around]
        self.owner[around] = np.where(owner > 0, owner, numbers)
        self.points = np.concatenate([self.points, points])
        self.birth.append(strands.birth[strands.taken])
        self.lengths.append(strands.taken.sum(axis=1))
        self.generation.append(np.full(len(strands.x), strands.generation, np.int64))
        self.crack.append(strands.crack)
        self.dead.append(strands.dead)

    def network(self) -> Network:
        """Return all that has grown."""
        lengths = np.concatenate([np.zeros(1, np.int64), *self.lengths])
        return Network(
            self.points,
            np.cumsum(lengths),
            np.sqrt(np.concatenate([np.zeros(0, np.float32), *self.birth])),
            np.concatenate([np.zeros(0, np.int64), *self.generation]),
            np.concatenate([np.zeros(0, np.int64), *self.crack]),
            np.concatenate([np.zeros(0, np.bool_), *self.dead]),
            self.size,
        )
