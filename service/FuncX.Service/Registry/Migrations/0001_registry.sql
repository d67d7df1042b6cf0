-- Times are Unix microseconds. Numbers are never given twice (AUTOINCREMENT): tasks.db refers to them.
CREATE TABLE users (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
);

CREATE TABLE endpoints (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    owner         INTEGER NOT NULL REFERENCES users (number),
    endpoint_id   TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    registered_at INTEGER NOT NULL,
    deleted_at    INTEGER
);
CREATE UNIQUE INDEX endpoints_name ON endpoints (owner, name) WHERE deleted_at IS NULL;

-- A token is known by the SHA-256 of its text; the text is nowhere. endpoint is set for an endpoint's own credential.
CREATE TABLE tokens (
    id             TEXT    PRIMARY KEY,
    hash           BLOB    NOT NULL UNIQUE,
    owner          INTEGER NOT NULL REFERENCES users (number),
    endpoint       INTEGER REFERENCES endpoints (number),
    label          TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    last_used_at   INTEGER,
    revoked_at     INTEGER,
    revoked_reason TEXT
) WITHOUT ROWID;
CREATE INDEX tokens_endpoint ON tokens (endpoint) WHERE endpoint IS NOT NULL AND revoked_at IS NULL;

-- What a running service reads to learn of revocations: only the rows after the last one it has seen.
CREATE TABLE revocations (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    token_id TEXT NOT NULL
);
CREATE TRIGGER tokens_revoked AFTER UPDATE OF revoked_at ON tokens
WHEN OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL
BEGIN
    INSERT INTO revocations (token_id) VALUES (NEW.id);
END;

-- Deleted functions stay: accepted tasks still run them.
CREATE TABLE functions (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    owner         INTEGER NOT NULL REFERENCES users (number),
    function_id   TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    entry         TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    registered_at INTEGER NOT NULL,
    deleted_at    INTEGER,
    code          BLOB    NOT NULL,
    UNIQUE (owner, function_id)
);
CREATE INDEX functions_name ON functions (owner, name, registered_at) WHERE deleted_at IS NULL;
CREATE INDEX functions_newest ON functions (owner, registered_at) WHERE deleted_at IS NULL;
