-- Slack: where the messages stand that follow their requests.
CREATE TABLE slack_posts       (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
