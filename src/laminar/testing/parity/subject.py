"""What the suite looks at: an executor, how it differs from others, and runs that several tests share."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from laminar.flows.datastores import Local
from laminar.testing.applicable import Applicable
from laminar.testing.parity import lab as laboratory
from laminar.testing.parity.flows import surroundings
from laminar.testing.parity.flows.again import AgainFlow
from laminar.testing.parity.flows.output import OutputFlow
from laminar.testing.parity.flows.resumed import ResumedFlow
from laminar.testing.parity.flows.values import ValuesFlow
from laminar.testing.parity.lab import Resumed
from laminar.testing.parity.samples import PlainError, Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

    from laminar.configurations.datastores import DataStore
    from laminar.executors.contract import Executor
    from laminar.testing.parity.lab import Lab, Run

SharedT = TypeVar("SharedT")


class Subject(Applicable):
    """An executor, and how it differs from others. All differences that there may be are these attributes.

    Attributes:
        isolated: Whether attempts share neither memory, nor ``os.environ``, nor the main thread's signals, so that one
            can be given variables, can be killed, and may die; and whether all that it starts ends with it.
        inherits_environment: Whether attempts see the scheduler's own variables.
        in_place: Whether attempts run in the scheduler's working directory, and see the files there.
        enforces_memory: Whether an attempt that takes more memory than its container asks for is killed.
    """

    isolated = True
    inherits_environment = True
    in_place = True
    enforces_memory = False

    _made: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Share within a class only."""
        super().__init_subclass__(**kwargs)
        cls._made = {}

    @pytest.fixture
    def executor(self) -> Executor:
        """Give an executor that runs two attempts at a time, or more."""
        raise NotImplementedError("Give the fixture 'executor'.")

    @pytest.fixture
    def datastore(self, tmp_path_factory: pytest.TempPathFactory) -> DataStore:
        """Give a datastore for all tests of the class; attempts must see its folder of state at its own path."""
        return self._shared("datastore", lambda: Local(root=tmp_path_factory.mktemp("parity")))

    @pytest.fixture
    def lab(self, executor: Executor, datastore: DataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
        """Give a place to run flows, from a working directory of its own."""
        cwd, folder = tmp_path / "cwd", Path(str(datastore.state_folder()), "signs", uuid.uuid4().hex)
        cwd.mkdir()
        folder.mkdir(parents=True)
        monkeypatch.chdir(cwd)
        monkeypatch.setenv(*laboratory.OUTSIDE)
        monkeypatch.setattr(surroundings, "calls", [])
        monkeypatch.setenv(surroundings.LEFT, "")  # puts it back in the end
        monkeypatch.delenv(surroundings.LEFT)
        return laboratory.Lab(executor, datastore, folder, cwd)

    @pytest.fixture
    def values(self, lab: Lab) -> Run:
        """Give a run of the flow that passes values."""
        return self._shared(
            "values", lambda: lab.run(ValuesFlow, text="grüße", numbers=[1, {"a": 2}], row=Row("given"))
        )

    @pytest.fixture
    def surroundings(self, lab: Lab) -> Run:
        """Give a run of the flow that looks around."""
        return self._shared("surroundings", lambda: lab.run(surroundings.SurroundingsFlow, reads_input=self.isolated))

    @pytest.fixture
    def output(self, lab: Lab) -> Run:
        """Give a run of the flow that prints."""
        return self._shared("output", lambda: lab.run(OutputFlow))

    @pytest.fixture
    def again(self, lab: Lab) -> Run:
        """Give a run of the flow with hooks, retries and catch."""
        return self._shared("again", lambda: lab.run(AgainFlow))

    @pytest.fixture
    def broken(self, lab: Lab) -> Resumed:
        """Give a run that has failed and was resumed."""

        def run() -> Resumed:
            flow = lab.flow(ResumedFlow)
            with pytest.raises(PlainError, match="not mended") as raised:
                flow(signs=lab.signs)
            failure = flow.execution.error
            assert failure is not None
            Path(lab.signs, "mended").touch()
            return Resumed(lab, flow.execution.resume(), raised.value, failure)

        return self._shared("broken", run)

    @pytest.fixture
    def failed(self, lab: Lab) -> Callable[..., tuple[BaseException, Run]]:
        """Run the flow that fails in a given way; see :meth:`Lab.fail`."""
        return lambda how, **more: self._shared(f"failed {how} {more}", lambda: lab.fail(how, **more))

    def _shared(self, name: str, make: Callable[[], SharedT]) -> SharedT:
        """Make something once for all tests of the class; if that fails, it fails for each of them."""
        if name not in self._made:
            try:
                self._made[name] = make()
            except BaseException as error:
                self._made[name] = error
        found: SharedT | BaseException = self._made[name]
        if isinstance(found, BaseException):
            raise found
        return found
