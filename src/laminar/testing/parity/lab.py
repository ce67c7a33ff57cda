"""What the suite does with flows: runs them here, in the background or in another process, and reads what they left."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from laminar.configurations.schedulers import Scheduler
from laminar.data.serde import pickled
from laminar.ledger.sql import Ledger
from laminar.runs.local import LEDGER, LOGS
from laminar.testing.parity import signs
from laminar.testing.parity.flows.failing import FailingFlow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal

    from laminar import Execution, Flow
    from laminar.configurations.datastores import DataStore
    from laminar.executors.contract import Executor
    from laminar.flows.failure import ExecutionFailure
    from laminar.ledger.rows import AttemptRow

#: Name and value of a variable that only the scheduler has.
OUTSIDE = ("PARITY_OUTSIDE", "of the scheduler")
LAMINAR = (sys.executable, "-m", "laminar")
SCHEDULER = "from laminar.testing.parity.lab import be_a_scheduler; be_a_scheduler()"


class Lab:
    """An executor, a datastore, and a folder for signs that attempts see too.

    Attributes:
        signs: The folder.
        cwd: The scheduler's working directory, which holds a file named ``beside``.
    """

    def __init__(self, executor: Executor, datastore: DataStore, folder: Path, cwd: Path) -> None:
        """Take them."""
        self._executor = executor
        self._datastore = datastore
        self.signs = str(folder)
        self.cwd = str(cwd)
        (cwd / "beside").touch()

    def flow(self, kind: type[Flow], *, grace: float = 5.0, on_failure: Literal["drain", "cancel"] = "drain") -> Flow:
        """Make a flow."""
        scheduler = Scheduler(quiet=True, grace=grace, on_failure=on_failure)
        return kind(datastore=self._datastore, executor=self._executor, scheduler=scheduler)

    def run(self, kind: type[Flow], **parameters: Any) -> Run:
        """Run a flow that should succeed."""
        return Run(self, self.flow(kind)(signs=self.signs, **parameters))

    def fail(self, how: str, *, attempts: int = 1, memory: float = 1500) -> tuple[BaseException, Run]:
        """Run a flow that should fail in one of its ways, and give what its caller gets."""
        flow = self.flow(FailingFlow)
        try:
            flow(signs=self.signs, how=how, attempts=attempts, memory=memory)
        except (Exception, KeyboardInterrupt) as error:
            return error, Run(self, flow.execution)
        raise AssertionError(f"The flow has not failed, which it should have {how}.")

    def count(self, name: str) -> int:
        """Count the signs of a name."""
        return signs.count(self.signs, name)

    def wait_for(self, name: str) -> None:
        """Wait for a sign."""
        signs.wait_for(self.signs, name)

    def leave(self, name: str) -> None:
        """Leave a sign."""
        signs.leave(self.signs, name)

    def let_go(self, name: str) -> None:
        """Wait until no process holds a name."""
        signs.let_go(self.signs, name)

    def laminar(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line on what runs have left."""
        command = [*LAMINAR, *arguments, "--root", self.state_folder]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=signs.PATIENCE)  # noqa: S603 - this interpreter

    def until_shown(self, text: str, *arguments: str) -> str:
        """Wait until the command line shows a text, and give all that it shows then."""
        found: list[str] = []

        def shown() -> bool:
            found.append(self.laminar(*arguments).stdout)
            return text in found[-1]

        signs.until(f"{arguments} shows {text!r}", shown)
        return found[-1]

    @property
    def state_folder(self) -> str:
        """Where the ledger and the logs lie."""
        folder = self._datastore.state_folder()
        assert folder is not None
        return folder

    def begin_elsewhere(self, kind: type[Flow], run: str, **parameters: Any) -> subprocess.Popen[bytes]:
        """Run a flow in another process."""
        order = pickled.dumps((self.flow(kind).configuration, kind, run, {"signs": self.signs, **parameters}))
        process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-c", SCHEDULER],
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert process.stdin is not None
        with process.stdin as stream:
            stream.write(order)
        return process


def be_a_scheduler() -> None:
    """Run the flow that comes by standard input."""
    configuration, kind, run, parameters = pickled.loads(sys.stdin.buffer.read())
    flow = kind(datastore=configuration.datastore, executor=configuration.executor, scheduler=Scheduler(quiet=True))
    flow(execution=run, **parameters)


class Run:
    """A run that has ended, and what it left.

    Attributes:
        lab: Where it ran.
        execution: The run itself.
    """

    def __init__(self, lab: Lab, execution: Execution) -> None:
        """Take it."""
        self.lab = lab
        self.execution = execution

    def fact(self, layer: type, name: str, index: int | None = None) -> Any:
        """Read an artifact.

        Raises:
            AssertionError: It was not assigned; the message says what the layer has caught before.
        """
        try:
            return getattr(self.execution.layer(layer, index=index), name)
        except AttributeError as error:
            archives = self.execution.flow.configuration.datastore.archives
            records = archives.splits(self.execution.flow.name, self.execution.known_id, layer.__name__)
            caught = sorted({record.caught for record in records.values() if record.caught is not None})
            raise AssertionError(f"{error} It has caught: {caught}") from None

    def log(self, layer: type, index: int = 0, attempt: int = 1) -> str:
        """Read what an attempt under the first holder of the run has printed."""
        folder = Path(self.lab.state_folder, LOGS, self.execution.flow.name, self.execution.known_id, layer.__name__)
        path = folder / f"{index}.1.{attempt}.log"
        return path.read_text() if path.exists() else ""

    def attempts(self, layer: type) -> list[AttemptRow]:
        """List the attempts of a layer that the ledger knows."""
        ledger = Ledger(os.path.join(self.lab.state_folder, LEDGER), create=False)
        try:
            rows = ledger.attempts(self.execution.flow.name, self.execution.known_id)
            return [row for row in rows if row.name == layer.__name__]
        finally:
            ledger.close()


class Resumed(Run):
    """A run that has failed, and was resumed with success.

    Attributes:
        error: What the caller got at first.
        failure: What the run said of it then.
    """

    def __init__(self, lab: Lab, execution: Execution, error: BaseException, failure: ExecutionFailure) -> None:
        """Take it."""
        super().__init__(lab, execution)
        self.error = error
        self.failure = failure


class Live:
    """A run that goes on in a thread of its own."""

    def __init__(self, lab: Lab, flow: Flow, **parameters: Any) -> None:
        """Begin."""
        self._lab = lab
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(flow, parameters), daemon=True)
        self._thread.start()

    def _run(self, flow: Flow, parameters: dict[str, Any]) -> None:
        try:
            flow(signs=self._lab.signs, **parameters)
        except BaseException as error:
            self._error = error

    def wait_for(self, name: str) -> None:
        """Wait for a sign of it.

        Raises:
            AssertionError: It has ended without one.
        """
        signs.until(f"a sign {name!r}", lambda: self._lab.count(name) or not self._thread.is_alive())
        assert self._lab.count(name), f"the run ended without a sign {name!r}: {self._error!r}"

    def end(self) -> BaseException | None:
        """Wait for its end, and give what it raised."""
        self._thread.join(signs.PATIENCE)
        assert not self._thread.is_alive(), "the run has not ended"
        return self._error


def notes(error: BaseException) -> str:
    """Give the notes of an exception."""
    return "\n".join(getattr(error, "__notes__", ()))


def tree(error: BaseException) -> Iterator[BaseException]:
    """Go through an exception and those that it groups."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from tree(part)
