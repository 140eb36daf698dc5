from __future__ import annotations

import pytest

from safepip.core.pip_line import ConfigFile, read
from safepip.system.policy import rules

FILE = ConfigFile(
    path="/etc/pip.conf",
    kind="global",
    sections={
        "global": {"index-url": "https://mirror/simple", "no-index": "no"},
        "install": {"only-binary": ":all:"},
    },
)
USERS = ConfigFile(path="/home/u/pip.conf", kind="user", sections={"global": {"proxy": "u:p@proxy:3128"}})


def found(*words, files=(), **variables):
    command = read(words, variables, files)
    return [(rule.option, rule.value, rule.origin) for rule in rules(command, variables, files)]


def test_a_variable_beats_a_file_and_the_line_beats_both():
    from_file = ("only-binary", ":all:", "/etc/pip.conf")
    assert found("install", "x", files=[FILE]) == [
        ("index-url", "https://mirror/simple", "/etc/pip.conf"),
        from_file,
    ]
    by_variable = found("install", "x", files=[FILE], PIP_INDEX_URL="https://other")
    assert by_variable == [("index-url", "https://other", "PIP_INDEX_URL"), from_file]
    by_line = found("install", "x", "-i", "https://line", files=[FILE], PIP_INDEX_URL="https://other")
    assert by_line == [("index-url", "https://line", "the command line"), from_file]


def test_what_pip_adds_up_is_named_with_each_origin():
    assert found("install", "x", "--find-links", "here", "--find-links=there", PIP_FIND_LINKS="/wheels") == [
        ("find-links", "/wheels", "PIP_FIND_LINKS"),
        ("find-links", "here", "the command line"),
        ("find-links", "there", "the command line"),
    ]


def test_another_section_of_a_file_does_not_count():
    assert found("download", "x", files=[FILE]) == [("index-url", "https://mirror/simple", "/etc/pip.conf")]


def test_other_names_of_an_option_are_the_same():
    assert found("install", "x", PIP_PYPI_URL="https://old") == [("index-url", "https://old", "PIP_PYPI_URL")]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PIP_REQUIRE_HASHES": "1"}, [("require-hashes", "true", "PIP_REQUIRE_HASHES")]),
        ({"PIP_REQUIRE_HASHES": "off"}, []),
        ({"PIP_UPLOADED_PRIOR_TO": "P3D"}, [("uploaded-prior-to", "P3D", "PIP_UPLOADED_PRIOR_TO")]),
        ({"HTTPS_PROXY": "http://u:p@h:1"}, [("proxy", "http://h:1", "HTTPS_PROXY")]),
        ({"HTTPS_PROXY": "http://h:1", "PIP_PROXY": "u:p@i:2"}, [("proxy", "i:2", "PIP_PROXY")]),
        ({"HTTPS_PROXY": "http://h:1", "PIP_NO_PROXY_ENV": "1"}, []),
        ({"PIP_INDEX_URL": "https://u:p@h/simple"}, [("index-url", "https://h/simple", "PIP_INDEX_URL")]),
        ({"PIP_QUIET": "1", "PIP_TARGET": "/x"}, []),
    ],
)
def test_flags_proxies_and_secrets(variables, expected):
    assert found("install", "x", **variables) == expected


def test_isolated_leaves_out_variables_and_the_users_file():
    told = found("--isolated", "install", "x", files=[FILE, USERS], PIP_INDEX_URL="https://other")
    assert ("proxy", "proxy:3128", "/home/u/pip.conf") not in told
    assert ("index-url", "https://mirror/simple", "/etc/pip.conf") in told
    assert ("proxy", "proxy:3128", "/home/u/pip.conf") in found("install", "x", files=[FILE, USERS])
