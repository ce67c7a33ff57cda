"""Every SQL statement of the ledger, each under one name."""

from __future__ import annotations

SCHEMA_VERSION = 2

#: What is kept of task calls for later runs.
RESULTS = """
CREATE TABLE results (
    task TEXT NOT NULL, key TEXT NOT NULL, output TEXT NOT NULL, run TEXT NOT NULL, action TEXT NOT NULL,
    made REAL NOT NULL, parts TEXT NOT NULL,
    PRIMARY KEY (task, key)
) WITHOUT ROWID;
CREATE INDEX results_by_action ON results (run, action);
CREATE TABLE codes (
    task TEXT NOT NULL, digest TEXT NOT NULL, parts TEXT NOT NULL, PRIMARY KEY (task, digest)
) WITHOUT ROWID;
"""
#: What an action waited for is over once it starts; what was found out about its result in the cache stays.
ATTEMPTS_START = """
CREATE TRIGGER attempts_start AFTER INSERT ON attempts
    BEGIN
        UPDATE actions SET state = 'RUNNING', reason = CASE WHEN reason LIKE 'cache:%' THEN reason END,
            attempts = attempts + 1, started = coalesce(started, NEW.started)
        WHERE space = NEW.space AND run = NEW.run AND name = NEW.name AND idx = NEW.idx AND epoch = NEW.epoch;
    END;
"""

SCHEMA = (
    """
CREATE TABLE runs (
    space TEXT NOT NULL, run TEXT NOT NULL, state TEXT NOT NULL, epoch INTEGER NOT NULL,
    host TEXT NOT NULL, place TEXT NOT NULL, pid INTEGER NOT NULL, pid_started TEXT NOT NULL, lease REAL NOT NULL,
    source TEXT, started REAL NOT NULL, ended REAL, error TEXT,
    PRIMARY KEY (space, run)
) WITHOUT ROWID;
CREATE INDEX runs_by_start ON runs (started);
CREATE TABLE groups (
    space TEXT NOT NULL, run TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, size INTEGER, reason TEXT,
    started REAL, ended REAL,
    PRIMARY KEY (space, run, name)
) WITHOUT ROWID;
CREATE TABLE actions (
    space TEXT NOT NULL, run TEXT NOT NULL, name TEXT NOT NULL, idx INTEGER NOT NULL, epoch INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT, attempts INTEGER NOT NULL DEFAULT 0, started REAL, ended REAL,
    task TEXT, parent TEXT, label TEXT,
    PRIMARY KEY (space, run, name, idx)
) WITHOUT ROWID;
CREATE TABLE attempts (
    space TEXT NOT NULL, run TEXT NOT NULL, name TEXT NOT NULL, idx INTEGER NOT NULL, number INTEGER NOT NULL,
    epoch INTEGER NOT NULL, state TEXT NOT NULL, outcome TEXT, started REAL NOT NULL, ended REAL, cpu REAL, memory REAL,
    log TEXT NOT NULL,
    PRIMARY KEY (space, run, name, idx, epoch, number)
) WITHOUT ROWID;
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY, space TEXT NOT NULL, run TEXT NOT NULL, time REAL NOT NULL, kind TEXT NOT NULL,
    name TEXT, idx INTEGER, detail TEXT NOT NULL
);
CREATE INDEX events_by_run ON events (space, run);
CREATE TABLE requests (
    space TEXT NOT NULL, run TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, time REAL NOT NULL,
    PRIMARY KEY (space, run, kind)
) WITHOUT ROWID;
CREATE TRIGGER attempts_final BEFORE UPDATE ON attempts
    WHEN OLD.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
    BEGIN SELECT RAISE(ABORT, 'an attempt that has ended does not change'); END;
CREATE TRIGGER actions_final BEFORE UPDATE ON actions
    WHEN OLD.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND NEW.epoch <= OLD.epoch
    BEGIN SELECT RAISE(ABORT, 'an action that has ended changes only under a new holder of the run'); END;
CREATE TRIGGER runs_final BEFORE UPDATE ON runs
    WHEN OLD.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND NEW.epoch <= OLD.epoch
    BEGIN SELECT RAISE(ABORT, 'a run that has ended changes only under a new holder'); END;
"""
    + RESULTS
    + ATTEMPTS_START
)

#: What takes a ledger to the next schema, by the schema that it has.
MIGRATIONS = {
    1: """
DROP TRIGGER attempts_start;
ALTER TABLE actions ADD COLUMN task TEXT;
ALTER TABLE actions ADD COLUMN parent TEXT;
ALTER TABLE actions ADD COLUMN label TEXT;
"""
    + RESULTS
    + ATTEMPTS_START,
}

SELECT_RUNS = (
    "SELECT space, run, state, epoch, host, place, pid, pid_started, lease, source, started, ended, error FROM runs"
)
FIND_RUN = SELECT_RUNS + " WHERE space = ? AND run = ?"
FIND_RUNS_BY_ID = SELECT_RUNS + " WHERE run = ? ORDER BY started"
FIND_RUNS_BY_PREFIX = SELECT_RUNS + " WHERE substr(run, 1, length(?1)) = ?1 ORDER BY started"
LIST_RUNS = SELECT_RUNS + " ORDER BY started DESC, run DESC LIMIT ?"
LIST_RUN_IDS = "SELECT DISTINCT run FROM runs ORDER BY started DESC LIMIT 1000"

CLAIM_RUN = """
INSERT INTO runs (space, run, state, epoch, host, place, pid, pid_started, lease, source, started)
VALUES (:space, :run, 'RUNNING', :epoch, :host, :place, :pid, :pid_started, :lease, :source, :now)
ON CONFLICT (space, run) DO UPDATE SET
    state = 'RUNNING', epoch = :epoch, host = :host, place = :place, pid = :pid, pid_started = :pid_started,
    lease = :lease, source = coalesce(:source, source), ended = NULL, error = NULL
"""
CLOSE_ATTEMPTS_OF_OLDER_HOLDERS = """
UPDATE attempts SET state = 'CANCELLED', outcome = 'its scheduler died', ended = :now
WHERE space = :space AND run = :run AND epoch < :epoch AND state IN ('WAITING', 'RUNNING')
"""
EXTEND_LEASE = "UPDATE runs SET lease = ? WHERE space = ? AND run = ? AND epoch = ? AND state = 'RUNNING'"
END_RUN = "UPDATE runs SET state = ?, ended = ?, error = ? WHERE space = ? AND run = ? AND epoch = ?"

PUT_GROUP = """
INSERT INTO groups (space, run, name, state, size, reason, started, ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (space, run, name) DO UPDATE SET
    state = excluded.state, size = coalesce(excluded.size, size), reason = excluded.reason,
    started = coalesce(excluded.started, started), ended = excluded.ended
"""
PUT_ACTION = """
INSERT INTO actions (space, run, name, idx, epoch, state, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (space, run, name, idx) DO UPDATE SET
    epoch = excluded.epoch, state = excluded.state, reason = excluded.reason, ended = NULL
"""
PUT_CALL = """
INSERT INTO actions (space, run, name, idx, epoch, state, reason, attempts, started, ended, task, parent, label)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (space, run, name, idx) DO UPDATE SET
    epoch = excluded.epoch, state = excluded.state, reason = excluded.reason, attempts = excluded.attempts,
    started = excluded.started, ended = excluded.ended, task = excluded.task, parent = excluded.parent,
    label = excluded.label
"""
PUT_ATTEMPT = """
INSERT INTO attempts (space, run, name, idx, number, epoch, state, outcome, started, ended, cpu, memory, log)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SETTLE_ACTION = """
UPDATE actions SET state = ?, reason = coalesce(?, CASE WHEN reason LIKE 'cache:%' THEN reason END), ended = ?
WHERE space = ? AND run = ? AND name = ? AND idx = ? AND epoch = ?
"""
START_ATTEMPT = """
INSERT INTO attempts (space, run, name, idx, number, epoch, state, started, log)
VALUES (?, ?, ?, ?, ?, ?, 'RUNNING', ?, ?)
"""
END_ATTEMPT = """
UPDATE attempts SET state = ?, outcome = ?, ended = ?, cpu = ?, memory = ?
WHERE space = ? AND run = ? AND name = ? AND idx = ? AND number = ? AND epoch = ?
"""
ADD_EVENT = "INSERT INTO events (space, run, time, kind, name, idx, detail) VALUES (?, ?, ?, ?, ?, ?, ?)"
PUT_REQUEST = "INSERT OR REPLACE INTO requests (space, run, kind, reason, time) VALUES (?, ?, ?, ?, ?)"
FIND_REQUEST = "SELECT reason FROM requests WHERE space = ? AND run = ? AND kind = ?"
DROP_REQUESTS = "DELETE FROM requests WHERE space = ? AND run = ?"

LIST_GROUPS = """
SELECT g.name, g.state, g.size, g.reason, g.started, g.ended,
    count(CASE a.state WHEN 'SUCCEEDED' THEN 1 END), count(CASE a.state WHEN 'RUNNING' THEN 1 END),
    count(CASE a.state WHEN 'FAILED' THEN 1 END)
FROM groups g LEFT JOIN actions a ON a.space = g.space AND a.run = g.run AND a.name = g.name
WHERE g.space = ? AND g.run = ? GROUP BY g.name ORDER BY g.started IS NULL, g.started, g.name
"""
LIST_ACTIONS = """
SELECT name, idx, state, reason, attempts, started, ended, task, parent, label FROM actions
WHERE space = ? AND run = ? AND (?3 IS NULL OR name = ?3) ORDER BY name, idx LIMIT ?4 OFFSET ?5
"""
LIST_REASONS = """
SELECT name, reason, count(*), min(idx) FROM actions WHERE space = ? AND run = ? AND state = ? AND reason IS NOT NULL
GROUP BY name, reason ORDER BY name, count(*) DESC, min(idx)
"""
LIST_CALL_REASONS = """
SELECT task, reason, count(*), min(name) FROM actions
WHERE space = ? AND run = ? AND state = ? AND task IS NOT NULL AND reason IS NOT NULL AND reason NOT LIKE 'cache:%'
GROUP BY task, reason ORDER BY task, count(*) DESC, min(name)
"""
LIST_ATTEMPTS = """
SELECT name, idx, number, epoch, state, outcome, started, ended, cpu, memory, log FROM attempts
WHERE space = ? AND run = ? AND (?3 IS NULL OR name = ?3) AND (?4 IS NULL OR idx = ?4)
ORDER BY started, name, idx, number
"""
LIST_EVENTS = "SELECT time, kind, name, idx, detail FROM events WHERE space = ? AND run = ? ORDER BY sequence"
LIST_CALLS = """
SELECT name, idx, state, reason, attempts, started, ended, task, parent, label FROM actions
WHERE space = ?1 AND run = ?2 AND task IS NOT NULL AND (?3 IS NULL OR task = ?3) AND (?4 IS NULL OR state = ?4)
ORDER BY started IS NULL, started, name LIMIT ?5 OFFSET ?6
"""
FIND_ACTIONS = """
SELECT name, idx, state, reason, attempts, started, ended, task, parent, label FROM actions
WHERE space = ?1 AND run = ?2 AND (substr(name, 1, length(?3)) = ?3 OR task = ?3) ORDER BY started, name LIMIT 1000
"""
LIST_TASKS = """
SELECT task, count(*), count(CASE state WHEN 'SUCCEEDED' THEN 1 END), count(CASE state WHEN 'RUNNING' THEN 1 END),
    count(CASE state WHEN 'FAILED' THEN 1 END), count(CASE state WHEN 'CANCELLED' THEN 1 END), min(started), max(ended),
    count(CASE WHEN reason LIKE 'cache: hit%' THEN 1 END)
FROM actions WHERE space = ? AND run = ? AND task IS NOT NULL GROUP BY task ORDER BY min(started) IS NULL, min(started)
"""
FIND_RESULT = "SELECT output, run, action, made, parts FROM results WHERE task = ? AND key = ?"
FIND_RESULT_OF_ACTION = "SELECT task, output, run, action, made, parts FROM results WHERE run = ? AND action = ?"
LIST_RESULTS = """
SELECT output, run, action, made, parts FROM results WHERE task = ? AND made < ?
ORDER BY action = ? DESC, run = ?, made DESC LIMIT ?
"""
PUT_RESULT = "INSERT OR REPLACE INTO results (task, key, output, run, action, made, parts) VALUES (?, ?, ?, ?, ?, ?, ?)"
PUT_CODE = "INSERT OR IGNORE INTO codes (task, digest, parts) VALUES (?, ?, ?)"
FIND_CODE = "SELECT parts FROM codes WHERE task = ? AND digest = ?"
