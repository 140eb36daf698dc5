from __future__ import annotations

import pytest

from safepip.core.invocation import FLAGS, TOPICS, VALUED, VERBS, Invocation, read_invocation


def read(line, program="/usr/bin/safepip", **options):
    return read_invocation(program, line.split(), **options)


def words(line):
    return tuple(line.split())


# -- the name decides


@pytest.mark.parametrize(
    ("program", "name", "version"),
    [
        ("pip", "pip", None),
        ("/home/u/bin/pip", "pip", None),
        ("pip3", "pip3", "3"),
        ("pip3.12", "pip3.12", "3.12"),
        ("/usr/bin/pip-3.12", "pip-3.12", "3.12"),
        ("pip-3", "pip-3", "3"),
        ("pip.exe", "pip", None),
        ("pip3.12.EXE", "pip3.12", "3.12"),
    ],
)
def test_called_as_pip_every_word_is_pips(program, name, version):
    line = "--system --env x explain install"
    told = read(line, program)
    assert told == Invocation(words=words(line), name=name, version=version, shim=True)


@pytest.mark.parametrize(
    "program", ["safepip", "/opt/safepip.exe", "pipx", "pip-", "pip3.", "pip.3", "pip3.12.1", "pipe3", "python"]
)
def test_called_as_anything_else_safepips_own_words_count(program):
    told = read("--system list", program)
    assert told == Invocation(words=("list",), system=True)


def test_as_a_module_the_name_of_the_file_does_not_count():
    told = read("--system list", "/x/pip3.11", module=True)
    assert told == Invocation(words=("list",), module=True, system=True)


# -- options of safepip's own


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--system install six", {"system": True}),
        ("--app install six", {"route": "app"}),
        ("--lib install six", {"route": "lib"}),
        ("--app --lib install six", {"route": "lib"}),
        ("--env DIR install six", {"env": "DIR"}),
        ("--env=DIR install six", {"env": "DIR"}),
        ("--env --system install six", {"env": "--system"}),
        ("--env=a=b install six", {"env": "a=b"}),
        ("--env a --env b install six", {"env": "b"}),
        ("--project ../other install six", {"project": "../other"}),
        ("--project=.. --env x --system install six", {"project": "..", "env": "x", "system": True}),
        ("--safepip-version install six", {"show_version": True}),
        ("--save install six", {"save": ""}),
        ("--save=dev.txt install six", {"save": "dev.txt"}),
        ("--save=a=b install six", {"save": "a=b"}),
        ("--save= install six", {"save": ""}),
    ],
)
def test_own_options_before_the_subcommand_are_taken_out(line, said):
    assert read(line) == Invocation(words=("install", "six"), **said)


@pytest.mark.parametrize("option", VALUED)
@pytest.mark.parametrize("form", ["{}", "{}=", "{}= install six"])
def test_an_option_without_its_directory_is_an_error(option, form):
    assert read(form.format(option)).error == f"{option} needs a directory"


def test_an_empty_word_is_no_directory():
    assert read_invocation("safepip", ["--env", "", "list"]).error == "--env needs a directory"


@pytest.mark.parametrize("option", [*FLAGS, "--env x", "--project x"])
def test_after_the_subcommand_they_are_pips(option):
    line = f"install {option} six"
    assert read(line) == Invocation(words=words(line))


@pytest.mark.parametrize("option", [*FLAGS, "--env x"])
def test_after_two_dashes_they_are_pips(option):
    line = f"-- {option} list"
    assert read(line) == Invocation(words=words(line))


@pytest.mark.parametrize("word", ["--syst", "--system=1", "--en", "--proj=x", "--li", "--app=", "-system"])
def test_are_never_abbreviated_nor_given_what_they_do_not_take(word):
    assert read(f"{word} list") == Invocation(words=(word, "list"))


@pytest.mark.parametrize(
    ("pips", "kept"),
    [
        ("-q", "-q"),
        ("-qvv", "-qvv"),
        ("--isolated", "--isolated"),
        ("--python P", "--python P"),
        ("--python --env", "--python --env"),
        ("--python=P", "--python=P"),
        ("--pyth P", "--pyth P"),
        ("--log --system", "--log --system"),
        ("--proxy explain", "--proxy explain"),
        ("--no-such-option", "--no-such-option"),
        ("--no", "--no"),
        ("--timeout 3 --retries 4", "--timeout 3 --retries 4"),
    ],
)
def test_pips_options_between_them_stay_with_their_values(pips, kept):
    told = read(f"--lib {pips} --system list --system")
    assert told == Invocation(words=words(f"{kept} list --system"), system=True, route="lib")


def test_an_ambiguous_abbreviation_takes_no_value_for_pip_ends_there():
    assert read("--re list --system") == Invocation(words=words("--re list --system"))


def test_a_missing_value_of_pips_is_left_to_pip():
    assert read("--system --python") == Invocation(words=("--python",), system=True)


# -- words of safepip's own


@pytest.mark.parametrize("verb", VERBS)
def test_own_words_stand_where_pips_subcommand_would(verb):
    told = read(f"--env x -q {verb} --system y")
    assert (told.verb, told.arguments, told.env) == (verb, ("--system", "y"), "x")


@pytest.mark.parametrize("verb", VERBS)
def test_help_on_an_own_word_is_safepips(verb):
    told = read(f"help {verb}")
    assert (told.verb, told.arguments) == (verb, ("--help",))


@pytest.mark.parametrize("topic", TOPICS)
def test_help_on_a_topic_is_a_page_of_safepips(topic):
    told = read(f"--system help {topic}")
    assert (told.verb, told.arguments) == ("help", (topic,))
    assert read(f"help {topic} --no-pager").arguments == (topic, "--no-pager")


@pytest.mark.parametrize("verb", ["env", "app"])
def test_help_on_a_word_of_an_own_word_is_that_words(verb):
    told = read(f"help {verb} list")
    assert (told.verb, told.arguments) == (verb, ("list", "--help"))


@pytest.mark.parametrize("line", ["help docker", "help run"])
def test_called_as_pip_all_help_is_pips(line):
    assert read(line, "pip").verb is None


@pytest.mark.parametrize(
    "line", ["help", "help install", "help install run", "help run install", "help dockers", "help docker make"]
)
def test_other_help_is_pips(line):
    assert read(line) == Invocation(words=words(line))


@pytest.mark.parametrize("line", ["install run", "list explain", "-- run", "--proxy run list", "RUN", ""])
def test_own_words_elsewhere_are_pips(line):
    assert read(line) == Invocation(words=words(line))


def test_a_single_dash_is_a_word():
    assert read("- --system") == Invocation(words=("-", "--system"))


def test_words_are_kept_byte_for_byte():
    odd = ["install", "", " ", "caf\udce9", "a\nb", "-", "--", "--system"]
    assert read_invocation("safepip", odd).words == tuple(odd)
    assert read_invocation("pip", odd).words == tuple(odd)


@pytest.mark.parametrize(
    "line", ["--save", "--save list", "--save=x freeze", "--save -q doctor", "--save help install"]
)
def test_save_without_an_install_or_uninstall_is_an_error(line):
    assert read(line).error == "--save goes before install or uninstall"


def test_save_stands_among_options_of_pips_and_of_safepips():
    told = read("-q --save --env x uninstall -y six")
    assert told == Invocation(words=("-q", "uninstall", "-y", "six"), save="", env="x")
