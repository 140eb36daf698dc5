"""Damaged and made-up input for every reader: none may end in anything but what it declares, or hang.

Valid input is mutated by hypothesis, a shorter form is part of the tests; with atheris importable, coverage leads
the mutation as well. What a reader makes of it is looked at too: nothing damaged may lead to another place.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .result import Result

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping
    from types import FrameType

    from .readers import Reader
    from .result import Experiment
    from .world import World

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE = 20  # seconds that one reading may take at most, on a busy machine
_EXAMPLES = 100  # of each reader, by round
_NEEDED = ("hypothesis", "virtualenv", "filelock")
_EDITS = ("cut", "put", "exchange", "double", "end")
_PIECES = (
    b"\0", b"\n", b"\r\n", b"\t", b"=", b"..", b"../../..", b"/", b"~", b"\x1b]0;x\x07", b"\xe2\x80\xae", b"\xff",
    b"%", b"%00", b"-", b"--", b"[", b"]", b'"', b"'", b"{", b"9" * 5000, b"-1", b"\xd9\xa3", b"true", b"a" * 3000,
)  # fmt: skip


def mutated(seeds: tuple[bytes, ...]) -> Any:
    """Return a strategy for the valid inputs, a few edits away; and now and then for any bytes."""
    st: Any = import_module("hypothesis.strategies")
    places = st.integers(0, 1 << 16)
    piece = st.one_of(st.sampled_from(_PIECES), st.binary(min_size=1, max_size=4))
    edits = st.tuples(st.sampled_from(_EDITS), places, st.integers(0, 40), piece)
    edited = st.builds(_edited, st.sampled_from(seeds), st.lists(edits, max_size=5))
    return st.one_of(edited, edited, edited, st.binary(max_size=200))


def any_edit(data: bytes, rng: random.Random) -> bytes:
    """Return the data with an edit or a few, as `mutated` makes them, without hypothesis."""
    edits = [
        (rng.choice(_EDITS), rng.randrange(1 << 16), rng.randrange(40), rng.choice([*_PIECES, rng.randbytes(3)]))
        for _ in range(rng.randint(1, 3))
    ]
    return _edited(data, edits)


def _edited(data: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, place, size, piece in edits:
        at = place % (len(data) + 1)
        before, middle, after = data[:at], data[at : at + size], data[at + size :]
        match kind:
            case "cut":
                data = before + after
            case "put":
                data = before + piece + middle + after
            case "exchange":
                data = before + piece + after
            case "double":
                data = before + middle + middle + after
            case _:
                data = before
    return data


def hunt(name: str, reader: Reader, folder: str, examples: int, seed: int) -> tuple[int, str]:
    """Have a reader read so many inputs; return how many it did, and what went wrong, or nothing."""
    hypothesis: Any = import_module("hypothesis")
    tried: list[None] = []

    def try_one(data: bytes) -> None:
        tried.append(None)
        with bounded():
            reader.read(folder, data)

    limits = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    try:
        hypothesis.seed(seed)(limits(hypothesis.given(mutated(reader.prepare(folder)))(try_one)))()
    except Exception as error:  # noqa: BLE001  that is what is looked for
        told = " ".join(getattr(error, "__notes__", ()))
        return len(tried), f"{name}: {type(error).__name__}: {error} {told}"[:600]
    return len(tried), ""


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """End what takes too long by an error."""

    def ended(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"took more than {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, ended)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# -- the experiments


def fuzz(world: World, rounds: int, rng: random.Random) -> Result:
    """Mutate by hypothesis."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return Result("fuzz", skipped=f"this Python has no {', '.join(missing)}")
    sys.path.insert(0, TREE)
    tried, notes = 0, []
    for name, reader in _readers().items():
        count, wrong = hunt(name, reader, world.new_folder("fuzz"), rounds * _EXAMPLES, rng.randrange(1 << 32))
        tried += count
        notes += [wrong] if wrong else []
    return Result("fuzz", tried, len(notes), notes, "inputs")


def fuzz_guided(world: World, rounds: int, rng: random.Random) -> Result:
    """Mutate by atheris, each reader in a process of its own, for that ends with it."""
    if importlib.util.find_spec("atheris") is None:
        return Result("fuzz-guided", skipped="this Python has no atheris")
    tried, notes = 0, []
    sys.path.insert(0, TREE)
    for name in _readers():
        runs, begun = rounds * 10 * _EXAMPLES, time.monotonic()
        folder = world.new_folder("guided")
        code = (
            f"import sys; sys.path[:0] = {[os.path.dirname(os.path.dirname(os.path.abspath(__file__))), TREE]!r}"
        )
        code += "; from _torture.fuzz import guided; guided(*sys.argv[1:])"
        argv = [sys.executable, "-c", code, name, folder, str(runs), str(rng.randrange(1, 1 << 31))]
        ended = subprocess.run(argv, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        tried += runs
        if ended.returncode:
            lines = [line for line in ended.stderr.splitlines() if "Error" in line or "ALARM" in line]
            notes.append(f"{name}: {' '.join(lines)[-500:]} (after {time.monotonic() - begun:.0f} s)")
    return Result("fuzz-guided", tried, len(notes), notes, "inputs")


def guided(name: str, folder: str, runs: str, seed: str) -> None:
    """Be the process that atheris makes of one reader; it does not return."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["safepip"]):
        reader = _readers()[name]
    corpus = os.path.join(folder, "corpus")
    os.makedirs(corpus)
    for number, content in enumerate(reader.prepare(folder)):
        with open(os.path.join(corpus, str(number)), "wb") as file:
            file.write(content)
    limits = [
        f"-runs={runs}",
        f"-seed={seed}",
        f"-timeout={PATIENCE}",
        "-max_len=4096",
        f"-artifact_prefix={folder}/",
    ]
    atheris.Setup([name, *limits, corpus], lambda data: reader.read(folder, data))
    atheris.Fuzz()


def _readers() -> Mapping[str, Reader]:
    """Import what reads, with safepip itself, which this script can do without."""
    readers: Mapping[str, Reader] = import_module("_torture.readers").READERS
    return readers


EXPERIMENTS: dict[str, Experiment] = {"fuzz": fuzz, "fuzz-guided": fuzz_guided}
