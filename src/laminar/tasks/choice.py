"""What can be said of a run before it begins."""

from __future__ import annotations

import re

from laminar.errors import TaskError, nearest
from laminar.executors.contract import Executor
from laminar.model.value import Value
from laminar.tasks.settings import OF_ENVIRONMENT, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("local", "remote")
STYLES = ("loaded_modules", "all", "none")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Choice(Value, frozen=True):
    """What is said of a run.

    Attributes:
        mode: ``"local"``, ``"remote"``; None for local, unless a server is configured.
        name: Id of the run; a new one by default.
        executor: Where tasks run: ``"process"``, ``"docker"``, an executor, or None for this process.
        concurrency: Attempts that run at a time; None for the executor's own number.
        env_vars: Environment variables for every task, below those of its own settings.
        labels: Words to find the run by.
        overwrite_cache: Whether results are made anew, and kept in place of those that other runs have kept.
        version: The version that it is recorded under.
        copy_style: Which files of the code travel to containers.
        project: The project that it belongs to.
        domain: The domain that it belongs to.
        quiet: Whether to print nothing.
        root: Folder where it is kept.

    Raises:
        TaskError: One makes no sense.
    """

    mode: str | None = None
    name: str | None = None
    executor: str | Executor | None = None
    concurrency: int | None = None
    env_vars: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    overwrite_cache: bool = False
    version: str | None = None
    copy_style: str | None = None
    project: str | None = None
    domain: str | None = None
    quiet: bool = False
    root: str | None = None

    def validate(self) -> None:
        """Refuse nonsense at once."""
        if self.mode not in (None, *MODES):
            raise TaskError(f"with_runcontext(mode={self.mode!r}) is no mode.{nearest(str(self.mode), MODES)}")
        if self.name is not None and (not isinstance(self.name, str) or not NAME.fullmatch(self.name)):
            raise TaskError(f"with_runcontext(name={self.name!r}): expects letters, digits, '_' and '-'.")
        if not isinstance(self.executor, (str, Executor, type(None))):
            raise TaskError(
                f"with_runcontext(executor={self.executor!r}): expects 'process', 'docker', or an executor."
            )
        if self.copy_style not in (None, *STYLES):
            raise TaskError(
                f"with_runcontext(copy_style={self.copy_style!r}) is none.{nearest(str(self.copy_style), STYLES)}"
            )
        read({"env_vars": self.env_vars}, OF_ENVIRONMENT, "with_runcontext")
