"""Cubic Bezier curves, many at a time.

A batch of n curves is an array of control points (n, 4, 2), float64, in px, (x, y) last.
The points of all curves stand in one flat array, curve after curve, so that curves may have
different numbers of samples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def control_points(starts: Floats, ends: Floats, displacements: Floats) -> Floats:
    """Return the control points of curves between given ends.

    Parameters
    ----------
    starts, ends
        (n, 2): p0 and p3.
    displacements
        (n, 2, 2): how far p1 and p2 lie from the points at 1/3 and 2/3 of the chord. Without
        displacement the curve is the chord, run through at constant speed.

    Returns
    -------
    (n, 4, 2) float64

    Examples
    --------
    >>> control_points(np.zeros((1, 2)), np.array([[9.0, 3.0]]), np.zeros((1, 2, 2)))[0].tolist()
    [[0.0, 0.0], [3.0, 1.0], [6.0, 2.0], [9.0, 3.0]]
    """
    third = (ends - starts) / 3.0
    inner = np.stack([starts + third, ends - third], axis=1) + displacements
    return np.concatenate([starts[:, None], inner, ends[:, None]], axis=1)


def points_at(control: Floats, t: Floats) -> Floats:
    """Return B(t), one point per curve: control (n, 4, 2), t (n,) in [0, 1] -> (n, 2)."""
    s, t = 1.0 - t[:, None], t[:, None]
    p0, p1, p2, p3 = np.moveaxis(control, 1, 0)
    return np.asarray(s * s * s * p0 + 3.0 * s * s * t * p1 + 3.0 * s * t * t * p2 + t * t * t * p3)


def tangents_at(control: Floats, t: Floats) -> Floats:
    """Return B'(t), one vector per curve in px per unit of t: control (n, 4, 2), t (n,) -> (n, 2)."""
    s, t = 1.0 - t[:, None], t[:, None]
    d0, d1, d2 = np.moveaxis(np.diff(control, axis=1), 1, 0)
    return np.asarray(3.0 * (s * s * d0 + 2.0 * s * t * d1 + t * t * d2))


def lengths(control: Floats) -> Floats:
    """Measure the lengths of curves in px, to 1 % and better: control (n, 4, 2) -> (n,).

    The mean of |B'(t)| over the middles of 16 equal steps of t.
    """
    a3, a2, a1, _ = _power_basis(control)[..., None]
    t = (np.arange(16) + 0.5) / 16
    tangents = (3.0 * a3 * t + 2.0 * a2) * t + a1
    # Not abs, which is hypot: products, sums and roots are rounded the same way on every machine.
    return np.asarray(np.sqrt(tangents.real**2 + tangents.imag**2).mean(axis=1))


def uniform_parameters(counts: Integers) -> Floats:
    """Return t for counts[i] >= 2 samples of curve i, uniform from 0 to 1: (n,) -> (sum counts,).

    Examples
    --------
    >>> uniform_parameters(np.array([2, 3])).tolist()
    [0.0, 1.0, 0.0, 0.5, 1.0]
    """
    firsts = np.cumsum(counts) - counts
    rank = np.arange(counts.sum()) - np.repeat(firsts, counts)
    return np.asarray(rank / np.repeat(counts - 1, counts))


def sample(control: Floats, counts: Integers, t: Floats) -> Floats:
    """Evaluate many curves at many parameters each.

    Parameters
    ----------
    control
        (n, 4, 2).
    counts
        (n,): how many consecutive values of `t` belong to each curve.
    t
        (sum counts,), see `uniform_parameters`.

    Returns
    -------
    (sum counts, 2) float64 : x, y in px.

    Notes
    -----
    Horner's rule on the power basis, with the plane as complex numbers: equal to the Bernstein sum
    of `points_at` to a few units in the last place, at a third of its cost.
    """
    highest, *lower = _power_basis(control)
    points = np.repeat(highest, counts)
    for coefficient in lower:
        points *= t
        points += np.repeat(coefficient, counts)
    return points.view(np.float64).reshape(-1, 2)


def _power_basis(control: Floats) -> npt.NDArray[np.complex128]:
    """Return the coefficients of t^3, t^2, t and 1, each x + iy: (n, 4, 2) -> (4, n)."""
    p0, p1, p2, p3 = np.ascontiguousarray(control).view(np.complex128)[..., 0].T
    return np.stack([p3 - p0 + 3.0 * (p1 - p2), 3.0 * (p2 - 2.0 * p1 + p0), 3.0 * (p1 - p0), p0])
