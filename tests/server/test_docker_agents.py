"""A server whose attempts run in containers, with a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import fleets
import pytest
from fleets import Fleet, until

from engines import Engine
from laminar.client.http import Client
from laminar.errors import AuthenticationError
from laminar.wire.health import Me
from shells import Shell

SECRETS = {"LAMINAR_SECRET_BASE_PASSWORD": "tell-nobody", "PASSWORD_OF_SERVER": "hidden"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fleet_engine: Engine) -> Iterator[Fleet]:
    """A server for all tests, to which all is deployed."""
    with fleets.fleet(tmp_path_factory.mktemp("fleet"), fleet_engine, **SECRETS) as made:
        made.deploy("env", "kept", "early", "absent", "bare", "Squares", "Hungry")
        yield made


def test_a_tree_of_tasks_runs_in_containers_one_for_each(fleet: Fleet) -> None:
    run = fleet.begin("fleet.tree", n=2)
    hosts = fleet.value(run)
    assert len(set(hosts)) == 3
    assert sorted(fleet.outside.notes) == ["leaf-0", "leaf-1", "tree"]
    assert {action.state.value for action in fleet.actions(run)} == {"SUCCEEDED"}
    fleet.none_left()


def test_a_container_is_given_nothing_but_the_way_to_the_server(fleet: Fleet) -> None:
    seen = fleet.value(fleet.begin("fleet.surroundings"))
    assert "hidden" not in seen["values"]
    assert not [name for name in seen["variables"] if name.startswith("LAMINAR_AGENT")]
    assert int(seen["capabilities"], 16) == 0
    assert seen["privileges"] == "1"
    assert seen["socket"] == []
    assert not [mount for mount in seen["mounts"] if str(fleet.shell.folder) in mount or mount.startswith("/work")]
    assert seen["score"] == 500
    assert "python" not in seen["first"]


def test_a_secret_reaches_its_task_and_no_description_of_the_container(fleet: Fleet) -> None:
    run = fleet.begin("fleet.knows", held=True)
    fleet.noted("knows")
    told = fleet.engine.docker("inspect", *fleet.containers(f"label=laminar.run={run}"))
    fleet.outside.open("knows")
    assert "tell-nobody" not in told
    assert fleet.value(run) == ("ydobon-llet", True)
    assert "tell-nobody" not in fleet.text()


def test_who_comes_by_the_way_of_containers_needs_a_token(fleet: Fleet) -> None:
    here = urlsplit(fleet.client.endpoint)
    with pytest.raises(AuthenticationError):
        Client(f"http://{fleet.engine.gateway()}:{here.port}").call("GET", "/me", returns=Me)
    assert fleet.client.call("GET", "/me", returns=Me).role == "admin"


def test_a_server_whose_engine_is_away_says_so_in_a_line(tmp_path: Path) -> None:
    refused = Shell(tmp_path).laminar("serve", "--executor", "docker", DOCKER_HOST=f"unix://{tmp_path}/nobody.sock")
    assert refused.code == 1
    assert "No container engine answers" in refused.err


def test_memory_that_runs_out_is_told_with_its_limit(fleet: Fleet) -> None:
    kind, message = fleet.failure(fleet.begin("fleet.hungry", megabytes=150))
    assert kind == "OutOfMemoryError"
    assert "the kernel killed it for memory" in message
    assert "its limit is memory='100MB'" in message


def test_a_layer_whose_memory_ran_out_is_given_more(fleet: Fleet) -> None:
    run = fleet.begin("Hungry")
    assert fleet.ended(run).state.value == "SUCCEEDED", fleet.text()[-3000:]
    assert fleet.outside.notes == ["eats", "eats"]


def test_an_image_that_nobody_has_is_told_at_once(fleet: Fleet) -> None:
    kind, message = fleet.failure(fleet.begin("absent.nowhere"))
    assert kind in ("ImageNotFoundError", "ImagePullError")
    assert "laminar-test-nobody-has/this:1" in message


def test_an_image_without_laminar_is_told_in_plain_words(fleet: Fleet) -> None:
    kind, message = fleet.failure(fleet.begin("bare.without_laminar"))
    assert kind == "PlacementError"
    assert "Image.from_registry(" in message


def test_an_abort_leaves_nothing_however_stubborn_the_attempt(fleet: Fleet) -> None:
    run = fleet.begin("fleet.stubborn")
    fleet.noted("stubborn")
    fleet.abort(run)
    assert fleet.ended(run).state.value == "CANCELLED"
    fleet.none_left()


def test_a_parent_lets_its_children_into_the_one_container_that_is_kept(fleet: Fleet) -> None:
    first = fleet.value(fleet.begin("kept.parent"))
    assert len(set(first)) == 1
    assert fleet.value(fleet.begin("kept.parent")) == first
    assert len(fleet.containers()) == 1


def test_the_fewest_containers_of_a_policy_are_up_before_anything_is_called(fleet: Fleet) -> None:
    run = fleet.begin("early.calls_late")
    until(lambda: len(fleet.running()) == 3, "two wait for work beside that of the caller", 0.2)
    assert [action.task for action in fleet.actions(run)] == ["early.calls_late"]
    warm = [name[:12] for name in fleet.running()]
    fleet.outside.open("late")
    assert fleet.value(run) in warm
    until(lambda: len(fleet.containers()) == 2, "both stay", 0.2)


def test_a_flow_runs_with_its_scheduler_and_layers_in_containers(fleet: Fleet) -> None:
    fleet.outside.open("second-2")
    run = fleet.begin("Squares")
    assert fleet.ended(run).state.value == "SUCCEEDED", fleet.text()[-3000:]
    assert "third-5-2" in fleet.outside.notes
    fleet.none_left()
