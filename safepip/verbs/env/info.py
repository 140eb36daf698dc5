"""safepip env info: show what is known of an environment."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator

from safepip.core.world import ABSENT, NOWHERE, USABLE, Environment
from safepip.envs import inventory
from safepip.envs.in_force import unfit
from safepip.envs.listing import health, last_use, project_root
from safepip.errors import NO_ENVIRONMENT, SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.observe import Context
from safepip.verbs.output import as_utc, human, show, show_json

from .which import add_directory, is_or_was, named_or_in_force

_HOW = {registry.MADE: "made by safepip", registry.ADOPTED: "adopted", registry.TRUSTED: "trusted by you"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this word."""
    add_directory(parser)
    parser.add_argument("--json", action="store_true", help="as a JSON object")


def main(said: argparse.Namespace, context: Context, _report: Report) -> int:
    """Print one fact a line, and run nothing in the environment."""
    found = named_or_in_force(said.dir, context)
    if found.state in {ABSENT, NOWHERE}:
        raise unfit(found, context)
    # What is left of an environment has facts that help to repair it.
    if not is_or_was(found.path):
        if said.dir is None:
            raise unfit(found, context)
        what = f"{context.typed(found)} is neither an environment nor a project with one"
        raise SafepipError(NO_ENVIRONMENT, what)
    if said.json:
        show_json(_as_json(found, context))
        return 0
    for name, fact in _facts(found, context):
        if fact:
            show(f"{name + ':':<12} {fact}")
    return 0


def _as_json(found: Environment, context: Context) -> dict[str, object]:
    entry = registry.entry(context.state, found.path)
    project: str | None = os.path.dirname(found.known_as)
    used = how = None
    if entry is not None:
        project = project_root(entry.registration, context)
        used = as_utc(last_use(entry))
        how = entry.registration.how
    return {
        "path": found.path,
        "project": project,
        "python": found.version or inventory.made_with(found.path),
        "interpreter": found.base.path if found.base else None,
        "packages": inventory.packages(found.path),
        "size": inventory.size(found.path),
        "last_used": used,
        "known_as": how,
        "has_pip": found.has_pip,
        "sees_system": found.sees_system,
        "health": health(found),
    }


def _facts(found: Environment, context: Context) -> Iterator[tuple[str, str]]:
    entry = registry.entry(context.state, found.path)
    project: str | None = os.path.dirname(found.known_as)
    used, how = "", "not known"
    if entry is not None:
        project = project_root(entry.registration, context)
        used = time.strftime("%Y-%m-%d", time.localtime(last_use(entry)))
        how = _HOW[entry.registration.how]
    yield "path", found.path
    yield "project", project or ""
    yield "python", found.version or inventory.made_with(found.path)
    if found.base:  # known of a usable one
        yield "made from", found.base.path
    yield "packages", str(inventory.packages(found.path))
    yield "size", human(inventory.size(found.path))
    yield "last use", used
    yield "known as", how
    if found.state == USABLE:
        yield "pip", "its own" if found.has_pip else "safepip's"
    if found.sees_system:
        yield "sees system", "yes"
    yield "health", health(found)
