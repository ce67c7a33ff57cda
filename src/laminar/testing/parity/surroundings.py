"""What layers see of where they run, and what they print."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from laminar.testing.applicable import where
from laminar.testing.parity.flows import output as printing
from laminar.testing.parity.flows import surroundings as flow
from laminar.testing.parity.lab import OUTSIDE
from laminar.testing.parity.subject import Subject

if TYPE_CHECKING:
    from laminar.executors.contract import Executor
    from laminar.testing.parity.lab import Run


class Surroundings(Subject):
    """What layers see of where they run."""

    def test_current_tells_execution_flow_layer_split_and_attempt(self, surroundings: Run) -> None:
        """As the layer itself does."""
        run = surroundings.execution.id
        assert surroundings.fact(flow.Where, "current") == (run, False, "SurroundingsFlow", "Where", 0, 1, 1)
        assert surroundings.fact(flow.Where, "own") == (run, "Where", 0, 1, 1)

    @where(isolated=True)
    def test_variables_of_the_container_are_set(self, surroundings: Run) -> None:
        """Beside those that say where the code is."""
        environment = surroundings.fact(flow.Where, "environment")
        assert environment["PARITY_CONTAINER"] == "of the layer"
        assert environment["LAMINAR_EXECUTION_ID"] == surroundings.execution.id
        assert environment["LAMINAR_LAYER_NAME"] == "Where"
        assert "PARITY_CONTAINER" not in os.environ

    @where(isolated=False)
    def test_variables_of_the_container_are_not_set_in_a_process_that_attempts_share(self, surroundings: Run) -> None:
        """Another attempt would see them."""
        assert "PARITY_CONTAINER" not in surroundings.fact(flow.Where, "environment")

    def test_the_executor_itself_says_whether_it_hands_out_the_scheduler_s_variables(self, executor: Executor) -> None:
        """Datastores give theirs to attempts that would not have them."""
        assert executor.inherits_environment is self.inherits_environment

    @where(inherits_environment=True)
    def test_the_scheduler_s_variables_are_inherited(self, surroundings: Run) -> None:
        """All of them."""
        name, value = OUTSIDE
        assert surroundings.fact(flow.Where, "environment")[name] == value

    @where(inherits_environment=False)
    def test_the_scheduler_s_variables_stay_outside(self, surroundings: Run) -> None:
        """A secret of the scheduler's is not handed out."""
        assert OUTSIDE[0] not in surroundings.fact(flow.Where, "environment")

    @where(in_place=True)
    def test_the_working_directory_is_the_scheduler_s(self, surroundings: Run) -> None:
        """And what lies there is found."""
        assert surroundings.fact(flow.Where, "cwd") == surroundings.lab.cwd
        assert surroundings.fact(flow.Files, "beside")

    @where(in_place=False)
    def test_the_working_directory_is_that_of_the_container_or_below_it(self, surroundings: Run) -> None:
        """What lies beside the scheduler is not there."""
        assert Path(surroundings.fact(flow.Where, "cwd")).is_relative_to(surroundings.fact(flow.Where, "workdir"))
        assert not surroundings.fact(flow.Files, "beside")

    def test_relative_paths_can_be_written_and_read(self, surroundings: Run) -> None:
        """In the working directory."""
        assert surroundings.fact(flow.Files, "relative") == "written"

    def test_temporary_files_can_be_made(self, surroundings: Run) -> None:
        """And read."""
        assert surroundings.fact(flow.Files, "temporary") == b"scratch"

    def test_many_files_can_be_open_at_once(self, surroundings: Run) -> None:
        """Two hundred."""
        assert surroundings.fact(flow.Files, "open") == 200

    def test_files_belong_to_the_caller_with_the_mode_that_the_caller_gives(self, surroundings: Run) -> None:
        """Also those that bear names of any letters."""
        written, own = Path(surroundings.lab.signs, "grüße ☃"), Path(surroundings.lab.cwd, "beside")
        assert written.read_text() == "☃"
        assert (written.stat().st_uid, written.stat().st_gid) == (os.getuid(), os.getgid())
        assert oct(written.stat().st_mode) == oct(own.stat().st_mode)

    def test_python_is_of_the_same_version(self, surroundings: Run) -> None:
        """And reads the names of files in the same way."""
        own = (sys.version_info[:2], sys.byteorder, sys.getfilesystemencoding())
        assert surroundings.fact(flow.Where, "python") == own

    @where(isolated=True)
    def test_there_is_nothing_to_read_from_standard_input(self, surroundings: Run) -> None:
        """It ends at once."""
        assert surroundings.fact(flow.Where, "input") == ""

    @where(isolated=True)
    def test_what_a_split_changes_of_its_process_no_other_sees(self, surroundings: Run) -> None:
        """Neither variables of modules nor of the environment."""
        assert list(surroundings.fact(flow.Count, "calls")) == [1, 1, 1, 1]
        assert list(surroundings.fact(flow.Count, "left")) == [None] * 4

    @where(isolated=False)
    def test_splits_share_the_process_of_the_scheduler(self, surroundings: Run) -> None:
        """What one changes others may see."""
        assert max(surroundings.fact(flow.Count, "calls")) == 4

    @where(isolated=True)
    def test_a_split_runs_in_the_main_thread(self, surroundings: Run) -> None:
        """So it may handle signals."""
        assert list(surroundings.fact(flow.Count, "main")) == [True] * 4

    def test_splits_draw_different_random_numbers(self, surroundings: Run) -> None:
        """No state is copied from one into the next."""
        assert len(set(surroundings.fact(flow.Count, "random"))) == 4

    def test_two_splits_run_at_a_time(self, surroundings: Run) -> None:
        """They meet."""
        assert list(surroundings.fact(flow.Meet, "met")) == [True] * 2

    def test_a_layer_may_use_threads(self, surroundings: Run) -> None:
        """And wait for them."""
        assert surroundings.fact(flow.Parallel, "threads") == list(range(8))

    @where(isolated=True)
    def test_a_thread_that_a_layer_leaves_behind_ends_with_it(self, surroundings: Run) -> None:
        """Its attempt does not wait for it."""
        assert surroundings.fact(flow.Leave, "left")
        surroundings.lab.let_go("thread")

    @where(isolated=False)
    def test_a_thread_that_a_layer_leaves_behind_lives_on_in_a_shared_process(self, surroundings: Run) -> None:
        """Its attempt does not wait for it either."""
        assert surroundings.fact(flow.Leave, "left")
        surroundings.lab.leave("released")
        surroundings.lab.let_go("thread")

    def test_a_layer_may_use_processes(self, surroundings: Run) -> None:
        """Through :mod:`multiprocessing`, and by commands that are fed and read."""
        assert surroundings.fact(flow.Parallel, "processes") == [0, 2, 4]
        assert surroundings.fact(flow.Parallel, "command") == "SAID\n"

    def test_a_layer_may_use_an_event_loop(self, surroundings: Run) -> None:
        """Its own, or by an asynchronous body."""
        assert surroundings.fact(flow.Parallel, "loop") == [0, 1, 2]
        assert surroundings.fact(flow.Asynchronous, "gathered") == [0, 1, 2]

    def test_a_layer_may_run_a_flow(self, surroundings: Run) -> None:
        """In its own process; each knows where it is."""
        assert surroundings.fact(flow.Nested, "inner") == ("InnerFlow", 42)
        assert surroundings.fact(flow.Nested, "outer") == "SurroundingsFlow"


class Output(Subject):
    """What layers print."""

    def test_both_streams_are_in_the_log_in_order(self, output: Run) -> None:
        """Line by line."""
        lines = output.log(printing.Say).split("\n")
        assert lines[:6] == ["out 0", "err 0", "out 1", "err 1", "out 2", "err 2"]

    def test_output_of_any_letters_is_in_the_log(self, output: Run) -> None:
        """As UTF-8."""
        assert output.log(printing.Say).split("\n")[6] == "grüße ☃ 𝄞"

    def test_what_is_logged_is_in_the_log(self, output: Run) -> None:
        """By Python's logging."""
        assert output.log(printing.Say).split("\n")[7] == "logged"

    def test_a_last_line_without_an_end_is_in_the_log(self, output: Run) -> None:
        """And nothing after it."""
        assert output.log(printing.Say).endswith("\nno end")

    def test_output_larger_than_any_buffer_is_whole(self, output: Run) -> None:
        """1 MiB to each stream."""
        lines = [f"{number:063}" for number in range(printing.MANY_LINES)]
        assert output.log(printing.SayMuch) == "\n".join([*lines, *lines, ""])

    @where(isolated=True)
    def test_what_processes_and_descriptors_write_is_in_the_log(self, output: Run) -> None:
        """Not only what goes through Python's streams."""
        assert output.log(printing.SayBeneath) == "of a process\nof a descriptor\n"

    @where(isolated=False)
    def test_only_python_s_streams_are_in_the_log_of_a_shared_process(self, output: Run) -> None:
        """Descriptors belong to the scheduler."""
        assert output.log(printing.SayBeneath) == ""

    def test_a_layer_that_prints_nothing_has_no_log(self, output: Run) -> None:
        """And succeeds."""
        assert output.log(printing.SayNothing) == ""
        assert output.fact(printing.SayNothing, "silent")

    def test_laminar_logs_shows_what_remains_of_a_line_that_was_written_over(self, output: Run) -> None:
        """As a terminal would."""
        shown = output.lab.laminar("logs", str(output.execution.id), "SayProgress").stdout
        assert shown == "SayProgress | 100 %\n"
