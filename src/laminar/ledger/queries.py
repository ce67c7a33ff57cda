"""Every statement of the ledger, each under one name."""

from __future__ import annotations

#: Version of the tables that these statements are for.
SCHEMA_VERSION = 3

SELECT_RUNS = (
    "SELECT space, run, state, epoch, host, place, pid, pid_started, lease, source, started, ended, error FROM runs"
)
FIND_RUN = SELECT_RUNS + " WHERE space = ? AND run = ?"
FIND_RUNS_BY_ID = SELECT_RUNS + " WHERE run = ? ORDER BY started"
FIND_RUNS_BY_PREFIX = SELECT_RUNS + " WHERE substr(run, 1, length(?1)) = ?1 ORDER BY started"
LIST_RUNS = SELECT_RUNS + " ORDER BY started DESC, run DESC LIMIT ?"
LIST_RUN_IDS = "SELECT run FROM runs GROUP BY run ORDER BY max(started) DESC LIMIT 1000"

CLAIM_RUN = """
INSERT INTO runs (space, run, state, epoch, host, place, pid, pid_started, lease, source, started)
VALUES (:space, :run, 'RUNNING', :epoch, :host, :place, :pid, :pid_started, :lease, :source, :now)
ON CONFLICT (space, run) DO UPDATE SET
    state = 'RUNNING', epoch = :epoch, host = :host, place = :place, pid = :pid, pid_started = :pid_started,
    lease = :lease, source = coalesce(:source, runs.source), ended = NULL, error = NULL
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
    state = excluded.state, size = coalesce(excluded.size, groups.size), reason = excluded.reason,
    started = coalesce(excluded.started, groups.started), ended = excluded.ended
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
PUT_REQUEST = """
INSERT INTO requests (space, run, kind, reason, time) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (space, run, kind) DO UPDATE SET reason = excluded.reason, time = excluded.time
"""
FIND_REQUEST = "SELECT reason FROM requests WHERE space = ? AND run = ? AND kind = ?"
DROP_REQUESTS = "DELETE FROM requests WHERE space = ? AND run = ?"

LIST_GROUPS = """
SELECT g.name, g.state, g.size, g.reason, g.started, g.ended,
    count(CASE a.state WHEN 'SUCCEEDED' THEN 1 END), count(CASE a.state WHEN 'RUNNING' THEN 1 END),
    count(CASE a.state WHEN 'FAILED' THEN 1 END)
FROM groups g LEFT JOIN actions a ON a.space = g.space AND a.run = g.run AND a.name = g.name
WHERE g.space = ? AND g.run = ? GROUP BY g.space, g.run, g.name ORDER BY g.started IS NULL, g.started, g.name
"""
LIST_ACTIONS = """
SELECT name, idx, state, reason, attempts, started, ended, task, parent, label FROM actions
WHERE space = ? AND run = ? AND (name = ?3 OR ?3 IS NULL) ORDER BY name, idx LIMIT ?4 OFFSET ?5
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
WHERE space = ? AND run = ? AND (name = ?3 OR ?3 IS NULL) AND (idx = ?4 OR ?4 IS NULL)
ORDER BY started, name, idx, number
"""
LIST_EVENTS_AFTER = """
SELECT sequence, time, kind, name, idx, detail FROM events WHERE space = ? AND run = ? AND sequence > ?
ORDER BY sequence LIMIT ?
"""
LIST_EVENTS = "SELECT time, kind, name, idx, detail FROM events WHERE space = ? AND run = ? ORDER BY sequence"
LIST_CALLS = """
SELECT name, idx, state, reason, attempts, started, ended, task, parent, label FROM actions
WHERE space = ?1 AND run = ?2 AND task IS NOT NULL AND (task = ?3 OR ?3 IS NULL) AND (state = ?4 OR ?4 IS NULL)
ORDER BY started IS NULL, started, name LIMIT ?5 OFFSET ?6
"""
LIST_CALLS_AFTER = """
SELECT name, idx, state, reason, attempts, started, ended, task, parent, label FROM actions
WHERE space = ?1 AND run = ?2 AND task IS NOT NULL AND (task = ?3 OR ?3 IS NULL) AND (state = ?4 OR ?4 IS NULL)
    AND (name, idx) > (?5, ?6)
ORDER BY name, idx LIMIT ?7
"""
FIND_ACTIONS = """
SELECT name, idx, state, reason, attempts, started, ended, task, parent, label FROM actions
WHERE space = ?1 AND run = ?2 AND (substr(name, 1, length(?3)) = ?3 OR task = ?3)
ORDER BY started NULLS FIRST, name LIMIT 1000
"""
LIST_TASKS = """
SELECT task, count(*), count(CASE state WHEN 'SUCCEEDED' THEN 1 END), count(CASE state WHEN 'RUNNING' THEN 1 END),
    count(CASE state WHEN 'FAILED' THEN 1 END), count(CASE state WHEN 'CANCELLED' THEN 1 END), min(started), max(ended),
    count(CASE WHEN reason LIKE 'cache: hit%' THEN 1 END)
FROM actions WHERE space = ? AND run = ? AND task IS NOT NULL GROUP BY task ORDER BY min(started) IS NULL, min(started)
"""
FIND_RESULT = "SELECT output, run, action, made, parts FROM results WHERE scope = ? AND task = ? AND key = ?"
FIND_RESULT_OF_ACTION = """
SELECT task, output, run, action, made, parts FROM results WHERE scope = ? AND run = ? AND action = ?
"""
LIST_RESULTS = """
SELECT output, run, action, made, parts FROM results WHERE scope = ? AND task = ? AND made < ?
ORDER BY action = ? DESC, run = ?, made DESC LIMIT ?
"""
PUT_RESULT = """
INSERT INTO results (scope, task, key, output, run, action, made, parts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (scope, task, key) DO UPDATE SET
    output = excluded.output, run = excluded.run, action = excluded.action, made = excluded.made, parts = excluded.parts
"""
PUT_CODE = "INSERT INTO codes (scope, task, digest, parts) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
FIND_CODE = "SELECT parts FROM codes WHERE scope = ? AND task = ? AND digest = ?"
