-- Images and environment are JSON objects of texts. Deleted containers stay: functions name them.
CREATE TABLE containers (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    owner         INTEGER NOT NULL REFERENCES users (number),
    container_id  TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    registered_at INTEGER NOT NULL,
    deleted_at    INTEGER,
    images        TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    UNIQUE (owner, container_id)
);
CREATE INDEX containers_name ON containers (owner, name, registered_at) WHERE deleted_at IS NULL;
CREATE INDEX containers_newest ON containers (owner, registered_at) WHERE deleted_at IS NULL;

-- The id of the container that a function runs in, of the same owner; '' none.
ALTER TABLE functions ADD COLUMN container TEXT NOT NULL DEFAULT '';
