"""Run safepip out of the directory that scripts/bootstrap.py filled.

It is run as `python3 -IS start.py PROGRAM ARGS...`: `-I` and `-S` keep out the caller's PYTHON* variables, and
site-packages with its .pth files, which take time and could run anything. Python compiles this file at each start,
so it is short; any Python may read it.
"""

import sys


def main() -> int:
    """Run safepip as PROGRAM, or with --fits say if it can."""
    sys.path.insert(0, sys.argv.pop(0)[: -len("/safepip/launcher/start.py")])
    if sys.argv[0] == "--fits":
        from safepip.launcher.other_python import offer

        return offer(sys.argv[1])
    try:
        from safepip.cli import main as run
    except (ImportError, SyntaxError) as error:
        from safepip.launcher.other_python import search

        return search(error)
    return run()


if __name__ == "__main__":
    sys.exit(main())
