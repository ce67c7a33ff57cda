"""A server whose attempts run in containers, under the deaths of both, with a real engine."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import fleets
import pytest
from fleets import Fleet, until

from engines import Engine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fleet_engine: Engine) -> Iterator[Fleet]:
    """A server for all tests."""
    with fleets.fleet(tmp_path_factory.mktemp("fleet"), fleet_engine) as made:
        made.deploy("env")
        yield made


def test_containers_of_a_server_that_was_killed_are_taken_back_and_nothing_runs_twice(fleet: Fleet) -> None:
    run = fleet.begin("fleet.grove")
    fleet.noted("leaf-2")
    before = set(fleet.containers())
    fleet.kill()
    fleet.start()
    until(lambda: fleet.view(run).epoch == 2, "the run is driven again")
    fleet.outside.open("leaf-2")
    fleet.value(run)
    assert sorted(fleet.outside.notes) == ["grove", "leaf-1", "leaf-2"]
    assert len(before) == 2
    fleet.none_left()


def test_what_ends_while_no_server_is_there_counts_for_the_next(fleet: Fleet) -> None:
    run = fleet.begin("fleet.leaf", n=7, held=True)
    fleet.noted("leaf-7")
    fleet.kill()
    fleet.outside.open("leaf-7")
    fleet.start()
    fleet.value(run)
    assert fleet.outside.notes == ["leaf-7"]


def test_a_server_that_stops_in_order_leaves_its_containers_to_the_next(fleet: Fleet) -> None:
    run = fleet.begin("fleet.leaf", n=7, held=True)
    fleet.noted("leaf-7")
    fleet.kill(signal.SIGTERM)
    assert len(fleet.containers()) == 1
    fleet.start()
    until(lambda: fleet.view(run).epoch == 2, "the run is driven again")
    fleet.outside.open("leaf-7")
    fleet.value(run)
    assert fleet.outside.notes == ["leaf-7"]


def test_a_parent_whose_container_is_killed_starts_again_and_its_children_do_not(fleet: Fleet) -> None:
    run = fleet.begin("fleet.grove")
    fleet.noted("leaf-2")
    parent = [name for name in fleet.containers() if is_parent(fleet, name)]
    fleet.engine.docker("kill", *parent)
    until(lambda: fleet.outside.notes.count("grove") == 2, "the parent runs again")
    fleet.outside.open("leaf-2")
    fleet.value(run)
    assert fleet.outside.notes.count("leaf-1") == 1


def test_the_next_server_ends_what_it_finds_and_nobody_asks_for(fleet: Fleet) -> None:
    run = fleet.begin("fleet.leaf", n=7, held=True)
    fleet.noted("leaf-7")
    name = fleet.containers()[0]
    fleet.engine.docker("pause", name)
    fleet.kill()
    fleet.start()
    fleet.outside.open("leaf-7")
    fleet.value(run)
    assert name not in fleet.containers()


def is_parent(fleet: Fleet, container: str) -> bool:
    labels = json.loads(fleet.engine.docker("inspect", "--format", "{{json .Config.Labels}}", container))
    return str(labels["laminar.action"]).startswith("a0")
