"""What a wheel puts below share/: the manual page and completions, made from what `help` and `init` show."""

from __future__ import annotations

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import safepip
from safepip.core.invocation import TOPICS
from safepip.shells import read_file
from safepip.verbs import help as pages
from safepip.verbs.markdown import CODE, HEADING, ITEM, TABLE, blocks, cells, spans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE = "share/man/man1/safepip.1"
BULLET = r"\(bu"
LINK = re.compile(r"\[[^\]]+\]\([^)]+\)")
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
        *described(pages.overview()),
        *(line for topic in TOPICS for line in page(topic)),
        *section("EXIT STATUS", ["pip's own; safepip's are:", *items(exit_codes().items())]),
        *section("FILES", [*items(PLACES.items())]),
        *section("SEE ALSO", [".BR pip (1), ", ".BR pipx (1)"]),
    ]
    return "\n".join(lines) + "\n"


def section(title: str, lines: Iterable[str]) -> list[str]:
    """Return a section of the page."""
    return [f'.SH "{title}"', *lines]


def described(summary: str) -> Iterator[str]:
    """Turn the section of the help into roff: items in two columns, then paragraphs."""
    for line in summary.strip().splitlines()[1:]:
        found = re.fullmatch(r"  (\S.*?)   *(\S.*)", line)
        if found:
            yield from items([(found[1], found[2])])
        else:
            yield from ([] if line.startswith(" ") else [".PP"])
            yield roff(line.strip())


def items(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Return a list of words and what they mean."""
    for word, meaning in pairs:
        yield from (".TP", f".B {roff(word)}", roff(meaning) or "\\&")


def page(topic: str) -> Iterator[str]:
    """Return a page of help as a section."""
    for kind, lines in blocks(pages.page(topic)):
        if kind == HEADING:
            title = roff(lines[0].lstrip("# "))
            yield f'.{"SH" if lines[0].startswith("# ") else "SS"} "{title}"'
        elif kind == CODE:
            yield from (".PP", ".in +4n", ".nf", *map(roff, lines[1:]), ".fi", ".in")
        elif kind == TABLE:
            yield from rows(lines)
        elif kind == ITEM:
            sign, _, text = " ".join(line.strip() for line in lines).partition(" ")
            yield from (f".IP {sign.replace('-', BULLET)} 4", marked(text))
        else:
            yield from (".PP", marked(" ".join(lines)))


def rows(lines: list[str]) -> Iterator[str]:
    """Return a table as a list: the first cell of each row, and below it the others, from the third on by name."""
    _, _, *names = cells(lines[0])
    for row in lines[2:]:
        first, second, *others = map(marked, cells(row))
        named = [f"{roff(name)}: {cell}" for name, cell in zip(names, others, strict=True) if cell]
        yield from (".TP", first or "\\&", "; ".join([second, *named]) or "\\&")


def marked(text: str) -> str:
    """Return a line of a page in roff, with code and bold text in bold."""
    text = LINK.sub(lambda link: spans(link[0], colour=False), text).replace("\xa0", " ")
    parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", text)
    return "".join(rf"\fB{roff(part.strip('`*'))}\fR" if at % 2 else roff(part) for at, part in enumerate(parts))


def exit_codes() -> dict[str, str]:
    """Return the exit codes of safepip's own and their meanings, from the page on them."""
    (table,) = [lines for kind, lines in blocks(pages.page("exit-codes")) if kind == TABLE]
    return {code: meaning for code, meaning, _ in map(cells, table[2:])}


def roff(text: str) -> str:
    """Return `text` as roff shows it unchanged."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\`").replace("'", "\\(aq")
    escaped = escaped.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
