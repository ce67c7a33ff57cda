"""The tables of the ledger, and what takes them from one version to the next.

Written as SQLite reads it; only triggers have a form for each dialect. What a migration says stays as it is for ever.
"""

from __future__ import annotations

from laminar.ledger.queries import SCHEMA_VERSION
from laminar.ledger.schema import Component

#: What is kept of task calls for later runs. A scope is what shares them: a space of a server.
RESULTS = """
CREATE TABLE results (
    scope TEXT NOT NULL, task TEXT NOT NULL, key TEXT NOT NULL, output TEXT NOT NULL, run TEXT NOT NULL,
    action TEXT NOT NULL, made REAL NOT NULL, parts TEXT NOT NULL,
    PRIMARY KEY (scope, task, key)
) WITHOUT ROWID;
CREATE INDEX results_by_action ON results (scope, run, action);
CREATE TABLE codes (
    scope TEXT NOT NULL, task TEXT NOT NULL, digest TEXT NOT NULL, parts TEXT NOT NULL,
    PRIMARY KEY (scope, task, digest)
) WITHOUT ROWID;
"""
#: Followers of a run go on after the last event that they know.
EVENTS_BY_RUN = """
CREATE INDEX events_by_run ON events (space, run, sequence);
"""
TABLES = (
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
CREATE TABLE requests (
    space TEXT NOT NULL, run TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, time REAL NOT NULL,
    PRIMARY KEY (space, run, kind)
) WITHOUT ROWID;
"""
    + EVENTS_BY_RUN
    + RESULTS
)

#: Ends are final. What an action waited for is over once it starts; what was found in the cache about it stays.
ATTEMPTS_START = """
CREATE TRIGGER attempts_start AFTER INSERT ON attempts
    BEGIN
        UPDATE actions SET state = 'RUNNING', reason = CASE WHEN reason LIKE 'cache:%' THEN reason END,
            attempts = attempts + 1, started = coalesce(started, NEW.started)
        WHERE space = NEW.space AND run = NEW.run AND name = NEW.name AND idx = NEW.idx AND epoch = NEW.epoch;
    END;
"""
SQLITE_TRIGGERS = (
    """
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
    + ATTEMPTS_START
)
POSTGRES_TRIGGERS = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE TRIGGER attempts_final BEFORE UPDATE ON attempts FOR EACH ROW
    WHEN (OLD.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED'))
    EXECUTE FUNCTION refuse('an attempt that has ended does not change');
CREATE TRIGGER actions_final BEFORE UPDATE ON actions FOR EACH ROW
    WHEN (OLD.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND NEW.epoch <= OLD.epoch)
    EXECUTE FUNCTION refuse('an action that has ended changes only under a new holder of the run');
CREATE TRIGGER runs_final BEFORE UPDATE ON runs FOR EACH ROW
    WHEN (OLD.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND NEW.epoch <= OLD.epoch)
    EXECUTE FUNCTION refuse('a run that has ended changes only under a new holder');
CREATE FUNCTION start_action() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE actions SET state = 'RUNNING', reason = CASE WHEN reason LIKE 'cache:%' THEN reason END,
            attempts = attempts + 1, started = coalesce(started, NEW.started)
        WHERE space = NEW.space AND run = NEW.run AND name = NEW.name AND idx = NEW.idx AND epoch = NEW.epoch;
        RETURN NULL;
    END $$;
CREATE TRIGGER attempts_start AFTER INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION start_action();
"""

SET_RESULTS_ASIDE = """
CREATE TEMPORARY TABLE results_2 AS SELECT * FROM results;
CREATE TEMPORARY TABLE codes_2 AS SELECT * FROM codes;
DROP TABLE results;
DROP TABLE codes;
DROP INDEX events_by_run;
"""
TAKE_RESULTS_BACK = """
INSERT INTO results (scope, task, key, output, run, action, made, parts)
    SELECT '', task, key, output, run, action, made, parts FROM results_2;
INSERT INTO codes (scope, task, digest, parts) SELECT '', task, digest, parts FROM codes_2;
DROP TABLE results_2;
DROP TABLE codes_2;
"""
MIGRATIONS = {
    1: """
DROP TRIGGER attempts_start;
ALTER TABLE actions ADD COLUMN task TEXT;
ALTER TABLE actions ADD COLUMN parent TEXT;
ALTER TABLE actions ADD COLUMN label TEXT;
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
    + ATTEMPTS_START,
    2: SET_RESULTS_ASIDE + EVENTS_BY_RUN + RESULTS + TAKE_RESULTS_BACK,
}

COMPONENT = Component(
    name="ledger",
    version=SCHEMA_VERSION,
    tables=TABLES,
    triggers={"sqlite": SQLITE_TRIGGERS, "postgres": POSTGRES_TRIGGERS},
    migrations=MIGRATIONS,
)
