#!/usr/bin/env python3
"""List every line that safepip can print, by module: python3 scripts/messages.py [--write].

A line is a string of the code with two words in it; what is filled in shows as {…}. Documentation and help pages
are left out. `--write` writes tests/data/messages.lst, which a test compares with the code, so that a review sees
each new message. Each says what happened, why, and one command to type.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = os.path.join(ROOT, "safepip")
SNAPSHOT = os.path.join(ROOT, "tests", "data", "messages.lst")
GENERATED = ("core/pip_options.py", "core/applications.py")
WORDS = re.compile(r"[a-z]{2,}[,:;]? [a-z]{2,}")
HOLE = "{…}"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def main(argv: list[str]) -> int:
    """Print the list, or write it; return the exit code."""
    parser = argparse.ArgumentParser(prog="messages.py", description="List every line that safepip can print.")
    parser.add_argument("--write", action="store_true", help="write tests/data/messages.lst")
    text = listing()
    if parser.parse_args(argv).write:
        with open(SNAPSHOT, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)
    return 0


def listing() -> str:
    """Return the list: a heading for each module, its messages below."""
    parts = []
    for module in sorted(modules()):
        with open(os.path.join(PACKAGE, module), encoding="utf-8") as file:
            found = sorted(set(messages(ast.parse(file.read()))))
        if found:
            parts.append("\n".join([module, *(f"  {line}" for line in found), ""]))
    return "\n".join(parts)


def modules() -> Iterator[str]:
    """Yield the modules of the package whose strings are for people."""
    for folder, _, names in os.walk(PACKAGE):
        for name in names:
            module = os.path.relpath(os.path.join(folder, name), PACKAGE).replace(os.sep, "/")
            if name.endswith(".py") and module not in GENERATED:
                yield module


def messages(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a module that have two words next to each other."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        text = text_of(node)
        if text is None:
            left += [child for child in ast.iter_child_nodes(node) if not is_documentation(child)]
        elif WORDS.search(text) and "\nimport " not in f"\n{text}":  # code for another Python
            yield from (line.strip() for line in text.splitlines() if WORDS.search(line))


def text_of(node: ast.AST) -> str | None:
    """Return the text of a string, also of one with values filled in; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or HOLE for part in node.values)
    return None


def is_documentation(node: ast.AST) -> bool:
    """Return True for a statement that is only a string."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
