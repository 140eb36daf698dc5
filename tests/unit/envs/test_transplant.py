"""A distribution copied into another environment, file by file."""

from __future__ import annotations

import csv
import os

from safepip.core.world import USABLE, Environment
from safepip.envs.inventory import distributions
from safepip.envs.transplant import transplant
from safepip.envs.verify import digest_in, sites

CONTENT = b"Name: alpha\nVersion: 1.0\n"
FILES = ("alpha/__init__.py", "alpha/RECORD")


def test_a_file_of_the_package_that_is_called_record_is_copied_as_well(environment, work):
    (site,) = sites(environment)
    info = os.path.join(site, "alpha-1.0.dist-info")
    rows = []
    for name in (*FILES, "alpha-1.0.dist-info/METADATA"):
        path = os.path.join(site, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(CONTENT)
        rows.append((name, f"sha256={digest_in(CONTENT)}", len(CONTENT)))
    with open(os.path.join(info, "RECORD"), "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([*rows, ("alpha-1.0.dist-info/RECORD", "", "")])
    target = os.path.join(work, "new")
    old, new = (Environment(path=path, known_as=path, state=USABLE) for path in (environment, target))
    assert transplant(distributions(environment)["alpha"], old, new)
    copied = os.path.join(target, os.path.relpath(site, environment))
    assert all(os.path.isfile(os.path.join(copied, name)) for name in (*FILES, "alpha-1.0.dist-info/RECORD"))
