"""Settings of detectors: fields of a dataclass, with bounds that are declared with the field and checked."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

__all__ = ["between", "check", "one_of"]


def between(low: float, high: float) -> dict[str, Any]:
    """Declare a number, or each of a tuple of numbers, to lie in [low, high]; whole if its default is."""
    return {"low": low, "high": high}


def one_of(*options: str) -> dict[str, Any]:
    """Declare a text to be one of several."""
    return {"options": options}


def check(method: Any) -> None:
    """Check all fields of a dataclass; one declared by neither `between` nor `one_of` is a switch.

    Raises
    ------
    ValueError
        If a value is not of its default's kind or not within its bounds; the message names the setting.
    """
    for setting in fields(method):
        value = getattr(method, setting.name)
        fine, expected = _judge(value, setting.default, **setting.metadata)
        if not fine:
            raise ValueError(
                f"setting {setting.name!r} of method {method.name!r} is {value!r}: expected {expected}"
            )


def _judge(
    value: Any, default: Any, *, low: float = 0, high: float = 0, options: tuple[str, ...] = ()
) -> tuple[bool, str]:
    if options:
        return value in options, " or ".join(options)
    if isinstance(default, bool):
        return isinstance(value, bool), "True or False"
    several = isinstance(default, tuple)
    whole = isinstance(default[0] if several else default, int)
    kind = f"a {'whole ' * whole}number from {low:g} to {high:g}"
    if several != isinstance(value, tuple | list):
        return False, f"some numbers, each {kind}" if several else kind
    numbers = tuple(value) if several else (value,)
    fine = bool(numbers) and all(_is_number(n, whole=whole) and low <= n <= high for n in numbers)
    return fine, f"some numbers, each {kind}" if several else kind


def _is_number(value: Any, *, whole: bool) -> bool:
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool)
