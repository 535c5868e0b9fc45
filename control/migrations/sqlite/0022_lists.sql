-- What a sidecar's snapshot needs: the grants of a repo that live, and those that ended lately.
CREATE INDEX grants_live_of_repo  ON grants (repo, n) WHERE state IN ('SCHEDULED', 'ACTIVE');
CREATE INDEX grants_ended_of_repo ON grants (repo, due) WHERE state IN ('EXPIRED', 'REVOKED');
DROP INDEX grants_by_repo;
-- Lists, in the order in which records came in.
CREATE INDEX requests_by_state    ON requests (state, n);
CREATE INDEX requests_by_repo     ON requests (repo, n);
CREATE INDEX grants_by_state      ON grants (state, n);
CREATE INDEX grants_of_repo       ON grants (repo, n);
CREATE INDEX grants_of_identity   ON grants (identity, n);
CREATE INDEX grants_by_owner      ON grants (owner, n);
CREATE INDEX sessions_by_identity ON sessions (identity, n);
CREATE INDEX sessions_by_repo     ON sessions (repo, n);
CREATE INDEX audit_by_kind        ON audit (kind, n);
CREATE INDEX audit_by_identity    ON audit (identity, n);
CREATE INDEX audit_by_repo        ON audit (repo, n);
