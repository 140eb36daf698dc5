"""Frozen slotted values. To import dataclasses would take 20 ms longer."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from typing_extensions import dataclass_transform

    R = TypeVar("R", bound="Record")
else:

    def dataclass_transform(**_options):
        """Stand in for typing's, which only the type checker needs."""
        return lambda decorated: decorated


@dataclass_transform(frozen_default=True, kw_only_default=True)
class _RecordType(type):
    """Turn annotations of a class body into slots, values into defaults."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _RecordType:
        fields = tuple(body.get("__annotations__", ()))
        defaults = {}
        for field in fields:
            if field in body:
                defaults[field] = body.pop(field)
        body["__slots__"] = fields
        for base in bases[:1]:
            fields = base._fields + fields  # type: ignore[attr-defined]
            defaults = {**base._defaults, **defaults}  # type: ignore[attr-defined]
        body["_fields"], body["_defaults"] = fields, defaults  # on the made class, setting them costs more
        return type.__new__(cls, name, bases, body)


class Record(metaclass=_RecordType):
    """A frozen value with the fields that its subclass annotates.

    It is made by keyword, and equal by content. Subclasses must stand in a module with
    ``from __future__ import annotations``, so that every Python keeps the annotations as text in the class body.
    """

    def __init__(self, **values: object) -> None:
        cls = type(self)
        given = {**cls._defaults, **values}  # type: ignore[attr-defined]
        set_field = object.__setattr__
        try:
            for field in cls._fields:  # type: ignore[attr-defined]
                set_field(self, field, given[field])
        except KeyError as missing:
            raise TypeError(f"{cls.__name__} needs {missing.args[0]}") from None
        if len(given) > len(cls._fields):  # type: ignore[attr-defined]
            unknown = sorted(values.keys() - cls._fields)  # type: ignore[attr-defined]
            raise TypeError(f"{cls.__name__} has no field {unknown[0]}")

    def __setattr__(self, name: str, _value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        fields = type(self)._fields  # type: ignore[attr-defined]
        shown = ", ".join(f"{field}={value!r}" for field, value in zip(fields, self._values(), strict=True))
        return f"{type(self).__name__}({shown})"

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, field) for field in type(self)._fields)  # type: ignore[attr-defined]


def fields_of(record: Record) -> dict[str, Any]:
    """Return the fields of a record by name."""
    return {field: getattr(record, field) for field in type(record)._fields}  # type: ignore[attr-defined]


def replace(record: R, **values: object) -> R:
    """Return a copy of the record with `values` for these fields."""
    return type(record)(**{**fields_of(record), **values})
