"""What takes long: kills, fuzz, distributions; safepip installed from the tree, in a fresh world for each test."""

from real_world import (  # noqa: F401  fixtures
    base,
    cache,
    furnished,
    make_sandbox,
    managed_python,
    own,
    own_for_all,
    published_wheels,
    sandbox,
    unmanaged_python,
    wheels,
)
