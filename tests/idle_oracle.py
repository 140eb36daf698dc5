"""Random states of an environment and of all that an install reads, and whether pip would answer as safepip does.

One round makes a state, asks the same thing often enough that safepip may answer without pip, changes something
and asks again. Wherever it did answer without pip, pip is asked the very same in the very same state.
"""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sandbox import Ran, Sandbox

REPEATED = "its answer is repeated"
NAMES = ("alpha", "beta", "many0", "many1", "many2")
VARIABLES = (
    ("PIP_CONSTRAINT", "con.txt"), ("PIP_NO_DEPS", "1"), ("LANG", "C"), ("LC_ALL", "C"), ("COLUMNS", "40"),
    ("PIP_QUIET", "1"), ("PIP_UPGRADE", "1"), ("PIP_PRE", "1"), ("PIP_REQUIREMENT", "req.txt"), ("PIP_VERBOSE", "1"),
    ("PIP_FIND_LINKS", ""), ("PIP_FORCE_REINSTALL", "1"), ("PYTHONPATH", "more"), ("PIP_NO_COLOR", "1"),
    ("PIP_CONFIG_FILE", "named.conf"), ("PIP_DRY_RUN", "1"), ("PIP_EXTRA_INDEX_URL", "file:///nowhere"),
    ("PIP_USER", "1"), ("PIP_CACHE_DIR", "cache"), ("PIP_ONLY_BINARY", ":all:"), ("VERSION", "1.0"),
    ("PIP_GROUP", "dev"), ("_PIP_IN_BUILD_IGNORE_CONSTRAINTS", "1"), ("TMPDIR", "/nowhere"),
    ("PIP_PROGRESS_BAR", "off"), ("PIP_TARGET", "elsewhere"), ("PIP_IGNORE_INSTALLED", "1"),
)  # fmt: skip
LINES = (
    ("alpha",), ("beta",), ("alpha", "beta"), ("alpha>=1", "many0"), ("alpha==1.0",), ("alpha==2.0",), ("Alpha",),
    ("-r", "req.txt"), ("-rreq.txt",), ("--requirement=req.txt",), ("--req", "req.txt", "-c", "con.txt"),
    ("-r", "req.txt", "-c", "con.txt"), ("-qr", "req.txt"), ("-q", "alpha"), ("-qq", "alpha"), ("-U", "alpha"),
    ("--pre", "alpha"), ("--no-deps", "beta"), ("extra[more]",), ("alpha; python_version<'3'",), ("-v", "many1"),
    ("alpha", "--no-cache-dir"), ("--dry-run", "alpha"), ("--report", "-", "alpha"), ("--force-reinstall", "alpha"),
    ("-I", "alpha"), ("--only-binary", ":all:", "alpha"), ("many0", "many1", "many2"), ("nothing-such",), ("alpha<2",),
    ("--upgrade-strategy", "eager", "beta"), ("./lib",), ("-e", "./lib"), ("lib",), ("-r", "sub/req.txt"), (),
    ("alpha", "--isolated"), ("--user", "alpha"), ("alpha", "-r", "req.txt", "-r", "sub/req.txt"), ("gamma",),
    ("--no-index", "alpha"), ("--root-user-action=ignore", "alpha"), ("alpha @ file:///nowhere",), ("--", "alpha"),
)  # fmt: skip
TEXTS = (
    "alpha\n", "alpha\nbeta\n", "alpha==1.0\n", "alpha==2.0\n", "# é\nalpha  # why\n", "alpha \\\n  >=1\n", "-r sub/req.txt\n",
    "-rsub/req.txt\n", "--requirement=sub/req.txt\nmany0\n", "-c con.txt\nalpha\n", "--constraint con.txt\nbeta\n",
    "${VERSION}\n", "alpha==${VERSION}\n", "\ufeffalpha\n", "many0\x0cmany1\n", "many0\u2028many1\n", "many0\x85many2\n",
    "--pre\nalpha\n", "-i file:///nowhere\nalpha\n", "./lib\n", "-e ./lib\n", "alpha ; python_version < '3'\n",
    "alpha ; python_version >= '3'\nmany1\n", "alpha --hash=sha256:00\n", "--req sub/req.txt\n", "many0\rmany1\r\n",
    "# coding: latin-1\nalpha\n", "#-r sub/req.txt \\\nmany0\n", "alpha#beta\n", "alpha #\\\nmany1\n", "many2\\\n", "",
    "--no-binary :all:\nalpha\n", "-r con.txt -c con.txt\n", "beta[more]\n", "-r 'sub/req.txt'\n", "-e lib\n",
    "extra[more]\n", "alpha, beta\n", "alpha!=1.0\n", "-r req.txt\n",
)  # fmt: skip
CONSTRAINTS = (
    "",
    "alpha<2\n",
    "alpha==1.0\n",
    "many0>5\n",
    "alpha==1.0 ; python_version < '3'\n",
    "-c more.txt\n",
)
CONFIGURATIONS = (
    "", "[install]\nconstraint = con.txt\n", "[install]\nno-deps = true\n", "[install]\nupgrade = true\n", "nonsense",
    "[global]\nquiet = 1\n", "[global]\ntimeout = 3\n", "[install]\nrequirement =\n  req.txt\n", "[global]\nverbose = 1\n",
    "[install]\npre = yes\n", "[DEFAULT]\nupgrade = true\n", "[global]\nindex-url = file:///nowhere\n",
    "[global]\nconstraint = con.txt\n", "[global]\nconstraint =\n  con.txt\n  more.txt\n", "[install]\nrequirement = req.txt\n",
    "[global]\nconstraint = sub/con.txt\n[install]\nconstraint = con.txt\n", "[install]\nconstraint = gone.txt\n",
    "[DEFAULT]\nconstraint = con.txt\n[install]\n", "[list]\nformat = json\n", "[:env:]\nconstraint = con.txt\n",
    "[install]\ngroup = dev\n", "[global]\nconstraint = con.txt\n[install]\nconstraint =\n", "[global]\ncache-dir = cache\n",
)  # fmt: skip


class Difference(NamedTuple):
    """A wrong answer: what was asked, in which round, and what both said."""

    round: int
    words: tuple[str, ...]
    told: Ran
    true: Ran


class Rounds:
    """One project that goes from state to state; `hits` counts the answers without pip, `wrong` holds the bad ones."""

    def __init__(self, box: Sandbox, seed: int) -> None:
        self.box = box
        self.chance = random.Random(seed)
        self.hits = 0
        self.asked = 0
        self.wrong: list[Difference] = []
        self.links = 0
        self.variables: dict[str, str | None] = {}
        self.cwd = box.project
        made = box.run("install", *NAMES)
        assert made.code == 0, made.err
        self.site = box.call(
            [box.python, "-c", "import sysconfig as s; print(s.get_path('purelib'))"]
        ).text.strip()
        box.write("lib/setup.py", "from setuptools import setup\nsetup(name='lib', version='1')\n")
        for name in ("req.txt", "sub/req.txt", "con.txt", "sub/con.txt", "more.txt", "named.conf"):
            box.write(name, "")

    def run(self, count: int) -> None:
        """Go through so many states."""
        words: tuple[str, ...] = ("install", "alpha")
        for number in range(count):
            self.change()
            if self.chance.random() < 0.6:
                words = ("install", *self.chance.choice(LINES))
            self.ask(number, words)
            self.ask(number, words)
            self.change()
            self.ask(number, words)

    def ask(self, number: int, words: tuple[str, ...]) -> None:
        """Ask safepip; where it answered without pip, ask pip too."""
        self.asked += 1
        told = self.box.run(*words, cwd=self.cwd, env={**self.variables, "SAFEPIP_DEBUG": "1"})
        if REPEATED in "\n".join(told.said):
            self.hits += 1
            true = self.box.run(*words, cwd=self.cwd, env={**self.variables, "SAFEPIP_FAST": "0"})
            if (told.code, told.out, told.pips_err) != (true.code, true.out, true.pips_err):
                self.wrong.append(Difference(number, words, told, true))

    def change(self) -> None:
        """Change something that an answer may rest on, or nothing at all."""
        changes = (
            self._requirements, self._requirements, self._constraints, self._variable, self._variable, self._configuration,
            self._installed, self._installed, self._installed, self._metadata, self._folder, self._place, self._calm, self._calm, self._calm,
        )  # fmt: skip
        self.chance.choice(changes)()

    def _calm(self) -> None:
        """Go back to what is plain, so that there is something to change again."""
        self.variables, self.cwd = {}, self.box.project
        for path in self._configurations():
            if os.path.lexists(path):
                os.unlink(path)
        self._clear(os.path.join(self.box.project, "req.txt"))
        self.box.write("req.txt", "alpha\nbeta\n")
        self._restore()

    def _requirements(self) -> None:
        path = os.path.join(self.box.project, self.chance.choice(("req.txt", "req.txt", "sub/req.txt")))
        self._clear(path)
        kind = self.chance.random()
        if kind < 0.9:
            text = self.chance.choice(TEXTS)
            self.box.write(
                os.path.relpath(path, self.box.project),
                text.encode(self.chance.choice(("utf-8",) * 5 + ("utf-16",))),
            )
        elif kind < 0.95:
            os.mkdir(path)

    def _clear(self, path: str) -> None:
        if os.path.isdir(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)

    def _constraints(self) -> None:
        name = self.chance.choice(("con.txt", "sub/con.txt", "more.txt"))
        self.box.write(name, self.chance.choice(CONSTRAINTS))

    def _variable(self) -> None:
        name, value = self.chance.choice(VARIABLES)
        if name in self.variables:
            del self.variables[name]
        else:
            self.variables[name] = value

    def _configurations(self) -> tuple[str, ...]:
        user = os.path.join(self.box.home, ".config", "pip", "pip.conf")
        return user, os.path.join(self.box.venv, "pip.conf"), os.path.join(self.box.project, "named.conf")

    def _configuration(self) -> None:
        path = self.chance.choice(self._configurations())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.chance.choice(CONFIGURATIONS))

    def _infos(self) -> list[str]:
        known = tuple(f"{name}-" for name in (*NAMES, "extra", "gamma"))
        return sorted(name for name in os.listdir(self.site) if name.startswith(known))

    def _installed(self) -> None:
        """Take a distribution away, give it another version, or bring one, all without pip."""
        infos = self._infos()
        name = self.chance.choice((*NAMES, "extra"))
        found = [info for info in infos if info.startswith(f"{name}-")]
        for info in found:
            shutil.rmtree(os.path.join(self.site, info))
        if not found or self.chance.random() < 0.6:
            self._write_info(name, self.chance.choice(("1.0", "2.0", "2.5", "3.0a1")))

    def _write_info(self, name: str, version: str) -> None:
        folder = os.path.join(self.site, f"{name}-{version}.dist-info")
        os.makedirs(folder, exist_ok=True)
        needs = self.chance.choice(("", "", "Requires-Dist: alpha\n", "Requires-Dist: alpha<2\n"))
        for file, text in (
            ("METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"),
            ("INSTALLER", "pip\n"),
            ("RECORD", f"{name}-{version}.dist-info/METADATA,,\n{name}-{version}.dist-info/RECORD,,\n"),
        ):
            with open(os.path.join(folder, file), "w", encoding="utf-8") as opened:
                opened.write(text)

    def _metadata(self) -> None:
        """Edit metadata in place, leaving the times of its folder as they were, and at times its own."""
        infos = self._infos()
        if not infos:
            return
        path = os.path.join(self.site, self.chance.choice(infos), "METADATA")
        if not os.path.exists(path):
            return
        if self.chance.random() < 0.3:  # as of an installer that links files from its cache
            self.links += 1
            os.link(path, os.path.join(self.box.project, f"link{self.links}"))
        before = os.stat(path)
        with open(path, "r+", encoding="utf-8") as file:
            text = file.read()
            if self.chance.random() < 0.5:
                file.write("Requires-Dist: many2\n")
            else:
                file.seek(0)
                file.write(text.replace("Requires-Dist: alpha", "Requires-Dist: many1"))
        if self.chance.random() < 0.5:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _folder(self) -> None:
        """Let other folders be seen, or what is installed be named otherwise."""
        kind = self.chance.randrange(6)
        if kind == 0:
            self._toggle_system()
        elif kind == 1:
            more = os.path.join(self.box.project, "more")
            os.makedirs(os.path.join(more, "many9-1.0.dist-info"), exist_ok=True)
            with open(os.path.join(self.site, "more.pth"), "w", encoding="utf-8") as file:
                file.write(more + "\n")
        elif kind == 2:
            with open(os.path.join(self.site, "lib.egg-link"), "w", encoding="utf-8") as file:
                file.write(os.path.join(self.box.project, "lib") + "\n.\n")
        elif kind == 3:
            self._restore()
        elif kind == 4:
            with open(os.path.join(self.site, "more.start"), "w", encoding="utf-8") as file:
                file.write("more:run\n")
        else:
            infos = self._infos()
            if infos:
                os.utime(os.path.join(self.site, self.chance.choice(infos)))

    def _toggle_system(self) -> None:
        path = os.path.join(self.box.venv, "pyvenv.cfg")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        off, on = "include-system-site-packages = false", "include-system-site-packages = true"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(off, on) if off in text else text.replace(on, off))

    def _restore(self) -> None:
        for name in ("more.pth", "more.start", "lib.egg-link"):
            if os.path.exists(os.path.join(self.site, name)):
                os.unlink(os.path.join(self.site, name))

    def _place(self) -> None:
        self.cwd = os.path.join(self.box.project, "sub") if self.cwd == self.box.project else self.box.project
