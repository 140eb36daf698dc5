"""Where things lie in this tree."""

from __future__ import annotations

import os

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = os.path.join(TREE, "safepip")
SCRIPTS = os.path.join(TREE, "scripts")
DATA = os.path.join(TREE, "tests", "data")
TEST_ENVS = os.path.join(TREE, ".test-envs")  # what scripts/test.py makes
WHEELS = os.environ.get("SAFEPIP_TEST_WHEELS") or os.path.join(TEST_ENVS, "wheels")
TOOLS = os.environ.get("SAFEPIP_TEST_TOOLS") or os.path.join(TEST_ENVS, "tools")
