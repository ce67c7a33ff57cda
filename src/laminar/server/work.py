"""Calls of tasks, flows and layers as a server carries them out: by what was deployed, and without user code."""

from __future__ import annotations

import msgspec

from laminar.engine.contract import INTERRUPTED, Submission, Work
from laminar.errors import PlacementError, TaskError, UnknownEntityError
from laminar.host import secrets
from laminar.model.placement import WORKDIR, Placement
from laminar.model.policies import Retry
from laminar.model.states import Outcome
from laminar.model.value import Value
from laminar.server.place import Placed
from laminar.wire.agents import Key, SecretView, Start
from laminar.wire.specs import EntitySpec, Overrides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from laminar.model.ids import ActionKey, AttemptKey
    from laminar.server.launchers.contract import Launcher
    from laminar.server.pools import Pool
    from laminar.wire.messages import Call

#: Ends that are no fault of the action's on a server: its worker is gone.
GONE = frozenset({Outcome.LOST})


class Entity(Value, frozen=True):
    """A deployed task, flow or layer.

    Attributes:
        spec: What it is.
        version: Its version.
        bundle: MD5 of its code, in hexadecimal; empty if that is in the image.
    """

    spec: EntitySpec
    version: str
    bundle: str


class Choices(Value, frozen=True):
    """What holds for all calls of a run.

    Attributes:
        launcher: Says what may share a place.
        find: Finds what is deployed, by name and version.
        see_queue: Refuses queues that are not there.
        secrets: Folder of the server's secrets.
        env_vars: Environment variables for every action.
        reads_cache: Whether results that other runs have kept may be used.
        timeout: Seconds that an attempt may run, unless its task says otherwise.
    """

    launcher: Launcher
    find: Callable[[str, str], Entity]
    see_queue: Callable[[str | None], None]
    secrets: str
    env_vars: Mapping[str, str]
    reads_cache: bool
    timeout: float | None = None


class Calls:
    """Makes actions of calls."""

    def __init__(self, choices: Choices) -> None:
        """Remember what holds for all of them."""
        self._choices = choices

    def work(self, call: Call, key: ActionKey, depth: int) -> Work:
        """Make an action of a call.

        Raises:
            UnknownEntityError: Nothing of that name and version is deployed.
            UnknownQueueError: The queue that it is put in is not there.
            TaskError: What the call overrides is not understood.
        """
        entity = self._choices.find(call.task, call.version)
        if call.overrides:
            try:
                overrides = msgspec.json.decode(call.overrides, type=Overrides)
            except msgspec.MsgspecError as error:
                raise TaskError(f"What a call of {call.task} overrides is not understood: {error}.") from None
            entity = entity.replace(spec=entity.spec.overridden(overrides))
            self._choices.see_queue(entity.spec.queue)
        return EntityWork(entity, key, call.inputs, depth, self._choices)

    def to_be_ready(self, call: Call, space: str) -> list[Pool]:
        """Give the pools that have agents from the beginning of a run: of what it calls, and what that calls."""
        launcher, names, found = self._choices.launcher, [call.task], []
        for name in names if launcher.keeps_ready else ():  # it grows meanwhile
            try:
                entity = self._choices.find(name, call.version)
                reuse = entity.spec.reusable
                if reuse is not None and reuse.value().bounds()[0]:
                    found.append(launcher.pool(space, entity.bundle, entity.spec, None, ""))
            except (UnknownEntityError, PlacementError):
                continue  # who calls it is told
            names += [one for one in (*entity.spec.layers, *entity.spec.calls) if one not in names]
        return found


class EntityWork(Work):
    """One call.

    Attributes:
        queues: Those whose slots it and its callers hold.
    """

    __slots__ = ("_choices", "_entity", "_inputs", "_retry", "queues")
    unready = "it could not be made ready"

    def __init__(self, entity: Entity, key: ActionKey, inputs: bytes, depth: int, choices: Choices) -> None:
        """Take the call.

        Args:
            entity: What is called, with the overrides of the call.
            key: The action's name.
            inputs: The arguments, as the worker reads them.
            depth: How deep below the first action.
            choices: What holds for all calls of the run.
        """
        spec = entity.spec
        super().__init__(key, spec.name, 1, spec.queue or "", depth)
        self.queues = frozenset({spec.queue} if spec.queue else ())
        self._entity = entity
        self._inputs = inputs
        self._choices = choices
        self._retry: Retry = spec.retries.value().retry()
        if spec.timeout is not None:
            self.max_queued = spec.timeout.max_queued_time
            self.deadline = spec.timeout.deadline
        self.excused = INTERRUPTED if spec.interruptible else GONE

    def called_by(self, caller: Work) -> None:
        """Refuse to wait for a slot that a caller holds.

        Raises:
            TaskError: It is in the queue of one that waits for it.
        """
        assert isinstance(caller, EntityWork)
        if self.lane in caller.queues:
            raise TaskError(
                f"{self.label} is in the queue {self.lane}, and so is a task that has called it and keeps its slot "
                f"meanwhile: with enough of those, none of them could ever go on. Give the queue to one of both."
            )
        self.queues |= caller.queues

    def title(self) -> str:
        """Name it for people."""
        return f"{self._entity.spec.kind} {self.label} ({self.key.name})"

    def submit(self, number: int, memory: float | None) -> Submission:
        """Make an attempt ready.

        Raises:
            SecretNotFoundError: The server does not know a secret that it asks for.
            PlacementError: There is no such place here.
        """
        spec, choices = self._entity.spec, self._choices
        wanted = [(secret, secret.value()) for secret in spec.secrets]
        values = secrets.resolve([secret for _, secret in wanted], choices.secrets, guarded=True) if wanted else {}
        given = [SecretView(secret=plain, value=values[secret]) for plain, secret in wanted]
        resources = spec.resources.value()
        key = self.key
        single = f"{key.run}/{key.name}/{key.index}/{number}"
        pool = choices.launcher.pool(key.space, self._entity.bundle, spec, memory, single)
        return Submission(
            payload=Placed(pool, _order(self._entity, self._inputs, given, choices)),
            env={},
            resources=resources if memory is None else resources.replace(memory=memory),
            placement=PLAIN,
            retry=self._retry,
            timeout=choices.timeout if spec.timeout is None else spec.timeout.max_runtime or choices.timeout,
            close=_nothing,
        )

    def retrying(self) -> Callable[[], None]:
        """Do nothing: hooks run in the scheduler of their flow."""
        return _nothing

    def settled(self) -> None:
        """Do nothing: nothing is kept of it here."""


def _order(entity: Entity, inputs: bytes, given: list[SecretView], choices: Choices) -> Callable[..., Start]:
    """Give what makes the order to start an attempt, once that has its name and its token."""
    spec = entity.spec

    def start(key: AttemptKey, token: str) -> Start:
        return Start(
            key=Key.of(key),
            token=token,
            entity=spec.name,
            module=spec.module,
            qualname=spec.qualname,
            loader=spec.loader,
            inputs=inputs,
            version=entity.version,
            reads_cache=choices.reads_cache,
            environment={
                "LAMINAR_RUN_ID": key.action.run,
                "LAMINAR_ACTION_NAME": key.action.name,
                "LAMINAR_ACTION_ATTEMPT": str(key.number),
                "LAMINAR_TASK_NAME": spec.name,
            },
            variables={**choices.env_vars, **spec.env_vars},
            secrets=given,
        )

    return start


PLAIN = Placement(None, None, WORKDIR, None, None)


def _nothing() -> None:
    pass
