"""What a task must be given and nobody else may see."""

from __future__ import annotations

import os

from laminar.errors import PolicyError
from laminar.model.value import Value

#: What the names of laminar's own variables begin with.
OWN = "LAMINAR_"


class Secret(Value, frozen=True):
    """A value that a task is given by name; the code, the ledger and the cache know only the name.

    Attributes:
        key: Its name.
        group: What it belongs to, such as a service; keys of different groups are different secrets.
        as_env_var: The environment variable that holds it; by default the key in upper case, with ``_`` for ``-``.
        mount: Path of the file that holds it, absolute; with a mount, no variable is set unless one is named.

    Raises:
        PolicyError: A name makes no sense.

    Usage::

        TaskEnvironment("report", secrets=[Secret("api-key"), Secret("password", group="db", as_env_var="PGPASSWORD")])
    """

    key: str
    group: str | None = None
    as_env_var: str | None = None
    mount: str | os.PathLike[str] | None = None

    def validate(self) -> None:
        """Refuse nonsense at once."""
        for name in ("key", "group"):
            value = getattr(self, name)
            if not (value is None and name == "group") and not _is_name(value):
                raise PolicyError(
                    f"Secret({name}={value!r}): expects letters, digits, '_' and '-', and a letter first."
                )
        if self.mount is not None:
            self._check_mount()
        self._check_variable()

    def _check_variable(self) -> None:
        name = self.variable
        if name is None:
            return
        if not isinstance(name, str) or not (name.isascii() and name.isidentifier()):
            raise PolicyError(f"Secret(as_env_var={name!r}) is no name of an environment variable, such as 'API_KEY'.")
        if name.startswith(OWN):
            raise PolicyError(f"Secret(as_env_var={name!r}): names that begin with {OWN} are laminar's own.")

    def _check_mount(self) -> None:
        path = os.fspath(self.mount) if isinstance(self.mount, (str, os.PathLike)) else ""
        if not os.path.isabs(path) or path.endswith("/"):
            raise PolicyError(f"Secret(mount={self.mount!r}): expects the absolute path of a file.")
        self.__dict__["mount"] = os.path.normpath(path)

    @property
    def variable(self) -> str | None:
        """The environment variable that holds it; None if only a file does."""
        if self.as_env_var is None and self.mount is not None:
            return None
        return self.as_env_var if self.as_env_var is not None else self.key.upper().replace("-", "_")

    @property
    def name(self) -> str:
        """Its name with that of its group: ``db/password``."""
        return self.key if self.group is None else f"{self.group}/{self.key}"

    @classmethod
    def of(cls, value: object) -> Secret:
        """Read one item of ``secrets=``: a secret, or its key.

        Raises:
            PolicyError: It is neither.
        """
        if isinstance(value, Secret):
            return value
        if isinstance(value, str):
            return cls(value)
        raise PolicyError(f"secrets=[{value!r}]: expects Secret(…), or the key of one.")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.replace("-", "_").isidentifier()
