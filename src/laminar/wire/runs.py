"""Requests and answers about runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, field

from laminar.model.states import State
from laminar.wire.agents import CacheView, FailureView, OutputView, Plain
from laminar.wire.specs import EntityName, Kind, Overrides, Version

RunName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$(?!\n)")]
Label: TypeAlias = Annotated[str, Meta(max_length=200)]
Limit: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Moment: TypeAlias = Annotated[float, Meta(ge=0, le=1e11)]
Stated: TypeAlias = Literal["WAITING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"]


class RunRequest(Plain, frozen=True, kw_only=True, omit_defaults=True):
    """Asks for a run.

    Attributes:
        entity: Name of the task or flow.
        version: Its version; ``"latest"`` for the one that was deployed last.
        inputs: Arguments by name, as JSON; its interface says what they become.
        packed: Arguments as :mod:`laminar.data.values` packs them, in place of ``inputs``.
        name: Name of the run; a new one by default.
        labels: Words to find it by.
        env_vars: Environment variables for all of its actions, below those of their own settings.
        overwrite_cache: Whether results are made anew.
        overrides: What is changed of how it is carried out, for its first action.
        cache: Under what its result is kept.
    """

    entity: EntityName
    version: Version = "latest"
    inputs: dict[str, Any] = field(default_factory=dict)
    packed: bytes | None = None
    name: RunName | None = None
    labels: Annotated[dict[Label, Label], Meta(max_length=50)] = field(default_factory=dict)
    env_vars: Annotated[dict[str, str], Meta(max_length=500)] = field(default_factory=dict)
    overwrite_cache: bool = False
    overrides: Overrides | None = None
    cache: CacheView | None = None


class RunView(Plain, frozen=True, kw_only=True):
    """A run.

    Attributes:
        space: Project and domain, ``"<project>/<domain>"``.
        name: Its name.
        kind: Whether it is a run of a task or of a flow.
        entity: Name of that.
        version: Its version.
        state: Its state.
        error: What failed, in one line.
        reason: What it waits for, if no server drives it; not said in lists.
        labels: Words to find it by.
        author: Who asked for it.
        trigger: Name of the trigger that started it; None if none did.
        rerun_of: Name of the run that it repeats; None if it repeats none.
        created: When it was asked for, in seconds since the epoch.
        started: When it was first taken up.
        ended: When it ended.
        epoch: How often it was taken up.
    """

    space: str
    name: str
    kind: Kind
    entity: str
    version: str
    state: State
    error: str | None = None
    reason: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    author: str = ""
    trigger: str | None = None
    rerun_of: str | None = None
    created: float
    started: float | None = None
    ended: float | None = None
    epoch: int = 0


class RunQuery(Plain, frozen=True, kw_only=True):
    """Which runs.

    Attributes:
        state: In this state.
        entity: Of this task or flow.
        label: With this label, as ``key=value``.
        name: Whose name begins so.
        created_from: Asked for at this time or later, in seconds since the epoch.
        created_to: Asked for before this time.
        limit: How many at most.
        after: Those that follow a page: what it gave as ``next``.
    """

    state: Stated | None = None
    entity: EntityName | None = None
    label: Label | None = None
    name: Annotated[str, Meta(max_length=100)] | None = None
    created_from: Moment | None = None
    created_to: Moment | None = None
    limit: Limit = 50
    after: Annotated[str, Meta(max_length=300)] | None = None


class RunPage(Plain, frozen=True, kw_only=True):
    """Runs, the newest first.

    Attributes:
        items: The runs.
        next: What to ask the next page with; None after the last.
    """

    items: tuple[RunView, ...]
    next: str | None = None


class StopRequest(Plain, frozen=True, kw_only=True):
    """Asks for the end of a run.

    Attributes:
        reason: Why, in words.
    """

    reason: Annotated[str, Meta(max_length=500)] = ""


class ActionView(Plain, frozen=True, kw_only=True):
    """An action.

    Attributes:
        name: Its name.
        index: Which action of that name.
        task: What it is a call of.
        parent: Name of the action that called it; empty if none did.
        label: Name of the group that it was called in.
        state: Its state.
        reason: Why it is in that state: what it waits for, what was found in the cache, or how it failed.
        attempts: How many attempts were started.
        started: When the first of them started.
        ended: When it ended.
    """

    name: str
    index: int
    task: str | None
    parent: str | None
    label: str | None
    state: State
    reason: str | None
    attempts: int
    started: float | None
    ended: float | None


class ActionQuery(Plain, frozen=True, kw_only=True):
    """Which actions of a run.

    Attributes:
        which: Whose name begins so, or that are calls of this task; with it, only the limit counts besides.
        task: Calls of this task.
        state: In this state.
        order: Either by ``started``, the first that started first, or by ``name``, which does not change while the run
            goes on, so that its pages together have every action once.
        limit: How many at most.
        offset: How many to pass over, in the order in which they started.
        after: Those that follow a page, in the order of their names: what it gave as ``next``.
    """

    which: Annotated[str, Meta(min_length=1, max_length=300)] | None = None
    task: EntityName | None = None
    state: Stated | None = None
    order: Literal["started", "name"] = "started"
    limit: Limit = 200
    offset: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    after: Annotated[str, Meta(max_length=300)] | None = None


class ActionPage(Plain, frozen=True, kw_only=True):
    """Actions of a run.

    Attributes:
        items: The actions.
        next: What to ask the next page with, in the order of names; None after the last.
    """

    items: tuple[ActionView, ...]
    next: str | None = None


class TaskCount(Plain, frozen=True, kw_only=True):
    """The actions of one task in a run, by their states."""

    task: str
    count: int
    done: int
    running: int
    failed: int
    cancelled: int
    cached: int
    started: float | None
    ended: float | None


class TaskCounts(Plain, frozen=True, kw_only=True):
    """What a run has called, in the order of the first calls."""

    items: tuple[TaskCount, ...]


class AttemptView(Plain, frozen=True, kw_only=True):
    """An attempt.

    Attributes:
        name: Name of the action.
        index: Which action of that name.
        number: Which try.
        epoch: Under which holder of the run.
        state: Its state.
        outcome: How it ended, in words.
        started: When it started.
        ended: When it ended.
        cpu: Processor seconds used, if known.
        memory: Peak resident memory in megabytes, if known.
    """

    name: str
    index: int
    number: int
    epoch: int
    state: State
    outcome: str | None
    started: float
    ended: float | None
    cpu: float | None
    memory: float | None


class AttemptPage(Plain, frozen=True, kw_only=True):
    """Attempts, oldest first."""

    items: tuple[AttemptView, ...]


class ResultView(Plain, frozen=True, kw_only=True):
    """What an action has returned or raised; neither while it has not ended.

    Attributes:
        state: State of the action.
        output: What it returned.
        failure: What it raised.
    """

    state: State
    output: OutputView | None = None
    failure: FailureView | None = None


class KeptView(Plain, frozen=True, kw_only=True):
    """A result of a task that is kept for later runs.

    Attributes:
        run: The run that made it.
        action: The action of that run.
        made: When.
        parts: What its key was made of, each part's digest by its name.
    """

    run: str
    action: str
    made: float
    parts: dict[str, str]


class KeptQuery(Plain, frozen=True, kw_only=True):
    """With which results an action's own is compared: those that were made before a time; now by default."""

    before: Moment | None = None


class KeptPage(Plain, frozen=True, kw_only=True):
    """What an action has kept for later runs, and what was kept of its task before.

    Attributes:
        task: Its task.
        own: What it has kept; None if nothing.
        earlier: Earlier results of the task, those first that may be compared with it.
        code: Of which parts the code was made, by the digest of the whole.
    """

    task: str
    own: KeptView | None = None
    earlier: tuple[KeptView, ...] = ()
    code: dict[str, dict[str, str]] = field(default_factory=dict)


class InputsView(Plain, frozen=True, kw_only=True):
    """What a run was asked for with.

    Attributes:
        inputs: Arguments by name, as JSON.
        packed: Arguments as :mod:`laminar.data.values` packs them, in place of ``inputs``.
    """

    inputs: dict[str, Any] = field(default_factory=dict)
    packed: bytes | None = None


class Since(Plain, frozen=True, kw_only=True):
    """What a stream tells.

    Attributes:
        after: What comes after the event of this number.
        output: Whether what is printed is told too.
        wait: Whether it goes on until the run has ended; else it ends with what has happened by now.
    """

    after: Number = 0
    output: bool = False
    wait: bool = True


class LogQuery(Plain, frozen=True, kw_only=True):
    """Which output.

    Attributes:
        action: Of the action of this name, or the beginning of one, or of the calls of this task; of all by default.
        after: What comes after the event of this number.
        wait: Whether it goes on until the run has ended; else it ends with what has been printed by now.
    """

    action: Annotated[str, Meta(max_length=300)] | None = None
    after: Number = 0
    wait: bool = True


class OutputPiece(Plain, frozen=True, kw_only=True):
    """A piece of what an attempt has printed: the event ``output`` of a stream.

    Attributes:
        action: Name of the action.
        index: Which action of that name.
        task: What it is a call of.
        number: Which try.
        epoch: Under which holder of the run.
        offset: How many bytes it had printed before.
        data: The bytes; lines and letters may be cut at their ends.
    """

    action: str
    index: int
    task: str
    number: int
    epoch: int
    offset: int
    data: bytes
