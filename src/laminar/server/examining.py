"""How a server of this machine is, by its settings, whether it runs or not; nothing is changed."""

from __future__ import annotations

import os
import stat
import time
from email.utils import parsedate_to_datetime

from laminar.errors import LaminarError
from laminar.host import mounts
from laminar.host.checks import Check, ok, problem, warning
from laminar.ledger import examining, server_tables, tables
from laminar.ledger.opening import SQLITE
from laminar.server import signing
from laminar.server.signing import Signer
from laminar.server.store import BUCKETS, open_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.schema import Component
    from laminar.server.settings import Settings

COMPONENTS = (tables.COMPONENT, server_tables.COMPONENT)
#: Bytes that should be free for what runs make.
ROOM = 10**9
#: Bytes without which nothing can be stored.
LEAST = 10**7
#: Seconds for an answer of the database or the store, and that clocks may differ: what is told has no fractions.
PATIENCE, APART = 5, 5.0


def server(settings: Settings) -> list[Check]:
    """Look at a server of this machine.

    Args:
        settings: How it is started.
    """
    state = os.path.abspath(settings.state)
    if os.path.isdir(state) and not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        return [problem("folder", f"{state} is not open to this user", "Look as the user that runs the server.")]
    return [*_database(settings.database_url), *_store(settings.store_url), _key(state)]


def _database(url: str) -> list[Check]:
    if url.startswith(SQLITE):
        return examining.file("database", url.removeprefix(f"{SQLITE}/"), COMPONENTS)
    return [_postgres(url)]


def _postgres(url: str) -> Check:
    try:
        import psycopg  # 60 ms and an extra, and only for who uses it
    except ImportError as error:
        return problem("database", f"psycopg is not installed ({error})", "pip install 'laminar[postgres]'")
    try:
        with psycopg.connect(url, connect_timeout=PATIENCE) as connection:
            version = connection.execute("SHOW server_version").fetchall()[0][0]
            there = connection.execute("SELECT to_regclass('components') IS NOT NULL").fetchall()[0][0]
            found: dict[str, int] = {}
            if there:
                found = dict(connection.execute("SELECT name, version FROM components").fetchall())
    except psycopg.Error as error:
        text = str(error).strip().partition("\n")[0]
        return problem("database", f"PostgreSQL does not answer: {text}", "Start it, or mend --database.")
    newer = [component.name for component in COMPONENTS if _is_newer(found, component)]
    if newer:
        return problem("database", f"the tables of {newer[0]!r} are of a newer laminar", "Upgrade laminar.")
    return ok("database", f"PostgreSQL {version}" + ("" if found else ", without tables yet"))


def _is_newer(found: dict[str, int], component: Component) -> bool:
    return found.get(component.name, 0) > component.version


def _store(url: str) -> list[Check]:
    return _bucket(url) if url.startswith(BUCKETS) else [_folder(url)]


def _folder(path: str) -> Check:
    if not os.path.isdir(path):
        return ok("store", f"{path} is not there yet; the server makes it")
    if not os.access(path, os.W_OK | os.X_OK):
        return problem("store", f"{path} cannot be written by this user", "Mend its permissions.")
    free = mounts.free(path)
    text = f"{path}, {free / 1e9:.1f} GB free"
    if free < LEAST:
        return problem("store", f"{path} has no room: {free:,} bytes are free", "Make room on its disk.")
    if free < ROOM:
        return warning("store", text, "laminar gc --dry-run says what can go.")
    return ok("store", text)


def _bucket(url: str) -> list[Check]:
    """Ask for a blob by a signed address, as workers do: that takes a key, a bucket, and clocks that agree."""
    import urllib3  # 40 ms, and only for who has a bucket

    try:
        signed = open_store(url, Signer(os.urandom(32))).signed_get(".laminar", PATIENCE * 2)
        answer = urllib3.request("GET", signed, timeout=PATIENCE, retries=False)
    except LaminarError as error:
        return [problem("store", str(error))]
    except urllib3.exceptions.HTTPError as error:
        return [problem("store", f"{url} does not answer: {error}", "See that its address is right.")]
    checks = [_clock(answer.headers.get("Date"), time.time())]
    if answer.status == 200 or (answer.status == 404 and b"NoSuchBucket" not in answer.data):
        return [ok("store", f"{url} answers"), *checks]
    return [problem("store", f"{url} answers {answer.status}", "See that bucket and credentials are right."), *checks]


def _clock(date: str | None, now: float) -> Check:
    """Compare the clock of the store's service with this one: signed addresses count for minutes."""
    if date is None:
        return warning("store clock", "the store does not tell its time", "Compare the clocks by hand.")
    apart = abs(parsedate_to_datetime(date).timestamp() - now)
    if apart > APART:
        return warning("store clock", f"the store's clock and this one differ by {apart:.0f} s", "Set this one by NTP.")
    return ok("store clock", "the store's clock and this one agree")


def _key(state: str) -> Check:
    name = "signing key"
    if os.environ.get(signing.VARIABLE):
        return ok(name, f"from {signing.VARIABLE}")
    path = os.path.join(state, signing.FILE)
    if not os.path.exists(path):
        return ok(name, f"{path} is not there yet; the server makes it")
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077:
        return problem(name, f"{path} can be read by others (mode {mode:o})", f"chmod 600 {path}")
    with open(path, "rb") as file:
        length = len(file.read().strip())
    if length < signing.SHORTEST:
        text = f"{path} holds {length} bytes, and a key has {signing.SHORTEST} or more"
        return problem(name, text, "Remove it, and the server makes another; or restore it from a copy.")
    return ok(name, f"{path}, only for its owner")
