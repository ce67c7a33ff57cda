"""Runs that this process drives: a thread for each, so that the program goes on meanwhile."""

from __future__ import annotations

import threading

from laminar.errors import LaminarError, RunAbortedError
from laminar.model.action import Interrupt
from laminar.model.states import State
from laminar.runs import local
from laminar.runs.signals import Interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.model.action import Event
    from laminar.runs.local import Order

_going: set[Scheduling] = set()
_lock = threading.Lock()
_hooked = False
#: Takes Ctrl-C for all runs that go on, while there are any.
_signals: Interrupts | None = None


class Scheduling:
    """A run that this process drives.

    Attributes:
        state: Its state, once it is over.
        error: What it has raised, or what kept it from being driven.
    """

    def __init__(self, order: Order) -> None:
        """Take what is to be run."""
        self._order = order.replace(started=self._started)
        self._claimed = threading.Event()
        self._over = threading.Event()
        self._deliver: Callable[[Event], None] | None = None
        self._interrupted: list[Interrupt] = []
        self.state = State.RUNNING
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._drive, name="laminar-run")

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self._over.is_set()

    def start(self) -> None:
        """Begin, and come back once the run is claimed.

        Raises:
            LaminarError: It cannot be begun: it is held by another process, or the folder cannot be written.
        """
        _wait_at_exit()
        with _lock:
            _going.add(self)
        _take_signals()
        self._thread.start()
        self._claimed.wait()
        if self.over and self._deliver is None and self.error is not None:
            _leave_signals()
            raise self.error

    def wait(self) -> None:
        """Wait for the end.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        self._over.wait()
        self._thread.join()
        _leave_signals()
        if isinstance(self.error, KeyboardInterrupt):
            raise self.error

    def _drive(self) -> None:
        try:
            self.state = local.run(self._order).state
        except LaminarError as error:
            self.error = error
            self.state = State.CANCELLED if isinstance(error, RunAbortedError) else State.FAILED
        except BaseException as error:
            self.error = error
            self.state = State.CANCELLED if isinstance(error, KeyboardInterrupt) else State.FAILED
        finally:
            with _lock:
                _going.discard(self)
            self._over.set()
            self._claimed.set()

    def _started(self, deliver: Callable[[Event], None]) -> None:
        self._deliver = deliver
        for interrupt in self._interrupted:
            deliver(interrupt)
        self._claimed.set()

    def interrupt(self, interrupt: Interrupt) -> None:
        """Ask the run to stop."""
        if self._deliver is None:
            self._interrupted.append(interrupt)
        else:
            self._deliver(interrupt)


def _take_signals() -> None:
    """Take Ctrl-C, if this is the main thread and no run has done so."""
    global _signals
    if _signals is None and threading.current_thread() is threading.main_thread():
        _signals = Interrupts(_interrupt_all)
        _signals.__enter__()


def _leave_signals() -> None:
    """Put back what there was for Ctrl-C, if this is the main thread and no run goes on."""
    global _signals
    if _signals is not None and not _going and threading.current_thread() is threading.main_thread():
        _signals.__exit__()
        _signals = None


def _interrupt_all(interrupt: Interrupt) -> None:
    going = list(_going)
    if not going:
        raise KeyboardInterrupt
    for scheduling in going:
        scheduling.interrupt(interrupt)


def _wait_at_exit() -> None:
    """Let a program that has come to its end wait for its runs, before Python takes away threads and event loops.

    Python's own hook for that is not public. Without it, tasks that use :func:`asyncio.to_thread` could not start
    threads any more: ``concurrent.futures`` closes its pools by the same hook, and the last one that is registered
    is called first.
    """
    global _hooked
    if not _hooked:
        _hooked = True
        import concurrent.futures.thread  # noqa: F401 - registers its hook, so that ours comes before it

        threading._register_atexit(_wait_for_all)  # type: ignore[attr-defined]


def _wait_for_all() -> None:
    while True:
        with _lock:
            going = list(_going)
        if not going:
            return
        for scheduling in going:
            scheduling._over.wait()
            scheduling._thread.join()
