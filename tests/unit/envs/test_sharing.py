"""pip's shared files, of which an environment gets its own where others could write to them."""

from __future__ import annotations

import os
import subprocess

import pytest

from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.envs.build import build
from safepip.envs.health import has_doubtful_pip_file
from safepip.envs.lock import acquire
from safepip.envs.sharing import own_pip
from safepip.envs.verify import sites, verdict
from safepip.report import Report
from safepip.system.observe import Context, ambient

pytestmark = pytest.mark.skipif(os.name == "nt", reason="nothing is shared there")


@pytest.fixture
def shared(work, base):
    """Two environments that share pip's files, with which one was opened to everybody."""
    for name in ("one", "two"):
        build(f"{work}/{name}", base, f"{work}/cache", pip=True)
    share(f"{work}/one", f"{work}/two")
    subprocess.run(["chmod", "-R", "a+w", f"{work}/one"], check=True)
    assert has_doubtful_pip_file(f"{work}/one")
    return f"{work}/one"


def share(environment, other):
    """Have both share pip's files, as they do anyway but for root and where the file system clones."""
    (one,), (two,) = sites(environment), sites(other)
    for folder, _, names in os.walk(os.path.join(one, "pip")):
        for path in (os.path.join(folder, name) for name in names):
            link = os.path.join(two, os.path.relpath(path, one))
            os.unlink(link)
            os.link(path, link)


def pip_of(environment):
    """Return the path of pip's first file."""
    return os.path.join(sites(environment)[0], "pip", "__init__.py")


@pytest.mark.parametrize("edited", [False, True], ids=["as recorded", "edited by others"])
def test_its_pip_is_its_own_and_whole_again(shared, work, edited, capfd):
    if edited:
        with open(pip_of(shared), "a", encoding="utf-8") as file:
            file.write("raise SystemExit(9)\n")
    context = Context(Invocation(words=()), replace(ambient(), cwd=work), cache=f"{work}/cache")
    own_pip(shared, context, Report(), lock=acquire(shared, None, Report()))
    assert not has_doubtful_pip_file(shared)
    assert not os.path.samefile(pip_of(shared), pip_of(f"{work}/two"))
    assert verdict(shared, hashed=True) == ""
    ran = subprocess.run([f"{shared}/bin/pip", "--version"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "safepip: others could change files of pip that environments share" in capfd.readouterr().err
