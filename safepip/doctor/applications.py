"""The applications that pipx keeps."""

from __future__ import annotations

import os
import shlex

from safepip.system.interpreter import BIN, EXE
from safepip.system.pipx import home_of, installed_applications

from .finding import listed, ok, problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .finding import Context, Findings


def check(context: Context) -> Findings:
    """Look at each application's Python."""
    venvs = os.path.join(home_of(context), "venvs")
    names = installed_applications(venvs)
    for name in names:
        if not os.path.exists(os.path.join(venvs, name, BIN, "python" + EXE)):
            why = f"the application {name} lost its Python"
            yield problem("application-broken", why, f"safepip app reinstall {shlex.quote(name)}")
    if names:
        yield ok("applications", f"with pipx: {listed(names)}, {len(names)} in all")
