from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path

import pip
import pip_oracle
import pytest
from pip._vendor.packaging.version import Version
from tree import DATA, SCRIPTS, TREE

from safepip.core import pip_options
from safepip.core.pip_line import LINE, ConfigFile, PipCommand, keys, normalised, opts_out, read

CORPUS = [json.loads(line) for line in Path(DATA, "pip-lines.jsonl").read_text(encoding="utf-8").splitlines()]
OLD_PIP = Version(pip.__version__) < Version(pip_options.VERSION)
needs_pip = pytest.mark.skipif(OLD_PIP, reason=f"the table is pip {pip_options.VERSION}'s")


def line(text: str, variables=(), files=()):
    return read(text.split(), dict(variables), files)


def told(command, *fields: str) -> tuple[object, ...]:
    return tuple(getattr(command, field) for field in ("outcome", *fields))


def conf(path="/etc/pip.conf", kind="global", **sections: dict[str, str]) -> ConfigFile:
    return ConfigFile(path=path, kind=kind, sections=sections)


class TestWords:
    def test_an_operand_is_what_is_no_option(self):
        assert read(["install", "x", "", "-", "y"], {}).requirements == ("x", "", "-", "y")

    def test_options_and_operands_stand_in_any_order_after_the_subcommand(self):
        command = line("install x -U y --user z")
        assert told(command, "requirements", "upgrade", "user") == ("ok", ("x", "y", "z"), True, True)

    def test_after_two_dashes_there_are_only_operands(self):
        assert told(line("install x -- --user -U --"), "requirements", "user") == (
            "ok",
            ("x", "--user", "-U", "--"),
            None,
        )

    def test_two_dashes_before_the_subcommand_reach_its_reading_too(self):
        assert told(line("-q -- install --user x"), "requirements", "user") == ("ok", ("--user", "x"), None)

    def test_a_value_is_the_whole_next_word_whatever_it_looks_like(self):
        command = line("install -r -e . --target --")
        assert told(command, "r_files", "requirements", "target") == ("ok", ("-e",), (".",), "--")

    def test_a_value_after_an_equals_sign_may_be_empty_or_hold_another(self):
        assert told(line("install --target= --root=a=b"), "target", "root") == ("ok", "", "a=b")

    def test_an_empty_word_is_a_value(self):
        assert read(["install", "--report", ""], {}).report == ""

    @pytest.mark.parametrize("words", ["install -r", "install --target", "install -Ur", "--proxy"])
    def test_a_missing_value_is_an_error(self, words):
        assert line(words).error.endswith("option requires 1 argument")

    @pytest.mark.parametrize("words", ["install --user=1", "install --no-cache-dir=", "--isolated=yes install"])
    def test_a_flag_takes_no_value(self, words):
        assert line(words).error.endswith("option does not take a value")

    def test_a_store_takes_the_last_and_an_append_all(self):
        command = line("install -t a -t b -r c -r d -e e -e f -c g --group h --requirements-from-script i")
        assert told(command, "target", "r_files", "editables") == ("ok", "b", ("c", "d"), ("e", "f"))
        assert told(command, "constraints", "groups", "scripts") == ("ok", ("g",), ("h",), ("i",))

    def test_user_and_no_user_share_one_place_and_the_last_wins(self):
        assert line("install --user --no-user").user is False
        assert line("install --no-user --user").user is True

    def test_v_and_q_count(self):
        assert told(line("-v -q install -qvq --verbose"), "quiet", "verbose") == ("ok", 3, 3)


class TestAbbreviations:
    def test_an_exact_name_wins_over_longer_ones(self):
        assert line("install --upgrade x").upgrade is True

    @pytest.mark.parametrize(
        ("words", "field", "value"),
        [
            ("--ta t", "target", "t"),
            ("--prefi=p", "prefix", "p"),
            ("--no-u", "user", False),
            ("--br", "break_system_packages", True),
            ("--dr", "dry_run", True),
            ("--rep r", "report", "r"),
            ("--require-ve", "require_virtualenv", True),
            ("--require-vi", "require_virtualenv", True),
            ("--is", "isolated", True),
            ("--ed .", "editables", (".",)),
            ("--g dev", "groups", ("dev",)),
            ("--requirements a.py", "scripts", ("a.py",)),
        ],
    )
    def test_a_prefix_of_exactly_one_option_is_that_option(self, words, field, value):
        assert told(line("install " + words), field) == ("ok", value)

    @pytest.mark.parametrize("word", ["--require-v", "--no-de", "--us", "--use", "--upg", "--", "--b=1"])
    def test_a_prefix_of_more_is_ambiguous_and_aliases_and_hidden_ones_count(self, word):
        command = read(["install", word if word != "--" else "--=", "x"], {})
        assert told(command, "unknown_option") == ("parse_error", None)
        assert command.error.startswith("ambiguous option: ")

    def test_the_error_names_them_all(self):
        assert line("install --upg").error == "ambiguous option: --upg (--upgrade, --upgrade-strategy?)"

    def test_it_must_be_the_only_one_in_both_readings(self):
        assert told(line("--pro u install x"), "subcommand") == ("parse_error", "install")
        assert told(line("--pro u list"), "subcommand") == ("ok", "list")

    def test_a_word_of_one_dash_is_never_one(self):
        assert line("install -user x").unknown_option == "-u"


class TestBundles:
    @pytest.mark.parametrize(
        ("words", "r_files", "requirements"),
        [
            ("-qUr f x", ("f",), ("x",)),
            ("-Urf x", ("f",), ("x",)),
            ("-r=f x", ("=f",), ("x",)),
            ("-rU x", ("U",), ("x",)),
        ],
    )
    def test_the_first_letter_with_a_value_takes_the_rest_or_the_next_word(self, words, r_files, requirements):
        assert told(line("install " + words), "r_files", "requirements") == ("ok", r_files, requirements)

    def test_a_swallowed_letter_is_no_option(self):
        assert told(line("install -Uet ."), "editables", "requirements", "target") == ("ok", ("t",), (".",), None)

    def test_a_letter_may_mean_another_thing_to_another_subcommand(self):
        assert told(line("list -e"), "editables") == ("ok", ())
        assert told(line("show -f x"), "requirements") == ("ok", ("x",))

    def test_an_unknown_letter_is_an_error(self):
        assert told(line("install -1"), "error", "unknown_option") == ("parse_error", "no such option: -1", "-1")


class TestSubcommand:
    @pytest.mark.parametrize("words", ["", "-q", "--", "help", "-v help", "-- help"])
    def test_no_operand_or_exactly_help_is_main_help(self, words):
        assert told(line(words), "subcommand") == ("main_help", None)

    def test_help_of_a_subcommand_is_an_ordinary_subcommand(self):
        assert told(line("help install x"), "subcommand", "requirements") == ("ok", "help", ("install", "x"))
        assert told(line("help -v"), "subcommand") == ("ok", "help")

    @pytest.mark.parametrize("word", ["INSTALL", "inst", "", "-", "install ", "--"])
    def test_any_other_word_is_an_unknown_command(self, word):
        command = read(["--", word, "install"], {})
        assert told(command, "subcommand", "error") == ("unknown_command", None, f'unknown command "{word}"')
        assert command.requirements == ()

    def test_the_first_word_that_equals_the_subcommand_is_removed_even_a_value(self):
        command = line("--proxy install -v install x")
        assert told(command, "subcommand", "requirements") == ("ok", "install", ("install", "x"))

    def test_options_of_a_subcommand_do_not_stand_before_it(self):
        assert told(line("-qU install x"), "subcommand", "unknown_option") == ("parse_error", None, "-U")
        assert told(line("--user install x"), "subcommand", "unknown_option") == ("parse_error", None, "--user")

    def test_a_subcommand_may_be_an_operand(self):
        assert told(line("install list"), "subcommand", "requirements") == ("ok", "install", ("list",))


class TestHelpAndVersion:
    def test_help_before_the_subcommand_is_main_help_whatever_follows(self):
        assert told(line("-h nonsense --bogus"), "error") == ("main_help", None)
        assert told(line("-vh --python p install"), "main_python") == ("main_help", None)

    def test_help_is_printed_at_the_moment_it_is_reached(self):
        assert line("install --help --bogus").outcome == "command_help"
        assert line("install --bogus --help").outcome == "parse_error"
        assert line("--bogus --help install").outcome == "parse_error"

    def test_version_comes_after_the_whole_first_reading(self):
        assert line("-V nonsense").outcome == "version"
        assert line("--version --bogus").outcome == "parse_error"
        assert line("--version -h").outcome == "main_help"

    def test_version_stands_before_the_subcommand_only(self):
        assert line("install -V").unknown_option == "-V"

    def test_version_may_be_asked_for_by_a_file_but_not_by_a_variable(self):
        assert line("list", files=[conf(**{"global": {"version": "1"}})]).outcome == "version"
        assert line("list", {"PIP_VERSION": "1", "PIP_HELP": "maybe"}).outcome == "ok"


class TestValues:
    @pytest.mark.parametrize("value", ["5", "-5", " 5", "0x1F", "0b", "0b11", "017", "0o17", "1_0"])
    def test_an_integer_in_optparses_writing(self, value):
        assert read(["--retries", value, "list"], {}).outcome == "ok"

    @pytest.mark.parametrize("value", ["", "x", "1.5", "09", "0xg", "0b2"])
    def test_no_integer(self, value):
        error = f"option --retries: invalid integer value: {value!r}"
        assert told(read(["--retries", value, "list"], {}), "error") == ("parse_error", error)

    def test_floats(self):
        assert line("--timeout 1e3 list").outcome == "ok"
        assert line("--timeout x list").error == "option --timeout: invalid floating-point value: 'x'"

    def test_choices(self):
        assert line("list --format json").outcome == "ok"
        error = "option --format: invalid choice: 'x' (choose from 'columns', 'freeze', 'json')"
        assert line("list --form x").error == error

    def test_a_setting_for_a_build_is_key_and_value(self):
        assert line("install -C a=b --config-settings=a=c x").outcome == "ok"
        assert line("install -Ca x").error == "Arguments to -C must be of the form KEY=VAL"

    def test_what_only_a_callback_of_pips_judges_is_left_to_pip(self):
        assert line("install --python-version x --group a/b:c --no-binary -x y").outcome == "ok"


class TestUnknownOption:
    def test_the_rest_is_read_with_it_as_a_flag(self):
        command = line("install --new -t d --newer=v -r f x --user")
        assert told(command, "error", "unknown_option") == ("parse_error", "no such option: --new", "--new")
        assert told(command, "target", "r_files", "requirements", "user") == (
            "parse_error",
            "d",
            ("f",),
            ("x",),
            True,
        )

    def test_so_is_the_rest_of_a_bundle(self):
        assert told(line("install -yU x"), "unknown_option", "upgrade") == ("parse_error", "-y", True)

    def test_its_name_comes_without_the_value(self):
        assert line("install --newer=v x").unknown_option == "--newer"

    @pytest.mark.parametrize("later", ["--upg", "-r", "--user=1", "--help", "--python p"])
    def test_it_stays_the_reason_whatever_comes_later(self, later):
        assert told(line("install --new x " + later), "unknown_option") == ("parse_error", "--new")

    def test_another_error_is_no_unknown_option(self):
        assert told(line("install -r"), "unknown_option") == ("parse_error", None)
        assert told(line("install --upg --new"), "unknown_option") == ("parse_error", None)


class TestPython:
    def test_before_the_subcommand_pip_acts_on_it(self):
        assert told(line("--python P install x"), "python", "main_python") == ("ok", "P", "P")

    def test_after_it_pip_says_where_it_belongs(self):
        command = line("install --python P x")
        assert told(command, "python", "main_python") == ("python_after_subcommand", "P", None)
        assert command.error == "The --python option must be placed before the pip subcommand name"
        assert dict(command.origins)["python"] == LINE

    def test_an_empty_one_is_none(self):
        assert told(line("--python= install --python= x"), "python", "main_python", "origins") == (
            "ok",
            None,
            None,
            (),
        )

    def test_the_variable_is_as_if_placed_first_and_the_line_wins(self):
        command = line("install --python Q x", {"PIP_PYTHON": "P"})
        assert told(command, "python", "main_python") == ("ok", "P", "P")
        assert dict(command.origins)["python"] == "PIP_PYTHON"
        command = line("--python Q install x", {"PIP_PYTHON": "P"})
        assert told(command, "main_python", "origins") == ("ok", "Q", (("python", LINE),))

    def test_the_global_section_counts_and_that_of_the_subcommand_is_too_late(self):
        assert line("install x", files=[conf(**{"global": {"python": "P"}})]).main_python == "P"
        command = line("install x", files=[conf(install={"python": "P"})])
        assert told(command, "main_python") == ("python_after_subcommand", None)
        assert dict(command.origins)["python"] == "/etc/pip.conf"

    def test_it_comes_before_version_help_and_unknown_commands(self):
        for words, outcome in (("-V", "version"), ("", "main_help"), ("nope", "unknown_command")):
            assert told(line("--python P " + words), "main_python") == (outcome, "P")

    def test_a_line_that_is_refused_at_once_does_not_get_to_it(self):
        assert told(line("--python P --bogus install"), "main_python", "python") == ("parse_error", None, None)

    def test_where_its_words_are(self):
        assert line("-q --pyth P -v --python=Q install --python R x").python_words == (1, 2, 4)
        assert line("install --python R x").python_words == ()


class TestVariables:
    def test_of_all_kinds(self):
        variables = {
            "PIP_TARGET": "t",
            "PIP_PREFIX": "p",
            "PIP_ROOT": "/",
            "PIP_REPORT": "r",
            "PIP_DRY_RUN": "on",
            "PIP_BREAK_SYSTEM_PACKAGES": "1",
            "PIP_REQUIRE_VENV": "yes",
            "PIP_ISOLATED": "t",
            "PIP_REQUIREMENT": "a b",
            "PIP_GROUP": "a b",
            "PIP_QUIET": "2",
            "PIP_VERBOSE": "true",
            "PIP_CONFIG_SETTINGS": "a=b",
            "PIP_NO_CACHE_DIR": "off",
            "PIP_NOTHING": "x",
            "HOME": "/",
        }
        command = line("install -r c -q", variables)
        assert told(command, "target", "prefix", "root", "report", "dry_run") == ("ok", "t", "p", "/", "r", True)
        assert told(command, "break_system_packages", "require_virtualenv", "isolated") == ("ok", True, True, True)
        assert told(command, "r_files", "groups", "quiet", "verbose") == ("ok", ("a", "b", "c"), ("a b",), 3, 1)

    def test_an_option_of_another_command_is_ignored(self):
        assert line("list", {"PIP_TARGET": "t"}).target is None

    @pytest.mark.parametrize("name", ["PIP_USER", "PIP_user", "PIP___USER"])
    def test_the_prefix_is_upper_case_and_the_rest_any_case_and_dashes(self, name):
        assert line("install x", {name: "1"}).user is True

    @pytest.mark.parametrize("name", ["pip_user", "PIP_USE", "PIPUSER", "_PIP_USER"])
    def test_other_names_are_ignored(self, name):
        assert line("install x", {name: "1"}).user is None

    @pytest.mark.parametrize("subcommand", ["install", "list", "freeze", "inspect"])
    def test_pip_user_counts_for_all_that_have_the_option(self, subcommand):
        assert line(subcommand, {"PIP_USER": "1"}).user is True
        assert line(subcommand, {"PIP_USER": "0"}).user is False
        assert line(subcommand).user is None

    def test_no_user_is_inverted(self):
        assert line("install x", {"PIP_NO_USER": "1"}).user is True
        assert line("install x", {"PIP_NO_USER": "0"}).user is False

    def test_an_empty_one_is_absent_and_hides_no_file(self):
        assert line("install x", {"PIP_TARGET": ""}).target is None
        command = line("install x", {"PIP_TARGET": ""}, [conf(install={"target": "t"})])
        assert command.target == "t"

    @pytest.mark.parametrize(
        ("variable", "value", "error"),
        [
            ("PIP_NO_INPUT", "maybe", "maybe is not a valid value for no-input option, please specify a boolean"),
            ("PIP_QUIET", "-1", "-1 is not a valid value for quiet option, please instead specify"),
            ("PIP_QUIET", "few", "few is not a valid value for quiet option, please instead specify"),
            ("PIP_RETRIES", "x", "option retries: invalid integer value: 'x'"),
            ("PIP_USE_FEATURE", "truststore x", "option use-feature: invalid choice: 'x'"),
            ("PIP_NO_CACHE_DIR", "MAYBE", "--no-cache-dir error: invalid truth value 'maybe'"),
        ],
    )
    def test_a_wrong_value_is_an_error_before_any_word_is_read(self, variable, value, error):
        command = line("-h", {variable: value})
        assert told(command, "subcommand") == ("parse_error", None)
        assert command.error.startswith(error)

    def test_a_wrong_value_for_the_subcommands_own_option(self):
        command = line("install -h", {"PIP_CONFIG_SETTINGS": "x"})
        assert told(command, "subcommand") == ("parse_error", "install")
        assert command.error == "Arguments to --config-settings must be of the form KEY=VAL"


class TestFiles:
    def test_a_later_file_beats_an_earlier_one(self):
        files = [conf(install={"target": "a"}), conf("/b", "user", install={"target": "b"})]
        command = line("install x", files=files)
        assert told(command, "target", "origins") == ("ok", "b", (("target", "/b"),))

    def test_but_a_section_beats_a_file(self):
        files = [conf(install={"target": "a"}), conf("/b", "user", **{"global": {"target": "b"}})]
        assert line("install x", files=files).target == "a"

    def test_variables_beat_files_and_the_line_beats_all(self):
        files = [conf(install={"target": "a"})]
        command = line("install x", {"PIP_TARGET": "v"}, files)
        assert told(command, "target", "origins") == ("ok", "v", (("target", "PIP_TARGET"),))
        command = line("install x -t l", {"PIP_TARGET": "v"}, files)
        assert told(command, "target", "origins") == ("ok", "l", (("target", LINE),))

    def test_an_empty_value_in_a_later_file_hides_that_of_its_own_section(self):
        later = conf("/b", "user", install={"target": "", "root": ""})
        files = [conf(install={"target": "a"}, **{"global": {"root": "r"}}), later]
        assert told(line("install x", files=files), "target", "root") == ("ok", None, "r")

    def test_section_names_are_case_sensitive_and_those_of_others_ignored(self):
        assert line("install x", files=[conf(Install={"target": "a"}, list={"target": "b"})]).target is None

    def test_an_appending_option_replaces_and_the_line_adds(self):
        files = [conf(install={"requirement": "b"}, **{"global": {"requirement": "a"}})]
        assert line("install -r c", files=files).r_files == ("b", "c")

    def test_groups_add_up(self):
        files = [conf(install={"group": "b"}, **{"global": {"group": "a"}})]
        assert line("install --group d", {"PIP_GROUP": "c"}, files).groups == ("a", "b", "c", "d")

    def test_a_section_named_as_pip_names_its_variables_is_one_of_them(self):
        files = [conf(install={"target": "a"}, **{":env:": {"target": "e"}})]
        assert line("install x --isolated", {"PIP_TARGET": "v"}, files).target == "e"

    def test_a_broken_file_ends_every_command(self):
        broken = ConfigFile(path="/c", kind="user", sections={}, error="broken")
        command = line("--isolated install x", files=[conf(), broken])
        assert told(command, "subcommand", "error", "argv") == (
            "parse_error",
            None,
            "broken",
            ("--isolated", "install", "x"),
        )

    def test_keys_are_normalised_as_pip_does(self):
        assert [normalised(name) for name in ("--No_User", "USER", "__user", "a--b")] == [
            "no-user",
            "user",
            "user",
            "a--b",
        ]


class TestIsolated:
    VARIABLES = {"PIP_TARGET": "v", "PIP_PYTHON": "P"}  # noqa: RUF012  never changed in place
    FILES = (
        conf("/g", "global", install={"root": "g"}),
        conf("/u", "user", install={"prefix": "u"}, **{"global": {"no-input": "1"}}),
        conf("/s", "site", install={"report": "s"}),
        conf("/e", "env", install={"dry-run": "1"}),
    )

    def facts(self, words):
        return told(
            read(words, self.VARIABLES, self.FILES), "target", "root", "prefix", "report", "dry_run", "main_python"
        )[1:]

    ALONE = (None, "g", None, "s", True, "P")

    @pytest.mark.parametrize(
        "words",
        [
            ["install", "x", "--isolated"],
            ["--isolated", "install", "x"],
            ["install", "--", "--isolated"],
            ["install", "-r", "--isolated"],
        ],
        ids=["after", "before", "as an operand", "as a value"],
    )
    def test_the_exact_word_drops_variables_and_the_users_files(self, words):
        assert self.facts(words) == self.ALONE

    def test_it_does_not_touch_the_first_reading(self):
        assert self.facts(["--isolated", "install"])[-1] == "P"

    @pytest.mark.parametrize("words", [["install", "--isol"], ["--is", "install"]])
    def test_an_abbreviation_sets_the_option_and_isolates_nothing(self, words):
        assert self.facts(words) == ("v", "g", "u", "s", True, "P")
        assert read(words, {}).isolated is True

    def test_neither_does_the_variable(self):
        assert told(line("install", {"PIP_ISOLATED": "1", "PIP_USER": "1"}), "isolated", "user") == (
            "ok",
            True,
            True,
        )


class TestWhereOnTheLine:
    def test_options_are_those_of_the_second_reading_in_order(self):
        command = line("-q install -Ur f --targ=t x --no-deps")
        assert command.options == (
            ("--quiet", "quiet", None),
            ("--upgrade", "upgrade", None),
            ("--requirement", "requirements", "f"),
            ("--target", "target_dir", "t"),
            ("--no-deps", "ignore_dependencies", None),
        )

    def test_there_are_none_without_a_second_reading(self):
        assert told(line("-q --version"), "options", "quiet") == ("version", (), 1)

    def test_user_words_are_whole_words_read_as_the_option(self):
        assert line("install --user x --user -r --user -- --user").user_words == (1, 3)

    def test_positions_are_those_of_the_line_as_typed(self):
        assert line("--proxy install -v install --user").user_words == (4,)

    @pytest.mark.parametrize("subcommand", ["list", "freeze", "inspect"])
    def test_user_of_the_readers_counts(self, subcommand):
        assert told(line(subcommand + " --user"), "user", "user_words") == ("ok", True, (1,))

    def test_user_of_config_is_another_thing(self):
        assert told(line("config --user list"), "user", "user_words", "origins") == ("ok", None, (), ())

    def test_no_user_is_no_user_word(self):
        assert line("install --no-user").user_words == ()

    def test_origins_name_fields(self):
        command = line("install --user --dry-run x", {"PIP_ROOT": "/", "PIP_NO_INPUT": "1"})
        assert dict(command.origins) == {"root": "PIP_ROOT", "user": LINE, "dry_run": LINE}


class TestOptsOut:
    def test_names_the_variable(self):
        assert opts_out({"PIP_BREAK_SYSTEM_PACKAGES": "1"}, []) == "PIP_BREAK_SYSTEM_PACKAGES"

    def test_names_the_file(self):
        assert opts_out({}, [conf(**{"global": {"break-system-packages": "true"}})]) == "/etc/pip.conf"

    def test_the_last_word_counts(self):
        files = [conf(install={"break-system-packages": "true"})]
        assert opts_out({"PIP_BREAK_SYSTEM_PACKAGES": "no"}, files) is None

    def test_is_none_where_nothing_says_so(self):
        assert opts_out({"PIP_USER": "1"}, [conf()]) is None


def test_the_line_stays_as_it_was_typed():
    words = ["install", "name @ file:///a b", "", "caf\udce9"]
    assert read(words, {}).argv == tuple(words)
    assert words == ["install", "name @ file:///a b", "", "caf\udce9"]


@pytest.mark.parametrize("row", CORPUS, ids=[row["line"] for row in CORPUS])
def test_a_line_of_the_corpus(row):
    """The corpus tells of the words alone; its leading assignments are in the next test."""
    command, truth = read(row["argv"], {}), row["truth"]
    assert told(command, "subcommand", "main_python") == (
        truth["outcome"],
        truth["subcommand"],
        truth["main_python"],
    )
    if truth["outcome"] in {"parse_error", "unknown_command", "python_after_subcommand"}:
        assert truth["message"].split(" - maybe you meant")[0] == command.error
    if truth["outcome"] in {"ok", "python_after_subcommand"}:
        fields = [field for field in truth if field not in {"outcome", "parse_error", "exit_code", "message"}]
        wanted = {
            field: tuple(truth[field]) if isinstance(truth[field], list) else truth[field] for field in fields
        }
        assert {field: getattr(command, field) for field in fields} == wanted


@needs_pip
@pytest.mark.parametrize("row", [row for row in CORPUS if row["env_prefix"]], ids=lambda row: row["line"])
def test_a_line_of_the_corpus_with_its_assignments(row):
    variables = dict(assignment.split("=", 1) for assignment in row["env_prefix"])
    assert pip_oracle.facts(read(row["argv"], variables)) == pip_oracle.truth(row["argv"], variables)


def test_an_assignment_before_the_line_acts_as_a_variable():
    [row, *_] = [row for row in CORPUS if "PIP_BREAK_SYSTEM_PACKAGES=1" in row["env_prefix"]]
    command = read(row["argv"], {"PIP_BREAK_SYSTEM_PACKAGES": "1"})
    assert told(command, "break_system_packages") == ("ok", True)


@needs_pip
@pytest.mark.parametrize("seed", range(10))
def test_lines_by_chance_are_read_as_pip_reads_them(seed):
    for argv, variables, files in pip_oracle.cases(random.Random(seed), 50):
        wanted = pip_oracle.truth(argv, variables, files)
        assert pip_oracle.facts(read(argv, variables, files)) == wanted, (argv, variables, files)


def test_without_its_python_words_a_line_names_no_python():
    for argv, _, _ in pip_oracle.cases(random.Random(99), 500):
        command = read(argv, {})
        given = [word for word in argv if word.startswith("--py")]
        if (
            command.outcome == "ok"
            and command.python_words
            and len(given) == 1
            and argv.count(command.subcommand) == 1
        ):
            kept = [word for index, word in enumerate(argv) if index not in command.python_words]
            again = read(kept, {})
            assert told(again, "main_python", "subcommand") == ("ok", None, command.subcommand)
            assert again.requirements == command.requirements


@needs_pip
def test_the_table_is_that_of_the_installed_pip():
    spec = importlib.util.spec_from_file_location("make_options", Path(SCRIPTS, "make_options.py"))
    make_options = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_options)
    assert make_options.TABLE.read_text(encoding="utf-8") == make_options.render()


def test_reading_imports_nothing_else():
    code = "import sys; known = set(sys.modules); import safepip.core.pip_line; print(*sorted(set(sys.modules) - known))"
    done = subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True, cwd=TREE)
    assert done.stdout.split() == [
        "__future__",
        "safepip",
        "safepip.core",
        "safepip.core.pip_line",
        "safepip.core.pip_options",
        "safepip.core.record",
    ]


def test_every_field_that_an_option_fills_is_filled_by_one():
    """A field that no option names stays at its default, whatever the line says."""
    filled = {field for _, _, _, _, _, field, _ in pip_options.SPECS if field}
    read_otherwise = {
        "argv", "outcome", "subcommand", "error", "unknown_option", "main_python", "requirements", "options",
        "user_words", "python_words", "origins",
    }  # fmt: skip
    assert filled | read_otherwise == set(PipCommand._fields)


def test_options_are_listed_by_their_use_without_dashes():
    assert {"index-url", "extra-index-url", "find-links"} <= keys("source")
    assert not {"i", "group", "--index-url"} & keys("source")
