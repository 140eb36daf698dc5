"""An array of dependencies in a pyproject.toml whose entries can be changed: the rest of the text stays as it is.

Where the array stands is found by reading tokens, which needs no full knowledge of TOML: each change is parsed
again, and refused unless the document differs in nothing but that entry.
"""

from __future__ import annotations

import copy
import json
import re
import sys

from safepip.core.record import Record, replace
from safepip.core.requirement import normalised_name

from .requirements_file import CannotEditError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|(?P<comment>\#[^\n]*)'
    r"|(?P<sign>[\[\]{},=])|(?P<end>\r?\n)|(?P<space>[^\S\n]+)|[^\s\[\]{},=\"'#]+|.",
    re.DOTALL,
)
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_BLANK = ("space", "end", "comment")
_INDENT = "    "
_MOST_DOTS = 1000  # in a line: tomllib takes minutes for a key of very many parts


class Item(Record):
    """An element of the array, by positions in the text; `comma` is None where none follows."""

    start: int
    stop: int
    comma: int | None

    @property
    def end(self) -> int:
        """Return the position behind it and its comma."""
        if self.comma is None:
            return self.stop
        return self.comma + 1


class DependencyArray(Record):
    """The text of a pyproject.toml, and the keys that lead to the array: each change returns a new one."""

    text: str
    keys: tuple[str, ...]

    @property
    def content(self) -> bytes:
        """Return the bytes of the file."""
        return self.text.encode("utf-8")

    @property
    def entries(self) -> tuple[str, ...]:
        """Return the elements of the array; one that is not text, as an included group, is an empty entry."""
        found = _value(_parsed(self.text), self.keys) or []
        return tuple(map(_text_of, found))

    def put(self, index: int, text: str) -> DependencyArray:
        """Replace an element where it stands."""
        item = self._items()[index]
        changed = self.text[: item.start] + self._literal(text) + self.text[item.stop :]
        return self._proved(changed, lambda array: [*array[:index], text, *array[index + 1 :]])

    def add(self, text: str) -> DependencyArray:
        """Add an element at the end; the array or its table is made where it is missing."""
        found = _array(self.text, self.keys)
        changed = self._with_array(text)
        if found is not None:
            changed = self._with_item(text, *found)
        return self._proved(changed, lambda array: [*array, text])

    def remove(self, index: int) -> DependencyArray:
        """Remove an element, with its line if it has one of its own."""
        items = self._items()
        start, stop = _own_line(self.text, items[index]) or _span_in_line(items, index)
        gone = self.text[start:stop]
        changed = self.text[:start] + self.text[stop:]
        was_last = index == len(items) - 1
        if was_last and index and items[index].comma is None and gone.endswith("\n"):
            comma = items[index - 1].comma
            assert comma is not None
            changed = changed[:comma] + changed[comma + 1 :]  # the last one has none in this array
        if "#" in gone.replace(self.entries[index], "") and "\n" in gone.rstrip("\r\n"):
            raise CannotEditError("a comment stands where the entry is")
        return self._proved(changed, lambda array: array[:index] + array[index + 1 :])

    def _items(self) -> list[Item]:
        items = self._found_items()
        if len(items) != len(self.entries):
            raise CannotEditError(f"{'.'.join(self.keys)} is not written as an array of its own")
        return items

    def _found_items(self) -> list[Item]:
        found = _array(self.text, self.keys)
        if found is None:
            return []
        return _items(self.text, *found)

    def _literal(self, text: str) -> str:
        """Return a TOML string: quoted as the others are where that needs no escapes."""
        items = self._found_items()
        single = bool(items) and self.text[items[-1].start] == "'"
        if "'" not in text and text.isprintable() and (single or '"' in text):
            return f"'{text}'"
        return json.dumps(text, ensure_ascii=False)

    def _with_item(self, text: str, start: int, stop: int) -> str:
        """Return the text with one more element in the array from `start` to `stop`."""
        items = _items(self.text, start, stop)
        literal = self._literal(text)
        whole, inner = self.text, self.text[start + 1 : stop - 1]
        if not items:
            if "\n" not in inner:
                return f"{whole[: start + 1]}{literal}{whole[start + 1 :]}"
            line = whole.rindex("\n", start, stop) + 1
            indent = _indent_before(whole, start) + _INDENT
            return f"{whole[:line]}{indent}{literal},{self._end()}{whole[line:]}"
        last = items[-1]
        end = last.end
        line = whole.find("\n", end, stop)
        has_own_line = _own_line(whole, last) is not None
        if not has_own_line or line < 0:
            return self._behind(last, literal)
        indent = _indent_before(whole, last.start)
        if last.comma is None:
            return f"{whole[:end]},{whole[end : line + 1]}{indent}{literal}{self._end()}{whole[line + 1 :]}"
        return f"{whole[: line + 1]}{indent}{literal},{self._end()}{whole[line + 1 :]}"

    def _behind(self, last: Item, literal: str) -> str:
        """Return the text with an element behind the last one, in its line."""
        whole = self.text
        if last.comma is None:
            return f"{whole[: last.stop]}, {literal}{whole[last.stop :]}"
        return f"{whole[: last.comma + 1]} {literal},{whole[last.comma + 1 :]}"

    def _with_array(self, text: str) -> str:
        """Return the text with a new array, at the end of its table or in a new one."""
        table, key = self.keys
        if not _PLAIN_KEY.match(key):
            key = json.dumps(key, ensure_ascii=False)
        end = self._end()
        line = f"{key} = [{json.dumps(text, ensure_ascii=False)}]{end}"
        at = _table_end(self.text, table)
        if at is None:
            before = self._ended(self.text)
            if before:
                before += end
            return f"{before}[{table}]{end}{line}"
        return self._ended(self.text[:at]) + line + self.text[at:]

    def _ended(self, text: str) -> str:
        """Return the text with a line end at its end, unless it is empty."""
        if not text or text.endswith("\n"):
            return text
        return text + self._end()

    def _end(self) -> str:
        if "\r\n" in self.text:
            return "\r\n"
        return "\n"

    def _proved(self, text: str, change: Any) -> DependencyArray:
        """Return the changed document, if it differs in nothing but the array, and in that as it should."""
        wanted = copy.deepcopy(_parsed(self.text))
        table = wanted
        if len(self.keys) > 1:
            table = wanted.setdefault(self.keys[0], {})
        if not isinstance(table, dict):
            raise CannotEditError(f"{self.keys[0]} is not a table")
        array = table.get(self.keys[-1], [])
        if not isinstance(array, list):
            raise CannotEditError(f"{'.'.join(self.keys)} is not an array")
        table[self.keys[-1]] = change(array)
        try:
            is_right = tomllib.loads(text) == wanted
        except (ValueError, RecursionError):
            is_right = False
        if not is_right:
            raise CannotEditError(f"{'.'.join(self.keys)} is written in a way that safepip does not edit")
        changed: DependencyArray = replace(self, text=text)
        return changed


def read(content: bytes, table: str, key: str) -> DependencyArray:
    """Take a pyproject.toml; a group's `key` is found whatever way its name is spelled (PEP 735)."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise CannotEditError("it is not UTF-8") from None
    document = _parsed(text)
    found = document.get(table, {})
    if not isinstance(found, dict):
        raise CannotEditError(f"{table} is not a table")
    dynamic = found.get("dynamic")
    if table == "project" and isinstance(dynamic, list) and key in dynamic:
        raise CannotEditError(f"project.{key} is dynamic: the build backend finds it elsewhere")
    if table != "project":
        for name in found:
            if normalised_name(name) == normalised_name(key):
                return DependencyArray(text=text, keys=(table, name))
    return DependencyArray(text=text, keys=(table, key))


def _parsed(text: str) -> dict[str, Any]:
    if max(map(_dots, text.split("\n"))) > _MOST_DOTS:
        raise CannotEditError("it has a key of too many parts")
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise CannotEditError(f"it is not valid TOML: {str(error)[:80]}") from None
    return document


def _text_of(item: object) -> str:
    if isinstance(item, str):
        return item
    return ""


def _dots(line: str) -> int:
    return line.count(".")


def _value(document: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    if isinstance(document, list):
        return document
    return None


# -- where things stand in the text


def _tokens(text: str, start: int = 0) -> list[re.Match[str]]:
    return list(_TOKEN.finditer(text, start))


def _statements(text: str) -> list[tuple[list[re.Match[str]], int]]:
    """Return the tokens of each line, one that goes on in brackets as one, with the position behind it."""
    found: list[tuple[list[re.Match[str]], int]] = []
    line: list[re.Match[str]] = []
    depth = 0
    for token in _tokens(text):
        depth += (token["sign"] in {"[", "{"}) - (token["sign"] in {"]", "}"})
        if token["end"] and depth <= 0:
            found.append((line, token.end()))
            line, depth = [], 0
        else:
            line.append(token)
    return [*found, (line, len(text))]


def _path_of(tokens: list[re.Match[str]]) -> tuple[str, ...]:
    """Return the keys that a dotted key consists of."""
    source = "".join(token[0] for token in tokens if not token["space"])
    try:
        document: Any = tomllib.loads(f"{source} = 0")
    except ValueError:
        return ()
    path = []
    while isinstance(document, dict):
        key, document = next(iter(document.items()))
        path.append(key)
    return tuple(path)


def _header(tokens: list[re.Match[str]]) -> tuple[str, ...] | None:
    """Return the path that `[table]` names, () for one of an array of tables, None for another line."""
    plain = _plain(tokens)
    if not plain or plain[0]["sign"] != "[":
        return None
    is_array_of_tables = len(plain) > 1 and plain[1]["sign"] == "["
    if is_array_of_tables:
        return ()
    return _path_of(plain[1:-1])


def _array(text: str, keys: tuple[str, ...]) -> tuple[int, int] | None:
    """Return where the brackets of the array begin and end, or None without one."""
    table: tuple[str, ...] = ()
    for tokens, _ in _statements(text):
        header = _header(tokens)
        if header is not None:
            table = header or ("",)
            continue
        path, value = _key_and_value(tokens)
        if (*table, *path) != keys or not value:
            continue
        if value[0]["sign"] == "[" and value[-1]["sign"] == "]":
            return value[0].start(), value[-1].end()
    return None


def _key_and_value(tokens: list[re.Match[str]]) -> tuple[tuple[str, ...], list[re.Match[str]]]:
    """Return the path that a line's key means, and the tokens of its value; both are empty without an "="."""
    for at, token in enumerate(tokens):
        if token["sign"] == "=":
            return _path_of(tokens[:at]), _plain(tokens[at + 1 :])
    return (), []


def _plain(tokens: list[re.Match[str]]) -> list[re.Match[str]]:
    return [token for token in tokens if token.lastgroup not in _BLANK]


def _table_end(text: str, table: str) -> int | None:
    """Return the position behind the last key of the table, or its header; None without such a table."""
    at: int | None = None
    is_inside = False
    for tokens, end in _statements(text):
        header = _header(tokens)
        if header is not None:
            is_inside = header == (table,)
        if is_inside and _plain(tokens):
            at = end
    return at


def _items(text: str, start: int, stop: int) -> list[Item]:
    """Return the elements of the array between two brackets."""
    found: list[Item] = []
    depth, begin, end = 0, None, 0
    for token in _tokens(text[: stop - 1], start + 1):
        if token.lastgroup in _BLANK:
            continue
        depth += (token["sign"] in {"[", "{"}) - (token["sign"] in {"]", "}"})
        if token["sign"] == "," and not depth:
            if begin is not None:
                found.append(Item(start=begin, stop=end, comma=token.start()))
            begin = None
            continue
        if begin is None:
            begin = token.start()
        end = token.end()
    if begin is not None:
        found.append(Item(start=begin, stop=end, comma=None))
    return found


def _own_line(text: str, item: Item) -> tuple[int, int] | None:
    """Return the line of an element that shares it with none, nor with a bracket; else None."""
    start = text.rfind("\n", 0, item.start) + 1
    after = item.end
    line_end = text.find("\n", after)
    rest = text[after:line_end].strip()
    is_alone = not text[start : item.start].strip() and (not rest or rest.startswith("#"))
    is_in_one_line = "\n" not in text[item.start : after]
    if is_alone and is_in_one_line and line_end >= 0:
        return (start, line_end + 1)
    return None


def _span_in_line(items: list[Item], index: int) -> tuple[int, int]:
    """Return the text to take out for an element that stands in a line with others."""
    item = items[index]
    if index:
        return items[index - 1].stop, item.stop
    if len(items) > 1:
        return item.start, items[1].start
    return item.start, item.end


def _indent_before(text: str, position: int) -> str:
    """Return the white space that the line at the position begins with."""
    line = text[text.rfind("\n", 0, position) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]
