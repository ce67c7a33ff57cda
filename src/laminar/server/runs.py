"""Runs as people ask for them and look at them."""

from __future__ import annotations

import base64
import json
import time
from typing import TypeVar

import msgspec

from laminar.engine.task import ROOT
from laminar.errors import RunExistsError, UnknownRunError, nearest
from laminar.ledger.reading import Reader
from laminar.ledger.server_rows import Submission, SubmissionRow
from laminar.model.ids import new_run_id
from laminar.model.states import State
from laminar.server import deployments, keys, waiting
from laminar.server.driving import Driven
from laminar.server.problems import refusal
from laminar.server.work import Choices
from laminar.wire.agents import FailureView, OutputView
from laminar.wire.messages import Call
from laminar.wire.runs import (
    ActionPage,
    ActionQuery,
    ActionView,
    AttemptPage,
    AttemptView,
    InputsView,
    KeptPage,
    KeptView,
    ResultView,
    RunPage,
    RunQuery,
    RunRequest,
    RunView,
    TaskCount,
    TaskCounts,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.rows import ActionRow, AttemptRow, CacheRow
    from laminar.server.engine import Engine
    from laminar.server.launchers.contract import Launcher


Key = TypeVar("Key")


class Ledgers(Reader):
    """The ledger of a space, for who looks."""

    def __init__(self, engine: Engine, space: str) -> None:
        """Take the database."""
        self.database = engine.database
        self.scope = space


def begin(engine: Engine, space: str, request: RunRequest, author: str, rerun_of: str | None = None) -> RunView:
    """Ask for a run.

    Raises:
        UnknownProjectError: There is no such project or domain.
        UnknownEntityError: What is to be run is not deployed.
        RunExistsError: A run has the name.
    """
    deployments.space(engine.catalog, *space.split("/"))
    row = deployments.find(engine.catalog, space, request.entity, request.version)
    if row.kind == "layer":
        raise refusal(422, f"{request.entity} is a layer, which runs in its flow. Run the flow.")
    name = request.name or new_run_id()
    if keys.owner(name):
        raise refusal(
            422, f"{name!r} is named as a flow is that a run {keys.owner(name)!r} calls. Choose another name."
        )
    plain = msgspec.structs.replace(request, version=row.version, name=name)
    engine.submissions.submit(
        Submission(
            space=space,
            run=name,
            kind=row.kind,
            entity=row.name,
            version=row.version,
            created=time.time(),
            author=author,
            labels=request.labels,
            request=msgspec.json.encode(plain).decode(),
            rerun_of=rerun_of,
        )
    )
    engine.driving.ring()
    return view(engine, space, name)


def read(engine: Engine, launcher: Launcher, secrets: str, space: str, run: str) -> Driven:
    """Read what a run is, for who drives it.

    Args:
        engine: What drives runs.
        launcher: Where its attempts run.
        secrets: Folder of the server's secrets.
        space: Where it belongs.
        run: Its id.

    Raises:
        UnknownRunError: There is no such run.
        UnknownEntityError: What it runs is not deployed any more.
    """
    row = _row(engine, space, run)
    request = msgspec.json.decode(row.request, type=RunRequest)
    choices = Choices(
        launcher=launcher,
        find=lambda name, version: deployments.loaded(engine.catalog, space, name, version),
        see_queue=lambda name: engine.queues.see(space, name),
        secrets=secrets,
        env_vars=request.env_vars,
        reads_cache=not request.overwrite_cache,
    )
    inputs = request.packed if request.packed is not None else msgspec.json.encode(request.inputs)
    overrides = b"" if request.overrides is None else msgspec.json.encode(request.overrides)
    cache = None if request.cache is None else request.cache.cache()
    call = Call(ROOT, row.entity, "", inputs, "", overrides, cache, row.version)
    return Driven(call, choices, row.entity if row.kind == "flow" else "")


def _row(engine: Engine, space: str, run: str) -> SubmissionRow:
    row = engine.submissions.find(space, run)
    if row is None:
        raise UnknownRunError(f"There is no run {run!r} in {space}.{_hint(engine, space, run)}")
    return row


def _hint(engine: Engine, space: str, run: str) -> str:
    known = [row.run for row in engine.submissions.page(space, limit=200)]
    return nearest(run, known) if known else " No run was asked for there."


def view(engine: Engine, space: str, run: str) -> RunView:
    """Describe a run.

    Raises:
        UnknownRunError: There is no such run.
    """
    row = _row(engine, space, run)
    return _view(row, waiting.of_run(engine, row))


def _view(row: SubmissionRow, reason: str | None = None) -> RunView:
    return RunView(
        space=row.space,
        name=row.run,
        kind=row.kind,  # type: ignore[arg-type]  # the table holds kinds of what is deployed
        entity=row.entity,
        version=row.version,
        state=row.state,
        error=row.error,
        reason=reason,
        labels=dict(row.labels),
        author=row.author,
        trigger=row.trigger,
        rerun_of=row.rerun_of,
        created=row.created,
        started=row.started,
        ended=row.ended,
        epoch=row.epoch,
    )


def inputs(engine: Engine, space: str, run: str) -> InputsView:
    """Give what a run was asked for with."""
    request = msgspec.json.decode(_row(engine, space, run).request, type=RunRequest)
    return InputsView(inputs=request.inputs, packed=request.packed)


def page(engine: Engine, space: str, query: RunQuery) -> RunPage:
    """List runs.

    Raises:
        UnknownProjectError: There is no such project or domain.
    """
    rows = engine.submissions.page(
        space,
        state=None if query.state is None else State(query.state),
        entity=query.entity,
        label=query.label,
        prefix=query.name,
        since=query.created_from,
        until=query.created_to,
        before=None if query.after is None else _key(query.after, tuple[float, str]),
        limit=query.limit + 1,
    )
    if not rows:
        deployments.space(engine.catalog, *space.split("/"))
    shown = rows[: query.limit]
    following = _next(shown[-1].created, shown[-1].run) if len(rows) > query.limit else None
    return RunPage(items=tuple(_view(row) for row in shown), next=following)


def _next(*key: str | float) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _key(after: str, kind: type[Key]) -> Key:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(after.encode()), type=kind)
    except (ValueError, msgspec.MsgspecError):
        raise refusal(422, f"after={after[:80]!r} is nothing that a page has given as next.") from None


def stop(engine: Engine, space: str, run: str, reason: str) -> RunView:
    """Ask for the end of a run; one that has ended stays as it is."""
    row = _row(engine, space, run)
    if not row.state.terminal and not engine.submissions.withdraw(space, run, reason):
        engine.submissions.request(space, run, reason)
        engine.driving.stop(space, run, reason)
    return view(engine, space, run)


def resume(engine: Engine, space: str, run: str) -> RunView:
    """Go on with a run that has ended in vain.

    Raises:
        RunExistsError: It goes on, or has succeeded.
    """
    if not engine.submissions.reopen(space, run):
        row = _row(engine, space, run)
        raise RunExistsError(
            f"Run {run} of {space} is {row.state.value}; only one that has failed or was stopped can be gone on with."
        )
    engine.driving.ring()
    return view(engine, space, run)


def rerun(engine: Engine, space: str, run: str, author: str) -> RunView:
    """Begin a run like another, under a new name."""
    row = _row(engine, space, run)
    request = msgspec.json.decode(row.request, type=RunRequest)
    return begin(engine, space, msgspec.structs.replace(request, name=None), author, rerun_of=run)


# What has happened in it


def counts(engine: Engine, space: str, run: str) -> TaskCounts:
    """Count its actions by task."""
    _row(engine, space, run)
    return TaskCounts(items=tuple(TaskCount(**vars(row)) for row in Ledgers(engine, space).tasks(space, run)))


def actions(engine: Engine, space: str, run: str, query: ActionQuery) -> ActionPage:
    """List its actions."""
    _row(engine, space, run)
    if query.which is not None:
        found = Ledgers(engine, space).actions_of(space, run, query.which)[: query.limit]
        return ActionPage(items=tuple(_action(row) for row in found if row.task is not None))
    state = None if query.state is None else State(query.state)
    if query.order == "name":
        return _by_name(engine, space, run, query, state)
    if query.after is not None:
        raise refusal(422, "after= follows a page in the order of names: ask with order=name, or with offset=.")
    rows = Ledgers(engine, space).calls(space, run, query.limit, query.offset, task=query.task, state=state)
    return ActionPage(items=tuple(_action(row) for row in waiting.explained(engine, space, run, rows)))


def _by_name(engine: Engine, space: str, run: str, query: ActionQuery, state: State | None) -> ActionPage:
    if query.offset:
        raise refusal(422, "offset= counts in the order of starts: with order=name, ask with after=.")
    after = ("", 0) if query.after is None else _key(query.after, tuple[str, int])
    rows = Ledgers(engine, space).calls_after(space, run, after, query.limit + 1, task=query.task, state=state)
    shown = waiting.explained(engine, space, run, rows[: query.limit])
    following = _next(shown[-1].name, shown[-1].index) if len(rows) > query.limit else None
    return ActionPage(items=tuple(map(_action, shown)), next=following)


def _action(row: ActionRow) -> ActionView:
    return ActionView(**vars(row))


def action(engine: Engine, space: str, run: str, which: str) -> ActionView:
    """Describe the action of a name, its last one if there were several; or the only one of a task.

    Raises:
        UnknownRunError: There is no such action.
    """
    _row(engine, space, run)
    found = Ledgers(engine, space).actions_of(space, run, which)
    names = {row.name for row in found}
    if len(names) != 1:
        what = "Several actions are named or called so" if names else "There is no such action"
        raise UnknownRunError(f"{what}: {which!r} in run {run}. Look: laminar get run {run} --actions")
    newest = max(found, key=lambda row: row.index)
    return _action(waiting.explained(engine, space, run, [newest])[0])


def kept(engine: Engine, space: str, run: str, which: str, before: float | None) -> KeptPage:
    """Give what an action has kept for later runs, and what was kept of its task before."""
    found = action(engine, space, run, which)
    ledger, task = Ledgers(engine, space), found.task or ""
    own = ledger.result_of(run, found.name)
    if own is None:
        return KeptPage(task=task)
    earlier = ledger.results(task, time.time() if before is None else before, own[1])
    digests = {row.parts.get("code", "") for row in (own[1], *earlier)}
    code = {digest: ledger.code(task, digest) for digest in digests}
    return KeptPage(task=task, own=_kept(own[1]), earlier=tuple(map(_kept, earlier)), code=code)


def _kept(row: CacheRow) -> KeptView:
    return KeptView(run=row.run, action=row.action, made=row.made, parts=dict(row.parts))


def attempts(engine: Engine, space: str, run: str, which: str) -> AttemptPage:
    """List the attempts of an action."""
    name = action(engine, space, run, which).name
    rows = Ledgers(engine, space).attempts(space, run, name)
    return AttemptPage(items=tuple(_attempt(row) for row in rows))


def _attempt(row: AttemptRow) -> AttemptView:
    plain = vars(row).copy()
    del plain["log"]
    return AttemptView(**plain)


def result(engine: Engine, space: str, run: str, which: str) -> ResultView:
    """Give what an action has returned or raised."""
    if which == ROOT:
        row = _row(engine, space, run)
        name, state = ROOT, row.state
    else:
        found = action(engine, space, run, which)
        name, state = found.name, found.state
    entry = engine.journal(space, run).find(name)
    if entry is None:
        return ResultView(state=state)
    output = None if entry.output is None else OutputView.of(entry.output)
    return ResultView(state=state, output=output, failure=FailureView.of(entry.failure))
