"""Attempts as fresh interpreters, one each, for systems without ``fork``."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading

from laminar.executors.contract import Session
from laminar.executors.interpreters import bootstrap, interpreter_options
from laminar.executors.outcomes import Watch
from laminar.host import files, processes
from laminar.host.machine import memory_kills
from laminar.model.action import ATTEMPT_VARIABLE, Attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.executors.contract import Host
    from laminar.model.action import Request
    from laminar.model.ids import AttemptKey

POSIX = os.name == "posix"


class SpawnSession(Session):
    """Fresh interpreters, each watched by a thread."""

    def __init__(self, host: Host, capacity: int) -> None:
        """Start nothing yet."""
        self.capacity = capacity
        self._host = host
        self._lock = threading.Lock()
        self._running: dict[AttemptKey, tuple[Watch, subprocess.Popen[bytes]]] = {}
        self._watchers: list[threading.Thread] = []

    def start(self, request: Request) -> None:
        """Start an interpreter; its request comes by standard input, which also tells it when this process is gone."""
        kills = memory_kills()
        label = {processes.LABEL: f"{self._host.label}/{request.key}"}
        order = {ATTEMPT_VARIABLE: "-"} if self._host.code.script is not None else {}
        with os.fdopen(files.open_log(request.log), "ab") as log:
            process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments of our own
                self._command(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **label, **order},
                start_new_session=POSIX,
            )
        watch = Watch(request)
        with self._lock:
            self._running[request.key] = (watch, process)
        watcher = threading.Thread(target=self._watch, args=(watch, process, kills), daemon=True, name="laminar-spawn")
        self._watchers.append(watcher)
        watcher.start()

    def _command(self) -> list[str]:
        """Give what starts an interpreter: the script as the user started it, or else one that loads the code."""
        code = self._host.code
        python = [sys.executable, *interpreter_options(), "-u"]  # what is printed must not be lost when it dies
        if code.script is not None:
            return [*python, code.script, *code.argv[1:]]
        return [*python, "-c", bootstrap("once import main; main()")]

    def _watch(self, watch: Watch, process: subprocess.Popen[bytes], kills: int | None) -> None:
        assert process.stdin is not None
        try:
            order = pickle.dumps(Attempt(self._host.code, self._host.entry, watch.request), 5)
            process.stdin.write(len(order).to_bytes(8, "big") + order)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died already, and its exit status says how
        status = process.wait()
        now = memory_kills()
        killed = kills is not None and now is not None and now > kills
        process.stdin.close()
        processes.sweep(f"{self._host.label}/{watch.request.key}")
        with self._lock:
            del self._running[watch.request.key]
        self._host.deliver(watch.ended(status, None, None, killed=killed))

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Ask the process to end, and kill its tree after the grace."""
        with self._lock:
            running = self._running.get(key)
        if running is None:
            return
        watch, process = running
        watch.stopped = True
        process.send_signal(signal.SIGTERM)
        timer = threading.Timer(grace, self._kill, (process,))
        timer.daemon = True
        timer.start()

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            processes.kill_tree(process.pid)

    def close(self) -> None:
        """Kill what still runs."""
        with self._lock:
            running = list(self._running.values())
        for watch, process in running:
            watch.stopped = True
            self._kill(process)
        for watcher in self._watchers:
            watcher.join()
