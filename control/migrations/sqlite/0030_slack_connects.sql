-- Slack: addresses that were given out for connecting in the browser.
CREATE TABLE slack_connects    (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);

CREATE INDEX slack_connects_by_due    ON slack_connects (due);
