"""Layers call tasks, and tasks run flows: what is called becomes an action of the run, wherever it runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from laminar.ledger.rows import ActionRow
from laminar.ledger.sql import Ledger
from shells import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def calls(shell: Shell, space: str, run: str = "one") -> list[ActionRow]:
    ledger = Ledger(str(shell.folder / ".laminar" / "ledger.db"), create=False)
    try:
        return ledger.calls(space, run)
    finally:
        ledger.close()


def said(shell: Shell, *arguments: str, **variables: str) -> Any:
    """Run the program, and give what it said last."""
    answer = shell.python("main.py", *arguments, LAMINAR_QUIET="1", **variables)
    assert answer.code == 0, answer.err
    return json.loads(answer.out.splitlines()[-1])


# Layers call tasks

LAYERS = """
    import asyncio
    import json
    import os
    import sys

    import laminar
    from laminar import Flow, Layer, ReusePolicy
    from laminar.configurations.executors import Docker, Process, Thread
    from laminar.configurations.layers import Configuration, ForEach, Parameter, Retry

    env = laminar.TaskEnvironment("mixed", env_vars={"MIXED": "yes"})
    WHERE = {"thread": Thread, "process": Process, "docker": lambda: Docker(reuse=ReusePolicy())}


    @env.task
    def square(number: int) -> int:
        return number**2


    @env.task
    async def later(number: int) -> int:
        return await square.aio(number) + 1


    @env.task(cache="auto")
    def kept(number: int) -> str:
        return os.urandom(8).hex()


    @env.task
    def token() -> str:
        return os.urandom(8).hex()


    @env.task
    def fails(key: str) -> None:
        raise KeyError(key)


    @env.task
    def tells() -> list[str]:
        context = laminar.ctx()
        return [context.task, context.run, context.space, os.environ["MIXED"]]


    class Mixed(Flow): ...


    @Mixed.register
    class Calls(Layer):
        def __call__(self) -> None:
            context = laminar.ctx()
            self.context = [context.task, context.run, context.space]
            self.told = tells()
            self.plain = square(3)
            self.mapped = list(laminar.map(square, range(4)))
            self.gathered = asyncio.run(self.gather())
            self.kept = [kept(1), kept(1)]
            try:
                fails("a key")
            except KeyError as error:
                self.error = error.args[0]
            self.shard(number=[1, 1, 2])

        async def gather(self) -> list[int]:
            return await asyncio.gather(later(1), later(2), square.aio(3))


    @Mixed.register(foreach=ForEach(parameters=[Parameter(layer=Calls, attribute="number")]))
    class Each(Layer):
        def __call__(self, calls: Calls) -> None:
            self.square = square(calls.number)
            self.token = token()


    @Mixed.register(retry=Retry(attempts=2, delay=0))
    class Again(Layer):
        def __call__(self, each: Each) -> None:
            found = token()
            if laminar.ctx().attempt == 1:
                raise ConnectionError(f"after {found}")
            self.token = found


    flow = Mixed(executor=WHERE[os.environ.get("WHERE", "thread")]())
    if flow and __name__ == "__main__":
        flow(execution=sys.argv[1])
        calls, each, again = (flow.execution.layer(layer) for layer in (Calls, Each, Again))
        names = ("context", "told", "plain", "mapped", "gathered", "kept", "error")
        print(json.dumps([
            {name: getattr(calls, name) for name in names}, list(each.square), list(each.token), again.token
        ]))
"""


@pytest.mark.parametrize("where", ["thread", "process", "docker"])
def test_layers_call_tasks_wherever_they_run(where: str, shell: Shell, request: pytest.FixtureRequest) -> None:
    variables = request.getfixturevalue("engine_named")("docker").variables if where == "docker" else {}
    shell.write("main.py", LAYERS)
    first, squares, tokens, again = said(shell, "one", WHERE=where, **variables)
    kept = first.pop("kept")
    assert first == {
        "context": ["Calls", "one", "Mixed"],
        "told": ["mixed.tells", "one", "Mixed", "yes"],
        "plain": 9,
        "mapped": [0, 1, 4, 9],
        "gathered": [2, 5, 9],
        "error": "a key",
    }
    assert kept[0] == kept[1]
    assert squares == [1, 1, 4]
    assert len({*tokens, again}) == 4, "splits, and layers, have children of their own"
    rows = calls(shell, "Mixed")
    called = Counter((row.parent, row.task) for row in rows)
    assert called["Again", "mixed.token"] == 1, "what had finished is kept when a layer is tried again"
    for split in ("Each", "Each[1]", "Each[2]"):
        assert called[split, "mixed.token"] == called[split, "mixed.square"] == 1
    assert called["Calls", "mixed.square"] == 6
    assert sum(row.state == "FAILED" for row in rows) == 1


def test_a_result_that_a_layer_has_had_cached_is_there_for_the_next_run(shell: Shell) -> None:
    shell.write("main.py", LAYERS)
    first, second = (said(shell, run)[0]["kept"] for run in ("one", "two"))
    assert first == second


RESUMED = """
    import os
    import sys

    import laminar
    from laminar import Flow, Layer
    from laminar.configurations.executors import Process

    env = laminar.TaskEnvironment("mixed")


    @env.task
    def token(number: int) -> str:
        with open("journal", "a") as journal:
            print("token", number, file=journal)
        return os.urandom(8).hex()


    class Resumed(Flow): ...


    @Resumed.register
    class Fails(Layer):
        def __call__(self) -> None:
            tokens = list(laminar.map(token, range(3)))
            with open("journal", "a") as journal:
                print(*tokens, file=journal)
            if os.path.exists("fail"):
                os.remove("fail")
                raise ValueError("told to fail")


    flow = Resumed(executor=Process())
    if flow and __name__ == "__main__":
        flow(execution="one")
"""


def test_a_flow_that_is_resumed_keeps_what_the_tasks_of_its_layers_have_returned(shell: Shell) -> None:
    shell.write("main.py", RESUMED)
    (shell.folder / "fail").touch()
    assert "told to fail" in shell.python("main.py").err
    answer = shell.laminar("resume", "main.py", "one")
    assert answer.code == 0, answer.err
    journal = shell.journal()
    assert sorted(journal[:3]) == ["token 0", "token 1", "token 2"]
    assert len(journal) == 5
    assert journal[3] == journal[4]


# Tasks run flows

FLOWS = """
    import asyncio
    import json
    import os
    import sys

    import laminar
    from laminar import Flow, Layer, Parameters, ReusePolicy
    from laminar.configurations.datastores import Local
    from laminar.configurations.executors import Docker, Process, Thread
    from laminar.exceptions import BlockingCallError

    env = laminar.TaskEnvironment("mixed")
    WHERE = {"here": lambda: None, "process": Process, "docker": lambda: Docker(reuse=ReusePolicy())}
    INNER = {"thread": Thread, "process": Process}


    def note(*words: object) -> None:
        with open("journal", "a") as journal:
            print(*words, file=journal)


    class Inner(Flow): ...


    @Inner.register
    class Start(Layer):
        def __call__(self, parameters: Parameters) -> None:
            note("start", parameters.number)
            self.number = parameters.number * 10


    @Inner.register
    class End(Layer):
        def __call__(self, start: Start) -> None:
            if os.path.exists("die"):
                os.remove("die")
                os._exit(9)
            note("end", start.number)
            if start.number < 0:
                raise ValueError(f"{start.number} is below zero")
            self.number = start.number + 1


    flow = Inner(executor=INNER[os.environ.get("INNER", "thread")]())


    @env.task
    def twice(number: int) -> list:
        first, second = flow(number=number), flow(number=number)
        return [first.id, second.id, first.layer(End).number, second.layer(End).number]


    @env.task
    async def later(number: int) -> int:
        execution = await asyncio.to_thread(flow, number=number)
        return execution.layer(End).number


    @env.task
    async def blocks() -> str:
        try:
            flow(number=1)
        except BlockingCallError as error:
            return str(error)
        return "it did not refuse"


    @env.task
    def fails() -> str:
        try:
            flow(number=-1)
        except ValueError as error:
            return str(error)
        return "it did not fail"


    @env.task
    async def calls() -> list:
        return list(await asyncio.gather(twice(1), later(2), later(3), blocks(), fails()))


    @env.task
    def dies() -> list:
        return twice(4) + twice(5)


    if __name__ == "__main__":
        what = sys.argv[1]
        if what == "resume":
            run = laminar.resume("one")
        else:
            run = laminar.with_runcontext(name="one", executor=WHERE[os.environ["WHERE"]]()).run(globals()[what])
        print(json.dumps(run.result()))
"""


@pytest.mark.parametrize(("where", "inner"), [("here", "thread"), ("here", "process"), ("process", "process")])
def test_tasks_run_flows_wherever_they_run(where: str, inner: str, shell: Shell) -> None:
    shell.write("main.py", FLOWS)
    twice, second, third, blocked, failed = said(shell, "calls", WHERE=where, INNER=inner)
    assert twice[2:] == [11, 11]
    assert (second, third) == (21, 31)
    assert "await asyncio.to_thread(flow)" in blocked
    assert failed == "-10 is below zero"
    rows = calls(shell, "mixed.calls")
    flows = [row for row in rows if row.task == "flow Inner"]
    names = {row.name: row.task for row in rows}
    assert Counter((names[row.parent], row.state) for row in flows) == {
        ("mixed.twice", "SUCCEEDED"): 2,
        ("mixed.later", "SUCCEEDED"): 2,
        ("mixed.fails", "FAILED"): 1,
    }
    assert {f"one-{row.name}" for row in flows} >= set(twice[:2])
    assert twice[0] != twice[1]


@pytest.mark.parametrize("where", ["here", "process"])
def test_a_flow_in_a_task_that_was_killed_is_gone_on_with(where: str, shell: Shell) -> None:
    shell.write("main.py", FLOWS)
    (shell.folder / "die").touch()
    killed = shell.python("main.py", "dies", WHERE=where, INNER="thread")
    assert killed.code != 0
    assert shell.journal() == ["start 4"]
    found = said(shell, "resume")
    assert shell.journal() == ["start 4", "end 40", "start 4", "end 40", "start 5", "end 50", "start 5", "end 50"]
    assert found[2:4] + found[6:] == [41, 41, 51, 51]
    assert len({*found[:2], *found[4:6]}) == 4
    assert said(shell, "resume") == found
    assert len(shell.journal()) == 8
