"""What a container really has: read inside it, and asked of the engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from engines import Engine
from programs import artifacts, write

FACTS = """
    def read(*paths):
        for path in paths:
            try:
                with open(path) as file:
                    return file.read().strip()
            except OSError:
                continue

    def attempt(act):
        try:
            return act()
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def resolve(name):
        import socket
        return socket.gethostbyname(name)

    def written(path):
        with open(path, "w") as file:
            file.write("x")
        return "written"

    def facts():
        status = dict(line.split(":", 1) for line in read("/proc/self/status").splitlines())
        shm = os.statvfs("/dev/shm")
        cpu = read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        quota = int(cpu) / int(read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")) if cpu else read("/sys/fs/cgroup/cpu.max")
        return {
            "memory": read("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"),
            "swap": read("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "/sys/fs/cgroup/memory.swap.max"),
            "cpu": quota,
            "shm": shm.f_blocks * shm.f_frsize,
            "pids": read("/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max"),
            "env": dict(os.environ),
            "cwd": os.getcwd(),
            "uid": os.getuid(),
            "gid": os.getgid(),
            "caps": [status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")],
            "privileges": status["NoNewPrivs"].strip(),
            "first": read("/proc/1/cmdline").partition("\\0")[0],
            "home": attempt(lambda: written(os.path.expanduser("~/.settings"))),
            "host": attempt(lambda: resolve("host.docker.internal")),
            "other": attempt(lambda: resolve("other.example")),
            "own": sorted(os.listdir("/sys/class/net")),
            "read-only": attempt(lambda: written("/given/file")),
            "given": read("/given/here"),
            "writable": attempt(lambda: written("/taken/made")),
            "argv": sys.argv,
            "optimize": sys.flags.optimize,
            "dev": sys.flags.dev_mode,
        }
"""
LAYERS = """
    class OneFlow(Flow): ...

    @OneFlow.register(container=Container(
        cpu=0.5, memory=256, shm="32Mi", workdir="/work/here", env={"GREETING": "hello, wörld = $HOME", "EMPTY": ""},
    ))
    class Limited(Layer):
        def __call__(self):
            self.facts = facts()

    @OneFlow.register
    class Plain(Layer):
        def __call__(self):
            self.facts = facts()

    @OneFlow.register(resources=Resources(cpu=("250m", 4096), memory=("64M", "200M"), shm="auto"))
    class Paired(Layer):
        def __call__(self):
            self.facts = facts()
"""


@pytest.fixture
def facts(container_engine: Engine, tmp_path: Path) -> dict[str, Any]:
    """Facts of a container with limits, of one with laminar's defaults, and of one with requests beside limits."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "here").write_text("from outside")
    (tmp_path / "taken").mkdir()
    script = write(
        tmp_path,
        FACTS,
        LAYERS,
        datastore="datastores.Local(root='Ablage für alles')",
        executor=f"""executors.Docker(
            concurrency=2, pids_limit=123, extra_hosts={{"other.example": "192.0.2.7"}},
            mounts={{"{tmp_path}/given": "/given:ro", "{tmp_path}/taken": "/taken"}},
        )""",
        artifacts="{name: execution.layer(name).facts for name in ('Limited', 'Plain', 'Paired')}",
    )
    found: dict[str, Any] = artifacts(script, "first", "--second=2", flags=("-O", "-X", "dev"))
    assert (tmp_path / "taken" / "made").read_text() == "x"
    return found


def test_a_container_has_what_was_asked_for(facts: dict[str, Any], container_engine: Engine) -> None:
    limited, plain, paired = facts["Limited"], facts["Plain"], facts["Paired"]
    assert int(limited["memory"]) // 4096 == 256_000_000 // 4096
    assert int(plain["memory"]) // 4096 == 1_500_000_000 // 4096
    assert limited["swap"] in ("0", limited["memory"])
    assert limited["cpu"] in (0.5, "50000 100000")
    assert plain["cpu"] in (1.0, "100000 100000")
    assert limited["shm"] == 32 * 1024 * 1024
    assert int(paired["memory"]) // 4096 == 200_000_000 // 4096
    assert 0 <= paired["shm"] - 200_000_000 < 4096
    machine = os.cpu_count() or 1
    assert paired["cpu"] in (float(machine), f"{machine}00000 100000")
    assert limited["pids"] == "123"
    assert {name: limited["env"][name] for name in ("GREETING", "EMPTY")} == {
        "GREETING": "hello, wörld = $HOME",
        "EMPTY": "",
    }
    assert "GREETING" not in plain["env"]
    assert (limited["cwd"], plain["cwd"]) == ("/work/here", "/laminar")
    for found in (limited, plain):
        assert (found["uid"], found["gid"]) == (os.getuid(), os.getgid())
        assert found["caps"] == ["0000000000000000"] * 4
        assert found["privileges"] == "1"
        assert os.path.basename(found["first"]) in ("docker-init", "podman-init", "catatonit")
        assert found["home"] == "written"
        assert found["other"] == "192.0.2.7"
        assert found["given"] == "from outside"
        assert found["read-only"].startswith("OSError: [Errno 30]")
        assert found["writable"] == "written"
        assert found["argv"][1:] == ["first", "--second=2"]
        assert os.path.basename(found["argv"][0]) == "main.py"
        assert (found["optimize"], found["dev"]) == (1, True)
        assert found["host"] == container_engine.gateway()
