"""Parse a command's arguments; every fault is one `UsageError` that names the value and what was expected."""

from __future__ import annotations

import argparse
import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from craqbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Parser", "name_value", "nearest", "one_of", "some_path", "some_text", "whole"]


class Parser(argparse.ArgumentParser):
    """argparse that raises `UsageError` and offers the nearest names for an unknown option."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog, description=description, allow_abbrev=False, formatter_class=_Formatter)

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse all of `argv`.

        Raises
        ------
        UsageError
            If an option is unknown or missing, or a value cannot be read.
        """
        arguments, unknown = self.parse_known_args(argv)
        if unknown:
            name = unknown[0].split("=")[0]
            kind = "option" if name.startswith("-") else "argument"
            hint = nearest(name, self._option_string_actions) if kind == "option" else ""
            self.error(f"unknown {kind} {unknown[0]!r}{hint}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` where argparse would print the usage and exit."""
        raise UsageError(f"{message} (see {self.prog} --help)")


class _Formatter(argparse.HelpFormatter):
    """Say each option's default, where its help does not, and keep the description's lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(fill(paragraph, width, indent) for paragraph in text.split("\n\n"))

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        silent = (
            action.default is None or action.default is argparse.SUPPRESS or action.default in (False, [])
        )
        return text if silent or "default" in text else f"{text} (default: {_written(action.default)})"


def _written(default: object) -> str:
    return "x".join(map(str, default)) if isinstance(default, tuple) else str(default).replace("%", "%%")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean ...?"`` with up to three known names, or nothing where none is near."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def whole(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers of at least `least`; 20,000 and 20_000 are 20000."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?\d+(?:[_,]\d{3})*", text.strip()):
            raise _fault(text, f"a whole number of at least {least}")
        number = int(text.strip().replace(",", ""))
        if number < least:
            raise _fault(text, f"a whole number of at least {least}")
        return number

    return read


def one_of(*names: str) -> Callable[[str], str]:
    """Return a reader that takes one of `names`."""

    def read(text: str) -> str:
        if text not in names:
            raise _fault(text, f"one of {', '.join(names)}{nearest(text, names)}")
        return text

    return read


def some_text(text: str) -> str:
    """Read a text that is not empty: an unset shell variable is no name."""
    if not text.strip():
        raise _fault(text, "a name")
    return text


def some_path(text: str) -> Path:
    """Read a path; the empty text is none, though `Path` takes it for the current folder."""
    return Path(some_text(text)).expanduser()


def name_value(text: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier() or not value.strip():
        raise _fault(text, "NAME=VALUE")
    return name.strip(), value.strip()


def _fault(got: str, expected: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"got {got!r}, expected {expected}")
