"""The tools that keep projects (uv, Poetry, PDM, Pipenv, Hatch, pixi) and the environments they make."""
