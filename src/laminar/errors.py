"""Every error that laminar raises, in one tree.

Each message says what happened, to what, and what to do next. An exception of the user's own code is never wrapped: it
reaches the caller of ``flow()`` as itself, with the remote traceback in its notes.
"""

from __future__ import annotations


class LaminarError(Exception):
    """Root of every error that laminar raises by itself."""


class FlowError(LaminarError):
    """A flow, a layer or a configuration is wrong; raised before anything runs."""


class TaskError(LaminarError):
    """A task, an environment or a call of one is wrong."""


class PolicyError(FlowError, TaskError):
    """A policy makes no sense, for a layer or for a task: an amount, a time, a schedule, the name of a secret."""


class TaskInputError(TaskError, TypeError):
    """A call of a task does not fit its signature; the message names the task, the parameter, and what came."""


class TaskOutputError(TaskError, TypeError):
    """What a task returned does not fit its annotation."""


class ConfigurationError(LaminarError):
    """A file or a variable of the configuration is wrong; the message says where, and what is known there."""


class SecretError(LaminarError):
    """A secret cannot be used. No message ever holds its value."""


class SecretNotFoundError(SecretError):
    """A secret that is asked for is nowhere; the message says where it was looked for."""


class BlockingCallError(TaskError, RuntimeError):
    """Something that waits was called without ``await`` where an event loop runs."""


class DeploymentError(LaminarError):
    """Something cannot be deployed as it is; nothing was sent."""


class ServerError(LaminarError):
    """A server is asked for that cannot be used."""


class ServerNotReachableError(ServerError):
    """There is no server at an address, or it does not answer."""


class UploadRefusedError(ServerError):
    """Bytes were not taken: there are too many of them, or they are not what was announced."""


class DigestMismatchError(UploadRefusedError):
    """Bytes that arrived are not those that were announced."""


class RequestError(ServerError):
    """A request is not what the server can answer; the message names the place.

    Attributes:
        status: Status of the answer, such as 400 or 405.
        allowed: The methods that a path has, where another was used.
    """

    status: int = 400
    allowed: tuple[str, ...] = ()


class AuthenticationError(ServerError):
    """A token is missing, unknown, over or revoked."""


class PermissionDeniedError(ServerError):
    """A token does not allow what was asked for."""


class UnknownProjectError(ServerError):
    """No project of that name is known."""


class UnknownEntityError(ServerError):
    """No task or flow of that name or version is deployed."""


class UnknownQueueError(ServerError):
    """No queue of that name is there."""


class UnknownTriggerError(ServerError):
    """No trigger of that name is deployed."""


class UnknownTokenError(ServerError):
    """No token of that id is known."""


class VersionConflictError(ServerError):
    """A version is deployed already, with other content."""


class StaleAttemptError(ServerError):
    """An attempt that has ended, or was replaced by another, asked for something."""


class RateLimitError(ServerError):
    """Too many requests came in too short a time."""


class ServerBusyError(ServerError):
    """The server is stopping, or waits for its database; the same request can succeed later."""


class ServerFailedError(ServerError):
    """The server made a mistake; its log says which, under the id of the request."""


class ExecutionError(LaminarError):
    """A run could not be carried out or carried on."""


class RunHeldError(ExecutionError):
    """Another scheduler that is alive holds the run."""


class RunExistsError(ExecutionError):
    """A run of that id exists already."""


class UnknownRunError(ExecutionError):
    """No run of that id is known."""


class RunAbortedError(ExecutionError):
    """The run was aborted from outside, for example by ``laminar abort``."""


class RecursionLimitError(ExecutionError, RecursionError):
    """Task calls nest too deep."""


class AttemptError(ExecutionError):
    """An attempt ended without a result and without an exception that could be handed on."""


class AttemptExitedError(AttemptError):
    """The user's code ended its process: ``sys.exit``, ``os._exit``, or a return without a result.

    Attributes:
        code: The exit code.
    """

    code: int = 0


class AttemptKilledError(AttemptError):
    """The process of an attempt was ended by a signal that laminar did not send.

    Attributes:
        signal: Number of the signal.
    """

    signal: int = 0


class OutOfMemoryError(AttemptError):
    """The kernel killed the attempt because memory ran out."""


class AttemptTimeoutError(AttemptError, TimeoutError):
    """The attempt ran longer than its ``Timeout`` allows and was stopped."""


class AttemptLostError(AttemptError):
    """The place where the attempt ran disappeared."""


class RemoteError(AttemptError):
    """An exception of the user's code that could not be pickled.

    Attributes:
        type_name: Qualified name of the exception's type.
        failure: The exception as data, where this process hands it on.
    """

    type_name: str = ""
    failure: object = None


class EngineError(ExecutionError):
    """The container engine refused something; the message holds its own words."""


class EngineNotReachableError(EngineError):
    """There is no container engine, or it does not answer."""


class PlacementError(ExecutionError):
    """No container can be had as it was asked for: more memory than there is, a folder that it cannot see, no GPU."""


class CodeLoadError(ExecutionError):
    """The user's code could not be loaded in the process that should run it."""


class ImageError(ExecutionError):
    """An image could not be had.

    Attributes:
        image: Its name.
    """

    image: str = ""


class ImageBuildError(ImageError):
    """A step of building an image failed.

    Attributes:
        step: The step, as the Dockerfile says it.
        log: Path of the build's whole output.
    """

    step: str = ""
    log: str = ""


class ImagePullError(ImageError):
    """A registry did not give an image: it refused, or did not answer."""


class ImageNotFoundError(ImagePullError):
    """No image has that name, neither on the engine nor in the registry."""


class ImagePushError(ImageError):
    """A registry did not take an image."""


class BundleError(ExecutionError):
    """The user's code cannot travel to where it should run, or an archive of code is not safe to unpack."""


class DataError(LaminarError):
    """A value or a blob could not be written or read."""


class UnpicklableArtifactError(DataError, TypeError):
    """An artifact cannot be serialised; the message names the attribute path inside the value."""


class DigestError(DataError, TypeError):
    """A value cannot be told from others by a digest, so nothing can be cached by it; the message names the part."""


class StorageError(DataError, OSError):
    """The datastore refused to read or write: the message names the path, the bytes and the reason."""


class CorruptBlobError(DataError):
    """The bytes under a digest are not those bytes; they are set aside and count as absent."""


class LedgerError(LaminarError):
    """The ledger cannot be opened, read or written."""


class NewerSchemaError(LedgerError):
    """The ledger was made by a newer laminar, whose tables this one does not know."""


class StaleEpochError(LedgerError):
    """Something was to be written for a run that another server has taken since."""


class NonRecoverableError(LaminarError):
    """Raised by user code to say that no retry can help."""


def nearest(name: str, known: object) -> str:
    """Say which known names are close to a wrong one, as the end of a sentence.

    Args:
        name: What was asked for.
        known: Iterable of the names that exist.

    Returns:
        ``" Did you mean 'x'?"``, or the list of what exists, or ``" None exist yet."``.
    """
    import difflib  # only when an error is already certain

    names = sorted(str(item) for item in known)  # type: ignore[attr-defined]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f" Did you mean {' or '.join(repr(item) for item in close)}?"
    if not names:
        return " None exist yet."
    shown = ", ".join(repr(item) for item in names[:10])
    return f" Known: {shown}{', …' if len(names) > 10 else ''}."
