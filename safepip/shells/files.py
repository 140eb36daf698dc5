"""The files of the shells' languages, and how their placeholders are filled."""

from __future__ import annotations

import os
import re
import shutil
import sys

from safepip.errors import NOT_FOUND, SafepipError
from safepip.interpreter import EXE, is_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = os.path.dirname(os.path.abspath(__file__))


def read_file(name: str) -> str:
    """Return the text of one of the files."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def filled(text: str, values: Mapping[str, str], quote: Callable[[str], str]) -> str:
    """Return `text` with each __NAME__ that `values` has exchanged for the value, quoted."""
    return re.sub("__([A-Z]+)__", lambda found: quote(values[found[1]]) if found[1] in values else found[0], text)


def own_program() -> str:
    """Return the absolute path of the program that starts safepip, links kept: they outlive updates."""
    typed = os.path.abspath(sys.argv[0])
    typed += "" if typed.endswith(EXE) else EXE
    beside = os.path.join(os.path.dirname(sys.executable), "safepip" + EXE)
    found = (path for path in (typed, beside) if os.path.basename(path).startswith("safepip") and is_program(path))
    path = next(found, None) or shutil.which("safepip")
    if path is None:
        raise SafepipError(NOT_FOUND, "there is no program safepip, neither beside its Python nor on PATH")
    return os.path.abspath(path)
