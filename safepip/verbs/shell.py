"""safepip shell: start the user's shell in the environment of this place."""

from __future__ import annotations

import os

from safepip.errors import USAGE, SafepipError
from safepip.report import Report
from safepip.shells import FOLDER
from safepip.shells.detect import language_of, users_shell
from safepip.system.observe import Context
from safepip.system.process import entered, inherited, start

from .arguments import Parser, for_verb, shows_help
from .run import to_run_in

_INSIDE = "SAFEPIP_SHELL"  # the environment that this shell is for
_FISH = "set -gx PATH $SAFEPIP_SHELL/bin $PATH; set -gx VIRTUAL_ENV $SAFEPIP_SHELL; set -e SAFEPIP_ACTIVATED"


def parser() -> Parser:
    """Return the parser of this verb, which takes no arguments."""
    return for_verb("shell", example="safepip shell")


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Become the user's shell, or refuse one within another."""
    if shows_help(words):
        parser().print_help()
        return 0
    if words:
        raise SafepipError(USAGE, "safepip shell takes no arguments", "to run a program: safepip run PROGRAM")
    # A second one would look the same, and take two times `exit`.
    inside = context.ambient.environ.get(_INSIDE)
    if inside and context.ambient.environ.get("VIRTUAL_ENV") == inside:
        raise SafepipError(USAGE, f"this is the shell of {inside} already", "leave it: exit")
    found = to_run_in(context, report)
    shell = users_shell(context.ambient.environ)
    if report.terminal:
        report.say(f"{shell} in {context.typed(found)}; leave it with exit")
    variables = {**entered(found.path, inherited()), _INSIDE: found.path}
    argv, changes = _in_front(shell, variables)
    return start(argv, {**variables, **changes})


def _in_front(shell: str, variables: dict[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return how the shell is started, and the variables for that.

    The environment comes first, whatever the rc files do to PATH.
    tcsh, xonsh and nushell have no way to add to their own files: there PATH is as those leave it.
    """
    match language_of(shell):
        case "bash":
            # The file reads ~/.bashrc first, then enters the environment.
            return (shell, "--rcfile", os.path.join(FOLDER, "shell.bash")), {}
        case "zsh":
            # zsh reads no other file on request, so that this directory has files that read the user's.
            changes = {"ZDOTDIR": os.path.join(FOLDER, "zsh")}
            return (shell,), {**changes, "SAFEPIP_SHELL_ZDOTDIR": variables.get("ZDOTDIR", "")}
        case "fish":
            return (shell, "-C", _FISH), {}
        case "sh":
            # POSIX shells read this file when they are interactive.
            changes = {"ENV": os.path.join(FOLDER, "shell.sh")}
            return (shell,), {**changes, "SAFEPIP_SHELL_ENV": variables.get("ENV", "")}
        case "powershell":
            return (shell, "-NoLogo"), {}
        case _:
            return (shell,), {}
