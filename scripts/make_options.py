"""Write safepip/core/pip_options.py from the parser objects of the pip of the Python that runs this."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pip
from pip._internal.cli.main_parser import create_main_parser
from pip._internal.commands import commands_dict, create_command

if TYPE_CHECKING:
    from optparse import Option, OptionParser

    Spec = tuple[tuple[str, ...], str, str, str | None, tuple[str, ...]]

TABLE = Path(__file__).parent.parent / "safepip" / "core" / "pip_options.py"
ACTIONS = {"store_true": "true", "store_false": "false", "store_const": "const"}
TYPES = {"path": "string", "package_name": "string"}

HEAD = '''\
"""What the parsers of pip {version} accept; written by scripts/make_options.py, not by hand."""

VERSION = "{version}"

SUBCOMMANDS: "tuple[str, ...]" = {subcommands}

# One option each: its strings (aliases and hidden ones too, the one that pip names it by first); dest;
# action: true, false (a variable's value is stored as it is, so `PIP_NO_USER=1` asks for --user), const,
# count, store, append, help, or the name of pip's callback; type of its value, None for a flag; choices.
SPECS: "tuple[tuple[tuple[str, ...], str, str, str | None, tuple[str, ...]], ...]" = (
'''


def main() -> int:
    """Write the table, or with ``--check`` only compare: 1 when the file on disk differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file differs")
    wanted = render()
    if not parser.parse_args().check:
        TABLE.write_text(wanted, encoding="utf-8")
        return 0
    if TABLE.is_file() and TABLE.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"{TABLE} is not what pip {pip.__version__} accepts: run scripts/make_options.py", file=sys.stderr)
    return 1


def render() -> str:
    """Return the text of the table: the same for the same pip, whatever the machine."""
    own = {"<global>": specs(create_main_parser())}
    own.update((name, specs(create_command(name).parser)) for name in commands_dict)
    general = [spec for spec in own["<global>"] if all(spec in accepted for accepted in own.values())]
    for accepted in own.values():
        accepted[:] = [spec for spec in accepted if spec not in general]
    pool = list(dict.fromkeys([*general, *(spec for accepted in own.values() for spec in accepted)]))
    lines = [HEAD.format(version=pip.__version__, subcommands=tuple(commands_dict))]
    lines += [f"    {spec!r},\n" for spec in pool]
    lines += [")\n\n# Positions in SPECS: what every parser accepts, then what one alone adds to that.\n"]
    lines += [f'GENERAL: "tuple[int, ...]" = {positions(general, pool)}\n']
    lines += ['OPTIONS: "dict[str, tuple[int, ...]]" = {\n']
    lines += [f"    {name!r}: {positions(accepted, pool)},\n" for name, accepted in own.items()]
    lines += ["}\n\n# The options before the subcommand, each with whether it takes a value.\n"]
    before = {string: spec[3] is not None for spec in (*general, *own["<global>"]) for string in spec[0]}
    lines += ['GLOBAL_OPTIONS: "dict[str, bool]" = {\n']
    lines += [f"    {string!r}: {valued},\n" for string, valued in before.items()]
    return "".join([*lines, "}\n"])


def specs(parser: OptionParser) -> list[Spec]:
    """Return what a reader needs to know of each option of `parser`, in the parser's order."""
    return [spec_of(option) for option in parser._get_all_options()]  # noqa: SLF001  optparse has no other door


def spec_of(option: Option) -> Spec:
    """Return strings, dest, action, type and choices of `option`."""
    longs, shorts = option._long_opts, option._short_opts  # noqa: SLF001  nor for these
    kind = TYPES.get(option.type, option.type) if option.type else None
    return (*longs, *shorts), str(option.dest), action_of(option), kind, tuple(option.choices or ())


def action_of(option: Option) -> str:
    """Return a word for what `option` does; of a callback the name, without pip's ``_handle_``."""
    if option.action == "callback":
        return str(getattr(option.callback, "__name__", "callback")).removeprefix("_handle_")
    return ACTIONS.get(option.action, option.action)


def positions(chosen: list[Spec], pool: list[Spec]) -> tuple[int, ...]:
    """Return where each of `chosen` stands in `pool`."""
    return tuple(pool.index(spec) for spec in chosen)


if __name__ == "__main__":
    sys.exit(main())
