-- Who is who in Slack: ties of Slack users to identities and the calls that came.
CREATE TABLE slack_links       (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE slack_seen        (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);

CREATE INDEX slack_links_by_identity  ON slack_links (identity);
CREATE INDEX slack_seen_by_due        ON slack_seen (due);
