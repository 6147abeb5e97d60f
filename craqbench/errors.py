"""Every error that a user can mend. A command prints its message and exits with code 2.

::

    CraqbenchError
    ├── UsageError        an option, a name or a value that cannot be used
    ├── SourceError       clean paintings that cannot be read
    ├── DatasetError      a dataset on disk that is broken, tampered with or of another configuration
    ├── AnnotationError   an annotated set that is absent, broken, or has changed since it was opened
    └── StorageError      a disk that is full, read-only or gone

A message names the value, what was expected, and where it came from.
"""

from __future__ import annotations

__all__ = ["AnnotationError", "CraqbenchError", "DatasetError", "SourceError", "StorageError", "UsageError"]


class CraqbenchError(Exception):
    """Base of all errors that a user can mend."""


class UsageError(CraqbenchError):
    """An option, a name or a value that cannot be used."""


class SourceError(CraqbenchError):
    """Clean paintings that cannot be read."""


class DatasetError(CraqbenchError):
    """A dataset on disk that is broken, tampered with, or of another configuration."""


class AnnotationError(CraqbenchError):
    """An annotated set that is absent, broken, or has changed since it was opened."""


class StorageError(CraqbenchError):
    """A disk that is full, read-only or gone."""
