"""What a wheel puts below share/: the manual page and completions, made from what `help` and `init` show."""

from __future__ import annotations

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import safepip
from safepip import errors
from safepip.core.invocation import TOPICS
from safepip.shells.files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = os.path.dirname(os.path.abspath(safepip.__file__))
PAGE = "share/man/man1/safepip.1"
# Where shells look, and what stands there around the completion that `init` has.
COMPLETIONS = {
    "share/bash-completion/completions/safepip": (
        "bash",
        "# Completion of safepip for bash.\n# shellcheck shell=bash\n",
        "complete -o default -F _safepip_complete safepip\n",
    ),
    "share/zsh/site-functions/_safepip": (
        "zsh",
        "#compdef safepip\n# Completion of safepip for zsh.\n",
        '_safepip_complete "$@"\n',
    ),
    "share/fish/vendor_completions.d/safepip.fish": (
        "fish",
        "# Completion of safepip for fish, unless `safepip init` set it up.\nset -q _safepip_program; and exit\n",
        "",
    ),
}
ENDS = {
    "NO_ENVIRONMENT": "no environment is possible",
    "USAGE": "the command line is wrong",
    "NO_PIPX": "pipx could not be installed",
    "INTERNAL": "internal error",
    "CANNOT_CREATE": "something cannot be created",
    "LOCK_TIMEOUT": "another command held the lock for too long",
    "REFUSED": "refused: an environment is not trusted, or belongs to somebody else",
    "BAD_SETTINGS": "a settings file is wrong",
    "CANNOT_RUN": "a program cannot be run",
    "NOT_FOUND": "a program is not there",
}
PLACES = {
    "~/.config/safepip/config.toml, /etc/safepip/config.toml": "settings: yours, the machine's",
    "~/.local/share/safepip": "environments outside projects",
    "~/.local/state/safepip": "which environments safepip made; locks",
    "~/.cache/safepip": "may vanish at any time",
}


def files() -> dict[str, str]:
    """Return the text of each file by its path in the wheel's data."""
    return {PAGE: manual(), **{path: completion(*how) for path, how in COMPLETIONS.items()}}


# --- completions


def completion(shell: str, before: str, after: str) -> str:
    """Return the file that completes, which `init` has as well."""
    return f"{before}\n{read_file(f'complete.{shell}')}{after}"


# --- the manual page


def manual() -> str:
    """Return the manual page: the section of `safepip --help`, every topic, exit codes and places."""
    with open(os.path.join(PACKAGE, "help.txt"), encoding="utf-8") as file:
        summary = file.read()
    version = safepip.__version__
    purpose = (safepip.__doc__ or "").rstrip(".")
    lines = [
        f'.TH SAFEPIP 1 "" "safepip {version}" "User Commands"',
        ".nh",
        ".ad l",
        *section("NAME", [f"safepip \\- {roff(purpose)}"]),
        *section("SYNOPSIS", [".B safepip", "[OPTION ...] PIP\\-COMMAND ...", ".br", ".B safepip", "WORD ..."]),
        *section(
            "DESCRIPTION", ["Commands and options of pip's are pip's own: see", ".BR pip (1)", "or pip help."]
        ),
        *described(summary),
        *(line for topic in TOPICS for line in page(topic)),
        *section("EXIT STATUS", ["pip's own; safepip's are:", *items(exit_codes())]),
        *section("FILES", [*items(PLACES.items())]),
        *section("SEE ALSO", [".BR pip (1), ", ".BR pipx (1)"]),
    ]
    return "\n".join(lines) + "\n"


def section(title: str, lines: Iterable[str]) -> list[str]:
    """Return a section of the page."""
    return [f'.SH "{title}"', *lines]


def described(summary: str) -> Iterator[str]:
    """Turn the section of the help into roff: paragraphs, headings that end with a colon, items in two columns."""
    is_list = False
    for line in summary.strip().splitlines()[1:]:
        found = re.fullmatch(r"  (\S.*?)   *(\S.*)", line)
        is_list = bool(found or (is_list and line.strip()))
        if not line.strip():
            yield ".PP"
        elif is_list:
            yield from items([(found[1], found[2]) if found else (line.strip(), "")])
        elif line.endswith(":"):
            yield from (".SS", roff(line.strip()))
        else:
            yield roff(line.strip())


def items(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Return a list of words and what they mean."""
    for word, meaning in pairs:
        yield from (".TP", f".B {roff(word)}", roff(meaning) or "\\&")


def page(topic: str) -> Iterator[str]:
    """Return a page of help as a section, its lines as they are."""
    with open(os.path.join(PACKAGE, "help", f"{topic}.txt"), encoding="utf-8") as file:
        lines = file.read().strip().splitlines()
    yield from section(roff(lines[0]), [".nf", ".in 2n", *map(roff, lines[1:]), ".in", ".fi"])


def exit_codes() -> list[tuple[str, str]]:
    """Return the exit codes of safepip's own, and their meanings."""
    return sorted(((str(getattr(errors, name)), told) for name, told in ENDS.items()), key=lambda row: int(row[0]))


def roff(text: str) -> str:
    """Return `text` as roff shows it unchanged."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\`").replace("'", "\\(aq")
    escaped = escaped.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
