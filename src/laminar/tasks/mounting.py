"""Secrets as files: each is there while an attempt needs it, and goes with the last one.

Attempts on one machine share a file, be they threads or processes. Each holds a lock on another file beside it,
``<path>.lock``; the system takes the lock from one that is killed. So who can have the lock alone is the first, or the
last.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

from laminar.errors import SecretError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.model.secret import Secret


@contextlib.contextmanager
def mounted(secret: Secret, value: str) -> Iterator[None]:
    """Lay out the file of a secret, which only this user can read.

    Args:
        secret: The secret.
        value: What is in the file.

    Raises:
        SecretError: There is a file already that is none of this secret's, or it cannot be written.
    """
    path = os.fspath(secret.mount or "")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        lock = _join(path, value.encode())
    except OSError as error:
        raise SecretError(
            f"The file {path} for the secret {secret.name} cannot be made: {error.strerror}. "
            "Name another path with mount=…, or give it as a variable with as_env_var=…."
        ) from error
    try:
        yield
    finally:
        _leave(path, lock)


def _join(path: str, value: bytes) -> int:
    """Share the file with who has it, or make it; gives the lock."""
    while True:
        lock, new = _open(f"{path}.lock")
        try:
            if _alone(lock):
                _lay_out(path, value, new=new)
            fcntl.flock(lock, fcntl.LOCK_SH)
            if os.fstat(lock).st_nlink:  # else the last one has gone meanwhile, and the files with it
                _check(path, value)
                return lock
        except BaseException:
            _leave(path, lock, written=False)
            raise
        os.close(lock)


def _open(path: str) -> tuple[int, bool]:
    """Open a lock; tells whether it is new."""
    try:
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), True
    except FileExistsError:
        return os.open(path, os.O_CREAT | os.O_RDWR, 0o600), False


def _alone(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(lock).st_nlink > 0


def _lay_out(path: str, value: bytes, *, new: bool) -> None:
    """Write the file; what one that was killed has left is taken away first."""
    if not new:
        if _content(path) == value:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(value)


def _check(path: str, value: bytes) -> None:
    if _content(path) != value:
        raise FileExistsError(errno.EEXIST, "another secret is there", path)


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _leave(path: str, lock: int, *, written: bool = True) -> None:
    """Give up the lock; the last one takes the files away."""
    if _alone(lock):
        for file in (path, f"{path}.lock") if written else (f"{path}.lock",):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file)
    os.close(lock)
