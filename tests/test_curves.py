from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import curves

Floats = npt.NDArray[np.float64]


def some_curves(seed: int, n: int = 20, bend: float = 60.0) -> Floats:
    """Return n curves across about 1000 px."""
    rng = np.random.default_rng(seed)
    starts, ends = rng.uniform(0, 1000, (2, n, 2))
    return curves.control_points(starts, ends, rng.normal(0, bend, (n, 2, 2)))


def as_bezier(control: Floats) -> Any:
    """Return the same curve of the bezier package."""
    bezier = pytest.importorskip("bezier")
    return bezier.Curve(np.asfortranarray(control.T), degree=3)


def test_undisplaced_curve_is_its_chord_at_constant_speed() -> None:
    """Control points at 1/3 and 2/3 of the chord give the straight line."""
    control = curves.control_points(np.array([[1.0, 2.0]]), np.array([[31.0, -13.0]]), np.zeros((1, 2, 2)))
    t = np.linspace(0, 1, 11)
    expected = np.array([1.0, 2.0]) + t[:, None] * np.array([30.0, -15.0])
    np.testing.assert_allclose(curves.sample(control, np.array([11]), t), expected, atol=1e-12)


def test_curve_starts_and_ends_where_it_was_told() -> None:
    """The first and last samples of each curve are p0 and p3."""
    control = some_curves(0)
    counts = np.arange(2, 22)
    points = curves.sample(control, counts, curves.uniform_parameters(counts))
    lasts = np.cumsum(counts) - 1
    np.testing.assert_allclose(points[lasts - counts + 1], control[:, 0], atol=1e-9)
    np.testing.assert_allclose(points[lasts], control[:, 3], atol=1e-9)


@settings(max_examples=20, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_samples_are_those_of_the_bezier_package(seed: int) -> None:
    """The flat batch has the same points, to 1e-9 px, as one evaluate_multi per curve."""
    control = some_curves(seed)
    counts = np.random.default_rng(seed).integers(2, 200, len(control))
    points = curves.sample(control, counts, curves.uniform_parameters(counts))
    expected = [
        as_bezier(c).evaluate_multi(np.linspace(0, 1, k)).T for c, k in zip(control, counts, strict=True)
    ]
    np.testing.assert_allclose(points, np.concatenate(expected), atol=1e-9)


def test_points_and_tangents_are_those_of_the_bezier_package() -> None:
    """B(t) and B'(t) agree with evaluate and evaluate_hodograph."""
    control = some_curves(1)
    t = np.random.default_rng(1).uniform(0, 1, len(control))
    points, tangents = curves.points_at(control, t), curves.tangents_at(control, t)
    for c, at, point, tangent in zip(control, t.tolist(), points, tangents, strict=True):
        np.testing.assert_allclose(point, as_bezier(c).evaluate(at)[:, 0], atol=1e-9)
        np.testing.assert_allclose(tangent, as_bezier(c).evaluate_hodograph(at)[:, 0], atol=1e-9)


def test_length_of_a_straight_curve_is_exact() -> None:
    """Chord and control polygon coincide."""
    control = curves.control_points(np.zeros((1, 2)), np.array([[30.0, 40.0]]), np.zeros((1, 2, 2)))
    assert curves.lengths(control) == pytest.approx(50.0, abs=1e-12)


def test_length_is_right_to_one_percent() -> None:
    """It is close to quadrature for curves from the very short to the long."""
    control = some_curves(2, n=50, bend=8.0)
    control[::2] /= 20.0
    expected = [as_bezier(c).length for c in control]
    np.testing.assert_allclose(curves.lengths(control), expected, rtol=0.01)


def test_uniform_parameters_run_from_0_to_1_in_equal_steps() -> None:
    """Each curve has its own linspace."""
    counts = np.array([2, 7, 3, 180])
    expected = np.concatenate([np.linspace(0, 1, k) for k in counts])
    np.testing.assert_allclose(curves.uniform_parameters(counts), expected, atol=1e-15)


def test_no_curves_have_no_samples() -> None:
    """An empty batch is a batch."""
    counts = np.zeros(0, np.int64)
    control = some_curves(0, n=0)
    assert curves.lengths(control).shape == (0,)
    assert curves.sample(control, counts, curves.uniform_parameters(counts)).shape == (0, 2)
