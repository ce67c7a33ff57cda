"""Failures: what the caller gets, catch, retry, time-outs, and what happens to the rest of the run."""

import sys
import threading
import time
from typing import Any

import pytest

from laminar import Flow, Layer, Parameters
from laminar.configurations import executors, hooks, layers, schedulers
from laminar.exceptions import (
    AttemptExitedError,
    AttemptTimeoutError,
    FlowError,
    NonRecoverableError,
    RemoteError,
)
from laminar.ledger.sql import Ledger


class WrongError(Exception):
    def __init__(self, what: str, number: int) -> None:
        super().__init__(what)
        self.number = number


class Fails(Flow): ...


@Fails.register
class Give(Layer):
    def __call__(self) -> None:
        self.shard(foo=[0, 1, 2])


@Fails.register(foreach=layers.ForEach(parameters=[layers.Parameter(Give, "foo")]))
class Fail(Layer):
    def __call__(self, give: Give) -> None:
        self.before = give.foo  # type: ignore[attr-defined]
        if self.before == 1:
            raise KeyError("of the user")
        self.after = True


@Fails.register
class After(Layer):
    def __call__(self, fail: Fail) -> None: ...


# What the caller gets


def test_an_exception_reaches_the_caller_as_itself_with_the_split_and_the_traceback_in_its_notes(memory: Any) -> None:
    flow = memory(Fails)
    with pytest.raises(KeyError, match="of the user") as raised:
        flow()
    notes = "\n".join(raised.value.__notes__)
    assert "Raised in layer Fail, split 1 of 3, attempt 1:" in notes
    assert 'raise KeyError("of the user")' in notes
    assert "test_flow_failures.py" in notes
    assert f"laminar resume" in notes or "resume()" in notes  # noqa: F541
    assert flow.execution.id in notes


def test_a_failed_run_tells_layer_split_exception_and_traceback_ever_after(local: Any) -> None:
    flow = local(Fails)
    with pytest.raises(KeyError):
        flow(execution="mine")
    execution = local(Fails).execution("mine")
    assert execution.status == "FAILED"
    assert not execution.finished
    assert not execution.running
    assert (execution.error.layer, execution.error.index) == ("Fail", 1)
    assert execution.error.exception == "KeyError: 'of the user'"
    assert 'raise KeyError("of the user")' in execution.error.traceback


def test_what_was_assigned_before_the_failure_is_kept(memory: Any) -> None:
    flow = memory(Fails)
    with pytest.raises(KeyError):
        flow()
    layer = flow.execution.layer(Fail, index=1)
    assert layer.before == 1
    assert not hasattr(layer, "after")


def test_nothing_that_needs_a_failed_layer_runs(memory: Any) -> None:
    flow = memory(Fails)
    with pytest.raises(KeyError):
        flow()
    assert flow.execution.layer(Give).state.finished
    assert not flow.execution.layer(Fail).state.finished
    assert not flow.execution.layer(After).state.finished


def test_an_exception_comes_as_itself_without_what_cannot_be_pickled(memory: Any) -> None:
    class LockedError(Exception):
        def __init__(self) -> None:
            super().__init__("has a lock")
            self.lock = threading.Lock()
            self.number = 3

    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            raise LockedError

    with pytest.raises(LockedError, match="has a lock") as raised:
        memory(F)()
    assert raised.value.number == 3
    assert not hasattr(raised.value, "lock")
    assert "raise LockedError" in "\n".join(raised.value.__notes__)


def test_an_exception_whose_constructor_wants_more_than_its_text_comes_as_itself(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            raise WrongError("two arguments", 3)

    with pytest.raises(WrongError, match="two arguments") as raised:
        memory(F)()
    assert raised.value.number == 3


def test_an_exception_that_cannot_be_made_again_comes_as_its_words(memory: Any) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            raise MuteError

    with pytest.raises(RemoteError, match="MuteError: <its text could not be made: RuntimeError>") as raised:
        memory(F)()
    assert raised.value.type_name.endswith("MuteError")
    assert "raise MuteError" in "\n".join(raised.value.__notes__)


def test_leaving_the_interpreter_is_a_failure_of_the_layer(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            sys.exit(3)

    with pytest.raises(AttemptExitedError, match=r"it called sys.exit\(3\)") as raised:
        memory(F)()
    assert raised.value.code == 3


def test_the_cause_of_an_exception_is_in_its_notes(memory: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            try:
                {}["key"]
            except KeyError as error:
                raise ValueError("wrapped") from error

    with pytest.raises(ValueError, match="wrapped") as raised:
        memory(F)()
    notes = "\n".join(raised.value.__notes__)
    assert notes.index("KeyError: 'key'") < notes.index("direct cause") < notes.index("ValueError: wrapped")


# Catch


@pytest.mark.parametrize("caught", [KeyError, LookupError, Exception])
def test_catch_takes_a_type_and_its_subclasses_and_the_layer_counts_as_finished(memory: Any, caught: Any) -> None:
    class F(Flow): ...

    @F.register(catch=layers.Catch(OSError, caught))
    class A(Layer):
        def __call__(self) -> None:
            self.before = 1
            raise KeyError
            self.after = 2

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None:
            self.seen = (a.before, hasattr(a, "after"), a.state.finished)

    execution = memory(F)()
    assert execution.layer(B).seen == (1, False, True)
    assert execution.finished


def test_catch_lets_other_exceptions_through_and_catches_nothing_when_empty(memory: Any) -> None:
    for catch in (layers.Catch(KeyError, OSError), layers.Catch()):

        class F(Flow): ...

        @F.register(catch=catch)
        class A(Layer):
            def __call__(self) -> None:
                raise ValueError("not that one")

        with pytest.raises(ValueError, match="not that one"):
            memory(F)()


def test_what_is_caught_is_not_tried_again(memory: Any) -> None:
    class F(Flow): ...

    @F.register(catch=layers.Catch(KeyError), retry=layers.Retry(attempts=3, delay=0))
    class A(Layer):
        def __call__(self) -> None:
            self.attempts = self.attempt
            if self.attempt == 1:
                raise ValueError
            raise KeyError

    assert memory(F)().layer(A).attempts == 2


def test_a_split_that_is_caught_leaves_its_place_in_the_join(memory: Any) -> None:
    class F(Flow): ...

    F.register(Give)

    @F.register(catch=layers.Catch(KeyError), foreach=layers.ForEach(parameters=[layers.Parameter(Give, "foo")]))
    class A(Layer):
        def __call__(self, give: Give) -> None:
            if give.foo == 1:  # type: ignore[attr-defined]
                raise KeyError
            self.foo = give.foo  # type: ignore[attr-defined]

    foo: Any = memory(F)().layer(A).foo
    assert (len(foo), foo.available, foo[0], foo[2]) == (3, [0, 2], 0, 2)


# Retry


def test_a_layer_is_tried_again_until_it_succeeds(memory: Any) -> None:
    class F(Flow): ...

    @F.register(retry=layers.Retry(attempts=5, delay=0.001, backoff=1, jitter=0.5))
    class A(Layer):
        def __call__(self) -> None:
            if self.attempt == 1:
                self.leftover = True
            self.attempts = self.attempt
            if self.attempt != 3:
                raise ValueError

    layer = memory(F)().layer(A)
    assert layer.attempts == 3
    assert not hasattr(layer, "leftover"), "each try begins with an empty layer"


def test_a_layer_that_fails_every_time_is_tried_so_often_and_not_more(memory: Any) -> None:
    attempts = []

    class F(Flow): ...

    @F.register(retry=layers.Retry(attempts=3, delay=0))
    class A(Layer):
        def __call__(self) -> None:
            attempts.append(self.attempt)
            raise ValueError(f"try {self.attempt}")

    with pytest.raises(ValueError, match="try 3") as raised:
        memory(F)()
    assert attempts == [1, 2, 3]
    assert "Raised in layer A, attempt 3" in "\n".join(raised.value.__notes__)


def test_without_retry_there_is_one_attempt(memory: Any) -> None:
    attempts = []

    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            attempts.append(self.attempt)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        memory(F)()
    assert attempts == [1]


def test_only_the_split_that_failed_is_tried_again(memory: Any) -> None:
    class F(Flow): ...

    F.register(Give)
    tried: list[int] = []

    @F.register(
        retry=layers.Retry(attempts=2, delay=0), foreach=layers.ForEach(parameters=[layers.Parameter(Give, "foo")])
    )
    class A(Layer):
        def __call__(self, give: Give) -> None:
            number: Any = give.foo  # type: ignore[attr-defined]
            tried.append(number)
            if number == 1 and self.attempt == 1:
                raise ValueError

    assert memory(F)().finished
    assert sorted(tried) == [0, 1, 1, 2]


def test_an_error_that_says_no_retry_can_help_is_not_tried_again(memory: Any) -> None:
    attempts = []

    class GoneError(NonRecoverableError): ...

    class F(Flow): ...

    @F.register(retry=layers.Retry(attempts=3, delay=0))
    class A(Layer):
        def __call__(self) -> None:
            attempts.append(self.attempt)
            raise GoneError("for good")

    with pytest.raises(NonRecoverableError, match="for good"):
        memory(F)()
    assert attempts == [1]


def test_a_retry_that_waits_says_why_and_how_long_in_the_ledger(local: Any) -> None:
    class F(Flow): ...

    @F.register(retry=layers.Retry(attempts=2, delay=0.01, jitter=0))
    class A(Layer):
        def __call__(self) -> None:
            if self.attempt == 1:
                raise ValueError

    flow = local(F)
    execution = flow()
    ledger = Ledger(f"{flow.configuration.datastore.root}/ledger.db")
    try:
        attempts = [(row.number, str(row.state)) for row in ledger.attempts("F", execution.id)]
        events = [row for row in ledger.events("F", execution.id) if "again" in str(vars(row))]
    finally:
        ledger.close()
    assert attempts == [(1, "FAILED"), (2, "SUCCEEDED")]
    assert "waits 0.01 s to try again: attempt 1 of 2 ended: raised" in str(vars(events[0]))


# Time-outs


@pytest.fixture
def never() -> Any:
    """Gives an event that is set only when the test is over, so that threads given up can end."""
    event = threading.Event()
    yield event
    event.set()


def test_an_attempt_that_takes_too_long_is_stopped(memory: Any, never: threading.Event) -> None:
    class F(Flow): ...

    @F.register(timeout=layers.Timeout(0.05))
    class A(Layer):
        def __call__(self) -> None:
            never.wait()

    flow = memory(F)
    with pytest.raises(AttemptTimeoutError, match=r"Layer A, attempt 1 ran longer than its time-out of 0.05 s"):
        flow()
    assert flow.execution.error.layer == "A"


def test_a_time_out_is_a_python_time_out_error_and_can_be_tried_again(memory: Any, never: threading.Event) -> None:
    class F(Flow): ...

    @F.register(timeout=layers.Timeout(0.05), retry=layers.Retry(attempts=2, delay=0))
    class A(Layer):
        def __call__(self) -> None:
            self.attempts = self.attempt
            if self.attempt == 1:
                never.wait()

    assert memory(F)().layer(A).attempts == 2
    assert issubclass(AttemptTimeoutError, TimeoutError)


def test_the_time_out_of_the_executor_holds_where_a_layer_has_none(memory: Any, never: threading.Event) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            never.wait()

    with pytest.raises(AttemptTimeoutError, match=r"time-out of 0.05 s"):
        memory(F, executor=executors.Thread(timeout=0.05))()

    class G(Flow): ...

    ran = threading.Event()

    @G.register(timeout=layers.Timeout(60))
    class B(Layer):
        def __call__(self) -> None:
            assert ran.wait(0.1) is False
            self.foo = 1

    assert memory(G, executor=executors.Thread(timeout=0.05))().layer(B).foo == 1


# What happens to the rest


def _until_failed(layer: Layer, name: str) -> None:
    """Wait until the ledger says that a layer of the run has failed."""
    ledger = Ledger(f"{layer.execution.flow.configuration.datastore.root}/ledger.db")
    deadline = time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            groups = ledger.groups(layer.execution.flow.name, str(layer.execution.id))
            if any(group.name == name and str(group.state) == "FAILED" for group in groups):
                return
    finally:
        ledger.close()
    raise AssertionError(f"{name} did not fail")


class Rest(Flow): ...


@Rest.register
class Breaks(Layer):
    def __call__(self, parameters: Parameters) -> None:
        raise ValueError("broken")


@Rest.register
class Goes(Layer):
    def __call__(self, parameters: Parameters) -> None:
        _until_failed(self, "Breaks")
        if parameters.waits:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                pass
        self.foo = "came to its end"


@Rest.register
class Follows(Layer):
    def __call__(self, goes: Goes) -> None: ...


def test_on_failure_drain_lets_what_runs_come_to_its_end_and_starts_nothing(local: Any) -> None:
    flow = local(Rest, on_failure="drain")
    with pytest.raises(ValueError, match="broken"):
        flow(waits=False)
    assert flow.execution.layer(Goes).foo == "came to its end"
    assert flow.execution.layer(Goes).state.finished
    assert not flow.execution.layer(Follows).state.finished


def test_on_failure_cancel_stops_what_runs(local: Any) -> None:
    flow = local(Rest, on_failure="cancel")
    with pytest.raises(ValueError, match="broken"):
        flow(waits=True)
    assert not flow.execution.layer(Goes).state.finished


def test_drain_is_the_default() -> None:
    assert schedulers.Scheduler().on_failure == "drain"


@pytest.mark.parametrize("on_failure", ["drain", "cancel"])
def test_nothing_new_starts_after_a_failure(memory: Any, on_failure: str) -> None:
    ran = []

    class F(Flow):
        @hooks.execution
        def note(self: Any) -> None:
            ran.append((self.name, self.index))

    F.register(Give)

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(Give, "foo")]))
    class A(Layer):
        def __call__(self) -> None:
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        memory(F, concurrency=1, on_failure=on_failure)()
    assert ran == [("Give", 0), ("A", 0)]


def test_a_split_that_waits_for_its_retry_is_dropped_when_another_fails(local: Any) -> None:
    ran = []

    class F(Flow): ...

    @F.register(retry=layers.Retry(attempts=2, delay=600))
    class Patient(Layer):
        def __call__(self) -> None:
            ran.append(self.attempt)
            raise ValueError("first")

    @F.register
    class Breaks2(Layer):
        def __call__(self) -> None:
            ledger = Ledger(f"{self.execution.flow.configuration.datastore.root}/ledger.db")
            try:
                while not any(
                    row.number == 1 for row in ledger.attempts("F", str(self.execution.id), "Patient")
                ) or not (any("again" in str(vars(row)) for row in ledger.events("F", str(self.execution.id)))):
                    pass
            finally:
                ledger.close()
            raise KeyError("second")

    with pytest.raises(KeyError, match="second"):
        local(F)()
    assert ran == [1]


def test_when_several_fail_the_first_is_raised_and_names_the_others(memory: Any) -> None:
    meeting = threading.Barrier(2, timeout=30)

    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            meeting.wait()
            raise ValueError("one of two")

    @F.register
    class B(Layer):
        def __call__(self) -> None:
            meeting.wait()
            raise ValueError("one of two")

    with pytest.raises(ValueError, match="one of two") as raised:
        memory(F)()
    assert "Also failed: layer" in "\n".join(raised.value.__notes__)


def test_a_flow_can_run_again_after_a_failure(memory: Any) -> None:
    fails = [True]

    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            if fails:
                raise ValueError

    flow = memory(F)
    with pytest.raises(ValueError):  # noqa: PT011
        flow()
    first = flow.execution.id
    fails.clear()
    assert flow().finished
    assert flow.execution.id != first
    assert flow.execution(first).status == "FAILED"


def test_a_wrong_configuration_never_becomes_a_run(memory: Any) -> None:
    with pytest.raises(FlowError):
        memory(Fails, executor=executors.Thread(concurrency=0))
