"""safepip.pyz --install: what scripts/bootstrap.py does, with all that it needs out of the archive."""

import argparse
import os
import shlex

import bootstrap
import unpack


def main(argv: "list[str]", archive: str) -> int:
    """Carry out `argv`, whose first word is --install or --uninstall; return the exit code."""

    def wheels(work: str, _options: argparse.Namespace) -> "list[str]":
        return from_archive(archive, work)

    command = f"python3 {shlex.quote(os.path.abspath(archive))}"
    source = bootstrap.Source(
        program="safepip.pyz --install",
        again=f"{command} --install",
        update=f"{command} --install (with a newer safepip.pyz)",
        remove=f"{command} --uninstall",
        wheels=wheels,
        demonstrates=False,
    )
    return bootstrap.main([word for word in argv if word != "--install"], source)


def from_archive(archive: str, work: str) -> "list[str]":
    """Put the wheels into the directory `work`; return their paths."""
    paths = []
    for name, content in unpack.wheels(archive):
        paths.append(os.path.join(work, name))
        with open(paths[-1], "wb") as file:
            file.write(content)
    return paths
