-- Sign-ins on the command line that wait for their person in a browser.
--   lookup  the code that the person types
CREATE TABLE device_logins (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE INDEX device_logins_by_due ON device_logins (due);
