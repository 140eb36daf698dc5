"""Change one entry of an array of dependencies in a pyproject.toml.

Where the array stands is found by reading tokens, which needs no full knowledge of TOML: each change is parsed
again, and refused unless the document differs in nothing but that entry.
"""

from __future__ import annotations

import json
import re
import sys

from safepip.core.record import Record
from safepip.core.requirement import normalised_name
from safepip.system.keeper import inside

from .requirements_file import CannotEditError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Token = re.Match[str]

_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|(?P<comment>\#[^\n]*)'
    r"|(?P<sign>[\[\]{},=])|(?P<end>\r?\n)|(?P<space>[^\S\n]+)|[^\s\[\]{},=\"'#]+|.",
    re.DOTALL,
)
_REST_OF_LINE = re.compile(r"[^\S\n]*(?:#[^\n]*)?\n")
_BLANK = ("space", "end", "comment")
_DEEPER = {"[": 1, "{": 1, "]": -1, "}": -1}
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_INDENT = "    "
_MOST_DOTS = 1000  # in a line: tomllib takes minutes for a key of very many parts


class Item(Record):
    """An element, by positions in the text."""

    start: int
    stop: int
    comma: str  # that follows it, or ""
    end: int  # behind the comma


class Array(Record):
    """The positions of an array's brackets in the text, and its elements."""

    start: int
    stop: int
    items: list[Item]


class DependencyArray(Record):
    """A pyproject.toml's text, and the table and key of the array.

    Each change returns a new one.
    """

    text: str
    keys: tuple[str, str]

    @property
    def content(self) -> bytes:
        """Return the bytes of the file."""
        return self.text.encode("utf-8")

    @property
    def entries(self) -> tuple[str, ...]:
        """Return the elements. One that is not text is empty."""
        found = inside(_parsed(self.text), *self.keys)
        if not isinstance(found, list):
            return ()
        # A group may include another: `{include-group = "other"}` (PEP 735).
        return tuple(item if isinstance(item, str) else "" for item in found)

    def put(self, index: int, text: str) -> DependencyArray:
        """Replace an element where it stands."""
        items = self._items()
        start, stop = items[index].start, items[index].stop
        changed = self.text[:start] + _literal(text, self.text, items) + self.text[stop:]
        return self._proved(changed, index, index + 1, [text])

    def add(self, text: str) -> DependencyArray:
        """Add an element at the end, and the array if missing."""
        array = _find_array(self.text, self.keys)
        if array is None:
            changed = self._with_array(text)
        else:
            changed = self._with_item(text, array)
        end = len(self.entries)
        return self._proved(changed, end, end, [text])

    def remove(self, index: int) -> DependencyArray:
        """Remove an element, and its line if it stands alone there."""
        items = self._items()
        start, stop = _own_line(self.text, items[index]) or _span_in_line(items, index)
        gone = self.text[start:stop]
        before = self.text[:start]
        if index and not items[index].comma and gone.endswith("\n"):
            comma = items[index - 1].end - 1  # in this array, the last element has none
            before = before[:comma] + before[comma + 1 :]
        if "#" in gone.replace(self.entries[index], "") and "\n" in gone.rstrip("\r\n"):
            raise CannotEditError("a comment stands where the entry is")
        return self._proved(before + self.text[stop:], index, index + 1, [])

    def _items(self) -> list[Item]:
        array = _find_array(self.text, self.keys)
        if array is None or len(array.items) != len(self.entries):
            raise CannotEditError(f"{'.'.join(self.keys)} is not written as an array of its own")
        return array.items

    def _with_item(self, text: str, array: Array) -> str:
        whole = self.text
        literal = _literal(text, whole, array.items)
        if not array.items:
            if "\n" not in whole[array.start : array.stop]:
                return f"{whole[: array.start + 1]}{literal}{whole[array.start + 1 :]}"
            line = whole.rindex("\n", array.start, array.stop) + 1
            first_line = whole[whole.rfind("\n", 0, array.start) + 1 :]
            indent = first_line[: len(first_line) - len(first_line.lstrip(" \t"))] + _INDENT
            return f"{whole[:line]}{indent}{literal},{self._newline()}{whole[line:]}"
        last = array.items[-1]
        before, after = whole[: last.end], whole[last.end :]
        if not last.comma:
            before += ","
        own_line = _own_line(whole, last)
        if own_line is None:
            return f"{before} {literal}{last.comma}{after}"
        line, next_line = own_line
        before += whole[last.end : next_line]  # the comment on the last element, if it has one
        indent = whole[line : last.start]
        return f"{before}{indent}{literal}{last.comma}{self._newline()}{whole[next_line:]}"

    def _with_array(self, text: str) -> str:
        # It goes to the end of its table, or into a new table.
        table, key = self.keys
        if not _PLAIN_KEY.match(key):
            key = json.dumps(key, ensure_ascii=False)
        newline = self._newline()
        line = f"{key} = [{json.dumps(text, ensure_ascii=False)}]{newline}"
        end = _table_end(self.text, table)
        before = self.text[:end]
        if before and not before.endswith("\n"):
            before += newline
        if end is not None:
            return before + line + self.text[end:]
        if before:
            before += newline
        return f"{before}[{table}]{newline}{line}"

    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def _proved(self, text: str, start: int, stop: int, new: list[str]) -> DependencyArray:
        """Return the changed document if nothing else differs.

        It must have the elements `new` in the place of those from `start` to `stop`.
        """
        table_name, key = self.keys
        wanted = _parsed(self.text)
        table = wanted.setdefault(table_name, {})
        if not isinstance(table, dict):
            raise CannotEditError(f"{table_name} is not a table")
        array = table.setdefault(key, [])
        if not isinstance(array, list):
            raise CannotEditError(f"{table_name}.{key} is not an array")
        array[start:stop] = new
        try:
            is_right = tomllib.loads(text) == wanted
        except (ValueError, RecursionError):
            is_right = False
        if not is_right:
            raise CannotEditError(f"{table_name}.{key} is written in a way that safepip does not edit")
        return DependencyArray(text=text, keys=self.keys)


def read(content: bytes, table: str, key: str) -> DependencyArray:
    """Read a pyproject.toml to edit, or raise CannotEditError."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise CannotEditError("it is not UTF-8") from None
    found = _parsed(text).get(table, {})
    if not isinstance(found, dict):
        raise CannotEditError(f"{table} is not a table")
    if table == "project":
        dynamic = found.get("dynamic")
        if isinstance(dynamic, list) and key in dynamic:
            raise CannotEditError(f"project.{key} is dynamic: the build backend finds it elsewhere")
        return DependencyArray(text=text, keys=(table, key))
    for name in found:
        if normalised_name(name) == normalised_name(key):  # PEP 735: the names of groups are normalised
            return DependencyArray(text=text, keys=(table, name))
    return DependencyArray(text=text, keys=(table, key))


def _parsed(text: str) -> dict[str, Any]:
    if max(line.count(".") for line in text.split("\n")) > _MOST_DOTS:
        raise CannotEditError("it has a key of too many parts")
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise CannotEditError(f"it is not valid TOML: {str(error)[:80]}") from None
    return document


def _literal(text: str, document: str, items: list[Item]) -> str:
    """Return a TOML string, quoted as the last item is if possible."""
    prefers_single = '"' in text  # which needs no escapes there
    if items and document[items[-1].start] == "'":
        prefers_single = True
    if prefers_single and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False)


# -- where things stand in the text


class Statement(Record):
    """The header of a table, or a key with its value."""

    path: tuple[str, ...]  # of the value
    value: list[Token]  # without blanks and comments
    end: int  # behind its last line
    table: tuple[str, ...]  # that it opens or stands in


def _statements(text: str) -> Iterator[Statement]:
    table: tuple[str, ...] = ()
    tokens: list[Token] = []
    depth = 0
    for token in _TOKEN.finditer(text + "\n"):  # so that the last line ends, too
        depth += _DEEPER.get(token[0], 0)
        if token.lastgroup not in _BLANK:
            tokens.append(token)
        if not token["end"] or depth > 0:
            continue
        if not tokens:
            continue
        texts = [token[0] for token in tokens]
        if texts[:2] == ["[", "["]:  # an array of tables, which never holds what is looked for
            table = ("",)
        elif texts[0] == "[":
            table = _path_of(texts[1:-1])
            yield Statement(path=(), value=[], end=token.end(), table=table)
        elif "=" in texts:
            at = texts.index("=")
            path = (*table, *_path_of(texts[:at]))
            yield Statement(path=path, value=tokens[at + 1 :], end=token.end(), table=table)
        tokens, depth = [], 0


def _path_of(words: list[str]) -> tuple[str, ...]:
    """Return the keys that a dotted key consists of."""
    try:
        document: Any = tomllib.loads(f"{''.join(words)} = 0")
    except ValueError:
        return ("",)
    path = []
    while isinstance(document, dict):
        key, document = next(iter(document.items()))
        path.append(key)
    return tuple(path)


def _find_array(text: str, keys: tuple[str, str]) -> Array | None:
    for statement in _statements(text):
        value = statement.value
        if statement.path == keys and value[0][0] == "[":
            return Array(start=value[0].start(), stop=value[-1].end(), items=_items_of(value[1:-1]))
    return None


def _items_of(tokens: list[Token]) -> list[Item]:
    """Return the elements of an array, from what stands between its brackets."""
    found: list[Item] = []
    depth = 0
    item: list[Token] = []
    for token in tokens:
        depth += _DEEPER.get(token[0], 0)
        if token[0] != "," or depth:
            item.append(token)
            continue
        found.append(Item(start=item[0].start(), stop=item[-1].end(), comma=",", end=token.end()))
        item = []
    if item:
        stop = item[-1].end()
        found.append(Item(start=item[0].start(), stop=stop, comma="", end=stop))
    return found


def _table_end(text: str, table: str) -> int | None:
    """Return the position behind the table's last key or its header."""
    end = None
    for statement in _statements(text):
        if statement.table == (table,):
            end = statement.end
    return end


def _own_line(text: str, item: Item) -> tuple[int, int] | None:
    """Return the line of an element, None if it stands with others."""
    start = text.rfind("\n", 0, item.start) + 1
    rest = _REST_OF_LINE.match(text, item.end)
    if rest is None or text[start : item.start].strip():
        return None
    if "\n" in text[item.start : item.end]:
        return None
    return start, rest.end()


def _span_in_line(items: list[Item], index: int) -> tuple[int, int]:
    """Return what to remove for an element beside others in a line."""
    item = items[index]
    if index:
        return items[index - 1].stop, item.stop
    if len(items) > 1:
        return item.start, items[1].start
    return item.start, item.end
