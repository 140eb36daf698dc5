"""safepip env trust: remember, or forget, that the user trusts an environment."""

from __future__ import annotations

import argparse
import shlex

from safepip.core.world import UNTRUSTED, Environment
from safepip.envs import redirects
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, USAGE, SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.observe import Context
from safepip.verbs.output import show

from .which import absolute, add_directory, exists, named_or_of_place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this word."""
    add_directory(parser)
    parser.add_argument("--list", action="store_true", help="print the paths of those that are trusted")
    parser.add_argument("--revoke", action="store_true", help="take the trust back")


def main(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Trust an environment, take the trust back, or list all trusted ones."""
    if said.list:
        return _list(context)
    found, redirect = _named(said.dir, context)
    if not exists(found.path):
        raise SafepipError(NO_ENVIRONMENT, f"{context.typed(found)} is not an environment")
    known = registry.registration(context.state, found.path)
    is_made = known is not None and known.how == registry.MADE
    if is_made and not _is_about_redirect(redirect, found, context):
        what = f"{context.typed(found)} was made by safepip, which trusts it"
        if said.revoke:
            raise SafepipError(USAGE, what, "to delete it: safepip env remove")
        # Made by safepip is trusted: nothing changes, so it is not an error.
        report.say(what)
        return 0
    if said.revoke:
        now = _revoke(found, redirect, context, is_made=is_made)
    else:
        if not is_made:
            _trust(found, context)
        if redirect:
            redirects.trust(context.state, redirect, found.path)
        now = "is trusted from now on"
    report.say(f"{context.typed_path(redirect or found.known_as)} {now}")
    return 0


def _revoke(found: Environment, redirect: str, context: Context, *, is_made: bool) -> str:
    """Take the trust back, and return how it stands now."""
    was_trusted = redirects.is_trusted(context.state, redirect, found.path)
    redirects.forget(context.state, redirect)
    if not is_made:
        was_trusted |= registry.forget(context.state, found.path)
    if was_trusted:
        return "is not trusted any more"
    return "was not trusted"


def _is_about_redirect(redirect: str, found: Environment, context: Context) -> bool:
    # A file that leads to an environment of safepip's may be refused all the same.
    if redirects.is_trusted(context.state, redirect, found.path):
        return True
    return redirect != "" and found.state == UNTRUSTED


def _named(typed: str | None, context: Context) -> tuple[Environment, str]:
    """Return the environment, and the file that leads to it or ""."""
    kept = context.kept
    if typed and kept is not None and absolute(typed, context) == kept.file:
        typed = None
    found = named_or_of_place(typed, context)
    if found.known_as != found.path:
        return found, found.known_as
    if kept is not None and kept.path == found.path:
        return found, kept.file
    return found, ""


def _list(context: Context) -> int:
    paths = list(redirects.trusted(context.state))
    for entry in registry.entries(context.state):
        if entry.registration.how != registry.TRUSTED:
            continue
        if entry.is_there:
            paths.append(entry.registration.path)
    show(*sorted(paths))
    return 0


def _trust(found: Environment, context: Context) -> None:
    registry.note(context.state, found.path, registry.TRUSTED)
    # Noting ignores write errors, so look whether it is there.
    if registry.registration(context.state, found.path) is None:
        raise SafepipError(
            CANNOT_CREATE,
            f"{context.state} cannot be written, so nothing can be remembered there",
            f"what is named needs no trust: export SAFEPIP_ENV={shlex.quote(found.path)}",
        )
