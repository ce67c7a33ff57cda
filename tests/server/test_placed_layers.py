"""Containers of layers are on a server what they are on the user's own machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import fleets
import pytest
from fleets import Fleet, until

from engines import Engine
from laminar.server.launchers.contract import name_of

PROGRAM = Path(__file__).with_name("placed.py")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fleet_engine: Engine) -> Iterator[Fleet]:
    """A server for all tests, to which all flows are deployed."""
    folder = tmp_path_factory.mktemp("fleet")
    with fleets.fleet(folder, fleet_engine) as made:
        shutil.copy(PROGRAM, folder)  # a project of its own, with the program at its top
        made.deploy("Placed", "Commanded", "Unstarted", "Moved", file=folder / PROGRAM.name)
        yield made


def finished(fleet: Fleet, flow: str) -> list[str]:
    """Run a flow to its end in success; gives what it has noted."""
    run = fleet.begin(flow)
    assert fleet.ended(run).state.value == "SUCCEEDED", (fleet.output(run), fleet.text()[-3000:])
    return fleet.outside.notes


def test_the_code_lies_in_the_workdir_of_a_layer_and_its_variables_are_there_before_it_is_loaded(fleet: Fleet) -> None:
    began = int(time.time())
    assert finished(fleet, "Placed") == [
        "usual /laminar /laminar kept on disk",
        "elsewhere /srv/app /srv/app before the code is loaded",
    ]
    fleet.none_left()
    volumes = volumes_since(began, fleet)
    assert volumes
    until(lambda: volumes.isdisjoint(fleet.engine.docker("volume", "ls", "--quiet").split()), "no volume is left", 0.2)


def volumes_since(began: int, fleet: Fleet) -> set[str]:
    """Name the volumes that the fleet's containers have had; those of other tests come and go."""
    when = ("events", "--since", str(began), "--until", str(int(time.time()) + 1))
    label = f"label=laminar.server={name_of(str(fleet.state / 'agents'))}"
    own = fleet.engine.docker(*when, "--filter", "event=create", "--filter", label, "--format", "{{.ID}}").split()
    mounts = fleet.engine.docker(
        *when, "--filter", "event=mount", "--format", "{{.Actor.Attributes.container}} {{.Actor.ID}}"
    )
    return {volume for container, volume in map(str.split, mounts.splitlines()) if container in own}


def test_the_command_of_a_layer_starts_its_code(fleet: Fleet) -> None:
    assert finished(fleet, "Commanded") == ["spoken a word apart /srv/app __main__", "heard a word"]


def test_a_command_that_cannot_be_started_says_so(fleet: Fleet) -> None:
    run = fleet.begin("Unstarted")
    kind, message = fleet.failure(run)
    assert kind == "AttemptExitedError"
    assert "127" in message
    assert "The command 'no-such-program main.py' cannot be started" in fleet.output(run)


def test_a_hook_that_names_another_image_for_one_split_is_refused(fleet: Fleet) -> None:
    kind, message = fleet.failure(fleet.begin("Moved"))
    assert kind == "PlacementError"
    assert "image" in message
    assert "another/image:1" in message
