"""Tasks and a flow that tell the test what they do."""

import asyncio
import ctypes
import os
import urllib.request
from pathlib import Path

from laminar import Flow, Layer, Resources, ReusePolicy, Secret, TaskEnvironment
from laminar.configurations.layers import Container, ForEach, Parameter, Retry

env = TaskEnvironment("fleet")
kept = TaskEnvironment("kept", reusable=ReusePolicy(replicas=(0, 1), idle_ttl=600, concurrency=1))
ready = TaskEnvironment("ready", reusable=ReusePolicy(replicas=(2, 3), idle_ttl=600))
early = TaskEnvironment("early", depends_on=[ready])
absent = TaskEnvironment("absent", image="laminar-test-nobody-has/this:1")
bare = TaskEnvironment("bare", image=os.environ.get("LAMINAR_IMAGE_BASE", "laminar-test-base:bookworm"))


def note(what):
    urllib.request.urlopen(f"{os.environ['OUTSIDE']}/note/{what}").close()


def wait(what):
    urllib.request.urlopen(f"{os.environ['OUTSIDE']}/wait/{what}").close()


@env.task
async def leaf(n: int, held: bool = False) -> str:
    print(f"leaf {n} begins", flush=True)
    (wait if held else note)(f"leaf-{n}")
    print(f"leaf {n} ends")
    return os.uname().nodename


@env.task
async def tree(n: int) -> list[str]:
    note("tree")
    return [os.uname().nodename, *await asyncio.gather(*(leaf(n=number) for number in range(n)))]


@env.task
async def grove(held: bool = True) -> str:
    """Calls a leaf that ends, and then one that is held."""
    note("grove")
    await leaf(n=1)
    return await leaf(n=2, held=held)


@env.task
def surroundings() -> dict[str, object]:
    """Tell what can be seen from here."""
    status = Path("/proc/self/status").read_text()
    return {
        "variables": sorted(os.environ),
        "values": " ".join(os.environ.values()),
        "capabilities": next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff")),
        "privileges": next(line.split()[1] for line in status.splitlines() if line.startswith("NoNewPrivs")),
        "mounts": [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()][:100],
        "socket": [path for path in ("/var/run/docker.sock", "/run/podman/podman.sock") if os.path.exists(path)],
        "score": int(Path("/proc/self/oom_score_adj").read_text()),
        "first": Path("/proc/1/comm").read_text().strip(),
    }


@env.task(secrets=Secret("password", group="base", as_env_var="BASE_PASSWORD"))
def knows(held: bool = False) -> tuple[str, bool]:
    (wait if held else note)("knows")
    return os.environ["BASE_PASSWORD"][::-1], any(name == "PATH" for name in os.environ)


def take(megabytes):
    held = ctypes.create_string_buffer(megabytes * 1000 * 1000)
    ctypes.memset(held, 1, len(held))


@env.task(secrets=Secret("secret-access-key", group="aws", as_env_var="GIVEN"))
def asks_for_too_much() -> str:
    return os.environ["GIVEN"]


@env.task(resources=Resources(memory="100MB"))
def hungry(megabytes: int) -> int:
    take(megabytes)
    return megabytes


@env.task
def stubborn() -> None:
    """Hears no signal, and starts a program that hears none either."""
    import signal
    import subprocess
    import time

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 1000"])
    note("stubborn")
    time.sleep(1000)


@kept.task
async def parent() -> list[str]:
    note("parent")
    return [os.uname().nodename, await child(), await child(again=True)]


@kept.task
async def child(again: bool = False) -> str:
    return os.uname().nodename


@ready.task
async def prompt() -> str:
    return os.uname().nodename


@early.task
async def calls_late() -> str:
    wait("late")
    return await prompt()


@absent.task
def nowhere() -> None: ...


@bare.task
def without_laminar() -> None: ...


class Squares(Flow): ...


@Squares.register
class First(Layer):
    def __call__(self) -> None:
        note("first")
        self.shard(number=[1, 2])


@Squares.register(foreach=ForEach(parameters=[Parameter(layer=First, attribute="number")]))
class Second(Layer):
    def __call__(self, first: First) -> None:
        (wait if first.number == 2 else note)(f"second-{first.number}")
        self.square = first.number**2
        self.host = os.uname().nodename


@Squares.register
class Third(Layer):
    def __call__(self, second: Second) -> None:
        note(f"third-{sum(second.square)}-{len(set(second.host))}")


class Hungry(Flow): ...


@Hungry.register(container=Container(memory=100), retry=Retry(memory=2.0, memory_max=400, delay=0.01))
class Eats(Layer):
    def __call__(self) -> None:
        note("eats")
        take(150)
