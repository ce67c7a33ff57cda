"""What an operator sees of a server: what it counts, and what it logs."""

from __future__ import annotations

import os
import urllib.request

import psutil
import pytest
from operated import Operated, holds
from prometheus_client.parser import text_string_to_metric_families

from laminar.host import processes


def counted(server: Operated) -> dict[str, float]:
    """Give what is counted, by name and labels; the requests are left out."""
    with urllib.request.urlopen(f"{server.url}/api/v1/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = [value for name, value in sample.labels.items() if name == "state"]
            found[" ".join([sample.name, *labels])] = sample.value
    return found


def test_runs_are_counted_as_they_wait_go_on_and_end(operated: Operated) -> None:
    server = operated
    before = counted(server)
    assert before["laminar_runs RUNNING"] == 0
    assert before["laminar_slots"] == 4
    server.submit("kept.steps", "counted", n=1)
    assert holds(lambda: server.notes() == ["start 0"])
    during = counted(server)
    assert during["laminar_runs RUNNING"] == during["laminar_runs_driven"] == 1
    assert during["laminar_agents"] == 1
    assert during["laminar_attempts_live"] == 2
    assert during["laminar_slots_used"] >= 1
    assert during["laminar_claim_seconds_count"] == 1
    assert holds(lambda: counted(server)["laminar_database_seconds_count"] > 0)
    server.go(0)
    server.wait("counted")
    assert holds(lambda: counted(server).get("laminar_runs_ended_total SUCCEEDED") == 1)
    after = counted(server)
    assert after["laminar_runs RUNNING"] == after["laminar_slots_used"] == 0
    assert after["laminar_workers_lost_total"] == 0


@pytest.mark.parametrize("operated", ["sqlite"], indirect=True)
def test_what_happens_to_a_run_is_logged_once_and_requests_of_workers_are_not(operated: Operated) -> None:
    server = operated
    server.submit("kept.steps", "logged", n=2)
    server.go(0)
    server.go(1)
    server.wait("logged")
    assert holds(lambda: server.events("run") != [])
    (claim,) = server.events("claim")
    assert (claim["space"], claim["run"], claim["epoch"]) == ("default/development", "logged", 1)
    (end,) = server.events("run")
    assert (end["run"], end["state"]) == ("logged", "SUCCEEDED")
    asked = [event["path"] for event in server.events("request") if event["status"] < 400]
    assert asked
    assert [path for path in asked if path.startswith(("/api/v1/agent", "/api/v1/attempt", "/api/v1/store"))] == []


@pytest.mark.parametrize("operated", ["sqlite"], indirect=True)
def test_a_worker_that_is_killed_is_counted_and_logged(operated: Operated) -> None:
    server = operated
    server.submit("kept.steps", "hurt", n=1)
    assert holds(lambda: server.notes() == ["start 0"])
    folder = str(server.folder)
    agents = [pid for pid in processes.labels("agent/") if _belongs(pid, folder)]
    leaders = [pid for pid in agents if _leads(pid)]
    assert len(leaders) == 1
    processes.kill_tree(leaders[0])
    server.go(0)
    server.wait("hurt")
    (lost,) = server.events("lost worker")
    assert lost["space"] == "default/development"
    assert lost["attempts"] >= 1
    assert counted(server)["laminar_workers_lost_total"] == 1


@pytest.mark.parametrize("operated", ["sqlite"], indirect=True)
def test_a_run_of_a_server_that_was_killed_is_logged_as_a_recovery(operated: Operated) -> None:
    server = operated
    server.submit("kept.steps", "taken-up", n=1)
    assert holds(lambda: server.notes() == ["start 0"])
    server.stop(9)
    server.start()
    server.go(0)
    server.wait("taken-up")
    recovery = server.events("recovery")[-1]
    assert (recovery["run"], recovery["epoch"]) == ("taken-up", 2)


def _belongs(pid: int, folder: str) -> bool:
    try:
        return psutil.Process(pid).environ().get("LAMINAR_AGENT_FOLDER", "").startswith(folder)
    except psutil.NoSuchProcess:  # of another test, and gone by now
        return False


def _leads(pid: int) -> bool:
    return os.getsid(pid) == pid
