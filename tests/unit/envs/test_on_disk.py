"""Files are written to the disk; what is gone, or lies behind a link, does not matter."""

from __future__ import annotations

import os

import pytest

from safepip.envs.on_disk import sync


@pytest.mark.parametrize("named", [True, False])
def test_files_are_synced_whatever_became_of_some(tmp_path, named):
    (tmp_path / "there").write_text("x")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "dangling").symlink_to("gone")
    paths = [str(tmp_path / name) for name in ("there", "link", "dangling", "gone")]
    sync(str(tmp_path), paths if named else None)
    assert sorted(os.listdir(tmp_path)) == ["dangling", "link", "there"]
    with pytest.raises(OSError, match="missing"):
        sync(str(tmp_path / "missing"))
