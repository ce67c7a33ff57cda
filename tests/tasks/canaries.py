"""Twenty secrets that sing where they are seen: how each is declared, where its value lies, and what it looks like."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from laminar import Secret

#: The folder of those that are given as files. Tasks are told of it by a variable.
FOLDER = os.environ.get("CANARIES", "/tmp")


class Canary(NamedTuple):
    """A secret, and where its value lies."""

    secret: Secret
    source: str
    kind: str

    def value(self) -> str:
        """Read it, as a task does that has been given it."""
        if self.secret.variable is not None:
            return os.environ[self.secret.variable]
        with open(os.path.join(os.environ["CANARIES"], self.secret.key), newline="") as file:
            return file.read()


#: What values look like, around a token of 24 hexadecimal digits.
KINDS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "long": lambda token: token + "0123456789abcdef-" * 300,
    "several lines": lambda token: f"-----BEGIN KEY-----\n{token}/MIIEvQIBADANBg\n{token}+==\n-----END KEY-----\n",
    "lines of Windows": lambda token: f"user={token}\r\npassword={token}\r\n.",
    "JSON": lambda token: json.dumps({"type": "account", "key": token, "more": ['"', {"ü": token}]}, indent=1),
    "quotes and backslashes": lambda token: f'it\'s "{token}" \\n \\\\ `$(x)` ${{y}} %s {{0}}',
    "URL": lambda token: f"postgresql://reader:p%20{token}@host:5432/base?sslmode=require&x=a+b#end",
    "unicode": lambda token: f"Schlüssel-{token}-鍵-🔑-\u2028",
    "spaces around": lambda token: f"  {token}\t ",
    "base64": lambda token: base64.b64encode(bytes.fromhex(token) * 9).decode(),
}
SOURCES = ("own variable", "variable", "file", "dotenv")


def _all() -> Iterator[Canary]:
    kinds = list(KINDS)
    for number in range(20):
        key = f"canary-{number:02}"
        mount = f"{FOLDER}/{key}" if number % 5 == 4 else None
        other = f"OTHER_NAME_{number}" if number % 5 == 3 else None
        secret = Secret(key, group="cage" if number % 3 == 2 else None, as_env_var=other, mount=mount)
        # each kind twice, from different sources
        yield Canary(secret, SOURCES[(number + number // 10) % len(SOURCES)], kinds[number % len(kinds)])


CANARIES = list(_all())


def hide(folder: Path, values: dict[str, str]) -> dict[str, str]:
    """Put values where they are looked for, below a folder; gives the variables that this takes."""
    variables = {"LAMINAR_SECRETS_FILE": str(folder / "birds.env")}
    dotenv = []
    for canary in CANARIES:
        secret, value = canary.secret, values[canary.secret.key]
        name = secret.name.upper().replace("-", "_").replace("/", "_")
        if canary.source == "file":
            path = folder / ".laminar" / "secrets" / secret.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value.encode() + b"\n")
            path.chmod(0o600)
        elif canary.source == "dotenv":
            quoted = value.replace("\\", "\\\\").replace("'", "\\'")
            dotenv.append(f"{name}='{quoted}'\n")
        else:
            variables[f"LAMINAR_SECRET_{name}" if canary.source == "own variable" else name] = value
    (folder / "birds.env").write_bytes("".join(dotenv).encode())
    (folder / "birds.env").chmod(0o600)
    return variables


def show(folder: Path, values: dict[str, str]) -> dict[str, str]:
    """Put values where a task looks that asks for no secrets; gives the variables that this takes."""
    variables = {}
    for canary in CANARIES:
        value = values[canary.secret.key]
        if canary.secret.variable is not None:
            variables[canary.secret.variable] = value
        else:
            (folder / canary.secret.key).write_bytes(value.encode())
    return variables


def seen(data: bytes, token: str) -> list[str]:
    """Name the forms in which the token of a value is in bytes."""
    raw = token.encode()
    forms = {"itself": raw, "hexadecimal": raw.hex().encode(), "capitals": raw.hex().upper().encode()}
    forms["its bytes in base64"] = base64.b64encode(bytes.fromhex(token) * 2)[:16]
    for shift in range(3):
        inside = base64.b64encode(b"x" * shift + raw + b"xxx")
        forms[f"base64, shifted by {shift}"] = inside[4 if shift else 0 : (shift + len(raw)) * 8 // 6 - 1]
    return [form for form, bytes_ in forms.items() if bytes_ in data]
