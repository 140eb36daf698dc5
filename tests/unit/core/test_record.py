from __future__ import annotations

import subprocess
import sys

import pytest
from tree import TREE

from safepip.core.record import Record, replace


class Point(Record):
    """Two numbers, one with a default."""

    x: int
    y: int = 2

    @property
    def sum(self):
        return self.x + self.y


class Named(Point):
    """A point with a name."""

    name: str
    x_label: str = "x"


def test_is_made_by_keyword():
    assert (Point(x=1, y=3).x, Point(x=1, y=3).y) == (1, 3)
    with pytest.raises(TypeError):
        Point(1, 3)


def test_has_its_defaults_where_nothing_is_given():
    assert Point(x=1).y == 2


def test_says_which_field_is_missing():
    with pytest.raises(TypeError, match="Point needs x"):
        Point(y=1)


def test_says_which_field_it_does_not_have():
    with pytest.raises(TypeError, match="Point has no field z"):
        Point(x=1, z=1)


def test_cannot_be_changed():
    point = Point(x=1)
    with pytest.raises(AttributeError, match="Point is frozen: x cannot be set"):
        point.x = 2
    with pytest.raises(AttributeError, match="Point is frozen: x cannot be deleted"):
        del point.x
    assert point.x == 1


def test_takes_no_attribute_that_it_does_not_have():
    with pytest.raises(AttributeError):
        Point(x=1).other = 1
    assert not hasattr(Point(x=1), "__dict__")


def test_is_equal_by_content_and_kind():
    assert Point(x=1) == Point(x=1, y=2)
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != (1, 2)

    class Other(Record):
        x: int
        y: int

    assert Point(x=1) != Other(x=1, y=2)


def test_serves_as_a_key():
    assert {Point(x=1): "here"}[Point(x=1)] == "here"
    assert len({Point(x=1), Point(x=1), Point(x=2)}) == 2


def test_shows_its_content():
    assert repr(Point(x=1)) == "Point(x=1, y=2)"


def test_has_its_properties():
    assert Point(x=1).sum == 3


def test_inherits_fields_and_defaults():
    assert repr(Named(x=1, name="a")) == "Named(x=1, y=2, name='a', x_label='x')"
    assert Named(x=1, name="a").sum == 3


def test_changed_is_a_copy_with_other_values():
    before = Point(x=1, y=5)
    assert replace(before, x=3) == Point(x=3, y=5)
    assert before == Point(x=1, y=5)
    assert type(replace(Named(x=1, name="a"), y=0)) is Named


def test_changed_takes_only_fields():
    with pytest.raises(TypeError, match="Point has no field z"):
        replace(Point(x=1), z=1)


def test_loads_no_module_of_its_own():
    """Being cheap is all that it is for."""
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import safepip.core.record;"
        "print(*sorted(set(sys.modules) - before))"
    )
    root = TREE
    asked = subprocess.run([sys.executable, "-I", "-c", code, root], capture_output=True, text=True, check=True)
    assert asked.stdout.split() == ["__future__", "safepip", "safepip.core", "safepip.core.record"]
