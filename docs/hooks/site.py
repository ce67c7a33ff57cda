"""What the site shows in another way than the files: marks in docstrings, pages from the top of the repository, and
the routes of a server."""

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
#: What stands for the table of all that a server can be asked for.
ROUTES = "{{ routes }}"
COLONS = re.compile(r"::</p>")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put a file from the top of the repository in the place of ``{{ FILE }}``, with links that fit."""
    folder = posixpath.dirname(page.file.src_uri)

    def link(found: re.Match[str]) -> str:
        target = PAGES.get(found[1], found[1].removeprefix("docs/"))
        return f"]({posixpath.relpath(target, folder or '.')}"

    if ROUTES in markdown:
        return markdown.replace(ROUTES, routes())
    return INCLUDE.sub(lambda found: LINK.sub(link, (ROOT / found[1]).read_text()), markdown)


def routes() -> str:
    """Make a table of all that a server can be asked for."""
    from laminar.server.api import table

    rows = [
        f"| `{route.method} {route.path}` | {route.role.value} | {route.summary} |"
        for route in sorted(table.ROUTES, key=lambda route: route.path)
    ]
    return "\n".join(["| request | role | what it does |", "|---|---|---|", *rows])


def on_page_content(html: str, **_: Any) -> str:
    """Drop the roles in front of names, and the second colon in front of code."""
    return COLONS.sub(":</p>", ROLE.sub(r"\1", html))
