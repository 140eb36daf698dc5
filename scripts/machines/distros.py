#!/usr/bin/env python3
"""Try safepip on whole distributions.

    python3 scripts/machines/distros.py [--roots DIR] [--markdown FILE] [NAME ...]

Each distribution's root is built once with debootstrap and kept outside of the repository. In it, as root and as
an ordinary user, without a network and with a bare environment, run the steps below, from README's first command
to its undoing, upon an overlay that shows what changed on the system. `bookworm-to-trixie` is upgraded from Debian
12 to 13 between them, which needs the network. Printed is the table of distribution by step: seconds where a step
did what it should; the exit code is 1 where one did not. Needs root, debootstrap and bubblewrap; the wheels that
are installed are downloaded once.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bootstrap import CLONE, Stop, complain, locked, newest_wheel, obtain_pip, run_pip, speak, unpack_pip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE = 1800  # seconds after which a step counts as hung: an upgrade takes some minutes
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FULL = ("python3", "python3-pip", "python3-venv", "ca-certificates", "git")
BARE = ("python3",)
UBUNTU_KEYS = "usr/share/keyrings/ubuntu-archive-keyring.gpg"


class Distribution(NamedTuple):
    """One root: debootstrap's suite and packages, and what is special about its Python."""

    name: str
    suite: str
    packages: tuple[str, ...] = FULL
    ubuntu: bool = False
    too_old: bool = False
    next_suite: str = ""  # what it is upgraded to after the first steps
    shares: str = ""  # the distribution whose root serves this one, too

    @property
    def root(self) -> str:
        """Return the name of its root."""
        return self.shares or self.name


DISTRIBUTIONS = (
    Distribution("bookworm", "bookworm"),
    Distribution("bookworm-bare", "bookworm", BARE),
    Distribution("bookworm-to-trixie", "bookworm", BARE, next_suite="trixie", shares="bookworm-bare"),
    Distribution("trixie", "trixie"),
    Distribution("trixie-bare", "trixie", BARE),
    Distribution("sid", "sid"),
    Distribution("bullseye", "bullseye", too_old=True),
    Distribution("noble", "noble", ubuntu=True),
    Distribution("resolute", "resolute", ubuntu=True),
    Distribution("jammy", "jammy", ubuntu=True),
)


class User(NamedTuple):
    """Who runs the steps."""

    name: str
    uid: int
    home: str


ROOT = User("root", 0, "/root")
ANN = User("ann", 1000, "/home/ann")


class Step(NamedTuple):
    """A column of the table: what is typed into sh; it succeeds where the last line does."""

    name: str
    typed: str
    upgrades: bool = False  # typed by root, with the network


STEPS = (
    Step("set-up", "python3 /clone/scripts/bootstrap.py"),
    Step(
        "project",
        "mkdir ~/project && cd ~/project\nalias pip=safepip\npip install six\n"
        "test \"$(.venv/bin/python -c 'import six; print(six.__name__)')\" = six",
    ),
    Step("application", "cd\nsafepip --app install pycowsay\npycowsay moo | grep moo"),
    Step("run", "cd ~/project\ntest \"$(safepip run python3 -c 'import six; print(six.__name__)')\" = six"),
    Step("freeze", 'cd ~/project\nsafepip freeze > was 2> said\ntest ! -s said && grep "^six==" was'),
    Step("doctor", "cd ~/project\nsafepip doctor"),
    Step(
        "uninstall",
        "cd ~/project\nsafepip uninstall -y six\nsafepip --app uninstall -y pycowsay\n"
        "test ! -e ~/.local/bin/pycowsay\ntest -z \"$(safepip freeze)\"\n"
        "python3 /clone/scripts/bootstrap.py --uninstall\ntest ! -e ~/.local/bin/safepip",
    ),
    Step(
        "wheel alone",
        "mkdir ~/second && cd ~/second\nalias pip=safepip\n"
        "PYTHONPATH=$(echo /own/*.whl) python3 -m safepip.bootstrap --no-demo\n"
        "pip install six\nsafepip run python3 -c 'import six'",
    ),
)  # fmt: skip
UPGRADED_STEPS = (
    *STEPS[:3],
    Step(
        "upgrade",
        "sed -i s/bookworm/$SUITE/g /etc/apt/sources.list\nexport DEBIAN_FRONTEND=noninteractive\n"
        "apt-get update\napt-get --yes full-upgrade\napt-get --yes autoremove\n"
        "test \"$(python3 -c 'import sys; print(sys.version_info[1])')\" != 11",
        upgrades=True,
    ),
    Step(
        "after it",
        "cd\nfor words in --safepip-version help 'env list' history 'app list'; do safepip $words; done\n"
        "for shell in bash sh; do\n"
        "$shell -c 'eval \"$(~/.local/bin/safepip init '$shell')\"\npip --version' 2> said\n"
        "if grep . said; then exit 1; fi\ndone\n"
        "mkdir ~/third && cd ~/third && safepip install six && safepip run python -c 'import six'\n"
        "if pycowsay moo; then exit 1; fi\ncd ~/project\nif safepip install six; then exit 1; fi",
    ),
    Step(
        "repair",
        "cd ~/project\nsafepip env repair\n.venv/bin/python -c 'import six'\n"
        "safepip --app install -U pycowsay\npycowsay moo | grep moo\nsafepip app reinstall-all\n"
        "pycowsay moo | grep moo\nsafepip env repair --all\nsafepip doctor",
    ),
    *(step for step in STEPS if step.name == "uninstall"),
)
# Where Python is too old nothing can be set up, but what is said must be plain.
TOO_OLD = Step(
    "set-up",
    "cd\nfor how in /clone/scripts/bootstrap.py '-m safepip.bootstrap'; do\n"
    "PYTHONPATH=$(echo /own/*.whl) python3 $how 2> said && exit 1\n"
    "cat said\ngrep -q 'needs Python 3.10 or newer' said\nif grep -q Traceback said; then exit 1; fi\ndone",
)
UNTOUCHED = "system untouched"
COLUMNS = (*dict.fromkeys(step.name for step in (*STEPS, *UPGRADED_STEPS)), UNTOUCHED)


class Outcome(NamedTuple):
    """What came of a step: whether all was well, seconds, and what it wrote."""

    well: bool
    seconds: float
    told: str


class Row(NamedTuple):
    """What came of all steps for one user in one distribution; a step that is not there was not tried."""

    title: str
    outcomes: dict[str, Outcome]


def main(argv: list[str]) -> int:
    """Build what is missing and try what was asked for; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left behind
    try:
        options = parse(argv)
        wanted = chosen(options.names, options.roots, cached=options.cached)
        require_means()
        return run_all(wanted, options.roots, options.markdown)
    except Stop as stop:
        return complain(stop.code, *stop.lines)
    except KeyboardInterrupt:
        return 130


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="distros.py", description="Try safepip on whole distributions.")
    names = ", ".join(one.name for one in DISTRIBUTIONS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of: {names} (all)")
    kept = "where roots are kept (%(default)s)"
    parser.add_argument("--roots", metavar="DIR", type=os.path.abspath, default=default_roots(), help=kept)
    parser.add_argument("--cached", action="store_true", help="only those whose root is there already")
    parser.add_argument("--markdown", metavar="FILE", help="write the table there too")
    return parser.parse_args(argv)


def default_roots() -> str:
    """Return the folder of the user's cache where roots are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "safepip-distributions")


def chosen(names: list[str], roots: str, *, cached: bool) -> list[Distribution]:
    """Return the distributions of these names, or all without names; raise Stop for an unknown one."""
    known = {one.name: one for one in DISTRIBUTIONS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Stop(64, f"there is no distribution {unknown[0]} here", f"known are: {', '.join(known)}")
    wanted = [known[name] for name in names or known]
    if cached:
        return [one for one in wanted if is_built(one, roots)]
    return wanted


def require_means() -> None:
    """Stop where this machine cannot build or enter roots."""
    missing = [name for name in ("debootstrap", "bwrap", "unshare", "mount") if not shutil.which(name)]
    if missing:
        raise Stop(69, f"{missing[0]} is not installed", "apt install debootstrap bubblewrap")
    if os.geteuid() != 0:
        raise Stop(77, "debootstrap and overlays need root")


def run_all(wanted: list[Distribution], roots: str, markdown: str | None) -> int:
    """Try safepip in each distribution and print the table; return 1 where a cell is not green."""
    rows: list[Row] = []
    os.makedirs(roots, exist_ok=True)
    with prepared(roots) as binds:
        for distribution in wanted:
            try:
                build(distribution, roots)
            except Stop as stop:
                unbuilt = Outcome(well=False, seconds=0, told=stop.lines[0])
                rows.append(Row(distribution.name, {COLUMNS[0]: unbuilt}))
                continue
            rows += tried(distribution, roots, binds)
    for line in table(rows):
        speak(line)
    if markdown:
        with open(markdown, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in table(rows)))
    failed = list(failures(rows))
    for row, name, outcome in failed:
        speak(f"\nFAILED: {row.title}: {name}\n{outcome.told.rstrip()}")
    return int(bool(failed))


def failures(rows: list[Row]) -> Iterator[tuple[Row, str, Outcome]]:
    """Yield row, name and outcome of each step that failed."""
    for row in rows:
        for name, outcome in row.outcomes.items():
            if not outcome.well:
                yield row, name, outcome


def table(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of the table, in markdown."""
    yield f"| distribution | {' | '.join(COLUMNS)} |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    for row in rows:
        yield f"| {row.title} | {' | '.join(cell(row.outcomes.get(name)) for name in COLUMNS)} |"


def cell(outcome: Outcome | None) -> str:
    """Return what the table says of one step."""
    if outcome is None:
        return "–"  # noqa: RUF001 (a dash)
    if not outcome.well:
        return "FAILED"
    if not outcome.seconds:
        return "yes"
    return f"{outcome.seconds:.1f} s"


# --- trying


def tried(distribution: Distribution, roots: str, binds: Mapping[str, str]) -> list[Row]:
    """Run the steps in a distribution as each user; return what came of them."""
    rows = []
    for user in (ROOT, ANN):
        with fresh_box(distribution, roots, binds) as box:
            version, managed = box.python()
            if not managed:
                version += " (not managed)"
            title = f"{distribution.name}, Python {version}, {user.name}"
            speak(f"{title} ...")
            rows.append(Row(title, outcomes(distribution, box, user)))
    return rows


def outcomes(distribution: Distribution, box: Box, user: User) -> dict[str, Outcome]:
    """Run the steps one after the other, up to the first that fails; then look at the system."""
    came: dict[str, Outcome] = {}
    scope = {}
    _, managed = box.python()
    if not managed:  # pip would serve it, so that there would be nothing to try
        scope["SAFEPIP_SCOPE"] = "always"
    for step in steps_for(distribution):
        if step.upgrades:
            environ = {"SUITE": distribution.next_suite}
            came[step.name] = box.run(ROOT, step.typed, environ=environ, network=True)
        else:
            came[step.name] = box.run(user, step.typed, environ=scope)
        if not came[step.name].well:
            break
    if distribution.next_suite:
        return came
    changed = list(box.changed(user))
    came[UNTOUCHED] = Outcome(not changed, 0, "\n".join(changed))
    return came


def steps_for(distribution: Distribution) -> tuple[Step, ...]:
    """Return the steps that are tried in a distribution."""
    if distribution.too_old:
        return (TOO_OLD,)
    if distribution.next_suite:
        return UPGRADED_STEPS
    return STEPS


@contextlib.contextmanager
def fresh_box(distribution: Distribution, roots: str, binds: Mapping[str, str]) -> Iterator[Box]:
    """Give a box of the distribution in which nothing has happened yet; `binds` tells what of here is where."""
    root = os.path.join(roots, distribution.root)
    if any(mark in root for mark in ":,\\"):
        raise Stop(64, f"mount cannot take this path apart: {root}", "name another place: --roots DIR")
    with tempfile.TemporaryDirectory(prefix="safepip-distro-", dir=roots) as work:
        yield Box(root, work, binds)


class Box:
    """A distribution's root below an overlay that takes all changes; nothing reaches the root itself."""

    def __init__(self, root: str, work: str, binds: Mapping[str, str]) -> None:
        self.binds = dict(binds)
        self.merged, self.upper, aside = (os.path.join(work, name) for name in ("merged", "upper", "aside"))
        for folder in (self.merged, self.upper, aside):
            os.mkdir(folder, 0o755)
        self.overlay = f"lowerdir={root},upperdir={self.upper},workdir={aside}"

    def python(self) -> tuple[str, bool]:
        """Return the version of the distribution's Python, and whether it is marked as managed."""
        code = (
            "import os, sys, sysconfig as s; "
            "print(sys.version.split()[0], os.path.isfile(s.get_path('stdlib') + '/EXTERNALLY-MANAGED'))"
        )
        version, _, managed = self.run(ROOT, f'python3 -c "{code}"').told.strip().partition(" ")
        return version, managed == "True"

    def run(
        self, user: User, typed: str, *, environ: dict[str, str] | None = None, network: bool = False
    ) -> Outcome:
        """Type something into sh as `user`, whose variables are HOME, PATH and those that name the wheels."""
        started = time.monotonic()
        try:
            done = subprocess.run(
                [*self.entering(user, network=network, environ=environ or {}), "sh", "-ec", typed],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=PATIENCE, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Outcome(well=False, seconds=PATIENCE, told=f"did not end within {PATIENCE} s")
        told = done.stdout.decode(errors="replace")
        return Outcome(done.returncode == 0, max(time.monotonic() - started, 0.05), told or f"{done.returncode}")

    def entering(self, user: User, *, network: bool, environ: dict[str, str]) -> list[str]:
        """Return the command that runs what follows it in the root, on a machine that looks like a fresh one."""
        binds, isolated = dict(self.binds), ["--unshare-net"]
        if network:
            isolated = []
            binds.update({"/etc/resolv.conf": "/etc/resolv.conf", "/etc/hosts": "/etc/hosts"})
        mount = 'mount -t overlay overlay -o "$1" "$2" && shift 2 && exec "$@"'
        variables = {
            "HOME": user.home,
            "PATH": f"{user.home}/.local/bin:{SYSTEM_PATH}",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "/wheels",
            **environ,
        }
        return [
            "unshare", "--mount", "sh", "-c", mount, "sh", self.overlay, self.merged,
            "bwrap", "--bind", self.merged, "/", "--dev", "/dev", "--proc", "/proc",
            "--perms", "1777", "--tmpfs", "/tmp",  # noqa: S108 (the box's own)
            *(word for source, target in binds.items() for word in ("--ro-bind", source, target)),
            *isolated, "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--cap-add", "ALL",
            "--clearenv",
            *(word for name, value in variables.items() for word in ("--setenv", name, value)),
            "setpriv", f"--reuid={user.uid}", f"--regid={user.uid}", "--clear-groups",
        ]  # fmt: skip

    def changed(self, user: User) -> Iterator[str]:
        """Yield what changed in the root outside of the user's home, byte code set aside, by path."""
        for folder, _, names in os.walk(self.upper):
            inside = os.path.join("/", os.path.relpath(folder, self.upper))
            is_home = f"{inside}/".startswith(f"{user.home}/")
            if is_home or "__pycache__" in inside:
                continue
            for name in names:
                yield os.path.join(inside, name)


@contextlib.contextmanager
def prepared(roots: str) -> Iterator[dict[str, str]]:
    """Give what all boxes see: a copy of this clone, the wheel made from it, and all other wheels."""
    wheels = fetched_wheels(roots)
    with tempfile.TemporaryDirectory(prefix="safepip-distro-", dir=roots) as work:
        os.chmod(work, 0o755)  # noqa: S103 (any user of a root is to read it)
        clone, own = copy_of_clone(os.path.join(work, "clone")), os.path.join(work, "own")
        pip = unpack_pip(newest_wheel(wheels) or "", os.path.join(work, "tools"))
        words = ["wheel", "--quiet", "--no-deps", "--no-index", "--find-links", wheels, "--wheel-dir", own, clone]
        if run_pip(sys.executable, pip, words) != 0:
            raise Stop(69, "could not build safepip's wheel; see pip's output above")
        yield {clone: "/clone", own: "/own", wheels: "/wheels"}


def copy_of_clone(folder: str) -> str:
    """Copy what a clone holds to `folder`, readable for all; return it."""
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.pyc", "build", "dist", "tests")
    shutil.copytree(CLONE, folder, ignore=unwanted)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    return folder


# --- what is tried with

WHEELS_WANTED = ("six", "pycowsay", "pipx", "pip", "virtualenv", "hatchling", "filelock", "platformdirs")
PURE_WHEELS_WANTED = ("tomli", "typing-extensions")
PYTHONS = ("3.10", "3.13")


def fetched_wheels(roots: str) -> str:
    """Return the folder of wheels that are installed in all roots, filled once."""
    folder = os.path.join(roots, "wheels")
    request = digest(*WHEELS_WANTED, *PURE_WHEELS_WANTED, *PYTHONS)
    with locked(folder + ".lock"):
        if stamp_of(folder) != request:
            speak(f"filling {folder} ...")
            shutil.rmtree(folder, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix="safepip-distro-") as work:
                pip = obtain_pip(work, None)
                for version in PYTHONS:
                    download(pip, folder, "--python-version", version, *WHEELS_WANTED)
                pure = ("--no-deps", "--platform", "any", "--implementation", "py", "--abi", "none")
                download(pip, folder, *pure, *PURE_WHEELS_WANTED)
            write_stamp(folder, request)
    return folder


def download(pip: str, folder: str, *arguments: str) -> None:
    """Run one `pip download` of wheels into `folder`."""
    words = ["download", "--quiet", "--only-binary=:all:", "--dest", folder, *arguments]
    if run_pip(sys.executable, pip, words) != 0:
        raise Stop(69, "could not download the wheels that are installed there; see pip's output above")


# --- roots


def build(distribution: Distribution, roots: str) -> None:
    """Build the root of a distribution unless it is there; it appears only once it is whole."""
    os.makedirs(roots, exist_ok=True)
    root = os.path.join(roots, distribution.root)
    with locked(root + ".lock"):
        if is_built(distribution, roots):
            return
        part = root + ".part"
        for folder in (part, root):
            subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)
        speak(f"building {root} ...")
        debootstrap(distribution, part, roots)
        os.rename(part, root)
        write_stamp(root, request_of(distribution))


def is_built(distribution: Distribution, roots: str) -> bool:
    """Return True if the root of a distribution exists and was made from the present request."""
    return stamp_of(os.path.join(roots, distribution.root)) == request_of(distribution)


def request_of(distribution: Distribution) -> str:
    """Return what the root of a distribution is made from, in short."""
    return digest(distribution.suite, *distribution.packages, ANN.name)


def debootstrap(distribution: Distribution, root: str, roots: str) -> None:
    """Fetch and unpack a distribution into `root`, with an ordinary user; mirrors are debootstrap's own."""
    log = os.path.join(roots, f"{distribution.root}.log")
    options = ["--variant=minbase", f"--include={','.join(distribution.packages)}"]
    script = []
    if distribution.ubuntu:
        options += [f"--keyring={ubuntu_keyring(roots)}", "--components=main,universe"]
        script = ["", "/usr/share/debootstrap/scripts/gutsy"]  # its own mirror; older ones lack newer names
    command = ["nice", "debootstrap", *options, distribution.suite, root, *script]
    with open(log, "wb") as file:
        made = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False)
        if made.returncode == 0:
            add = ["chroot", root, "useradd", "--create-home", "--uid", str(ANN.uid), "--user-group", ANN.name]
            made = subprocess.run(add, stdout=file, stderr=file, check=False)
    if made.returncode != 0:
        raise Stop(69, f"could not build {distribution.name}; see {log}")


def ubuntu_keyring(roots: str) -> str:
    """Return the file of keys that sign Ubuntu: this machine's, else one from Debian's own package of them."""
    own, kept = os.path.join("/", UBUNTU_KEYS), os.path.join(roots, os.path.basename(UBUNTU_KEYS))
    for path in (own, kept):
        if os.path.isfile(path):
            return path
    trixie = next(one for one in DISTRIBUTIONS if one.name == "trixie")
    build(trixie, roots)
    with fresh_box(trixie, roots, {}) as box:
        got = box.run(ROOT, "apt-get update && apt-get install --yes ubuntu-keyring", network=True)
        found = glob.glob(os.path.join(box.upper, UBUNTU_KEYS))
        if not got.well or not found:
            raise Stop(69, "could not get the keys that sign Ubuntu", *got.told.splitlines()[-3:])
        shutil.copyfile(found[0], kept)
    return kept


def digest(*words: str) -> str:
    """Return a short name for `words`."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def stamp_of(folder: str) -> str | None:
    """Return the digest of what `folder` was completely made from, None where it is not complete."""
    if not os.path.isfile(folder + ".complete") or not os.path.isdir(folder):
        return None
    with open(folder + ".complete", encoding="utf-8") as file:
        return file.read()


def write_stamp(folder: str, text: str) -> None:
    """Note that `folder` is complete."""
    with open(folder + ".complete", "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
