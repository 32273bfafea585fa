"""Configuration of the site: ``sphinx-build -W -n --keep-going docs site``, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

import aavqc

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generate import write_pages  # noqa: E402

project = "aavqc"
author = "The aavqc developers"
version = release = aavqc.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_generated"]
myst_heading_anchors = 4

autodoc_typehints = "none"  # the docstrings state types, with shapes and units
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
nitpick_ignore_regex = [(r"py:.*", r"(?!aavqc\.).*")]  # others' names can't be linked without a network

html_theme = "furo"
html_title = f"aavqc {release}"
html_copy_source = False
html_show_sphinx = False

write_pages(HERE)
