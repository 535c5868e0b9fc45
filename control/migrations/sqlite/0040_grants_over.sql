-- The grants of a repo that ended in one way, of which there may be few among many that ended in the other.
CREATE INDEX grants_over_of_repo ON grants (repo, state, n) WHERE state IN ('EXPIRED', 'REVOKED');
