"""Pages of a run's actions while the run goes on: each action is on one of them, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jobs
import pytest
from jobs import Jobs

from laminar.exceptions import LaminarError
from laminar.remote import Action
from laminar.runs import server_runs
from laminar.wire.runs import ActionPage

TASKS = '''
import asyncio


@gpu.task
def step(name: str) -> str:
    """Wait for the file, with the slot of the queue."""
    return work({folder!r}, name)


@env.task
async def main(count: int) -> None:
    """Call many that wait for one slot."""
    await asyncio.gather(*[step(str(number)) for number in range(count)])
'''


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Jobs]:
    with jobs.serving(tmp_path, concurrency=4) as found:
        found.put_queue("gpu", 1)
        done = found.deploy(TASKS.format(folder=str(tmp_path)), "env", "gpu")
        assert done.returncode == 0, done.stderr
        yield found


def page(served: Jobs, **query: str | int) -> ActionPage:
    path = served.client.space_path("/runs/run/actions")
    found: ActionPage = served.client.call("GET", path, query=query, returns=ActionPage)
    return found


def test_actions_that_start_and_end_between_two_pages_are_on_one_of_them(
    served: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.run("jobs.main", "run", count=6)
    assert jobs.holds(lambda: len(page(served).items) == 7 and len(served.journal()) == 1)
    pages = [page(served, order="name", limit=3)]
    assert {view.state for view in page(served).items} == {"RUNNING", "WAITING"}
    (served.folder / "go").touch()
    assert served.ended("run") == ["SUCCEEDED"]
    while pages[-1].next is not None:
        pages.append(page(served, order="name", limit=3, after=pages[-1].next))
    found = [view.name for each in pages for view in each.items]
    assert found == sorted(view.name for view in page(served).items)
    assert [len(each.items) for each in pages] == [3, 3, 1]
    monkeypatch.setattr(server_runs, "PAGE", 2)
    monkeypatch.setenv("LAMINAR_SERVER_ENDPOINT", served.url)
    begun = [view.name for view in page(served).items]
    assert [action.name for action in Action.listall("run")] == begun
    assert [action.name for action in Action.listall("run", task="gpus.step", limit=4)] == begun[1:5]
    assert len(page(served, order="name", task="gpus.step", state="SUCCEEDED").items) == 6
    assert page(served, order="name", task="gpus.step", state="FAILED").items == ()


def test_what_no_page_follows_is_refused(served: Jobs) -> None:
    (served.folder / "go").touch()
    served.run("jobs.main", "run", count=1)
    refused: list[tuple[dict[str, str | int], str]] = [
        ({"after": "WyJhIiwgMF0="}, "order=name"),
        ({"order": "name", "offset": 1}, "after="),
        ({"order": "name", "after": "?"}, "nothing that a page has given"),
        ({"order": "name", "after": "WzEsIDJd"}, "nothing that a page has given"),
        ({"order": "size"}, "order"),
    ]
    for query, told in refused:
        with pytest.raises(LaminarError, match=told):
            page(served, **query)
