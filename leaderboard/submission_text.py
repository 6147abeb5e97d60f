"""Texts, addresses and JSON that strangers wrote: what is refused before anybody reads them.

Everything here is linear in the length of what it is given. A fault of a text is a `PydanticCustomError`
whose type is the code of a rule, so that these functions serve as validators of fields.
"""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from leaderboard.submission_rules import quoted, refused

__all__ = ["DEEPEST", "JSON_BYTES", "check_https", "check_json", "check_text"]

JSON_BYTES = 64_000
"""A submission.json has at most so many bytes."""

DEEPEST = 4
"""Levels of lists and objects."""

_MOST_DIGITS = 30
_MOST_MARKS = 3
_CONTROL = {"Cc", "Cf", "Zl", "Zp"}
"""Controls, invisible and direction-changing characters, separators of lines and paragraphs."""

_UNUSABLE = {"Cs", "Co", "Cn"}
"""Halves of characters, private characters, and those that are none yet."""

_MARKUP = re.compile(r"[<>`\\]|\]\(|\]\[|&#?\w{1,32};|\{[{%#]|[$]\{", re.ASCII)
_FORMULA = tuple("=+-@|")

_HOST = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9._~!*,;:@/+=%&?#-]*", re.ASCII)
_PRIVATE = (".local", ".localhost", ".internal", ".lan", ".home", ".test", ".invalid", ".example", ".onion")


def check_text(text: str) -> str:
    """Return a text as it is, or refuse it: one line, plain, and the same to the eye as to a program.

    Raises
    ------
    PydanticCustomError
        By a rule ``text-...``.
    """
    categories = [unicodedata.category(character) for character in text]
    for character, category in zip(text, categories, strict=True):
        if category in _CONTROL:
            name = unicodedata.name(character, "a control character")
            _fault("text-control", f"it holds U+{ord(character):04X} ({name}): expected visible characters")
        if category in _UNUSABLE:
            _fault("text-unicode", f"it holds U+{ord(character):04X}: expected an assigned character")
    _check_marks(categories)
    if not unicodedata.is_normalized("NFC", text):
        _fault(
            "text-unicode", "it is not in Unicode normal form C: expected unicodedata.normalize('NFC', text)"
        )
    _check_spaces(text, categories)
    if found := _MARKUP.search(text):
        _fault("text-markup", f"it holds {quoted(found[0])}: expected plain text, without < > ` \\ and links")
    if text.startswith(_FORMULA):
        _fault("text-formula", f"it begins with {quoted(text[0])}: expected another first character")
    return text


def _check_marks(categories: Sequence[str]) -> None:
    run = 0
    for category in categories:
        run = run + 1 if category in ("Mn", "Me") else 0
        if run > _MOST_MARKS:
            _fault("text-marks", f"a letter carries more than {_MOST_MARKS} marks: expected fewer")


def _check_spaces(text: str, categories: Sequence[str]) -> None:
    strange = next((c for c, kind in zip(text, categories, strict=True) if kind == "Zs" and c != " "), None)
    if strange:
        _fault("text-space", f"it holds U+{ord(strange):04X}: expected plain spaces")
    if text != text.strip() or "  " in text or not text:
        _fault("text-space", "it is empty, or begins, ends or goes on with spaces: expected single ones")


def check_https(text: str) -> str:
    """Return an address as it is, or refuse it: https, a public host, nothing that misleads a reader.

    Raises
    ------
    PydanticCustomError
        By the rule ``url``.
    """
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        _fault("url", "it cannot be read: expected https://HOST/PATH")
    if not text.startswith("https://") or parts.netloc != host:
        _fault("url", "expected https://HOST/PATH, in small letters, without a login or a port")
    if not _HOST.fullmatch(host) or host.endswith(_PRIVATE) or _is_number(host):
        _fault("url", f"host {quoted(host)}: expected a public name of letters, digits, '-' and '.'")
    if any(label.startswith("xn--") for label in host.split(".")):
        _fault("url", f"host {quoted(host)}: expected a name that needs no other alphabet")
    if not _PATH.fullmatch(text[len("https://") + len(host) :]):
        _fault("url", "it holds characters that addresses have not: expected them as %XX")
    return text


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _fault(rule: str, problem: str) -> NoReturn:
    raise PydanticCustomError(rule, "{problem}", {"problem": problem})


def check_json(data: bytes) -> None:
    """Refuse JSON that is deep, ambiguous or broken; the depth is counted before anything is parsed.

    Raises
    ------
    Refused
        By a rule ``json-...``.
    """
    if len(data) > JSON_BYTES:
        raise refused("file-size", f"{len(data):,} bytes: expected at most {JSON_BYTES:,}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise refused("json-encoding", f"no UTF-8 at byte {error.start:,}: expected UTF-8") from error
    if text.startswith("\ufeff"):
        raise refused("json-encoding", "a byte order mark: expected UTF-8 without one")
    if _depth(text) > DEEPEST:
        raise refused("json-depth", f"more than {DEEPEST} levels: expected fewer")
    try:
        found = json.loads(
            text,
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_int=_short_number,
            parse_float=_short_number,
        )
    except ValueError as error:
        raise refused("json-syntax", f"it cannot be read: {error}: expected a JSON object") from error
    if not isinstance(found, dict):
        raise refused("json-syntax", f"a {type(found).__name__}: expected a JSON object")


def _depth(text: str) -> int:
    """Return how deep brackets are nested outside strings."""
    deepest = depth = 0
    inside = escaped = False
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise refused("json-duplicate", f"name {quoted(name)} comes twice: expected each name once")
        found[name] = value
    return found


def _no_number(name: str) -> NoReturn:
    raise refused("json-number", f"{name}: expected a finite number, or null")


def _short_number(digits: str) -> float:
    if len(digits) > _MOST_DIGITS or abs(float(digits)) == float("inf"):
        raise refused("json-number", f"a number of {len(digits)} digits: expected a short, finite one")
    return float(digits)
