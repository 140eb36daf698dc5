"""Write safepip/core/pip_options.py from the parser objects of the pip of the Python that runs this.

What pip's parsers accept is read from pip. What safepip does with an option is a judgement that a person makes:
it stands in `KINDS` below, and an option of pip's that is missing there stops this script, and so the tests.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pip
from pip._internal.cli.main_parser import create_main_parser
from pip._internal.commands import commands_dict, create_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from optparse import Option, OptionParser

    Spec = tuple[tuple[str, ...], str, str, str | None, tuple[str, ...], str, tuple[str, ...]]

TABLE = Path(__file__).parent.parent / "safepip" / "core" / "pip_options.py"
ACTIONS = {"store_true": "true", "store_false": "false", "store_const": "const"}
TYPES = {"path": "string", "package_name": "string"}

# pip's dest -> the field of PipCommand that tells it.
FIELDS = {
    "use_user_site": "user",
    "user": "user",  # of list, freeze and inspect; `config --user` has another dest, and another meaning
    "target_dir": "target",
    "prefix_path": "prefix",
    "root_path": "root",
    "json_report_file": "report",
    "python": "python",
    "override_externally_managed": "break_system_packages",
    "dry_run": "dry_run",
    "require_venv": "require_virtualenv",
    "isolated_mode": "isolated",
    "require_hashes": "require_hashes",
    "requirements": "r_files",
    "editables": "editables",
    "constraints": "constraints",
    "dependency_groups": "groups",
    "requirements_from_scripts": "scripts",
    "quiet": "quiet",
    "verbose": "verbose",
    "upgrade": "upgrade",
}
# pip's dest -> its kind, then what it may be used for.
# Kinds, of which each option has exactly one:
#   source  where packages come from, and how an index is reached
#   build   which kind of file is chosen, and how it is built and put in place
#   wanted  what is asked for, and which versions of it
#   place   where it goes, and for which Python
#   effect  what pip does about it, and what it shows
# Uses:
#   idle  neither adds to what is wanted nor keeps what is installed from being enough
#   pipx  pipx hands it on to its pip
#   own   pipx has its own word for it, or it means nothing to pipx
KINDS = {
    "help": "effect", "version": "effect", "debug_mode": "effect pipx", "isolated_mode": "effect pipx",
    "require_venv": "place idle pipx", "python": "place own", "verbose": "effect own", "quiet": "effect idle own",
    "log": "effect pipx", "no_input": "source idle pipx", "keyring_provider": "source idle pipx",
    "proxy": "source idle pipx", "no_proxy_env": "source idle pipx", "retries": "source idle pipx",
    "timeout": "source idle pipx", "exists_action": "effect idle pipx", "trusted_hosts": "source idle pipx",
    "cert": "source idle pipx", "client_cert": "source idle pipx", "cache_dir": "source idle pipx",
    "disable_pip_version_check": "effect idle pipx", "no_color": "effect idle pipx",
    "no_python_version_warning": "effect idle pipx", "features_enabled": "build pipx",
    "deprecated_features_enabled": "build pipx", "resume_retries": "source pipx",
    "requirements": "wanted", "constraints": "wanted pipx", "build_constraints": "wanted pipx",
    "requirements_from_scripts": "wanted", "ignore_dependencies": "wanted idle pipx",
    "only_dependencies": "wanted", "editables": "wanted", "dependency_groups": "wanted",
    "require_hashes": "wanted idle", "no_require_hashes": "wanted pipx", "pre": "wanted pipx",
    "release_control": "wanted pipx", "uploaded_prior_to": "wanted pipx", "ignore_requires_python": "wanted pipx",
    "target_dir": "place", "prefix_path": "place", "root_path": "place", "use_user_site": "place idle own",
    "platforms": "place", "python_version": "place", "implementation": "place", "abis": "place",
    "src_dir": "place pipx", "override_externally_managed": "place",
    "dry_run": "effect", "json_report_file": "effect", "upgrade": "effect own", "upgrade_strategy": "effect pipx",
    "force_reinstall": "effect own", "ignore_installed": "effect own", "warn_script_location": "effect idle pipx",
    "warn_about_conflicts": "effect idle pipx", "progress_bar": "effect idle pipx",
    "root_user_action": "effect idle pipx", "no_clean": "effect idle",
    "build_isolation": "build idle pipx", "use_pep517": "build idle pipx", "check_build_deps": "build pipx",
    "config_settings": "build pipx", "compile": "build idle pipx", "format_control": "build idle pipx",
    "prefer_binary": "build idle pipx", "refresh_package": "build pipx",
    "index_url": "source idle own", "extra_index_urls": "source idle pipx", "no_index": "source idle pipx",
    "find_links": "source idle pipx",
    # of other subcommands than install
    "output_file": "place", "download_dir": "place", "wheel_dir": "place", "path": "place", "local": "place",
    "user": "place", "global_file": "place", "user_file": "place", "site_file": "place", "index": "source",
    "yes": "effect", "freeze_all": "effect", "exclude_editable": "effect", "excludes": "effect",
    "outdated": "effect", "uptodate": "effect", "editable": "effect", "list_format": "effect",
    "not_required": "effect", "include_editable": "effect", "files": "effect", "editor": "effect",
    "json": "effect", "no_verify": "effect", "algorithm": "effect", "shell": "effect",
}  # fmt: skip
# What pip makes of the values of -r, -c, --group and --requirements-from-script, and of a file that they name.
# core/requirement.py and envs/requirements.py repeat it, and must be read again when one of these changes.
MEANINGS = (
    "pip._internal.cli.cmdoptions:_handle_dependency_group",
    "pip._internal.cli.req_command:_collect_requirement_sources",
    "pip._internal.cli.req_command:parse_constraint_files",
    "pip._internal.cli.req_command:RequirementCommand.get_requirements",
    "pip._internal.req.constructors:_get_url_from_path",
    "pip._internal.req.constructors:parse_req_from_line",
    "pip._internal.req.pep723:pep723_metadata",
    "pip._internal.req.req_dependency_group:_load_pyproject",
    "pip._internal.req.req_file:RequirementsFileParser",
    "pip._internal.req.req_file:_decode_req_file",
    "pip._internal.req.req_file:break_args_options",
    "pip._internal.req.req_file:expand_env_variables",
    "pip._internal.req.req_file:get_file_content",
    "pip._internal.req.req_file:handle_option_line",
    "pip._internal.req.req_file:ignore_comments",
    "pip._internal.req.req_file:join_lines",
    "pip._internal.utils.filetypes:is_archive_file",
    "pip._internal.utils.pylock:is_valid_pylock_filename",
    "pip._internal.utils.urls:strip_extras",
    "pip._vendor.packaging.pylock:is_valid_pylock_path",
)
VALUES = (
    "pip._internal.req.req_file:SUPPORTED_OPTIONS",
    "pip._internal.req.req_file:SUPPORTED_OPTIONS_REQ",
    "pip._internal.utils.filetypes:ARCHIVE_EXTENSIONS",
    "pip._vendor.packaging.pylock:_PYLOCK_FILE_NAME_RE",
)

HEAD = '''\
"""What the parsers of pip {version} accept. Written by scripts/make_options.py."""

VERSION = "{version}"

# A digest of pip's functions that read the values of -r, -c and --group, and the files that they name.
MEANING = "{meaning}"

SUBCOMMANDS: "tuple[str, ...]" = {subcommands}

# One option each: its strings (aliases and hidden ones too, the one that pip names it by first); dest;
# action: true, false (a variable's value is stored as it is, so `PIP_NO_USER=1` asks for --user), const,
# count, store, append, help, or the name of pip's callback; type of its value, None for a flag; choices;
# the field of PipCommand that tells its value, or ""; its kind and uses, which make_options.py explains.
SPECS: "tuple[tuple[tuple[str, ...], str, str, str | None, tuple[str, ...], str, tuple[str, ...]], ...]" = (
'''


def main() -> int:
    """Write the table, or with ``--check`` only compare: 1 when the file on disk differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    for name in commands_dict:
        own[name] = specs(create_command(name).parser)
    general = [spec for spec in own["<global>"] if all(spec in accepted for accepted in own.values())]
    pool = dict.fromkeys(general)
    for accepted in own.values():
        accepted[:] = [spec for spec in accepted if spec not in general]
        pool.update(dict.fromkeys(accepted))
    return "".join(_lines(own, general, list(pool)))


def _lines(own: dict[str, list[Spec]], general: list[Spec], pool: list[Spec]) -> Iterator[str]:
    yield HEAD.format(version=pip.__version__, meaning=meaning(), subcommands=tuple(commands_dict))
    for spec in pool:
        yield f"    {spec!r},\n"
    yield ")\n\n# Positions in SPECS: what every parser accepts, then what one alone adds to that.\n"
    yield f'GENERAL: "tuple[int, ...]" = {positions(general, pool)}\n'
    yield 'OPTIONS: "dict[str, tuple[int, ...]]" = {\n'
    for name, accepted in own.items():
        yield f"    {name!r}: {positions(accepted, pool)},\n"
    yield "}\n\n# The options before the subcommand, each with whether it takes a value.\n"
    yield 'GLOBAL_OPTIONS: "dict[str, bool]" = {\n'
    for spec in (*general, *own["<global>"]):
        for string in spec[0]:
            yield f"    {string!r}: {spec[3] is not None},\n"
    yield "}\n"


def specs(parser: OptionParser) -> list[Spec]:
    """Return what a reader needs to know of each option of `parser`, in the parser's order."""
    return [spec_of(option) for option in parser._get_all_options()]  # noqa: SLF001  optparse has no other door


def spec_of(option: Option) -> Spec:
    """Return the row of `option`."""
    strings = (*option._long_opts, *option._short_opts)  # noqa: SLF001  nor for these
    dest = str(option.dest)
    if dest not in KINDS:
        sys.exit(f"{strings[0]} ({dest}) has no kind: say in KINDS of scripts/make_options.py what it is")
    value_type = TYPES.get(option.type, option.type) if option.type else None
    choices, kinds = tuple(option.choices or ()), tuple(KINDS[dest].split())
    return strings, dest, action_of(option), value_type, choices, FIELDS.get(dest, ""), kinds


def action_of(option: Option) -> str:
    """Return a word for what `option` does; of a callback the name, without pip's ``_handle_``."""
    if option.action == "callback":
        return str(getattr(option.callback, "__name__", "callback")).removeprefix("_handle_")
    return ACTIONS.get(option.action, option.action)


def positions(chosen: list[Spec], pool: list[Spec]) -> tuple[int, ...]:
    """Return where each of `chosen` stands in `pool`."""
    return tuple(pool.index(spec) for spec in chosen)


def meaning() -> str:
    """Return a digest of the code and values of pip that MEANINGS and VALUES name, without their comments."""
    return hashlib.sha256("\n".join(_meanings()).encode()).hexdigest()[:16]


def _meanings() -> Iterator[str]:
    for name in MEANINGS:
        lines = [line.strip() for line in inspect.getsource(_found(name)).splitlines()]  # type: ignore[arg-type]
        yield "\n".join(line for line in lines if line and not line.startswith("#"))
    for name in VALUES:
        value = _found(name)
        options = [str(make()) for make in value] if isinstance(value, list) else None
        yield f"{name} {options or getattr(value, 'pattern', value)}"


def _found(name: str) -> object:
    module, _, path = name.partition(":")
    found: object = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


if __name__ == "__main__":
    sys.exit(main())
