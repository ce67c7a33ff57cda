"""The server carries out nothing of what users send: it has not the means, and it is seen not to."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import grimp
import pytest

PROGRAM = os.path.join(os.path.dirname(__file__), "poisoned.py")
#: What can make objects or run code of somebody's choice, or write files from an archive.
MEANS = (
    "pickle",
    "_pickle",
    "cloudpickle",
    "marshal",
    "shelve",
    "dill",
    "tarfile",
    "zipfile",
    "shutil",
    "runpy",
    "imp",
    "code",
    "laminar.packaging.unpack",
    "laminar.worker.loading",
)
#: Who loads modules by name on the server's side: extras of laminar's own, under names that stand in its source.
LOADERS = {"laminar", "laminar.data.objects"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, late imports included, those for type checkers alone not."""
    return grimp.build_graph("laminar", include_external_packages=True, exclude_type_checking_imports=True)


def of_server(graph: grimp.ImportGraph) -> set[str]:
    """All that the server imports, by however many steps."""
    own = {"laminar.server", *graph.find_descendants("laminar.server")}
    return own.union(*(graph.find_upstream_modules(module) for module in own))


def test_the_server_imports_nothing_that_could_carry_out_what_users_send(graph: grimp.ImportGraph) -> None:
    found = of_server(graph)
    chains = [
        graph.find_shortest_chain(module, mean)
        for mean in sorted(found.intersection(MEANS))
        for module in sorted(graph.find_descendants("laminar.server"))
        if graph.chain_exists(module, mean)
    ]
    assert chains == []
    assert {"msgspec", "starlette"} <= found


def test_the_server_loads_modules_by_names_of_its_own_alone(graph: grimp.ImportGraph) -> None:
    found = {module for module in of_server(graph) if "importlib" in graph.find_modules_directly_imported_by(module)}
    assert found <= LOADERS


def poisoned(kind: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, PROGRAM, kind], capture_output=True, text=True, timeout=100, cwd=os.path.dirname(PROGRAM)
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_poison_in_every_place_of_every_request_makes_the_server_carry_out_nothing() -> None:
    assert poisoned("server") == []


def test_a_server_that_unpickles_would_be_seen() -> None:
    assert "pickle.find_class" in poisoned("careless")
