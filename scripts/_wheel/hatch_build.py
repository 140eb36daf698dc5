"""What hatchling is told beyond pyproject.toml: the files below share/, and a README without pictures."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

# One on a line of its own, from a path of this clone: shown beside the code, and nowhere else.
PICTURE = re.compile(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n+", re.MULTILINE)


class BuildHook(BuildHookInterface[Any]):
    """Puts the files below share/ into the wheel, freshly made, so that they are up to date."""

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Write them where hatchling finds them."""
        if self.target_name != "wheel":
            return
        sys.path.insert(0, os.path.join(self.root, "scripts", "_wheel"))
        import share  # noqa: PLC0415 (not on the path before)

        self.made = tempfile.TemporaryDirectory(prefix="safepip-share-")
        for path, text in share.files().items():
            source = os.path.join(self.made.name, path)
            os.makedirs(os.path.dirname(source), exist_ok=True)
            with open(source, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            build_data["shared_data"][source] = path

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Remove what was written for the build."""
        if self.target_name == "wheel":
            self.made.cleanup()


class MetadataHook(MetadataHookInterface):
    """Gives the README to the index less the pictures, which lie in the clone alone."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the field `readme`."""
        with open(os.path.join(self.root, "README.md"), encoding="utf-8") as file:
            text = PICTURE.sub("", file.read())
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
