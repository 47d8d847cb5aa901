"""How the documentation is built: `tox -e docs`."""

import os

project = "Vanishing-gradient harness"
author = copyright = "The vanishing-gradient harness authors"  # noqa: A001

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
suppress_warnings = ["myst.xref_missing"]  # of Markdown beside docs/, which is no page; tests follow every link

html_theme = "furo"
html_title = project
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True

linkcheck_ignore = [] if os.environ.get("DOCS_LINKS") == "all" else [r"https?://"]  # no network in the tests
