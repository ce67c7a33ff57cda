"""Archives that mean harm, or are damaged: each by name, with the words that refuse it."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
import zlib

MB = 1 << 20
KINDS = {
    "a symbolic link": tarfile.SYMTYPE,
    "a hard link": tarfile.LNKTYPE,
    "a character device": tarfile.CHRTYPE,
    "a block device": tarfile.BLKTYPE,
    "a named pipe": tarfile.FIFOTYPE,
    "a contiguous file": tarfile.CONTTYPE,
    "a sparse file": tarfile.GNUTYPE_SPARSE,
    "a long link name": tarfile.GNUTYPE_LONGLINK,
    "a global header": tarfile.XGLTYPE,
    "a vendor's kind of header": tarfile.SOLARIS_XHDTYPE,
    "a kind that nobody knows": b"Z",
}
PATHS = {
    "one level up": ("../evil", "leads out"),
    "up in the middle": ("a/../../evil", "leads out"),
    "up at the end": ("a/..", "leads out"),
    "up and back": ("a/../b", "leads out"),
    "an absolute path": ("/tmp/evil", "absolute"),
    "two slashes": ("//tmp/evil", "absolute"),
    "a drive": ("C:evil", "absolute"),
    "a drive and a slash": ("c:/evil", "absolute"),
    "a backslash": ("..\\evil", "backslash"),
    "a share": ("\\\\server\\evil", "backslash"),
    "the folder itself": (".", "empty part"),
    "a dot in the middle": ("a/./b", "empty part"),
    "an empty part": ("a//b", "empty part"),
    "a slash at the end of a file": ("pax/", "empty part"),
    "no name": ("", "empty part"),
    "a line feed": ("a\nb", "control character"),
    "an escape sequence": ("\x1b[2J", "control character"),
    "a part that is too long": ("x" * 256, "bytes"),
    "a part that is too long in bytes": ("ü" * 128, "bytes"),
    "a path that is too long": ("/".join(["y" * 200] * 6), "bytes"),
    "a path that is too deep": ("/".join("z" * 40), "parts"),
}


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, **more: object) -> bytes:
    """Make one entry, without checking anything."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(content)
    for attribute, value in more.items():
        setattr(info, attribute, value)
    return info.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % 512)


def pax(records: bytes, after: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Put an extended header before an entry."""
    return entry("./pax", records, kind) + after


def record(name: str, value: str) -> bytes:
    """Make a record of an extended header."""
    body = f" {name}={value}\n".encode()
    size = len(body) + 1
    while size != len(str(size)) + len(body):
        size = len(str(size)) + len(body)
    return str(size).encode() + body


def block(
    name: bytes = b"a",
    size: bytes = b"00000000000\0",
    kind: bytes = b"0",
    checksum: bytes | None = None,
    prefix: bytes = b"",
) -> bytes:
    """Make a header block byte by byte."""
    raw = bytearray(512)
    raw[: len(name)] = name
    raw[100:108] = b"0000644\0"
    raw[108:116] = raw[116:124] = b"0000000\0"
    raw[124:136] = size
    raw[136:148] = b"00000000000\0"
    raw[156:157] = kind
    raw[257:265] = b"ustar\x0000"
    raw[345 : 345 + len(prefix)] = prefix
    raw[148:156] = b" " * 8
    raw[148:156] = checksum or b"%06o\0 " % sum(raw)
    return bytes(raw)


END = bytes(1024)


def pack(*entries: bytes, end: bytes = END) -> bytes:
    """Make an archive."""
    return gzip.compress(b"".join(entries) + end, 1, mtime=0)


def bomb(megabytes: int) -> bytes:
    """Make a file of zeros, which shrinks a thousandfold."""
    header = entry("zeros", size=megabytes * MB)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(header), *(packer.compress(bytes(MB)) for _ in range(megabytes)), packer.compress(END)]
    return b"".join([*parts, packer.flush()])


def zipped(name: str) -> bytes:
    """Make a zip, as wheels are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "evil")
    return file.getvalue()


GOOD = entry("good.py", b"VALUE = 1\n")
LONG = "a/" * 3 + "b" * 120
#: A directory, a link out of it, and a file through the link; the shapes of CVE-2025-4517, -4330 and -4138 lengthen the
#: path until it is no longer resolved, that of CVE-2026-7774 has a hard link go through the symbolic one.
THROUGH = [
    entry("d", kind=tarfile.DIRTYPE),
    entry("d/link", kind=tarfile.SYMTYPE, linkname="../.."),
    entry("d/link/evil", b"evil"),
]
DEEP = "/".join(["d" * 247] * 16)

SHAPES: dict[str, tuple[bytes, str]] = {
    **{
        f"a path: {name}": (pack(GOOD, pax(record("path", path), entry("x", b"evil"))), words)
        for name, (path, words) in PATHS.items()
    },
    **{name: (pack(GOOD, entry("evil", kind=kind, linkname="/etc/passwd")), "") for name, kind in KINDS.items()},
    "a path outside in the plain header": (pack(entry("../evil", b"evil")), "leads out"),
    "a folder outside": (pack(entry("../evil", kind=tarfile.DIRTYPE)), "leads out"),
    "a path outside in GNU's long name": (
        pack(entry("././@LongLink", b"../evil\0", tarfile.GNUTYPE_LONGNAME), entry("x", b"evil")),
        "leads out",
    ),
    "a path outside by the prefix": (pack(block(b"evil", prefix=b"..")), "leads out"),
    "a zero byte in a name": (pack(block(b"good.py\0/../../evil")), "zero byte"),
    "a zero byte in an extended name": (pack(pax(record("path", "good\0evil"), entry("x"))), "control character"),
    "a name that is no UTF-8": (pack(block(b"\xff\xfe")), "no UTF-8"),
    "an extended name that is no UTF-8": (pack(pax(b"11 path=\xff\xff\n", entry("x"))), "extended header"),
    "a write through a link": (pack(*THROUGH), "neither a regular file"),
    "a link, then a file in its place": (
        pack(entry("x", kind=tarfile.SYMTYPE, linkname="/tmp/evil"), entry("x", b"evil")),
        "neither a regular file",
    ),
    "a hard link out, then a write to it": (
        pack(entry("x", kind=tarfile.LNKTYPE, linkname="../outside"), entry("x", b"evil")),
        "neither a regular file",
    ),
    "a link to a link": (
        pack(
            entry("x", kind=tarfile.SYMTYPE, linkname="y"),
            entry("y", kind=tarfile.SYMTYPE, linkname="../outside"),
            entry("x", b"evil"),
        ),
        "neither a regular file",
    ),
    "a link at the end of a path too long to resolve": (
        pack(pax(record("path", f"{DEEP}/link"), entry("x", kind=tarfile.SYMTYPE, linkname="../" * 20))),
        "neither a regular file",
    ),
    "a folder at the end of a path too long to resolve": (
        pack(pax(record("path", DEEP), entry("x", kind=tarfile.DIRTYPE))),
        "bytes",
    ),
    "a hard link through a symbolic one": (
        pack(*THROUGH[:2], entry("hard", kind=tarfile.LNKTYPE, linkname="d/link/outside")),
        "neither a regular file",
    ),
    "a link whose target is the folder itself": (pack(entry("x", kind=tarfile.SYMTYPE, linkname=".")), "neither"),
    "a link with content": (pack(entry("x", b"evil", tarfile.SYMTYPE, linkname="y")), "neither"),
    "a device with a mode for all": (pack(entry("mem", kind=tarfile.CHRTYPE, mode=0o777, devmajor=1)), "neither"),
    "the same file twice": (pack(GOOD, GOOD), "twice"),
    "two cases of one name": (pack(GOOD, entry("GOOD.py")), "another spelling"),
    "two cases of one folder": (pack(entry("a/x"), entry("A/y")), "another spelling"),
    "two forms of one letter": (pack(entry("caf\u00e9"), entry("cafe\u0301")), "another spelling"),
    "two cases outside ASCII": (pack(entry("\u00c4"), entry("\u00e4")), "another spelling"),
    "a sharp s": (pack(entry("stra\u00dfe"), entry("STRASSE")), "another spelling"),
    "a file where a folder is needed": (pack(entry("a", b"file"), entry("a/b", b"evil")), "as a file and as a folder"),
    "a folder where a file is": (pack(entry("a"), entry("a", kind=tarfile.DIRTYPE)), "as a file and as a folder"),
    "a file where a folder is": (pack(entry("a/b"), entry("a", b"evil")), "as a file and as a folder"),
    "a folder with content": (pack(entry("a", b"evil", tarfile.DIRTYPE)), "size"),
    "a negative size": (pack(block(size=b"\xff" * 12)), "size"),
    "a size of exabytes": (pack(block(size=b"\x80" + b"\x7f" * 11)), "more than"),
    "a size of gigabytes": (pack(block(size=b"77777777777\0")), "more than"),
    "a size that is no number": (pack(block(size=b"evil evil!\0\0")), "damaged"),
    "a size in an extended header": (pack(pax(record("size", "99"), entry("x"))), "'size' in an extended header"),
    "a sparse file by extended header": (pack(pax(record("GNU.sparse.major", "1"), entry("x"))), "GNU.sparse.major"),
    "a link by extended header": (pack(pax(record("linkpath", "/etc/passwd"), entry("x"))), "linkpath"),
    "an extended header before another": (pack(pax(record("path", "a"), pax(record("path", "b"), GOOD))), "neither"),
    "a thousand extended headers": (pack(*[entry("x", record("path", "a"), tarfile.XHDTYPE)] * 1000, GOOD), "neither"),
    "an extended header of megabytes": (pack(pax(record("path", "a" * 3 * MB), entry("x"))), "extended header of"),
    "an extended header without end": (pack(block(kind=b"x", size=b"77777777777\0")), "extended header of"),
    "an extended header of many records": (pack(pax(b"5 a=b\n" * 2000, entry("x"))), "extended header"),
    "an extended header that is no record": (pack(pax(b"evil", entry("x"))), "extended header"),
    "a record that is longer than its header": (pack(pax(b"99 path=a\n", entry("x"))), "extended header"),
    "a record that is shorter than itself": (pack(pax(b"5 path=a\n", entry("x"))), "extended header"),
    "a long name of megabytes": (pack(entry("L", b"a" * 3 * MB, tarfile.GNUTYPE_LONGNAME), GOOD), "extended header of"),
    "a wrong checksum": (pack(block(checksum=b"000001\0 ")), "damaged"),
    "a file behind the end": (pack(GOOD, END, entry("evil")), "hidden behind its end"),
    "bytes in the padding": (pack(entry("a", b"x")[:-3] + b"bad"), "hidden between its files"),
    "an archive behind the archive": (pack(GOOD) + pack(entry("evil")), "hidden behind its end"),
    "bytes behind the gzip": (pack(GOOD) + b"evil bytes", "damaged"),
    "no end": (pack(GOOD, end=b""), "ends too early"),
    "a file cut short": (pack(entry("a", b"x" * 5000)[:2000], end=b""), "ends too early"),
    "a gzip cut short": (pack(entry("a", random.Random(1).randbytes(5000)))[:3000], "ends too early"),
    "a gzip of nothing": (gzip.compress(b""), "ends too early"),
    "nothing": (b"", "ends too early"),
    "a tar without gzip": (GOOD + END, "no gzip"),
    "a zip": (zipped("../evil"), "no gzip"),
    "text in a gzip": (gzip.compress(b"evil" * 500), "damaged"),
    "a bomb of 200 MB": (bomb(200), "times its size"),
    "a bomb in a bomb's header": (pack(entry("a", bytes(60 * MB))), "times its size"),
    "more bytes than allowed": (pack(block(size=b"02000000001\0")), "more than 256 MB"),
    "a million files": (pack(b"".join(block(b"f%d" % n) for n in range(20_000))), "more than 10,000 files"),
    "a million folders": (pack(b"".join(block(b"f%d" % n, kind=b"5") for n in range(20_000))), "more than 10,000"),
    "one folder a million times": (pack(block(b"f", kind=b"5") * 20_000), "more than 10,000 files"),
}  # fmt: skip
