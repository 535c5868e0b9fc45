-- Users and groups that a directory provisioned, and who is in which.
--   lookup    the user name, or the group's name, in lower case
--   identity  whose user it is at the gate; of a membership: the user
--   owner     the directory's own id; of a membership: the group
CREATE TABLE directory_users  (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE directory_groups (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);
CREATE TABLE memberships      (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, lookup TEXT UNIQUE, identity TEXT, repo TEXT, state TEXT, owner TEXT, due INTEGER, body TEXT NOT NULL);

CREATE INDEX directory_users_by_identity ON directory_users (identity);
CREATE INDEX directory_users_by_owner    ON directory_users (owner);
CREATE INDEX directory_groups_by_owner   ON directory_groups (owner);
CREATE INDEX memberships_by_identity     ON memberships (identity, n);
CREATE INDEX memberships_by_owner        ON memberships (owner, n);
