"""What the site shows in another way than the files: marks in docstrings, and pages from the top of the repository."""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Where the files at the top have their pages.
PAGES = {"ARCHITECTURE.md": "concepts/architecture.md", "CHANGELOG.md": "changelog.md"}
INCLUDE = re.compile(r"^\{\{ (\S+) \}\}$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
ROLE = re.compile(r":(?:class|meth|func|mod):(<code>)(?:~[\w.]*\.)?")
COLONS = re.compile(r"::</p>")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put a file from the top of the repository in the place of ``{{ FILE }}``, with links that fit."""
    folder = posixpath.dirname(page.file.src_uri)

    def link(found: re.Match[str]) -> str:
        target = PAGES.get(found[1], found[1].removeprefix("docs/"))
        return f"]({posixpath.relpath(target, folder or '.')}"

    return INCLUDE.sub(lambda found: LINK.sub(link, (ROOT / found[1]).read_text()), markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Drop the roles in front of names, and the second colon in front of code."""
    return COLONS.sub(":</p>", ROLE.sub(r"\1", html))
