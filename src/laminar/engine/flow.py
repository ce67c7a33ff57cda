"""Drives one run of a flow: carries out the plan's commands until nothing is left to do."""

from __future__ import annotations

import queue
import time

from laminar.core.plan import CancelAll, Decide, Finish, Launch, Plan, Skip
from laminar.data.archives import SplitRecord
from laminar.engine.contract import Failed, Summary
from laminar.engine.fingerprints import inputs
from laminar.engine.joins import Joins
from laminar.errors import DataError
from laminar.model.action import Ended, Interrupt, Notice, SessionLost, Started
from laminar.model.ids import ActionKey
from laminar.model.states import State
from laminar.model.tracebacks import users_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from laminar.core.plan import Command
    from laminar.data.archives import Archives
    from laminar.engine.actions import Actions, Settled
    from laminar.engine.contract import Observer, Program
    from laminar.engine.fingerprints import Fingerprints
    from laminar.engine.logs import Logs
    from laminar.engine.reuse import Reuser
    from laminar.ledger.sql import Ledger
    from laminar.model.action import Event

#: Seconds between looks at logs and at requests from outside, while nothing else happens.
GLANCE = 0.1


class FlowRun:
    """One run under one holder, from the first command to the last."""

    def __init__(
        self,
        program: Program,
        plan: Plan,
        actions: Actions,
        archives: Archives,
        ledger: Ledger,
        logs: Logs,
        observer: Observer,
        fingerprints: Fingerprints,
        reuser: Reuser | None,
    ) -> None:
        """Take the parts.

        Args:
            program: The flow.
            plan: Decides.
            actions: Runs splits.
            archives: Where results are committed.
            ledger: Where it is recorded.
            logs: Follows output.
            observer: Is told.
            fingerprints: Tells what layers have made.
            reuser: Finds what an earlier holder has committed; None for a new run.
        """
        self._program = program
        self._plan = plan
        self._actions = actions
        self._archives = archives
        self._ledger = ledger
        self._logs = logs
        self._observer = observer
        self._fingerprints = fingerprints
        self._reuser = reuser
        self._needs: dict[str, str] = {}
        self._joins: dict[str, Joins] = {}
        self._began: dict[str, float] = {}
        self._layers: dict[str, tuple[str, float]] = {}
        self._stamp = ledger.stamp()
        self._grace = 0.0
        self._next_glance = 0.0
        self.failures: list[Failed] = []
        self.stopped: str | None = None

    def drive(self, events: queue.SimpleQueue[Event], grace: float) -> None:
        """Run until the plan is over.

        Args:
            events: What executors and signals deliver.
            grace: Seconds that an attempt has to end by itself when it is stopped.
        """
        self._grace = grace
        self._note_waiting()
        self._carry_out(self._plan.start())
        while not self._plan.over:
            self._start()
            self._ledger.flush()
            if self._plan.over:
                break
            self._take(events)
            self._actions.time_out(self._grace)
            if time.monotonic() >= self._next_glance:
                self._glance()
        self._ledger.flush()

    def _note_waiting(self) -> None:
        """Record what each layer waits for, so that who looks at the run sees layers that are not begun."""
        nodes = self._program.nodes()
        for layer, node in nodes.items():
            needs = sorted(node.needs & nodes.keys())
            if needs:
                reason = f"waits for {', '.join(needs)}"
                self._ledger.group(self._program.space, self._program.run, layer, State.WAITING, reason=reason)

    def summary(self, epoch_started: float, where: str) -> Summary:
        """Say how it ended."""
        if self.stopped is not None:
            state = State.CANCELLED
        else:
            state = State.SUCCEEDED if self._plan.succeeded else State.FAILED
        return Summary(
            space=self._program.space,
            run=self._program.run,
            state=state,
            seconds=time.monotonic() - epoch_started,
            failures=tuple(self.failures),
            stopped=self.stopped,
            layers=tuple((name, *self._layers.get(name, ("not run", 0.0))) for name in self._plan.phases),
            where=where,
        )

    # Events

    def _start(self) -> None:
        if self._plan.stopping is not None:
            for settled in self._actions.drop_waiting():
                self._plan.split_dropped(settled.layer, settled.index)
            return
        for settled in self._actions.start_ready():
            self._settle(settled)

    def _take(self, events: queue.SimpleQueue[Event]) -> None:
        """Wait for the next event, and take all that are there."""
        patience = self._actions.patience()
        patience = GLANCE if patience is None else min(patience, GLANCE)
        try:
            event = events.get(timeout=patience)
        except queue.Empty:
            return
        while True:
            self._handle(event)
            try:
                event = events.get_nowait()
            except queue.Empty:
                return

    def _glance(self) -> None:
        self._next_glance = time.monotonic() + GLANCE
        self._logs.poll()
        self._observer.tick()
        stamp = self._ledger.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            reason = self._ledger.requested(self._program.space, self._program.run, "abort")
            if reason is not None and self.stopped is None:
                self._interrupt(Interrupt(reason))

    def _handle(self, event: Event) -> None:
        if isinstance(event, Ended):
            settled = self._actions.ended(event)
            if settled is not None:
                self._settle(settled)
        elif isinstance(event, Started):
            self._actions.started(event)
        elif isinstance(event, Notice):
            self._observer.notice(event.text)
        elif isinstance(event, Interrupt):
            self._interrupt(event)
        elif isinstance(event, SessionLost):
            self.failures.append(Failed("", None, None, 0, event.error, "no attempt can run", ""))
            self._plan.stop(str(event.error))

    def _interrupt(self, event: Interrupt) -> None:
        self.stopped = self.stopped or event.reason
        self._observer.notice(f"stopping: {event.reason}")
        self._ledger.event(self._program.space, self._program.run, "stop", event.reason)
        if event.now:
            self._grace = 0.0
        self._carry_out(self._plan.stop(event.reason))

    def _settle(self, settled: Settled) -> None:
        layer, index = settled.layer, settled.index
        if settled.failed is not None:
            if settled.manifest is not None and settled.manifest.outputs:
                self._archives.write_outputs(self._key(layer, index), settled.manifest.outputs)
            self._fail(settled.failed)
            self._carry_out(self._plan.split_failed(layer, index, settled.failed.where()))
        elif settled.cancelled:
            self._plan.split_dropped(layer, index)
        else:
            self._commit(settled)

    def _commit(self, settled: Settled) -> None:
        layer, index = settled.layer, settled.index
        manifest = settled.manifest
        assert manifest is not None
        caught = manifest.caught
        caught_text = None if caught is None else f"{caught.type_name}: {caught.message}"
        record = SplitRecord(
            outputs=manifest.outputs,
            inputs=inputs(self._program.inputs(layer, index), self._needs[layer]),
            attempt=settled.attempt,
            started=settled.started,
            ended=time.time(),
            caught=caught_text,
        )
        try:
            self._archives.commit(self._key(layer, index), record)
        except DataError as error:
            failed = Failed(layer, index, None, settled.attempt, error, "its result could not be committed", "")
            self._fail(failed)
            self._carry_out(self._plan.split_failed(layer, index, failed.where()))
            return
        self._actions.committed(settled, None if caught_text is None else f"caught {caught_text}")
        if caught_text is not None:
            self._observer.notice(f"{layer}[{index}]: caught {caught_text}"[:500])
        self._joins[layer].add(index, manifest.outputs)
        self._carry_out(self._plan.split_succeeded(layer, index))

    def _fail(self, failed: Failed) -> None:
        self.failures.append(failed)
        layer = failed.layer
        reason = f"{failed.where()}: {type(failed.error).__name__}: {failed.error}"[:500]
        self._end_layer(layer, State.FAILED, reason)
        self._ledger.event(self._program.space, self._program.run, "failure", reason, layer, failed.index)

    # Commands

    def _carry_out(self, commands: Iterable[Command]) -> None:
        pending = list(commands)
        while pending:
            command = pending.pop(0)
            match command:
                case Decide():
                    pending += self._attempt(command.layer, self._decide)
                case Skip():
                    self._skip(command)
                case Launch():
                    self._launch(command)
                case Finish():
                    pending += self._finish(command)
                case CancelAll():
                    for settled in self._actions.drop_waiting():
                        self._plan.split_dropped(settled.layer, settled.index)
                    self._actions.cancel(self._grace)

    def _attempt(self, layer: str, act: Callable[[str], list[Command]]) -> list[Command]:
        """Do something that runs user code; what it raises is a failure of the layer."""
        try:
            return act(layer)
        except Exception as error:
            why = "a hook or the count of its splits raised"
            self._fail(Failed(layer, None, None, 0, error, why, users_traceback(error)))
            return self._plan.layer_failed(layer, f"layer {layer}")

    def _decide(self, layer: str) -> list[Command]:
        self._began[layer] = time.monotonic()
        needs = self._needs[layer] = self._fingerprints.needs(self._program.nodes()[layer].needs)
        if self._reuser is not None:
            record = self._reuser.finished(layer, needs)
            if record is not None:
                return self._keep_layer(layer, record.splits)
        if not self._program.enters(layer):
            return self._plan.skipped(layer, "its entry hook said no")
        splits = self._program.splits(layer)
        joins = self._joins[layer] = Joins(splits)
        kept = self._reuser.splits(layer, splits, needs) if self._reuser is not None else {}
        for index, outputs in kept.items():
            joins.add(index, outputs)
        self._note_start(layer, splits, list(kept))
        return self._plan.expanded(layer, splits, kept)

    def _keep_layer(self, layer: str, splits: int) -> list[Command]:
        self._note_start(layer, splits, range(splits))
        return self._plan.expanded(layer, splits, range(splits))

    def _note_start(self, layer: str, splits: int, kept: Iterable[int]) -> None:
        space, run = self._program.space, self._program.run
        self._ledger.group(space, run, layer, State.RUNNING, size=splits, started=time.time())
        indexes = list(kept)
        if indexes:
            self._actions.keep(layer, indexes)
        self._observer.layer_started(layer, splits, len(indexes))

    def _skip(self, command: Skip) -> None:
        if self._reuser is not None:
            self._reuser.forget(command.layer)
        self._fingerprints.note(command.layer, {})
        self._end_layer(command.layer, State.SKIPPED, command.reason)

    def _launch(self, command: Launch) -> None:
        self._actions.request(command.layer, command.indexes, command.splits)

    def _finish(self, command: Finish) -> list[Command]:
        layer = command.layer
        joins = self._joins.pop(layer, None)
        if joins is not None:
            space, run = self._program.space, self._program.run
            made = joins.joined()
            self._fingerprints.note(layer, made)
            joined = made if self._program.fans_out(layer) else {}
            self._archives.finish(space, run, layer, command.splits, sorted(made), joined, self._needs[layer])
        self._end_layer(layer, State.SUCCEEDED, None if joins is not None else "kept from before")
        return []

    def _end_layer(self, layer: str, state: State, reason: str | None) -> None:
        now = time.monotonic()
        seconds = now - self._began.get(layer, now)
        self._layers[layer] = (state.value, seconds)
        space, run = self._program.space, self._program.run
        self._ledger.group(space, run, layer, state, reason=reason, ended=time.time())
        self._observer.layer_settled(layer, state, reason, seconds)

    def _key(self, layer: str, index: int) -> ActionKey:
        return ActionKey(self._program.space, self._program.run, layer, index)
