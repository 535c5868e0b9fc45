-- Who is in which group, however they came into it: an index over the bodies of identities, which the database keeps
-- by itself, so that every version of the program that writes an identity keeps it.
CREATE TABLE identity_groups (grp TEXT NOT NULL, identity TEXT NOT NULL, PRIMARY KEY (grp, identity));
CREATE INDEX identity_groups_by_identity ON identity_groups (identity);

INSERT INTO identity_groups (grp, identity)
SELECT json_array_elements_text(body::json -> 'groups'), id FROM identities UNION
SELECT json_array_elements_text(body::json -> 'provisioned'), id FROM identities UNION
SELECT json_array_elements_text(body::json -> 'claimed'), id FROM identities;

CREATE FUNCTION identity_groups_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM identity_groups WHERE identity = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO identity_groups (grp, identity)
        SELECT json_array_elements_text(NEW.body::json -> 'groups'), NEW.id UNION
        SELECT json_array_elements_text(NEW.body::json -> 'provisioned'), NEW.id UNION
        SELECT json_array_elements_text(NEW.body::json -> 'claimed'), NEW.id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER identity_groups_of_new_and_gone AFTER INSERT OR DELETE ON identities
    FOR EACH ROW EXECUTE FUNCTION identity_groups_follow();
CREATE TRIGGER identity_groups_of_changed AFTER UPDATE ON identities
    FOR EACH ROW WHEN (OLD.body IS DISTINCT FROM NEW.body) EXECUTE FUNCTION identity_groups_follow();
