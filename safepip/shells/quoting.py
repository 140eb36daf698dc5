"""Write assignments and calls in the language of each shell."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    # ("export", NAME, VALUE or None to unset), ("set", NAME, VALUE), ("call", FUNCTION, ARGUMENT)
    Step = tuple[str, str, str | None]


def render(language: str, steps: Iterable[Step]) -> str:
    """Return code in `language` that carries out the steps in their order.

    Nushell, PowerShell and xonsh get data to read instead: one object, in which later steps win.
    """
    if language in _DATA:
        values = {name: value for _, name, value in steps}
        return _DATA[language](values) + "\n"
    lines = [_line(language, *step) for step in steps]
    if not lines:
        return ""
    return _joined(language, lines) + "\n"


def _joined(language: str, lines: list[str]) -> str:
    if language == "tcsh":  # it makes one line of what it evaluates
        return " ; ".join(lines)
    return "\n".join(lines)


def assignments(language: str, values: dict[str, str]) -> str:
    """Return code that sets variables of the shell."""
    template = _VARIABLES.get(language, "{}={}")
    lines = [template.format(name, quote(language, value)) for name, value in values.items()]
    return _joined(language, lines)


def quote(language: str, text: str) -> str:
    """Return `text` as one word of the shell's language."""
    return _QUOTES[language](text)


def _line(language: str, kind: str, name: str, value: str | None) -> str:
    if value is None:
        return _UNSET.get(language, "unset {}").format(name)
    templates = _TEMPLATES.get(language, _POSIX)
    return templates[kind].format(name, quote(language, value))


_POSIX = {"export": "export {}={}", "set": "{}={}", "call": "{} {}"}
_TEMPLATES = {
    "fish": {"export": "set -gx {} {}", "set": "set -g {} {}", "call": "{} {}"},
    "tcsh": {"export": "setenv {} {}", "set": "setenv {} {}", "call": "set _safepip_given = {1} ; {0}"},
}
_UNSET = {"fish": "set -e {}", "tcsh": "unsetenv {}"}


_VARIABLES = {
    "fish": "set -g {} {}",
    "tcsh": "setenv {} {}",
    "xonsh": "{} = {}",
    "nushell": "$env.{} = {}",
    "powershell": "$global:{} = {}",
}


def _posix(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _tcsh(text: str) -> str:
    # These signs stand outside of the apostrophes: in them, a setting of tcsh decides what a backslash means.
    signs = str.maketrans({char: f"'\\{char}'" for char in "\\'!"})
    return "'" + text.translate(signs) + "'"


def _powershell(text: str) -> str:
    doubled = text
    for mark in "'\u2018\u2019\u201a\u201b":  # PowerShell takes each of these for an apostrophe
        doubled = doubled.replace(mark, mark * 2)
    return f"'{doubled}'"


def _json(text: str) -> str:
    return '"' + "".join(map(_json_character, text)) + '"'


def _json_character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + ((code - 0x10000) >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"  # JSON counts in UTF-16


def _json_object(values: dict[str, str | None]) -> str:
    pairs = []
    for name, value in values.items():
        pairs.append(f"{_json(name)}: {'null' if value is None else _json(value)}")
    return "{" + ", ".join(pairs) + "}"


_QUOTES: dict[str, Callable[[str], str]] = {
    "bash": _posix,
    "zsh": _posix,
    "sh": _posix,
    "fish": _fish,
    "tcsh": _tcsh,
    "powershell": _powershell,
    "xonsh": ascii,
    "nushell": _json,
}
_DATA: dict[str, Callable[[dict[str, str | None]], str]] = {
    "xonsh": ascii,
    "nushell": _json_object,
    "powershell": _json_object,
}
