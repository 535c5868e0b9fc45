-- Who outside is told of events, and what they are told.
--   deliveries: lookup —, identity the courier, repo the lane, owner the target
CREATE TABLE webhooks   (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE deliveries (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);

CREATE INDEX deliveries_by_due    ON deliveries (state, due);
CREATE INDEX deliveries_by_lane   ON deliveries (repo, state);
CREATE INDEX deliveries_by_target ON deliveries (owner, n);
