"""Requirements files and pyproject tables of all shapes, through a save and back: unchanged but for the entry."""

from __future__ import annotations

import itertools

import pytest

from safepip.saving import dependency_array, requirements_file
from safepip.saving.requirements_file import CannotEditError

if dependency_array.sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENTRY = 'new-one~=1.0; python_version > "3.8"'
OTHER = "new_one==2.0"

# -- requirements files: every body with every beginning, line end, last line and encoding that fits

BODIES = {
    "empty": "",
    "one": "flask\n",
    "pins": "flask==3.0.1\nwerkzeug==3.0.1\nzope.interface==6.1\n",
    "comments": "# web\nflask>=2  # the framework\n\n# data\npandas\n#end\n",
    "markers": 'pywin32; sys_platform == "win32"\ntyping-extensions>=4 ; python_version<"3.11"  # old\n',
    "extras": "celery[redis, sqs]>=5\nuvicorn [standard]\n",
    "options": "--index-url https://pypi.example/simple\n-f ./wheels\n--pre\nflask\n",
    "nested": "-r base.txt\n-c constraints.txt\nflask\n--requirement=more.txt\n",
    "urls": "pip @ https://files.example/pip-26.0.zip ; python_version>'3'\ngit+https://host.example/a/b.git@v1#egg=b\n",
    "paths": "./libs/one\n../two.whl\n-e .\n-e ./libs/three[extra]  # here\n--editable=git+ssh://git@host.example/x.git#egg=x\n",
    "continued": "flask \\\n    >=2, \\\n    <4  # both\nother\n",
    "begun": "flask\nother \\\n",
    "comment with a backslash": "flask\n# other \\\nthird\n",
    "indented": "  flask >= 2\n\tother\n   # comment\n",
    "blank lines": "\n\nflask\n\n\n",
    "per requirement": 'flask --config-settings="a=b"\nother --global-option="x" # y\n',
    "variables": "--extra-index-url https://${USER}:${TOKEN}@host.example/simple\nflask\n",
    "accents": "# d\xe9pendances\nflask  # \xe9t\xe9\n",
    "old": "Django (>=4,<5)\nPyYAML>=6,!=6.0.1\n",
}
BEGINNINGS = {"": "", "header": "# requirements\n"}
ENDS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
LASTS = {"ended": True, "open": False}
ENCODINGS = {"utf-8": (b"", "utf-8"), "bom": (b"\xef\xbb\xbf", "utf-8"), "utf-16": (b"\xff\xfe", "utf-16-le")}


def requirement_shapes(body):
    """Yield the content of files with that body, each with its name."""
    for beginning, end, last in itertools.product(BEGINNINGS, ENDS, LASTS):
        text = (BEGINNINGS[beginning] + BODIES[body]).replace("\n", ENDS[end])
        if not LASTS[last]:
            text = text.removesuffix(ENDS[end])
        for encoding, (bom, codec) in ENCODINGS.items():
            yield f"{body}, {beginning}, {end}, {last}, {encoding}", bom + text.encode(codec)
    cookie = f"# -*- coding: latin-1 -*-\n# d\xe9pendances\n{BODIES[body]}"
    yield "latin-1 with a cookie", cookie.encode("latin-1")
    yield "latin-1 without a cookie", f"# d\xe9pendances\n{BODIES[body]}".encode("latin-1")


def test_there_are_more_than_two_hundred_shapes():
    assert sum(len(list(requirement_shapes(body))) for body in BODIES) > 400
    assert sum(len(list(tables(name))) for name in DOCUMENTS) > 200


@pytest.mark.parametrize("body", BODIES)
def test_a_requirements_file_comes_back_byte_for_byte(body):
    for name, content in requirement_shapes(body):
        before = requirements_file.read(content)
        saved = before.add(ENTRY)
        assert sorted(saved.entries) == sorted([*before.entries, ENTRY]), name
        assert requirements_file.read(saved.content) == saved, name
        at = saved.entries.index(ENTRY)
        assert saved.remove(at).content == content, name
        changed = saved.put(at, OTHER)
        assert changed.entries == (*saved.entries[:at], OTHER, *saved.entries[at + 1 :]), name
        assert changed.put(at, ENTRY).remove(at).content == content, name


@pytest.mark.parametrize("body", BODIES)
def test_each_entry_is_replaced_or_removed_and_the_others_stay(body):
    for name, content in requirement_shapes(body):
        before = requirements_file.read(content)
        for at in range(len(before.entries)):
            others = (*before.entries[:at], *before.entries[at + 1 :])
            assert before.remove(at).entries == others, name
            changed = before.put(at, OTHER)
            assert changed.entries == (*before.entries[:at], OTHER, *before.entries[at + 1 :]), name
            comments = [line.partition("#")[2] for line in before.lines if "#" in line and "#egg" not in line]
            assert all(comment.strip() in "".join(changed.lines) for comment in comments), name


# -- pyproject tables: every array in every document

ARRAYS = {
    "empty": "[]",
    "empty with a blank": "[ ]",
    "empty over lines": "[\n]",
    "empty with a comment": "[\n  # none yet\n]",
    "one line": '["flask", "celery[redis]>=5"]',
    "one line with blanks": "[ 'flask' ]",
    "one line, comma last": '["flask", "pandas",]',
    "lines": '[\n  "flask",\n  "pandas",\n]',
    "lines, no comma last": '[\n    "flask",\n    "pandas"\n]',
    "lines with comments": '[\n\t"flask",  # web, "quoted"\n\t# data\n\t"pandas",  # data\n\t# end\n]',
    "no comma before a comment": '[\n  "flask", # a\n  "pandas" # b\n]',
    "first beside the bracket": '["flask",\n "pandas"]',
    "commas first": '[\n    "flask"\n  , "pandas"\n]',
    "several a line": '[\n  "a", "b",\n  "c", "d",\n]',
    "markers": """[\n  'pywin32; sys_platform == "win32"',\n  "tomli; python_version < '3.11'",\n]""",
    "brackets in strings": '["a[b]>=1", "c; extra == \\"d\\""]',
    "urls": '[\n  "pip @ https://files.example/pip.zip#sha256=00",\n]',
    "many lines": '["""flask""", "pandas"]',
}
DOCUMENTS = {
    "plain": ("project", "dependencies", '[project]\nname = "me"\ndependencies = {}\n'),
    "no line end": ("project", "dependencies", "[project]\ndependencies = {}"),
    "dynamic version": (
        "project",
        "dependencies",
        '# build\n[project]\nname="me"\ndependencies={}\ndynamic = ["version"]\n\n[project.scripts]\nme = "me:main"\n',
    ),
    "strange header": (
        "project",
        "dependencies",
        '[ "project" ] # [project]\n"dependencies"   = {} # end\n\n[tool.x]\n',
    ),
    "dotted": ("project", "dependencies", 'project.name = "me"\nproject.dependencies = {}\n'),
    "a text like it": (
        "project",
        "dependencies",
        'about = """\n[project]\ndependencies = ["no"]\n"""\n[project]\ndescription = "dependencies = []"\ndependencies = {}\n',
    ),
    "a group": (
        "dependency-groups",
        "dev",
        '[project]\nname = "me"\n\n[dependency-groups]\ntest = ["pytest"]\ndev = {}\nall = [{include-group = "dev"}]\n',
    ),
    "a group spelled otherwise": ("dependency-groups", "my-dev", "[dependency-groups]\nMy_Dev = {}\n"),
}


def tables(name):
    """Yield the documents of that name, with each array: what it is, its content, and where the array is."""
    table, key, text = DOCUMENTS[name]
    for shape, end in itertools.product(ARRAYS, ("\n", "\r\n")):
        document = text.replace("{}", ARRAYS[shape], 1).replace("\n", end)
        yield f"{name}, {shape}, {len(end)}", document.encode(), table, key


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_pyproject_comes_back_byte_for_byte(name):
    for shape, content, table, key in tables(name):
        before = dependency_array.read(content, table, key)
        saved = before.add(ENTRY)
        assert saved.entries == (*before.entries, ENTRY), shape
        assert dependency_array.read(saved.content, table, key) == saved, shape
        assert saved.remove(len(before.entries)).content == content, shape
        changed = saved.put(len(before.entries), OTHER)
        assert changed.entries == (*before.entries, OTHER), shape


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_element_is_removed_or_left_and_nothing_else_changes(name):
    """Where a comment would go with it, the change is refused."""
    for shape, content, table, key in tables(name):
        before = dependency_array.read(content, table, key)
        whole = tomllib.loads(before.text)
        for at in range(len(before.entries)):
            try:
                after = before.remove(at)
            except CannotEditError:
                assert b"#" in content, shape
                continue
            array = whole[table][before.keys[-1]]
            wanted = {**whole, table: {**whole[table], before.keys[-1]: array[:at] + array[at + 1 :]}}
            assert tomllib.loads(after.text) == wanted, shape


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('[project]\nname = "me"\n', '[project]\nname = "me"\ndependencies = ["one"]\n'),
        ('[project]\nname = "me"\n\n[tool.x]\n', '[project]\nname = "me"\ndependencies = ["one"]\n\n[tool.x]\n'),
        ("[project]\r\n", '[project]\r\ndependencies = ["one"]\r\n'),
        ("[project]", '[project]\ndependencies = ["one"]\n'),
    ],
)
def test_a_missing_array_goes_to_the_end_of_its_table(text, wanted):
    assert dependency_array.read(text.encode(), "project", "dependencies").add("one").text == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", '[dependency-groups]\ndev = ["one"]\n'),
        ('[project]\nname = "me"', '[project]\nname = "me"\n\n[dependency-groups]\ndev = ["one"]\n'),
        ("[dependency-groups]\na = []\n\n[x]\n", '[dependency-groups]\na = []\ndev = ["one"]\n\n[x]\n'),
    ],
)
def test_a_missing_group_is_made(text, wanted):
    assert dependency_array.read(text.encode(), "dependency-groups", "dev").add("one").text == wanted


@pytest.mark.parametrize(
    "text",
    [
        'project = {name = "me", dependencies = ["a"]}\n',
        '[project]\nname = "me"\ndynamic = ["dependencies"]\n',
        "[project\n",
        "project = 3\n",
        '[project]\ndependencies = "flask"\n',
        "[project]\nx" + ".x" * 2000 + " = 1\n",
        "\ufeff[project]\n",
        "[[project]]\na = 1\n",
    ],
    ids=lambda text: text[:30],
)
def test_a_pyproject_of_another_kind_is_not_edited(text):
    with pytest.raises(CannotEditError):
        dependency_array.read(text.encode(), "project", "dependencies").add("one")


@pytest.mark.parametrize(
    "content",
    [
        b"from setuptools import setup\nsetup(name='me')\n",
        b'{"default": {}}\n',
        b"name: ci\non: push\n",
        b"# -*- coding: nonsense -*-\nflask\n",
        b"\xff\xfef\x00\x00",
        b"\x00\x01\x02",
    ],
)
def test_a_file_of_another_kind_is_not_edited(content):
    with pytest.raises(CannotEditError):
        requirements_file.read(content)


def test_an_entry_that_the_encoding_lacks_is_refused():
    content = b"# -*- coding: ascii -*-\nflask\n"
    with pytest.raises(CannotEditError, match="ascii"):
        requirements_file.read(content).add("-e /home/jos\xe9/lib").content  # noqa: B018


@pytest.mark.parametrize(
    ("text", "is_generated"),
    [
        ("flask\n", False),
        ("# generated by hand, not by a program\nflask\n", False),
        ("#\n# This file is autogenerated by pip-compile with Python 3.12\nflask==3.0\n", True),
        ("# This file was autogenerated by uv via the following command:\nflask==3.0\n", True),
        ("flask==3.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n", True),
        ("--require-hashes\nflask==3.0\n", True),
    ],
)
def test_a_file_that_a_program_writes_is_told(text, is_generated):
    assert requirements_file.read(text.encode()).is_generated is is_generated
