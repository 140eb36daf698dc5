"""The files of the shells' languages, and how their placeholders are filled."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = os.path.dirname(os.path.abspath(__file__))


def read_file(name: str) -> str:
    """Return the text of one of the files."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def filled(text: str, values: Mapping[str, str], quote: Callable[[str], str]) -> str:
    """Return `text` with each __NAME__ replaced by its value, quoted."""
    return re.sub("__([A-Z]+)__", lambda found: quote(values[found[1]]) if found[1] in values else found[0], text)
