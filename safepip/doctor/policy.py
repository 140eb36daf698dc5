"""The rules by which pip takes packages here."""

from __future__ import annotations

from safepip.core.world import USABLE
from safepip.system.policy import Rule, rules_here

from .finding import Context, Findings, attempt, ok


def check(context: Context) -> Findings:
    """Tell the indexes, the proxy, and what else leads or restricts pip."""
    nothing: tuple[Rule, ...] = ()
    found = attempt(lambda: rules_here(context, _prefix(context)), nothing)
    for rule in found:
        yield ok(f"policy-{rule.option}", f"{rule.option} is {rule.value}, by {rule.origin}")
    backend = context.ambient.environ.get("PIPX_DEFAULT_BACKEND", "pip")
    if found and backend != "pip":
        why = f"PIPX_DEFAULT_BACKEND is {backend}, which reads no setting of pip's; pipx uses pip for safepip"
        yield ok("policy-pipx", why)


def _prefix(context: Context) -> str | None:
    if context.active is not None:
        return context.active.path
    if context.managed and context.environment_to_read.state == USABLE:
        return context.environment_to_read.path
    interpreter = context.target.interpreter
    if interpreter is None:
        return None
    return interpreter.prefix
