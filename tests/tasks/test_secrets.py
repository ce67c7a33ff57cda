"""Secrets reach the tasks that ask for them, and are seen nowhere else: twenty canaries, and every byte is searched."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from canaries import CANARIES, KINDS, hide, seen, show

import laminar
from laminar.configurations.datastores import Local, Memory
from laminar.configurations.executors import Process, Thread
from laminar.exceptions import SecretError, SecretNotFoundError

HERE = Path(__file__).parent
LAMINAR = str(Path(sys.executable).parent / "laminar")

# Twenty canaries


class Aviary(NamedTuple):
    """A folder with the program, its secrets, and what can be seen outside of the tasks.

    ``mounts`` is where secrets are laid out as files; ``tokens`` is what to look for.
    """

    folder: Path
    mounts: Path
    tokens: dict[str, str]

    def command(self, *words: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("LAMINAR_SECRET")}
        return subprocess.run(
            words, cwd=self.folder, env={**own, **variables}, capture_output=True, check=False, timeout=100
        )

    def searched(self) -> Iterator[Path]:
        """Every file but those in which the secrets are put for laminar to find."""
        for path in self.folder.rglob("*"):
            if path.is_file() and (self.folder / ".laminar" / "secrets") not in path.parents:
                yield path

    def found(self) -> dict[str, list[tuple[str, str]]]:
        """By the file in which they are: the secrets that are to be seen, and their forms."""
        found = {}
        for path in self.searched():
            if path.name != "birds.env":
                data = path.read_bytes()
                forms = [(key, form) for key, token in self.tokens.items() for form in seen(data, token)]
                if forms:
                    found[str(path.relative_to(self.folder))] = forms
        return found


@pytest.fixture
def aviary(tmp_path: Path) -> Iterator[Aviary]:
    for name in ("vault.py", "canaries.py"):
        shutil.copy(HERE / name, tmp_path)
    with tempfile.TemporaryDirectory(prefix="laminar-canaries-") as mounts:  # a container can make it
        yield Aviary(tmp_path, Path(mounts), {canary.secret.key: secrets.token_hex(12) for canary in CANARIES})


@pytest.mark.parametrize("where", ["here", "process", "docker"])
def test_twenty_secrets_are_seen_nowhere(where: str, aviary: Aviary, request: pytest.FixtureRequest) -> None:
    if where == "docker":
        request.getfixturevalue("docker_host")
    values = {canary.secret.key: KINDS[canary.kind](aviary.tokens[canary.secret.key]) for canary in CANARIES}
    variables = hide(aviary.folder, values)
    done = aviary.command(sys.executable, "vault.py", where, CANARIES=str(aviary.mounts), **variables)
    text = (done.stdout + done.stderr).decode()
    assert "ExceptionGroup: all of them" in text, text
    assert "SecretNotFoundError: There is no secret 'canary-that-is-nowhere'" in text
    asked = [aviary.command(LAMINAR, *words) for words in (["get", "run", "one"], ["logs", "one"])]
    assert [answer.returncode for answer in asked] == [0, 0], asked
    for name, content in enumerate([text.encode(), *(answer.stdout + answer.stderr for answer in asked)]):
        (aviary.folder / f"said-{name}").write_bytes(content)

    assert aviary.found() == {}
    assert sorted(os.listdir(aviary.mounts)) == []
    assert text.count("***") > 100
    assert all(f"said {way}\n" in text for way in ("itself", "pieces", "base64", "record"))
    if where != "here":
        assert "said by a program\n" in text


def test_the_search_finds_what_is_no_secret(aviary: Aviary) -> None:
    values = {canary.secret.key: KINDS[canary.kind](aviary.tokens[canary.secret.key]) for canary in CANARIES}
    variables = show(aviary.mounts, values)
    done = aviary.command(sys.executable, "vault.py", "open", CANARIES=str(aviary.mounts), **variables)
    (aviary.folder / "said").write_bytes(done.stdout + done.stderr)
    found = aviary.found()
    logs = {canary for name, forms in found.items() if name.startswith(".laminar/logs/") for canary in forms}
    assert {key for key, _ in logs} == set(aviary.tokens)
    assert {form for _, form in logs} >= {"itself", "hexadecimal", "capitals", "base64, shifted by 0"}
    assert {".laminar/.tasks/runs/one.jsonl", "said"} <= found.keys()


# Files


def declared(folder: Path, secret: laminar.Secret | None = None) -> tuple[laminar.Task, laminar.Task]:
    """Give a task that reads its secret from a file, as soon as others read it too; and one that calls several."""
    secret = secret or laminar.Secret("song", mount=folder / "mounted" / "song")
    env = laminar.TaskEnvironment(f"nest-{os.urandom(4).hex()}", secrets=[secret])
    together = asyncio.Barrier(3)

    @env.task
    async def reads(number: int) -> list[int]:
        await together.wait()
        return [number, len(Path(str(secret.mount)).read_text())]

    @env.task(secrets=[])
    async def several() -> list[list[int]]:
        return list(await asyncio.gather(*(reads(number) for number in range(3))))

    return reads, several


@pytest.fixture
def song(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LAMINAR_SECRET_SONG", "tweet-tweet")
    return "tweet-tweet"


def run(folder: Path, task: laminar.Task, *args: object) -> object:
    return laminar.with_runcontext(quiet=True, root=str(folder / ".laminar")).run(task, *args).result()


def test_tasks_that_run_at_once_share_the_file_of_a_secret_and_the_last_one_takes_it_away(
    tmp_path: Path, song: str
) -> None:
    _, several = declared(tmp_path)
    assert run(tmp_path, several) == [[number, len(song)] for number in range(3)]
    assert os.listdir(tmp_path / "mounted") == []


def test_what_a_killed_task_has_left_of_a_secret_is_in_nobodys_way(tmp_path: Path, song: str) -> None:
    _, several = declared(tmp_path)
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "song").write_text("the value before")
    (tmp_path / "mounted" / "song.lock").touch()
    assert run(tmp_path, several) == [[number, len(song)] for number in range(3)]
    assert os.listdir(tmp_path / "mounted") == []


def test_a_file_of_the_users_own_stays_as_it_is(tmp_path: Path, song: str) -> None:
    reads, _ = declared(tmp_path)
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "song").write_text(song)
    with pytest.raises(SecretError, match="mounted/song for the secret song cannot be made: File exists"):
        run(tmp_path, reads, 0)
    assert os.listdir(tmp_path / "mounted") == ["song"]
    assert (tmp_path / "mounted" / "song").read_text() == song


def test_two_secrets_cannot_be_one_file(tmp_path: Path, song: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMINAR_SECRET_CALL", "another value")
    where = tmp_path / "mounted" / "song"
    env = laminar.TaskEnvironment("nest-both", secrets=[laminar.Secret(key, mount=where) for key in ("song", "call")])

    @env.task
    def reads() -> str:
        return where.read_text()

    with pytest.raises(SecretError, match="for the secret call cannot be made: another secret is there"):
        run(tmp_path, reads)
    assert os.listdir(tmp_path / "mounted") == []


# What is missing, and what changes

env = laminar.TaskEnvironment("birds", secrets=["song"])
lost = laminar.TaskEnvironment("lost-birds", secrets=["no-such-song"])
young = laminar.TaskEnvironment("young-birds", secrets=["peep"])


@env.task(cache="auto")
def sings(times: int) -> int:
    return len(os.environ["SONG"]) * times


@lost.task
def is_silent() -> None:
    raise AssertionError("it ran without its secret")


@young.task
def peeps() -> None:
    raise AssertionError("it ran with a secret that cannot be hidden")


@env.task
def hears() -> list[str]:
    heard = []
    for task, kind in ((is_silent, SecretNotFoundError), (peeps, SecretError)):
        try:
            task()
        except kind as error:
            heard.append(str(error))
    return [*heard, str(sings(2))]


@pytest.mark.parametrize("executor", [None, Process()], ids=["here", "process"])
def test_a_secret_that_cannot_be_had_is_an_error_of_the_task_that_asks_for_it_alone(
    executor: Process | None, tmp_path: Path, song: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMINAR_SECRET_PEEP", "pip")
    begun = laminar.with_runcontext(quiet=True, root=str(tmp_path / ".laminar"), executor=executor).run(hears)
    missing, short, sung = begun.result()
    assert missing.startswith("There is no secret 'no-such-song'. Looked for the environment variables")
    assert short.startswith("The secret 'peep' has fewer than 4 characters")
    assert sung == str(2 * len(song))
    states = {action.task: action.status for action in begun.actions()}
    assert states == {
        "birds.hears": "SUCCEEDED",
        "birds.sings": "SUCCEEDED",
        "lost-birds.is_silent": "FAILED",
        "young-birds.peeps": "FAILED",
    }


class Aloud(laminar.Flow): ...


@Aloud.register
class Sings(laminar.Layer):
    def __call__(self) -> None:
        self.length = sings(1)


def test_tasks_that_layers_call_find_their_secrets_whatever_the_datastore_of_the_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMINAR_QUIET", "1")
    file = tmp_path / ".laminar" / "secrets" / "song"
    file.parent.mkdir(parents=True)
    file.write_text("tweet-tweet-tweet")
    file.chmod(0o600)
    for datastore in (Memory(), Local(tmp_path / "elsewhere")):
        execution = Aloud(datastore=datastore, executor=Thread())()
        assert execution.layer(Sings).length == len("tweet-tweet-tweet")


def test_a_secret_that_changes_changes_no_cache_key(tmp_path: Path, song: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path, sings, 3) == 3 * len(song)
    monkeypatch.setenv("LAMINAR_SECRET_SONG", "tweet-tweet, in another key")
    assert run(tmp_path, sings, 3) == 3 * len(song)
    assert run(tmp_path, sings, 4) == 4 * len("tweet-tweet, in another key")
