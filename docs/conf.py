"""Settings of the documentation: Markdown by MyST, in the theme furo. ``make docs`` builds it."""

project = "Sparring"
author = "The Sparring authors"
release = version = "0.1.0"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3  # the same anchors that code hosts give to headings, so that links work in both places

html_theme = "furo"
html_title = "Sparring"
html_copy_source = False
html_show_sphinx = False
