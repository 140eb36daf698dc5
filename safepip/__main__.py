"""python -m safepip: the running interpreter is the one to serve, as with python -m pip."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main(module=True))
