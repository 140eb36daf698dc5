"""How Sphinx builds the site; scripts/make_site.py writes the pages, and says where they lie."""

from __future__ import annotations

import os

project = "safepip"
copyright = "the safepip authors"  # noqa: A001  Sphinx's name for it
release = os.environ["SAFEPIP_SITE_VERSION"]
extensions = ["myst_parser", "sphinx_copybutton"]
myst_heading_anchors = 3
smartquotes = False  # it makes a dash of the two of an option
html_theme = "furo"
html_title = f"safepip {release}"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5cad", "color-brand-content": "#0b5cad"},
    "dark_css_variables": {"color-brand-primary": "#6cb6ff", "color-brand-content": "#6cb6ff"},
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
