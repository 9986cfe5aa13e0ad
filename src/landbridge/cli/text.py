"""Numbers, times and foreign text as a person reads them.

For       The reports, the progress and the errors of the command line.
Touches   Nothing.
Promises  What comes from a database cannot steer the terminal it is shown on.
"""

from __future__ import annotations

import re

from landbridge.model.amounts import count_of, duration, size

__all__ = ["count_of", "duration", "printable", "size"]

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return `text` with control characters written as escapes; tabs and line ends stay."""
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
