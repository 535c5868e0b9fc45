-- Who is in which group, however they came into it: an index over the bodies of identities, which the database keeps
-- by itself, so that every version of the program that writes an identity keeps it.
CREATE TABLE identity_groups (grp TEXT NOT NULL, identity TEXT NOT NULL, PRIMARY KEY (grp, identity)) WITHOUT ROWID;
CREATE INDEX identity_groups_by_identity ON identity_groups (identity);

INSERT INTO identity_groups (grp, identity)
SELECT g.value, i.id FROM identities AS i, json_each(i.body, '$.groups') AS g UNION
SELECT g.value, i.id FROM identities AS i, json_each(i.body, '$.provisioned') AS g UNION
SELECT g.value, i.id FROM identities AS i, json_each(i.body, '$.claimed') AS g;

CREATE TRIGGER identity_groups_of_new AFTER INSERT ON identities BEGIN
    INSERT INTO identity_groups (grp, identity)
    SELECT value, NEW.id FROM json_each(NEW.body, '$.groups') UNION
    SELECT value, NEW.id FROM json_each(NEW.body, '$.provisioned') UNION
    SELECT value, NEW.id FROM json_each(NEW.body, '$.claimed');
END;

CREATE TRIGGER identity_groups_of_changed AFTER UPDATE OF body ON identities WHEN OLD.body <> NEW.body BEGIN
    DELETE FROM identity_groups WHERE identity = NEW.id;
    INSERT INTO identity_groups (grp, identity)
    SELECT value, NEW.id FROM json_each(NEW.body, '$.groups') UNION
    SELECT value, NEW.id FROM json_each(NEW.body, '$.provisioned') UNION
    SELECT value, NEW.id FROM json_each(NEW.body, '$.claimed');
END;

CREATE TRIGGER identity_groups_of_gone AFTER DELETE ON identities BEGIN
    DELETE FROM identity_groups WHERE identity = OLD.id;
END;
