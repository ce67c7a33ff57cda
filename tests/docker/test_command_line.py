"""The command line beside containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from yards import ONE, Yard

from engines import Engine
from shells import Shell

ALONE = """
    # /// script
    # dependencies = ["humanize"]
    # ///
    from laminar import Flow, Image, Layer
    from laminar.configurations import executors


    class Alone(Flow): ...


    @Alone.register
    class Only(Layer):
        def __call__(self) -> None:
            import humanize

            print(humanize.intword(1_200_000))


    if flow := Alone(EXECUTOR):
        flow()
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.close()


@pytest.fixture
def variables(container_engine: Engine) -> dict[str, str]:
    return container_engine.variables


def test_laminar_run_builds_what_the_script_declares(shell: Shell, variables: dict[str, str]) -> None:
    shell.write("main.py", ALONE.replace("EXECUTOR", ""))
    answer = shell.laminar("run", "--executor", "docker", "main.py", "Alone", **variables)
    assert (answer.code, "1.2 million" in answer.out) == (0, True), answer.err


def test_files_that_the_code_would_hide_are_refused_with_the_remedy(yard: Yard) -> None:
    image = "executor=executors.Docker(image=Image.from_debian_base().with_source_file('main.py'))"
    yard.write("main.py", ALONE.replace("EXECUTOR", image))
    answer = yard.python("main.py")
    assert answer.code == 1
    assert "with_source_file('main.py', '/data/')" in answer.err


def test_no_engine_is_told_without_frames_of_the_client(shell: Shell) -> None:
    shell.write("main.py", ALONE.replace("EXECUTOR", ""))
    nowhere = {"DOCKER_HOST": "unix:///nowhere.sock"}
    answer = shell.laminar("run", "--executor", "docker", "main.py", "Alone", **nowhere)
    assert answer.code == 1
    assert "No container engine answers at unix:///nowhere.sock" in answer.err
    assert "Traceback" not in answer.err
    assert "aiohttp" not in shell.python("main.py", LAMINAR_EXECUTOR="docker", **nowhere).err


@pytest.mark.parametrize("command", ["logs", "abort"])
def test_a_file_in_place_of_a_run_is_told(shell: Shell, command: str) -> None:
    answer = shell.laminar(command, "main.py", "some-run")
    assert answer.code == 2
    assert f"laminar {command} ID" in answer.err


def test_what_a_build_says_before_it_fails_is_told_once(yard: Yard) -> None:
    name = yard.engine.prefix.removeprefix("laminar-")
    image = f"Image.from_debian_base(name='{name}-fails').with_commands('echo is wr\"\"ong here; exit 7')"
    yard.flow(ONE, layer=f"container=Container(image={image})")
    yard.builds("classic")
    answer = yard.laminar("run", "main.py", "Held")
    assert answer.code == 1
    assert (answer.out + answer.err).count("is wrong here") == 1
    quiet = yard.laminar("run", "--quiet", "main.py", "Held")
    assert (quiet.out + quiet.err).count("is wrong here") == 1
