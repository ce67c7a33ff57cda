"""A bundle: the files of the user's code as they were at one moment, and where they are to be put.

Layout: the project's folder is the bundle's own. Modules that are found elsewhere (an editable install, a folder of
``PYTHONPATH``) go below ``.path/<n>``, one number for each folder from which they are found.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import secrets
import tarfile
import zlib
from base64 import b64encode
from contextlib import suppress
from io import BytesIO

from laminar.errors import BundleError, nearest
from laminar.model.code import Code
from laminar.model.value import Value
from laminar.packaging import record
from laminar.packaging.contents import CHUNK, Contents, Piece
from laminar.packaging.ignored import LeftOut, Walk
from laminar.packaging.modules import Search
from laminar.packaging.names import LIMITS, MB, Limits, Names
from laminar.packaging.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What may be bundled: the modules that the code consists of, also every other file of the project, or nothing.
STYLES = ("loaded_modules", "all", "none")
OTHERS = ".path"
GZIP = 31  # window of 32 KB with gzip's header and trailer, as zlib counts


class File(Value, frozen=True):
    """A file of a bundle.

    Attributes:
        path: Where it is in the bundle, with ``/`` between the parts.
        source: Where it was read on this machine; empty if laminar has made it.
        size: How many bytes it has.
        executable: Whether its owner may execute it.
        hexdigest: SHA-256 of its bytes, in hexadecimal.
    """

    path: str
    source: str
    size: int
    executable: bool
    hexdigest: str


class Bundle:
    """The files of the user's code. What was read is what is given, whatever happens to the files later.

    Attributes:
        style: How the files were chosen.
        digest: SHA-256 of paths, contents and which are executable, in hexadecimal, and of nothing else; empty if
            nothing travels because the code is in the image.
        files: What travels, by path.
        left_out: What of the project does not travel, and why.
        size: Bytes of all files.
    """

    def __init__(self, style: str, files: list[tuple[File, Piece]], contents: Contents, mapped: _Mapped) -> None:
        """Take what :func:`gather` has read."""
        self.style = style
        self.files = [file for file, _ in files]
        self.left_out: list[LeftOut] = []
        self.size = contents.size
        self.digest = "" if style == "none" and not files else _digest(self.files)
        self._pieces = [piece for _, piece in files]
        self._contents = contents
        self._mapped = mapped

    def code(self, folder: str) -> Code:
        """Say where the code is when the bundle lies in a folder.

        Args:
            folder: Absolute path of that folder, wherever that is.

        Returns:
            The code. Its path has only what is in the bundle: the place adds its own Python and packages after it.
        """
        return self._mapped.code(folder)

    def place(self, folder: str, seen_as: str | None = None) -> Code:
        """Put the files into a folder that is empty or missing.

        Args:
            folder: The folder.
            seen_as: Its absolute path for the process that will load the code, if that sees it elsewhere.

        Returns:
            Where the code is for that process.

        Raises:
            BundleError: The folder is not empty or cannot be written; what was put there is removed again.
        """
        try:
            self._put(Tree(folder))
        except OSError as error:
            raise BundleError(f"The code could not be put into {folder}: {error}. Make room there.") from error
        return self.code(os.path.abspath(folder) if seen_as is None else seen_as)

    def _put(self, tree: Tree) -> None:
        try:
            for file, piece in zip(self.files, self._pieces, strict=True):
                tree.put_file(file.path, file.executable, self._contents.chunks(piece))
        except BaseException:
            tree.remove()
            raise

    def write(self, path: str) -> str:
        """Write a tar.gz that depends on the content alone and appears whole.

        Args:
            path: The file; one that exists is replaced.

        Returns:
            MD5 of the file, in Base64.

        Raises:
            BundleError: It cannot be written.
        """
        private = f"{path}.{secrets.token_hex(4)}.part"
        md5 = hashlib.md5(usedforsecurity=False)
        try:
            with open(private, "xb") as file:
                for packed in self._packed():
                    md5.update(packed)
                    file.write(packed)
            os.replace(private, path)
        except OSError as error:
            raise BundleError(f"{path} could not be written: {error}.") from error
        finally:
            with suppress(OSError):
                os.unlink(private)
        self.md5 = b64encode(md5.digest()).decode()
        return self.md5

    @functools.cached_property
    def md5(self) -> str:
        """MD5 of the archive, in Base64, as ``Content-MD5`` has it."""
        md5 = hashlib.md5(usedforsecurity=False)
        for packed in self._packed():
            md5.update(packed)
        return b64encode(md5.digest()).decode()

    def _packed(self) -> Iterator[bytes]:
        return map(_pack, _gathered(self._archive()))

    def _archive(self) -> Iterator[bytes]:
        for file, piece in zip(self.files, self._pieces, strict=True):
            header = tarfile.TarInfo(file.path)
            header.size = file.size
            header.mode = 0o755 if file.executable else 0o644
            yield header.tobuf(tarfile.PAX_FORMAT)
            yield from self._contents.chunks(piece)
            yield bytes(-file.size % tarfile.BLOCKSIZE)
        yield bytes(2 * tarfile.BLOCKSIZE)


def _gathered(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join small parts to pieces of a megabyte or more, which compress better."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _pack(piece: bytes) -> bytes:
    """Make a gzip member of a piece; one that shrinks like a bomb is stored, else it would not be unpacked."""
    packed = zlib.compress(piece, wbits=GZIP)
    return packed if len(packed) * LIMITS.ratio > len(piece) else zlib.compress(piece, 0, GZIP)


def _digest(files: list[File]) -> str:
    digest = hashlib.sha256(b"laminar bundle 1\n")
    for file in files:
        digest.update(f"{file.executable:d} {file.hexdigest} {file.path}\n".encode())
    return digest.hexdigest()


class _Mapped(Value, frozen=True):
    """Where the code is, in paths relative to the folder that holds it.

    Attributes:
        original: Where it was.
        script: The script, if there is one.
        path: ``sys.path``.
        program: ``sys.argv[0]``, if that is a file of the bundle.
        cwd: The current folder; empty for the bundle's own.
    """

    original: Code
    script: str | None
    path: tuple[str, ...]
    program: str | None
    cwd: str

    def code(self, folder: str) -> Code:
        def inside(path: str) -> str:
            return os.path.join(folder, path) if path else folder  # an absolute path stays as it is

        argv = self.original.argv
        return self.original.replace(
            script=None if self.script is None else inside(self.script),
            path=tuple(map(inside, self.path)),
            argv=argv if self.program is None else (inside(self.program), *argv[1:]),
            cwd=inside(self.cwd),
        )


class _Layout:
    """Which folder is the project, and where in the bundle everything goes."""

    def __init__(self, code: Code, search: Search, recorded: bool) -> None:
        self._code = code
        self._search = search
        self.root = _project(code, search)
        roots = [module.root for module in search.modules if not _is_below(module.root, self.root)]
        known = [] if recorded else [folder for folder in search.folders if folder in roots]
        self._others = {root: f"{OTHERS}/{n}" for n, root in enumerate(dict.fromkeys([*known, *roots]))}

    def modules(self) -> Iterator[tuple[str, str]]:
        """Give for each module where it goes and where it is."""
        for module in self._search.modules:
            folder = self.folder(module.root)
            yield (f"{folder}/{module.path}" if folder else module.path), module.file

    def folder(self, path: str) -> str | None:
        """Say where a folder of this machine is in the bundle; None if it is not in it."""
        if path in self._others:
            return self._others[path]
        return _relative(path, self.root) if _is_below(path, self.root) else None

    def mapped(self, paths: Iterable[str]) -> _Mapped:
        """Map the code for a bundle that holds these paths."""
        held = set(paths)
        folders = {folder for path in held for folder in _folders_above(path)}
        cwd = self.folder(os.path.realpath(self._code.cwd))
        program = self._program()
        return _Mapped(
            original=self._code,
            script=self._script(),
            path=tuple(
                folder for folder in map(self.folder, self._roots()) if folder is not None and folder in folders
            ),
            program=program if program in held else None,
            cwd=cwd if cwd is not None and cwd in folders else "",
        )

    def recorded(self, style: str) -> bytes:
        """Say how the code is loaded in words that depend on the project's content alone.

        The path has what modules were found by, and nothing else. Where only these travel, each is found by one folder
        alone, and the order says nothing.
        """
        used = {module.root for module in self._search.modules}
        if style == "none":
            used -= set(self._others)
        path = [folder for root in self._roots() if root in used and (folder := self.folder(root)) is not None]
        start = self._search.start
        program = None if start is None else self._inside(start.file)
        code = self._code.replace(
            script=self._script(),
            path=tuple(path if style == "all" else sorted(path)),
            argv=(program or "",),
        )
        return record.written(code, in_image=style == "none")

    def in_image(self) -> _Mapped:
        """Map the code for an image that holds the project, and other folders where they are here."""
        below = {root: _relative(root, self.root) for root in self._roots() if _is_below(root, self.root)}
        cwd = os.path.realpath(self._code.cwd)
        return _Mapped(
            original=self._code,
            script=self._script(),
            path=tuple(below.get(root, root) for root in self._roots()),
            program=self._program(),
            cwd=_relative(cwd, self.root) if _is_below(cwd, self.root) else "",
        )

    def _roots(self) -> list[str]:
        return list(dict.fromkeys([*self._search.folders, *(module.root for module in self._search.modules)]))

    def _script(self) -> str | None:
        return None if self._code.script is None else self._inside(self._code.script)

    def _program(self) -> str | None:
        argv = self._code.argv
        return self._inside(os.path.join(self._code.cwd, argv[0])) if argv and argv[0] else None

    def _inside(self, file: str) -> str | None:
        folder, name = os.path.split(os.path.realpath(file))
        inside = self.folder(folder)
        return None if inside is None else f"{inside}/{name}".lstrip("/")


def _project(code: Code, search: Search) -> str:
    """Choose the project: the current folder, if the code starts below it and it is no home; else where it starts."""
    cwd = os.path.realpath(code.cwd)
    start = search.start.root if search.start is not None else cwd
    return cwd if _is_below(start, cwd) and not _is_home(cwd) else start


def _is_home(folder: str) -> bool:
    return _is_below(os.path.realpath(os.path.expanduser("~")), folder)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _relative(path: str, folder: str) -> str:
    return path[len(folder) :].strip(os.sep).replace(os.sep, "/")


def _folders_above(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        yield path


def gather(code: Code, style: str = "loaded_modules", limits: Limits = LIMITS, *, recorded: bool = False) -> Bundle:
    """Read the files of the user's code.

    Args:
        code: Where it is. Its modules are looked for among those that this process has loaded.
        style: ``"loaded_modules"``: the Python files that the code consists of, also those that it imports later;
            ``"all"``: also every other file of the project that is not ignored; ``"none"``: nothing, for images that
            hold the code.
        limits: How much it may be.
        recorded: Whether a file of the bundle says how its code is loaded; see :mod:`laminar.packaging.record`.

    Raises:
        BundleError: A module has no file, a file cannot be read, or it is too much.
    """
    if style not in STYLES:
        raise BundleError(f"There is no copy style {style!r}.{nearest(style, STYLES)}")
    layout = _Layout(code, Search(code), recorded)
    chosen: dict[str, str] = {}
    left_out: list[LeftOut] = []
    if style == "all":
        left_out = _walk(code, layout.root, chosen, limits)
    if style != "none":
        chosen.update(layout.modules())
        for pattern in code.include:
            chosen.update(_included(pattern, layout.root, code.cwd))
    made = {record.PATH: layout.recorded(style)} if recorded else {}
    contents = Contents()
    files = _read(chosen, made, layout.root, contents, limits)
    bundle = Bundle(style, files, contents, layout.in_image() if style == "none" else layout.mapped(chosen))
    bundle.left_out = [one for one in left_out if one.path not in chosen]
    return bundle


def _included(pattern: str, root: str, cwd: str) -> Iterator[tuple[str, str]]:
    """Give for each file that a pattern means where it goes and where it is.

    Raises:
        BundleError: It means none, or one outside of the project.
    """
    found = sorted(glob.glob(pattern, recursive=True))
    if not found:
        raise BundleError(f"There is nothing at {pattern}, which an environment includes. Correct include=(…).")
    for path in map(os.path.realpath, found):
        if not _is_below(path, root):
            raise BundleError(f"{path} is included, and lies outside of the project at {root}. Move it there.")
        if os.path.isdir(path):
            folder = _relative(path, root)
            for one in Walk(path, cwd).files():
                yield (f"{folder}/{one.path}" if folder else one.path), one.file
        else:
            yield _relative(path, root), path


def _walk(code: Code, root: str, chosen: dict[str, str], limits: Limits) -> list[LeftOut]:
    if _is_home(root):
        raise BundleError(
            f"Everything in {root} would be copied, which holds your home folder. Move the code into a folder of its "
            'own, or use the copy style "loaded_modules".'
        )
    walk = Walk(root, code.cwd)
    sizes: dict[str, int] = {}
    for found in walk.files():
        chosen[found.path], sizes[found.path] = found.file, found.size
        if len(sizes) > limits.files:
            raise _too_much(f"more than {limits.files:,} files", root, sizes)
    if sum(sizes.values()) > limits.size:
        raise _too_much(f"{sum(sizes.values()) / MB:,.0f} MB, more than {limits.size / MB:,.0f}", root, sizes)
    return walk.left_out


def _read(
    chosen: dict[str, str], made: dict[str, bytes], root: str, contents: Contents, limits: Limits
) -> list[tuple[File, Piece]]:
    names = Names(limits)
    files = []
    for path in sorted({**chosen, **made}, key=os.fsencode):
        source = "" if path in made else chosen[path]
        if (refused := names.refusal(path)) is not None:
            raise BundleError(f"{source} cannot travel: it {refused}. Rename it, or name it in .laminarignore.")
        executable, piece = _take(source, contents) if source else (False, contents.take(BytesIO(made[path])))
        files.append((File(path, source, piece.size, executable, piece.hexdigest), piece))
        if contents.size > limits.size or len(files) > limits.files:
            sizes = {file.path: file.size for file, _ in files}
            raise _too_much(f"more than {limits.size / MB:,.0f} MB or {limits.files:,} files", root, sizes)
    contents.seal()
    return files


def _take(source: str, contents: Contents) -> tuple[bool, Piece]:
    try:
        with open(source, "rb", 0) as file:
            return bool(os.fstat(file.fileno()).st_mode & 0o100), contents.take(file)
    except OSError as error:
        raise BundleError(f"{source} cannot be read: {error.strerror}. It belongs to the code that travels.") from error


def _too_much(what: str, root: str, sizes: dict[str, int]) -> BundleError:
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:5]
    shown = ", ".join(f"{path} ({sizes[path] / MB:,.1f} MB)" for path in largest)
    folders: dict[str, int] = {}
    for path in sizes:
        top = path.partition("/")[0] + "/" if "/" in path else path
        folders[top] = folders.get(top, 0) + 1
    fullest = max(folders, key=lambda top: folders[top])
    return BundleError(
        f"The bundle of {root} would hold {what}. The largest: {shown}; most files: {fullest} ({folders[fullest]:,}). "
        f"Name in {os.path.join(root, '.laminarignore')} what the code does not need, as in .gitignore, or use the "
        'copy style "loaded_modules".'
    )
