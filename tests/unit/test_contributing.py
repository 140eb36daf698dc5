"""The page for those who carry on: what it names exists, and old Pythons read what it says."""

from __future__ import annotations

import glob
import os
import re
import subprocess

import pytest
from tree import PACKAGE, TREE

with open(os.path.join(PACKAGE, "help", "contributing.md"), encoding="utf-8") as _file:
    PAGE = _file.read()
QUOTED = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
OLDEST = {
    row[0]: re.findall(r"`([^`]+)`", row[1])
    for row in re.findall(r"^\| ([23]\.\d) \| (.*) \|$", PAGE, re.MULTILINE)
}
FILES = [text for text in QUOTED if re.fullmatch(r"[\w./]+\.(?:py|md|sh|txt|lst)", text) and text.islower()]
DIRECTORIES = [text for text in QUOTED if re.fullmatch(r"\w+/", text)]
# A private name, a constant, a class, or an attribute of one.
NAMES = [
    text for text in QUOTED if re.fullmatch(r"_\w+|[A-Z]{3,}|[A-Z]\w+(?:\.[a-z]\w+)?", text) and text[-3:] != ".md"
]
OUTSIDE = {"repairs/"}  # in safepip's state
PYTHONS = os.path.expanduser("~/.pyenv/versions")  # of the user who runs the tests, whose HOME a fixture hides


def sources():
    """Return the text of all modules, those of scripts and tests included."""
    texts = []
    for root in (PACKAGE, os.path.join(TREE, "scripts"), os.path.join(TREE, "tests")):
        for folder, _, names in os.walk(root):
            for name in names:
                if name.endswith(".py"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        texts.append(file.read())
    return "\n".join(texts)


@pytest.mark.parametrize("path", FILES)
def test_a_file_that_the_page_names_exists(path):
    roots = (TREE, PACKAGE, os.path.join(PACKAGE, "actions"))
    assert any(os.path.isfile(os.path.join(root, path)) for root in roots)


@pytest.mark.parametrize("name", sorted(set(DIRECTORIES) - OUTSIDE))
def test_a_directory_that_the_page_names_exists(name):
    assert os.path.isdir(os.path.join(PACKAGE, name))


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_that_the_page_names_exists(name):
    own_name = name.rpartition(".")[2]
    assert re.search(rf"^\s*(?:def|class) {own_name}\b|^{own_name}\b.* = ", sources(), re.MULTILINE)


@pytest.mark.parametrize("version", OLDEST)
def test_old_pythons_read_what_the_page_says(version):
    pythons = glob.glob(os.path.join(PYTHONS, f"{version}.*", "bin", "python"))
    if not pythons:
        pytest.skip(f"no Python {version} at hand")
    paths = [path for pattern in OLDEST[version] for path in glob.glob(os.path.join(TREE, pattern))]
    assert len(paths) >= len(OLDEST[version])
    code = "import sys\nfor path in sys.argv[1:]: compile(open(path, 'rb').read(), path, 'exec')"
    subprocess.run([pythons[0], "-c", code, *paths], check=True)


def test_the_page_was_read():
    assert list(OLDEST) == ["2.7", "3.6"]
    assert len(FILES) > 15
    assert len(DIRECTORIES) > 8
    assert len(NAMES) > 6
