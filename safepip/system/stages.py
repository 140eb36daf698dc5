"""Fill the world that a line is decided from, stage by stage.

A stage is filled only if the decision asks for it, and the Context looks each fact up on its first use.

| stage | facts | looked up by |
|---|---|---|
| at first | the line as read, settings, the user behind sudo | pip_config, settings_files |
| TARGET | the Python that would have served, active and named environments | interpreter, environment |
| TYPED_INTERPRETER | the Python whose pip reads a `--python` in the line | interpreter |
| PLACE | the project and its environment | project, project_tools, new_place, environment; `vet` judges it |
| APPS | what pipx has | pipx |
| DETAILS | what is in the way of an environment, and hints | registry, pip_config, envs.install_inputs |

A line that is left to pip never pays for the project, nor an `install` for the details of a missing environment.
"""

from __future__ import annotations

from safepip.core.decide import decide
from safepip.core.record import fields_of, replace
from safepip.core.world import (
    ABSENT,
    APPS,
    BROKEN,
    DETAILS,
    FOREIGN,
    NOWHERE,
    PLACE,
    TARGET,
    TYPED_INTERPRETER,
    UNFINISHED,
    UNTRUSTED,
    Details,
    Need,
    WithPlace,
    WithTarget,
    World,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from safepip.core.plan import Plan
    from safepip.core.world import Environment

    from .observe import Context


def decided(context: Context) -> Plan:
    """Return what to do about the line."""
    world = first_world(context)
    answer = decide(world)
    while isinstance(answer, Need):
        world = fill(world, answer, context)
        answer = decide(world)
    return answer


def first_world(context: Context) -> World:
    """Return what is known before any Python is looked for."""
    # For none of these does root by sudo read a file of the user's project.
    return World(
        invocation=context.invocation,
        ambient=context.ambient,
        settings=context.settings,
        first_reading=context.first_reading,
        data=context.data,
        untouched=context.untouched,
        opts_out=context.opts_out,
        configured_python=context.configured_python,
        sudo_user=context.sudo_user,
        inside=context.inside,
    )


def fill(world: World, need: Need, context: Context) -> World:
    """Return the world with the facts that a decision needs next."""
    if need.stage == TARGET:
        return _with_target(world, context)
    if need.stage == PLACE:
        return _with_place(world, context)
    facts: dict[str, object] = {}
    if need.stage == TYPED_INTERPRETER:
        facts["typed_interpreter"] = context.typed_interpreter
    elif need.stage == DETAILS and need.environment is not None:
        facts["details"] = details(need.environment, context)
    elif need.stage == APPS and isinstance(world, WithPlace):
        from .pipx import look  # it lists the applications, which most lines are not about

        facts["apps"] = look(world, context.examine)
    return replace(world, **facts)


def _with_target(world: World, context: Context) -> World:
    active = context.active
    owner_of_active = stale_active = None
    if active is None:
        stale_active = context.stale_active
    else:
        owner_of_active = context.owner_behind_sudo(active.path)
    typed_interpreter = None
    if not context.first_reading.main_python:  # else it may never be needed, and costs a walk along PATH
        typed_interpreter = context.typed_interpreter
    return WithTarget(
        **fields_of(world),
        target=context.target,
        managed=context.managed,
        command=context.command,
        typed_interpreter=typed_interpreter,
        base=context.base,
        active=active,
        owner_of_active=owner_of_active,
        stale_active=stale_active,
        named_environment=context.named_environment,
    )


def _with_place(world: World, context: Context) -> World:
    known = fields_of(world)
    if context.named_environment is not None:  # which serves whatever the directory is
        _, environment = context.named_environment
        return WithPlace(**known, place=environment, environment_to_read=environment)
    return WithPlace(
        **known, place=context.place, environment_to_read=context.environment_to_read, project=context.project
    )


def details(environment: Environment, context: Context) -> Details:
    """Return what else counts of an environment that is to serve."""
    path, state = environment.path, environment.state
    is_install = context.command.subcommand == "install"
    is_missing = state in {ABSENT, UNFINISHED, NOWHERE}
    if state in {UNTRUSTED, FOREIGN}:  # it is refused, and nothing in it may be read
        return Details(command=context.command)
    if is_missing and not is_install:
        return Details(command=context.command)
    facts: dict[str, Any] = {"command": context.command}
    if path:
        # An environment may have a pip.conf of its own.
        facts.update(command=context.command_in(path), moved_from=context.moved_from(environment))
    if is_install and context.named_environment is None:
        facts["hint"] = context.manager_hint
        if is_missing:
            facts["outer_environment"] = context.outer_environment
    if is_missing:
        facts.update(pip_is_misconfigured=context.pip_is_misconfigured, missing_input=context.missing_input)
    if state == BROKEN:
        facts["is_known"] = context.may_repair(environment)
        facts["environment_of_named_project"] = context.of_project(path)
    return Details(**facts)
