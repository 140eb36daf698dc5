"""What --save writes for a package, beside the entry that a file has or where it has none."""

from __future__ import annotations

import os

import pytest

from safepip.saving.entry import (
    Asked,
    beside,
    holds,
    is_meant,
    name_of,
    parts_of,
    place_of,
    recorded,
    specifier_for,
)

HERE = {"python_version": "3.12"}


def asked(typed, frozen, style="compatible"):
    name = name_of(typed) or name_of(frozen)
    return Asked(name=name, typed=parts_of(typed), frozen=frozen, style=style, marked=HERE)


@pytest.mark.parametrize(
    ("version", "compatible", "minimum"),
    [
        ("3.1.2", "~=3.1.2", ">=3.1.2"),
        ("26.3", "~=26.3", ">=26.3"),
        ("5", "~=5.0", ">=5"),
        ("1!5", "~=1!5.0", ">=1!5"),
        ("5rc1", ">=5rc1", ">=5rc1"),
        ("2.0rc1", "~=2.0rc1", ">=2.0rc1"),
        ("1.0.post1", "~=1.0.post1", ">=1.0.post1"),
        ("2.7.0+cu118", "~=2.7.0", ">=2.7.0"),
        ("1.0-local-thing-x!", "===1.0-local-thing-x!", "===1.0-local-thing-x!"),
    ],
)
def test_a_version_is_recorded_by_the_setting(version, compatible, minimum):
    assert specifier_for(version, "compatible") == compatible
    assert specifier_for(version, "minimum") == minimum


@pytest.mark.parametrize(
    ("typed", "frozen", "wanted"),
    [
        ("flask", "Flask==3.1.2", "flask~=3.1.2"),
        ("Flask", "Flask==3.1.2", "Flask~=3.1.2"),
        ("celery[redis,sqs]", "celery==5.4.0", "celery[redis,sqs]~=5.4.0"),
        ("flask>=2,<4", "Flask==3.1.2", "flask>=2,<4"),
        ("flask == 3.1.2", "Flask==3.1.2", "flask== 3.1.2"),
        ('flask; python_version>"3"', "Flask==3.1.2", 'flask~=3.1.2; python_version>"3"'),
        ('pywin32; sys_platform=="win32"', "", 'pywin32; sys_platform=="win32"'),
        ("./lib", "-e /home/me/lib", "-e /home/me/lib"),
        ("./lib", "lib @ file:///home/me/lib", "lib @ file:///home/me/lib"),
        ("./dist/lib-1.0-py3-none-any.whl", "lib==1.0", "lib~=1.0"),
        ("lib @ file:///x/lib.zip ; python_version>'3'", "lib @ file:///x/lib.zip", "lib @ file:///x/lib.zip ; python_version>'3'"),
    ],
)  # fmt: skip
def test_a_new_entry_is_what_was_typed_with_the_version_installed(typed, frozen, wanted):
    assert recorded(asked(typed, frozen)) == wanted


@pytest.mark.parametrize(
    ("entry", "typed", "frozen", "wanted"),
    [
        # What still fits stays, however it is written.
        ("flask", "flask", "flask==3.1", "flask"),
        ("Flask >= 2", "flask", "flask==3.1", "Flask >= 2"),
        ("flask~=3.0", "flask", "flask==3.1", "flask~=3.0"),
        ("flask>=3.2.dev0", "flask", "flask==3.2rc1", "flask>=3.2.dev0"),
        ('flask>=2; python_version>"3"', "flask", "flask==3.1", 'flask>=2; python_version>"3"'),
        ("flask>=2", 'flask; python_version>"3"', "flask==3.1", "flask>=2"),
        ("flask<4,>=2", "flask>=2,<4", "flask==3.1", "flask<4,>=2"),
        # What does not fit any more is replaced; spelling, extras and marker stay.
        ("Flask<3", "flask", "flask==3.1", "Flask~=3.1"),
        ("Flask[async]<3", "flask", "flask==3.1", "Flask[async]~=3.1"),
        ('flask<3 ; python_version > "3"', "flask", "flask==3.1", 'flask~=3.1; python_version > "3"'),
        ("flask>=2", "flask==3.1", "flask==3.1", "flask==3.1"),
        # Extras come together, a marker that does not hold here goes.
        ("flask>=2", "flask[async]", "flask==3.1", "flask[async]>=2"),
        ("flask[dotenv]>=2", "flask[async,DotEnv]", "flask==3.1", "flask[dotenv,async]>=2"),
        ('flask>=2; sys_platform=="win32"', "flask", "flask==3.1", "flask>=2"),
        # From elsewhere now, or from the index again.
        ("flask @ https://x.example/flask.zip", "flask", "flask==3.1", "flask~=3.1"),
        ("flask>=2", "./flask", "flask @ file:///x/flask", "flask @ file:///x/flask"),
        ("flask @ file:///x/flask", "flask", "flask @ file:///x/flask", "flask @ file:///x/flask"),
    ],
)
def test_an_entry_changes_only_where_it_does_not_fit(entry, typed, frozen, wanted):
    one = asked(typed, frozen)
    assert is_meant(entry, one, "/x")
    assert beside(entry, one, "/x") == wanted


@pytest.mark.parametrize(
    ("entry", "typed", "frozen", "is_about_it"),
    [
        ("Zope_Interface", "zope.interface", "zope.interface==6", True),
        ("flask-login", "flask", "flask==3", False),
        ("foo==1; python_version<'3'", "foo==2; python_version>='3'", "foo==2", False),
        ("foo==1; python_version  <  '3'", "foo==2; python_version<'3'", "foo==2", True),
        ("-e ./lib", "./lib", "-e /x/lib", True),
        ("-e ./other", "./lib", "-e /x/lib", False),
        ("git+https://h.example/a/b.git@v1#egg=b", "b", "b==1.0", True),
        ("./dist/b-1.0-py3-none-any.whl", "b", "b==1.0", True),
        ("", "b", "b==1.0", False),
    ],
)
def test_entries_are_about_a_package_by_name_marker_or_place(entry, typed, frozen, is_about_it):
    one = asked(typed, frozen)
    one = one if one.name else Asked(name="lib", typed=None, frozen=frozen, style="minimum", marked=HERE)
    assert is_meant(entry, one, "/x") is is_about_it


@pytest.mark.parametrize(
    "marker", ["python_version > 'x.y'", "platform_release >= 'no version'", "extra == 'more'"]
)
def test_a_marker_is_judged_or_taken_to_hold(marker):
    assert isinstance(holds(f"flask; {marker}", HERE), bool)


@pytest.mark.parametrize(
    "text", ["-r other.txt", "./lib", "https://x.example/a.zip", "a.whl", "a b", "a==", "a; nonsense", "", "[x]"]
)
def test_what_does_not_begin_with_a_name_has_no_parts(text):
    assert parts_of(text) is None


def test_places_are_compared_without_what_only_pins_them():
    assert place_of("git+https://h.example/a/b@main#egg=b", "/") == place_of(
        "b @ git+https://h.example/a/b@" + "0" * 40, "/"
    )
    assert place_of("-e lib[extra]", "/x") == place_of("-e file:///x/lib", "/") == os.path.join("/x", "lib")
