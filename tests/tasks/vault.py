"""Tasks that let their secrets be seen in all the ways in which that happens by accident.

``vault.py WHERE`` runs them in one kind of place. Nothing that a task returns has a secret in it. ``open`` is in this
process, with the same values as plain variables and files: what is no secret is to be seen.
"""

from __future__ import annotations

import asyncio
import base64
import glob
import json
import logging
import os
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator

from canaries import CANARIES, FOLDER

import laminar
from laminar.configurations.executors import Docker, Process

OPEN = sys.argv[1:] == ["open"]
env = laminar.TaskEnvironment("vault", secrets=[] if OPEN else [canary.secret for canary in CANARIES])
plain = laminar.TaskEnvironment("street")
missing = laminar.TaskEnvironment("lost", secrets=["canary-that-is-nowhere"])

WHERE = {
    "open": None,
    "here": None,
    "process": Process(),
    "docker": Docker(reuse=laminar.ReusePolicy(replicas=1, concurrency=2)),
}


class OddError(Exception):
    """An error with attributes that no pickle takes."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no entry with {key}")
        self.key = key
        self.data = {"key": [key.encode()]}
        self.lock = threading.Lock()


class KeptError(Exception):
    """An error with attributes, and arguments of its own."""

    def __init__(self, key: str, *, code: int) -> None:
        super().__init__(f"{code}: {key}")
        self.key = key
        self.headers = {"Authorization": ("Bearer", key)}


# What is printed


def in_pieces(value: str) -> None:
    for start in range(0, len(value), 3):
        sys.stdout.write(value[start : start + 3])
        sys.stdout.flush()
    print()


def in_a_record(value: str) -> None:
    logging.getLogger("vault").warning("the key is %s", value)


def in_json(value: str) -> None:
    print(json.dumps({"key": value}), json.dumps(json.dumps([value])))


def in_base64(value: str) -> None:
    print(base64.b64encode(value.encode()).decode(), base64.b64encode(f"user:{value}".encode()))
    print(base64.encodebytes(value.encode()).decode())


SAID: dict[str, Callable[[str], object]] = {
    "itself": print,
    "repr": lambda value: print([value], {value: value.encode()}),
    "standard error": lambda value: print(value, file=sys.stderr),
    "pieces": in_pieces,
    "JSON": in_json,
    "base64": in_base64,
    "hexadecimal": lambda value: print(value.encode().hex(), value.encode().hex().upper()),
    "warning": lambda value: warnings.warn(f"the key is {value}", stacklevel=1),
    "record": in_a_record,
}
#: What only a process of its own can hide.
WRITTEN: dict[str, Callable[[str], object]] = {
    "by the system": lambda value: os.write(2, value.encode()),
    "by a program": lambda value: subprocess.run(["cat"], input=value.encode(), check=True),
    "by the program's variables": lambda _: subprocess.run(["env"], check=True),
}

# What is raised


def from_another(value: str) -> None:
    try:
        raise KeyError(value)
    except KeyError as error:
        raise ValueError("no such entry") from error


def in_passing(value: str) -> None:
    try:
        raise KeyError(value)
    except KeyError:
        raise ValueError("no such entry")  # noqa: B904 - the context is the point


def with_a_note(value: str) -> None:
    error = ValueError("no such entry")
    error.add_note(f"the key was {value}")
    raise error


def raising(error: Callable[[str], BaseException]) -> Callable[[str], None]:
    def way(value: str) -> None:
        raise error(value)

    return way


RAISED: dict[str, Callable[[str], object]] = {
    "message": raising(lambda value: ValueError(f"no entry with {value}")),
    "arguments": raising(lambda value: KeyError((value, [value.encode()]))),
    "file name": raising(lambda value: FileNotFoundError(2, "No such file", value)),
    "attributes": raising(lambda value: KeptError(value, code=3)),
    "no pickle": raising(OddError),
    "exit": raising(lambda value: SystemExit(value)),
    "bytes": lambda value: (value.encode() + b"\xff").decode(),
    "note": with_a_note,
    "cause": from_another,
    "context": in_passing,
    "group": raising(lambda value: ExceptionGroup(value, [ValueError(value), ExceptionGroup("in", [KeyError(value)])])),
    "number": lambda value: int(value + "x"),
    "environment": lambda _: {}[repr(dict(os.environ))],
}


@env.task
def says(way: str) -> int:
    values = [canary.value() for canary in CANARIES]
    logging.basicConfig(force=True)
    warnings.simplefilter("always")
    for value in values:
        (SAID | WRITTEN)[way](value)
    print(f"said {way}")
    return len(values)


@env.task
def raises(way: str, number: int) -> None:
    RAISED[way](CANARIES[number].value())


@env.task
async def raises_later(way: str, number: int) -> None:
    await asyncio.sleep(0)
    RAISED[way](CANARIES[number].value())


@laminar.trace
def traced(way: str, number: int) -> None:
    RAISED[way](CANARIES[number].value())


@laminar.trace
async def traced_later(way: str, number: int) -> None:
    RAISED[way](CANARIES[number].value())


@env.task
def raises_traced(way: str, number: int) -> None:
    traced(way, number)


@env.task
async def raises_traced_later(way: str, number: int) -> None:
    await traced_later(way, number)


@plain.task
def takes_a_number(number: int) -> int:
    return number


@env.task
def gives_the_wrong_type(number: int) -> None:
    takes_a_number(CANARIES[number].value())  # type: ignore[arg-type]


@env.task
def prints_its_environment() -> None:
    print(dict(os.environ))


@plain.task
def is_nosy() -> None:
    """A task that asks for no secret, and shows all that it sees."""
    print(dict(os.environ))
    raise LookupError(repr(dict(os.environ)))


@missing.task
def never_runs() -> None:
    print("it ran")


def command_lines() -> Iterator[bytes]:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                yield file.read()
        except OSError:
            continue


@env.task
def looks_at_command_lines() -> list[str]:
    """Name the secrets that stand in a command line."""
    lines = b"\n".join(command_lines())
    return [canary.secret.key for canary in CANARIES if canary.value().strip().encode() in lines]


@plain.task
async def opens(ways: list[str]) -> None:
    """Call all of them, and show how each has failed."""
    async with asyncio.TaskGroup() as group:
        for way in ways:
            group.create_task(says(way))
        shown = [group.create_task(prints_its_environment()), group.create_task(looks_at_command_lines())]
    assert OPEN or shown[1].result() == []
    calls = [gives_the_wrong_type(number) for number in (0, 1, 2)]
    for place, way in enumerate(RAISED):
        number = (place * 2) % len(CANARIES)
        kinds = (raises, raises_later, raises_traced, raises_traced_later)
        calls.append(kinds[place % 4](way, number))
        calls.append(kinds[(place + 1) % 4](way, (number + 5) % len(CANARIES)))
    calls += [is_nosy(), never_runs()]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    for error in errors:
        assert isinstance(error, BaseException), error
        print("".join(traceback.format_exception(error)), repr(error), vars(error))
    last = errors[-1]
    assert type(last).__name__ == "SecretNotFoundError", last
    raise ExceptionGroup("all of them", [error for error in errors if isinstance(error, Exception)])


def main(where: str) -> None:
    ways = list(SAID if WHERE[where] is None else SAID | WRITTEN)
    runner = laminar.with_runcontext(name="one", executor=WHERE[where], concurrency=4, env_vars={"CANARIES": FOLDER})
    run = runner.run(opens, ways=ways)
    lines, over = set(command_lines()), threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            lines.update(command_lines())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run.result()
    finally:
        over.set()
        watcher.join()
        with open("command-lines", "wb") as file:
            file.write(b"\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1])
