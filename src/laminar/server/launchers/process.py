"""Agents as processes of the server's machine, one for each bundle.

They lead sessions of their own and outlive the server, so that the next one takes back what runs in them.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from laminar.executors.interpreters import bootstrap, interpreter_options
from laminar.host import files, leftovers, processes
from laminar.server.launchers.contract import Launcher, name_of
from laminar.server.pools import Gone, Handle, Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from laminar.server.pools import Told
    from laminar.wire.specs import EntitySpec

#: What agents get of the server's environment: nothing that the server alone should know is in these.
PASSED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
    | {"PYTHONPATH", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)
#: Beginning of the label of the processes of an agent; the names of server and agent follow.
LABEL = "agent"
#: Seconds between looks at an agent that is no child of this process.
GLANCE = 0.5


class Processes(Launcher):
    """Starts agents as processes."""

    def __init__(self, url: str, folder: str, variables: Mapping[str, str] | None = None) -> None:
        """Remember what agents are told.

        Args:
            url: Where they reach the server.
            folder: For what they print and keep.
            variables: Environment variables for them beside those that they get of the server's.
        """
        self._url = url
        self._label = f"{LABEL}/{name_of(folder)}/"
        self._folder = folder
        self._variables = dict(variables or {})
        os.makedirs(folder, exist_ok=True)
        leftovers.sweep(folder)

    def pool(self, space: str, bundle: str, entity: EntitySpec, memory: float | None, single: str) -> Pool:  # noqa: ARG002
        """Share by code: processes are not held to resources."""
        return Pool(space, bundle, imports=() if bundle else (entity.module,))

    def launch(self, id: str, token: str, pool: Pool, gone: Told) -> Handle:  # noqa: A002, ARG002
        """Start an interpreter."""
        log = os.path.join(self._folder, f"{id}.log")
        environment = {name: value for name, value in os.environ.items() if name in PASSED or name.startswith("LC_")}
        environment |= self._variables
        environment |= {
            processes.LABEL: f"{self._label}{id}",
            "LAMINAR_AGENT_SERVER": self._url,
            "LAMINAR_AGENT_TOKEN": token,
            "LAMINAR_AGENT_FOLDER": self._folder,
        }
        output = files.open_log(log)
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *interpreter_options(), "-u", "-c", bootstrap("agent import main; main()")],
                environment,
                setsid=True,
                file_actions=[(os.POSIX_SPAWN_DUP2, source, target) for source, target in ((nothing, 0), (output, 1))]
                + [(os.POSIX_SPAWN_DUP2, output, 2)],
            )
        finally:
            os.close(output)
            os.close(nothing)
        watch = threading.Thread(target=_await, args=(pid, log, gone), daemon=True, name="laminar-agent")
        watch.start()
        return _Process(pid)

    def left(self) -> set[str]:
        """Name the agents by the labels of their processes."""
        return set(self._agents())

    def _agents(self) -> dict[str, int]:
        """Find the processes of this server's agents; what these have started bears longer labels."""
        found = {label.removeprefix(self._label): pid for pid, label in processes.labels(self._label).items()}
        return {name: pid for name, pid in found.items() if "/" not in name}

    def find(self, id: str, gone: Told) -> Handle | None:  # noqa: A002
        """Find the process by its label."""
        found = self._agents().get(id)
        if found is None:
            return None
        watch = threading.Thread(target=_look, args=(found, self._folder, gone), daemon=True, name="laminar-agent")
        watch.start()
        return _Process(found)

    def close(self) -> None:
        """Leave them alone."""


class _Process(Handle):
    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._started = processes.start_time(pid)

    def stop(self) -> None:
        if processes.start_time(self._pid) == self._started:
            processes.kill_tree(self._pid)

    def leaves(self) -> None:
        """Do nothing: it ends by itself."""


def _await(pid: int, log: str, gone: Told) -> None:
    """Wait for the end of a child."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said = files.last_lines(log)
    why = f"killed by signal {-status}" if status < 0 else f"it exited with code {status}"
    if said:
        why = f"{why}; the last that it printed: {said}"
    elif os.path.exists(log):
        os.unlink(log)
    gone(Gone(why))
    leftovers.sweep(os.path.dirname(log))  # the folder of one that was killed


def _look(pid: int, folder: str, gone: Told) -> None:
    """Wait for the end of a process that is no child."""
    started = processes.start_time(pid)
    while processes.start_time(pid) == started:
        time.sleep(GLANCE)
    gone(Gone("its process has ended"))
    leftovers.sweep(folder)
