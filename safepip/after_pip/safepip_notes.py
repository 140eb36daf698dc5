"""Note what changed, and keep pip's answer, when pip has ended.

It is named and lies so that it can be imported beside pip: the runner's own folder holds nothing else, since that
comes first on sys.path; this one is there for the import alone, and hides no module of anybody's.

Imported by runner.py before it starts pip, under any Python that pip runs on, where safepip left a journal of what
is installed. From pip 26.3 on nothing can be imported when pip has ended: `os` and `sys` must do.
"""

import os
import sys

RAW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)  # through no link; on Windows no other line ends
KINDS = (b".dist-info", b".egg-info", b".egg-link")
# All that pip prints where it does nothing, and asks no index.
IDLE = ("Requirement already satisfied: ", "Looking in indexes: ", "Looking in links: ", "Ignoring ")


def noting(pip_main, environment, keep, discard):
    """Return a function that calls pip, and then notes what changed.

    `keep` is the question whose answer is to be kept, or "". `discard`, if given, is called where pip fails and
    nothing was installed. If pip is killed, the journal that is left tells.
    """
    if not isinstance(environment, bytes):
        environment = os.fsencode(environment)
    listening = None
    if keep and sys.stdout and sys.stderr:  # none of them is closed
        pip_main = listening = _Listening(pip_main)

    def note(failed):
        if not _note(environment, failed):
            return
        if failed and discard:
            discard()
        elif listening and not failed:
            _keep(environment, keep, listening.answer())

    def run():
        failed = True
        try:
            code = pip_main()
            failed = bool(code)
            return code
        finally:
            try:  # noqa: SIM105  Python 2 has no contextlib.suppress
                note(failed)
            except Exception:  # noqa: BLE001,S110  what pip did stands, whether or not it could be noted
                pass

    return run


class _Listening:
    """Calls pip, and listens to what it prints."""

    def __init__(self, pip_main):
        self.pip_main = pip_main
        self.out = None
        self.err = None

    def __call__(self):
        before = sys.stdout, sys.stderr
        self.out, self.err = sys.stdout, sys.stderr = _Heard(sys.stdout), _Heard(sys.stderr)
        try:
            return self.pip_main()
        finally:
            sys.stdout, sys.stderr = before

    def answer(self):
        """Return what pip printed, as bytes, None if it was not idle."""
        if self.out.bypassed or self.err.bypassed:
            return None
        text = "".join(self.out.heard)
        if self.err.heard:
            return None
        for line in text.splitlines():
            if not line.startswith(IDLE):
                return None
        return text.encode(self.out.encoding, self.out.errors)


class _Heard:
    """A stream whose text is heard, otherwise the stream itself."""

    def __init__(self, stream):
        self.stream = stream
        self.heard = []
        self.bypassed = False

    def write(self, text):
        self.heard.append(text)
        return self.stream.write(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def __getattr__(self, name):
        if name in ("buffer", "detach"):
            self.bypassed = True
        return getattr(self.stream, name)


def _keep(environment, keep, answer):
    """Keep pip's answer, if nothing that it rests on has changed meanwhile."""
    slot, digest, read, files = keep.split("\n", 3)
    files = files.split("\n")
    if answer is None:
        return
    if answer == b"" and not slot.endswith("q"):  # pip says nothing only with --quiet
        return
    if not all(map(_is_unchanged, files)):
        return
    if not _sees_itself_only(os.fsdecode(environment)):
        return
    folder = os.path.join(environment, b".safepip", b"satisfied")
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)
    named = [line.partition(" ")[2] for line in files[: int(read)]]
    head = "\n".join([digest, read] + named + [""])  # noqa: RUF005  Python 2
    _write(os.path.join(folder, os.fsencode(slot)), os.fsencode(head) + answer)


def _is_unchanged(line):
    # As `_line_of` in envs/noop_cache.py wrote it.
    before, _, path = line.partition(" ")
    try:
        stat = os.stat(path)
    except OSError:
        return before == "-"
    return before == "%d:%d:%d:%d" % (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)


def _sees_itself_only(environment):
    """Return True if modules come from the environment and Python alone."""
    library = os.path.dirname(os.__file__)
    archive = os.path.join(os.path.dirname(library), "python%d%d.zip" % sys.version_info[:2])
    programs = os.path.join(environment, "bin")  # where the script `pip` lies, and so first on sys.path
    known = {library, os.path.join(library, "lib-dynload"), archive, programs}
    for site in sites_of(os.fsencode(environment)):
        known.add(os.path.join(environment, os.fsdecode(site)))
    if not known.issuperset(sys.path):
        return False
    for name in names_in(programs):
        if name.lower().endswith("-info"):
            return False
    return True


def _note(environment, failed):
    """Note what changed since the journal, and return True if nothing did."""
    own = os.path.join(environment, b".safepip")
    with open(os.path.join(own, b"journal"), "rb") as file:
        lines = file.read().split(b"\n")
    rows = _listing(environment)
    before = lines[1:-1]  # between the heading and the line that tells that it is complete
    changes = _changes(_installed(before), _installed(rows))
    if changes:
        installed = [row for row in rows if row.startswith(b"d\t")]
        _write(os.path.join(own, b"distributions"), b"\n".join(installed))
        _, number, time, _, _, created, words, cwd, outside = lines[0].split(b"\t")
        fields = [number, time, b"pip", words, cwd, outside, created]
        _append(os.path.join(own, b"history"), b"\t".join(fields + changes))
    # pip leaves things half done when it is interrupted (Ctrl-C): the next change recovers by the journal.
    if not failed or rows == before:
        os.unlink(os.path.join(own, b"journal"))
    return rows == before


def _listing(environment):
    """Return what is installed, as rows of bytes like `snapshot` in envs/journal.py."""
    distributions, folders = [], []
    programs = b"bin"
    if os.name == "nt":
        programs = b"Scripts"
    for folder in [programs] + sites_of(environment):  # noqa: RUF005  Python 2
        path = os.path.join(environment, folder)
        names = names_in(path)
        folders.append(b"\t".join([b"n", _escaped(folder), b" ".join(map(_escaped, names)), _stamp_of(path)]))
        if folder == programs:
            continue
        for name in names:
            if name.endswith(KINDS) and not name.startswith(b"~"):  # which pip renames to while it uninstalls
                distributions.append(_row(environment, folder + b"/" + name))
    return distributions + folders


def sites_of(environment):
    """Return the folders of modules in an environment, relative, as bytes."""
    if os.name == "nt":
        return [b"Lib/site-packages"]
    found = []
    for library in (b"lib", b"lib64"):
        if os.path.islink(os.path.join(environment, library)):
            continue
        for name in names_in(os.path.join(environment, library)):
            if name.startswith((b"python", b"pypy")):
                found.append(library + b"/" + name + b"/site-packages")
    return found


def names_in(folder):
    """Return the sorted names in a folder, none if it is unreadable."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _row(environment, relative):
    path = os.path.join(environment, relative)
    requested = content = b""
    if os.access(path + b"/REQUESTED", os.F_OK):
        requested = b"1"
    origin = path + b"/direct_url.json"
    if relative.endswith(b".egg-link"):
        origin = path
    if os.access(origin, os.F_OK):
        content = read(origin)
    fields = [b"d", _escaped(relative), _stamp_of(path), requested, _escaped(content)]
    return b"\t".join(fields)


def _stamp_of(path):
    # As in envs/journal.py.
    try:
        stat = os.stat(path)
    except OSError:
        return b""
    since = getattr(stat, "st_mtime_ns", None) or int(stat.st_mtime * 1000000000)
    return ("%d:%d" % (stat.st_ino, since)).encode("ascii")


def read(path):
    """Return the bytes of a regular file, none if it is unreadable."""
    try:
        if os.path.islink(path):
            return b""
        if not os.path.isfile(path):
            return b""
        with open(path, "rb") as file:
            return file.read()
    except (IOError, OSError):
        return b""


def _escaped(text):
    pairs = ((b"%", b"%25"), (b" ", b"%20"), (b"\t", b"%09"), (b"\n", b"%0A"), (b"\r", b"%0D"), (b"\0", b"%00"))
    for char, code in pairs:
        text = text.replace(char, code)
    return text


def _installed(rows):
    """Return the escaped version, whether requested, and origin in rows, by name."""
    found = {}
    for row in rows:
        fields = row.split(b"\t")
        if fields[0] == b"d":
            name, version = name_and_version(fields[1])
            found[name] = (version, fields[3], fields[4])
    return found


def name_and_version(path):
    """Return the normalised name and the version in a path of metadata."""
    stem, _, kind = path.rpartition(b"/")[2].rpartition(b".")
    if kind == b"dist-info":
        name, _, version = stem.rpartition(b"-")
        if not name:
            name, version = stem, b""
    else:
        name, _, rest = stem.partition(b"-")
        version = rest.partition(b"-")[0]
    version = version.replace(b"_", b"-") or b"?"
    name = name.lower().replace(b"_", b"-").replace(b".", b"-")
    while b"--" in name:
        name = name.replace(b"--", b"-")
    return name, version


def _changes(before, after):
    """Return a field of the history for each changed distribution."""
    found = []
    for name in sorted(set(before) | set(after)):
        was, now = before.get(name, (b"",) * 3), after.get(name, (b"",) * 3)
        if (was[0], was[2]) != (now[0], now[2]):
            parts = [part or b"%" for part in was + now]
            found.append(b" ".join([name] + parts))  # noqa: RUF005  Python 2
    return found


def _write(path, content):
    """Write a file of this user alone, by rename."""
    digits = "".join("%02x" % byte for byte in bytearray(os.urandom(8)))
    folder, name = os.path.split(path)
    scratch = os.path.join(folder, b"." + name + b".safepip-scratch-" + digits.encode("ascii"))
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | RAW, 0o600)
    try:
        try:
            if os.write(descriptor, content) != len(content):
                raise OSError("the disk is full")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        getattr(os, "replace", os.rename)(scratch, path)  # to Windows it matters which, and Python 2 has but one
    except Exception:
        os.unlink(scratch)
        raise


def _append(path, line):
    """Append the line in one piece."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | RAW, 0o600)
    try:
        line += b"\n"
        if os.lseek(descriptor, 0, os.SEEK_END):
            os.lseek(descriptor, -1, os.SEEK_END)
            if os.read(descriptor, 1) != b"\n":  # a power loss has cut the last line off
                line = b"\n" + line
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
