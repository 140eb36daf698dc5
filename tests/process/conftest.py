"""Real processes: safepip installed from the tree, in a fresh world for each test."""

from real_world import (  # noqa: F401  fixtures
    base,
    cache,
    furnished,
    make_sandbox,
    managed_python,
    nobodys,
    nobodys_cache,
    own,
    own_for_all,
    pipx_environment,
    published_wheels,
    sandbox,
    unmanaged_python,
    uv_programs,
    wheels,
)
