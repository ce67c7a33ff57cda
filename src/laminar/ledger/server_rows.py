"""Rows of a server's tables. Times are seconds since the epoch; a space is ``"<project>/<domain>"``."""

from __future__ import annotations

from laminar.model.states import State
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class ProjectRow(Value, frozen=True):
    """A project.

    Attributes:
        name: Its name.
        description: What it is about.
        created: When it was made.
    """

    name: str
    description: str
    created: float


class BundleRow(Value, frozen=True):
    """A bundle of code.

    Attributes:
        space: Where it belongs.
        md5: MD5 of its bytes, in whatever form the caller keeps to.
        size: How many bytes it has.
        created: When it came.
    """

    space: str
    md5: str
    size: int
    created: float


class DeploymentRow(Value, frozen=True):
    """A version of an environment or flow.

    Attributes:
        space: Where it belongs.
        kind: ``environment`` or ``flow``.
        name: Its name.
        version: Its version.
        content: Digest of what the version stands for.
        bundle: Its bundle.
        spec: What it is, as JSON.
        created: When it was deployed.
        author: By whom.
        sequence: Its number in the space, greater than all before; the database gives it.
    """

    space: str
    kind: str
    name: str
    version: str
    content: str
    bundle: str
    spec: str
    created: float
    author: str
    sequence: int = 0


class EntityRow(Value, frozen=True):
    """A version of a task, a flow or a layer.

    Attributes:
        space: Where it belongs.
        name: Its name.
        version: Its version.
        kind: ``task``, ``flow`` or ``layer``.
        bundle: Its bundle.
        spec: What it is, as JSON.
        created: When it was deployed.
        sequence: Its number in the space, greater than all before; the database gives it.
    """

    space: str
    name: str
    version: str
    kind: str
    bundle: str
    spec: str
    created: float
    sequence: int = 0


class Submission(Value, frozen=True):
    """A run that is asked for.

    Attributes:
        space: Where it belongs.
        run: Its id.
        kind: ``task`` or ``flow``.
        entity: What is run.
        version: Which version of it.
        created: When it was asked for.
        author: By whom.
        labels: Words to find it by.
        request: What was asked for, as JSON.
        rerun_of: Id of the run that it repeats.
        trigger: Name of the trigger that has fired it.
    """

    space: str
    run: str
    kind: str
    entity: str
    version: str
    created: float
    author: str
    labels: Mapping[str, str]
    request: str
    rerun_of: str | None = None
    trigger: str | None = None


class SubmissionRow(Submission, frozen=True):
    """A run that was asked for, and how it stands.

    Attributes:
        state: Its state.
        epoch: How often it was taken; 0 if it never was.
        server: Name of the server that holds or last held it; empty if none did.
        started: When it was first taken.
        ended: When it ended.
        error: What failed, in one line.
    """

    state: State = State.WAITING
    epoch: int = 0
    server: str = ""
    started: float | None = None
    ended: float | None = None
    error: str | None = None


class ClaimableRow(Value, frozen=True):
    """A run that a server may take.

    Attributes:
        space: Where it belongs.
        run: Its id.
        epoch: How often it was taken; 0 if it never was.
        since: When it was asked for, or when its last holder's word was over.
    """

    space: str
    run: str
    epoch: int
    since: float


class TriggerRow(Value, frozen=True):
    """A trigger that is deployed.

    Attributes:
        space: Where it belongs.
        entity: What it starts.
        name: Its name, unique for that.
        version: Which version it starts.
        spec: When and how, as JSON.
        active: Whether it fires.
        state: What is kept of it from one step to the next, as JSON.
        due: When it is to be looked at next; None if never.
        revision: How often it was changed: who decides on an older one is refused.
        created: When it was first deployed.
    """

    space: str
    entity: str
    name: str
    version: str
    spec: str
    active: bool
    state: str
    due: float | None
    revision: int = 0
    created: float = 0.0


class FiringRow(Value, frozen=True):
    """What was decided about a due time of a trigger.

    Attributes:
        space: Where the trigger belongs.
        entity: What it starts.
        name: The trigger's name.
        due: The due time, in seconds since 1970 in UTC.
        decision: ``started``, ``queued``, ``skipped`` or ``missed``.
        reason: Why, as a sentence for people.
        run: The run that was started.
        decided: When this was decided.
    """

    space: str
    entity: str
    name: str
    due: int
    decision: str
    reason: str | None
    run: str | None
    decided: float


class QueueRow(Value, frozen=True):
    """A queue of slots.

    Attributes:
        space: Where it belongs.
        name: Its name.
        size: How many slots there are.
        taken: How many are taken by those that live.
    """

    space: str
    name: str
    size: int
    taken: int
