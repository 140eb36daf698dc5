"""The page for those who carry on names files and definitions: all of them exist."""

from __future__ import annotations

import os
import re

import pytest
from tree import PACKAGE, TREE

with open(os.path.join(PACKAGE, "help", "contributing.md"), encoding="utf-8") as _file:
    QUOTED = sorted(set(re.findall(r"`([^`\n]+)`", _file.read())))
FILES = [text for text in QUOTED if re.fullmatch(r"[\w./]+\.(?:py|md|sh|txt|lst)", text) and text.islower()]
DIRECTORIES = [text for text in QUOTED if re.fullmatch(r"\w+/", text)]
# A private name, a constant, a class, or an attribute of one.
NAMES = [
    text for text in QUOTED if re.fullmatch(r"_\w+|[A-Z]{3,}|[A-Z]\w+(?:\.[a-z]\w+)?", text) and text[-3:] != ".md"
]
OUTSIDE = {"repairs/"}  # in safepip's state


def sources():
    """Return the text of all modules of the package and of the scripts."""
    texts = []
    for root in (PACKAGE, os.path.join(TREE, "scripts")):
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


def test_the_page_was_read():
    assert len(FILES) > 15
    assert len(DIRECTORIES) > 8
    assert len(NAMES) > 6
