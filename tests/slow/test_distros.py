"""Whole distributions, where scripts/machines/distros.py keeps roots of them; and the tables that are read there."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from tree import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

PATH = list(sys.path)
sys.path.insert(0, os.path.join(SCRIPTS, "machines"))
try:
    import container
    import distros
    from bootstrap import Stop
finally:
    sys.path[:] = PATH  # they add the folder of bootstrap.py

pytestmark = pytest.mark.slow

ROOTS = os.environ.get("SAFEPIP_TEST_ROOTS") or distros.default_roots()
KNOWN = {one.name: one for one in distros.DISTRIBUTIONS}
SMALL_SET = ("bookworm-bare", "trixie", "bullseye")
WHEELS = os.path.join(ROOTS, "wheels")
NAMELESS = distros.User("nobody has this id", 12345, "/")


def root_of(name: str) -> distros.Distribution:
    if not distros.is_built(KNOWN[name], ROOTS):
        pytest.skip(f"no root of {name} in {ROOTS}: python3 scripts/machines/distros.py {name}")
    try:
        distros.require_means()
    except Stop as stop:
        pytest.skip(stop.lines[0])
    return KNOWN[name]


@pytest.fixture(scope="module")
def binds() -> Iterator[dict[str, str]]:
    if distros.stamp_of(WHEELS) is None:
        pytest.skip(f"no wheels in {WHEELS}: python3 scripts/machines/distros.py")
    with distros.prepared(ROOTS) as made:
        yield made


@pytest.fixture
def box(binds: dict[str, str]) -> Iterator[distros.Box]:
    with distros.fresh_box(root_of("bookworm-bare"), ROOTS, binds) as made:
        yield made


@pytest.mark.parametrize("name", SMALL_SET)
def test_an_ordinary_user_of_a_distribution_gets_through_all_steps(name: str, binds: dict[str, str]) -> None:
    distribution = root_of(name)
    with distros.fresh_box(distribution, ROOTS, binds) as box:
        outcomes = distros.outcomes(distribution, box, distros.ANN)
    failed = {step: outcome.told for step, outcome in outcomes.items() if not outcome.well}
    assert not failed
    assert len(outcomes) == (2 if distribution.too_old else len(distros.COLUMNS))


def test_a_change_of_the_system_is_seen_and_reaches_no_root(box: distros.Box) -> None:
    ran = box.run(distros.ROOT, "touch /usr/lib/new /root/mine && rm /etc/debian_version && umount / 2>&1 || true")
    assert ran.well, ran.told
    assert sorted(box.changed(distros.ROOT)) == ["/etc/debian_version", "/usr/lib/new"]
    root = os.path.join(ROOTS, "bookworm-bare")
    assert os.path.exists(f"{root}/etc/debian_version")
    assert not os.path.exists(f"{root}/usr/lib/new")


def test_a_step_that_fails_is_a_red_cell_and_those_after_it_are_not_tried(box: distros.Box, work: str) -> None:
    box.binds = {work: "/clone", WHEELS: "/wheels"}
    outcomes = distros.outcomes(KNOWN["bookworm-bare"], box, distros.ANN)
    row = distros.Row("here", outcomes)
    assert [name for _, name, _ in distros.failures([row])] == ["set-up"]
    assert list(distros.table([row]))[-1] == f"| here | FAILED |{' – |' * 7} yes |"  # noqa: RUF001  a dash


def test_a_nameless_user_whose_home_is_the_root_directory_installs_in_a_project(box: distros.Box) -> None:
    """As `docker run --user 12345` has it."""
    ready = box.run(
        distros.ROOT,
        "HOME=/opt python3 /clone/scripts/bootstrap.py --quiet --no-demo && chmod -R a+rX /opt\n"
        "ln -s /opt/.local/bin/safepip /usr/local/bin && mkdir /app && chown 12345 /app",
    )
    assert ready.well, ready.told
    done = box.run(
        NAMELESS,
        "cd /app\nsafepip install six\nsafepip run python3 -c 'import six'\nsafepip freeze > was 2> said\n"
        "grep ^six== was\nif grep -v ^WARNING: said; then exit 1; fi\n"
        "safepip doctor > found || cat found\nif grep chown found; then exit 1; fi\nsafepip uninstall -y six",
    )
    assert done.well, done.told
    lost = box.run(NAMELESS, "mkdir -p /app/b && cd / && safepip install six")
    assert not lost.well
    assert "SAFEPIP_ENV=" in lost.told
    assert "Traceback" not in lost.told


def test_being_in_a_container_or_in_ci_changes_no_target(sandbox: Sandbox) -> None:
    there = {"CI": "true", "GITHUB_ACTIONS": "true", "GITLAB_CI": "true", "container": "docker"}
    for words in (("install", "alpha"), ("install", "black"), ("list",)):
        told = sandbox.run("explain", "--json", *words)
        assert told.code == 0, told.err
        assert sandbox.run("explain", "--json", *words, env=there).out == told.out


# -- the Dockerfile


def test_a_dockerfile_is_found_in_a_page() -> None:
    inside = "FROM debian:trixie AS build\nRUN a\n\nFROM debian:trixie\nUSER 1000\n"
    markdown = f"# Page\n\n```dockerfile\nENV A=b\n```\n\n```dockerfile\n{inside}```\n"
    assert container.dockerfile(markdown) == inside
    assert container.dockerfile(inside) == inside
    assert container.dockerfile("```dockerfile\nENV A=b\n```\n") is None


def test_the_pages_show_one() -> None:
    assert any(map(container.dockerfile, map(container.read, container.PAGES)))


def test_its_variants_leave_out_what_they_say() -> None:
    inside = "FROM a AS build\nENV PATH=/x\nCOPY p /safepip\nRUN b\nFROM a\nENV PATH=/x\n"
    shown, without, nameless, in_ci = container.checks(inside)
    assert shown.text == inside
    assert without.text == "FROM a AS build\nCOPY p /safepip\nRUN b\n"
    assert nameless.text == "FROM a AS build\nENV PATH=/x\nCOPY p /safepip\n" + container.NAMELESS
    assert "ENV CI=true" in in_ci.text
