-- What is due among the grants that live: most grants are over and were due long ago, which says nothing of these.
CREATE INDEX grants_that_live ON grants (due, n) WHERE state IN ('SCHEDULED', 'ACTIVE');
-- The requests of a repo in one state, of which there may be few among many.
CREATE INDEX requests_by_repo_and_state ON requests (repo, state, n);
