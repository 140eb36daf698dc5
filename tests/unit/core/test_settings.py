from __future__ import annotations

import datetime as dt
import os

import pytest

from safepip.core.settings import ROWS, TABLE, Fault, Settings, Table, merge, origin_of, variable_name

ORIGINS = {
    "system": "/etc/safepip/config.toml",
    "user": "/home/u/.config/safepip/config.toml",
    "project": "/home/u/blog/pyproject.toml",
}
PROJECT = "/home/u/blog"
HERE = os.path.abspath("here")  # absolute on every system
HUGE = 16**9000  # has more digits than Python prints
THERE = os.path.abspath("there")


def table(level, lines=None, error=None, **values):
    spelled = {key.replace("_", "-"): value for key, value in values.items()}
    return Table(origin=ORIGINS[level], level=level, values=spelled, lines=lines or {}, error=error)


def told(level, key, value):
    """What settles when one place, a table or a variable, says one thing."""
    if level == "variable":
        return merge({"SAFEPIP_" + key.upper().replace("-", "_"): value}, (), PROJECT)
    return merge({}, (Table(origin=ORIGINS[level], level=level, values={key: value}, lines={key: 3}),), PROJECT)


# What is taken: level, key, value, and what Settings then holds.
TAKEN = [
    ("user", "scope", "managed", "managed"),
    ("user", "scope", "always", "always"),
    ("project", "scope", "always", "always"),
    ("variable", "scope", "managed", "managed"),
    ("user", "python", "3.12", "3.12"),
    ("user", "python", "/opt/python/bin/python3", "/opt/python/bin/python3"),
    ("system", "python", "~/python", "~/python"),
    ("project", "python", "3.12", "3.12"),
    ("project", "python", "3", "3"),
    ("variable", "python", "python3.13", "python3.13"),
    ("user", "env-dir", "central", "central"),
    ("user", "env-dir", "venv", "venv"),
    ("user", "env-dir", "../shared", "../shared"),
    ("user", "env-dir", "/var/envs/one", "/var/envs/one"),
    ("project", "env-dir", "central", "central"),
    ("project", "env-dir", "env", "env"),
    ("project", "env-dir", "./build/../env/", "env"),
    ("project", "env-dir", "build//env", "build/env"),
    ("project", "env-dir", "build\\env", "build/env"),
    ("project", "env-dir", "../blog/.venv", ".venv"),
    ("variable", "env-dir", "~/envs/one", "~/envs/one"),
    ("user", "system-site-packages", True, True),
    ("project", "system-site-packages", True, True),
    ("variable", "system-site-packages", "Yes", True),
    ("user", "apps", ["httpie", "black"], ("httpie", "black")),
    ("project", "apps", [], ()),
    ("project", "apps", ["a", "ruamel.yaml", "zope_x-y3"], ("a", "ruamel.yaml", "zope_x-y3")),
    ("variable", "apps", "httpie  black ", ("httpie", "black")),
    ("variable", "apps", " ", ()),
    ("project", "libs", ["ruff"], ("ruff",)),
    ("variable", "libs", "ruff", ("ruff",)),
    ("user", "app-routing", "auto", "auto"),
    ("project", "app-routing", "never", "never"),
    ("variable", "app-routing", "explicit", "explicit"),
    ("user", "managed", [HERE, "~/python"], (HERE, "~/python")),
    ("variable", "managed", os.pathsep.join([HERE, "", THERE]), (HERE, THERE)),
    ("system", "unmanaged", [HERE], (HERE,)),
    ("variable", "unmanaged", os.pathsep, ()),
    ("user", "outside-project", "home", "home"),
    ("project", "outside-project", "cwd", "cwd"),
    ("variable", "outside-project", "error", "error"),
    ("user", "manager-hint", False, False),
    ("project", "manager-hint", False, False),
    ("variable", "manager-hint", "off", False),
    ("user", "lock-timeout", 0, 0.0),
    ("user", "lock-timeout", 2.5, 2.5),
    ("project", "lock-timeout", 30, 30.0),
    ("user", "lock-timeout", float("inf"), None),
    ("user", "lock-timeout", HUGE, None),
    ("variable", "lock-timeout", "30", 30.0),
    ("variable", "lock-timeout", "inf", None),
    ("user", "env-redirect", True, True),
    ("variable", "env-redirect", "t", True),
    ("user", "fast", False, False),
    ("variable", "fast", "0", False),
    ("user", "auto-repair", True, True),
    ("variable", "auto-repair", "ON", True),
    ("user", "quiet", True, True),
    ("variable", "quiet", "1", True),
    ("user", "hints", False, False),
    ("variable", "hints", "n", False),
    ("user", "prompt", False, False),
    ("variable", "prompt", "0", False),
    ("user", "trust", [HERE], (HERE,)),
    ("system", "trust", ["~/work"], ("~/work",)),
    ("variable", "trust", HERE, (HERE,)),
]

OWN = "it belongs in your own config.toml"
VERSION = 'python may only be a version in a project, such as "3.12", not '
INSIDE = "env-dir must be central or a path inside the project, not "
NAMES = "must be a list of names of packages"
PATHS = "must be a list of absolute paths"
TIMEOUT = "lock-timeout must be seconds, 0 or more, not "

# What is refused: level, key, value, and the reason told.
REFUSED = [
    ("project", "scope", "managed", 'scope may only be "always" in a project'),
    ("project", "scope", "never", "scope must be managed or always, not 'never'"),
    ("user", "scope", "Always", "scope must be managed or always, not 'Always'"),
    ("user", "scope", ["always"], "scope must be managed or always, not a list"),
    ("variable", "scope", "all\n", "scope must be managed or always, not 'all\\n'"),
    ("project", "python", "/bin/sh", VERSION + "'/bin/sh'"),
    ("project", "python", "python3", VERSION + "'python3'"),
    ("project", "python", "3..12", VERSION + "'3..12'"),
    ("project", "python", "٣.١٢", VERSION + "'٣.١٢'"),
    ("project", "python", "", VERSION + "''"),
    ("project", "python", 3.12, 'python must be text, such as "3.12", not 3.12'),
    ("user", "python", "", "python must be text, such as \"3.12\", not ''"),
    ("user", "python", "a\0b", "python must be text, such as \"3.12\", not 'a\\x00b'"),
    ("project", "env-dir", "/tmp/env", INSIDE + "'/tmp/env'"),
    ("project", "env-dir", "\\tmp", INSIDE + "'\\\\tmp'"),
    ("project", "env-dir", "C:env", INSIDE + "'C:env'"),
    ("project", "env-dir", "~/env", INSIDE + "'~/env'"),
    ("project", "env-dir", "../env", INSIDE + "'../env'"),
    ("project", "env-dir", "a/../../env", INSIDE + "'a/../../env'"),
    ("project", "env-dir", "../blog2/env", INSIDE + "'../blog2/env'"),
    ("project", "env-dir", "../../../../env", INSIDE + "'../../../../env'"),
    ("project", "env-dir", "../blog", INSIDE + "'../blog'"),
    ("project", "env-dir", ".", INSIDE + "'.'"),
    ("project", "env-dir", "a/..", INSIDE + "'a/..'"),
    ("project", "env-dir", "", INSIDE + "''"),
    ("project", "env-dir", "a\nb", INSIDE + "'a\\nb'"),
    ("project", "env-dir", True, "env-dir must be central or a folder, not true"),
    ("user", "env-dir", "./", "env-dir must be central or a folder, not './'"),
    ("user", "env-dir", "", "env-dir must be central or a folder, not ''"),
    ("user", "env-dir", {}, "env-dir must be central or a folder, not a table"),
    ("project", "managed", [HERE], f"managed is not for a project to set; {OWN}"),
    ("project", "unmanaged", [], f"unmanaged is not for a project to set; {OWN}"),
    ("project", "trust", "nonsense", f"trust is not for a project to set; {OWN}"),
    ("project", "apps", ["black", "../evil"], f"apps {NAMES}, and '../evil' does not fit"),
    ("project", "apps", ["--index-url"], f"apps {NAMES}, and '--index-url' does not fit"),
    ("user", "apps", ["x-"], f"apps {NAMES}, and 'x-' does not fit"),
    ("user", "apps", ["ünïcode"], f"apps {NAMES}, and 'ünïcode' does not fit"),
    ("user", "apps", ["."], f"apps {NAMES}, and '.' does not fit"),
    ("user", "apps", [["black"]], f"apps {NAMES}, and a list does not fit"),
    ("user", "apps", "black", f"apps {NAMES}, not 'black'"),
    ("variable", "libs", "ruff a==1", f"libs {NAMES}, and 'a==1' does not fit"),
    ("user", "trust", [HERE, "work"], f"trust {PATHS}, and 'work' does not fit"),
    ("user", "trust", ["~\0"], f"trust {PATHS}, and '~\\x00' does not fit"),
    ("user", "managed", [3], f"managed {PATHS}, and 3 does not fit"),
    ("variable", "unmanaged", "python3", f"unmanaged {PATHS}, and 'python3' does not fit"),
    ("user", "quiet", "yes", "quiet must be true or false, not 'yes'"),
    ("user", "quiet", 1, "quiet must be true or false, not 1"),
    ("variable", "hints", "maybe", "hints must be true or false, not 'maybe'"),
    ("project", "fast", dt.date(2026, 1, 1), "fast must be true or false, not a date or time"),
    ("user", "lock-timeout", False, TIMEOUT + "false"),
    ("user", "lock-timeout", -1, TIMEOUT + "-1"),
    ("user", "lock-timeout", -HUGE, TIMEOUT + "that number"),
    ("user", "lock-timeout", float("nan"), TIMEOUT + "that number"),
    ("project", "lock-timeout", "30", TIMEOUT + "'30'"),
    ("variable", "lock-timeout", "soon", TIMEOUT + "'soon'"),
    ("variable", "lock-timeout", "nan", TIMEOUT + "that number"),
    ("variable", "app-routing", "yes", "app-routing must be auto or explicit or never, not 'yes'"),
    ("user", "outside-project", "tmp", "outside-project must be home or cwd or error, not 'tmp'"),
]


def sentence(verb):
    def of(row):
        level, key, value, _told = row
        value = "a huge number" if isinstance(value, int) and abs(value) == HUGE else ascii(value)[:40]
        return f"a {level} {verb} {key} to {value}"

    return of


@pytest.mark.parametrize("row", TAKEN, ids=map(sentence("sets"), TAKEN))
def test_what_is_taken(row):
    level, key, value, held = row
    settings = told(level, key, value)
    where = "SAFEPIP_" + key.upper().replace("-", "_") if level == "variable" else f"{ORIGINS[level]}:3"
    assert getattr(settings, key.replace("-", "_")) == held
    assert type(getattr(settings, key.replace("-", "_"))) is type(held)
    assert settings.origins == ((key, where),)
    assert settings.warnings == settings.faults == ()


@pytest.mark.parametrize("row", REFUSED, ids=map(sentence("may not set"), REFUSED))
def test_what_is_refused(row):
    level, key, value, reason = row
    settings = told(level, key, value)
    where = "SAFEPIP_" + key.upper().replace("-", "_") if level == "variable" else f"{ORIGINS[level]}:3"
    assert settings.warnings == settings.faults
    assert [str(fault) for fault in settings.faults] == [f"{where}: {reason}"]
    assert settings.origins == ()
    assert getattr(settings, key.replace("-", "_")) == getattr(Settings(), key.replace("-", "_"))


def test_without_a_word_from_anyone_the_defaults_hold():
    assert merge({}, ()) == Settings(
        scope="managed",
        python=None,
        env_dir=".venv",
        system_site_packages=False,
        apps=(),
        libs=(),
        app_routing="auto",
        managed=(),
        unmanaged=(),
        outside_project="home",
        manager_hint=True,
        lock_timeout=None,
        env_redirect=False,
        fast=True,
        auto_repair=False,
        quiet=False,
        hints=True,
        prompt=True,
        trust=(),
        origins=(),
        warnings=(),
        faults=(),
    )


def test_a_variable_beats_the_project_the_user_and_the_system_in_whatever_order_they_come():
    tables = [table("project", env_dir="p"), table("system", env_dir="s"), table("user", env_dir="u")]
    assert merge({"SAFEPIP_ENV_DIR": "v"}, tables).env_dir == "v"
    assert merge({}, tables).env_dir == "p"
    assert merge({}, tables[1:]).env_dir == "u"
    assert merge({}, tables[1:2]).env_dir == "s"


def test_each_key_is_settled_by_itself_and_knows_its_origin():
    settings = merge(
        {"SAFEPIP_QUIET": "yes"},
        (table("system", quiet=False, fast=False), table("user", lines={"env-dir": 7}, env_dir="env")),
    )
    assert (settings.quiet, settings.fast, settings.env_dir) == (True, False, "env")
    assert origin_of(settings, "quiet") == "SAFEPIP_QUIET"
    assert origin_of(settings, "fast") == ORIGINS["system"]
    assert origin_of(settings, "env-dir") == origin_of(settings, "env_dir") == ORIGINS["user"] + ":7"
    assert origin_of(settings, "scope") is None


def test_a_higher_list_replaces_a_lower_one():
    settings = merge({"SAFEPIP_TRUST": HERE}, (table("user", trust=[THERE]),))
    assert settings.trust == (HERE,)


def test_a_value_set_to_its_default_still_has_an_origin():
    settings = merge({}, (table("user", fast=False), table("project", fast=True)))
    assert (settings.fast, origin_of(settings, "fast")) == (True, ORIGINS["project"])


def test_where_a_wrong_value_is_skipped_the_next_lower_one_stands():
    tables = (table("user", scope="always", trust=[HERE]), table("project", scope="managed", trust=["/"]))
    settings = merge({"SAFEPIP_SCOPE": "often"}, tables)
    assert (settings.scope, settings.trust) == ("always", (HERE,))
    assert origin_of(settings, "scope") == ORIGINS["user"]
    assert len(settings.faults) == 3


def test_an_empty_variable_counts_as_unset():
    settings = merge({"SAFEPIP_SCOPE": "", "SAFEPIP_TRUST": ""}, (table("user", scope="always"),))
    assert (settings.scope, settings.faults) == ("always", ())


@pytest.mark.parametrize(
    "name", ["BYPASS", "ENV", "PROJECT", "DEBUG", "HANDOVER", "ANYTHING", "env_dir", "ENV-DIR"]
)
def test_a_variable_that_is_no_setting_is_ignored_silently(name):
    assert merge({"SAFEPIP_" + name: "\n"}, ()) == Settings()


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("env_dir", "unknown key 'env_dir' (did you mean env-dir?)"),
        ("env-dri", "unknown key 'env-dri' (did you mean env-dir?)"),
        ("EnvDir", "unknown key 'EnvDir' (did you mean env-dir?)"),
        ("colour", "unknown key 'colour'"),
        ("a\nb\x1b", "unknown key 'a\\nb\\x1b'"),
        ("k" * 70, f"unknown key '{'k' * 60}…'"),
    ],
    ids=ascii,
)
def test_an_unknown_key_is_a_warning_with_file_and_line_and_no_fault(key, told):
    settings = merge({}, (Table(origin="/p/pyproject.toml", level="project", values={key: 1}, lines={key: 9}),))
    assert settings == Settings(warnings=(Fault(origin="/p/pyproject.toml", line=9, what=told),))
    assert str(settings.warnings[0]) == f"/p/pyproject.toml:9: {told}"


def test_broken_toml_is_a_fault_and_the_other_tables_still_count():
    broken = Fault(origin="/u/config.toml", line=1, what="broken", broken=True)
    settings = merge({}, (table("user", error=broken), table("project", fast=False)))
    assert settings.warnings == settings.faults == (broken,)
    assert settings.fast is False


def test_a_long_value_is_cut_in_the_message():
    (warning,) = merge({"SAFEPIP_SCOPE": "x" * 1000}, ()).warnings
    assert len(str(warning)) < 130


def test_a_table_of_very_many_dotted_keys_does_not_break_the_message():
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    what = "quiet must be true or false, not a table"
    assert merge({}, (table("user", quiet=deep),)).faults == (Fault(origin=ORIGINS["user"], what=what),)


@pytest.mark.parametrize("project", [None, "/", "C:\\Users\\u\\blog", "/home/u/blog/"], ids=str)
def test_wherever_the_project_is_its_environment_stays_inside(project):
    def env_dir(value):
        return merge({}, (table("project", env_dir=value),), project).env_dir

    assert env_dir("sub/env") == "sub/env"
    assert env_dir("../../../../../x") == ".venv"
    assert env_dir("../x") == ".venv"


# One row a setting.


def test_every_field_of_settings_has_a_row_and_every_row_a_field():
    own = {"origins", "warnings", "faults"}
    assert sorted(row.key.replace("-", "_") for row in TABLE) == sorted(set(Settings._fields) - own)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
def test_each_default_is_a_value_that_the_setting_takes(row):
    default = list(row.default) if isinstance(row.default, tuple) else row.default
    assert default is None or row.kind.fits(default)
    assert ROWS[row.key] is row
    assert variable_name(row.key).isupper()


def test_no_folder_is_inside_a_project_that_is_nowhere():
    table = Table(origin="p/pyproject.toml", level="project", values={"env-dir": "mine"})
    assert merge({}, [table], "p").env_dir == "mine"
    assert merge({}, [table], "../p").env_dir == ".venv"
