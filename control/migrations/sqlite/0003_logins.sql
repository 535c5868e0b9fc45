-- Sign-ins of people.
--   lookup  the hash of a browser's cookie
--   state   browser or command_line
--   owner   issuer and subject, as the SSO provider names somebody
CREATE TABLE logins (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE INDEX logins_by_identity ON logins (identity);
CREATE INDEX logins_by_owner    ON logins (owner);
CREATE INDEX logins_by_due      ON logins (due);
