-- How grants were used: whether anybody connected, and when.
CREATE TABLE usages (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
