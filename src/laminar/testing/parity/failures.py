"""What the caller gets of what has failed."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from laminar.exceptions import (
    AttemptExitedError,
    AttemptKilledError,
    NonRecoverableError,
    OutOfMemoryError,
    RemoteError,
    UnpicklableArtifactError,
)
from laminar.testing.applicable import where
from laminar.testing.parity.flows import failing, resumed
from laminar.testing.parity.lab import notes, tree
from laminar.testing.parity.samples import CodedError, LockedError, PlainError
from laminar.testing.parity.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.testing.parity.lab import Lab, Resumed, Run

    Failed = Callable[..., tuple[BaseException, Run]]


#: Ways to fail of which two tests look at one run.
TWICE = {"by_kill": {"attempts": 2}}


class Failures(Subject):
    """What the caller gets of what has failed."""

    # Exceptions

    def test_an_exception_arrives_as_itself(self, failed: Failed) -> None:
        """Of its type, with its arguments, its words and its notes."""
        error, _ = failed("plainly")
        assert type(error) is PlainError
        assert error.args == ("said", 1, ("two",))
        assert "a note of the user's" in error.__notes__

    def test_the_notes_of_an_exception_tell_layer_attempt_file_and_line(self, failed: Failed) -> None:
        """And how the run is resumed."""
        error, run = failed("plainly")
        text = notes(error)
        line = failing.plainly.__code__.co_firstlineno + 4
        assert "Raised in layer Fail, attempt 1:" in text
        assert "failing.py" in text
        assert f"line {line}, in plainly" in text
        assert str(run.execution.id) in text

    def test_a_failed_run_tells_ever_after_what_failed(self, failed: Failed) -> None:
        """Layer, split, exception and traceback."""
        _, run = failed("with_a_code")
        failure = run.execution.error
        assert run.execution.status == "FAILED"
        assert failure is not None
        assert (failure.layer, failure.index, failure.exception) == ("Fail", 0, "CodedError: has a code")
        assert "in with_a_code" in failure.traceback

    def test_an_exception_that_wants_more_than_a_text_arrives_as_itself(self, failed: Failed) -> None:
        """With its attributes."""
        error, _ = failed("with_a_code")
        assert isinstance(error, CodedError)
        assert (str(error), error.code) == ("has a code", 7)

    def test_the_cause_of_an_exception_is_in_its_notes(self, failed: Failed) -> None:
        """Before it, as Python shows it."""
        error, _ = failed("with_a_cause")
        text = notes(error)
        assert text.index("KeyError: 'key'") < text.index("direct cause") < text.index("PlainError: wrapped")

    def test_a_group_of_exceptions_arrives_with_all_its_parts(self, failed: Failed) -> None:
        """Nested ones too."""
        error, _ = failed("as_a_group")
        kinds = [type(part) for part in tree(error)]
        assert kinds == [ExceptionGroup, PlainError, ExceptionGroup, CodedError]

    def test_an_exception_that_holds_what_cannot_be_pickled_arrives_without_it(self, failed: Failed) -> None:
        """All else is there."""
        error, _ = failed("with_a_lock")
        assert isinstance(error, LockedError)
        assert (str(error), error.number, hasattr(error, "lock")) == ("holds a lock", 3, False)

    def test_an_exception_that_cannot_be_told_arrives_as_a_remote_error(self, failed: Failed) -> None:
        """That names its type."""
        error, _ = failed("mutely")
        assert type(error) is RemoteError
        assert error.type_name.endswith("samples.MuteError")

    def test_an_exception_of_a_class_inside_a_function_arrives_with_its_name_and_words(self, failed: Failed) -> None:
        """Though nobody can import it."""
        error, _ = failed("locally")
        assert "HiddenError" in f"{type(error).__name__} {error}"
        assert "hidden" in str(error)

    def test_a_recursion_without_end_is_an_exception_like_any_other(self, failed: Failed) -> None:
        """Not a crash."""
        error, _ = failed("deeply")
        assert type(error) is RecursionError

    def test_an_interrupt_that_a_layer_raises_reaches_the_caller(self, failed: Failed) -> None:
        """As the failure of the layer; the run has failed, nobody has stopped it."""
        error, run = failed("as_interrupted")
        assert type(error) is KeyboardInterrupt
        assert run.execution.status == "FAILED"

    def test_what_cannot_be_pickled_is_named_with_layer_artifact_and_part(self, failed: Failed) -> None:
        """It is a failure of the layer."""
        error, _ = failed("with_an_artifact")
        assert isinstance(error, UnpicklableArtifactError)
        assert "Layer Fail cannot save its artifact 'wrong': its part \"['deep'][0]\" is a _thread.lock" in str(error)

    @pytest.mark.parametrize("how", ["set_up", "tear_down"])
    def test_an_exception_of_an_execution_hook_is_a_failure_of_its_layer(self, failed: Failed, how: str) -> None:
        """Before the layer and after it."""
        error, run = failed(how)
        assert isinstance(error, PlainError)
        assert str(error) == f"in the {how.replace('_', '-')}"
        assert "in around" in notes(error)
        assert run.lab.count(f"tried-{how}") == (0 if how == "set_up" else 1)
        assert not run.execution.layer(failing.Fail).state.finished

    def test_what_a_layer_had_assigned_before_it_failed_is_kept(self, failed: Failed) -> None:
        """For looking at; its execution hook was torn down."""
        _, run = failed("plainly")
        assert run.fact(failing.Fail, "before") == 1
        assert not hasattr(run.execution.layer(failing.Fail), "after")
        assert run.lab.count("torn-down-plainly") == 1

    def test_nothing_that_needs_a_failed_layer_runs(self, failed: Failed) -> None:
        """It has no attempt."""
        _, run = failed("plainly")
        assert run.attempts(failing.Follow) == []
        assert not run.execution.finished

    def test_a_failed_split_is_named(self, broken: Resumed) -> None:
        """By its index, and of how many."""
        assert "Raised in layer Broken, split 2 of 3, attempt 1:" in notes(broken.error)
        assert (broken.failure.layer, broken.failure.index) == ("Broken", 2)

    # Retries that do not help

    def test_a_layer_that_fails_each_time_is_tried_so_often_and_raises_the_last(self, failed: Failed) -> None:
        """And no more."""
        error, run = failed("with_the_attempt", attempts=2)
        assert str(error) == "try 2"
        assert run.lab.count("tried-with_the_attempt") == 2

    def test_an_error_that_says_no_retry_can_help_is_not_tried_again(self, failed: Failed) -> None:
        """And arrives as itself."""
        error, run = failed("for_good", attempts=3)
        assert type(error) is failing.GoneError
        assert isinstance(error, NonRecoverableError)
        assert run.lab.count("tried-for_good") == 1

    # Ends without an exception

    @pytest.mark.parametrize(("how", "code"), [("by_exit", 3), ("by_exit_with_words", 1)])
    def test_sys_exit_is_a_failure_with_its_code(self, failed: Failed, how: str, code: int) -> None:
        """It ends the attempt, not the scheduler."""
        error, _ = failed(how)
        assert isinstance(error, AttemptExitedError)
        assert "sys.exit" in str(error)
        assert error.code == code

    @where(isolated=True)
    @pytest.mark.parametrize(("how", "code"), [("by_exit_at_once", 3), ("by_success_at_once", 0)])
    def test_an_exit_without_a_result_is_a_failure_with_its_code(self, failed: Failed, how: str, code: int) -> None:
        """Also if the code says that all is well."""
        error, _ = failed(how)
        assert type(error) is AttemptExitedError
        assert error.code == code
        assert f"code {code}" in str(error)

    @where(isolated=True)
    @pytest.mark.parametrize(
        ("how", "number"), [("by_kill", signal.SIGKILL), ("by_abort", signal.SIGABRT), ("by_crash", signal.SIGSEGV)]
    )
    def test_a_signal_that_ends_an_attempt_is_named(self, failed: Failed, how: str, number: signal.Signals) -> None:
        """A kill by hand is no memory kill, and a crash ends no more than its attempt."""
        error, _ = failed(how, **TWICE.get(how, {}))
        assert type(error) is AttemptKilledError
        assert error.signal == number
        assert number.name in str(error)

    @where(isolated=True)
    def test_last_words_of_an_attempt_that_ended_without_a_result_are_kept(self, failed: Failed) -> None:
        """In its log, and in the notes of the error."""
        error, run = failed("by_exit_at_once")
        assert run.log(failing.Fail) == "last words\n"
        assert "last words" in notes(error)

    @where(isolated=True)
    def test_an_attempt_that_ended_without_a_result_is_tried_again(self, failed: Failed) -> None:
        """As after an exception."""
        error, run = failed("by_kill", **TWICE["by_kill"])
        assert type(error) is AttemptKilledError
        assert run.lab.count("tried-by_kill") == 2

    @where(enforces_memory=True)
    def test_an_attempt_that_takes_more_memory_than_it_asked_for_is_killed(self, failed: Failed) -> None:
        """And says so."""
        error, _ = failed("by_memory", memory=100)
        assert type(error) is OutOfMemoryError

    @where(enforces_memory=False)
    def test_an_attempt_may_take_more_memory_than_it_asked_for(self, lab: Lab) -> None:
        """Nobody holds it to that."""
        run = lab.run(failing.FailingFlow, how="by_memory", attempts=1, memory=100)
        assert run.fact(failing.Fail, "after")


class Resuming(Subject):
    """What a resume keeps and runs."""

    def test_a_resume_finishes_a_run_that_has_failed(self, broken: Resumed) -> None:
        """With the results that it would have had."""
        assert broken.execution.status == "SUCCEEDED"
        assert broken.fact(resumed.Total, "total") == 5

    def test_a_resume_keeps_what_had_finished(self, broken: Resumed) -> None:
        """Its layers do not run again."""
        assert broken.lab.count("Kept") == 1

    def test_a_resume_runs_no_split_again_but_the_one_that_failed(self, broken: Resumed) -> None:
        """The others of its layer are kept."""
        assert [broken.lab.count(f"Broken-{index}") for index in range(3)] == [1, 1, 2]

    def test_layers_can_tell_that_they_run_in_a_resume(self, broken: Resumed) -> None:
        """By ``current``."""
        assert broken.fact(resumed.Total, "retry") is True
