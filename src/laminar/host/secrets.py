"""Where the values of secrets come from on this machine: variables, files, a dotenv file."""

from __future__ import annotations

import os

from laminar.errors import SecretError, SecretNotFoundError
from laminar.model.secret import OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from laminar.model.secret import Secret

PREFIX = f"{OWN}SECRET_"
#: Environment variable with the path of a dotenv file.
FILE_VARIABLE = f"{OWN}SECRETS_FILE"
FOLDER = "secrets"
#: A shorter value is found in harmless text too often to be hidden.
SHORTEST = 4


def resolve(
    secrets: Sequence[Secret],
    root: str | os.PathLike[str],
    environment: Mapping[str, str] | None = None,
    *,
    guarded: bool = False,
) -> dict[Secret, str]:
    """Find the values of secrets.

    Each is looked for in the environment, as ``LAMINAR_SECRET_<GROUP>_<KEY>``, ``<GROUP>_<KEY>`` (without a group:
    ``LAMINAR_SECRET_<KEY>``, ``<KEY>``) and under the name that the secret gives itself; then in the file
    ``<root>/secrets/<group>/<key>``; then, by the same names, in the dotenv file that ``LAMINAR_SECRETS_FILE`` names.

    Args:
        secrets: What is asked for.
        root: The folder ``.laminar``.
        environment: The variables; by default those of this process.
        guarded: Whether who asks may not see the variables of this process but those that are meant for it, which
            begin with ``LAMINAR_SECRET_``.

    Returns:
        The value of each. One line break at the end of a file does not count.

    Raises:
        SecretNotFoundError: One is nowhere; the message says where it was looked for.
        SecretError: A file cannot be read, or a value is too short to be hidden.
    """
    variables = os.environ if environment is None else environment
    dotenv = _dotenv(variables.get(FILE_VARIABLE)) if secrets else {}
    where = os.fspath(root)
    return {secret: _checked(secret, _value(secret, where, variables, dotenv, guarded)) for secret in secrets}


def _value(
    secret: Secret, root: str, variables: Mapping[str, str], dotenv: Mapping[str, str | None], guarded: bool
) -> str:
    names = names_of(secret)[:1] if guarded else names_of(secret)
    path = os.path.join(root, FOLDER, *secret.name.split("/"))
    for found in (_first(names, variables), _content(secret, path), _first(names, dotenv)):
        if found is not None:
            return found
    file = variables.get(FILE_VARIABLE)
    raise SecretNotFoundError(
        f"There is no secret {secret.name!r}. Looked for the environment variables {', '.join(names)}; for the file "
        f"{path}; and {f'in {file}' if file else f'in no dotenv file, since {FILE_VARIABLE} is not set'}. "
        "Set one of them."
    )


def names_of(secret: Secret) -> list[str]:
    """List the environment variables in which a secret is looked for, in this order."""
    name = secret.name.upper().replace("-", "_").replace("/", "_")
    names = [f"{PREFIX}{name}", name]
    return names if secret.as_env_var in (None, *names) else [*names, str(secret.as_env_var)]


def _first(names: Sequence[str], values: Mapping[str, str | None]) -> str | None:
    """Give the first value that is not empty."""
    return next((value for name in names if (value := values.get(name))), None)


def _content(secret: Secret, path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            _warn_if_open_to_others(path, os.fstat(file.fileno()).st_mode)
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SecretError(f"The secret {secret.name!r} cannot be read from {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SecretError(f"The secret {secret.name!r} in {path} is no text in UTF-8.") from None
    return text.removesuffix("\n").removesuffix("\r")


def _dotenv(path: str | None) -> Mapping[str, str | None]:
    if not path:
        return {}
    import io  # loaded long since

    from dotenv import dotenv_values  # 40 ms, and only where such a file is named

    try:
        with open(path, encoding="utf-8") as file:
            _warn_if_open_to_others(path, os.fstat(file.fileno()).st_mode)
            return dotenv_values(stream=io.StringIO(file.read()), interpolate=False)
    except OSError as error:
        raise SecretError(f"{FILE_VARIABLE} names {path}, which cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SecretError(f"{FILE_VARIABLE} names {path}, which is no text in UTF-8.") from None


def _warn_if_open_to_others(path: str, mode: int) -> None:
    if mode & 0o077:
        import warnings  # only where there is something to warn of

        warnings.warn(f"Others on this machine may read {path}. Keep it to yourself: chmod 600 {path}", stacklevel=2)


def _checked(secret: Secret, value: str) -> str:
    if len(value.strip()) < SHORTEST:
        raise SecretError(
            f"The secret {secret.name!r} has fewer than {SHORTEST} characters. So short a value cannot be hidden in "
            "logs. Give a longer one, or hand it over as an ordinary variable."
        )
    if "\0" in value:
        raise SecretError(f"The secret {secret.name!r} holds a null byte, which no environment variable can.")
    return value
