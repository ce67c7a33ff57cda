"""Runs a program here: claims the run, opens the executor, drives it, and leaves everything as it should be."""

from __future__ import annotations

import hashlib
import os
import queue
import random
import time
from contextlib import ExitStack, nullcontext, suppress

from laminar.console import choose
from laminar.data.journal import Journal
from laminar.data.serde.failures import describe
from laminar.data.serde.failures import revive as exception_of
from laminar.engine.actions import Actions
from laminar.engine.children import Children, refuse
from laminar.engine.contract import Failures
from laminar.engine.desk import Desk
from laminar.engine.driver import Parts
from laminar.engine.failures import first_line
from laminar.engine.leases import Heartbeat
from laminar.engine.logs import Files
from laminar.errors import ExecutionError, LaminarError, RunAbortedError, RunExistsError
from laminar.executors.contract import Host
from laminar.host import leftovers, processes
from laminar.ledger.sql import MEMORY, Ledger
from laminar.model.action import Asked, Manifest, Notice
from laminar.model.ids import ActionKey
from laminar.model.states import State
from laminar.model.value import Value
from laminar.runs import calls, source
from laminar.runs.packing import Packer
from laminar.runs.signals import Interrupts
from laminar.worker import loading
from laminar.worker.capture import Capture, capture_here, captured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any

    from laminar.data.contract import Blobs
    from laminar.data.values import Values
    from laminar.engine.contract import Book, Failed, Observer, Summary
    from laminar.engine.driver import Driver
    from laminar.executors.contract import Executor, Session
    from laminar.model.action import EntryRef, Event, Request
    from laminar.model.code import Code
    from laminar.model.ids import AttemptKey
    from laminar.model.placement import Placement
    from laminar.model.policies import Resources
    from laminar.runs.calls import Calls
    from laminar.wire.messages import Answer, Message

__all__ = ["Order", "exception_of", "run"]

LEDGER = "ledger.db"
LOGS = "logs"
#: Seconds between looks at a lease whose end is waited for.
GLANCE = 0.1
#: Begins what an error says about how to go on.
RESUME = "Resume with: "
#: User code runs here too, so its exceptions are made again.
FAILURES = Failures(describe, exception_of)


class Order(Value, frozen=True):
    """All that a run needs to be told.

    Attributes:
        space: What it is a run of.
        run: Its id.
        book: What is kept of it as a whole.
        values: Where the values of task calls lie.
        blobs: Where results lie.
        driver: Drives it.
        layers: Names of its layers.
        state_folder: Folder of the ledger and the logs; None keeps neither.
        executors: Where attempts run, by the lane that leads there.
        code: Where the user's code is.
        entry: What a worker loads.
        call: Runs an attempt in this process.
        call_async: Runs an attempt on an event loop of this process.
        prepare: Done once the run is claimed.
        grace: Seconds that an attempt has to end by itself.
        quiet: Whether to print nothing.
        resume: Whether the run should exist already.
        source: The file it was started with, or ``-m`` and the name of a module.
        places: The containers and resources that its actions ask for, as far as they are known.
        mounts: Folders of the datastore.
        server: Address that must be reached to use the datastore; None if it lies in folders.
        extras: Extras of laminar that the datastore needs.
        calls: Makes the actions for task calls, by the name of a lane for them.
        started: Is given what takes events, once the run is claimed.
        part_of: The run of a server that it is a part of, and is resumed with; empty if it is none.
    """

    space: str
    run: str
    book: Book
    values: Values
    blobs: Blobs
    driver: Callable[[Parts], Driver]
    layers: Sequence[str]
    state_folder: str | None
    executors: Mapping[str, Executor]
    code: Code
    entry: EntryRef
    call: Callable[[Request], Manifest]
    prepare: Callable[[], None]
    grace: float
    quiet: bool
    resume: bool
    source: str | None
    places: Sequence[tuple[Placement, Resources]]
    mounts: Sequence[str]
    server: str | None
    extras: tuple[str, ...]
    call_async: Callable[[Request], Awaitable[Manifest]] | None = None
    calls: Calls | None = None
    started: Callable[[Callable[[Event], None]], None] = lambda deliver: None  # noqa: ARG005
    part_of: str = ""

    @property
    def to_resume(self) -> str:
        """How it is resumed from a shell."""
        return f"laminar resume {self.part_of}" if self.part_of else source.resume_command(self.source, self.run)


def run(order: Order) -> Summary:
    """Run a program to its end.

    Returns:
        How it ended, if that was in success.

    Raises:
        StorageError: The datastore cannot be written; nothing has run.
        RunHeldError: Another scheduler holds the run.
        RunExistsError: It exists already and is not to be resumed.
        KeyboardInterrupt: Somebody pressed Ctrl-C; the run can be resumed.
        RunAbortedError: Somebody aborted the run.
        Exception: What user code has raised.
    """
    order.blobs.prepare()
    with _State(order) as state:
        observer = choose.observer(quiet=order.quiet)
        try:
            return _Run(order, state, observer).run()
        finally:
            observer.close()


class _State:
    """The ledger, and folders for logs and for private files."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._kept = order.state_folder

    def __enter__(self) -> _State:
        if self._kept is None:
            import tempfile  # 16 ms, and only runs in memory need it

            self.folder = tempfile.mkdtemp(prefix="laminar-")
            self.ledger = Ledger(MEMORY)
        else:
            self.folder = self._kept
            self.ledger = Ledger(os.path.join(self.folder, LEDGER))
        self.logs = os.path.join(self.folder, LOGS)
        temporary = os.path.join(self.folder, ".tmp")
        leftovers.sweep(temporary)
        self.private = os.path.join(temporary, leftovers.private_name())
        os.makedirs(self.private)
        return self

    def held(self, space: str, run: str) -> bool:
        """Tell whether a scheduler that is alive holds a run; may be asked from any thread."""
        ledger = Ledger(self.ledger.path, create=False)
        try:
            found = ledger.find(space, run)
            return found is not None and found.held(time.time())
        finally:
            ledger.close()

    def __exit__(self, *_: object) -> None:
        self.ledger.close()
        leftovers.remove(self.folder if self._kept is None else self.private)


class _Run:
    """One run under one holder."""

    def __init__(self, order: Order, state: _State, observer: Observer) -> None:
        self._order = order
        self._state = state
        self._observer = observer
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._holder = processes.identity()
        self._began = time.monotonic()
        self._started = time.time()
        self._begun = order.resume
        self._left = False

    def run(self) -> Summary:
        order, ledger = self._order, self._state.ledger
        self._epoch = self._claim()
        with (
            Interrupts(self._events.put),
            Heartbeat(ledger.path, order.space, order.run, self._epoch, self._events.put),
            nullcontext() if self._leaves_process() else Capture(),
        ):
            try:
                summary = self._drive()
            except BaseException as error:
                self._end_in_error(error)
                raise
        self._end_as(summary)
        self._observer.run_ended(summary)
        self._raise(summary)
        return summary

    def _end_as(self, summary: Summary) -> None:
        """Record how the run ended; where that cannot be, a failure that came first is still the one to tell of."""
        first = summary.failures[0] if summary.failures else None
        try:
            if summary.stopped is not None:
                self._end(State.CANCELLED, summary.stopped, None)
            else:
                self._end(summary.state, None if first is None else first_line(first), first)
        except LaminarError as error:
            if first is None:
                raise
            first.error.add_note(f"How the run ended could not be recorded: {error}")

    def _claim(self) -> int:
        """Take the run.

        One that ended before its parameters were kept has not begun: it cannot be resumed, and its id is free.

        Raises:
            RunExistsError: It exists, and is not to be resumed.
        """
        order, ledger = self._order, self._state.ledger
        begun = order.resume or order.book.begun()
        if begun and not order.resume and ledger.find(order.space, order.run) is None:
            raise RunExistsError(
                f"Run {order.run} of {order.space} exists already in {order.blobs.root}. "
                "Go on with it by resume(), or choose another id."
            )
        resume = order.resume or not begun
        if order.resume:
            self._outwait()
        return ledger.claim(order.space, order.run, self._holder, order.source, resume=resume)

    def _outwait(self) -> None:
        """Wait for the end of the lease of a holder that cannot be seen from here, such as one in another container.

        One that lives extends it meanwhile; that it holds the run is then for :meth:`Ledger.claim` to say.
        """
        ledger, order = self._state.ledger, self._order
        first = found = ledger.find(order.space, order.run)
        while found is not None and first is not None and found.held(time.time()) and found.holder.alive() is None:
            if found.lease != first.lease:
                return
            if found is first:
                left = found.lease - time.time()
                self._observer.notice(f"{found.holder} may have died: waits {left:.0f} s for the end of its lease")
            time.sleep(GLANCE)
            found = ledger.find(order.space, order.run)

    def _drive(self) -> Summary:
        order = self._order
        label = label_of(self._state.folder, order.space, order.run)
        if order.resume:
            processes.sweep(label)
            before = order.book.state()
            self._started = before["started"] if before is not None else self._started
        label += str(self._epoch)
        folder = self._folder()
        with ExitStack() as stack:
            stack.callback(leftovers.remove, folder)
            desk = stack.enter_context(self._desk(folder))
            sessions: dict[str, Session] = {}
            for lane, executor in order.executors.items():
                sessions[lane] = executor.open(self._host(label, folder))
                stack.callback(sessions[lane].close)
            order.prepare()
            self._begun = True
            self._write_state(State.RUNNING, None, None)
            driver = order.driver(self._parts(sessions, folder, desk))
            order.started(self._events.put)
            self._observer.run_started(order.space, order.run, list(order.layers), resumed=order.resume)
            stack.callback(self._leave)
            driver.drive(self._events, order.grace)
        summary = driver.summary(self._began, order.blobs.root)
        if summary.state is not State.SUCCEEDED:
            summary = summary.replace(resume=order.to_resume)
        return summary

    def _leaves_process(self) -> bool:
        return any(executor.leaves_process for executor in self._order.executors.values())

    def _desk(self, folder: str) -> Desk:
        """Open the way by which attempts outside this process call children, if there are such and tasks to call."""
        return Desk(f"{folder}/door", self._events.put, wanted=self._leaves_process() and calls.loaded())

    def _parts(self, sessions: dict[str, Session], folder: str, desk: Desk) -> Parts:
        """Put together what the driver works with."""
        order, ledger, observer = self._order, self._state.ledger, self._observer
        logs = Files(self._state.logs, observer)
        actions = Actions(self._epoch, sessions, ledger, logs, observer, random.random, folder, desk, FAILURES)
        journal = Journal(order.blobs, order.run)
        first = ActionKey(order.space, order.run, "")
        ended = journal.read()[1] if order.resume else {}
        making = order.calls or calls.Late(order.executors, order.values)
        children = Children(first, actions, journal, order.values, ledger, observer, making.work, ended)
        children.grace = order.grace
        return Parts(order.space, order.run, actions, children, ledger, logs, observer)

    def _folder(self) -> str:
        """Give the folder for what attempts and this scheduler hand each other."""
        if not any(executor.outlives_scheduler for executor in self._order.executors.values()):
            return self._state.private
        folder = handover_folder(self._state.folder, self._order.space, self._order.run)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return folder

    def _host(self, label: str, folder: str) -> Host:
        order = self._order
        return Host(
            deliver=self._events.put,
            call=self._call,
            code=order.code,
            entry=order.entry,
            label=label,
            folder=folder,
            places=order.places,
            mounts=list(dict.fromkeys([self._state.folder, *order.mounts])),
            server=order.server,
            state=self._state.folder,
            packaging=Packer(self._script(), self._state.logs, order.extras),
            held=self._state.held,
            tell=lambda line: self._events.put(Notice(line)),
            call_async=order.call_async and self._call_async,
            task_factory=calls.task_factory() if order.call_async is not None else None,
        )

    def _script(self) -> str | None:
        """Name the script whose declared packages automatic images have."""
        started = self._order.source
        return self._order.code.script or (None if started is None or started.startswith("-m ") else started)

    def _call(self, request: Request) -> Manifest:
        with captured(request.log):
            if not calls.loaded():
                return self._order.call(request)
            with calls.caller(request.key, self._order.values, self._ask):
                return self._order.call(request) if request.entry is None else self._call_other(request.entry, request)

    @staticmethod
    def _call_other(entry: EntryRef, request: Request) -> Manifest:
        try:
            return loading.find(entry).call(request)
        except Exception as error:
            return Manifest({}, describe(error))

    async def _call_async(self, request: Request) -> Manifest:
        assert self._order.call_async is not None
        log = capture_here(request.log)  # the context is this attempt's own, so nothing is put back
        calls.call_from(request.key, self._order.values, self._ask)
        try:
            return await self._order.call_async(request)
        finally:
            log.close()

    def _ask(self, key: AttemptKey, message: Message, reply: Callable[[Answer], None]) -> None:
        self._events.put(Asked(key, message, reply))
        if self._left:
            self._leave()

    def _leave(self) -> None:
        """Refuse what is asked once nobody drives the run any more: a thread would wait for the answer for ever."""
        self._left = True
        with suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if isinstance(event, Asked):
                    refuse(event, FAILURES)

    def _end_in_error(self, error: BaseException) -> None:
        """Record that the run could not go on; what cannot be recorded is said in the error's notes."""
        text = f"{type(error).__name__}: {error}"
        self._observer.notice(f"failed: {text}")
        if self._begun:
            resume = f"{RESUME}{self._order.to_resume}"
            error.add_note(resume)
            self._observer.notice(resume)
        try:
            self._end(State.FAILED, text, None)
        except LaminarError as second:
            error.add_note(f"That the run failed could not be recorded either: {second}")

    def _end(self, state: State, error: str | None, failed: Failed | None) -> None:
        if self._begun:
            self._write_state(state, time.time(), failed)
        self._state.ledger.end(self._order.space, self._order.run, self._epoch, state, error)

    def _write_state(self, state: State, ended: float | None, failed: Failed | None) -> None:
        error = None
        if failed is not None:
            error = {
                "layer": failed.layer,
                "index": failed.index,
                "exception": f"{type(failed.error).__name__}: {failed.error}",
                "traceback": failed.traceback,
            }
        plain: dict[str, Any] = {
            "state": state.value,
            "started": self._started,
            "ended": ended,
            "error": error,
            "holder": vars(self._holder),
            "source": self._order.source,
        }
        self._order.book.write_state(plain)

    def _raise(self, summary: Summary) -> None:
        resume = f"{RESUME}{self._order.to_resume}"
        if summary.stopped is not None:
            if summary.stopped.startswith("SIGINT "):
                raise KeyboardInterrupt(resume)
            raise RunAbortedError(f"Run {summary.run} of {summary.space} was stopped: {summary.stopped}. {resume}")
        if summary.failures:
            error = summary.failures[0].error
            for other in summary.failures[1:]:
                error.add_note(f"Also failed: {first_line(other)}")
            error.add_note(resume)
            raise error
        if summary.state is not State.SUCCEEDED:
            raise ExecutionError(f"Run {summary.run} of {summary.space} ended {summary.state.value}. {resume}")


def label_of(folder: str, space: str, run: str) -> str:
    """Begin the label that the processes of a run bear; a run of the same id with another ledger bears another.

    The folder is told by its place on the disk, not by its path: schedulers in containers all have it at one path.

    Args:
        folder: Where the ledger lies.
        space: What the run is a run of.
        run: Its id.
    """
    found = os.stat(folder)
    scope = hashlib.blake2b(f"{found.st_dev}:{found.st_ino}".encode(), digest_size=6).hexdigest()
    return f"{run}/{space}/{scope}/"


def sweep(folder: str, space: str, run: str) -> None:
    """End all that a run has left running, as processes and in containers.

    Args:
        folder: Where the ledger lies.
        space: What the run is a run of.
        run: Its id.

    Raises:
        EngineNotReachableError: It has run containers, and their engine does not answer.
    """
    label = label_of(folder, space, run)
    processes.sweep(label)
    handed = handover_folder(folder, space, run)
    if os.path.isdir(handed):
        from laminar.executors.docker.abandoned import sweep as sweep_containers  # 200 ms, and only for containers

        sweep_containers(os.path.realpath(folder), handed, label)
        leftovers.remove(handed)


def handover_folder(folder: str, space: str, run: str) -> str:
    """Name the folder for what attempts that outlive their scheduler hand its successor.

    Args:
        folder: Where the ledger lies.
        space: What the run is a run of.
        run: Its id.
    """
    return os.path.join(folder, ".attempts", f"{space}@{run}")  # one folder, so that none is left when it is removed
