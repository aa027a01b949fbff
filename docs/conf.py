"""The site of the documentation: `make docs` builds it with Sphinx, MyST and Furo."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath

from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
SOURCE = "https://github.com/mig-fleet/mig-fleet/blob/main"
"""Files outside docs/ are not on the site: links to them lead to the repository."""

project = "mig-fleet"
author = "The mig-fleet authors"
copyright = author

extensions = ["myst_parser"]
exclude_patterns = ["build"]
nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
# Pages use headings of one level below another one only where they are parts of it.
suppress_warnings = ["myst.header"]

html_theme = "furo"
html_title = "mig-fleet"
html_static_path: list[str] = []
html_theme_options = {
    "source_repository": SOURCE.partition("/blob/")[0],
    "source_branch": "main",
    "source_directory": "docs/",
}
# Blocks without a language are the output of commands, and need no lexer.
highlight_language = "text"

# `make docs-links` follows the links to other sites. GitHub renders anchors of files in the browser.
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]
linkcheck_ignore = [
    rf"{re.escape(SOURCE.partition('/blob/')[0])}.*",
    r"https?://(registry|prometheus|grafana)\.example.*",
]
linkcheck_timeout = 20
linkcheck_workers = 4

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")


def lead_outside(_app: Sphinx, page: str, text: list[str]) -> None:
    """Let a link to a file that is no page and no picture of the site lead to the repository."""

    def target(found: re.Match[str]) -> str:
        path = PurePosixPath(normpath(f"docs/{page}/../{found[1]}"))
        on_the_site = path.parts[0] == "docs" and path.suffix in (".md", ".svg")
        return found[0] if on_the_site else f"{SOURCE}/{path}{found[2] or ''}"

    text[0] = LINK.sub(target, text[0])


def show_in_one_theme(_app: Sphinx, _page: str, text: list[str]) -> None:
    """A picture for a light or a dark page, as GitHub names it, becomes one of the theme."""
    pattern = r"!\[([^\]]*)\]\(([^)#]+)#gh-(light|dark)-mode-only\)"
    text[0] = re.sub(pattern, r"```{image} \2\n:alt: \1\n:class: only-\3\n```", text[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", lead_outside)
    app.connect("source-read", show_in_one_theme)
