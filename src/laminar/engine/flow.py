"""Drives one run of a flow: carries out the plan's commands until nothing is left to do."""

from __future__ import annotations

import time

from laminar.core.plan import CancelAll, Decide, Finish, Launch, Plan, Skip
from laminar.data.archives import SplitRecord
from laminar.engine.contract import Failed
from laminar.engine.driver import Driver
from laminar.engine.failures import line_of
from laminar.engine.fingerprints import inputs
from laminar.engine.joins import Joins
from laminar.errors import DataError
from laminar.model.states import State
from laminar.model.tracebacks import users_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from laminar.core.plan import Command
    from laminar.data.archives import Archives
    from laminar.engine.actions import Settled
    from laminar.engine.contract import Program
    from laminar.engine.driver import Parts
    from laminar.engine.fingerprints import Fingerprints
    from laminar.engine.reuse import Reuser


class FlowRun(Driver):
    """One run of a flow under one holder."""

    def __init__(
        self,
        parts: Parts,
        program: Program,
        plan: Plan,
        archives: Archives,
        fingerprints: Fingerprints,
        reuser: Reuser | None,
    ) -> None:
        """Take the parts.

        Args:
            parts: What every driver works with.
            program: The flow.
            plan: Decides.
            archives: Where results are committed.
            fingerprints: Tells what layers have made.
            reuser: Finds what an earlier holder has committed; None for a new run.
        """
        super().__init__(parts)
        self._program = program
        self._plan = plan
        self._actions = parts.actions
        self._archives = archives
        self._ledger = parts.ledger
        self._observer = parts.observer
        self._fingerprints = fingerprints
        self._reuser = reuser
        self._needs: dict[str, str] = {}
        self._joins: dict[str, Joins] = {}
        self._began: dict[str, float] = {}
        self._layers: dict[str, tuple[str, float]] = {}

    def begin(self) -> None:
        """Ask for the layers that need no others."""
        nodes = self._program.nodes()
        if self._reuser is not None:
            self._observer.reuse_planned(self._reuser.preview(list(nodes)))
        self._note_waiting()
        self._carry_out(self._plan.start())

    @property
    def over(self) -> bool:
        """Whether the plan is carried out."""
        return self._plan.over

    @property
    def succeeded(self) -> bool:
        """Whether all layers have succeeded, or were skipped."""
        return self._plan.succeeded

    def stop(self, reason: str) -> None:
        """Start nothing more, and stop what runs."""
        self._carry_out(self._plan.stop(reason))

    def layers(self) -> tuple[tuple[str, str, float], ...]:
        """Give the state and duration of each layer, in the order of the graph."""
        return tuple((name, *self._layers.get(name, ("not run", 0.0))) for name in self._plan.phases)

    def _note_waiting(self) -> None:
        """Record what each layer waits for, so that who looks at the run sees layers that are not begun."""
        nodes = self._program.nodes()
        for layer, node in nodes.items():
            needs = sorted(node.needs & nodes.keys())
            if needs:
                reason = f"waits for {', '.join(needs)}"
                self._ledger.group(self._program.space, self._program.run, layer, State.WAITING, reason=reason)

    # Events

    def _start(self) -> None:
        if self._plan.stopping is None:
            super()._start()
        else:
            self._drop_waiting()

    def _drop_waiting(self) -> None:
        for settled in self._actions.drop_waiting():
            self._settle(settled)

    def settle(self, settled: Settled) -> None:
        """Take the end of a split."""
        key = settled.work.key
        layer, index = key.name, key.index
        if settled.failed is not None:
            if settled.manifest is not None and settled.manifest.outputs:
                self._archives.write_outputs(key, settled.manifest.outputs)
            self._fail(settled.failed)
            self._carry_out(self._plan.split_failed(layer, index, settled.failed.where))
        elif settled.cancelled:
            self._plan.split_dropped(layer, index)
        else:
            self._commit(settled)

    def _commit(self, settled: Settled) -> None:
        key = settled.work.key
        layer, index = key.name, key.index
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
            self._archives.commit(key, record)
        except DataError as error:
            why = "its result could not be committed"
            failed = Failed(layer, index, settled.work.title(), settled.attempt, error, why, "")
            self._fail(failed)
            self._carry_out(self._plan.split_failed(layer, index, failed.where))
            return
        self._actions.committed(settled, None if caught_text is None else f"caught {caught_text}")
        if caught_text is not None:
            self._observer.notice(f"{layer}[{index}]: caught {caught_text}"[:500])
        self._joins[layer].add(index, manifest.outputs)
        self._carry_out(self._plan.split_succeeded(layer, index))

    def _fail(self, failed: Failed) -> None:
        self.failures.append(failed)
        layer = failed.layer
        reason = f"{failed.where}: {line_of(failed.error)}"[:500]
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
                    self._drop_waiting()
                    self._actions.cancel(self.grace)

    def _attempt(self, layer: str, act: Callable[[str], list[Command]]) -> list[Command]:
        """Do something that runs user code; what it raises is a failure of the layer."""
        try:
            return act(layer)
        except Exception as error:
            why = "a hook or the count of its splits raised"
            self._fail(Failed(layer, None, f"layer {layer}", 0, error, why, users_traceback(error)))
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
            epoch = self._actions.epoch
            self._ledger.keep(space, run, layer, indexes, epoch, "kept from before")
        self._observer.layer_started(layer, splits, len(indexes))

    def _skip(self, command: Skip) -> None:
        if self._reuser is not None:
            self._reuser.forget(command.layer)
        self._fingerprints.note(command.layer, {})
        self._end_layer(command.layer, State.SKIPPED, command.reason)

    def _launch(self, command: Launch) -> None:
        layer, indexes = command.layer, list(command.indexes)
        reason = self._actions.waiting_reason("")
        self._ledger.wait(self._program.space, self._program.run, layer, indexes, self._actions.epoch, reason)
        self._actions.request(self._program.work(layer, index, command.splits) for index in indexes)

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
