-- The records: one table per kind, all of one shape. What is looked for has a column; the rest is in `body`.
--   n       the order in which records came in, and the cursor of lists
--   lookup  a second unique key (a name, the hash of a token)
--   owner   who filed or issued it, or which sidecar it belongs to
--   due     the moment at which time changes it, in milliseconds since the Unix epoch
CREATE TABLE api_clients   (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE api_tokens    (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE sidecars      (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE repos         (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE identities    (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE rules         (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE requests      (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE grants        (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE sessions      (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE access_tokens (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE replays       (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);

CREATE INDEX api_tokens_by_owner       ON api_tokens (owner);
CREATE INDEX api_tokens_by_identity    ON api_tokens (identity);
CREATE INDEX api_tokens_by_due         ON api_tokens (due);
CREATE INDEX requests_by_due           ON requests (state, due);
CREATE INDEX requests_by_identity      ON requests (identity, n);
CREATE INDEX requests_by_owner         ON requests (owner, n);
CREATE INDEX grants_by_due             ON grants (state, due);
CREATE INDEX grants_by_repo            ON grants (repo, state);
CREATE INDEX grants_by_identity        ON grants (identity, state);
CREATE INDEX sessions_by_owner         ON sessions (owner, state);
CREATE INDEX access_tokens_by_identity ON access_tokens (identity);
CREATE INDEX access_tokens_by_due      ON access_tokens (due);
CREATE INDEX replays_by_due            ON replays (due);

-- What the feed tells the sidecars, in the order of the transactions that it was written in.
CREATE TABLE change_log (position INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, entry TEXT NOT NULL);

-- Audit records of every chain, and how long each chain is.
CREATE TABLE audit (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    chain    TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    identity TEXT NOT NULL,
    repo     TEXT NOT NULL,
    body     TEXT NOT NULL,
    UNIQUE (chain, seq)
);
CREATE INDEX audit_by_time ON audit (at);
CREATE TABLE audit_heads (chain TEXT PRIMARY KEY, count INTEGER NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;

-- The feed's signing key, the clock's high-water mark, how far the log was pruned.
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
