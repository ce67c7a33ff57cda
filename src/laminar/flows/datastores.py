"""Datastores: where the artifacts and records of flows lie, and what can be found there."""

from __future__ import annotations

import os

from laminar.data.archives import Archives
from laminar.data.artifacts import Artifacts
from laminar.data.local import LocalBlobs
from laminar.data.memory import MemoryBlobs
from laminar.data.serde.contract import Registry
from laminar.errors import FlowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar
    from typing import Protocol as Shape

    from laminar.data.contract import Blobs
    from laminar.data.serde.contract import Protocol, ProtocolT

    ExecutionT_co = TypeVar("ExecutionT_co", covariant=True)
    LayerT_co = TypeVar("LayerT_co", covariant=True)

    class AnyFlow(Shape[ExecutionT_co]):
        """What the discovery of executions must know of a flow."""

        @property
        def name(self) -> str: ...
        def recall(self, run: str) -> ExecutionT_co: ...

    class AnyExecution(Shape[LayerT_co]):
        """What the discovery of layers must know of an execution."""

        @property
        def known_id(self) -> str: ...
        @property
        def flow(self) -> Named: ...
        def layer(self, layer: str, /) -> LayerT_co: ...
        def has(self, layer: str) -> bool: ...

    class AnyLayer(Shape):
        """What the discovery of artifacts must know of a layer."""

        @property
        def name(self) -> str: ...
        @property
        def execution(self) -> OfFlow: ...

    class Named(Shape):
        """Something with a name."""

        @property
        def name(self) -> str: ...

    class OfFlow(Shape):
        """A run of a flow."""

        @property
        def known_id(self) -> str: ...
        @property
        def flow(self) -> Named: ...


class DataStore:
    """Where the artifacts and records of flows lie.

    Attributes:
        root: Its address.
    """

    #: Whether it can be used from outside the scheduler's process.
    shared: bool = True
    #: Extras of laminar that it needs wherever it is used.
    extras: tuple[str, ...] = ()

    def __init__(self, blobs: Blobs) -> None:
        """Use these blobs."""
        self.blobs = blobs
        self.archives = Archives(blobs)
        self._registry = Registry()

    @property
    def root(self) -> str:
        """Address of the datastore."""
        return self.blobs.root

    def artifacts(self, space: str) -> Artifacts:
        """Give the artifacts of a flow by its name."""
        return Artifacts(self.blobs, space, self._registry)

    def protocol(self, *kinds: type) -> Callable[[type[ProtocolT]], type[ProtocolT]]:
        """Register a serde protocol for values of exactly these types.

        Usage::

            @datastore.protocol(pd.DataFrame)
            class Parquet(serde.Protocol):
                def dump(self, value: pd.DataFrame, file: BinaryIO) -> None:
                    value.to_parquet(file)

                def load(self, file: BinaryIO) -> pd.DataFrame:
                    return pd.read_parquet(file)
        """
        return self._registry.protocol(*kinds)

    def find_protocol(self, name: str) -> Protocol | None:
        """Find the protocol of a type by its name ``module.Name``; None means pickle."""
        return self._registry.find(name)

    def list_executions(self, *, flow: AnyFlow[ExecutionT_co]) -> list[ExecutionT_co]:
        """List all executions of a flow, oldest first."""
        return [flow.recall(run) for run in self.archives.runs(flow.name)]

    def list_layers(self, *, execution: AnyExecution[LayerT_co]) -> list[LayerT_co]:
        """List the layers of an execution that left anything, by name."""
        names = self.archives.layers(execution.flow.name, execution.known_id)
        return [execution.layer(name) for name in names if execution.has(name)]

    def list_artifacts(self, *, layer: AnyLayer) -> list[str]:
        """List the artifacts of a layer, by name."""
        execution = layer.execution
        return self.archives.outputs(execution.flow.name, execution.known_id, layer.name)

    def state_folder(self) -> str | None:
        """Give the folder for what belongs to this machine: the ledger and the logs. None keeps nothing."""
        return os.path.abspath(".laminar")

    def folders(self) -> list[str]:
        """List the folders of this machine that it uses, so that containers can be given them."""
        return []

    def server(self) -> str | None:
        """Give the address that must be reached to use it: its server's, or its own. None if it lies in folders."""
        return None

    def environment(self) -> dict[str, str]:
        """Give the environment variables of this process that it reads, for processes that do not inherit them."""
        return {}

    def __repr__(self) -> str:
        """Show the address."""
        return f'{type(self).__name__}(root="{self.root}")'


class Local(DataStore):
    """Keep everything in a folder.

    Usage::

        flow = HelloFlow(datastore=datastores.Local(root="/data/laminar"))
    """

    def __init__(self, root: str | os.PathLike[str] = ".laminar") -> None:
        """Use a folder; it is created when a flow first runs.

        Args:
            root: The folder; relative to where Python was started.

        Raises:
            FlowError: It is an address of something else.
        """
        if "://" in str(root):
            raise FlowError(
                f"Local(root={str(root)!r}) expects a folder. For object stores use datastores.S3, GCS or Azure."
            )
        super().__init__(LocalBlobs(os.fspath(root)))

    def state_folder(self) -> str | None:
        """Give the folder itself."""
        return self.root

    def folders(self) -> list[str]:
        """Give the folder."""
        return [self.root]


class Memory(DataStore):
    """Keep everything in memory, for tests. Values are pickled, as they are everywhere else.

    Usage::

        flow = HelloFlow(datastore=datastores.Memory(), executor=executors.Thread())
    """

    shared = False

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(MemoryBlobs())

    def state_folder(self) -> str | None:
        """Keep nothing."""
        return None


class _Objects(DataStore):
    """Keep everything in a bucket."""

    extras = ("cloud",)
    schemes: tuple[str, ...] = ()
    #: Starts of the names of the environment variables that the client reads.
    variables: tuple[str, ...] = ()

    def __init__(self, root: str, **options: Any) -> None:
        from laminar.data.objects import ObjectBlobs  # 20 ms, and only who uses a bucket needs it

        if not str(root).startswith(self.schemes):
            raise FlowError(
                f"{type(self).__name__}(root={root!r}) expects an address that starts with {' or '.join(self.schemes)}."
            )
        objects = ObjectBlobs(root, options)
        super().__init__(objects)
        self._objects = objects

    def server(self) -> str | None:
        """Give the address of the server if it is named, else that of the bucket."""
        return self._objects.server or self.root

    def environment(self) -> dict[str, str]:
        """Give the variables that hold address and credentials."""
        return {name: value for name, value in os.environ.items() if name.startswith(self.variables)}


class S3(_Objects):
    """Keep everything in a bucket of S3, or of a server that speaks its protocol.

    Options not given come from the environment, such as ``AWS_ACCESS_KEY_ID`` and ``AWS_ENDPOINT_URL``.

    Usage::

        flow = HelloFlow(datastore=datastores.S3(root="s3://my-bucket/laminar", region="eu-central-1"))
    """

    schemes = ("s3://", "s3a://")
    variables = ("AWS_",)


class GCS(_Objects):
    """Keep everything in a bucket of Google Cloud Storage.

    Usage::

        flow = HelloFlow(datastore=datastores.GCS(root="gs://my-bucket/laminar"))
    """

    schemes = ("gs://",)
    variables = ("GOOGLE_",)


class Azure(_Objects):
    """Keep everything in a container of Azure Blob Storage.

    Options not given come from the environment, such as ``AZURE_STORAGE_ACCOUNT_NAME``.

    Usage::

        flow = HelloFlow(datastore=datastores.Azure(root="az://my-container/laminar", account_name="my-account"))
    """

    schemes = ("az://", "azure://", "abfs://", "abfss://")
    variables = ("AZURE_",)


class AWS:
    """Datastores of Amazon Web Services."""

    S3 = S3
