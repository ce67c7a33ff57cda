"""What laminar gives to people who test: the fixtures work, and the suites find what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

#: Those that happen to be installed take longer to load than the tests take.
PLUGINS = ("-p", "no:cacheprovider", "-p", "pytest_timeout")


def run_pytest(folder: Path, test: str, conftest: str = "", only: str = "") -> tuple[int, str]:
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_users.py").write_text(textwrap.dedent(test))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS, "--timeout=60", "-k", only, "test_users.py"],
        cwd=folder,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_fixture_runs_a_flow_within_a_test_and_leaves_nothing(tmp_path: Path) -> None:
    code, output = run_pytest(
        tmp_path,
        """
        import os
        from laminar import Flow, Layer, Parameters

        class DoubleFlow(Flow): ...

        @DoubleFlow.register
        class Double(Layer):
            def __call__(self, parameters: Parameters):
                self.value = parameters.value * 2
                self.pid = os.getpid()

        def test_it(in_memory, capfd):
            first, second = in_memory(DoubleFlow), in_memory(DoubleFlow)
            execution = first(value=21)
            assert execution.layer(Double).value == 42
            assert execution.layer(Double).pid == os.getpid()
            assert second.configuration.datastore.list_executions(flow=second) == []
            assert capfd.readouterr() == ("", "")
        """,
        'pytest_plugins = ["laminar.testing.fixtures"]',
    )
    assert code == 0, output
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == [
        "conftest.py",
        "test_users.py",
    ]


BLOBS = """
    import time
    import pytest
    from laminar.data.memory import MemoryBlobs
    from laminar.testing import BlobsConformance

    class Wrong(MemoryBlobs):
        {wrong}

    class TestWrong(BlobsConformance):
        shared = False

        @pytest.fixture
        def blobs(self):
            return Wrong()
"""


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ("pass", None),
        ("def names(self, prefix): return [n for n in self._blobs if n.startswith(prefix)]", "test_names_are_those"),
        ("def size(self, path): return len(self._blobs.get(path, b''))", "test_what_is_missing_is_told_so"),
        ("def write(self, path, data): self._blobs.setdefault(path, data)", "test_the_last_write_wins"),
        ("def delete(self, path): del self._blobs[path]", "test_what_is_missing_is_told_so"),
        ("def lines(self, path): return super().lines(path)[::-1]", "test_lines_of_a_log_stay_in_order"),
        (
            "def upload(self): upload = super().upload(); upload.commit('space/early'); return upload",
            "test_an_upload_shows_nothing_before_its_commit",
        ),
        (
            "def write(self, path, data): self._blobs[path] = b'part'; time.sleep(0.001); self._blobs[path] = data",
            "test_readers_never_see_a_part_of_a_write",
        ),
    ],
)
def test_the_suite_for_blobs_finds_what_is_wrong(tmp_path: Path, wrong: str, found: str | None) -> None:
    code, output = run_pytest(tmp_path, BLOBS.format(wrong=wrong), only=found or "")
    assert code == (0 if found is None else 1), output
    assert found is None or f"::{found}" in output


PROTOCOL = """
    import json, random
    import pytest
    from laminar.configurations import serde
    from laminar.testing import ProtocolConformance

    class Wrong(serde.Protocol):
        def dumps(self, value): return {dumps}
        def loads(self, stream): return {loads}

    class TestWrong(ProtocolConformance):
        @pytest.fixture
        def protocol(self):
            return Wrong()

        @pytest.fixture
        def values(self):
            return [{{}}, {{"a": 1}}, {{"b": [1, 2]}}]
"""


@pytest.mark.parametrize(
    ("dumps", "loads", "found"),
    [
        ("json.dumps(value).encode()", "json.loads(stream)", None),
        ("json.dumps(value).encode()", "list(json.loads(stream))", "test_a_value_comes_back_from_a_file"),
        ("json.dumps(value).encode()", "json.loads(stream) or None", "test_a_value_comes_back"),
        (
            "(json.dumps(value) + ' ' * random.randrange(10 ** 4)).encode()",
            "json.loads(stream)",
            "test_a_value_gives_the_same_bytes_each_time",
        ),
    ],
)
def test_the_suite_for_protocols_finds_what_is_wrong(tmp_path: Path, dumps: str, loads: str, found: str | None) -> None:
    code, output = run_pytest(tmp_path, PROTOCOL.format(dumps=dumps, loads=loads), only=found or "")
    assert code == (0 if found is None else 1), output
    assert found is None or f"::{found}" in output


EXECUTOR = """
    import threading
    import pytest
    from laminar.configurations import executors
    from laminar.executors.thread import Thread, ThreadSession
    from laminar.testing import ExecutorConformance
    from laminar.testing import executors as suite

    suite.PATIENCE = 2.0
    ONE = threading.Lock()

    class WrongSession(ThreadSession):
        {wrong}

    class Wrong(Thread):
        def open(self, host):
            return WrongSession(host, self.concurrency)

    class TestWrong(ExecutorConformance):
        isolated = False

        @pytest.fixture
        def executor(self):
            return Wrong(concurrency=2)
"""


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ("pass", None),
        (
            "def stop(self, key, grace): self._live[key] = None; super().stop(key, grace)",
            "test_to_stop_what_never_ran_does_no_harm",
        ),
        (
            "def start(self, request): super().start(request) if request.key.action.index % 7 else None",
            "test_each_end_is_delivered_once",
        ),
        (
            "def _run(self, request): ONE.acquire(); done = super()._run(request); ONE.release(); return done",
            "test_as_many_run_at_a_time_as_it_says",
        ),
    ],
)
def test_the_suite_for_executors_finds_what_is_wrong(tmp_path: Path, wrong: str, found: str | None) -> None:
    code, output = run_pytest(tmp_path, EXECUTOR.format(wrong=wrong), only=found or "")
    assert code == (0 if found is None else 1), output
    assert found is None or f"::{found}" in output


PARITY = """
    import os
    import pytest
    from laminar.executors.thread import Thread, ThreadSession
    from laminar.model.action import Ended
    from laminar.testing import ExecutorParity
    from laminar.testing.parity import signs

    signs.PATIENCE = 2.0

    class WrongSession(ThreadSession):
        {wrong}

    class Wrong(Thread):
        def open(self, host):
            return WrongSession(host, self.concurrency)

    class TestWrong(ExecutorParity):
        isolated = False

        @pytest.fixture
        def executor(self):
            return Wrong(concurrency=2)
"""


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (
            "def start(self, request): super().start(request.replace(log=os.devnull))",
            "test_both_streams_are_in_the_log_in_order",
        ),
        (
            "def start(self, request): super().start(request.replace(env={{}}))",
            "test_current_tells_execution_flow_layer_split_and_attempt",
        ),
        (
            "def start(self, request): os.umask(0o77); super().start(request)",
            "test_files_belong_to_the_caller_with_the_mode_that_the_caller_gives",
        ),
        (
            "def stop(self, key, grace): self._host.deliver(Ended(key, 'cancelled'))",
            "test_an_aborted_run_is_cancelled_and_nothing_of_it_lives",
        ),
    ],
)
def test_the_suite_for_parity_finds_what_is_wrong(tmp_path: Path, wrong: str, found: str) -> None:
    code, output = run_pytest(tmp_path, PARITY.format(wrong=wrong), only=found)
    assert code == 1, output
    assert f"::{found}" in output


def test_tests_that_do_not_apply_to_an_executor_are_not_there(tmp_path: Path) -> None:
    suites = """
        import pytest
        from laminar.testing import ExecutorConformance, ExecutorParity

        class TestContract(ExecutorConformance):
            isolated = {isolated}

        class TestParity(ExecutorParity):
            isolated = {isolated}
    """
    (tmp_path / "test_one.py").write_text(textwrap.dedent(suites.format(isolated=False)))
    (tmp_path / "test_two.py").write_text(textwrap.dedent(suites.format(isolated=True)))
    command = [sys.executable, "-m", "pytest", "-q", *PLUGINS, "--collect-only"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=alone, stdout=subprocess.PIPE, text=True, check=True)
    crash = "test_a_signal_that_ends_an_attempt_is_"
    assert f"test_two.py::TestContract::{crash}told[KILL]" in done.stdout
    assert f"test_two.py::TestParity::{crash}named[by_kill-9]" in done.stdout
    assert "test_one.py::TestParity::test_only_python_s_streams_are_in_the_log_of_a_shared_process" in done.stdout
    assert f"test_one.py::TestContract::{crash}" not in done.stdout
    assert f"test_one.py::TestParity::{crash}" not in done.stdout


def test_no_room_imports_what_is_made_for_tests() -> None:
    program = (
        "import sys, laminar.flows.flow, laminar.flows.program, laminar.cli.main, laminar.worker.warm\n"
        "assert not [name for name in sys.modules if name.startswith(('laminar.testing', 'pytest'))]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
