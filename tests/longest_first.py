"""Start the files of tests in the order of the time they took in the last run, the longest first.

Each file stays with one worker of pytest-xdist: a long one that starts last would keep one core busy alone.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import Any

_KEPT = "safepip/seconds"  # in pytest's cache
_SECONDS: Counter[str] = Counter()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker the times; all workers must have the same order, so they do not read the file themselves."""
    node.workerinput["seconds"] = node.config.cache.get(_KEPT, {})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the files in a worker; one without a time is first where it starts processes, last where it does not."""
    if not hasattr(config, "workerinput"):
        return
    seconds = config.workerinput["seconds"]

    def cost(item: pytest.Item) -> float:
        name = _file_of(item.nodeid)
        return seconds.get(name, 0.0 if "/unit/" in name else float("inf"))

    items.sort(key=cost, reverse=True)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _SECONDS[_file_of(report.nodeid)] += report.duration


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep the times of a run with workers, beside those of files that did not take part."""
    config = session.config
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        config.cache.set(_KEPT, {**config.cache.get(_KEPT, {}), **_SECONDS})


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]
