"""What agents and attempts tell a server, and what it tells them.

An agent is a process beside the attempts that it starts, in one place. It takes orders by :class:`Orders`, and tells of
its attempts by :class:`Report`. An attempt asks for children by :class:`Asking`, and takes :class:`Answers`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from laminar.model.action import Ended, Failure, Manifest, Output, Ref
from laminar.model.cache import CacheKey
from laminar.model.ids import ActionKey, AttemptKey
from laminar.model.states import Outcome
from laminar.wire.messages import Answer, Call, Checkpoint, Dismiss, Message, Recall
from laminar.wire.specs import ResourcesSpec, SecretSpec


class Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record as it is written: what it does not know is refused."""


class Key(Plain, frozen=True, kw_only=True):
    """Name of an attempt.

    Attributes:
        space: Project and domain.
        run: Id of the run.
        name: Name of the action.
        index: Which such action.
        number: Which try.
        epoch: Under which holder of the run it was started.
    """

    space: str
    run: str
    name: str
    index: int
    number: int
    epoch: int

    @classmethod
    def of(cls, key: AttemptKey) -> Key:
        """Write down a name."""
        action = key.action
        return cls(
            space=action.space,
            run=action.run,
            name=action.name,
            index=action.index,
            number=key.number,
            epoch=key.epoch,
        )

    def key(self) -> AttemptKey:
        """Give the name."""
        return AttemptKey(ActionKey(self.space, self.run, self.name, self.index), self.number, self.epoch)


# Values


class RefView(Plain, frozen=True, kw_only=True):
    """Where a value lies; see :class:`laminar.model.action.Ref`."""

    dtype: str
    hexdigest: str
    data: bytes | None = None


class OutputView(Plain, frozen=True, kw_only=True):
    """A named output; see :class:`laminar.model.action.Output`."""

    refs: list[RefView]
    sharded: bool = False

    @classmethod
    def of(cls, output: Output) -> OutputView:
        """Write down an output."""
        return cls(refs=[RefView(**vars(ref)) for ref in output.refs], sharded=output.sharded)

    def output(self) -> Output:
        """Give the output."""
        return Output(tuple(Ref(ref.dtype, ref.hexdigest, ref.data) for ref in self.refs), self.sharded)


class FailureView(Plain, frozen=True, kw_only=True):
    """An error; see :class:`laminar.model.action.Failure`."""

    type_name: str
    message: str
    traceback: str = ""
    pickled: bytes | None = None
    final: bool = False

    @classmethod
    def of(cls, failure: Failure | None) -> FailureView | None:
        """Write down an error."""
        return None if failure is None else cls(**vars(failure))

    def failure(self) -> Failure:
        """Give the error."""
        return Failure(self.type_name, self.message, self.traceback, self.pickled, self.final)


class ManifestView(Plain, frozen=True, kw_only=True):
    """What an attempt hands over; see :class:`laminar.model.action.Manifest`."""

    outputs: dict[str, OutputView]
    failure: FailureView | None = None
    caught: FailureView | None = None

    @classmethod
    def of(cls, manifest: Manifest | None) -> ManifestView | None:
        """Write down a manifest."""
        if manifest is None:
            return None
        outputs = {name: OutputView.of(output) for name, output in manifest.outputs.items()}
        return cls(outputs=outputs, failure=FailureView.of(manifest.failure), caught=FailureView.of(manifest.caught))

    def manifest(self) -> Manifest:
        """Give the manifest."""
        outputs = {name: output.output() for name, output in self.outputs.items()}
        return Manifest(outputs, _failure(self.failure), _failure(self.caught))


def _failure(view: FailureView | None) -> Failure | None:
    return None if view is None else view.failure()


# What a server tells an agent


class SecretView(Plain, frozen=True, kw_only=True):
    """A secret that an attempt is given."""

    secret: SecretSpec
    value: str


class Start(Plain, frozen=True, kw_only=True, tag="start", tag_field="order"):
    """Start an attempt.

    Attributes:
        key: Its name.
        token: What it shows to be it.
        entity: Full name of the task, flow or layer.
        module: Name of the module that defines it.
        qualname: Its name in that module.
        loader: ``"module:function"`` of laminar that makes what runs it.
        inputs: Its arguments: JSON if they begin with ``{``, else as :mod:`laminar.data.values` packs them.
        version: Version of the entity.
        reads_cache: Whether its calls may use results that other runs have kept.
        environment: Environment variables of its process.
        variables: Environment variables that its settings ask for.
        secrets: What it is given and nobody else may see.
    """

    key: Key
    token: str
    entity: str
    module: str
    qualname: str
    loader: str
    inputs: bytes
    version: str
    reads_cache: bool = True
    environment: dict[str, str] = {}
    variables: dict[str, str] = {}
    secrets: list[SecretView] = []


class Stop(Plain, frozen=True, kw_only=True, tag="stop", tag_field="order"):
    """Stop an attempt: ask, and kill after so many seconds."""

    key: Key
    grace: float


class Leave(Plain, frozen=True, kw_only=True, tag="leave", tag_field="order"):
    """End, with all attempts."""


class Ready(Plain, frozen=True, kw_only=True):
    """An agent takes orders.

    Attributes:
        line: Whose orders it has had; empty at first.
        after: Number of the last of those.
    """

    line: str = ""
    after: int = 0


class Orders(Plain, frozen=True, kw_only=True):
    """What an agent is to do, in this order.

    Attributes:
        line: Whose orders these are: each server numbers its own.
        last: Number of the last of these orders.
        orders: The orders.
    """

    line: str
    last: int
    orders: list[Start | Stop | Leave]


class Hello(Plain, frozen=True, kw_only=True):
    """An agent is there, for the first time or again.

    Attributes:
        live: Attempts that it has started, and that have not ended.
    """

    live: list[Key] = []


class Attending(Ready, frozen=True, kw_only=True):
    """An attempt waits for answers, which are numbered as orders are.

    Attributes:
        waits: How many calls it has no answer to: where there are many, those that come soon after another go with it.
    """

    waits: int = 0


class Taken(Plain, frozen=True, kw_only=True):
    """What an attempt has asked was taken.

    Attributes:
        line: Where the answers will be: a server that goes on with the run has another line, and knows nothing of it.
    """

    line: str


class Welcome(Plain, frozen=True, kw_only=True):
    """What an agent works with.

    Attributes:
        space: Project and domain whose attempts it runs.
        bundle: MD5 of the user's code, in hexadecimal; empty if that is in the image.
        url: Where the code is to be had.
        imports: Modules to load where no code travels.
        concurrency: Attempts at a time for which room is to be made.
        idle: Seconds without attempts after which it leaves by itself.
        resources: What its attempts are held to, all together; nothing where they are not.
        workdir: Folder of its container that is for the code; empty where it finds one itself.
        in_image: Whether the code is there already.
        command: What starts the user's code; empty where the agent loads that itself.
    """

    space: str
    bundle: str
    url: str
    imports: list[str] = []
    concurrency: int = 1
    idle: float = 60.0
    resources: ResourcesSpec | None = None
    workdir: str = ""
    in_image: bool = False
    command: str = ""


# What an agent tells a server


class End(Plain, frozen=True, kw_only=True):
    """An attempt has ended; see :class:`laminar.model.action.Ended`."""

    key: Key
    outcome: str
    manifest: ManifestView | None = None
    code: int | None = None
    signal: int | None = None
    detail: str = ""
    output: str = ""
    cpu: float | None = None
    memory: float | None = None

    @classmethod
    def of(cls, ended: Ended, manifest: Manifest | None) -> End:
        """Write down an end."""
        return cls(
            key=Key.of(ended.key),
            outcome=ended.outcome.value,
            manifest=ManifestView.of(manifest),
            code=ended.code,
            signal=ended.signal,
            detail=ended.detail,
            output=ended.output,
            cpu=ended.cpu,
            memory=ended.memory,
        )

    def ended(self, key: AttemptKey) -> Ended:
        """Give the end, by the name that the attempt has now.

        Raises:
            ValueError: There is no such outcome.
        """
        manifest = None if self.manifest is None else self.manifest.manifest()
        return Ended(
            key,
            Outcome(self.outcome),
            manifest,
            self.code,
            self.signal,
            self.detail,
            self.output,
            self.cpu,
            self.memory,
        )


class Chunk(Plain, frozen=True, kw_only=True):
    """What an attempt has printed.

    Attributes:
        key: The attempt.
        offset: How many bytes it had printed before.
        data: The bytes.
    """

    key: Key
    offset: int
    data: bytes


class Report(Plain, frozen=True, kw_only=True):
    """What has happened in an agent; nothing, where it only says that it lives.

    Attributes:
        started: Attempts that run from now on.
        output: What attempts have printed.
        ended: Attempts that have ended, after all their output.
        failed: Why it can run no attempt, if it cannot.
        ready: The orders that it has had.
    """

    started: list[Key] = []
    output: list[Chunk] = []
    ended: list[End] = []
    failed: FailureView | None = None
    ready: Ready = Ready()


class Heard(Plain, frozen=True, kw_only=True):
    """A report was taken.

    Attributes:
        unknown: Attempts that it told of, and that the server knows no more: they are to be stopped.
        later: Attempts whose output and end were not taken yet: their run is about to be taken up.
        orders: What it is to do next, where that is known at once.
    """

    unknown: list[Key] = []
    later: list[Key] = []
    orders: Orders | None = None


class CacheView(Plain, frozen=True, kw_only=True):
    """Under what a result is kept; see :class:`laminar.model.cache.CacheKey`."""

    key: str
    parts: dict[str, str]
    code: dict[str, str]
    read: bool = True

    @classmethod
    def of(cls, cache: CacheKey) -> CacheView:
        """Write down a key."""
        return cls(key=cache.key, parts=dict(cache.parts), code=dict(cache.code), read=cache.read)

    def cache(self) -> CacheKey:
        """Give the key."""
        return CacheKey(self.key, self.parts, self.code, self.read)


class CallView(Plain, frozen=True, kw_only=True, tag="call", tag_field="kind"):
    """A task is called; see :class:`laminar.wire.messages.Call`."""

    id: str
    task: str
    module: str
    inputs: bytes
    label: str = ""
    overrides: bytes = b""
    cache: CacheView | None = None
    version: str = ""


class RecallView(Plain, frozen=True, kw_only=True, tag="recall", tag_field="kind"):
    """Is a checkpoint recorded? See :class:`laminar.wire.messages.Recall`."""

    id: str


class CheckpointView(Plain, frozen=True, kw_only=True, tag="checkpoint", tag_field="kind"):
    """A checkpoint is to be recorded; see :class:`laminar.wire.messages.Checkpoint`."""

    id: str
    task: str
    label: str
    started: float
    output: OutputView | None = None
    failure: FailureView | None = None


class DismissView(Plain, frozen=True, kw_only=True, tag="dismiss", tag_field="kind"):
    """A child is needed no more; see :class:`laminar.wire.messages.Dismiss`."""

    id: str


class Asking(Plain, frozen=True, kw_only=True):
    """What an attempt asks, in this order."""

    messages: list[CallView | RecallView | CheckpointView | DismissView]

    @classmethod
    def of(cls, messages: list[Message]) -> Asking:
        """Write down messages."""
        return cls(messages=[_view(message) for message in messages])

    def each(self) -> list[Message]:
        """Give the messages."""
        return [_message(view) for view in self.messages]


def _view(message: Message) -> CallView | RecallView | CheckpointView | DismissView:
    fields: dict[str, Any] = dict(vars(message))
    match message:
        case Call():
            cache = message.cache
            fields["cache"] = None if cache is None else CacheView.of(cache)
            return CallView(**fields)
        case Recall():
            return RecallView(**fields)
        case Checkpoint():
            fields["output"] = None if message.output is None else OutputView.of(message.output)
            fields["failure"] = FailureView.of(message.failure)
            return CheckpointView(**fields)
        case Dismiss():
            return DismissView(**fields)


def _message(view: CallView | RecallView | CheckpointView | DismissView) -> Message:
    match view:
        case CallView():
            cache = None if view.cache is None else view.cache.cache()
            return Call(view.id, view.task, view.module, view.inputs, view.label, view.overrides, cache, view.version)
        case RecallView():
            return Recall(view.id)
        case CheckpointView():
            output = None if view.output is None else view.output.output()
            return Checkpoint(view.id, view.task, view.label, view.started, output, _failure(view.failure))
        case DismissView():
            return Dismiss(view.id)


class AnswerView(Plain, frozen=True, kw_only=True):
    """What became of a call; see :class:`laminar.wire.messages.Answer`."""

    id: str
    output: OutputView | None = None
    failure: FailureView | None = None
    where: str = ""

    @classmethod
    def of(cls, answer: Answer) -> AnswerView:
        """Write down an answer."""
        output = None if answer.output is None else OutputView.of(answer.output)
        return cls(id=answer.id, output=output, failure=FailureView.of(answer.failure), where=answer.where)

    def answer(self) -> Answer:
        """Give the answer."""
        output = None if self.output is None else self.output.output()
        return Answer(self.id, output, _failure(self.failure), self.where)


class Answers(Plain, frozen=True, kw_only=True):
    """Answers to an attempt.

    Attributes:
        line: Which line this is: who sees another one than before asks again what was not answered.
        last: Number of the last of these answers; who has it asks for those after it.
        answers: The answers.
    """

    line: str
    last: int
    answers: list[AnswerView]
