"""What is asked of an executor, and what comes back."""

from __future__ import annotations

from laminar.model.code import Code
from laminar.model.ids import AttemptKey
from laminar.model.placement import Placement
from laminar.model.policies import Resources
from laminar.model.states import Outcome
from laminar.model.value import Value

#: Where a process that was started to run one attempt finds its order: ``-`` for standard input, or a file's path. The
#: order is an :class:`Attempt`, pickled, after its length in 8 bytes.
ATTEMPT_VARIABLE = "LAMINAR_ATTEMPT"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Ref(Value, frozen=True, hot=True):
    """Where a value lies.

    Attributes:
        dtype: Qualified name of the value's type, such as ``builtins.int``.
        hexdigest: SHA-256 of the serialised value, in hexadecimal; empty where the value is here.
        data: The serialised value itself, where it is small.
    """

    dtype: str
    hexdigest: str
    data: bytes | None = None


class Output(Value, frozen=True, hot=True):
    """A named output of an action.

    Attributes:
        refs: One for a plain value, any number for a sharded one.
        sharded: Whether each element is stored by itself.
    """

    refs: tuple[Ref, ...]
    sharded: bool = False


class Failure(Value, frozen=True):
    """An error, in words that survive any boundary.

    Attributes:
        type_name: Qualified name of the exception's type.
        message: Its text.
        traceback: The traceback as text, of the user's frames.
        pickled: The exception itself, where it can be pickled.
        final: Whether the error says that no retry can help.
    """

    type_name: str
    message: str
    traceback: str = ""
    pickled: bytes | None = None
    final: bool = False


class Manifest(Value, frozen=True, hot=True):
    """What an attempt hands over when it ends by itself.

    Attributes:
        outputs: Named outputs, also those of an attempt that failed.
        failure: The error, if it failed.
        caught: The error that the action caught, if it succeeded by catching one.
    """

    outputs: Mapping[str, Output]
    failure: Failure | None = None
    caught: Failure | None = None


class EntryRef(Value, frozen=True):
    """Where the code of an action is: plain data that a worker turns into an :class:`Entry`.

    Attributes:
        loader: ``"module:function"`` of laminar that loads it.
        payload: What the loader needs.
    """

    loader: str
    payload: Any


class Entry:
    """User code that a worker can run, whether layer or task.

    Attributes:
        values: Packs and unpacks what it passes to children; see :class:`laminar.data.values.Values`.
    """

    values: Any = None

    def call(self, request: Request) -> Manifest:
        """Run one attempt and store its outputs. Never raises for an error of user code."""
        raise NotImplementedError

    async def call_async(self, request: Request) -> Manifest:
        """Run one attempt on the running event loop, as :meth:`call` does."""
        raise NotImplementedError


class Door(Value, frozen=True):
    """Where an attempt outside the scheduler's process reaches the engine.

    Attributes:
        path: Path of a Unix socket, or the address of a server.
        token: What shows that it is this attempt; nothing is answered to who has it once the attempt has ended.
    """

    path: str
    token: str


class Request(Value, frozen=True, hot=True):
    """One attempt, as an executor is asked to run it.

    Attributes:
        key: Which attempt.
        payload: What the entry needs to know about this action.
        env: Environment variables to set.
        resources: What it needs of a machine.
        log: Path of the file that takes its output.
        manifest: Path of the file that takes its manifest, for places outside the scheduler's process.
        placement: The container that it asks for.
        entry: What runs it, if that is another entry than the run's.
        door: Where it can call children.
        timeout: Seconds that it may run, for places that hold it to them by themselves.
    """

    key: AttemptKey
    payload: Any
    env: Mapping[str, str]
    resources: Resources
    log: str
    manifest: str
    placement: Placement = Placement()
    entry: EntryRef | None = None
    door: Door | None = None
    timeout: float | None = None


class Attempt(Value, frozen=True):
    """The order to run one attempt, for a process that knows nothing yet.

    Attributes:
        code: Where the user's code is.
        entry: What to find in it.
        request: The attempt.
    """

    code: Code
    entry: EntryRef
    request: Request


class Started(Value, frozen=True):
    """An attempt that had to wait for its place runs from now on.

    Attributes:
        key: Which attempt.
        detail: What is worth knowing of how it got there, in words; empty if nothing is.
    """

    key: AttemptKey
    detail: str = ""


class Ended(Value, frozen=True, hot=True):
    """An attempt has ended.

    Attributes:
        key: Which attempt.
        outcome: How, as far as the place can tell; a manifest with a failure makes it ``RAISED``.
        manifest: What the attempt handed over, if it did.
        code: Exit code of its process, if it has one.
        signal: Signal that ended its process, if one did.
        detail: What the place says about it, in words.
        output: The last lines that it has printed, if it ended without a result.
        cpu: Processor seconds used, if known.
        memory: Peak resident memory in megabytes, if known.
        error: Why the place refused it, if it did.
    """

    key: AttemptKey
    outcome: Outcome
    manifest: Manifest | None = None
    code: int | None = None
    signal: int | None = None
    detail: str = ""
    output: str = ""
    cpu: float | None = None
    memory: float | None = None
    error: BaseException | None = None


class SessionReady(Value, frozen=True):
    """The place where attempts run can take some from now on."""


class SessionLost(Value, frozen=True):
    """The place where attempts run can take no more of them.

    Attributes:
        error: Why.
    """

    error: BaseException


class Notice(Value, frozen=True):
    """Something that people should know, such as a line of an image's build.

    Attributes:
        text: The line.
    """

    text: str


class Asked(Value, hot=True):
    """A running attempt asks something of the engine.

    Attributes:
        key: The attempt.
        message: What it asks.
        reply: Takes the answer, from any thread.
    """

    key: AttemptKey
    message: Any
    reply: Callable[[Any], None]


class Interrupt(Value, frozen=True):
    """Somebody wants the run to stop.

    Attributes:
        reason: Who and why, in words.
        now: Without grace.
        signal: The signal that asked, if one did.
    """

    reason: str
    now: bool = False
    signal: int | None = None


class Left(Value, frozen=True):
    """The run is held by another from now on, or will be: leave it, and leave its attempts to who takes it."""


#: What executors, signals and running attempts tell the engine.
Event = Started | Ended | Notice | SessionReady | SessionLost | Asked | Interrupt | Left
