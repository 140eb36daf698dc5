"""safepip upgrade [NAME…]: upgrade what is outdated, in one run of pip."""

from __future__ import annotations

import os
import re
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from safepip.actions.execute import hand_over
from safepip.actions.pipx import run_pipx
from safepip.actions.sudo import of_user_behind_sudo, step_down
from safepip.core.plan import Handover, Pipx
from safepip.core.requirement import normalised_name
from safepip.core.world import BIN, USABLE, Environment
from safepip.envs import applications
from safepip.envs.in_force import usable
from safepip.envs.pip import own_variables
from safepip.envs.progress import shown_while
from safepip.envs.upgrades import ImpossibleError, NewVersion, Upgrade, UpgradePlan, outdated
from safepip.errors import USAGE, SafepipError, shell_quote
from safepip.report import Report
from safepip.system.observe import Context
from safepip.system.pipx import environments_of
from safepip.system.process import inherited

from .arguments import Parser, for_verb
from .output import show, show_json

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_FAILED = 1  # as pip itself where it finds no versions that fit together


def parser() -> Parser:
    """Return the parser of `upgrade`."""
    made = for_verb(
        "upgrade",
        more="Nothing that is installed breaks, the project's requirements files and constraints hold, and\n"
        "`safepip undo` takes all of it back. pip itself is upgraded only if it is named.",
        example="safepip upgrade --dry-run",
    )
    made.add_argument("names", metavar="NAME", nargs="*", help="upgrade only these packages, and what they need")
    made.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    made.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    made.add_argument("--apps", action="store_true", help="upgrade applications of pipx instead")
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Show what changes, then have pip do it under the environment's lock."""
    said = parser().parse_args(words)
    context = of_user_behind_sudo(context, report)
    if said.apps:
        return _upgrade_applications(said, context, report)
    found = usable(context, report)
    owner = context.owner_behind_sudo(found.path)
    if owner:  # root's files in the user's active environment would break it for the user
        step_down(*owner, report)
    upgrade = _upgrade(said.names, found, context)
    with shown_while("looking for newer versions", context, report):
        try:
            plan = upgrade.plan()
        except ImpossibleError as error:
            raise SafepipError(_FAILED, f"nothing was upgraded: {error}", error.way) from None
    _show(plan, found.path, context.typed(found), as_json=said.json)
    if said.dry_run:
        return 0
    if not plan.changes:
        return 0
    if said.json:
        os.dup2(2, 1)  # stdout is the object's alone
    return _carry_out(plan, upgrade, found, context, report)


def _upgrade(names: Sequence[str], found: Environment, context: Context) -> Upgrade:
    """Return the upgrade to plan, or refuse names not installed."""
    root = None
    if context.project is not None:
        root = context.project.root
    wanted = list(map(normalised_name, names))
    upgrade = Upgrade(found, wanted, root, context.ambient.environ)
    for typed, name in zip(names, wanted, strict=True):
        _refuse_other_than_name(typed)
        if name not in upgrade.installed:
            shown = context.typed(found)
            raise SafepipError(
                USAGE, f"{typed} is not installed in {shown}", f"install it: safepip install {shell_quote(typed)}"
            )
    return upgrade


def _refuse_other_than_name(typed: str) -> None:
    if not _NAME.fullmatch(typed):
        way = "name what is installed, without versions and extras; all of it: safepip list"
        raise SafepipError(USAGE, f"{typed!r} is not the name of a package", way)


def _show(plan: UpgradePlan, path: str, called: str, *, as_json: bool) -> None:
    if as_json:
        show_json(_as_json(plan, path))
    else:
        show(*_lines(plan, called))


def _lines(plan: UpgradePlan, called: str) -> Iterator[str]:
    width = max([len(change.name) for change in plan.changes], default=0)
    for change in plan.changes:
        yield f"{change.name:{width}}  {change.before or 'new'} -> {change.after}"
    for held in plan.held:
        yield f"{held.name} stays at {held.version}, {held.latest} exists: {held.because}"
    left = [f"{one.name} {one.version} ({one.left})" for one in plan.left]
    told = []
    if not plan.changes:
        told.append(f"nothing to upgrade in {called}")
    if left:
        told.append(f"left alone: {', '.join(left)}")
    if told:
        yield "; ".join(told)


def _as_json(plan: UpgradePlan, environment: str) -> dict[str, Any]:
    # `safepip help json` describes the keys.
    return {
        "environment": environment,
        "changes": [{"name": one.name, "from": one.before, "to": one.after} for one in plan.changes],
        "held": [
            {"name": one.name, "version": one.version, "latest": one.latest, "because": one.because}
            for one in plan.held
        ],
        "left": [{"name": one.name, "version": one.version, "because": one.left} for one in plan.left],
    }


def _carry_out(plan: UpgradePlan, upgrade: Upgrade, found: Environment, context: Context, report: Report) -> int:
    """Have pip install exactly the planned versions."""
    with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
        constraints = os.path.join(folder, "constraints.txt")
        with open(constraints, "w", encoding="utf-8") as file:
            file.writelines(f"{pin}\n" for pin in plan.pins)
        before = inherited()
        after = {**own_variables(before, found.path), **upgrade.variables}
        variables = {}
        for name in (*before, *after):
            if before.get(name) != after.get(name):
                variables[name] = after.get(name)
        handover = Handover(
            python=found.python,
            # pip notes the names on its line as requested, so the versions of all others are constraints.
            words=("install", "-c", constraints, *plan.words),
            program=os.path.join(found.path, BIN, "pip"),
            environment=found.path,
            enter=True,
            variables=tuple(variables.items()),
            changes_packages=True,
            wait=True,  # the directory of the constraints is removed afterwards
        )
        code = hand_over(handover, context, report)
    if code is None:
        raise SafepipError(_FAILED, f"{context.typed(found)} was removed meanwhile")
    return code


def _upgrade_applications(said: Namespace, context: Context, report: Report) -> int:
    there = applications.held(context)
    for name in said.names:
        _refuse_other_than_name(name)
        if name not in there:
            way = f"install it: safepip app install {shell_quote(name)}"
            raise SafepipError(USAGE, f"pipx has no application {name}", way)
    wanted = tuple(said.names or there)
    if said.json or said.dry_run:
        found = environments_of(context)
        plan = UpgradePlan(changes=tuple(_outdated_applications(wanted, found, context)))
        _show(plan, found, found, as_json=said.json)
        return 0
    if not wanted:
        show("pipx has no applications")
        return 0
    runs = tuple(("upgrade", "--", name) for name in wanted)
    code, _ = run_pipx(Pipx(runs=runs, names=wanted, because="upgrade --apps asks for it"), context, report)
    return code


def _outdated_applications(names: Sequence[str], venvs: str, context: Context) -> Iterator[NewVersion]:
    for name in names:
        found = context.examine(os.path.join(venvs, name), trusted=True)
        if found.state != USABLE:
            continue
        try:
            rows = outdated(found, {})
        except ImpossibleError as error:
            raise SafepipError(_FAILED, f"{name} cannot be looked at: {error}") from None
        for row in rows:
            if normalised_name(row["name"]) == name:  # what the application needs is left to pipx
                yield NewVersion(name=name, before=row["version"], after=row["latest_version"])
