"""A server whose attempts run in processes of its machine."""

from __future__ import annotations

from collections.abc import Iterator

import fleets
import pytest
from fleets import Fleet, until

import engines
from laminar.host import processes
from laminar.server.launchers.contract import name_of

#: An engine that nobody asks: the executor needs none.
NONE = engines.Engine("none", "unix:///nowhere", "", {})


SECRETS = {
    "LAMINAR_SECRET_BASE_PASSWORD": "tell-nobody",
    "LAMINAR_SIGNING_KEY": "hidden-0123456789-0123456789-0123456789",
    "PGPASSWORD": "hidden-too",
    "AWS_SECRET_ACCESS_KEY": "hidden-as-well",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A server for all tests."""
    with fleets.fleet(tmp_path_factory.mktemp("fleet"), NONE, "process", **SECRETS) as made:
        made.deploy("env")
        yield made


def test_an_attempt_sees_nothing_of_what_the_server_alone_should_know(fleet: Fleet) -> None:
    seen = fleet.value(fleet.begin("fleet.surroundings"))
    assert "hidden" not in seen["values"]
    assert "tell-nobody" not in seen["values"]
    assert not [name for name in seen["variables"] if name.startswith("LAMINAR_AGENT")]
    assert fleet.value(fleet.begin("fleet.knows")) == ("ydobon-llet", True)


def test_a_task_is_given_no_variable_of_the_server_as_a_secret(fleet: Fleet) -> None:
    kind, message = fleet.failure(fleet.begin("fleet.asks_for_too_much"))
    assert kind == "SecretNotFoundError"
    assert "hidden" not in message


def test_the_kernel_takes_an_attempt_before_its_server(fleet: Fleet) -> None:
    assert fleet.value(fleet.begin("fleet.surroundings"))["score"] == 500


def test_attempts_of_a_server_that_was_killed_go_on_and_run_once(fleet: Fleet) -> None:
    run = fleet.begin("fleet.grove")
    fleet.noted("leaf-2")
    fleet.kill()
    fleet.start()
    until(lambda: fleet.view(run).epoch == 2, "the run is driven again")
    fleet.outside.open("leaf-2")
    fleet.value(run)
    assert sorted(fleet.outside.notes) == ["grove", "leaf-1", "leaf-2"]


def test_nothing_is_left_of_a_worker_that_was_killed(fleet: Fleet) -> None:
    run = fleet.begin("fleet.grove")
    fleet.noted("leaf-2")
    folders = private(fleet)
    label = f"agent/{name_of(str(fleet.state / 'agents'))}/"
    for pid, one in processes.labels(label).items():
        if one.count("/") == label.count("/"):
            processes.kill_tree(pid)
    fleet.outside.open("leaf-2")
    fleet.value(run)
    assert len(folders) == 1
    until(lambda: not folders & private(fleet), "its folder is removed")


def private(fleet: Fleet) -> set[str]:
    """Name the folders of agents that nobody else uses."""
    return {path.name for path in (fleet.state / "agents").iterdir() if path.is_dir() and path.name != "bundles"}


def test_what_was_asked_for_to_stop_and_is_stubborn_is_killed(fleet: Fleet) -> None:
    run = fleet.begin("fleet.stubborn")
    fleet.noted("stubborn")
    fleet.abort(run)
    assert fleet.ended(run).state.value == "CANCELLED"
    label = f"agent/{name_of(str(fleet.state / 'agents'))}/"
    until(lambda: not [one for one in processes.labels(label).values() if run in one], "no process is left")
