"""scripts/make_site.py: the site is built without a warning, and no link of it leads nowhere."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
from tree import SCRIPTS, TREE

from safepip.core import settings
from safepip.core.invocation import OPTIONS, TOPICS, VERBS


@pytest.fixture(scope="module")
def make_site():
    spec = importlib.util.spec_from_file_location("make_site", os.path.join(SCRIPTS, "make_site.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for module in ("sphinx", "furo", "myst_parser", "sphinx_copybutton"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: the dependency group docs")
    out = str(tmp_path_factory.mktemp("site") / "out")
    done = subprocess.run(
        [sys.executable, os.path.join(SCRIPTS, "make_site.py"), out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def test_the_site_has_a_page_for_each_topic_and_the_references(site):
    for name in (*TOPICS, "index", "verbs", "changelog"):
        assert "<h1>" in read(site, f"{name}.html"), name
    assert [row.key for row in settings.TABLE if f">{row.key}<" not in read(site, "settings.html")] == []
    verbs = read(site, "verbs.html")
    assert [verb for verb in VERBS if verb != "hook" and f"safepip {verb}" not in verbs] == []
    assert [option for option in OPTIONS if option not in verbs] == []
    assert "safepip env repair" in verbs


def test_options_keep_their_dashes_in_prose(site):
    assert "From --break-system-packages to safepip" in read(site, "moving.html")


def test_search_finds_words_of_the_pages(site):
    index = read(site, "searchindex.js")
    assert "raspberri" in index or "raspberry" in index
    assert os.path.isfile(os.path.join(site, "search.html"))


def test_llms_txt_names_every_page_and_its_plain_text(site):
    told = read(site, "llms.txt")
    assert told.startswith("# safepip\n\n> safepip makes `pip install` work again")
    assert [topic for topic in TOPICS if f"({topic}.md): " not in told] == []
    assert read(site, "faq.md") == read(TREE, "safepip", "help", "faq.md").rstrip() + "\n"


def test_nothing_but_a_site_is_replaced(site, make_site, tmp_path, capsys):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(SystemExit):
        make_site.main([str(tmp_path)])
    assert "holds something else than a site" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_a_link_or_an_anchor_that_leads_nowhere_is_named(make_site, tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="b.html#there">x</a><a href="#here">x</a>')
    (tmp_path / "b.html").write_text('<img src="gone.svg"><a href="a.html#here">x</a><a href="https://x/y">x</a>')
    assert sorted(make_site.broken_links(str(tmp_path))) == [
        "a.html: b.html#there leads nowhere",
        "b.html: gone.svg leads nowhere",
    ]
