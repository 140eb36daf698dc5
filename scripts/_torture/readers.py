"""What reads files, lines and answers that may be damaged or made up, each with valid input to begin with."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from safepip.core.app_routing import wanted
from safepip.core.invocation import read_invocation
from safepip.core.pip_line import opts_out, read
from safepip.core.settings import merge
from safepip.core.world import Interpreter
from safepip.envs import exchange, history, image, journal, packages, recover
from safepip.envs.git import index_identity, tracks
from safepip.envs.inventory import made_with
from safepip.envs.trust import filesystem, objection
from safepip.errors import SafepipError
from safepip.report import printable, without_credentials
from safepip.system import registry
from safepip.system.environment import examine
from safepip.system.interpreter import behind_shim, interview
from safepip.system.keeper import keeper as keeper_of
from safepip.system.pip_config import find as find_pip_files
from safepip.system.project import find, may_be_root
from safepip.system.project_tools import tools
from safepip.system.settings_files import tables
from safepip.verbs import history as verb

if TYPE_CHECKING:
    from collections.abc import Callable


class Reader(NamedTuple):
    """What reads: `prepare` furnishes a folder and returns valid inputs, `read` has one read there.

    `read` raises AssertionError where what came of it is wrong, and lets no error pass that is declared.
    """

    prepare: Callable[[str], tuple[bytes, ...]]
    read: Callable[[str, bytes], object]


def _lines(_folder: str) -> tuple[bytes, ...]:
    return (
        b"install\nflask",
        b"install\n--targ\nx\n-qUr\nreq.txt\n--\n-e\nPIP_USER=1",
        b"--python\n.venv\nlist\n--format=json\nPIP_QUIET=2",
        b"--env\nDIR\ninstall\n--pre\nx\n--index-url\nhttps://u:p@h/simple",
        b"uninstall\n-y\nx\nPIP_REQUIRE_VIRTUALENV=maybe\nPIP_TARGET=",
        b"explain\ninstall\n--prefix=/x\n--root\n\nSAFEPIP_ENV=x",
        b"-V\n--isolated\n--app\nfreeze\n--user\n-l",
    )


def _read_line(_folder: str, data: bytes) -> None:
    words = os.fsdecode(data).split("\n")
    variables = dict(word.split("=", 1) for word in words if word.startswith("PIP_") and "=" in word)
    plain = [word for word in words if not word.startswith("PIP_")]
    found = read(plain, variables)
    assert found.argv == tuple(plain)
    for program in ("safepip", "pip", "pip3.12"):
        with contextlib.suppress(SafepipError):
            read_invocation(program, plain)


def _settings(folder: str) -> tuple[bytes, ...]:
    os.makedirs(os.path.join(folder, "safepip"), exist_ok=True)
    own = (
        b'scope = "always"\npython = "3.12"\nlock-timeout = 1.5\napps = ["black", "ruff"]\ntrust = ["/a", "~/b"]\n'
    )
    return (
        own,
        b'[project]\nname = "x"\ndependencies = ["safepip>=1"]\n\n[tool.safepip]\nenv-dir = ".envs/dev"\n' + own,
        b'tool."safepip".quiet = true\ntool.safepip.hints = false # x\n',
        b'[tool]\nsafepip = { fast = false, "env-dir" = "central" }\n',
    )


def _read_settings(folder: str, data: bytes) -> None:
    for name in ("safepip/config.toml", "pyproject.toml"):
        _put(folder, name, data)
    found = tables({"XDG_CONFIG_HOME": folder}, folder, folder, platform="linux", system="/nowhere")
    variables = {"SAFEPIP_" + word: os.fsdecode(data[:50]) for word in ("PYTHON", "LOCK_TIMEOUT", "TRUST", "APPS")}
    settings = merge(variables, found, folder)
    project = merge({}, [table for table in found if table.level == "project"], folder)
    assert (project.trust, project.managed, project.scope in {"managed", "always"}) == ((), (), True)
    assert not os.path.isabs(project.env_dir)
    assert ".." not in project.env_dir.split("/")
    assert project.python is None or "/" not in project.python
    assert all(printable(str(fault)).isprintable() for fault in settings.warnings)


def _environment(folder: str) -> tuple[bytes, ...]:
    """Furnish an environment by hand; the Python that it stands on is this one."""
    place = os.path.join(folder, ".venv")
    for name in ("bin", "lib/python3.11/site-packages/x-1.dist-info", ".safepip"):
        os.makedirs(os.path.join(place, name), exist_ok=True)
    python = os.path.join(place, "bin", "python")
    if not os.path.lexists(python):
        os.symlink(os.path.realpath(sys.executable), python)
    made = f"{sys.executable} -m venv {place}"
    text = f"home = /usr/bin\nversion = 3.11.2\ninclude-system-site-packages = false\ncommand = {made}\n"
    return (
        text.encode(),
        text.encode() + b"safepip-creation = abc\n",
        b"home=/usr/bin\nversion_info=3.11.2.final.0\n",
    )


def _base() -> Any:
    python = os.path.realpath(sys.executable)
    site = "lib/python3.11/site-packages"
    return Interpreter(
        path=python,
        real=python,
        version=(3, 11, 2),
        prefix="/usr",
        base_prefix="/usr",
        stdlib="/usr/lib/python3.11",
        site=site,
    )


def _read_pyvenv_cfg(folder: str, data: bytes) -> None:
    _put(folder, ".venv/pyvenv.cfg", data)
    place = os.path.join(folder, ".venv")
    found = examine(place, lambda _path: _base(), lambda *_: None)
    assert found.state in {"usable", "broken"}
    assert not found.python or found.python.startswith(place)
    made_with(place)
    objection(place, sys.executable, frozenset({os.geteuid(), 0}), "/usr/bin")


def _redirects(folder: str) -> tuple[bytes, ...]:
    _environment(os.path.join(folder, "inner"))
    _put(folder, "inner/.venv/pyvenv.cfg", b"home = /usr/bin\nversion = 3.11\n")
    return (
        b"inner/.venv\n",
        b" ./inner/.venv \r\nmore",
        b"project-abc\n",
        os.path.join(folder, "inner/.venv").encode(),
    )


def _read_redirect(folder: str, data: bytes) -> None:
    _put(folder, ".venv", data)
    owners = frozenset({os.geteuid(), 0})
    find(folder, None, owners)
    refused = examine(os.path.join(folder, ".venv"), lambda _path: _base(), lambda *_: "refused")
    assert refused.state in {"absent", "broken", "unfinished", "untrusted"}


def _marks(folder: str) -> tuple[bytes, ...]:
    _environment(folder)
    _put(folder, ".venv/pyvenv.cfg", b"home = /usr/bin\nsafepip-creation = 0123456789abcdef\n")
    return (b"0123456789abcdef",)


def _read_mark(folder: str, data: bytes) -> None:
    """Read the mark of an unfinished environment: only another token than that in pyvenv.cfg ends it."""
    _put(folder, ".venv/.safepip/creating", data)
    found = examine(os.path.join(folder, ".venv"), lambda _path: _base(), lambda *_: None)
    assert found.state in {"unfinished", "usable"}
    assert found.state == "unfinished" or data != b"0123456789abcdef"


def _records(folder: str) -> tuple[bytes, ...]:
    place, state = os.path.join(folder, "env"), os.path.join(folder, "state")
    os.makedirs(place, exist_ok=True)
    registry.note(state, place, registry.MADE, project=folder)
    return (_record_file(folder)[1],)


def _record_file(folder: str) -> tuple[str, bytes]:
    (name,) = os.listdir(os.path.join(folder, "state", "environments"))
    path = os.path.join("state", "environments", name)
    with open(os.path.join(folder, path), "rb") as file:
        return path, file.read()


def _read_record(folder: str, data: bytes) -> None:
    place, state = os.path.join(folder, "env"), os.path.join(folder, "state")
    other = os.path.join(folder, "other")
    os.makedirs(other, exist_ok=True)
    path, _ = _record_file(folder)
    _put(folder, path, data)
    device, inode = (int(part, 16) for part in os.path.basename(path).split("-"))
    for found in (registry.registration(state, place), registry.moved_from(state, place)):
        assert found is None or isinstance(found, registry.Registration | registry.Entry)
    assert registry.registration(state, other) is None
    registry.entry_of(state, device, inode)
    for entry in registry.entries(state):
        registry.size_of(entry, "1")
        assert not entry.is_at(other)


def _facts(folder: str) -> tuple[bytes, ...]:
    _read_facts(folder, b"")
    (name,) = os.listdir(os.path.join(folder, "interpreters"))
    with open(os.path.join(folder, "interpreters", name), "rb") as file:
        return (file.read(),)


def _read_facts(folder: str, data: bytes) -> None:
    """Read what is kept of an interpreter: damaged, it is asked again, and the answer is the true one."""
    answer = b"\0".join((b"/usr/bin/x", b"3.11.2", b"/usr", b"/usr", b"/usr/lib/python3.11", b"lib/x", b"cpython"))
    os.makedirs(os.path.join(folder, "interpreters"), exist_ok=True)
    for name in os.listdir(os.path.join(folder, "interpreters")):
        _put(folder, os.path.join("interpreters", name), data)
    found = interview(sys.executable, {}, folder, ask=lambda *_: (0, answer))
    assert isinstance(found, Interpreter)
    assert (found.stdlib, found.site, found.version) == ("/usr/lib/python3.11", "lib/x", (3, 11, 2)), found


def _answers(_folder: str) -> tuple[bytes, ...]:
    return (
        b"\0".join((b"/usr/bin/x", b"3.11.2", b"/usr", b"/usr", b"/usr/lib/python3.11", b"lib/x", b"cpython")),
    )


def _read_answer(_folder: str, data: bytes) -> None:
    """Read what a program called python answers, and a version manager's shim."""
    interview(sys.executable, {}, None, ask=lambda *_: (0, data))
    with contextlib.suppress(SafepipError):
        behind_shim(sys.executable, {}, ask=lambda *_: (0, data))


def _journals(folder: str) -> tuple[bytes, ...]:
    _environment(folder)
    _put(folder, ".venv/pyvenv.cfg", b"home = /usr/bin\nversion = 3.11\n")
    _put(folder, ".venv/lib/python3.11/site-packages/x-1.dist-info/RECORD", b"x.py,sha256=a,1\n../../../bin/x,,\n")
    place = os.path.join(folder, ".venv")
    assert journal.begin(place, ["install", "x", "--proxy", "u:p@h"], "/")
    with open(os.path.join(place, ".safepip", "journal"), "rb") as file:
        own = file.read()
    origin = b'{"url":%20"file:///x",%20"dir_info":%20{"editable":%20true}}'
    row = b"d\tlib/python3.11/site-packages/y-2.dist-info\t12345\t1\t" + origin
    return own, own + b"\n" + row, b"safepip-journal-2\t1\t1\t1\th\t\tinstall evil\t/\t\n" + row + b"\n."


def _read_journal(folder: str, data: bytes) -> None:
    place = os.path.join(folder, ".venv")
    for name in (journal.JOURNAL, journal.DISTRIBUTIONS):
        _put(place, name, data)
    found = examine(place, lambda _path: _base(), lambda *_: None)
    pending = journal.pending(place)
    journal.is_left(place, locked=False)
    assert pending is not None
    history.installed(pending.rows)
    journal.differing(journal.distributions(place), journal.snapshot(place, journal.distributions(place)))
    left = recover.Recovery(found, pending, None)
    paths = [os.path.join(place, row.path) for kept in left.before.values() for row in kept]
    paths += [os.path.join(place, name) for name in left.asides.listed]
    assert all(os.path.normpath(path).startswith(place) for path in paths), paths
    for name, kept in left.before.items():
        installed = left._installed(name, os.path.join(place, kept[-1].path))
        packages.requirement(name, installed.state)
    for row in pending.rows:
        packages.requirement("x", history.State(version="1", origin=row))


def _histories(folder: str) -> tuple[bytes, ...]:
    _environment(folder)
    origin = b'{"url":%20"file:///x"}'
    return (
        b"1\t1700000000\tpip\tinstall x\t/home/u\t\tcreated\tx % % % 1.0 1 %\n"
        b"2\t1700000001\tpip\tinstall -e .\t/\ty\t\tx 1.0 1 % 2.0 1 %\ty % % % 1 % " + origin + b"\n"
        b"3\t1700000002\tundo\tundo\t/\t\t1\tx 2.0 1 % 1.0 1 %\n",
    )


def _read_history(folder: str, data: bytes) -> None:
    place = os.path.join(folder, ".venv")
    _put(place, journal.HISTORY, data)
    entries = history.read(place)
    assert int(journal.next_number(place)) > 0
    history.steps(entries)
    for entry in entries:
        assert all(line.isprintable() for line in verb.lines(entry, entries)), verb.lines(entry, entries)
        verb._as_json(entry, entries)
        states = history.states_at(entries, entry.id)
        for name, state in states.items():
            if state is not None:
                packages.requirement(name, state)


def _indexes(folder: str) -> tuple[bytes, ...]:
    os.makedirs(os.path.join(folder, ".git"), exist_ok=True)
    names = (b".venv/bin/python", b"README", b"src/x.py")
    entries = b"".join(_index_entry(name) for name in names)
    head = b"DIRC\0\0\0\x02" + len(names).to_bytes(4, "big")
    return head + entries, head + entries + b"TREE\0\0\0\x04abcd", head + entries + b"link\0\0\0\x14" + b"a" * 20


def _index_entry(name: bytes) -> bytes:
    entry = b"\1" * 60 + len(name).to_bytes(2, "big") + name
    return entry + b"\0" * (8 - len(entry) % 8)


def _read_index(folder: str, data: bytes) -> None:
    place = os.path.join(folder, ".venv")
    for content in (data, data + hashlib.sha1(data, usedforsecurity=False).digest()):
        _put(folder, ".git/index", content)
        tracks(folder, place)
        index_identity(folder)


def _pip_confs(_folder: str) -> tuple[bytes, ...]:
    return (
        b"[global]\nuser = true\nindex-url = https://u:p@h/simple\n\n[install]\ntarget: /x\n # c\n  more\n",
        b"[DEFAULT]\npython = /x\n[list]\nuser=1\n",
    )


def _read_pip_conf(folder: str, data: bytes) -> None:
    _put(folder, "pip.conf", data)
    environ = {"PIP_CONFIG_FILE": os.path.join(folder, "pip.conf")}
    for strict in (False, True):
        files = find_pip_files(environ, folder, site_prefix=None, strict=strict)
        read(["install", "x"], {}, files)
        opts_out({}, files)


_KEPT = (
    ("pyproject.toml", b'[project]\nname = "x"\n[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\n'),
    ("pyproject.toml", b'[tool.hatch.envs.default]\ntemplate = "a"\n[tool.hatch.envs.a]\npath = ".venv"\n'),
    ("poetry.toml", b'[virtualenvs]\nin-project = false\npath = "{cache-dir}/x"\n'),
    ("hatch.toml", b'[envs.default]\ntype = "virtual"\ntemplate = "b"\n[envs.b]\n'),
    ("Pipfile", b"[pipenv]\nvenv_in_project = true\n"),
    ("pdm.toml", b"[python]\nuse_venv = true\n"),
    (".pdm-python", b"/usr/bin/python3\n"),
    ("envs.toml", b'[x]\nminor = "3.11"\npatch = "3.11.2"\n'),
)


def _kept(_folder: str) -> tuple[bytes, ...]:
    return tuple(bytes((number,)) + content for number, (_, content) in enumerate(_KEPT))


def _read_kept(folder: str, data: bytes) -> None:
    """Read what other tools keep of a project; the first byte chooses the file."""
    name = _KEPT[data[0] % len(_KEPT)][0] if data else "pyproject.toml"
    _put(folder, name, data[1:])
    environ = {"POETRY_VIRTUALENVS_PATH": folder} if name == "envs.toml" else {"POETRY_CONFIG_DIR": folder}
    keeper_of(folder)
    for keeper in ("uv", "poetry", "pdm", "pipenv", "hatch", "pixi"):
        tools.environment(folder, keeper, environ, folder, None, ask=lambda *_: (0, data[1:]))
    os.unlink(os.path.join(folder, name))


def _images(folder: str) -> tuple[bytes, ...]:
    _put(folder, "site/pip/__init__.py", b"")
    image.seal(folder)
    with open(os.path.join(folder, "manifest"), "rb") as file:
        return (file.read(),)


def _read_image(folder: str, data: bytes) -> None:
    _put(folder, "manifest", data)
    image.is_whole(folder)


def _repairs(folder: str) -> tuple[bytes, ...]:
    fields = (
        "safepip-repair-1",
        f"{folder}/.venv",
        f"{folder}/.venv.old",
        "1",
        "2",
        "abc",
        "made",
        "",
        "exchanging",
    )
    return ("\0".join(fields).encode(),)


def _read_repair(folder: str, data: bytes) -> None:
    context: Any = SimpleNamespace(state=os.path.join(folder, "state"))
    place = os.path.join(folder, ".venv")
    kept = exchange._file(place, context)
    assert kept is not None
    _put(folder, os.path.relpath(kept, folder), data)
    under = exchange.noted(place, context)
    assert under is None or (under.path == place and os.path.dirname(under.aside) == folder), under


def _user_dirs(_folder: str) -> tuple[bytes, ...]:
    return (b'# c\nXDG_DOWNLOAD_DIR="$HOME/Downloads"\nXDG_DESKTOP_DIR="/x"\n',)


def _read_user_dirs(folder: str, data: bytes) -> None:
    _put(folder, "user-dirs.dirs", data)
    may_be_root(os.path.join(folder, "x"), folder, {"XDG_CONFIG_HOME": folder}, frozenset({-1, 0}))


def _mounts(_folder: str) -> tuple[bytes, ...]:
    return (b"22 1 0:21 / / rw - ext4 /dev/sda rw\n23 22 0:22 / /mnt\\040x rw shared:1 - 9p none rw\n",)


def _read_mounts(folder: str, data: bytes) -> None:
    _put(folder, "mountinfo", data)
    filesystem(folder, os.path.join(folder, "mountinfo"))


def _requirements(_folder: str) -> tuple[bytes, ...]:
    return (
        b"black[d]==24.1,<25",
        b"httpie",
        b"git+https://u:p@h/x.git@main#egg=x",
        b"--help",
        b"x ; python_version<'3'",
    )


def _read_requirement(_folder: str, data: bytes) -> None:
    text = os.fsdecode(data)
    one = wanted(text)
    assert one is None or (one.name.isascii() and not text.startswith("-"))
    assert printable(text).isprintable()
    without_credentials(text)


READERS = {
    "line": Reader(_lines, _read_line),
    "settings": Reader(_settings, _read_settings),
    "pyvenv.cfg": Reader(_environment, _read_pyvenv_cfg),
    "redirect file": Reader(_redirects, _read_redirect),
    "mark": Reader(_marks, _read_mark),
    "registry": Reader(_records, _read_record),
    "interpreter's facts": Reader(_facts, _read_facts),
    "interpreter's answer": Reader(_answers, _read_answer),
    "journal": Reader(_journals, _read_journal),
    "history": Reader(_histories, _read_history),
    "git's index": Reader(_indexes, _read_index),
    "pip.conf": Reader(_pip_confs, _read_pip_conf),
    "files of other tools": Reader(_kept, _read_kept),
    "image": Reader(_images, _read_image),
    "repair": Reader(_repairs, _read_repair),
    "user-dirs.dirs": Reader(_user_dirs, _read_user_dirs),
    "mountinfo": Reader(_mounts, _read_mounts),
    "requirement": Reader(_requirements, _read_requirement),
}


def _put(folder: str, name: str, data: bytes) -> None:
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
