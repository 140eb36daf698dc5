"""How the code reads: each figure has a ceiling that may only be lowered, so that the code grows plainer.

A test that fails names what was found. Put it plainly; do not raise the ceiling.
"""

from __future__ import annotations

import ast
import functools
import os
import re

import pytest
from tree import PACKAGE, TREE

# Ceilings: lower them to what is found whenever that is less.
CROWDED_FUNCTIONS = 0
BRANCHES_IN_EXPRESSIONS = 6.9  # per 100 lines of code
NESTED_CONDITIONAL_EXPRESSIONS = 0
COMPREHENSIONS_WITH_SEVERAL_CONDITIONS = 1
PRIVATE_NAMES_IN_TESTS = 0
LONGEST_FIRST_LINE = 12  # words of a docstring's first line
PROSE_AREAS = ("safepip", "scripts", "tests", "README.md", "CHANGELOG.md")

MANY_BRANCHES, FEW_LINES = 10, 20
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
STATEMENTS = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case, ast.Assert,
)  # fmt: skip
# "There is no X" is plain; "X is no Y" is not.
WORDS = re.compile(
    r"(?<!\bthere )\bis no\b|\b(?:are none|be it|let be|lest|anew|to be had|cannot be had|whoever)\b",
    re.IGNORECASE,
)
# Marks of no meaning in the tree, references to documents that are not in it, and "Return True if" in other words.
STALE = re.compile(
    r"^(?:PURE|EDGE|COLD|HOT)\s|\bTell whether\b|\b[Ss]ection \d|(?:\b|_)contracts?(?:\b|_)|\b(?:design|house)\.md\b"
)
PRIVATE_USE = re.compile(r"\b(?!self|cls|os|sys)\w+\._[a-z]\w+\(")
PROSE = (".py", ".txt", ".md", ".sh", ".bash", ".zsh", ".fish", ".tcsh", ".nu", ".ps1", ".xsh")


def files(*parts, endings=(".py",)):
    """Return the files below a folder of the tree, by path relative to it, with their text."""
    at = os.path.join(TREE, *parts)
    paths = (
        [at]
        if os.path.isfile(at)
        else [os.path.join(dir_, name) for dir_, _, names in os.walk(at) for name in names]
    )
    wanted = sorted(path for path in paths if path.endswith(endings))
    return {os.path.relpath(path, TREE): read(path) for path in wanted}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@functools.cache
def modules():
    """Return the package's modules, parsed; the generated table of pip's options left out."""
    texts = files("safepip")
    return {path: ast.parse(text) for path, text in texts.items() if not path.endswith("pip_options.py")}


def branches_in_expressions(node):
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return int(isinstance(node, ast.IfExp))


def own_nodes(function):
    """Yield what stands in a function itself; functions and classes inside it are counted by themselves."""
    left = list(ast.iter_child_nodes(function))
    while left:
        node = left.pop()
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            yield node
            left.extend(ast.iter_child_nodes(node))


def branches(function):
    return 1 + sum(isinstance(node, STATEMENTS) + branches_in_expressions(node) for node in own_nodes(function))


def length(function):
    lines = function.end_lineno - function.lineno + 1
    return lines - documentation_lines(function)


def documentation_lines(node):
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return 0
    return first.end_lineno - first.lineno + 1


def code_lines(path, module):
    """Return how many lines of a module are neither blank, nor comments, nor documentation."""
    lines = [line.strip() for line in read(os.path.join(TREE, path)).splitlines()]
    documented = [node for node in ast.walk(module) if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS))]
    documentation = sum(documentation_lines(node) for node in documented if node.body)
    return sum(bool(line) and not line.startswith("#") for line in lines) - documentation


def found_in_modules(*kinds):
    return [
        (path, node) for path, module in modules().items() for node in ast.walk(module) if isinstance(node, kinds)
    ]


def places(found):
    return [f"{path}:{node.lineno}" for path, node in found]


def test_no_more_functions_are_crowded():
    """More than ten branches in twenty lines or fewer: unfold the conditions, name the values between."""
    found = [
        f"{path}:{one.lineno} {one.name}: {branches(one)} branches in {length(one)} lines"
        for path, one in found_in_modules(*FUNCTIONS)
        if branches(one) > MANY_BRANCHES and length(one) <= FEW_LINES
    ]
    assert len(found) <= CROWDED_FUNCTIONS, "\n".join(found)


def test_no_more_branches_stand_in_expressions():
    """`and`, `or`, `x if y else z` and comprehensions, which linters do not count."""
    nodes = [node for module in modules().values() for node in ast.walk(module)]
    lines = sum(code_lines(path, module) for path, module in modules().items())
    assert 100 * sum(map(branches_in_expressions, nodes)) / lines <= BRANCHES_IN_EXPRESSIONS


def test_no_conditional_expression_holds_another():
    found = [(path, one) for path, one in found_in_modules(ast.IfExp) if holds(one, ast.IfExp)]
    assert len(found) <= NESTED_CONDITIONAL_EXPRESSIONS, places(found)


def holds(node, kind):
    return any(isinstance(inner, kind) for inner in ast.walk(node) if inner is not node)


def test_a_comprehension_has_one_condition_at_most():
    kinds = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    found = [(path, one) for path, one in found_in_modules(*kinds) if conditions(one) > 1]
    assert len(found) <= COMPREHENSIONS_WITH_SEVERAL_CONDITIONS, places(found)


def conditions(comprehension):
    """Count the conditions of a comprehension; what `and` and `or` connect counts as two."""
    tests = [test for one in comprehension.generators for test in one.ifs]
    return sum(len(test.values) if isinstance(test, ast.BoolOp) else 1 for test in tests)


@pytest.mark.parametrize("area", ["safepip", "scripts", "tests"])
def test_a_name_or_docstring_is_plain_and_cites_nothing_outside_the_tree(area):
    found = []
    for path, text in files(area).items():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
                continue
            name, documentation = getattr(node, "name", ""), ast.get_docstring(node) or ""
            if STALE.search(name) or STALE.search(documentation):
                found.append(f"{path}:{getattr(node, 'lineno', 1)} {name} {documentation[:80]}")
    assert found == []


def test_first_lines_of_docstrings_are_short():
    """Imperative, at most twelve words, no semicolon; more goes below, or to the line that it explains."""
    found = []
    for path, node in found_in_modules(ast.Module, ast.ClassDef, *FUNCTIONS):
        first, _, _ = (ast.get_docstring(node) or "").partition("\n")
        if len(first.split()) > LONGEST_FIRST_LINE or ";" in first:
            found.append(f"{path}:{getattr(node, 'lineno', 1)} {first}")
    assert found == []


@pytest.mark.parametrize("area", PROSE_AREAS)
def test_no_words_are_used_that_make_prose_hard_to_read(area):
    """Write subject, verb, object: "is not a", "again", "ignored", "so that not"."""
    texts = files(area, endings=PROSE)
    texts.pop(os.path.relpath(__file__, TREE), None)
    found = [
        f"{path}:{number} {line.strip()}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        for _ in WORDS.findall(line)
    ]
    assert found == []


def test_no_more_private_names_are_used_by_tests():
    """Tests that call what other modules call survive the next redesign."""
    found = []
    for path, text in files("tests").items():
        found += [f"{path}: {use}" for use in PRIVATE_USE.findall(text)]
        imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
        own = [node for node in imported if (node.module or "").startswith("safepip")]
        names = [alias.name for node in own for alias in node.names]
        found += [f"{path}: {name}" for name in names if name.startswith("_") and not name.startswith("__")]
    assert len(found) <= PRIVATE_NAMES_IN_TESTS, "\n".join(found)


def test_every_skipped_test_tells_why():
    marks = ("pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.xfail", "pytest.mark.xfail")
    calls = [
        (path, node)
        for path, text in files("tests").items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in marks
    ]
    assert len(calls) > 100
    assert places([call for call in calls if not tells_why(call[1])]) == []


def tells_why(call):
    wanted = "reason"
    given = [keyword.value for keyword in call.keywords if keyword.arg == wanted]
    if ast.unparse(call.func) in ("pytest.skip", "pytest.xfail"):
        given += call.args[:1]
    return any(not isinstance(value, ast.Constant) or bool(value.value) for value in given)


def test_the_package_was_read():
    assert len(modules()) > 50
    assert all(os.path.join(TREE, path).startswith(PACKAGE) for path in modules())
