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

CREATE TABLE results (
    task TEXT NOT NULL, key TEXT NOT NULL, output TEXT NOT NULL, run TEXT NOT NULL, action TEXT NOT NULL,
    made REAL NOT NULL, parts TEXT NOT NULL,
    PRIMARY KEY (task, key)
) WITHOUT ROWID;
CREATE INDEX results_by_action ON results (run, action);
CREATE TABLE codes (
    task TEXT NOT NULL, digest TEXT NOT NULL, parts TEXT NOT NULL, PRIMARY KEY (task, digest)
) WITHOUT ROWID;

CREATE TRIGGER attempts_start AFTER INSERT ON attempts
    BEGIN
        UPDATE actions SET state = 'RUNNING', reason = CASE WHEN reason LIKE 'cache:%' THEN reason END,
            attempts = attempts + 1, started = coalesce(started, NEW.started)
        WHERE space = NEW.space AND run = NEW.run AND name = NEW.name AND idx = NEW.idx AND epoch = NEW.epoch;
    END;
PRAGMA user_version = 2;
