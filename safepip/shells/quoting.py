"""Quote for shells: assignments and calls in the language of each, for it to evaluate."""

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
    steps = tuple(steps)
    if language in _DATA:
        return _DATA[language]({name: value for _, name, value in steps}) + "\n"
    lines = (_line(language, *step) for step in steps)
    text = (" ; " if language == "tcsh" else "\n").join(lines)
    return f"{text}\n" if steps else ""


def assignments(language: str, values: dict[str, str]) -> str:
    """Return code that sets these variables of the shell's own, before anything of safepip's is defined."""
    template = _VARIABLES.get(language, "{}={}")
    lines = (template.format(name, quote(language, value)) for name, value in values.items())
    return (" ; " if language == "tcsh" else "\n").join(lines)


def quote(language: str, text: str) -> str:
    """Return `text` as one word of the shell's language that means exactly it."""
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
    r"""Put what could end the word outside of apostrophes: what `\` means in these is a setting in tcsh."""
    return "'" + "".join(f"'\\{char}'" if char in "\\'!" else char for char in text) + "'"


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
    return char if char.isprintable() else "".join(f"\\u{unit:04x}" for unit in _utf16(char))


def _utf16(char: str) -> tuple[int, ...]:
    code = ord(char)
    return (code,) if code < 0x10000 else (0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF))


def _json_object(values: dict[str, str | None]) -> str:
    pairs = (f"{_json(name)}: {'null' if value is None else _json(value)}" for name, value in values.items())
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
