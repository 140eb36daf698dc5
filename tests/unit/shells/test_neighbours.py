from __future__ import annotations

import os

import pytest

from safepip.shells.neighbours import neighbours


@pytest.fixture
def found(home):
    """What is found with these programs in directories of PATH, in this order, and these lines in a start-up file."""

    def find(programs=(), lines=()):
        folders = []
        for number, text in enumerate(programs):
            folder = os.path.join(home, f"bin{number}")
            os.makedirs(folder)
            folders.append(folder)
            path = os.path.join(folder, "pip")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o755)
        rc = os.path.join(home, ".bashrc")
        with open(rc, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        environ = {"PATH": os.pathsep.join(folders) or "/nowhere"}
        return [(one.what.replace(home, "~"), one.both_act) for one in neighbours([rc], environ, home, "/shims")]

    return find


@pytest.mark.parametrize(
    "text",
    [
        "#!/usr/bin/python3\nfrom pip._internal.cli.main import main\n",
        "#!/usr/bin/python\n__requires__ = 'pip==9.0.1'\nload_entry_point('pip==9.0.1', 'console_scripts', 'pip')()\n",
        '#!/bin/sh\n# safepip made this\nexec x "$@"\n',
        '#!/usr/bin/env bash\nexec "/home/u/.pyenv/libexec/pyenv" exec pip "$@"\n',
        '#!/usr/bin/env bash\nexec asdf exec "pip" "$@"\n',
        '#! /nix/store/x-bash/bin/bash -e\nexec -a "$0" "/nix/store/y/bin/.pip-wrapped" "$@"\n',
        "#!/usr/bin/env python3\n",
        "\x7fELF",
    ],
)
def test_a_pip_is_not_another_tool(found, text):
    assert found([text]) == []


def test_the_first_wrapper_on_path_is_named(found):
    wrapper = '#!/bin/sh\nexec guard pip "$@"\n'
    assert found([wrapper, "#!/bin/sh\n# safepip made this\n"]) == [
        ("~/bin0/pip comes first for pip, then safepip: both act", True)
    ]


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ('alias pip="scfw run pip"', "an alias of scfw run pip"),
        ("  alias pip3='guard pip3'", "an alias of guard pip3"),
        ("alias pip 'guard pip'", "an alias of guard pip"),
        ('pip() { guard "$@"; }', "a function"),
        ("function pip3", "a function"),
        ("alias pip=pip3", None),
        ("alias pip=/opt/x/safepip", None),
        ("alias pipx=guard", None),
        ("# pip() { guard; }", None),
        ("echo pip", None),
    ],
)
def test_aliases_and_functions(found, line, taken):
    told = found(lines=[line])
    assert [what.partition(" makes pip ")[2].partition(", which")[0] for what, _ in told] == (
        [taken] if taken else []
    )


def test_a_file_that_is_read_counts_where_it_is_read(found, home):
    with open(os.path.join(home, "guard.sh"), "w", encoding="utf-8") as file:
        file.write("x=1\nfunction pip() {\n")
    own = 'eval "$(/opt/safepip init bash)"'
    for line in (". ~/guard.sh", 'source "$HOME/guard.sh"', "[ -f x ] && . ${HOME}/guard.sh"):
        (told,) = found(lines=[line, own])
        assert told[0].startswith(
            "~/.bashrc, line 1, by way of ~/guard.sh makes pip a function; safepip's line behind it"
        )
        ((what, _),) = found(lines=[own, line])
        assert "which comes first" in what
