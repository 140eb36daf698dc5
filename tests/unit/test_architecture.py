"""What no single module's test can see: who may import whom, who touches the world, what is loaded."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import importlib.util
import os
import re
import subprocess
import sys

import pytest
from tree import TREE

from safepip.core import pip_options
from safepip.core.invocation import FLAGS, VALUED, VERBS
from safepip.system import registry

PACKAGE = os.path.join(TREE, "safepip")

# The rules of the tools that keep projects: only those of the one that keeps it are loaded.
OF_TOOLS = tuple(f"system.project_tools.{name}" for name in ("uv", "poetry", "pdm", "pipenv", "hatch", "pixi"))
# A module imports only from those above it. In one line: those that do not know of each other.
ORDER = (
    ("__init__", "core.__init__", "system.__init__", "system.project_tools.__init__", "actions.__init__"),
    ("core.record", "errors", "core.pip_options", "core.applications"),
    ("core.pip_line", "core.requirement", "core.invocation"),
    ("core.settings",),
    ("core.world",),
    ("core.plan",),
    ("core.handover", "core.refusals", "core.slips"),
    ("core.app_routing", "core.creation"),
    ("core.decide",),
    ("report", "system.files", "system.processes"),
    ("system.directories",),
    ("system.settings_files",),
    ("system.keeper", "system.pip_config", "system.interpreter", "system.registry"),
    ("system.environment",),
    ("system.project_tools.project", "system.project"),
    OF_TOOLS,
    ("system.project_tools.tools",),
    ("system.process", "system.new_place", "system.pipx"),
    ("system.observe",),
    ("system.stages", "system.policy"),
    ("actions.execute",),
    ("cli",),
    ("__main__",),
)  # fmt: skip
# Cold rooms lie below all of these, and may be imported late where an arm of a match needs them. Within a room
# modules may know of each other, though not in a circle.
COLD = ("saving", "shells", "envs", "doctor", "verbs")
COLD_ACTIONS = ("actions.pipx", "actions.save", "actions.sudo", "actions.temporary")
COLD_ALONE = (
    *COLD_ACTIONS,
    "system.processes",
    "core.app_routing",
    "core.applications",
    "core.creation",
    "core.refusals",
    "core.slips",
    "system.new_place",
    "system.pipx",
    "system.policy",
    "system.project_tools.tools",
)
# Who imports what is cold late; within the rooms anybody may.
LATE = {
    "actions.execute": (*COLD, *COLD_ACTIONS, "system.project_tools.tools"),
    "cli": COLD,
    "system.stages": ("system.pipx",),
    "system.observe": (
        "system.new_place",
        "system.processes",
        "envs.trust",
        "envs.install_inputs",
        "envs.git",
        "envs.redirects",
        "system.project_tools.tools",
        "shells.activation",
    ),
    "system.new_place": ("envs.trust",),
    "core.decide": ("core.app_routing", "core.creation", "core.refusals", "core.slips"),
}
# What `safepip hook`, which a shell waits for, does without.
WITHOUT_HOOK = {
    "cli": {
        "actions.execute",
        "core.decide",
        "core.invocation",
        "system.observe",
        "system.process",
        "system.stages",
    },
}
# Under any Python that pip runs on: what it starts with, and what that imports where it is needed.
ALONE = "after_pip.runner.runner"
AFTER_PIP = (
    "after_pip.safepip_discard",
    "after_pip.safepip_faster",
    "after_pip.safepip_hint",
    "after_pip.safepip_notes",
    "after_pip.safepip_spare",
)
# What starts all the rest, under any Python: it imports safepip late, and no module of safepip imports it.
LAUNCHER = ("launcher.__init__", "launcher.other_python", "launcher.start")


def sources():
    for folder, _, names in os.walk(PACKAGE):
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                yield os.path.relpath(path, PACKAGE)[:-3].replace(os.sep, "."), path


SOURCES = dict(sources())
MODULES = sorted(set(SOURCES) - {ALONE, *AFTER_PIP, *LAUNCHER})


def tree(module):
    with open(SOURCES[module], encoding="utf-8") as file:
        return ast.parse(file.read())


def is_type_checking(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(node, module, late=False):
    """Yield (module of safepip's, whether inside a function) for all that is imported when it runs."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            for other in child.orelse:
                yield from imports(other, module, late)
        elif isinstance(child, ast.ImportFrom | ast.Import):
            for name in named(child, module):
                yield name, late
        else:
            yield from imports(child, module, late or isinstance(child, ast.FunctionDef))


def named(node, module):
    if isinstance(node, ast.Import):
        whole = [
            alias.name.removeprefix("safepip.") for alias in node.names if f"{alias.name}.".startswith("safepip.")
        ]
        return [name if name in SOURCES else f"{name}.__init__" for name in whole]
    package = module.split(".")[:-1] if node.level == 1 else []
    base = ".".join([*package, *([node.module] if node.module else [])])
    if node.level == 0:
        if (node.module or "").partition(".")[0] != "safepip":
            return []
        base = node.module.removeprefix("safepip").removeprefix(".")
    inner = [".".join(part for part in (base, alias.name) if part) for alias in node.names]
    found = [name for name in inner if name in SOURCES]
    return found or [base if base in SOURCES else f"{base}.__init__".removeprefix(".")]


def room(module):
    if module in COLD_ACTIONS:
        return "envs"
    return module.partition(".")[0] if module.startswith(tuple(f"{name}." for name in COLD)) else ""


def is_cold(module):
    return bool(room(module)) or module in COLD_ALONE or module in {f"{name}.__init__" for name in COLD}


def rank(module):
    if room(module):
        return len(ORDER) + COLD.index(room(module))
    return next(index for index, names in enumerate(ORDER) if module in names)


def test_every_module_has_its_place():
    placed = [module for names in ORDER for module in names]
    assert sorted(placed) == [module for module in MODULES if not room(module)]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_those_above_it(module):
    found = [name for name, late in imports(tree(module), module) if not late]
    own = room(module)
    assert [name for name in found if rank(name) >= rank(module) and not (own and room(name) == own)] == []


@pytest.mark.parametrize("module", MODULES)
def test_only_a_cold_module_is_imported_late_and_only_by_the_last_door(module):
    late = {name for name, late in imports(tree(module), module) if late} - WITHOUT_HOOK.get(module, set())
    assert {name for name in late if not is_cold(name)} == set()
    assert {
        name for name in late if not room(module) and not {name, room(name)} & {*LATE.get(module, ())}
    } == set()


@pytest.mark.parametrize("module", MODULES)
def test_what_is_cold_is_imported_first_by_what_is_cold_only(module):
    found = {name for name, late in imports(tree(module), module) if not late}
    assert is_cold(module) or {name for name in found if is_cold(name)} == set()


def test_no_modules_import_each_other_in_a_circle():
    after = {module: {name for name, late in imports(tree(module), module) if not late} for module in MODULES}
    while after:
        free = {module for module, needs in after.items() if not needs & set(after)}
        assert free, f"a circle among {sorted(after)}"
        after = {module: needs for module, needs in after.items() if module not in free}


def test_no_modules_import_each_other_in_a_circle_late():
    """A late import is part of a circle, too."""
    after = {module: {name for name, _ in imports(tree(module), module)} - {module} for module in MODULES}
    assert {module for module in MODULES if module in reachable(module, after)} == set()


def reachable(start, after):
    """Return the modules that are imported when `start` has run wholly, `start` among them if in a circle."""
    found, left = set(), [start]
    while left:
        for name in after.get(left.pop(), ()):
            if name not in found:
                found.add(name)
                left.append(name)
    return found


def test_the_runner_is_alone():
    assert [name for module in (ALONE, *AFTER_PIP) for name, _ in imports(tree(module), module)] == []
    assert [name for name in os.listdir(os.path.dirname(SOURCES[ALONE])) if name != "__pycache__"] == ["runner.py"]


def test_no_module_imports_the_launcher():
    assert {name for module in MODULES for name, _ in imports(tree(module), module)} & set(LAUNCHER) == set()


def test_there_is_no_bag():
    assert not {"utils", "helpers", "util", "common", "misc"} & {
        part for name in MODULES for part in name.split(".")
    }


# -- who touches the world


@functools.cache
def names_in(module, without=()):
    """Return what a module names: ``os.environ`` and the like, what it imports by name, and the bare names it calls."""
    kept = [node for node in tree(module).body if getattr(node, "name", None) not in without]
    nodes = [node for top in kept for node in ast.walk(top)]
    found = {
        f"{node.value.id}.{node.attr}"
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    found |= {
        f"os.path.{node.attr}" for node in nodes if isinstance(node, ast.Attribute) and is_os_path(node.value)
    }
    found |= {
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    return found | {
        node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def is_os_path(node):
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "os.path"


def uses(module, *names):
    return not names_in(module).isdisjoint(names)


def users(*dotted):
    return sorted(module for module in SOURCES if uses(module, *dotted))


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        (
            ("os.environ", "os.environb", "os.getenv", "os.putenv"),
            ["launcher.other_python", "system.observe", "system.process", ALONE],
        ),
        (("os.getcwd", "os.chdir"), ["shells.hook", "system.observe"]),
        (("sys.argv",), ["cli", "launcher.other_python", "launcher.start", "shells.program", ALONE]),
        (
            ("sys.stderr", "sys.__stderr__"),
            [
                "system.observe",
                "launcher.other_python",
                "report",
                *(set(AFTER_PIP) - {"after_pip.safepip_faster"}),
            ],
        ),
        (("print", "input", "breakpoint"), []),
        (
            ("os.execv", "os.execve", "os.execvp", "os.execvpe", "os.execl", "os.posix_spawn"),
            ["launcher.other_python", "system.process"],
        ),
        (
            ("sys.exit", "os._exit", "exit", "quit"),
            ["__main__", ALONE, "after_pip.safepip_spare", "launcher.start"],
        ),
        (("os.fork", "os.system", "os.popen"), []),
        (
            ("subprocess.call", "subprocess.Popen"),
            ["actions.pipx", "system.process", "system.interpreter", "verbs.help"],
        ),
        (
            ("subprocess.run",),
            [
                "system.processes",
                "envs.git",
                "envs.packages",
                "envs.pip",
                "envs.pipx_program",
                "system.project_tools.tools",
                "verbs.completion",
            ],
        ),
        (("os.setuid", "os.setgid", "os.initgroups"), ["actions.sudo"]),
        (("eval", "exec", "__import__", "compile"), []),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_few_may_touch(names, allowed):
    assert users(*names) == sorted(allowed)


def test_stdout_is_pips_but_for_the_results_of_own_words():
    found = users("sys.stdout", "sys.__stdout__")
    listening = ["after_pip.safepip_notes"]  # what pip prints is heard, and never changed
    assert [module for module in found if room(module) != "verbs"] == [
        "actions.execute",
        *listening,
        "cli",
        "launcher.other_python",
        "system.process",
    ]


PURE = sorted(module for module in MODULES if module.startswith("core.") or module == "errors")
# What the pure modules use of Python's: functions of text, and constants.
TEXT_ALONE = {
    "os.curdir", "os.path", "os.pathsep", "os.sep", "os.path.abspath", "os.path.basename", "os.path.dirname",
    "os.path.isabs", "os.path.join", "os.path.normpath", "os.path.relpath", "sys.platform",
}  # fmt: skip
OUTSIDE_CORE = {"__future__", "os", "os.path", "sys", "difflib"}
DOORS = {"open", "eval", "exec", "__import__", "input", "print", "globals", "vars"}


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_reads_nothing_of_the_world(module):
    nodes = list(ast.walk(tree(module)))
    named = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    assert {name for name in named if re.fullmatch(r"(os|sys)(\.\w+)+", name)} <= TEXT_ALONE
    assert names_in(module) & DOORS == set()


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_only_pure_ones_even_for_its_types(module):
    nodes = [node for node in ast.walk(tree(module)) if isinstance(node, ast.Import | ast.ImportFrom)]
    own = {name for node in nodes for name in named(node, module)}
    assert own <= {*PURE, "core.__init__"}
    running = [node for node in imported(tree(module)) if not named(node, module)]
    assert {name for node in running for name in outside(node)} <= OUTSIDE_CORE


def imported(node):
    """Yield the imports that are carried out when a module runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not is_type_checking(child):
            yield from imported(child)


def outside(node):
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]


def test_no_pure_modules_know_each_other_in_a_circle_even_by_their_types():
    after = {}
    for module in PURE:
        nodes = [node for node in ast.walk(tree(module)) if isinstance(node, ast.Import | ast.ImportFrom)]
        after[module] = {name for node in nodes for name in named(node, module)} - {module}
    assert {module for module in PURE if module in reachable(module, after)} == set()


def test_the_pure_modules_load_no_other():
    """As they are loaded, not as they are written."""
    code = "import sys, importlib; sys.path.insert(0, sys.argv[1])\n"
    code += "for name in sys.argv[2:]: importlib.import_module(f'safepip.{name}')\n"
    code += "print(*(name for name in sys.modules if name.startswith('safepip.')))"
    argv = [sys.executable, "-I", "-c", code, TREE, *(set(PURE) - {"core.__init__"})]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("safepip.") for name in done.stdout.split()}
    assert loaded == {*PURE, "core"} - {"core.__init__"}


def test_the_middle_is_pure():
    decided_by = {
        "pip_line",
        "settings",
        "invocation",
        "world",
        "plan",
        "decide",
        "handover",
        "refusals",
        "app_routing",
    }
    assert {f"core.{name}" for name in decided_by} <= set(PURE)


# -- what is loaded on the way to pip

HOT = """
import sys
before = set(sys.modules)
sys.path.insert(0, sys.argv.pop(1))
import os
def execve(path, argv, environ):
    sys.stdout.write("\\n".join(sorted(set(sys.modules) - before)))
    sys.stdout.flush()
    os._exit(42)
os.execve = execve
from safepip.cli import main
sys.exit(main(sys.argv[1:], "safepip"))
"""
HOOK_MODULES = {
    "__future__",
    "atexit",
    "gc",
    "safepip",
    "safepip.cli",
    "safepip.core",
    "safepip.core.record",
    "safepip.core.world",
    "safepip.errors",
    "safepip.report",
    "safepip.shells",
    "safepip.shells.activation",
    "safepip.shells.hook",
    "safepip.shells.quoting",
    "safepip.system",
    "safepip.system.directories",
    "safepip.system.environment",
    "safepip.system.files",
    "safepip.system.interpreter",
    "safepip.system.process",
    "safepip.system.project",
    "safepip.system.registry",
}
HOT_MODULES = {
    "__future__",
    "atexit",
    "gc",
    "safepip",
    "safepip.actions",
    "safepip.actions.execute",
    "safepip.cli",
    "safepip.core",
    "safepip.core.decide",
    "safepip.core.handover",
    "safepip.core.invocation",
    "safepip.core.pip_line",
    "safepip.core.pip_options",
    "safepip.core.plan",
    "safepip.core.record",
    "safepip.core.requirement",
    "safepip.core.settings",
    "safepip.core.world",
    "safepip.errors",
    "safepip.report",
    "safepip.system",
    "safepip.system.directories",
    "safepip.system.environment",
    "safepip.system.files",
    "safepip.system.interpreter",
    "safepip.system.keeper",
    "safepip.system.observe",
    "safepip.system.pip_config",
    "safepip.system.process",
    "safepip.system.project",
    "safepip.system.registry",
    "safepip.system.settings_files",
    "safepip.system.stages",
}
CHANGE_MODULES = {
    "safepip.envs",
    "safepip.envs.health",
    "safepip.envs.journal",
    "safepip.envs.lock",
    "safepip.envs.requirements",
    "safepip.envs.noop_cache",
    "_blake2",
    "fcntl",
    "time",
}
NEVER = {
    "re", "json", "argparse", "typing", "tomllib", "tomli", "configparser", "pathlib", "subprocess", "filelock",
    "virtualenv", "enum", "functools", "dataclasses", "logging", "importlib.metadata", "platformdirs", "contextlib",
    "collections", "hashlib", "shutil", "tempfile", "pip",
}  # fmt: skip


@pytest.fixture
def loaded(base_python, home, monkeypatch):
    """Return the modules that a line loads on its way to pip, beyond those of a bare interpreter."""
    programs = os.path.join(home, "bin")
    os.mkdir(programs)
    os.symlink(base_python, os.path.join(programs, "python3"))
    monkeypatch.setenv("PATH", programs)

    def loaded(line, managed):
        monkeypatch.setenv("SAFEPIP_MANAGED" if managed else "SAFEPIP_UNMANAGED", base_python)
        for _ in "12":  # the first time the interpreter is asked, by a subprocess
            with contextlib.suppress(OSError):  # a change that seems killed would be healed
                os.unlink(".venv/.safepip/journal")
            environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
            argv = [sys.executable, "-I", "-c", HOT, TREE, *line.split()]
            done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)
            assert (done.returncode, done.stderr) == (42, "")
        return set(done.stdout.split())

    return loaded


@pytest.mark.skipif(sys.platform == "win32", reason="there pip is waited for")
@pytest.mark.parametrize(
    ("line", "managed", "extra"),
    [
        pytest.param("list", True, set(), id="list in an environment that exists"),
        pytest.param("list", False, set(), id="list on an interpreter that is not managed"),
        pytest.param("install x", False, set(), id="install on an interpreter that is not managed"),
        pytest.param("install x", True, CHANGE_MODULES, id="install in an environment that exists"),
    ],
)
def test_the_way_to_pip_loads_exactly(loaded, environment, home, line, managed, extra):
    registry.note(os.path.join(home, ".local/state/safepip"), environment, registry.MADE)
    found = loaded(line, managed)
    assert found & NEVER == set()
    assert found - {"time"} == (HOT_MODULES | extra) - {"time"}  # which some Pythons have loaded


@pytest.mark.parametrize("shell", ["bash", "fish", "nushell"])
def test_what_a_shell_waits_for_loads_exactly(base_python, home, shell):
    code = HOT.replace(
        "import os\n",
        "import os, sys\nat_end = lambda: sys.stderr.write(chr(10).join(set(sys.modules) - before))\n",
    )
    code = code.replace("sys.exit(main(", "main(").rstrip()[:-1] + "\nat_end()\n"
    argv = [sys.executable, "-I", "-c", code, TREE, "hook", shell, "1", ""]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environ)
    assert set(done.stderr.split()) - {"_signal"} == HOOK_MODULES


@pytest.mark.skipif(sys.platform == "win32", reason="there pip is waited for")
def test_what_was_adopted_costs_no_more_than_a_look_at_gits_index(loaded, finished, work):
    """Adopted at the first of the two calls; the second need not look at it again."""
    os.symlink(finished, os.path.join(work, ".venv"))
    found = loaded("list", True)
    assert "safepip.envs.git" in found
    assert "safepip.envs.trust" not in found
    assert found & NEVER == set()


# -- options and words

OWN_OPTIONS = (*FLAGS, *VALUED)
TABLE = {name for spec in pip_options.SPECS for name in spec[0]}


def pips_own():
    """Return the options of all of the installed pip's parsers, and its subcommands."""
    commands = importlib.import_module("pip._internal.commands")
    main_parser = importlib.import_module("pip._internal.cli.main_parser")
    parsers = [main_parser.create_main_parser()]
    parsers += [commands.create_command(name).parser for name in commands.commands_dict]
    options = {name for parser in parsers for name in (*parser._short_opt, *parser._long_opt)}
    for parser in parsers:
        for group in parser.option_groups:
            options |= {name for option in group.option_list for name in (*option._short_opts, *option._long_opts)}
    return options, set(commands.commands_dict)


@pytest.mark.parametrize("own", OWN_OPTIONS)
def test_no_option_is_a_prefix_or_an_abbreviation_of_one_of_pips(own):
    assert sorted(name for name in TABLE if name.startswith(own) or own == name) == []
    options, _ = pips_own()
    assert len(options) > 50
    assert sorted(name for name in options if name.startswith(own)) == []


@pytest.mark.parametrize("own", OWN_OPTIONS)
def test_no_option_of_pips_is_a_prefix_of_an_own_one(own):
    """Else pip's, given a longer name by mistake, would be safepip's."""
    options, _ = pips_own()
    assert sorted(name for name in TABLE | options if name.startswith("--") and own.startswith(name)) == []


@pytest.mark.parametrize("verb", VERBS)
def test_no_word_is_a_subcommand_of_pips(verb):
    assert verb not in pip_options.SUBCOMMANDS
    assert verb not in pips_own()[1]
