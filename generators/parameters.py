"""Parameters of recipes: bounds that are declared with the field and checked when it is set."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

import numpy as np

Range = tuple[float, float]
"""(low, high), both ends included: what a recipe draws from."""


def between(low: float, high: float, default: Any) -> Any:
    """Declare a parameter, or both ends of a range of one, to lie in [low, high]; whole if its default is."""
    return field(default=default, metadata={"low": low, "high": high})


def check(parameters: Any) -> None:
    """Check all fields of a dataclass that were declared by `between`.

    Raises
    ------
    ValueError
        If a value is not of its default's kind, not within its bounds, or a range is not (low, high).
    """
    for parameter in fields(parameters):
        _check(parameter.name, getattr(parameters, parameter.name), parameter.default, **parameter.metadata)


def _check(name: str, value: Any, default: Any, low: float, high: float) -> None:
    paired = isinstance(default, tuple)
    whole_numbers = isinstance(default[0] if paired else default, int)
    numbers = tuple(value) if paired and isinstance(value, tuple | list) else (value,)
    kind = int if whole_numbers else int | float
    fine = len(numbers) == 1 + paired and all(
        isinstance(v, kind) and not isinstance(v, bool) and low <= v <= high for v in numbers
    )
    if not fine or list(numbers) != sorted(numbers):
        expected = f"a {'whole ' * whole_numbers}number from {low:g} to {high:g}"
        if paired:
            expected = f"a range (low, high), each {expected}"
        raise ValueError(f"parameter {name!r} is {value!r}: expected {expected}")


def uniform(span: Range, rng: np.random.Generator) -> float:
    """Draw uniformly."""
    return float(rng.uniform(*span))


def log_uniform(span: Range, rng: np.random.Generator) -> float:
    """Draw uniformly in the logarithm."""
    return float(np.exp(rng.uniform(np.log(span[0]), np.log(span[1]))))
