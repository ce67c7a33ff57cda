"""A flow whose layers look at where they run, and use what is there."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from laminar import Flow, Layer, Parameters
from laminar.configurations import datastores, executors
from laminar.configurations.layers import Catch, Container, ForEach, Parameter
from laminar.configurations.schedulers import Scheduler
from laminar.settings import current
from laminar.testing.parity import signs

if TYPE_CHECKING:
    from typing import Any

#: A layer whose behaviour fails is looked at by one test; the run goes on for the others.
APART = Catch(Exception)


#: Name of a variable that splits set, though it is none of theirs.
LEFT = "PARITY_LEFT"

calls: list[int] = []


class SurroundingsFlow(Flow):
    """Looks around."""


@SurroundingsFlow.register(catch=APART, container=Container(env={"PARITY_CONTAINER": "of the layer"}))
class Where(Layer):
    """Tells where it runs."""

    def __call__(self, parameters: Parameters) -> None:
        self.current = (
            current.execution.id,
            current.execution.retry,
            current.flow.name,
            current.layer.name,
            current.layer.index,
            current.layer.splits,
            current.layer.attempt,
        )
        self.own = (self.execution.id, self.name, self.index, self.splits, self.attempt)
        self.environment = dict(os.environ)
        self.cwd = os.getcwd()
        self.workdir = self.configuration.container.workdir
        self.python = (sys.version_info[:2], sys.byteorder, sys.getfilesystemencoding())
        self.input = sys.stdin.read() if parameters.reads_input else ""


@SurroundingsFlow.register(catch=APART)
class Files(Layer):
    """Writes files."""

    def __call__(self, parameters: Parameters) -> None:
        Path(parameters.signs, "grüße ☃").write_text("☃")
        with tempfile.TemporaryFile() as file:
            file.write(b"scratch")
            file.seek(0)
            self.temporary = file.read()
        Path("relative").write_text("written")
        self.relative = Path("relative").read_text()
        Path("relative").unlink()
        self.beside = Path("beside").exists()
        with ExitStack() as stack:
            self.open = len({stack.enter_context(tempfile.TemporaryFile()).fileno() for _ in range(200)})


@SurroundingsFlow.register
class Deal(Layer):
    """Gives something to iterate over."""

    numbers: Any
    pair: Any

    def __call__(self) -> None:
        self.shard(numbers=range(4), pair=range(2))


@SurroundingsFlow.register(catch=APART, foreach=ForEach(parameters=[Parameter(layer=Deal, attribute="numbers")]))
class Count(Layer):
    """Changes what its process holds, and draws random numbers."""

    def __call__(self, deal: Deal) -> None:
        calls.append(1)
        self.calls = len(calls)
        self.left = os.environ.get(LEFT)
        os.environ[LEFT] = "by a split"
        self.random = random.random()  # noqa: S311 - no secret
        self.main = threading.current_thread() is threading.main_thread()


@SurroundingsFlow.register(catch=APART, foreach=ForEach(parameters=[Parameter(layer=Deal, attribute="pair")]))
class Meet(Layer):
    """Waits for the other split."""

    def __call__(self, deal: Deal, parameters: Parameters) -> None:
        signs.leave(parameters.signs, "meeting")
        signs.wait_for(parameters.signs, "meeting", 2)
        self.met = True


@SurroundingsFlow.register(catch=APART)
class Leave(Layer):
    """Ends before a thread that it has started."""

    def __call__(self, parameters: Parameters) -> None:
        folder = parameters.signs
        threading.Thread(target=_linger, args=(folder,)).start()
        signs.wait_for(folder, "thread")
        self.left = True


def _linger(folder: str) -> None:
    with signs.hold(folder, "thread"), suppress(AssertionError):
        signs.until("released", lambda: signs.count(folder, "released"))


def double(number: int) -> int:
    """Work for another process."""
    return number * 2


@SurroundingsFlow.register(catch=APART)
class Parallel(Layer):
    """Uses threads, processes and an event loop."""

    def __call__(self) -> None:
        found: list[int] = []
        threads = [threading.Thread(target=found.append, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.threads = sorted(found)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            self.processes = list(pool.map(double, range(3)))
        self.loop = asyncio.run(_gathered())
        command = [sys.executable, "-c", "import sys; print(sys.stdin.read().upper())"]
        self.command = subprocess.run(command, input="said", capture_output=True, text=True, check=True).stdout  # noqa: S603 - this interpreter


async def _gathered() -> list[int]:
    async def later(number: int) -> int:
        await asyncio.sleep(0)
        return number

    return list(await asyncio.gather(*map(later, range(3))))


@SurroundingsFlow.register(catch=APART)
class Asynchronous(Layer):
    """Has an asynchronous body."""

    async def __call__(self) -> None:
        self.gathered = await _gathered()


class InnerFlow(Flow):
    """Runs inside a layer of another."""


@InnerFlow.register
class Inner(Layer):
    """Tells where it is."""

    def __call__(self, parameters: Parameters) -> None:
        self.flow = current.flow.name
        self.value = parameters.value + 1


@SurroundingsFlow.register(catch=APART)
class Nested(Layer):
    """Runs a flow."""

    def __call__(self) -> None:
        flow = InnerFlow(
            datastore=datastores.Memory(),
            executor=executors.Thread(concurrency=1),
            scheduler=Scheduler(quiet=True),
        )
        inner = flow(value=41).layer(Inner)
        self.inner = (inner.flow, inner.value)
        self.outer = current.flow.name
