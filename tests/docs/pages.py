"""The pages of the documentation, taken apart into their blocks of code, and what it takes to run them.

``python`` and ``yaml`` with a title are written to that file. ``python`` without one, and ``pycon``, run in one session
for each page, as in a REPL; what ``pycon`` shows is compared. ``console`` runs what stands behind ``$`` and compares
what follows, if anything does; ``...`` stands for anything. A comment before a block may say ``<!-- exits N -->`` or
``<!-- not run: why -->``. Blocks inside a comment run too, and readers do not see them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", *ROOT.glob("docs/**/*.md")])
SESSION = Path(__file__).with_name("session.py")
RUN = {"python", "pycon", "console", "yaml"}
SHOWN = {"text", "mermaid", "json", "toml", "ini", "html"}

#: Where ``laminar serve`` listens if nothing else is said.
ADDRESS = "http://127.0.0.1:8080"

#: How variables begin that a reader does not have.
OWN = ("LAMINAR_", "PYTHONDONTWRITEBYTECODE")

FENCE = re.compile(
    r"^(?P<note>[ ]*<!-- (?:exits (?P<exits>\d+)|not run: (?P<why>[^>]+)) -->\n)?"
    r"(?P<indent>[ ]*)```(?P<language>[\w-]*)(?P<options>[^\n]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One block of code: where it stands, what it is, and whether it runs."""

    page: str
    line: int
    language: str
    title: str | None
    text: str
    exits: int
    why_not_run: str | None

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.language in RUN and self.why_not_run is None


def blocks(page: Path) -> list[Block]:
    """Take a page apart."""
    source = page.read_text()
    found = []
    for match in FENCE.finditer(source):
        title = re.search(r'title="([^"]+)"', match["options"])
        found.append(
            Block(
                page=str(page.relative_to(ROOT)),
                line=source.count("\n", 0, match.start("indent")) + 1,
                language=match["language"],
                title=title[1] if title else None,
                text=textwrap.dedent(match["text"]),
                exits=int(match["exits"] or 0),
                why_not_run=match["why"],
            )
        )
    return found


class Reader:
    """Does what a reader of a page does, in a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], address: str = "") -> None:
        """Begin.

        Args:
            folder: Where files of the page go.
            environment: Variables beside those of this process.
            address: Where a server really answers that pages have at ``ADDRESS``.
        """
        self._folder = folder
        self._address = address
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(OWN)},
            **environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # readers need not have those that laminar's own tests need
        }
        self._session: subprocess.Popen[str] | None = None

    def follow(self, block: Block) -> None:
        """Do what a block says, and fail as it does."""
        if self._address:
            block = replace(block, text=block.text.replace(ADDRESS, self._address))
        if block.language == "console":
            self._commands(block)
        elif block.title is not None:
            path = self._folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        else:
            self._ask(block)

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.stdin.close()
            self._session.stdout.close()
            self._session.wait(30)

    def _ask(self, block: Block) -> None:
        if self._session is None:
            self._session = subprocess.Popen(
                [sys.executable, "-c", SESSION.read_text()],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        print(json.dumps([block.language, block.text, block.where]), file=self._session.stdin, flush=True)
        answer = self._session.stdout.readline()
        assert answer, f"{block.where}: the session died"
        assert json.loads(answer) == "", f"{block.where}\n{json.loads(answer)}"

    def _commands(self, block: Block) -> None:
        steps = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
        assert steps[0].strip() == "", f"{block.where}: a console block begins with $"
        for step in steps[1:]:
            command, _, shown = step.partition("\n")
            while command.endswith("\\"):
                more, _, shown = shown.partition("\n")
                command = f"{command[:-1]} {more.strip()}"
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            said = f"{block.where}: $ {command}\nexited with {done.returncode} and printed\n{done.stdout}"
            assert done.returncode == block.exits, said
            assert not shown.strip() or matches(shown, done.stdout), f"{said}\nbut the page shows\n{shown}"


def matches(shown: str, printed: str) -> bool:
    """Tell whether what was printed is what is shown, where ``...`` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in _lines(shown).split("..."))
    return re.fullmatch(pattern, _lines(printed), re.DOTALL) is not None


def _lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
