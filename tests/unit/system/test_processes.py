from __future__ import annotations

import os
import subprocess
import sys

import safepip
from safepip.system.processes import is_ancestor

ROOT = os.path.dirname(os.path.dirname(safepip.__file__))


def test_a_process_and_those_above_it_are_its_ancestors():
    asks = (
        "import sys; from safepip.system.processes import is_ancestor; sys.exit(not is_ancestor(int(sys.argv[1])))"
    )
    for process, code in ((os.getpid(), 0), (os.getppid(), 0), (999999999, 1)):
        assert subprocess.run([sys.executable, "-c", asks, str(process)], check=False, cwd=ROOT).returncode == code
    assert is_ancestor(os.getpid())


def test_a_child_and_a_sibling_are_none():
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            assert not is_ancestor(child.pid)
        finally:
            child.kill()


def test_nobody_descends_from_the_first_process_or_none():
    """Process 1 is above all, and so tells nothing; 0 and less are groups to the system."""
    for process in (1, 0, -1):
        assert not is_ancestor(process)


def test_where_the_system_does_not_tell_of_parents_only_this_one_counts():
    assert is_ancestor(os.getpid(), lambda _process: 0)
    assert not is_ancestor(os.getppid(), lambda _process: 0)
