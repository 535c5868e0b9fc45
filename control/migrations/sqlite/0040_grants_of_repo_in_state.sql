-- The grants of a repo in one state, of which there may be few among many.
CREATE INDEX grants_by_repo_and_state ON grants (repo, state, n);
