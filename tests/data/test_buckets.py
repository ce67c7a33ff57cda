"""Whole flows on object stores: S3 against a server on loopback, the others up to their addresses."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from laminar import Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.layers import ForEach, Parameter
from laminar.data.objects import ObjectBlobs
from laminar.errors import FlowError, StorageError

SCRIPT = """
    import json, os, sys
    from laminar import Flow, Layer, Parameters
    from laminar.configurations import datastores, executors
    from laminar.configurations.layers import ForEach, Parameter

    class BucketFlow(Flow): ...

    @BucketFlow.register
    class Load(Layer):
        def __call__(self, parameters: Parameters):
            self.large = bytes(range(256)) * 20_000
            self.shard(numbers=range(parameters.count))

    @BucketFlow.register(foreach=ForEach(parameters=[Parameter(layer=Load, attribute="numbers")]))
    class Square(Layer):
        def __call__(self, load: Load):
            if load.numbers == 3 and not os.path.exists("mended"):
                raise ValueError("three is not ready")
            print("squaring", load.numbers)
            self.square = load.numbers ** 2
            self.size = len(load.large)

    @BucketFlow.register
    class Sum(Layer):
        def __call__(self, square: Square):
            self.total = sum(square.square)
            assert set(square.size) == {256 * 20_000}

    options = json.loads(os.environ["OPTIONS"])
    datastore = datastores.S3(root=sys.argv[1], **options)
    executor = {"fork": executors.Process, "thread": executors.Thread}.get(sys.argv[2], executors.Process)
    executor = executors.Process(method="spawn") if sys.argv[2] == "spawn" else executor()
    if flow := BucketFlow(datastore=datastore, executor=executor):
        execution = flow.execution("run")
        execution = execution.resume() if "resume" in sys.argv else flow(execution="run", count=6)
        print(execution.layer(Sum).total)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "main.py"
    path.write_text(textwrap.dedent(SCRIPT))
    return path


def run(script: Path, options: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    import json

    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=script.parent,
        env={**os.environ, "OPTIONS": json.dumps(options), "LAMINAR_QUIET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


class BucketFlow(Flow): ...


@BucketFlow.register
class Load(Layer):
    numbers: object


@BucketFlow.register(foreach=ForEach(parameters=[Parameter(layer=Load, attribute="numbers")]))
class Square(Layer):
    square: int


@BucketFlow.register
class Sum(Layer):
    total: int


@pytest.mark.parametrize("executor", ["fork", "spawn", "thread"])
def test_a_flow_fails_resumes_and_is_read_on_a_bucket(
    script: Path, s3_root: str, s3_options: dict[str, str], executor: str
) -> None:
    failed = run(script, s3_options, s3_root, executor)
    assert failed.returncode == 1
    assert "ValueError: three is not ready" in failed.stderr
    (script.parent / "mended").touch()
    resumed = run(script, s3_options, s3_root, executor, "resume")
    assert (resumed.returncode, resumed.stdout) == (0, "55\n"), resumed.stderr

    flow = BucketFlow(datastore=datastores.S3(root=s3_root, **s3_options))
    execution = flow.execution("run")
    datastore = flow.configuration.datastore
    assert execution.finished
    assert execution.layer(Sum).total == 55
    assert list(execution.layer(Square).square) == [0, 1, 4, 9, 16, 25]
    assert list(execution.layer(Load).numbers) == list(range(6))
    assert [found.id for found in datastore.list_executions(flow=flow)] == ["run"]
    assert [layer.name for layer in datastore.list_layers(execution=execution)] == [
        "Load",
        "Parameters",
        "Square",
        "Sum",
    ]
    assert datastore.list_artifacts(layer=execution.layer(Square)) == ["size", "square"]


def test_what_is_committed_on_a_bucket_is_not_run_again(script: Path, s3_root: str, s3_options: dict[str, str]) -> None:
    def squared() -> list[str]:
        logs = sorted((script.parent / ".laminar" / "logs").rglob("Square/*.log"))
        return [log.read_text().strip() for log in logs]

    run(script, s3_options, s3_root, "fork")
    before = squared()
    assert before
    (script.parent / "mended").touch()
    assert run(script, s3_options, s3_root, "fork", "resume").returncode == 0
    assert sorted(squared()) == [f"squaring {number}" for number in range(6)]


def test_settings_may_come_from_the_environment(
    s3_root: str, s3_options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_options["endpoint"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_options["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_options["secret_access_key"])
    monkeypatch.setenv("AWS_REGION", s3_options["region"])
    blobs = datastores.S3(root=s3_root).blobs
    blobs.write("a", b"data")
    assert ObjectBlobs(s3_root, s3_options).read("a") == b"data"


READS_FIRST = """
    import json, os, sys
    from laminar import Flow, Layer
    from laminar.configurations import datastores, executors

    class EarlyFlow(Flow): ...

    @EarlyFlow.register
    class A(Layer):
        def __call__(self):
            self.value = 1

    datastore = datastores.S3(root=sys.argv[1], **json.loads(os.environ["OPTIONS"]))
    flow = EarlyFlow(datastore=datastore, executor=executors.Process(method=sys.argv[2]))
    before = datastore.list_executions(flow=flow)
    if flow:
        print(len(before), flow().layer(A).value)
"""


def test_a_bucket_that_was_used_before_the_fork_is_refused_with_the_way_out(
    tmp_path: Path, s3_root: str, s3_options: dict[str, str]
) -> None:
    script = tmp_path / "main.py"
    script.write_text(textwrap.dedent(READS_FIRST))
    forked = run(script, s3_options, s3_root, "fork")
    assert forked.returncode == 1
    assert f"StorageError: {s3_root} cannot be used here: this process was forked" in forked.stderr
    spawned = run(script, s3_options, s3_root, "spawn")
    assert (spawned.returncode, spawned.stdout) == (0, "1 1\n"), spawned.stderr


def test_a_bucket_that_cannot_be_written_is_an_error_before_anything_runs(
    tmp_path: Path, s3_options: dict[str, str]
) -> None:
    class NeverFlow(Flow): ...

    @NeverFlow.register
    class Touch(Layer):
        def __call__(self) -> None:
            (tmp_path / "ran").touch()

    datastore = datastores.S3(root="s3://no-such-bucket/laminar", **s3_options)
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/laminar.*404 Not Found\. See that address, bucket"):
        NeverFlow(datastore=datastore, executor=executors.Thread())()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("kind", "root", "options"),
    [
        (datastores.S3, "s3://bucket/prefix", {"region": "eu-central-1"}),
        (datastores.AWS.S3, "s3a://bucket", {"region": "eu-central-1"}),
        (datastores.GCS, "gs://bucket/prefix", {}),
        (datastores.Azure, "az://container/prefix", {"account_name": "account"}),
        (datastores.Azure, "abfss://container@account.dfs.core.windows.net/prefix", {}),
    ],
)
def test_each_store_takes_its_own_addresses(
    kind: type[datastores.DataStore], root: str, options: dict[str, str]
) -> None:
    datastore = kind(root=f"{root}/", **options)  # type: ignore[call-arg]
    assert datastore.root == root
    blobs = datastore.blobs
    assert isinstance(blobs, ObjectBlobs)
    store = blobs._connect()[1]
    expected = "container" if kind is datastores.Azure else "bucket"
    assert expected in repr(store)
    assert ("prefix" in repr(store)) == ("prefix" in root)


@pytest.mark.parametrize(
    ("kind", "root", "message"),
    [
        (datastores.S3, "gs://bucket", "expects an address that starts with s3:// or s3a://"),
        (datastores.S3, "/tmp/folder", "expects an address that starts with s3:// or s3a://"),
        (datastores.GCS, "s3://bucket", "expects an address that starts with gs://"),
        (datastores.Azure, "s3://bucket", "expects an address that starts with az://"),
        (datastores.S3, "s3://", "names no bucket"),
        (datastores.GCS, "gs:///prefix", None),
        (datastores.Local, "s3://bucket", "expects a folder"),
    ],
)
def test_an_address_of_another_kind_is_refused_at_once(
    kind: type[datastores.DataStore], root: str, message: str | None
) -> None:
    if message is None:
        with pytest.raises(FlowError):
            kind(root=root).blobs.prepare()  # type: ignore[call-arg]
        return
    with pytest.raises(FlowError, match=message):
        kind(root=root)  # type: ignore[call-arg]


def test_an_unknown_setting_is_refused_before_anything_runs(s3_root: str) -> None:
    with pytest.raises(FlowError, match=r"s3://.* cannot be used: .*bogus"):
        datastores.S3(root=s3_root, bogus="1").blobs.prepare()
