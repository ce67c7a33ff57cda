"""The tables that only a server has, beside those of the ledger."""

from __future__ import annotations

from laminar.ledger.schema import Component

TABLES = """
CREATE TABLE projects (
    name TEXT NOT NULL PRIMARY KEY, description TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE bundles (
    space TEXT NOT NULL, md5 TEXT NOT NULL, size INTEGER NOT NULL, created REAL NOT NULL, PRIMARY KEY (space, md5)
) WITHOUT ROWID;
CREATE TABLE deployments (
    space TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, content TEXT NOT NULL,
    bundle TEXT NOT NULL, spec TEXT NOT NULL, created REAL NOT NULL, author TEXT NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (space, kind, name, version)
) WITHOUT ROWID;
CREATE UNIQUE INDEX deployments_by_sequence ON deployments (space, sequence);
CREATE INDEX deployments_by_name ON deployments (space, kind, name, sequence);
CREATE TABLE entities (
    space TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, kind TEXT NOT NULL, bundle TEXT NOT NULL,
    spec TEXT NOT NULL, created REAL NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (space, name, version)
) WITHOUT ROWID;
CREATE UNIQUE INDEX entities_by_sequence ON entities (space, sequence);
CREATE INDEX entities_by_name ON entities (space, name, sequence);

CREATE TABLE submissions (
    space TEXT NOT NULL, run TEXT NOT NULL, kind TEXT NOT NULL, entity TEXT NOT NULL, version TEXT NOT NULL,
    state TEXT NOT NULL, created REAL NOT NULL, author TEXT NOT NULL, labels TEXT NOT NULL, request TEXT NOT NULL,
    rerun_of TEXT, fired_by TEXT,
    PRIMARY KEY (space, run)
) WITHOUT ROWID;
CREATE INDEX submissions_by_creation ON submissions (space, created, run);
CREATE INDEX submissions_by_state ON submissions (space, state, created, run, entity);
CREATE INDEX submissions_by_entity ON submissions (space, entity, created, run, state);
CREATE TABLE labels (
    space TEXT NOT NULL, label TEXT NOT NULL, created REAL NOT NULL, run TEXT NOT NULL,
    PRIMARY KEY (space, label, created, run)
) WITHOUT ROWID;
CREATE TABLE servers (
    name TEXT NOT NULL PRIMARY KEY, url TEXT NOT NULL, seen REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_that_wait ON runs (started) WHERE state = 'WAITING';
CREATE INDEX runs_that_go_on ON runs (lease) WHERE state = 'RUNNING';
CREATE INDEX runs_by_holder ON runs (host) WHERE state = 'RUNNING';

CREATE TABLE calls (
    space TEXT NOT NULL, run TEXT NOT NULL, sequence INTEGER NOT NULL, id TEXT NOT NULL, entry TEXT NOT NULL,
    PRIMARY KEY (space, run, sequence)
) WITHOUT ROWID;
CREATE INDEX calls_by_id ON calls (space, run, id, sequence);

CREATE TABLE triggers (
    space TEXT NOT NULL, entity TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, spec TEXT NOT NULL,
    active INTEGER NOT NULL, state TEXT NOT NULL, due REAL, revision INTEGER NOT NULL, created REAL NOT NULL,
    PRIMARY KEY (space, entity, name)
) WITHOUT ROWID;
CREATE INDEX triggers_by_due ON triggers (due) WHERE active = 1;
CREATE TABLE firings (
    space TEXT NOT NULL, entity TEXT NOT NULL, name TEXT NOT NULL, due INTEGER NOT NULL, decision TEXT NOT NULL,
    reason TEXT, run TEXT, decided REAL NOT NULL,
    PRIMARY KEY (space, entity, name, due)
) WITHOUT ROWID;

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, digest TEXT NOT NULL, created REAL NOT NULL,
    expires REAL, revoked REAL, last_used REAL
) WITHOUT ROWID;

CREATE TABLE queues (
    space TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (space, name)
) WITHOUT ROWID;
CREATE TABLE slots (
    space TEXT NOT NULL, queue TEXT NOT NULL, holder TEXT NOT NULL, server TEXT NOT NULL, lease REAL NOT NULL,
    PRIMARY KEY (space, queue, holder)
) WITHOUT ROWID;
CREATE INDEX slots_by_server ON slots (server);
"""

#: What lists are filtered by follows the runs.
SQLITE_TRIGGERS = """
CREATE TRIGGER runs_state AFTER UPDATE OF state ON runs WHEN NEW.state <> OLD.state
    BEGIN UPDATE submissions SET state = NEW.state WHERE space = NEW.space AND run = NEW.run; END;
"""
POSTGRES_TRIGGERS = """
CREATE FUNCTION follow_run() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN UPDATE submissions SET state = NEW.state WHERE space = NEW.space AND run = NEW.run; RETURN NULL; END $$;
CREATE TRIGGER runs_state AFTER UPDATE OF state ON runs FOR EACH ROW WHEN (NEW.state <> OLD.state)
    EXECUTE FUNCTION follow_run();
"""

COMPONENT = Component(
    name="server",
    version=1,
    tables=TABLES,
    triggers={"sqlite": SQLITE_TRIGGERS, "postgres": POSTGRES_TRIGGERS},
    migrations={},
)
