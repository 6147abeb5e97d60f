from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.parameters import Range, between, check, log_uniform, uniform


@dataclass(frozen=True)
class Settings:
    """One parameter of each kind."""

    count: int = between(1, 12, 5)
    share: float = between(0, 1, 0.5)
    counts: tuple[int, int] = between(0, 100, (3, 8))
    span: Range = between(8, 4096, (20.0, 40.0))

    def __post_init__(self) -> None:
        """Check all values."""
        check(self)


def test_defaults_and_bounds_are_fine() -> None:
    """Both bounds belong to what is allowed, a range may be a point, whole numbers stand for others."""
    Settings()
    Settings(count=1, share=0, counts=(0, 100), span=(8, 8))
    Settings(count=12, share=1.0, counts=(5, 5), span=(4096, 4096.0))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", 0, "a whole number from 1 to 12"),
        ("count", 13, "a whole number from 1 to 12"),
        ("count", 2.0, "a whole number from 1 to 12"),
        ("count", True, "a whole number from 1 to 12"),
        ("count", None, "a whole number from 1 to 12"),
        ("count", "5", "a whole number from 1 to 12"),
        ("count", (1, 2), "a whole number from 1 to 12"),
        ("share", 1.01, "a number from 0 to 1"),
        ("share", -1, "a number from 0 to 1"),
        ("share", float("nan"), "a number from 0 to 1"),
        ("share", "much", "a number from 0 to 1"),
        ("counts", (8, 3), r"a range (low, high), each a whole number from 0 to 100"),
        ("counts", (0.5, 3), r"a range (low, high), each a whole number from 0 to 100"),
        ("counts", 3, r"a range (low, high), each a whole number from 0 to 100"),
        ("span", (1, 20), r"a range (low, high), each a number from 8 to 4096"),
        ("span", (20, 5000), r"a range (low, high), each a number from 8 to 4096"),
        ("span", (20, float("nan")), r"a range (low, high), each a number from 8 to 4096"),
        ("span", (40, 20), r"a range (low, high), each a number from 8 to 4096"),
        ("span", (20,), r"a range (low, high), each a number from 8 to 4096"),
        ("span", (20, 30, 40), r"a range (low, high), each a number from 8 to 4096"),
        ("span", "20", r"a range (low, high), each a number from 8 to 4096"),
        ("span", ("20", "30"), r"a range (low, high), each a number from 8 to 4096"),
    ],
)
def test_errors_name_the_parameter_the_value_and_what_was_expected(
    name: str, value: Any, expected: str
) -> None:
    """Whatever does not fit is refused in one sentence."""
    with pytest.raises(ValueError, match="parameter") as fault:
        Settings(**{name: value})
    assert str(fault.value) == f"parameter {name!r} is {value!r}: expected {expected}"


@settings(max_examples=50, derandomize=True, deadline=None)
@given(low=st.floats(0.01, 100), factor=st.floats(1, 100), seed=st.integers(0, 99))
def test_draws_keep_within_their_span(low: float, factor: float, seed: int) -> None:
    """Uniform and log-uniform draws are plain floats within the span, but for rounding."""
    span = (low, low * factor)
    for draw in (uniform, log_uniform):
        value = draw(span, np.random.default_rng(seed))
        assert type(value) is float
        assert span[0] * (1 - 1e-12) <= value <= span[1] * (1 + 1e-12)


def test_draws_are_spread_as_their_names_say() -> None:
    """Half of the draws lie below the arithmetic or the geometric middle of the span."""
    rng = np.random.default_rng(0)
    plain = np.array([uniform((1, 100), rng) for _ in range(4000)])
    log = np.array([log_uniform((1, 100), rng) for _ in range(4000)])
    assert (plain < 50.5).mean() == pytest.approx(0.5, abs=0.03)
    assert (log < 10).mean() == pytest.approx(0.5, abs=0.03)
