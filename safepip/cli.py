"""Run a command line, from reading it to its exit code."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from _signal import SIGINT  # type: ignore[import-not-found]  # signal only adds enums, which cost more than the rest

from .errors import CANNOT_CREATE, INTERNAL, SafepipError
from .report import Report, without_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(argv: Sequence[str] | None = None, program: str | None = None, *, module: bool = False) -> int:
    """Carry out a command line, and return its exit code.

    Where pip takes over this does not return. `argv` lacks the program's name, which is `program` (both default to
    this process's). `module` tells that it was typed as `python -m safepip`.
    """
    # To collect garbage rarely, and leave the rest to the operating system, saves a seventh of the instructions of
    # an `install` whose answer is repeated.
    gc.set_threshold(50000, 20, 20)
    if hasattr(gc, "freeze"):  # not in PyPy
        atexit.register(gc.freeze)
    words = sys.argv[1:] if argv is None else argv
    program = program or sys.argv[0]
    if words[:1] == ["hook"] and not os.path.basename(program).startswith("pip"):
        from safepip.shells.hook import answer

        printed = answer(words[1:])
        if printed is not None:
            return _print_for_shell(printed)
    report = Report()
    try:
        code = _run(words, program, report, module=module)
    except KeyboardInterrupt:
        code = -SIGINT  # as an interrupted Python ends: a shell's loop then ends as well
    except Exception as error:  # noqa: BLE001  last resort: print one line, not a traceback
        return _report_error(error, report)
    if code >= 0:
        return code
    from safepip.system.process import end_by  # noqa: PLC0415  as in _run

    return end_by(-code)


def _print_for_shell(printed: bytes) -> int:
    try:
        os.write(1, printed)
    except OSError:  # the shell is gone, and nobody needs it
        return CANNOT_CREATE
    return 0


def _run(words: Sequence[str], program: str, report: Report, *, module: bool) -> int:
    # Imported here because a shell waits for `safepip hook`, which needs none of it.
    from safepip.actions.execute import execute  # noqa: PLC0415
    from safepip.core.invocation import read_invocation  # noqa: PLC0415
    from safepip.system.observe import Context, ambient, apply_changes, enter  # noqa: PLC0415
    from safepip.system.stages import decided  # noqa: PLC0415

    invocation = read_invocation(program, words, module=module)
    if invocation.project:
        enter(invocation.project)
    code: int | None = None
    while code is None:
        context = Context(invocation, ambient())
        environ = context.ambient.environ
        report.debugging = "SAFEPIP_DEBUG" in environ
        if report.debugging:
            context.tell = report.debug
        report.terminal = context.ambient.terminal
        report.colour = report.terminal and not _is_colourless(words, environ)
        if context.due_changes:
            apply_changes(context.due_changes)
            continue
        plan = decided(context)
        report.quiet = context.quiet
        if report.debugging:
            report.debug(f"plan: {_clean(repr(plan), words)}")
        code = execute(plan, context, report)
    return code


def _is_colourless(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Return True if pip would not use colours either."""
    if sys.platform == "win32":
        return True
    if environ.get("TERM") in {"dumb", "unknown"}:
        return True
    if "NO_COLOR" in environ or "PIP_NO_COLOR" in environ:
        return True
    return any(word.startswith("--no-col") for word in words)  # shorter ones are ambiguous


def _clean(text: str, words: Sequence[str]) -> str:
    """Return the text with credentials removed from words of the line."""
    for word, clean in zip(words, without_secrets(words), strict=True):
        if word != clean:
            text = text.replace(word, clean)
    return text


def _report_error(error: Exception, report: Report) -> int:
    if isinstance(error, SafepipError):
        if error.what:
            report.error(error.what, error.ways, code=error.code)
        return error.code
    if isinstance(error, OSError):
        reason = error.strerror or error
        if error.filename:
            reason = f"{error.filename!s}: {reason}"
        report.error(str(reason))
        _abandon_stdout()
        return CANNOT_CREATE
    if report.debugging:
        import traceback

        traceback.print_exc()
    report.error(
        f"internal error ({type(error).__name__}: {error})",
        ("run pip alone: SAFEPIP_BYPASS=1 pip …", "tell us what SAFEPIP_DEBUG=1 shows"),
    )
    return INTERNAL


def _abandon_stdout() -> None:
    # Otherwise Python fails again at its end on what a full or closed stdout did not take.
    try:
        sys.stdout.flush()
    except (OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
