"""How safepip itself was installed, and how to update and remove it."""

from __future__ import annotations

import glob
import json
import os
import site

from safepip.core.record import Record
from safepip.core.requirement import name_in, normalised_name
from safepip.core.world import BIN, BROKEN, EXE
from safepip.errors import shell_quote
from safepip.report import Report
from safepip.system.environment import configuration

from .finding import Context, Findings, ok, problem
from .path import on_path


class Installation(Record):
    """The tool that installed safepip, and its commands.

    `repair` is for a safepip whose Python was replaced.
    """

    by: str
    update: str
    repair: str
    remove: str


def check(context: Context) -> Findings:
    """Tell how safepip was installed, and find copies that cannot start."""
    own = own_installation(context)
    yield ok("installed-by", f"safepip was installed by {own.by}; to update it: {own.update}")
    own_prefix = os.path.realpath(context.ambient.prefix)
    for program in on_path(("safepip",), context):
        prefix = program.serves
        if not prefix:
            continue
        if os.path.realpath(prefix) == own_prefix:
            continue
        if not os.path.lexists(os.path.join(prefix, "pyvenv.cfg")):
            continue
        found = context.examine(prefix, trusted=True)
        if found.state == BROKEN:
            why = f"the safepip in {prefix} cannot start: it {found.reason}"
            yield problem("safepip-without-python", why, of_environment(prefix).repair)


def own_installation(context: Context) -> Installation:
    """Return how the safepip that runs was installed."""
    above = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    by_script = _by_bootstrap(os.path.dirname(above))
    if by_script is not None:
        return by_script
    # safepip.pyz unpacks itself, and leaves this file when it has counted its files.
    if os.path.exists(os.path.join(above, "counted")):
        replace = "put a newer safepip.pyz in its place"
        return Installation(by="safepip.pyz", update=replace, repair=replace, remove="remove safepip.pyz")
    ambient = context.ambient
    if os.path.exists(os.path.join(above, ".git")):
        pull = f"git -C {shell_quote(above)} pull"
        return Installation(
            by=f"the clone {above}", update=pull, repair=pull, remove=f"rm -r {shell_quote(above)}"
        )
    if ambient.prefix != ambient.base_prefix:
        return of_environment(ambient.prefix)
    # Installed so into a managed Python, it is updated so.
    options = ""
    if above == site.getusersitepackages():
        options = " --user --break-system-packages"
    pip = f"{shell_quote(ambient.executable)} -m pip"
    install = f"{pip} install{options} -U safepip"
    return Installation(by="pip", update=install, repair=install, remove=f"{pip} uninstall safepip")


def of_environment(prefix: str) -> Installation:
    """Return how the safepip in an environment was installed."""
    # Each tool leaves a file of its own in the environments that it makes.
    if os.path.exists(os.path.join(prefix, "pipx_metadata.json")):
        return _with_words("pipx", "pipx upgrade", "pipx reinstall", "pipx uninstall")
    if os.path.exists(os.path.join(prefix, "uv-receipt.toml")):
        return _with_words("uv tool", "uv tool upgrade", "uv tool upgrade --reinstall", "uv tool uninstall")
    # uvx keeps its environments in the cache.
    if "uv" in configuration(prefix) and f"{os.sep}archive-v" in os.path.realpath(prefix):
        return _with_words("uvx", "uvx --refresh", "uvx --refresh", "uv cache clean")
    python = shell_quote(os.path.join(prefix, BIN, "python" + EXE))
    # Its Python is gone, so pip there cannot repair it.
    made = f"python3 -m venv --clear {shell_quote(prefix)}"
    source = shell_quote(_source(prefix))
    return Installation(
        by=f"pip in {prefix}",
        update=f"{python} -m pip install -U {source}",
        repair=f"{made} && {python} -m pip install {source}",
        remove=f"{python} -m pip uninstall safepip",
    )


def _source(prefix: str) -> str:
    # pip notes the URL of a direct install (PEP 610).
    sites = os.path.join(glob.escape(prefix), "lib", "python*", "site-packages")
    for path in glob.glob(os.path.join(sites, "safepip-*.dist-info", "direct_url.json")):
        (url,) = _noted(path, "url")
        if url:
            return url.removeprefix("file://")
    return "safepip"


def _noted(path: str, *keys: str) -> list[str]:
    """Return values of a JSON file, or empty ones for any lack."""
    try:
        with open(path, encoding="utf-8") as file:
            noted = json.load(file)
        return [str(noted[key]) for key in keys]
    except (OSError, ValueError, LookupError, TypeError):
        return [""] * len(keys)


def _with_words(by: str, update: str, repair: str, remove: str) -> Installation:
    return Installation(by=by, update=f"{update} safepip", repair=f"{repair} safepip", remove=f"{remove} safepip")


def _by_bootstrap(app: str) -> Installation | None:
    # scripts/bootstrap.py leaves a note in the directory that it fills.
    again, update, remove = _noted(os.path.join(app, ".bootstrap"), "again", "update", "remove")
    if not again:
        return None
    by = "bootstrap.py"
    if again.endswith("--install"):
        by = "safepip.pyz --install"
    return Installation(by=by, update=update, repair=again, remove=remove)


def tell(environment: str | None, context: Context, report: Report) -> None:
    """Say how to update safepip if the line changes another copy."""
    # The line is carried out all the same, as pip would: a project may well depend on safepip.
    command = context.command
    names = [normalised_name(name_in(requirement)) for requirement in command.requirements]
    if "safepip" not in names:
        return
    prefix = os.path.realpath(context.ambient.prefix)
    if environment is None:
        where = context.typed_interpreter.python
    elif os.path.realpath(environment) == prefix:
        return
    else:
        where = environment
    own = own_installation(context)
    if command.subcommand == "install" and command.upgrade:
        report.say(f"this installs a copy into {where}; the safepip that runs was installed by {own.by}")
        report.say(f"to update that one: {own.update}")
    elif command.subcommand == "uninstall":
        report.say(f"this is about {where}; the safepip that runs was installed by {own.by}")
        report.say(f"to remove that one: {own.remove}")
