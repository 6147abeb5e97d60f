"""What a restored file says of itself: a virtual restoration must never pass for the original.

It is said in the file's own metadata, where picture viewers, catalogues and search engines read it: as
description and software, and as an XMP packet of which the properties can be read by programs.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

import craqbench

__all__ = ["MARK", "NAMESPACE", "SOFTWARE", "described", "with_properties"]

MARK = "VIRTUAL RESTORATION, not the original"
"""How each statement begins."""

SOFTWARE = f"craqbench {craqbench.__version__} (virtual restoration)"
"""What made the file; a file that says so is not taken for an original."""

NAMESPACE = "urn:craqbench:restoration"
"""Of the XMP properties."""

_END = re.compile(rb"</(\w+):RDF\s*>")

_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
    "</rdf:RDF>\n"
    "</x:xmpmeta>\n"
    '<?xpacket end="w"?>'
).encode()


def described(statement: str, before: str = "") -> str:
    """Put a statement before a description that is there already.

    Parameters
    ----------
    statement
        Begins with `MARK`.
    before
        The description of the original. XML (as OME-TIFF has) stays XML: the statement follows as a comment.
    """
    text = before.strip("\0 \r\n")
    if not text:
        return statement
    if text.startswith("<"):
        return f"{text}\n<!-- {statement.replace('--', '- -')} -->"
    return f"{statement}\n\nDescription of the original: {text}"


def with_properties(packet: bytes | None, properties: Mapping[str, str]) -> tuple[bytes, bool]:
    """Add properties of `NAMESPACE` to an XMP packet.

    Parameters
    ----------
    packet
        Of the original, None if it has none. All that it says stays as it is.
    properties
        Name -> value.

    Returns
    -------
    The packet, and whether all of the original one is in it: one that is no XMP is replaced.

    Examples
    --------
    >>> packet, kept = with_properties(None, {"filledPixels": "12"})
    >>> b'craqbench:filledPixels="12"' in packet, kept
    (True, True)
    """
    kept = packet is None or _END.search(packet) is not None
    text = packet if packet is not None and kept else _PACKET
    *_, found = _END.finditer(text)
    rdf = found[1].decode()
    values = "".join(f'\n  craqbench:{name}="{html.escape(value)}"' for name, value in properties.items())
    block = f'<{rdf}:Description {rdf}:about="" xmlns:craqbench="{NAMESPACE}#"{values}/>\n'
    return text[: found.start()] + block.encode() + text[found.start() :], kept
