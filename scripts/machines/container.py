#!/usr/bin/env python3
"""Build the Dockerfiles of the docs for real, and variants.

    python3 scripts/machines/container.py [--roots DIR] [FILE ...]

The images that it names are made from the roots of distros.py, and buildah builds upon them. What is
installed comes from wheels fetched once; apt does nothing, for the roots hold what it would install. Then the
program runs as the user of the image and as one that has no name. The exit code is 1 where a check failed.
Needs root and buildah.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bootstrap import CLONE, Stop, complain, speak
from distros import DISTRIBUTIONS, build, copy_of_clone, default_roots, fetched_wheels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = [os.path.join(CLONE, "safepip", "help", "docker.md")]
PATIENCE = 900  # seconds after which a build counts as hung
IMAGE = "localhost/safepip-example"
APP = 'import os\nimport six\nprint("six", six.__version__, "as", os.getuid())\n'
SEES = "creating /opt/venv, where PATH finds python3"
SEES_NOT = "python3 will NOT see its packages: use /app/.venv/bin/python or ENV PATH=/app/.venv/bin:$PATH"
# A user who has no name, and / for a home, in the build itself.
NAMELESS = """\
RUN mkdir -p /app /opt/venv && chown 12345 /app /opt/venv
WORKDIR /app
USER 12345
RUN safepip install six && python3 -c 'import six' && safepip freeze
"""


class Check(NamedTuple):
    """What a Dockerfile is built for: its build says `says` and not `silent`; then commands run as a user."""

    name: str
    text: str
    says: str
    silent: str = ""
    runs: tuple[tuple[str, str, str], ...] = ()  # user ("": the image's), what is typed, what it shows


def main(argv: list[str]) -> int:
    """Build what the pages show; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="container.py", description="Build the Dockerfiles of the docs for real."
    )
    kept = "where roots are kept (%(default)s)"
    parser.add_argument("--roots", metavar="DIR", type=os.path.abspath, default=default_roots(), help=kept)
    parser.add_argument("files", nargs="*", metavar="FILE", help="pages, or Dockerfiles (help docker)")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left behind
    try:
        require_means()
        pages = map(read, options.files or PAGES)
        shown = dict.fromkeys(filter(None, map(dockerfile, pages)))
        if not shown:
            raise Stop(64, "there is no Dockerfile that begins with FROM")  # noqa: TRY301
        failed: list[str] = []
        for text in shown:
            failed += failures(text, options.roots)
    except Stop as stop:
        return complain(stop.code, *stop.lines)
    except KeyboardInterrupt:
        return 130
    return int(bool(failed))


def require_means() -> None:
    """Stop where this machine cannot build images."""
    if os.geteuid() != 0 or not shutil.which("buildah"):
        raise Stop(69, "this needs root and buildah", "apt install buildah")


def read(path: str) -> str:
    """Return the text of a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def dockerfile(page: str) -> str | None:
    """Return the first whole Dockerfile of a page in Markdown, None where there is none."""
    if page.startswith("FROM "):  # it is a Dockerfile itself
        return page
    found = re.search(r"^```dockerfile\n(FROM .*?)^```", page, re.MULTILINE | re.DOTALL)
    if found is None:
        return None
    return found[1]


def checks(shown: str) -> Iterator[Check]:
    """Yield what is built: the Dockerfile as shown, without its ENV, and by a user who has no name."""
    runs = (("", "python3 app.py", "six 1."), ("12345", "python3 app.py", "as 12345"))
    gone = ("0", "if [ -e /root/.cache/pip ] || [ -e /usr/local/bin/safepip ]; then exit 1; fi; echo gone", "gone")
    yield Check("as shown", shown, SEES, "NOT see", (*runs, gone))
    first_stage = re.split(r"^(?=FROM )", shown, flags=re.MULTILINE)[1]
    lines = first_stage.splitlines(keepends=True)
    yield Check("without ENV", "".join(line for line in lines if "ENV" not in line), SEES_NOT)
    head = "".join(line for line in lines if re.match(r"FROM|ENV|COPY .*safepip", line))
    yield Check("nameless", head + NAMELESS, SEES, "NOT see")
    in_ci = "CI=true GITHUB_ACTIONS=true container=docker"
    yield Check(f"nameless {in_ci}", f"{head}ENV {in_ci}\n{NAMELESS}", SEES, "NOT see")


def failures(shown: str, roots: str) -> Iterator[str]:
    """Build each and run what it is for; tell and yield what failed."""
    with tempfile.TemporaryDirectory(prefix="safepip-container-", dir=roots) as work:
        buildah = Buildah(work, fetched_wheels(roots))
        for image in sorted(set(re.findall(r"^FROM (\S+)", shown, re.MULTILINE))):
            buildah.make_image(image, root_of(image, roots))
        context = make_context(os.path.join(work, "context"))
        for check in checks(shown):
            started = time.monotonic()
            trouble = buildah.trouble_with(check, context)
            took = f"{time.monotonic() - started:.0f} s"
            if not trouble:
                speak(f"{check.name}: ok, {took}")
                continue
            speak(f"{check.name}: FAILED, {took}")
            speak(trouble)
            yield check.name


def root_of(image: str, roots: str) -> str:
    """Return the root that stands for the image, built where it is missing; Stop where none can."""
    suite = image.rpartition(":")[2].partition("-")[0]
    found = [one for one in DISTRIBUTIONS if one.suite == suite]
    if not found:
        raise Stop(69, f"no root stands for {image}")
    least = min(found, key=lambda one: len(one.packages))
    build(least, roots)
    return os.path.join(roots, least.name)


def make_context(folder: str) -> str:
    """Make the folder that COPY takes from: safepip.pyz, requirements.txt and app.py."""
    os.mkdir(folder)
    for name, text in (("requirements.txt", "six\n"), ("app.py", APP)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    with tempfile.TemporaryDirectory(prefix="safepip-container-") as work:
        clone = copy_of_clone(os.path.join(work, "clone"))
        command = [
            sys.executable,
            os.path.join(clone, "scripts", "make_pyz.py"),
            os.path.join(folder, "safepip.pyz"),
        ]
        if subprocess.run(command, check=False).returncode != 0:
            raise Stop(69, "could not build safepip.pyz; its own words stand above")
    return folder


class Buildah:
    """buildah with a store of its own, without a network, whose builds find the wheels."""

    def __init__(self, work: str, wheels: str) -> None:
        self.work = work
        self.means = os.path.join(work, "means")
        os.mkdir(self.means)
        with open(os.path.join(self.means, "pip.conf"), "w", encoding="utf-8") as file:
            file.write("[global]\nno-index = true\nfind-links = /wheels\n")
        self.volumes = [
            f"--volume={wheels}:/wheels:ro",
            "--volume=/bin/true:/usr/local/sbin/apt-get:ro",
            f"--volume={self.means}/pip.conf:/etc/pip.conf:ro",
        ]

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of buildah's commands; both streams come as one."""
        store = [f"--root={self.work}/store", f"--runroot={self.work}/run", "--storage-driver=overlay"]
        return subprocess.run(
            ["buildah", *store, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=PATIENCE, check=False,
        )  # fmt: skip

    def must(self, *words: str) -> str:
        """Run one of buildah's commands that has to succeed; return what it wrote."""
        done = self.call(*words)
        if done.returncode != 0:
            raise Stop(69, f"buildah {words[0]} failed", *done.stdout.splitlines()[-5:])
        return done.stdout.strip()

    def make_image(self, name: str, root: str) -> None:
        """Make an image of a root, and call it what a Dockerfile calls it."""
        container = self.must("from", "scratch")
        self.must("add", "--quiet", container, root, "/")
        self.must("commit", "--quiet", "--rm", container, f"docker.io/library/{name}")

    def trouble_with(self, check: Check, context: str) -> str | None:
        """Build a Dockerfile and run its commands; return what was not as it should be."""
        file = os.path.join(self.means, "Dockerfile")
        with open(file, "w", encoding="utf-8") as opened:
            opened.write(check.text)
        options = ["--isolation=chroot", "--network=host", "--pull-never", "--layers=false", *self.volumes]
        built = self.call("bud", *options, "--tag", IMAGE, "--file", file, context)
        told = built.stdout
        is_silent = not check.silent or check.silent not in told
        if built.returncode != 0 or check.says not in told or not is_silent:
            return f"exit code {built.returncode}, wanted: {check.says}\n{told}"
        for run in check.runs:
            wrong = self.wrong(*run)
            if wrong is not None:
                return wrong
        return None

    def wrong(self, user: str, typed: str, shows: str) -> str | None:
        """Type something in a container of the image; return what came if it is not what it should show."""
        container = self.must("from", "--pull-never", IMAGE)
        options = ["--isolation=chroot"]
        if user:
            options.append(f"--user={user}")
        done = self.call("run", *options, container, "--", "sh", "-c", typed)
        self.must("rm", container)
        if done.returncode == 0 and shows in done.stdout:
            return None
        return f"{typed}: {done.stdout}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
