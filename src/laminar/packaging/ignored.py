"""What never travels, and what ``.gitignore`` and ``.laminarignore`` say does not."""

from __future__ import annotations

import fnmatch
import os
import re

from laminar.errors import BundleError
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pathspec import GitIgnoreSpec

#: Of two in one folder, the second has the last word.
IGNORE_FILES = (".gitignore", ".laminarignore")

FOLDERS = {
    "a cache": (
        "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints",
        ".import_linter_cache", ".tox", ".nox", "node_modules",
    ),
    "a version control's own": (".git", ".hg", ".svn"),
    "laminar's own": (".laminar",),
    "a place of secrets": (".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker"),
}  # fmt: skip
FILES = {
    "a cache": ("*.pyc", "*.pyo"),
    "a database": ("*.db", "*.db-*", "*.sqlite*", "*-wal", "*-shm"),
    "a secret": (
        ".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
        "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*",
        ".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd",
        "credentials", "credentials.json", "credentials.y*ml", "credentials.toml", "credentials.ini",
        "client_secret*.json", "application_default_credentials.json", "service-account*.json", "service_account*.json",
    ),
}  # fmt: skip
CONFIGURATION = "config.yaml"


def _compile(table: dict[str, tuple[str, ...]]) -> list[tuple[str, re.Pattern[str]]]:
    return [(why, re.compile("|".join(map(fnmatch.translate, names)))) for why, names in table.items()]


_FOLDERS, _FILES = _compile(FOLDERS), _compile(FILES)


class LeftOut(Value, frozen=True):
    """Something that does not travel.

    Attributes:
        path: Where it is below the project; a folder ends with ``/``.
        why: The reason, in words that follow "it is".
    """

    path: str
    why: str


class Found(Value, frozen=True):
    """A file that travels.

    Attributes:
        path: Where it is below the project, with ``/`` between the parts.
        file: Where its content is on this machine.
        size: How many bytes it has.
    """

    path: str
    file: str
    size: int


def secret_or_waste(path: str, is_folder: bool = False) -> str | None:
    """Say why a file or folder never travels, by its name; None if it may."""
    name = os.path.basename(path).lower()
    for why, pattern in _FOLDERS if is_folder else _FILES:
        if pattern.match(name):
            return why
    return None


def is_datastore(folder: str) -> bool:
    """Tell whether runs keep their ledger and results in a folder, whatever its name."""
    return all(os.path.exists(os.path.join(folder, name)) for name in ("ledger.db", ".tmp"))


class Walk:
    """The files of a project that travel.

    Attributes:
        left_out: What does not, as far as the walk has come.
    """

    def __init__(self, root: str, cwd: str) -> None:
        """Begin.

        Args:
            root: The project's folder.
            cwd: Where laminar's own configuration may lie beside it.
        """
        self._root = os.path.realpath(root)
        self._configurations = {os.path.join(folder, CONFIGURATION) for folder in (self._root, os.path.realpath(cwd))}
        self.left_out: list[LeftOut] = []

    def files(self) -> Iterator[Found]:
        """Go through them, folder by folder, in the order of their names."""
        yield from self._folder("", [*_rules_above(self._root), *_rules(self._root)])

    def _folder(self, below: str, rules: Sequence[Rules]) -> Iterator[Found]:
        with os.scandir(os.path.join(self._root, below)) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            path = below + entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield from self._file(path, entry, rules)
            elif why := self._why_not_enter(entry.path) or ignored(f"{path}/", rules):
                self.left_out.append(LeftOut(f"{path}/", why))
            else:
                yield from self._folder(f"{path}/", [*rules, *_rules(entry.path, f"{path}/")])

    @staticmethod
    def _why_not_enter(folder: str) -> str | None:
        if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
            return "a virtual environment"
        if is_datastore(folder):
            return "laminar's own"
        return secret_or_waste(folder, is_folder=True)

    def _file(self, path: str, entry: os.DirEntry[str], rules: Sequence[Rules]) -> Iterator[Found]:
        why = secret_or_waste(path) or ignored(path, rules) or self._why_not(entry)
        if why is not None:
            self.left_out.append(LeftOut(path, why))
        else:
            yield Found(path, entry.path, entry.stat().st_size)

    def _why_not(self, entry: os.DirEntry[str]) -> str | None:
        if entry.path in self._configurations:
            return "laminar's own"
        if entry.is_symlink() and (why := self._why_not_follow(os.path.realpath(entry.path))):
            return why
        return None if os.path.isfile(entry.path) else "no regular file"

    def _why_not_follow(self, target: str) -> str | None:
        if not target.startswith(self._root + os.sep):
            return "a link that leads out of the project"
        if os.path.isdir(target):
            return "a link to a folder"
        never = target in self._configurations or secret_or_waste(target) is not None
        while not never and (target := os.path.dirname(target)) != self._root:
            never = self._why_not_enter(target) is not None
        return "a link to what never travels" if never else None


class Rules(Value, frozen=True):
    """The rules of one file.

    Attributes:
        file: Its name.
        below: The folder in which it lies, below the project, with ``/`` at the end; empty for the project itself.
        above: The project's path below the folder in which it lies, with ``/`` at the end; empty if that is not above.
        spec: What it says.
    """

    file: str
    below: str
    above: str
    spec: GitIgnoreSpec


def ignored(path: str, rules: Sequence[Rules]) -> str | None:
    """Say by which file a path is ignored; None if it is not. The last that says anything counts."""
    for one in reversed(rules):
        verdict = one.spec.check_file(one.above + path[len(one.below) :]).include
        if verdict is not None:
            return f"named in {one.file}" if verdict else None
    return None


def _rules(folder: str, below: str = "", above: str = "") -> Iterator[Rules]:
    for name in IGNORE_FILES:
        file = os.path.join(folder, name)
        if os.path.isfile(file):
            with open(file, encoding="utf-8", errors="surrogateescape") as lines:
                yield Rules(name, below, above, _understood(file, lines))


def _understood(file: str, lines: Iterable[str]) -> GitIgnoreSpec:
    try:
        from pathspec import GitIgnoreSpec  # of an extra, and only needed where there is such a file
    except ImportError:
        raise BundleError(
            f"{file} cannot be understood: pathspec is not installed. Install it: pip install 'laminar[docker]'"
        ) from None
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise BundleError(f"{file} has a pattern that git would not understand either: {error}. Correct it.") from None


def _rules_above(root: str) -> list[Rules]:
    """Read the rules of the folders above a project, up to that of its git repository; none if it is in none."""
    found: list[Rules] = []
    folder = root
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return []
        folder = above
        found[:0] = _rules(folder, above=os.path.relpath(root, folder).replace(os.sep, "/") + "/")
    return found
