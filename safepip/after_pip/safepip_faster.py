"""Spare pip the time for cyclic garbage and for compiling expressions.

Imported by runner.py before it starts pip; safepip_notes.py beside it tells why it lies here. It does nothing on
a Python without `gc.freeze` (2.7 to 3.6, PyPy): pip runs there as it would alone.
"""

import atexit
import gc
import marshal
import os
import sys
from binascii import crc32

# Objects created before the collector looks for cycles: 700 by default. Higher values gain nothing more, and
# a resolution with heavy backtracking must not grow (measured with `list`, an install of 100, 150 candidates).
THRESHOLDS = (50000, 20, 20)
MOST = 400  # expressions in the file; `re` itself keeps 512
FEW = 8  # so many new ones do not make a new file worth while
LARGEST = 4 << 20  # bytes
# Beside pip, what virtualenv, setuptools and editable installs have imported at each start, and the packages
# for compressed answers that pip's urllib3 takes where they are installed.
KNOWN = (
    "pip.", "safepip_", "_virtualenv", "_distutils_hack", "__editable__", "__main__", "backports", "brotli",
    "_brotli", "zstandard",
)  # fmt: skip
FORMAT = "safepip-patterns-2"
KINDS = (type(""), type(b""))
NOT_KEPT = 0x80 | 0x04  # re.DEBUG prints, re.LOCALE depends on the locale


def hasten(folder):
    """Make the pip that follows faster, with compiled expressions in `folder`."""
    if not hasattr(gc, "freeze"):
        return
    if sys.implementation.name != "cpython":
        return
    gc.set_threshold(*THRESHOLDS)
    # Exit handlers run last in, first out: pip's own and those of its plug-ins come before.
    atexit.register(_freeze)
    if folder and hasattr(os, "geteuid"):
        try:
            _Patterns(folder)
        except Exception:  # noqa: BLE001,S110  pip compiles its expressions itself then
            pass


def _freeze():
    """Leave freeing objects at the end to the operating system."""
    # Freeing them one by one takes pip up to a fifth of its time. Modules other than pip's and Python's may count
    # on it: a file that they never close is flushed only when it is freed.
    library = os.path.dirname(os.__file__) + os.sep
    for name, module in list(sys.modules.items()):
        if name == "pip" or name.startswith(KNOWN):
            continue
        file = getattr(module, "__file__", None)
        if file and not file.startswith(library):
            return
    gc.freeze()


class _Patterns:
    """Compiled expressions, put into the table of `re` at the start.

    They are kept at the end. The same expression compiles to the same code under the same Python, whatever imports
    it. `re` looks into its table first, so neither pip nor a traceback shows that it was not compiled just now.
    """

    def __init__(self, folder):
        import _sre  # type: ignore[import-not-found]
        import re

        self.table = re._cache
        self.engine = _sre
        self.compiler = getattr(re, "_compiler", None) or sys.modules["sre_compile"]
        made_by = (FORMAT, sys.version, sys.byteorder, _sre.MAGIC, _sre.CODESIZE)
        self.head = repr(made_by).encode("ascii", "replace")
        self.path = os.path.join(folder, "%s-%x" % (sys.implementation.cache_tag, sys.hexversion))
        rows = self._kept()
        for (kind, pattern, flags), compiled in rows.items():
            self.table[KINDS[kind], pattern, flags] = _sre.compile(pattern, *compiled)
        self.known = set(rows)
        if not sys.dont_write_bytecode:
            atexit.register(self._keep)

    def _kept(self):
        """Return what an earlier pip of this user's has kept, or nothing."""
        head, _, rest = _content(self.path).partition(b"\n")
        check, _, packed = rest.partition(b"\n")
        if head != self.head or check != b"%08x" % crc32(packed):
            return {}
        return marshal.loads(packed)

    def _keep(self):
        """Write the expressions to the file, if pip has compiled many others."""
        try:
            new = []
            for kind, pattern, flags in self.table:
                if kind not in KINDS or flags & NOT_KEPT:
                    continue
                key = KINDS.index(kind), pattern, int(flags)  # not RegexFlag, which cannot be written
                if key not in self.known:
                    new.append(key)
            if len(self.known) >= MOST:
                return
            if len(new) > FEW:
                rows = self._kept()
                rows.update(self._compiled(new[: MOST - len(rows)]))
                self._write(rows)
        except Exception:  # noqa: BLE001,S110  a later pip keeps them
            pass

    def _compiled(self, keys):
        """Compile once more, to see what `re` hands to its engine."""
        import warnings

        rows = {}
        self.compiler._sre = self
        try:
            for kind, pattern, flags in keys:
                self.compiled = None
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    try:
                        self.compiler.compile(pattern, flags)
                    except Warning:  # would not be shown another time
                        continue
                if self.compiled is not None and not self.compiled[0] & NOT_KEPT:
                    rows[kind, pattern, flags] = self.compiled
        finally:
            self.compiler._sre = self.engine
        return rows

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def compile(self, pattern, flags, code, groups, groupindex, indexgroup):
        """Note the arguments as plain values, which can be written."""
        names = {name: int(number) for name, number in groupindex.items()}
        self.compiled = (int(flags), list(map(int, code)), int(groups), names, tuple(indexgroup))
        return self.engine.compile(pattern, flags, code, groups, groupindex, indexgroup)

    def _write(self, rows):
        """Write the file, readable for this user alone, by rename."""
        packed = marshal.dumps(rows)
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
        scratch = "%s.%d" % (self.path, os.getpid())
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(b"%s\n%08x\n%s" % (self.head, crc32(packed), packed))
            os.replace(scratch, self.path)
        except BaseException:
            os.unlink(scratch)
            raise


def _content(path):
    """Return what a file holds that only this user can have written."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            return b""
        if status.st_mode & 0o022:
            return b""
        if status.st_size > LARGEST:
            return b""
        return file.read()
