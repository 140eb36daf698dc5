#!/usr/bin/env python3
"""Build the site: python3 scripts/make_site.py OUT.

Its pages are README.md, the pages of `safepip help`, a reference made from the parsers of the verbs, and
CHANGELOG.md. Sphinx makes the HTML, with its configuration in scripts/_site, and stops at the first warning; then
every link and anchor between the pages is checked. OUT also gets llms.txt, which names the pages for language
models, and the Markdown of each page beside its HTML. Needs the dependency group `docs` of pyproject.toml.
"""

from __future__ import annotations

import argparse
import glob
import html.parser
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from importlib import import_module

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import safepip
from safepip.core.invocation import OPTIONS, TOPICS, VERBS
from safepip.verbs.help import page
from safepip.verbs.markdown import HEADING, PARAGRAPH, blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLONE = sys.path[0]
CONFIGURATION = os.path.join(CLONE, "scripts", "_site")
PICTURES = os.path.join(CLONE, "scripts", "pictures")
# The pages in the order of the sidebar. Topics that no group names come last in the second.
GROUPS = {
    "Start": ["getting-started", "comparison", "faq"],
    "How to": [
        "docker", "ci", "make", "cron", "notebooks", "raspberry-pi", "ros", "moving", "upgrade-and-save", "agents",
    ],
    "How it works": ["deciding", "how-it-works", "recovery", "security", "speed", "limits"],
    "Reference": ["verbs", "settings", "environment-variables", "exit-codes", "json", "contributing", "changelog"],
}  # fmt: skip
# Below the title of a page: a terminal has no pictures, so they do not stand in the page itself.
ILLUSTRATED = {
    "getting-started": "![A session: pip refuses, safepip installs](session.svg)",
    "deciding": "![Where an install goes: six questions, the first that fits counts](decision.svg)",
    "speed": "![CPU time of safepip against pip and others](bench.svg)",
}
LINK = re.compile(r"\[([^\]]+)\](?:\([^)]+\))?")
LABELS = {
    "agents": "Coding agents", "neighbours": "Other tools on the word pip",
    "ci": "CI", "cron": "cron, ssh and systemd", "docker": "Dockerfile", "faq": "Questions", "json": "JSON output",
    "make": "Makefile", "moving": "From --break-system-packages", "raspberry-pi": "Raspberry Pi", "ros": "ROS",
    "verbs": "Verbs and options",
}  # fmt: skip


def main(argv: list[str]) -> int:
    """Build the site and check its links; return the exit code."""
    parser = argparse.ArgumentParser(prog="make_site.py", description="Build the site.")
    parser.add_argument("out", metavar="OUT", help="a directory that is made, or replaced if it holds a site")
    out = os.path.abspath(parser.parse_args(argv).out)
    if os.path.isdir(out) and os.listdir(out) and not os.path.exists(os.path.join(out, "llms.txt")):
        parser.error(f"{out} holds something else than a site")
    texts = pages()
    with tempfile.TemporaryDirectory(prefix="safepip-site-") as work:
        write_sources(work, texts)
        made = os.path.join(work, "html")
        environ = {**os.environ, "SAFEPIP_SITE_VERSION": safepip.__version__}
        command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "-c", CONFIGURATION, work, made]
        if subprocess.run(command, env=environ, check=False).returncode != 0:
            return 1
        add_plain_pages(made, texts)
        broken = list(broken_links(made))
        for line in broken:
            print(line, file=sys.stderr)
        if not broken:
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(made, out, ignore=shutil.ignore_patterns(".doctrees", ".buildinfo"))
            print(f"wrote {out}: {len(texts)} pages")
    return 1 if broken else 0


# --- the pages in Markdown


def pages() -> dict[str, str]:
    """Return the Markdown of each page by its name."""
    texts = {topic: illustrated(topic) for topic in TOPICS}
    texts["verbs"] = "\n".join(reference())
    texts["changelog"] = "---\nnosearch: true\n---\n" + read("CHANGELOG.md")
    texts["index"] = front_page()
    return texts


def illustrated(topic: str) -> str:
    """Return the page on a topic, with its picture if it has one."""
    title, _, rest = page(topic).partition("\n")
    picture = ILLUSTRATED.get(topic)
    return f"{title}\n\n{picture}\n{rest}" if picture else f"{title}\n{rest}"


def read(name: str) -> str:
    """Return the text of a file of the clone."""
    with open(os.path.join(CLONE, name), encoding="utf-8") as file:
        return file.read()


def front_page() -> str:
    """Return the README, with links to pages in place of `safepip help TOPIC`, and the sidebar."""
    text = re.sub(r"`safepip help ([a-z-]+)`", as_link, read("README.md"))
    text = re.sub(r"\]\((?:safepip/help/|scripts/pictures/|scripts/)", "](", text)
    text = text.replace('="scripts/pictures/', '="')
    text = text.replace("](CHANGELOG.md", "](changelog.md")
    return "\n".join([text, *sidebar()])


def as_link(found: re.Match[str]) -> str:
    """Return a link to the page that a command shows."""
    return f"[{label(found[1])}]({found[1]}.md)" if found[1] in TOPICS else found[0]


def sidebar() -> Iterator[str]:
    """Yield what makes Sphinx list the pages, group by group."""
    known = {*TOPICS, "verbs", "changelog"}
    groups = {title: [name for name in names if name in known] for title, names in GROUPS.items()}
    groups["How to"] += sorted(known - {name for names in groups.values() for name in names})
    for title, names in groups.items():
        yield from ("", "```{toctree}", ":hidden:", f":caption: {title}", "")
        yield from (f"{label(name)} <{name}>" for name in names)
        yield "```"


def label(name: str) -> str:
    """Return the name of a page as the sidebar shows it."""
    return LABELS.get(name) or name.replace("-", " ").capitalize()


def reference() -> Iterator[str]:
    """Yield the page on verbs and options, from the tables and the parsers."""
    yield from ("# Verbs and options", "", "Every other word is pip's.", "", "## Options", "")
    yield from (
        "They stand before the subcommand: `safepip --lib install black`.",
        "",
        "| option | what it does |",
    )
    yield from (
        "|---|---|",
        *(f"| `{f'{name} {value}'.strip()}` | {told} |" for name, (value, told) in OPTIONS.items()),
    )
    for verb in VERBS:
        module = import_module(f"safepip.verbs.{verb}")
        if not hasattr(module, "parser"):  # for shells only
            continue
        parser = module.parser()
        yield from ("", f"## safepip {verb}", "", *fenced(parser))
        for name, below in words_of(parser).items():
            yield from ("", f"### safepip {verb} {name}", "", *fenced(below))


def words_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the parsers of the words that follow a verb."""
    actions = parser._actions  # noqa: SLF001  argparse tells it in no other way
    return next((one.choices for one in actions if isinstance(one, argparse._SubParsersAction)), {})  # noqa: SLF001


def fenced(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the help of a parser as a block of text, the same width everywhere."""
    os.environ["COLUMNS"] = "80"
    yield from ("```text", parser.format_help().rstrip(), "```")


def write_sources(folder: str, texts: Mapping[str, str]) -> None:
    """Write what Sphinx reads."""
    for name, text in texts.items():
        with open(os.path.join(folder, f"{name}.md"), "w", encoding="utf-8") as file:
            file.write(text)
    for path in glob.glob(os.path.join(PICTURES, "*.svg")):
        shutil.copy(path, folder)


# --- beside the HTML


def add_plain_pages(made: str, texts: Mapping[str, str]) -> None:
    """Write llms.txt, and the Markdown of each page."""
    for name, text in texts.items():
        with open(os.path.join(made, f"{name}.md"), "w", encoding="utf-8") as file:
            file.write(text.partition("\n```{toctree}")[0].rstrip() + "\n")
    with open(os.path.join(made, "llms.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(for_models(texts)) + "\n")


def for_models(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of llms.txt (llmstxt.org): what safepip is, and each page with its first sentence."""
    title, first = beginning(texts["index"])
    yield from (f"# {title}", "", f"> {first}", "", "## Docs", "")
    for name in sorted({*texts} - {"index", "changelog"}, key=[*TOPICS, *texts].index):
        title, first = beginning(texts[name])
        yield f"- [{title}]({name}.md): {first}"
    yield from ("", "## Optional", "", "- [Changelog](changelog.md)")


def beginning(text: str) -> tuple[str, str]:
    """Return the title of a page and its first sentence."""
    found = list(blocks(text))
    title = next(lines[0].lstrip("# ") for kind, lines in found if kind == HEADING)
    first = next(" ".join(lines) for kind, lines in found if kind == PARAGRAPH and lines[0][:2] != "![")
    return title, re.split(r"(?<=\.) ", LINK.sub(r"\1", first))[0]


# --- links


class Links(html.parser.HTMLParser):
    """Collects where a page links to, and what can be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.anchors: set[str] = set()

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.targets.add(value)
            if name == "id" and value:
                self.anchors.add(value)


def broken_links(folder: str) -> Iterator[str]:
    """Yield a line for each link between the pages that leads nowhere."""
    found: dict[str, Links] = {}
    for path in glob.glob(os.path.join(folder, "**", "*.html"), recursive=True):
        found[path] = Links()
        with open(path, encoding="utf-8") as file:
            found[path].feed(file.read())
    for path, links in found.items():
        for target in sorted(links.targets):
            if not leads_somewhere(path, target, found):
                yield f"{os.path.relpath(path, folder)}: {target} leads nowhere"


def leads_somewhere(path: str, target: str, found: Mapping[str, Links]) -> bool:
    """Return True if a link of the page at `path` has its file and its anchor, or leads out of the site."""
    parts = urllib.parse.urlsplit(target)
    if parts.scheme or parts.netloc:
        return True
    named = urllib.parse.unquote(parts.path)
    aim = os.path.normpath(os.path.join(os.path.dirname(path), named)) if named else path
    if not os.path.isfile(aim):
        return False
    return not parts.fragment or aim not in found or urllib.parse.unquote(parts.fragment) in found[aim].anchors


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
