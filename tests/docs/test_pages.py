"""Whatever the documentation tells readers to type works, and shows what the page says that it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import click
import pytest
from pages import ADDRESS, PAGES, ROOT, RUN, SHOWN, Reader, blocks, matches

from laminar.cli.main import program
from laminar.server.settings import KINDS

RUNNABLE = [page for page in PAGES if any(block.runs for block in blocks(page))]
MOST_NOT_RUN = 12


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.timeout(240)
def test_every_block_of_a_page_runs(page, tmp_path, request):
    text = page.read_text()
    environment = request.getfixturevalue("bucket") if "s3://" in text else {}
    if "$ laminar build" in text or "executors.Docker(" in text:
        environment = {**environment, **request.getfixturevalue("container_variables")}
    if "$ laminar deploy -q" in text:
        environment = {**environment, **request.getfixturevalue("server_variables")}
    found = blocks(page)
    asks = any(ADDRESS in block.text for block in found if block.runs)
    address = request.getfixturevalue("server_variables")["LAMINAR_SERVER_ENDPOINT"] if asks else ""
    reader = Reader(tmp_path, environment, address)
    try:
        for block in found:
            if block.runs:
                reader.follow(block)
    finally:
        reader.close()


def test_every_block_says_what_it_is():
    strange = [block.where for page in PAGES for block in blocks(page) if block.language not in RUN | SHOWN]
    assert strange == []


def test_few_blocks_are_not_run():
    spared = [f"{block.where}: {block.why_not_run}" for page in PAGES for block in blocks(page) if block.why_not_run]
    assert len(spared) <= MOST_NOT_RUN, "\n".join(spared)


def test_a_page_that_shows_something_else_is_noticed():
    assert matches("laminar: A ... in ...\ndone\n", "laminar: A succeeded in 2 ms\ndone\n")
    assert not matches("laminar: A ... in ...\ndone\n", "laminar: A succeeded in 2 ms\n")


def test_a_block_that_fails_is_noticed(tmp_path):
    page = ROOT / "README.md"
    block = next(block for block in blocks(page) if block.runs)
    reader = Reader(tmp_path, {})
    for language, text in (
        ("python", "1 / 0"),
        ("pycon", ">>> 1 + 1\n3\n"),
        ("console", "$ false\n"),
        ("console", "$ echo a\nb\n"),
    ):
        with pytest.raises(AssertionError):
            reader.follow(type(block)("page.md", 1, language, None, text, 0, None))
    reader.close()


def test_the_site_builds_without_a_warning(tmp_path, needs):
    needs(find_spec("mkdocs") and find_spec("mkdocstrings"), "mkdocs and mkdocstrings, of the dependency group docs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").exists()


def test_the_page_on_servers_names_every_setting():
    page = (ROOT / "docs" / "howto" / "server.md").read_text()
    assert [name for name in KINDS if f"| `serve.{name}` | `LAMINAR_SERVE_{name.upper()}`" not in page] == []


def test_the_reference_names_every_command_and_option():
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    missing = []
    groups = [("laminar", program)]
    while groups:
        path, group = groups.pop()
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                groups.append((f"{path} {name}", command))
            else:
                names = [option for parameter in command.params for option in parameter.opts if option.startswith("-")]
                missing += [word for word in (f"{path} {name}", *names) if f"`{word}" not in page]
    assert missing == []


def test_the_reference_names_everything_on_the_stable_paths():
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    faces = [path for path in (ROOT / "src" / "laminar" / "configurations").glob("*.py") if path.stem != "__init__"]
    modules = [import_module(f"laminar.configurations.{path.stem}") for path in faces]
    names = {f"{module.__name__}.{name}" for module in modules for name in module.__all__}
    names |= {f"laminar.{name}" for name in import_module("laminar").__all__}
    names |= {f"laminar.remote.{name}" for name in import_module("laminar.remote").__all__}
    others = {"laminar.configurations.datastores.AWS", "laminar.configurations.datastores.Accessor"}
    others |= {
        "laminar.__version__",
        "laminar.remote",
        *(f"laminar.{name}" for name in ("Resources", "ReusePolicy", "Timeout")),
    }
    missing = [name for name in sorted(names - others) if not re.search(f"^(:::|####) {re.escape(name)}$", page, re.M)]
    assert missing == []
