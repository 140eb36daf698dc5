"""Find the program that starts safepip."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

from safepip.core.world import EXE
from safepip.errors import NOT_FOUND, SafepipError
from safepip.system.interpreter import is_program
from safepip.system.observe import Context


def own_program() -> str:
    """Return the absolute path of the program that starts safepip."""
    typed = os.path.abspath(sys.argv[0])
    if not typed.endswith(EXE):
        typed += EXE
    # Links are kept, since they outlive updates. A shim's link is called pip, so it is followed.
    beside_python = os.path.join(os.path.dirname(sys.executable), "safepip" + EXE)
    for path in (typed, os.path.realpath(typed), beside_python):
        if not os.path.basename(path).startswith("safepip"):
            continue
        if is_program(path):
            return path
    found = shutil.which("safepip")
    if found is not None:
        return os.path.abspath(found)
    what = "there is no program safepip, neither beside its Python nor on PATH"
    if os.path.isfile(typed):
        raise SafepipError(NOT_FOUND, what, f"make it one: chmod +x {typed}")
    raise SafepipError(NOT_FOUND, what)


def typed_program(context: Context) -> str:
    """Return how to type safepip: by its path if PATH needs that."""
    try:
        own = own_program()
    except SafepipError:
        return "safepip"
    # A link on PATH may lead to it, as pipx makes them.
    found = shutil.which("safepip", path=context.ambient.environ.get("PATH", os.defpath))
    if found is not None and os.path.realpath(found) == os.path.realpath(own):
        return "safepip"
    return shlex.quote(own)
