"""Start as `python -m safepip`, which serves the running interpreter."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main(module=True))
